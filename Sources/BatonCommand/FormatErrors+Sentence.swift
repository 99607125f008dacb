import BootFormats

extension FITError {
  /// What is wrong, behind the file's path.
  var sentence: String {
    func ofConfiguration(_ name: String) -> String { "the FIT image's configuration " + name }
    func ofImage(_ name: String) -> String { "the FIT image's " + name }
    return switch self {
    case .tree(let error): "no usable FIT image: " + error.text
    case .noImages: "a device tree without /images, no FIT image"
    case .noConfigurations:
      "a FIT image without configurations: nothing says which of its images belong together"
    case .noDefault:
      "a FIT image with several configurations and no default; choose one with --config"
    case .noSuchConfiguration(let name): "the FIT image has no configuration " + name
    case .noKernel(let configuration): ofConfiguration(configuration) + " names no kernel"
    case .severalImages(.deviceTree, let configuration):
      ofConfiguration(configuration)
        + " has overlays for its device tree, which baton does not apply; give the tree with --dtb"
    case .severalImages(_, let configuration):
      ofConfiguration(configuration) + " names several images for one part"
    case .noSuchImage(let name, let configuration):
      ofConfiguration(configuration) + " names " + name + ", which is not in the file"
    case .wrongType(let name, let role):
      ofImage(name) + " is not " + String(role.noun) + ", as its configuration says"
    case .wrongArchitecture(let name, let architecture):
      ofImage(name) + " is for " + architecture + "; give one for arm64"
    case .noData(let name): ofImage(name) + " has no data"
    case .dataOutOfBounds(let name, let end, let fileSize):
      ofImage(name) + " ends at byte " + String(end) + " of " + String(fileSize)
        + ": the file is truncated; copy it again"
    case .malformedProperty(let property, let name):
      ofImage(name) + " has a " + property + " that is missing or malformed"
    case .unknownHash(let name, let algorithm):
      ofImage(name) + " has a hash of the kind " + algorithm
        + ", which baton cannot check (crc32, md5, sha1, sha256, sha384, sha512)"
    case .tooManyHashes(let name, let limit):
      ofImage(name) + " has more than " + String(limit)
        + " hashes: make the FIT image with fewer"
    case .hashMismatch(let name, let algorithm):
      ofImage(name) + " is not what its " + algorithm + " says: the file is damaged; copy it again"
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

extension UnifiedKernelImageError {
  /// What is wrong, behind the file's path.
  var sentence: String {
    switch self {
    case .notPE: "it begins as an EFI executable and has no PE header; the file is damaged"
    case .truncated(let fileSize, let expected):
      "truncated: " + String(fileSize) + " of at least " + String(expected)
        + " bytes; copy it again"
    case .wrongMachine(let machine):
      "an EFI executable for " + machineName(machine) + ": give an arm64 one"
    case .noKernel:
      "an EFI executable without a kernel (a section .linux): an EFI program of another kind"
    case .sectionOutOfBounds(let section, let end, let fileSize):
      "its section " + String(section.name) + " ends at byte " + String(end) + " of "
        + String(fileSize) + ": the file is truncated; copy it again"
    }
  }
}

extension EFIZbootError {
  /// What is wrong, behind the file's path.
  var sentence: String {
    switch self {
    case .tooShort(let fileSize):
      "with " + String(fileSize) + " bytes too short for a compressed EFI kernel; copy it again"
    case .wrongMachine(let machine):
      "a compressed EFI kernel for " + machineName(machine) + ": give an arm64 one"
    case .payloadOutOfBounds(let offset, let size, let fileSize):
      "a compressed EFI kernel whose payload, " + String(size) + " bytes at " + String(offset)
        + ", is not inside the file's " + String(fileSize) + " bytes; copy it again"
    }
  }
}

/// The architecture of a PE header's machine (PE/COFF specification, "Machine Types").
private func machineName(_ machine: UInt16) -> String {
  switch machine {
  case 0x8664: "x86-64"
  case 0x014c: "32-bit x86"
  case 0x01c0, 0x01c2, 0x01c4: "32-bit Arm"
  case 0x5032, 0x5064: "RISC-V"
  case 0x6232, 0x6264: "LoongArch"
  default: "machine 0x" + String(machine, radix: 16)
  }
}
