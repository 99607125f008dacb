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
  ///   - live: what may not be overwritten while the loader runs, where the kernel is loaded into
  ///     its own place: then nothing has to be moved.
  public init<Memory: LoaderMemory>(
    _ payload: Payload, in memory: Memory, tree: DeviceTree, commandLine: [UInt8]?,
    available: PhysicalRangeSet, loader: PhysicalRange, live: PhysicalRangeSet = PhysicalRangeSet()
  ) throws(RelayFailure) {
    let image = try memory.read(payload.kernel) { bytes throws(RelayFailure) -> Arm64Image in
      do throws(ImageError) { return try Arm64Image(parsing: bytes) } catch {
        throw .image(error)
      }
    }
    var own = tree
    if let place = payload.deviceTree {
      guard place.size <= 2 * PlacementRequest.maximumDeviceTreeSize else {
        throw .placement(.deviceTreeTooLarge(size: place.size))
      }
      own = try memory.read(place) { bytes throws(RelayFailure) -> DeviceTree in
        do throws(DeviceTreeError) { return try DeviceTree(parsing: bytes) } catch {
          throw .tree(error)
        }
      }
    }
    var next = HandoffTree(
      own, commandLine: commandLine, hasInitrd: payload.ramdisk != nil, seeds: [])
    var room = available.subtracting(live)
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
      initrdSize: payload.ramdisk?.size ?? 0, deviceTreeSize: UInt64(size),
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
    var segments = [
      LoadSegment(
        .kernel, .memory(payload.kernel), at: placement.kernel.start,
        memorySize: placement.kernel.size)
    ]
    if let ramdisk = payload.ramdisk, let place = placement.initrd {
      segments.append(LoadSegment(.initrd, .memory(ramdisk), at: place.start))
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
