import BootFormats
import LinuxHost
import PhysicalMemory

/// The device tree that the next kernel is handed, but for the places that are not chosen yet.
struct NextTree {
  private var tree: DeviceTree
  private let path: String

  /// The tree at `path`, or the running kernel's, with what is true of the running kernel only
  /// taken out, a new command line and fresh seeds.
  ///
  /// - Parameter commandLine: nil leaves the tree's own.
  init<System: LinuxSystem>(
    _ tree: DeviceTree, path: String, commandLine: [UInt8]?, hasInitrd: Bool, system: System
  ) throws(BatonError) {
    self.tree = tree
    self.path = path
    self.tree.removeStaleProperties()
    self.tree.setHandoffRecord([UInt8](repeating: 0, count: HandoffRecord.size))
    if let commandLine { self.tree.setBootArguments(commandLine) }
    let seeds: [UInt8]
    do throws(Errno) { seeds = try system.randomBytes(8 + 64) } catch {
      throw .randomness(error)
    }
    var kaslr: UInt64 = 0
    for byte in seeds[..<8] { kaslr = kaslr << 8 | UInt64(byte) }
    self.tree.setSeeds(kaslr: kaslr, random: seeds[8...])
    // Room for what the stage may have to reserve: entries of zeros are written behind the
    // terminator. The pages of LPI tables for sixteen CPUs, and their common one.
    let spare = PhysicalRange(PhysicalAddress(0), upTo: PhysicalAddress(0))
    self.tree.reservations += [PhysicalRange](repeating: spare, count: 17)
    // A place of the final form, so that the size is final.
    if hasInitrd {
      self.tree.setInitialRAMDisk(PhysicalRange(PhysicalAddress(0), upTo: PhysicalAddress(0)))
    }
  }

  /// Memory that the tree says is somebody else's. What the running kernel alone reserved is no
  /// longer among it.
  func reservedMemory() throws(BatonError) -> PhysicalRangeSet {
    var result = PhysicalRangeSet(tree.reservations)
    do throws(DeviceTreeContentError) {
      for reserved in try tree.reservedMemory() { result.insert(reserved.range) }
    } catch {
      throw .treeContent(path)
    }
    return result
  }

  func serialized() throws(BatonError) -> [UInt8] {
    do throws(DeviceTreeError) { return try tree.serialized() } catch {
      throw .tree(path, error)
    }
  }

  /// Where in the serialized tree the stage leaves its record.
  var recordOffset: Int? {
    // The two trees differ in one property's first byte.
    var marked = tree
    marked.setHandoffRecord([1] + [UInt8](repeating: 0, count: HandoffRecord.size - 1))
    do throws(DeviceTreeError) {
      let (blob, other) = (try tree.serialized(), try marked.serialized())
      return zip(blob, other).enumerated().first { $0.element.0 != $0.element.1 }?.offset
    } catch {
      return nil
    }
  }

  /// The final tree, as long as the one before.
  mutating func serialized(initrd: PhysicalRange?) throws(BatonError) -> [UInt8] {
    if let initrd { tree.setInitialRAMDisk(initrd) }
    return try serialized()
  }
}
