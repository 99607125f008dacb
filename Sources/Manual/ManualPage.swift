import BatonCommand

/// baton(8), in man(7)'s language.
enum ManualPage {
  static var text: String {
    var page = """
      .TH BATON 8 "" "baton \(Baton.version)" "System administration"
      .SH NAME
      baton \\- restart an arm64 machine into another kernel, verified
      .SH SYNOPSIS
      .B baton
      \\fB\\-l\\fR \\fIIMAGE\\fR [\\fIoptions\\fR]
      .br
      .B baton
      \\fB\\-p\\fR \\fIIMAGE\\fR [\\fIoptions\\fR]
      .br
      .B baton
      \\fB\\-e\\fR | \\fB\\-u\\fR | \\fB\\-S\\fR | \\fB\\-\\-check\\fR | \\fB\\-\\-last\\fR
      .SH DESCRIPTION
      .B baton
      loads a kernel into the running one and starts it without the machine's firmware, as
      .BR kexec (8)
      does. Between the two kernels it runs a program of its own, which switches the MMU and the
      caches on, compares every byte with what was loaded, and resets the machine with one line on
      the console where something differs.
      .PP
      Everything that can fail fails while the kernel is loaded; what was loaded before then stays
      loaded, and where the running kernel does not let it, the message says so.
      .SH OPTIONS

      """
    for option in CommandOption.all {
      var names = option.long.map { bold("--\($0)") + value(option) }
      if let short = option.short { names.insert(bold("-\(short)") + shortValue(option), at: 0) }
      page += ".TP\n\(names.joined(separator: ", "))\n\(escaped("\(option.help)"))\n"
    }
    page += """
      .SH EXIT STATUS
      0: done, or the answer is yes; 1: the answer is no; 2: the command line makes no sense; 3: a
      file cannot be used; 4: there is no room; 5: not permitted; 6: this machine cannot do it; 7:
      the kernel refused a call.
      .PP
      Called as
      .BR kexec ,
      the statuses are those of
      .BR kexec (8).
      .SH FILES
      .TP
      .I /run/baton/loaded.json
      What this boot has loaded to be started by
      .BR \\-e .
      .TP
      .I /run/baton/crash.json
      What it has loaded to be started by a crash.
      .TP
      .I /var/lib/baton/last.json
      What was last started.
      .SH SEE ALSO
      .BR baton\\-divert (8),
      .BR kexec (8),
      .BR kexec_load (2),
      .BR reboot (2)

      """
    return page
  }

  private static func value(_ option: CommandOption) -> String {
    guard let argument = option.argument else { return "" }
    return "=\\fI" + escaped("\(argument)") + "\\fR"
  }

  private static func shortValue(_ option: CommandOption) -> String {
    guard let argument = option.argument else { return "" }
    return " \\fI" + escaped("\(argument)") + "\\fR"
  }

  private static func bold(_ text: String) -> String { "\\fB" + escaped(text) + "\\fR" }

  /// Dashes that stay ASCII, and no line that would be a request.
  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "\\": result += "\\e"
      case "-": result += "\\-"
      case "…": result += "..."
      default: result.append(character)
      }
    }
    return result.hasPrefix(".") || result.hasPrefix("'") ? "\\&" + result : result
  }
}
