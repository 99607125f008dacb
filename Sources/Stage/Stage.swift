/// The program between two kernels. Entered from assembly (entry.S), which calls `stage_prepare`
/// with the MMU off, switches translation on, and calls `stage_execute`.
@main
enum Stage {
  // SwiftPM wants an entry point of its own; the linker drops this one. Code that is entered
  // through `@c` in a file without one would be script mode, whose globals are never set.
  static func main() {}
}
