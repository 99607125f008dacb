import BatonCommand
import LinuxHost

/// The C library's `main` calls this: SwiftPM aliases `main` to the name below. Embedded Swift has
/// no `CommandLine`, so the arguments are taken from here on the host, too.
@c(baton_main)
public func main(
  argc: Int32, argv: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> Int32 {
  // Sound: these are what main was given.
  switch Caller(programName: unsafe programName(argc, argv)) {
  case .baton: unsafe Baton.run(arguments(argc, argv), system: RunningLinux()).rawValue
  case .kexec: unsafe Baton.runAsKexec(arguments(argc, argv), system: RunningLinux())
  }
}
