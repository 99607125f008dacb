/// How long a kernel that says EBUSY is asked again: somebody loads a kernel at this moment, such as a
/// crash kernel after memory was added, and is done soon. In milliseconds.
enum BusyKernel {
  static var patience: UInt64 { 5000 }
  /// Between two attempts.
  static var interval: UInt64 { 250 }
}
