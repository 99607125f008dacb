/// An error number of the kernel (errno(3)). The numbers are those of asm-generic, which arm64 and
/// x86-64 share.
public struct Errno: Error, RawRepresentable, Hashable, Sendable {
  public let rawValue: Int32

  public init(rawValue: Int32) {
    self.rawValue = rawValue
  }

  /// Of a call that returns a negative number where it fails.
  init(failure: Int) {
    rawValue = Int32(truncatingIfNeeded: 0 - failure)
  }

  public static let notPermitted = Errno(rawValue: 1)  // EPERM
  public static let noSuchFile = Errno(rawValue: 2)  // ENOENT
  public static let ioError = Errno(rawValue: 5)  // EIO
  public static let notExecutable = Errno(rawValue: 8)  // ENOEXEC
  public static let wouldBlock = Errno(rawValue: 11)  // EAGAIN
  public static let noMemory = Errno(rawValue: 12)  // ENOMEM
  public static let permissionDenied = Errno(rawValue: 13)  // EACCES
  public static let busy = Errno(rawValue: 16)  // EBUSY
  public static let notDirectory = Errno(rawValue: 20)  // ENOTDIR
  public static let isDirectory = Errno(rawValue: 21)  // EISDIR
  public static let invalidArgument = Errno(rawValue: 22)  // EINVAL
  public static let textBusy = Errno(rawValue: 26)  // ETXTBSY
  public static let fileTooLarge = Errno(rawValue: 27)  // EFBIG
  public static let noSpace = Errno(rawValue: 28)  // ENOSPC
  public static let readOnlyFileSystem = Errno(rawValue: 30)  // EROFS
  public static let noSuchSystemCall = Errno(rawValue: 38)  // ENOSYS
  public static let noData = Errno(rawValue: 61)  // ENODATA
  public static let noPackage = Errno(rawValue: 65)  // ENOPKG
  public static let badMessage = Errno(rawValue: 74)  // EBADMSG
  public static let libraryBad = Errno(rawValue: 80)  // ELIBBAD
  public static let addressNotAvailable = Errno(rawValue: 99)  // EADDRNOTAVAIL
  public static let keyMissing = Errno(rawValue: 126)  // ENOKEY
  public static let keyRejected = Errno(rawValue: 129)  // EKEYREJECTED

  /// What the number means, in the words of strerror(3).
  public var description: StaticString {
    switch self {
    case .notPermitted: "Operation not permitted"
    case .noSuchFile: "No such file or directory"
    case .ioError: "Input/output error"
    case .notExecutable: "Exec format error"
    case .textBusy: "Text file busy"
    case .noData: "No data available"
    case .noPackage: "Package not installed"
    case .badMessage: "Bad message"
    case .libraryBad: "Accessing a corrupted shared library"
    case .keyMissing: "Required key not available"
    case .keyRejected: "Key was rejected by service"
    case .wouldBlock: "Resource temporarily unavailable"
    case .noMemory: "Cannot allocate memory"
    case .permissionDenied: "Permission denied"
    case .busy: "Device or resource busy"
    case .notDirectory: "Not a directory"
    case .isDirectory: "Is a directory"
    case .invalidArgument: "Invalid argument"
    case .fileTooLarge: "File too large"
    case .noSpace: "No space left on device"
    case .readOnlyFileSystem: "Read-only file system"
    case .noSuchSystemCall: "Function not implemented"
    case .addressNotAvailable: "Cannot assign requested address"
    default: "Error"
    }
  }
}
