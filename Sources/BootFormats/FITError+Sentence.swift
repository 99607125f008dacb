extension FITError {
  /// What is wrong, behind the file's name.
  public var sentence: String {
    func ofConfiguration(_ name: String) -> String { "the FIT image's configuration \(name)" }
    func ofImage(_ name: String) -> String { "the FIT image's \(name)" }
    return switch self {
    case .tree(let error): "no usable FIT image: \(error.sentence)"
    case .noImages: "a device tree without /images, no FIT image"
    case .noConfigurations:
      "a FIT image without configurations: nothing says which of its images belong together"
    case .noDefault: "a FIT image with several configurations and no default"
    case .noSuchConfiguration(let name): "the FIT image has no configuration \(name)"
    case .noKernel(let configuration): ofConfiguration(configuration) + " names no kernel"
    case .severalImages(.deviceTree, let configuration):
      ofConfiguration(configuration) + " has overlays for its device tree, which are not applied"
    case .severalImages(_, let configuration):
      ofConfiguration(configuration) + " names several images for one part"
    case .noSuchImage(let name, let configuration):
      ofConfiguration(configuration) + " names \(name), which is not in the file"
    case .wrongType(let name, let role):
      ofImage(name) + " is not \(role.noun), as its configuration says"
    case .wrongArchitecture(let name, let architecture):
      ofImage(name) + " is for \(architecture); give one for arm64"
    case .noData(let name): ofImage(name) + " has no data"
    case .dataOutOfBounds(let name, let end, let fileSize):
      ofImage(name)
        + " ends at byte \(end) of \(fileSize): the file is truncated; copy it again"
    case .malformedProperty(let property, let name):
      ofImage(name) + " has a \(property) that is missing or malformed"
    case .unknownHash(let name, let algorithm):
      ofImage(name)
        + " has a hash of the kind \(algorithm), which cannot be checked (crc32, md5, sha1, "
        + "sha256, sha384, sha512)"
    case .tooManyHashes(let name, let limit):
      ofImage(name) + " has more than \(limit) hashes: make the FIT image with fewer"
    case .hashMismatch(let name, let algorithm):
      ofImage(name) + " is not what its \(algorithm) says: the file is damaged; copy it again"
    }
  }
}

extension FITImage.Role {
  fileprivate var noun: StaticString {
    switch self {
    case .kernel: "a kernel"
    case .initrd: "a ramdisk"
    case .deviceTree: "a device tree"
    }
  }
}
