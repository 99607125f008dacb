/// The arguments behind the command's name.
func arguments(
  _ argc: Int32, _ argv: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> [String] {
  var arguments: [String] = []
  for index in stride(from: 1, to: Int(argc), by: 1) {
    // Sound: main's vector has `argc` strings.
    if let argument = unsafe argv[index] { unsafe arguments.append(String(cString: argument)) }
  }
  return arguments
}

/// What the command was called as.
func programName(
  _ argc: Int32, _ argv: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> String {
  // Sound: as above. A caller may pass no name at all.
  guard argc > 0, let name = unsafe argv[0] else { return "" }
  return unsafe String(cString: name)
}
