import PhysicalMemory

/// Where a kernel may be put, and what it needs of the CPU, whatever format it came in (Linux arm64 booting.rst, "Call the
/// kernel image").
public struct KernelRequirements: Hashable, Sendable {
  /// The image starts this many bytes above a multiple of `alignment`.
  public var textOffset: UInt64
  /// Memory that must be free from the start of the image, in bytes: code, data and bss.
  public var memorySize: UInt64
  /// A power of two, in bytes.
  public var alignment: UInt64
  /// Whether any base will do. Kernels before 4.6 must lie as close to the start of RAM as
  /// possible: memory below them is lost to them.
  public var mayLieAnywhere: Bool
  /// The size of its pages, or nil where it does not say.
  public var pageSize: Granule?

  public init(
    textOffset: UInt64, memorySize: UInt64, alignment: UInt64 = 2 << 20, mayLieAnywhere: Bool,
    pageSize: Granule? = nil
  ) {
    self.textOffset = textOffset
    self.memorySize = memorySize
    self.alignment = alignment
    self.mayLieAnywhere = mayLieAnywhere
    self.pageSize = pageSize
  }
}
