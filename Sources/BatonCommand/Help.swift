/// `--help`, from the option table.
enum Help {
  private static let column = 32

  static func text(for caller: Caller) -> String {
    var text = "Usage: " + caller.name + " -l IMAGE [--initrd=FILE] [--append=STRING] …\n"
    text += "       " + caller.name + " -e | -u | -S | --check | --last\n\n"
    text += "Restarts this machine into another kernel, without its firmware.\n\n"
    for option in CommandOption.all {
      var line = "  "
      if let short = option.short {
        line += "-" + String(short) + ", "
      } else {
        line += "    "
      }
      for (index, long) in option.long.enumerated() {
        if index > 0 { line += ", " }
        line += "--" + String(long)
        if let argument = option.argument { line += "=" + String(argument) }
      }
      if line.utf8.count >= column {
        text += line + "\n"
        line = ""
      }
      while line.utf8.count < column { line += " " }
      text += line + String(option.help) + "\n"
    }
    return text
  }
}

extension String {
  /// A static string's text.
  init(_ text: StaticString) {
    var bytes: [UInt8] = []
    // Sound: the index is below the string's length.
    for index in 0..<text.utf8CodeUnitCount { bytes.append(unsafe text.utf8Start[index]) }
    self = String(decoding: bytes, as: UTF8.self)
  }
}
