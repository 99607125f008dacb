import PhysicalMemory

/// The pages that must survive the old kernel's relocation and that the stage lives in: its
/// sections, the handoff block behind them, the translation tables behind that.
///
/// ```
/// base            code        one stride each (64 KiB), so that every section has pages of its
/// + 0x10000       constants   own in every granule; what lies between them is neither loaded
/// + 0x20000       writable    nor mapped
/// + blockOffset   block
/// + tableOffset   tables      on a page boundary of the granule
/// ```
public struct ControlRegion: Sendable, Hashable {
  /// The most that a region may take, in bytes.
  public static let maximumSize = 8 << 20
  private static let maximumAlignment: UInt64 = 2 << 20

  public let blockOffset: UInt64
  public let tableOffset: UInt64
  public let tableSize: UInt64

  public init(stage: StageImage, blockSize: Int, tablePages: Int, granule: Granule) {
    let page = granule.pageSize
    blockOffset = stage.blockOffset
    tableOffset = (blockOffset + UInt64(blockSize) + page - 1) & ~(page - 1)
    tableSize = UInt64(tablePages) * page
  }

  /// From the base to the end of the tables, in bytes.
  public var size: UInt64 { tableOffset + tableSize }

  /// The smallest power of two that holds the region, 2 MiB at most: aligned to it, the region
  /// lies in one table of pages and costs one.
  public var alignment: UInt64 {
    var result = StageImage.baseAlignment
    while result < size, result < ControlRegion.maximumAlignment { result <<= 1 }
    return result
  }
}
