import BootFormats
import HardwareDescription
import KexecRelocation
import PhysicalMemory

/// A kernel, its ramdisk and its device tree: where they go, and what is in the tree then.
public struct KernelLoad: Sendable {
  public let segments: [LoadSegment]
  public let placement: Placement
  public let pageSize: Granule?
  /// Where the stage leaves its record.
  public let record: PhysicalAddress?

  /// - Parameters:
  ///   - tree: the machine's own, where the payload has none.
  ///   - commandLine: the next kernel's; nil leaves the tree's.
  ///   - available: what may be overwritten when the loader is gone.
  ///   - loader: the loader's own image: a good place for the next kernel.
  public init(
    _ payload: Payload, tree: DeviceTree, commandLine: [UInt8]?, available: PhysicalRangeSet,
    loader: PhysicalRange
  ) throws(RelayFailure) {
    let image: Arm64Image
    do throws(ImageError) {
      image = try unsafe Arm64Image(parsing: payload.kernel.span.bytes)
    } catch {
      throw .image(error)
    }
    var own = tree
    if let blob = payload.deviceTree {
      do throws(DeviceTreeError) { own = try unsafe DeviceTree(parsing: blob.span.bytes) } catch {
        throw .tree(error)
      }
    }
    var next = HandoffTree(
      own, commandLine: commandLine, hasInitrd: payload.ramdisk != nil, seeds: [])
    var room = available
    do throws(DeviceTreeContentError) { room.subtract(try next.reservedMemory()) } catch {
      throw .treeContent
    }
    let size = try Self.serialize { () throws(DeviceTreeError) in try next.serialized() }.count
    let request = PlacementRequest(
      available: room, runningKernel: room.contains(loader) ? loader : nil,
      bounds: PhysicalRange(PhysicalAddress(4096), upTo: PhysicalAddress(1 << 48)),
      pageSize: 65536,
      kernel: KernelRequirements(
        textOffset: image.textOffset, memorySize: image.imageSize,
        mayLieAnywhere: image.allowsAnyPlacement, pageSize: image.pageSize),
      initrdSize: UInt64(payload.ramdisk?.count ?? 0), deviceTreeSize: UInt64(size),
      // The stage's place is chosen where sources are not.
      controlSize: 65536, controlAlignment: 65536)
    let placement: Placement
    do throws(PlacementError) { placement = try request.place() } catch {
      throw .placement(error)
    }
    self.placement = placement
    let blob = try Self.serialize { () throws(DeviceTreeError) in
      try next.serialized(initrd: placement.initrd)
    }
    record = next.recordOffset.map { placement.deviceTree.start + UInt64($0) }
    var segments = [LoadSegment(.kernel, .bytes(payload.kernel), at: placement.kernel.start)]
    if let ramdisk = payload.ramdisk, let place = placement.initrd {
      segments.append(LoadSegment(.initrd, .bytes(ramdisk), at: place.start))
    }
    segments.append(LoadSegment(.deviceTree, .bytes(blob), at: placement.deviceTree.start))
    self.segments = segments
    pageSize = image.pageSize
  }

  private static func serialize(
    _ body: () throws(DeviceTreeError) -> [UInt8]
  ) throws(RelayFailure) -> [UInt8] {
    do throws(DeviceTreeError) { return try body() } catch { throw .tree(error) }
  }
}
