import BootDigests
import BootFormats
import KexecRelocation
import LinuxHost

/// What the file that `--load` was given holds. By its content, it may be
///
///     [compressed] [FIT or UKI] [zboot] [compressed] Image
///
/// where each part in brackets may be missing. What is taken out of another file is copied, so that
/// nothing holds on to the whole.
struct KernelFile: ~Copyable {
  /// What the Image is called in sentences: the path, and the part of the file.
  let name: String
  /// The Image, decompressed.
  let image: MappedFile
  /// What else a FIT image or a UKI brings, nil where it does not.
  let initrd: MappedFile?
  let commandLine: [UInt8]?
  let deviceTree: [UInt8]?
  /// Sentences about what was not checked.
  let warnings: [String]

  /// How a file is to be read.
  struct Reading<System: LinuxSystem> {
    /// The configuration of a FIT image that was asked for.
    var configuration: String?
    /// In bytes: the most that may result where something is decompressed.
    var limit: UInt64
    var digestImplementation: SHA256.Implementation
    /// Who is shown how far it is.
    var audience: Audience
    var system: System
  }

  /// Takes `file`, untrusted, apart.
  ///
  /// - Throws: `BatonError`, with `path` and the part of the file that is wrong.
  init<System>(
    _ file: consuming MappedFile, path: String, _ reading: Reading<System>
  ) throws(BatonError) {
    var content = file
    let outer = content.withBytes { Compression(FileFormat(recognizing: $0)) }
    if let outer {
      content = try content.withBytes { bytes throws(BatonError) -> MappedFile in
        try Self.decompress(bytes, as: outer, path, limit: reading.limit, reading)
      }
    }
    let parts = try content.withBytes { bytes throws(BatonError) -> KernelFileParts in
      try KernelFileParts(bytes, path: path, reading)
    }
    let initrd = try content.withBytes { bytes throws(BatonError) -> MappedFile? in
      guard let range = parts.initrd else { return nil }
      return try Self.copy(bytes.extracting(range))
    }
    let commandLine = content.withBytes { bytes in parts.commandLine.map { bytes.bytes(in: $0) } }
    let deviceTree = try content.withBytes { bytes throws(BatonError) -> [UInt8]? in
      guard let range = parts.deviceTree else { return nil }
      return try Self.deviceTree(bytes.extracting(range), path, reading)
    }
    // What is held already counts towards what may result.
    var left = reading
    if outer != nil { left.limit -= min(left.limit, UInt64(content.byteCount)) }
    left.limit -= min(left.limit, UInt64(parts.initrd?.count ?? 0))
    let image = try Self.image(consume content, parts, isInflated: outer != nil, left)
    name = parts.name
    warnings = parts.warnings
    self.image = image
    self.initrd = initrd
    self.commandLine = commandLine
    self.deviceTree = deviceTree
  }

  /// The Image out of `content`, which may be it.
  private static func image<System>(
    _ content: consuming MappedFile, _ parts: KernelFileParts, isInflated: Bool,
    _ reading: Reading<System>
  ) throws(BatonError) -> MappedFile {
    let inner = content.withBytes { bytes in
      Compression(FileFormat(recognizing: bytes.extracting(parts.kernel)))
    }
    if parts.kernel.count == content.byteCount, isInflated || inner == nil { return content }
    return try content.withBytes { bytes throws(BatonError) -> MappedFile in
      let kernel = bytes.extracting(parts.kernel)
      guard let inner else { return try copy(kernel) }
      return try decompress(kernel, as: inner, parts.name, limit: reading.limit, reading)
    }
  }

  /// Calls `body` with the initrd, or with no bytes where there is none.
  func withInitrd<Result: ~Copyable>(
    _ body: (RawSpan) throws(BatonError) -> Result
  ) throws(BatonError) -> Result {
    switch initrd {
    case .some(let file): try file.withBytes(body)
    case .none: try body(RawSpan())
    }
  }

  /// In bytes: room for a tree that shrinks when it is written anew.
  static var treeLimit: Int { 2 * Int(PlacementRequest.maximumDeviceTreeSize) }

  private static func decompress<System>(
    _ bytes: RawSpan, as compression: Compression, _ name: String, limit: UInt64,
    _ reading: Reading<System>
  ) throws(BatonError) -> MappedFile {
    var progress = Progress(
      "decompressing", total: UInt64(bytes.byteCount), for: reading.audience, reading.system)
    defer { progress.end() }
    do throws(DecompressionError) {
      return try MappedFile.decompressing(bytes, as: compression, limit: limit) {
        progress.update($0)
      }
    } catch {
      throw .compressed(name, compression, error)
    }
  }

  private static func copy(_ bytes: RawSpan) throws(BatonError) -> MappedFile {
    do throws(Errno) {
      var result = try MappedFile(zeroes: bytes.byteCount)
      result.store(bytes, at: 0)
      return result
    } catch {
      throw .tooLittleMemory(needed: UInt64(bytes.byteCount), available: nil)
    }
  }

  /// A tree of a FIT image or a UKI, which may be compressed on its own.
  private static func deviceTree<System>(
    _ bytes: RawSpan, _ path: String, _ reading: Reading<System>
  ) throws(BatonError) -> [UInt8] {
    let limit = treeLimit
    if let compression = Compression(FileFormat(recognizing: bytes)) {
      let file = try decompress(
        bytes, as: compression, path + ": device tree", limit: UInt64(limit), reading)
      return file.withBytes { $0.bytes(in: 0..<$0.byteCount) }
    }
    guard bytes.byteCount <= limit else {
      throw .handoff(.placement(.deviceTreeTooLarge(size: UInt64(bytes.byteCount))))
    }
    return bytes.bytes(in: 0..<bytes.byteCount)
  }
}

/// Where the parts of a kernel's file are in it.
struct KernelFileParts {
  private(set) var name: String
  private(set) var kernel: Range<Int>
  private(set) var initrd: Range<Int>?
  private(set) var commandLine: Range<Int>?
  private(set) var deviceTree: Range<Int>?
  private(set) var warnings: [String] = []

  init<System>(
    _ file: RawSpan, path: String, _ reading: KernelFile.Reading<System>
  ) throws(BatonError) {
    name = path
    kernel = 0..<file.byteCount
    let format = FileFormat(recognizing: file)
    switch format {
    case .deviceTree: try takeFIT(file, path, reading)
    case .peExecutable: try takeUKI(file, path)
    default: break
    }
    if reading.configuration != nil, format != .deviceTree { throw .noConfigurations(path) }
    let inner = file.extracting(kernel)
    guard FileFormat(recognizing: inner) == .efiZboot else { return }
    do throws(EFIZbootError) {
      let payload = try EFIZboot(parsing: inner).payload
      kernel =
        kernel.lowerBound + payload.lowerBound..<kernel.lowerBound + payload.upperBound
    } catch {
      throw .zboot(name, error)
    }
    name += ": payload"
  }

  private mutating func takeFIT<System>(
    _ file: RawSpan, _ path: String, _ reading: KernelFile.Reading<System>
  ) throws(BatonError) {
    var progress = Progress("checking hashes", for: reading.audience, reading.system)
    defer { progress.end() }
    do throws(FITError) {
      let image = try FITImage(
        parsing: file, configuration: reading.configuration,
        digestingWith: reading.digestImplementation,
        hashed: { progress.update($0, of: $1) })
      kernel = image.kernel.data
      initrd = image.initrd?.data
      deviceTree = image.deviceTree?.data
      name += ": " + image.kernel.name
      if image.hasSignatures {
        warnings.append(path + ": the FIT image's signatures are not checked, only its hashes")
      }
      for part in [image.kernel, image.initrd, image.deviceTree] {
        if let part, part.hashCount == 0 {
          warnings.append(path + ": " + part.name + " has no hash: what it holds is not checked")
        }
      }
    } catch {
      throw error == .noImages ? .image(path, .notAnImage(format: .deviceTree)) : .fit(path, error)
    }
  }

  private mutating func takeUKI(_ file: RawSpan, _ path: String) throws(BatonError) {
    do throws(UnifiedKernelImageError) {
      let image = try UnifiedKernelImage(parsing: file)
      kernel = image.kernel
      initrd = image.initrd
      commandLine = image.commandLine
      deviceTree = image.deviceTree
      name += ": .linux"
    } catch {
      throw .unifiedImage(path, error)
    }
  }
}

extension Compression {
  /// What undoes files of this format, or nil where nothing does here or they are not compressed.
  init?(_ format: FileFormat) {
    switch format {
    case .gzip: self = .gzip
    case .zstd: self = .zstd
    case .xz: self = .xz
    case .lzma: self = .lzma
    default: return nil
    }
  }
}

extension RawSpan {
  /// A copy of `range`, which lies inside.
  func bytes(in range: Range<Int>) -> [UInt8] {
    // Sound: the buffer is copied while the span lends it.
    unsafe extracting(range).withUnsafeBytes { unsafe [UInt8]($0) }
  }
}
