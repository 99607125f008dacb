import BatonCommand

/// Writes baton(8), or bash's completion for it, from the command's option table.
@main
enum Manual {
  static func main() {
    switch CommandLine.arguments.dropFirst().first {
    case "page": print(ManualPage.text, terminator: "")
    case "completion": print(Completion.text, terminator: "")
    default: print("usage: manual page|completion")
    }
  }
}
