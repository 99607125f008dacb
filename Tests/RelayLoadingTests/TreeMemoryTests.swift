import BootFormats
import HardwareDescription
import PhysicalMemory
import Testing

@Suite("A machine's memory by its device tree")
struct TreeMemoryTests {
  private func registers(_ ranges: [(UInt64, UInt64)]) -> DeviceTree.PropertyValue {
    var value = DeviceTree.PropertyValue(bytes: [])
    for (start, size) in ranges {
      value.append(start, cellCount: 2)
      value.append(size, cellCount: 1)
    }
    return value
  }

  private func range(_ start: UInt64, _ end: UInt64) -> PhysicalRange {
    PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(end))
  }

  private func machine(reserved: [(name: String, start: UInt64, isNoMap: Bool)]) -> DeviceTree {
    var tree = DeviceTree()
    let memory = tree.addNode("memory@40000000", under: tree.root)
    tree.setProperty("device_type", of: memory, to: .init("memory"))
    tree.setProperty("reg", of: memory, to: registers([(0x4000_0000, 0x4000_0000)]))
    let parent = tree.addNode("reserved-memory", under: tree.root)
    tree.setProperty("ranges", of: parent, to: .init(bytes: []))
    for (name, start, isNoMap) in reserved {
      let node = tree.addNode(name, under: parent)
      tree.setProperty("reg", of: node, to: registers([(start, 0x1000)]))
      if isNoMap { tree.setProperty("no-map", of: node, to: .init(bytes: [])) }
    }
    return tree
  }

  @Test("What is reserved is not overwritten, and what is no-map not even mapped")
  func reservations() throws {
    var tree = machine(reserved: [("a", 0x4100_0000, false), ("b", 0x4200_0000, true)])
    tree.reservations = [range(0x4300_0000, 0x4400_0000), range(0x4100_0800, 0x4100_1800)]
    let memory = try TreeMemory(tree)
    #expect(
      memory.mappable.ranges == [
        range(0x4000_0000, 0x4200_0000), range(0x4200_1000, 0x8000_0000),
      ])
    #expect(
      memory.available.ranges == [
        range(0x4000_0000, 0x4100_0000), range(0x4100_1800, 0x4200_0000),
        range(0x4200_1000, 0x4300_0000), range(0x4400_0000, 0x8000_0000),
      ])
  }

  /// One by one they would take hours.
  @Test("As many reservations as fill a tree are all heeded")
  func manyReservations() throws {
    let count: UInt64 = 130_000
    var tree = machine(reserved: [])
    tree.reservations = (0..<count).reversed().map {
      range(0x4000_0000 + $0 * 0x2000, 0x4000_0000 + $0 * 0x2000 + 0x1000)
    }
    let memory = try TreeMemory(tree)
    #expect(memory.mappable.size == 0x4000_0000)
    #expect(memory.available.size == 0x4000_0000 - count * 0x1000)
    #expect(memory.available.ranges.count == Int(count))
  }
}
