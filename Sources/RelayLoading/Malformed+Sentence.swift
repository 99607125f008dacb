extension RelayOptions.Malformed {
  /// What is wrong with the command line, for people.
  public var sentence: String {
    switch self {
    case .unknownOption(let name):
      "relay.\(text(name)) is no option of relay's"
    case .badValue(let option, let value):
      "\(option.text)=\(text(value)) is not understood"
    case .twoActions:
      "relay.boot, relay.bench and relay.hibernate exclude each other"
    }
  }

  /// What firmware gave, as text that a console can show.
  private func text(_ bytes: [UInt8]) -> String {
    var text = ""
    for byte in bytes {
      text.unicodeScalars.append(Unicode.Scalar(0x20...0x7E ~= byte ? byte : 0x3F))
    }
    return text
  }
}
