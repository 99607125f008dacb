import BootFormats
import HardwareDescription
import LinuxHost
import PhysicalMemory

/// The device tree that the next kernel is handed, with fresh seeds, and this command's sentences
/// where something is wrong with it.
struct NextTree {
  private var tree: HandoffTree
  private let path: String

  /// The tree at `path`, or the running kernel's.
  ///
  /// - Parameter commandLine: nil leaves the tree's own.
  init<System: LinuxSystem>(
    _ tree: DeviceTree, path: String, commandLine: [UInt8]?, hasInitrd: Bool, system: System
  ) throws(BatonError) {
    self.path = path
    let seeds: [UInt8]
    do throws(Errno) { seeds = try system.randomBytes(8 + 64) } catch {
      throw .randomness(error)
    }
    self.tree = HandoffTree(
      tree, commandLine: commandLine, hasInitrd: hasInitrd, seeds: seeds)
  }

  /// What the next kernel will be told.
  var commandLine: [UInt8] { tree.commandLine }

  /// Memory that the tree says is somebody else's.
  func reservedMemory() throws(BatonError) -> PhysicalRangeSet {
    do throws(DeviceTreeContentError) { return try tree.reservedMemory() } catch {
      throw .treeContent(path)
    }
  }

  func serialized() throws(BatonError) -> [UInt8] {
    do throws(DeviceTreeError) { return try tree.serialized() } catch {
      throw .tree(path, error)
    }
  }

  /// Where in the serialized tree the stage leaves its record.
  var recordOffset: Int? { tree.recordOffset }

  /// The final tree, as long as the one before.
  mutating func serialized(initrd: PhysicalRange?) throws(BatonError) -> [UInt8] {
    do throws(DeviceTreeError) { return try tree.serialized(initrd: initrd) } catch {
      throw .tree(path, error)
    }
  }
}
