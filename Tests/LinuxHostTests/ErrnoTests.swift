import Foundation
import LinuxHost
import Testing

@Suite struct ErrnoTests {
  @Test(arguments: [
    (Errno.notPermitted, EPERM), (.noSuchFile, ENOENT), (.ioError, EIO), (.noMemory, ENOMEM),
    (.permissionDenied, EACCES), (.busy, EBUSY), (.notDirectory, ENOTDIR), (.isDirectory, EISDIR),
    (.invalidArgument, EINVAL), (.noSuchSystemCall, ENOSYS), (.addressNotAvailable, EADDRNOTAVAIL),
  ])
  func `Numbers and words are the C library's`(errno: Errno, number: Int32) throws {
    #expect(errno.rawValue == number)
    // Sound: the C library's words for a number that it knows are constants.
    let words = unsafe try #require(strerror(number).map { unsafe String(cString: $0) })
    #expect(errno.description.description == words)
  }
}
