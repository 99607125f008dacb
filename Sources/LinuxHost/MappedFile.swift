import CLinuxHost

/// A file's content, mapped into memory: nothing is copied onto the heap, however large it is.
@safe
public struct MappedFile: ~Copyable {
  let address: UnsafeMutableRawPointer
  public private(set) var byteCount: Int
  /// Of the file, -1 for what is none; and what it was like when it was opened.
  private let descriptor: Int32
  private let state: linux_file_state

  /// Maps the regular file at `path`, all of it present.
  ///
  /// - Parameter progress: called with the bytes that are present so far, and with all of them, as
  ///   the work goes on.
  /// - Throws: `Errno`: what open(2), fstat(2), mmap(2) or read(2) say; `.isDirectory`;
  ///   `.invalidArgument` for an empty file and for what is no regular file.
  public init(
    path: String, progress: (_ done: UInt64, _ total: UInt64) -> Void = { _, _ in }
  ) throws(Errno) {
    // Sound: the C string lives for the call.
    let descriptor = unsafe path.withCString { unsafe linux_open_read($0) }
    guard descriptor >= 0 else { throw Errno(failure: Int(descriptor)) }
    var isDone = false
    defer { if !isDone { linux_close(descriptor) } }
    let size = linux_regular_file_size(descriptor)
    guard size >= 0 else { throw Errno(failure: Int(size)) }
    guard size > 0 else { throw .invalidArgument }
    var state = linux_file_state()
    // Sound: the call fills the structure.
    let found = unsafe linux_file_state(descriptor, &state)
    guard found == 0 else { throw Errno(failure: found) }
    // Sound: the call writes the address of a mapping of `size` bytes, or nothing.
    var mapped: UnsafeMutableRawPointer?
    var isMapped: Int32 = 0
    let status = unsafe linux_map_file(descriptor, Int(size), &mapped, &isMapped)
    guard status == 0, let mapped = unsafe mapped else { throw Errno(failure: status) }
    let total = Int(size)
    var present = 0
    while present < total {
      let count = min(total - present, Self.readingStep)
      // Sound, here and below: the range lies in the mapping, which nobody else knows yet.
      let status = unsafe linux_fill_file(descriptor, mapped, present, count, isMapped)
      guard status == 0 else {
        unsafe linux_unmap(mapped, total)
        throw Errno(failure: status)
      }
      present += count
      progress(UInt64(present), UInt64(total))
    }
    unsafe address = mapped
    byteCount = total
    self.descriptor = descriptor
    self.state = state
    isDone = true
  }

  /// Whether the file is what it was when it was mapped, as far as its size and times tell; what is no
  /// file always is.
  public var isUnchanged: Bool {
    guard descriptor >= 0 else { return true }
    var now = linux_file_state()
    // Sound: as above.
    guard unsafe linux_file_state(descriptor, &now) == 0 else { return false }
    return now.size == state.size && now.modified == state.modified && now.changed == state.changed
  }

  /// In bytes, of whole pages: how much is read between two reports of progress.
  private static var readingStep: Int { 4 << 20 }

  /// Memory with these bytes, for what is no file.
  ///
  /// - Throws: `Errno.noMemory`, and `.invalidArgument` for no bytes.
  public init(copying bytes: [UInt8]) throws(Errno) {
    try self.init(zeroes: bytes.count)
    // Sound: the mapping is as long as the array.
    for index in bytes.indices {
      unsafe address.storeBytes(of: bytes[index], toByteOffset: index, as: UInt8.self)
    }
  }

  /// So many bytes of zeros.
  ///
  /// - Throws: `Errno.noMemory`, and `.invalidArgument` for no bytes.
  public init(zeroes count: Int) throws(Errno) {
    try self.init(memory: count)
  }

  /// Room for so many bytes, of which those that are never touched take no memory.
  init(reserving count: Int) throws(Errno) {
    try self.init(memory: count, reserves: false)
  }

  private init(memory size: Int, reserves: Bool = true) throws(Errno) {
    guard size > 0 else { throw .invalidArgument }
    // Sound: the call writes the address of a mapping of `size` bytes, or nothing.
    var mapped: UnsafeMutableRawPointer?
    let status = unsafe linux_map_memory(size, reserves ? 1 : 0, &mapped)
    guard status == 0, let mapped = unsafe mapped else { throw Errno(failure: status) }
    unsafe address = mapped
    byteCount = size
    descriptor = -1
    state = linux_file_state()
  }

  /// Keeps the first `count` bytes and gives the memory behind them back.
  ///
  /// - Precondition: `count` is more than 0 and at most `byteCount`.
  mutating func trim(to count: Int) {
    precondition(count > 0 && count <= byteCount)
    let pageSize = linux_page_size()
    let kept = (count + pageSize - 1) & ~(pageSize - 1)
    // Sound: the whole pages behind those that hold the first `count` bytes.
    if kept < byteCount { unsafe linux_unmap(address + kept, byteCount - kept) }
    byteCount = count
  }

  /// Copies `bytes` to `offset`.
  ///
  /// - Precondition: they fit, and the mapping is of memory, not of a file.
  public mutating func store(_ bytes: RawSpan, at offset: Int) {
    precondition(offset >= 0 && bytes.byteCount <= byteCount - offset)
    let target = unsafe address + offset
    // Sound: the range lies in the mapping, which is this value's alone.
    unsafe bytes.withUnsafeBytes { source in
      guard let start = source.baseAddress else { return }
      unsafe target.copyMemory(from: start, byteCount: source.count)
    }
  }

  deinit {
    // Sound: the mapping is this value's alone, and no span outlives `withBytes`.
    unsafe linux_unmap(address, byteCount)
    if descriptor >= 0 { linux_close(descriptor) }
  }

  /// Calls `body` with the bytes.
  public func withBytes<Result: ~Copyable, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // Sound: the mapping lives as long as `self`, and the span no longer than the call.
    try body(unsafe RawSpan(_unsafeStart: UnsafeRawPointer(address), byteCount: byteCount))
  }
}
