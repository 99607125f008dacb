import BootFormats

extension FITError {
  /// What is wrong with the payload, for people.
  var sentence: String {
    switch self {
    case .tree(let error): "it is no FIT image: \(error.words)"
    case .noImages: "it is no FIT image, but a device tree: it has no /images"
    case .noConfigurations: "it has no configurations"
    case .noDefault: "it has several configurations, and none is the default"
    case .noSuchConfiguration(let name): "it has no configuration \(name)"
    case .noKernel(let configuration): "configuration \(configuration) has no kernel"
    case .severalImages(_, let configuration):
      "configuration \(configuration) names several images for one part"
    case .noSuchImage(let name, let configuration):
      "configuration \(configuration) names an image \(name) that is not there"
    case .wrongType(let name, _): "image \(name) is of another type than it is used for"
    case .wrongArchitecture(let name, let architecture):
      "image \(name) is for \(architecture), not arm64"
    case .noData(let name): "image \(name) has no bytes"
    case .dataOutOfBounds(let name, let end, let size):
      "image \(name) would end at byte \(end) of \(size)"
    case .malformedProperty(let property, let image):
      "image \(image) lacks a well-formed \(property)"
    case .unknownHash(let name, let algorithm):
      "image \(name) has a hash that is not known here: \(algorithm)"
    case .tooManyHashes(let name, let limit):
      "image \(name) has more than \(limit) hashes"
    case .hashMismatch(let name, let algorithm):
      "image \(name) is not what was hashed (\(algorithm))"
    }
  }
}

extension DeviceTreeError {
  fileprivate var words: StaticString {
    switch self {
    case .tooShort: "too short"
    case .badMagic: "no device tree's magic number"
    case .unsupportedVersion: "an unknown version of the format"
    case .badTotalSize: "its size is more than there is"
    default: "its structure is broken"
    }
  }
}
