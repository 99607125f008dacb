import ArmTranslation
import PhysicalMemory

/// Why a handoff cannot be laid out. Nothing has been loaded by then.
public enum HandoffError: Error, Hashable, Sendable {
  case placement(PlacementError)
  /// A destination that is not System RAM.
  case notInMemory(PhysicalRange)
  /// The console lies in memory that is mapped, or above the tables' reach.
  case mapping(MappingError)
  case tableMemory(TableMemoryError)
  /// A kernel that occupies so much that the tables for it do not fit the control region.
  case tooManyTables(pages: Int)
  /// More than the handoff block can describe.
  case tooLarge(pieces: Int)
}
