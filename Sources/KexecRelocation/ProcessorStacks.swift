import CBatonArm64
import PhysicalMemory

/// The stacks of the CPUs that share the stage's work: memory that nothing is loaded into, as many
/// equal slots as there are CPUs.
///
/// ```
/// slot   + 0         not mapped: a stack that overflows meets a hole
///        + a page    stack, growing down from the slot's end
/// ```
public struct ProcessorStacks: Sendable, Hashable {
  /// The most CPUs that share the work.
  public static let maximumCount = Int(BATON_MAXIMUM_PROCESSORS)

  /// A slot in the smallest granule, in bytes.
  static let minimumSlot: UInt64 = 2 * 4096

  public let count: Int
  private let pageSize: UInt64

  public init(count: Int, granule: Granule) {
    self.count = count
    pageSize = granule.pageSize
  }

  /// All slots together, in bytes.
  public var size: UInt64 { UInt64(count) * 2 * pageSize }

  /// What is mapped of them, where they lie from `start` on.
  func mapped(from start: PhysicalAddress) -> [PhysicalRange] {
    (0..<UInt64(count)).map { slot in
      let stack = start + (2 * slot + 1) * pageSize
      return PhysicalRange(stack, upTo: stack + pageSize)
    }
  }
}
