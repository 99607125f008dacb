/// An initial file system for Linux, as the bytes of a cpio archive in the `newc` format
/// (Linux's buffer-format.rst).
///
/// The same contents give the same bytes: owners are root, times are zero, and inode numbers
/// follow the order of insertion.
///
///     header: "070701", then 13 fields of 8 hexadecimal digits
///     name, NUL, padded with NULs to a multiple of 4
///     contents, padded likewise
///     … and last an entry called TRAILER!!!
public struct Initramfs: Sendable {
  private var archive: [UInt8] = []
  private var inodes: UInt32 = 0
  private var directories: Set<String> = []

  public init() {}

  /// The finished archive.
  public var bytes: [UInt8] {
    var copy = self
    copy.append(name: "TRAILER!!!", mode: 0, contents: [])
    return copy.archive
  }

  public mutating func addDirectory(_ path: String) {
    guard directories.insert(path).inserted else { return }
    addParents(of: path)
    append(name: path, mode: 0o040755, contents: [])
  }

  /// Adds a file that everybody can read and execute, and the directories above it.
  public mutating func addFile(_ path: String, _ contents: [UInt8]) {
    addParents(of: path)
    append(name: path, mode: 0o100755, contents: contents)
  }

  private mutating func addParents(of path: String) {
    if let slash = path.lastIndex(of: "/") { addDirectory(String(path[..<slash])) }
  }

  private mutating func append(name: String, mode: UInt32, contents: [UInt8]) {
    inodes += 1
    let fields: [UInt32] = [
      inodes, mode, 0, 0, 1, 0, UInt32(contents.count), 0, 0, 0, 0, UInt32(name.utf8.count) + 1, 0,
    ]
    archive += "070701".utf8
    for field in fields {
      let digits = String(field, radix: 16)
      archive += String(repeating: "0", count: 8 - digits.count).utf8
      archive += digits.utf8
    }
    archive += name.utf8
    archive.append(0)
    pad()
    archive += contents
    pad()
  }

  private mutating func pad() {
    while archive.count % 4 != 0 { archive.append(0) }
  }
}
