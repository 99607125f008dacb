import BatonCommand
import LinuxHost

/// The C library's `main` calls this: SwiftPM aliases `main` to the name below. Embedded Swift has
/// no `CommandLine`, so the arguments are taken from here on the host, too.
@c(baton_main)
public func main(
  argc: Int32, argv: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> Int32 {
  // Sound: these are what main was given.
  let caller = Caller(programName: unsafe programName(argc, argv))
  RunningLinux.outliveFailedWrites()
  // Files are looked at before anything is loaded: afterwards it is the kernel that finds one short.
  RunningLinux.explainLostFiles(
    caller == .baton
      ? "baton: a file became shorter, or could not be read any more, while it was in use; nothing was done\n"
      : "kexec: a file became shorter, or could not be read any more, while it was in use; nothing was done\n",
    status: caller == .baton ? ExitStatus.badFile.rawValue : 255)
  switch caller {
  case .baton: return unsafe Baton.run(arguments(argc, argv), system: RunningLinux()).rawValue
  case .kexec: return unsafe Baton.runAsKexec(arguments(argc, argv), system: RunningLinux())
  }
}
