/// The first kernel without Linux. Entered from assembly (CRelay's entry.S), which calls
/// `relay_prepare` with the MMU off, switches translation on, and calls `relay_main`.
@main
enum Relay {
  // SwiftPM wants an entry point of its own; the linker drops this one.
  static func main() {}
}
