import BootFormats
import CBatonArm64
import PhysicalMemory

/// The device tree that the next kernel is handed, but for the places that are not chosen yet:
/// what was true of the running kernel only is taken out, and there is room for what the stage
/// leaves in it.
public struct HandoffTree: Sendable {
  private var tree: DeviceTree

  /// - Parameters:
  ///   - commandLine: nil leaves the tree's own.
  ///   - seeds: fresh random bytes, eight for the kernel's own place and the rest for its
  ///     generator; empty where there are none.
  public init(_ tree: DeviceTree, commandLine: [UInt8]?, hasInitrd: Bool, seeds: [UInt8]) {
    self.tree = tree
    self.tree.removeStaleProperties()
    self.tree.setHandoffRecord([UInt8](repeating: 0, count: Self.recordSize))
    if let commandLine { self.tree.setBootArguments(commandLine) }
    if seeds.count > 8 {
      var kaslr: UInt64 = 0
      for byte in seeds[..<8] { kaslr = kaslr << 8 | UInt64(byte) }
      self.tree.setSeeds(kaslr: kaslr, random: seeds[8...])
    }
    // Room for what the stage may have to reserve: entries of zeros are written behind the
    // terminator.
    let spare = PhysicalRange(PhysicalAddress(0), upTo: PhysicalAddress(0))
    self.tree.reservations += [PhysicalRange](
      repeating: spare, count: Int(BATON_MAXIMUM_RESERVATIONS))
    // A place of the final form, so that the size is final.
    if hasInitrd {
      self.tree.setInitialRAMDisk(PhysicalRange(PhysicalAddress(0), upTo: PhysicalAddress(0)))
    }
  }

  /// Makes it the tree of a kernel that comes up after a crash (`DeviceTree.setCrashKernel`): again
  /// and again, the size stays the same.
  public mutating func setCrashKernel(
    coreHeader: PhysicalRange, usable: [PhysicalRange]
  ) throws(DeviceTreeContentError) {
    try tree.setCrashKernel(coreHeader: coreHeader, usable: usable)
  }

  /// What the next kernel will be told.
  public var commandLine: [UInt8] { tree.bootArguments ?? [] }

  /// Memory that the tree says is somebody else's. What the running kernel alone reserved is no
  /// longer among it; UEFI's memory map is, which kernels before 4.19 do not show as reserved.
  public func reservedMemory() throws(DeviceTreeContentError) -> PhysicalRangeSet {
    let reserved = try tree.reservedMemory()
    var result = PhysicalRangeSet(tree.reservations + reserved.map { $0.range })
    if let map = tree.firmwareMemoryMap { result.insert(map) }
    return result
  }

  public func serialized() throws(DeviceTreeError) -> [UInt8] { try tree.serialized() }

  /// The final tree, as long as the one before.
  public mutating func serialized(initrd: PhysicalRange?) throws(DeviceTreeError) -> [UInt8] {
    if let initrd { tree.setInitialRAMDisk(initrd) }
    return try serialized()
  }

  /// Where in the serialized tree the stage leaves its record.
  public var recordOffset: Int? {
    // The two trees differ in one property's first byte.
    var marked = tree
    marked.setHandoffRecord([1] + [UInt8](repeating: 0, count: Self.recordSize - 1))
    do throws(DeviceTreeError) {
      let (blob, other) = (try tree.serialized(), try marked.serialized())
      return zip(blob, other).enumerated().first { $0.element.0 != $0.element.1 }?.offset
    } catch {
      return nil
    }
  }

  private static var recordSize: Int { MemoryLayout<baton_handoff_record>.size }
}
