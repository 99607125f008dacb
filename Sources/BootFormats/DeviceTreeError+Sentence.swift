extension DeviceTreeError {
  /// What is wrong, behind words that say what should be a device tree.
  public var sentence: String {
    switch self {
    case .tooShort(let size): "\(size) bytes are too short for one"
    case .badMagic(let magic): "it begins with 0x\(String(magic, radix: 16))"
    case .unsupportedVersion(let version, _): "version \(version) is not supported"
    case .badTotalSize(let size, let available):
      "it says that it has \(size) bytes, and there are \(available)"
    case .tooLarge(let size): "\(size) bytes are more than the format can hold"
    case .blockOutOfBounds, .misaligned: "its header is damaged"
    case .unterminatedReservations(let offset), .reservationWraps(let offset),
      .truncatedStructure(let offset), .unknownToken(_, let offset), .misplacedToken(_, let offset),
      .unterminatedName(let offset), .badPropertyName(_, let offset),
      .propertyOutOfBounds(_, let offset), .tooDeep(let offset):
      "it is damaged at byte \(offset)"
    }
  }
}
