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
