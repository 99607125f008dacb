import BootDigests
import BootFormats
import PhysicalMemory

/// What relay is given to start: the parts of a FIT image's default configuration, where they lie in
/// memory.
public struct Payload: Sendable {
  public let kernel: PhysicalRange
  public let ramdisk: PhysicalRange?
  public let deviceTree: PhysicalRange?

  /// Finds the parts and compares their hashes.
  ///
  /// - Parameter place: where the FIT image lies in `memory`.
  public init<Memory: LoaderMemory>(
    at place: PhysicalRange, in memory: Memory, digests: SHA256.Implementation
  ) throws(RelayFailure) {
    let image = try memory.read(place) { bytes throws(RelayFailure) -> FITImage in
      do throws(FITError) {
        return try FITImage(parsing: bytes, digestingWith: digests)
      } catch {
        throw .payload(error)
      }
    }
    func range(_ part: FITImage.Part) -> PhysicalRange {
      PhysicalRange(
        place.start + UInt64(part.data.lowerBound), upTo: place.start + UInt64(part.data.upperBound)
      )
    }
    // Linux takes compressed ramdisks as they are; kernel and tree are for whoever starts it.
    for part in [image.kernel, image.deviceTree] {
      if let part, part.compression != "none" { throw .compressed(part.name, part.compression) }
    }
    kernel = range(image.kernel)
    ramdisk = image.initrd.map { range($0) }
    deviceTree = image.deviceTree.map { range($0) }
  }
}
