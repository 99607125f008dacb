import BatonCommand

/// Completion for bash: options by their names, and files where an option or the image takes one.
enum Completion {
  static var text: String {
    let words = CommandOption.all.flatMap { option in
      option.long.map { "--\($0)" + (option.argument == nil ? "" : "=") }
    }
    // What takes one of a few words says so in its argument: a|b|c.
    let choices = CommandOption.all.compactMap { option -> String? in
      guard let argument = option.argument, "\(argument)".contains("|") else { return nil }
      let names = option.long.map { "--\($0)" }.joined(separator: "|")
      let values = "\(argument)".split(separator: "|").joined(separator: " ")
      return "    \(names)) COMPREPLY=($(compgen -W '\(values)' -- \"$cur\")); return ;;\n"
    }
    return """
      # bash completion for baton(8)

      _baton() {
        local cur prev words cword split
        _init_completion -s || return
        case $prev in
      \(choices.joined())    esac
        if [[ $cur == -* ]]; then
          COMPREPLY=($(compgen -W '\(words.joined(separator: " "))' -- "$cur"))
          [[ ${COMPREPLY-} == *= ]] && compopt -o nospace
          return
        fi
        _filedir
      } &&
        complete -F _baton baton

      """
  }
}
