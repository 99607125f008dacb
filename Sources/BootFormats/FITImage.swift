import BootDigests

// A FIT image (U-Boot doc/usage/fit; flat_image_tree.dtsi), as mkimage(1) writes it: a flattened
// device tree whose leaves are files.
//
//   /images/NAME            data               the file, or, outside of the tree (mkimage -E):
//                           data-offset        from the tree's end, rounded up to 4, or
//                           data-position      from the file's start, with
//                           data-size
//                           type, arch, compression
//   /images/NAME/hash-N     algo, value
//   /configurations         default            NAME of a configuration
//   /configurations/NAME    kernel, ramdisk, fdt: NAMEs of images

/// A FIT image: the parts of one of its configurations, found and compared with their hashes.
/// Nothing is copied; ranges are in the file. Signatures are not checked.
public struct FITImage: Sendable, Hashable {
  /// What a part of a configuration is for.
  public enum Role: Sendable, Hashable {
    case kernel
    case initrd
    case deviceTree
  }

  /// One image of the file.
  public struct Part: Sendable, Hashable {
    /// The image's name.
    public let name: String
    /// Its bytes, still compressed where `compression` says so; not empty.
    public let data: Range<Int>
    /// The property `compression`: "none" where there is none. What the bytes are tells better.
    public let compression: String
    /// How many hashes were compared.
    public let hashCount: Int
    /// Whether the image bears a signature.
    public let isSigned: Bool
  }

  /// The configuration's name.
  public let configuration: String
  public let kernel: Part
  public let initrd: Part?
  public let deviceTree: Part?
  /// Whether the configuration, or a part of it, bears a signature, which nobody has checked.
  public let hasSignatures: Bool

  /// Finds the parts of a configuration in `file`, untrusted, which is the whole file, and compares
  /// their hashes.
  ///
  /// - Parameters:
  ///   - configuration: its name; nil for the default one, or the only one.
  ///   - implementation: how SHA-256 is computed.
  ///   - hashed: told of the number of bytes that are hashed, each time it has grown, and of how many it
  ///     will be: those of a part that has several hashes count for each.
  public init(
    parsing file: RawSpan, configuration: String? = nil,
    digestingWith implementation: SHA256.Implementation,
    hashed: (_ done: UInt64, _ total: UInt64) -> Void = { _, _ in }
  ) throws(FITError) {
    let reader = try Reader(file)
    let chosen = try reader.configuration(configuration, in: file)
    guard let kernel = try reader.part(.kernel, of: chosen, in: file) else {
      throw .noKernel(configuration: file.text(chosen.name))
    }
    let initrd = try reader.part(.initrd, of: chosen, in: file)
    let deviceTree = try reader.part(.deviceTree, of: chosen, in: file)
    self.configuration = file.text(chosen.name)
    self.kernel = kernel.part
    self.initrd = initrd?.part
    self.deviceTree = deviceTree?.part
    hasSignatures =
      reader.isSigned(chosen, in: file) || kernel.part.isSigned || initrd?.part.isSigned ?? false
      || deviceTree?.part.isSigned ?? false
    var total: UInt64 = 0
    for found in [kernel, initrd, deviceTree] { total += found?.part.hashedBytes ?? 0 }
    var done: UInt64 = 0
    for case let found? in [kernel, initrd, deviceTree] {
      try reader.checkHashes(of: found, in: file, implementation) {
        hashed(done + UInt64($0), total)
      }
      done += found.part.hashedBytes
    }
  }
}

extension FITImage.Part {
  fileprivate var hashedBytes: UInt64 { UInt64(data.count) * UInt64(hashCount) }
}

extension FITImage.Role {
  /// The configuration's property that names the image.
  var property: StaticString {
    switch self {
    case .kernel: "kernel"
    case .initrd: "ramdisk"
    case .deviceTree: "fdt"
    }
  }

  /// What the image's `type` begins with: "kernel_noload" is a kernel, too.
  var type: StaticString {
    switch self {
    case .kernel: "kernel"
    case .initrd: "ramdisk"
    case .deviceTree: "flat_dt"
    }
  }
}

/// A part with its node in /images.
private struct FoundPart {
  let node: FlattenedTree.Node
  let part: FITImage.Part
}

/// Where things are in a file, which every call is given anew.
private struct Reader {
  let tree: FlattenedTree
  let images: FlattenedTree.Node
  let configurations: FlattenedTree.Node

  init(_ file: RawSpan) throws(FITError) {
    do throws(DeviceTreeError) { tree = try FlattenedTree(parsing: file) } catch {
      throw .tree(error)
    }
    guard let root = tree.root(in: file), let images = tree.child("images", of: root, in: file)
    else { throw .noImages }
    guard let configurations = tree.child("configurations", of: root, in: file) else {
      throw .noConfigurations
    }
    self.images = images
    self.configurations = configurations
  }

  /// The node of the configuration of that name, else the default one, else the only one.
  func configuration(_ name: String?, in file: RawSpan) throws(FITError) -> FlattenedTree.Node {
    if let name {
      guard let node = child(of: configurations, named: [UInt8](name.utf8), in: file) else {
        throw .noSuchConfiguration(name)
      }
      return node
    }
    if let value = tree.property("default", of: configurations, in: file) {
      let name = file.string(value)
      guard let node = child(of: configurations, named: name, in: file) else {
        throw .noSuchConfiguration(String(decoding: name, as: UTF8.self))
      }
      return node
    }
    var count = 0
    let first = tree.child(of: configurations, in: file) { _ in
      count += 1
      return count == 1
    }
    guard let first else { throw .noConfigurations }
    let hasSecond = tree.child(of: configurations, in: file) { $0 != first } != nil
    guard !hasSecond else { throw .noDefault }
    return first
  }

  func part(
    _ role: FITImage.Role, of configuration: FlattenedTree.Node, in file: RawSpan
  ) throws(FITError) -> FoundPart? {
    guard let value = tree.property(role.property, of: configuration, in: file) else { return nil }
    // A list of several device trees: the first, and overlays for it.
    let name = file.string(value)
    guard name.count + 1 >= value.count else {
      throw .severalImages(role, configuration: file.text(configuration.name))
    }
    let nameText = String(decoding: name, as: UTF8.self)
    guard let image = child(of: images, named: name, in: file) else {
      throw .noSuchImage(nameText, configuration: file.text(configuration.name))
    }
    if let type = tree.property("type", of: image, in: file),
      !file.hasText(role.type, at: type.lowerBound) || type.count < role.type.utf8CodeUnitCount
    {
      throw .wrongType(nameText, role)
    }
    if role == .kernel, let architecture = tree.property("arch", of: image, in: file),
      !file.string(architecture).elementsEqual("arm64".utf8)
    {
      throw .wrongArchitecture(nameText, file.text(architecture))
    }
    let part = FITImage.Part(
      name: nameText, data: try data(of: image, nameText, in: file),
      compression: tree.property("compression", of: image, in: file).map { file.text($0) }
        ?? "none",
      hashCount: try hashCount(of: image, nameText, in: file),
      isSigned: isSigned(image, in: file))
    return FoundPart(node: image, part: part)
  }

  /// Where the image's bytes are.
  private func data(
    of image: FlattenedTree.Node, _ name: String, in file: RawSpan
  ) throws(FITError) -> Range<Int> {
    if let data = tree.property("data", of: image, in: file) {
      guard !data.isEmpty else { throw .noData(name) }
      return data
    }
    let start: UInt64
    if let position = tree.property("data-position", of: image, in: file) {
      start = try number(position, "data-position", name, in: file)
    } else if let offset = tree.property("data-offset", of: image, in: file) {
      start =
        UInt64((tree.totalSize + 3) & ~3) + (try number(offset, "data-offset", name, in: file))
    } else {
      throw .noData(name)
    }
    guard let value = tree.property("data-size", of: image, in: file) else { throw .noData(name) }
    let size = try number(value, "data-size", name, in: file)
    guard size > 0 else { throw .noData(name) }
    // Each has 32 bits.
    guard start + size <= UInt64(file.byteCount) else {
      throw .dataOutOfBounds(name, end: start + size, fileSize: file.byteCount)
    }
    return Int(start)..<Int(start + size)
  }

  /// An image of more hashes is refused: each costs as much as all of its bytes.
  static var hashLimit: Int { 16 }

  private func isHash(_ node: FlattenedTree.Node, in file: RawSpan) -> Bool {
    node.name.count >= 4 && file.hasText("hash", at: node.name.lowerBound)
  }

  private func hashCount(
    of image: FlattenedTree.Node, _ name: String, in file: RawSpan
  ) throws(FITError) -> Int {
    var count = 0
    _ = tree.child(of: image, in: file) { node in
      if isHash(node, in: file) { count += 1 }
      return count > Self.hashLimit
    }
    guard count <= Self.hashLimit else { throw .tooManyHashes(name, limit: Self.hashLimit) }
    return count
  }

  /// Compares the part's hashes.
  ///
  /// - Parameter hashed: told of the number of bytes that are hashed, for all hashes together.
  func checkHashes(
    of found: FoundPart, in file: RawSpan, _ implementation: SHA256.Implementation,
    hashed: (Int) -> Void
  ) throws(FITError) {
    var done = 0
    var failure: FITError?
    _ = tree.child(of: found.node, in: file) { node in
      guard isHash(node, in: file) else { return false }
      do throws(FITError) {
        let before = done
        try checkHash(node, found.part, in: file, implementation) { hashed(before + $0) }
        done += found.part.data.count
        hashed(done)
        return false
      } catch {
        failure = error
        return true
      }
    }
    if let failure { throw failure }
  }

  private func checkHash(
    _ node: FlattenedTree.Node, _ part: FITImage.Part, in file: RawSpan,
    _ implementation: SHA256.Implementation, taken: (Int) -> Void
  ) throws(FITError) {
    guard let algorithm = tree.property("algo", of: node, in: file) else {
      throw .malformedProperty("algo", image: part.name)
    }
    guard let value = tree.property("value", of: node, in: file) else {
      throw .malformedProperty("value", image: part.name)
    }
    let message = file.extracting(part.data)
    let algorithmName = file.string(algorithm)
    func isAlgorithm(_ text: String) -> Bool { algorithmName.elementsEqual(text.utf8) }
    let isRight: Bool
    if isAlgorithm("crc32") {
      isRight =
        value.count == 4
        && file.bigEndian(UInt32.self, at: value.lowerBound)
          == CRC32.checksum(of: message, taken: taken)
    } else if isAlgorithm("md5") {
      isRight = matches(MD5.digest(of: message, taken: taken), value, in: file)
    } else if isAlgorithm("sha1") {
      isRight = matches(SHA1.digest(of: message, taken: taken), value, in: file)
    } else if isAlgorithm("sha256") {
      var hash = SHA256(using: implementation)
      for start in stride(from: 0, to: message.byteCount, by: 1 << 20) {
        let end = min(start + (1 << 20), message.byteCount)
        hash.update(message.extracting(start..<end))
        taken(end)
      }
      isRight = matches(hash.finalize().bytes, value, in: file)
    } else if isAlgorithm("sha384") {
      isRight = matches(SHA512.digest384(of: message, taken: taken), value, in: file)
    } else if isAlgorithm("sha512") {
      isRight = matches(SHA512.digest(of: message, taken: taken), value, in: file)
    } else {
      throw .unknownHash(part.name, algorithm: file.text(algorithm))
    }
    guard isRight else { throw .hashMismatch(part.name, algorithm: file.text(algorithm)) }
  }

  private func matches<let count: Int>(
    _ digest: InlineArray<count, UInt8>, _ value: Range<Int>, in file: RawSpan
  ) -> Bool {
    guard value.count == count else { return false }
    for index in 0..<count where file.byte(at: value.lowerBound + index) != digest[index] {
      return false
    }
    return true
  }

  func isSigned(_ node: FlattenedTree.Node, in file: RawSpan) -> Bool {
    tree.child(of: node, in: file) { child in
      child.name.count >= 9 && file.hasText("signature", at: child.name.lowerBound)
    } != nil
  }

  private func child(
    of node: FlattenedTree.Node, named name: [UInt8], in file: RawSpan
  ) -> FlattenedTree.Node? {
    tree.child(of: node, in: file) { child in
      guard child.name.count == name.count else { return false }
      for index in name.indices
      where file.byte(at: child.name.lowerBound + index) != name[index] {
        return false
      }
      return true
    }
  }

  private func number(
    _ value: Range<Int>, _ property: String, _ image: String, in file: RawSpan
  ) throws(FITError) -> UInt64 {
    guard value.count == 4, let number = file.bigEndian(UInt32.self, at: value.lowerBound) else {
      throw .malformedProperty(property, image: image)
    }
    return UInt64(number)
  }
}

extension RawSpan {
  /// The bytes of `range`, which lies inside, up to the first NUL.
  fileprivate func string(_ range: Range<Int>) -> [UInt8] {
    Array(copy(range).prefix { $0 != 0 })
  }

  fileprivate func text(_ range: Range<Int>) -> String {
    String(decoding: string(range), as: UTF8.self)
  }
}
