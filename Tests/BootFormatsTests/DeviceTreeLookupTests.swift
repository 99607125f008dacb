import BootFormats
import PhysicalMemory
import Testing

func range(_ start: UInt64, _ size: UInt64) -> PhysicalRange {
  PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(start + size))
}

struct DeviceTreeLookupTests {
  let tree: DeviceTree

  init() throws {
    tree = try BootFormatsTests.tree(sampleMachine)
  }

  private func path(_ text: String) -> String? {
    tree.node(at: text).map { tree.path(of: $0) }
  }

  @Test("A path leads to its node, with and without unit address, and through an alias")
  func paths() {
    #expect(path("/") == "/")
    #expect(path("/chosen") == "/chosen")
    #expect(path("/soc@80000000/uart@1000") == "/soc@80000000/uart@1000")
    #expect(path("/soc/uart") == "/soc@80000000/uart@1000")
    #expect(path("serial0") == "/pl011@9000000")
    #expect(path("bus/bridge/uart@0") == "/soc@80000000/bridge@100000/uart@0")
    #expect(path("/soc/uart@2000") == nil)
    #expect(path("/pl01") == nil)
    #expect(path("serial1") == nil)
    #expect(path("") == nil)
  }

  @Test("An alias that is no absolute path leads nowhere, one that names itself included")
  func oddAliases() throws {
    let tree = try BootFormatsTests.tree(
      """
      /dts-v1/; / { aliases { a = "a"; b = "node"; c = [2f 6e]; d = "/node"; }; node { }; };
      """)
    #expect(tree.node(at: "a") == nil)
    #expect(tree.node(at: "b") == nil)
    #expect(tree.node(at: "c") == nil)
    #expect(tree.node(at: "d") != nil)
  }

  @Test("A phandle finds its node")
  func phandles() {
    #expect(tree.node(phandle: 0x8002).map { tree.name(of: $0) } == "intc@8000000")
    #expect(tree.node(phandle: 0x8003) == nil)
    #expect(tree.node(phandle: 0) == nil)
  }

  @Test("Values are read only as what they can be")
  func values() throws {
    let tree = try BootFormatsTests.tree(
      """
      /dts-v1/; / { one = <0x12345678>; two = <0x1 0x2>; text = "a"; list = "a", "", "b"; none;
        bytes = [01 02 03]; open = [61 62]; wrong = [ff 00]; };
      """)
    func value(_ name: String) throws -> DeviceTree.PropertyValue {
      try #require(tree.property(name, of: tree.root))
    }
    #expect(try value("one").u32 == 0x1234_5678)
    #expect(try value("one").u64 == nil)
    #expect(try value("one").unsigned == 0x1234_5678)
    #expect(try value("two").u64 == 0x1_0000_0002)
    #expect(try value("two").u32 == nil)
    #expect(try value("two").cells == [1, 2])
    #expect(try value("bytes").cells == nil)
    #expect(try value("text").string == "a")
    #expect(try value("list").string == nil)
    #expect(try value("list").strings == ["a", "", "b"])
    #expect(try value("list").contains("b"))
    #expect(try !value("list").contains("c"))
    #expect(try value("none").strings == nil)
    #expect(try value("none").cells == [])
    #expect(try value("open").strings == nil)
    #expect(try value("wrong").strings == nil)
    #expect(tree.property("absent", of: tree.root) == nil)
  }

  @Test("reg is read with the parent's cells")
  func registers() throws {
    let clock = try #require(tree.node(at: "/i2c/clock@68"))
    #expect(try tree.registers(of: clock) == [.init(address: 0x68, size: 0)])
    let intc = try #require(tree.node(at: "/intc"))
    #expect(
      try tree.physicalRanges(of: intc) == [
        range(0x800_0000, 0x1_0000), range(0x80a_0000, 0xf6_0000),
      ])
  }

  @Test("Addresses are translated through every bus, and not where a bus does not say how")
  func translation() throws {
    let uart = try #require(tree.node(at: "/soc/bridge/uart@0"))
    #expect(try tree.physicalRanges(of: uart) == [range(0x8010_0010, 0x100)])
    let serial = try #require(tree.node(at: "/soc/serial@7e215040"))
    #expect(try tree.physicalRanges(of: serial) == [range(0xf_fe21_5040, 0x100)])
    let lost = try #require(tree.node(at: "/soc/lost"))
    #expect(throws: DeviceTreeContentError.notTranslatable(node: lost)) {
      try tree.physicalRanges(of: lost)
    }
    let clock = try #require(tree.node(at: "/i2c/clock@68"))
    #expect(throws: DeviceTreeContentError.notTranslatable(node: clock)) {
      try tree.physicalRanges(of: clock)
    }
    let onPCI = try #require(tree.node(at: "/pcie/serial"))
    #expect(throws: DeviceTreeContentError.malformedProperty("reg", node: onPCI)) {
      try tree.physicalRanges(of: onPCI)
    }
  }

  /// A bus of that many `ranges` of a page each, and below it devices of that many registers, all of
  /// them in the last page.
  private static func crowded(
    _ bus: String, ranges: Int, devices: [Int]
  ) -> (tree: DeviceTree, devices: [DeviceTree.NodeID]) {
    var tree = DeviceTree()
    let node = tree.addNode(bus, under: tree.root)
    tree.setProperty("#address-cells", of: node, to: .init(1 as UInt32))
    tree.setProperty("#size-cells", of: node, to: .init(1 as UInt32))
    var list = DeviceTree.PropertyValue(bytes: [])
    for index in 0..<UInt64(ranges) {
      list.append(index << 12, cellCount: 1)
      list.append(0x4000_0000 + index << 12, cellCount: 2)
      list.append(0x1000, cellCount: 1)
    }
    tree.setProperty("ranges", of: node, to: list)
    var nodes: [DeviceTree.NodeID] = []
    for (number, count) in devices.enumerated() {
      let device = tree.addNode("device@\(number)", under: node)
      var registers = DeviceTree.PropertyValue(bytes: [])
      for _ in 0..<count {
        registers.append(UInt64(ranges - 1) << 12, cellCount: 1)
        registers.append(0x10, cellCount: 1)
      }
      tree.setProperty("reg", of: device, to: registers)
      nodes.append(device)
    }
    return (tree, nodes)
  }

  @Test func `No more ranges are looked at for a node's registers than the limit`() throws {
    let count = 128
    try #require(count * count == DeviceTree.translationLimit)
    let (tree, devices) = Self.crowded("bus", ranges: count, devices: [count, count + 1])
    let ranges = try tree.physicalRanges(of: devices[0])
    let place = PhysicalAddress(0x4000_0000 + UInt64(count - 1) << 12)
    #expect(ranges == Array(repeating: PhysicalRange(place, upTo: place + 0x10), count: count))
    #expect(throws: DeviceTreeContentError.tooManyRanges(node: devices[1])) {
      try tree.physicalRanges(of: devices[1])
    }
  }

  @Test func `All reserved memory together has one limit`() throws {
    let few = Self.crowded(
      "reserved-memory", ranges: 128, devices: Array(repeating: 1, count: 128))
    #expect(try few.tree.reservedMemory().count == 128)
    let many = Self.crowded(
      "reserved-memory", ranges: 128, devices: Array(repeating: 1, count: 129))
    #expect(throws: DeviceTreeContentError.tooManyRanges(node: many.devices[128])) {
      try many.tree.reservedMemory()
    }
  }

  @Test("A reg that is no whole number of entries is malformed, and so are impossible cell counts")
  func malformedRegisters() throws {
    let tree = try BootFormatsTests.tree(
      """
      /dts-v1/; / { a { reg = <1 2>; }; b { reg = [01 02]; };
        c { #address-cells = <0xffffffff>; d { reg = <1>; }; };
        e { #address-cells = <0>; #size-cells = <0>; f { reg = <1>; }; };
        g { reg = <0xffffffff 0xfffff000 0x1000>; }; };
      """)
    for path in ["/a", "/b", "/c/d", "/e/f", "/g"] {
      let node = try #require(tree.node(at: path))
      #expect(throws: DeviceTreeContentError.self, "\(path)") {
        try tree.physicalRanges(of: node)
      }
    }
  }

  @Test("Memory is what the usable memory nodes say")
  func memory() throws {
    #expect(
      try tree.memory().ranges == [
        range(0x4000_0000, 0x8000_0000), range(0x8_8000_0000, 0x4000_0000),
        range(0x9_0000_0000, 0x1_0000_0000),
      ])
    #expect(try DeviceTree().memory().isEmpty)
  }

  @Test("Reserved memory with a fixed place is listed, and what must not be mapped is marked")
  func reservedMemory() throws {
    let reserved = try tree.reservedMemory()
    #expect(
      reserved.map(\.range) == [range(0x5000_0000, 0x10_0000), range(0x5100_0000, 0x20_0000)])
    #expect(reserved.map(\.isNoMap) == [true, false])
  }

  @Test("PSCI's conduit is found; 0.1 and no node at all are none")
  func psci() throws {
    #expect(try tree.psci() == PSCIDescription(conduit: .smc))
    #expect(
      try BootFormatsTests.tree(
        #"/dts-v1/; / { psci { compatible = "arm,psci-0.2"; method = "hvc"; }; };"#
      ).psci() == PSCIDescription(conduit: .hvc))
    #expect(
      try BootFormatsTests.tree(
        #"/dts-v1/; / { psci { compatible = "arm,psci"; method = "smc"; }; };"#
      ).psci() == nil)
    let odd = try BootFormatsTests.tree(
      #"/dts-v1/; / { psci { compatible = "arm,psci-1.0"; method = "svc"; }; };"#)
    let node = try #require(odd.node(at: "/psci"))
    #expect(throws: DeviceTreeContentError.malformedProperty("method", node: node)) {
      try odd.psci()
    }
    #expect(try DeviceTree().psci() == nil)
  }

  @Test("The timer's interrupts are PPI numbers + 16, in the binding's order")
  func timer() throws {
    let interrupts = try #require(try tree.armTimerInterrupts())
    #expect(interrupts.securePhysical == 29)
    #expect(interrupts.nonSecurePhysical == 30)
    #expect(interrupts.virtual == 27)
    #expect(interrupts.hypervisorPhysical == 26)
    #expect(try DeviceTree().armTimerInterrupts() == nil)
  }

  @Test("interrupt-names say which interrupt is which, where the timer has them")
  func namedTimerInterrupts() throws {
    let tree = try BootFormatsTests.tree(
      """
      /dts-v1/; / { interrupt-parent = <1>;
        intc { phandle = <1>; #interrupt-cells = <4>; };
        timer { compatible = "arm,armv8-timer"; interrupts = <1 11 4 0>, <1 14 4 0>;
          interrupt-names = "virt", "phys"; }; };
      """)
    let interrupts = try #require(try tree.armTimerInterrupts())
    #expect(interrupts.securePhysical == nil)
    #expect(interrupts.nonSecurePhysical == 30)
    #expect(interrupts.virtual == 27)
    #expect(interrupts.hypervisorPhysical == nil)
  }
}

struct ConsoleTests {
  /// The console of the sample machine with that stdout-path.
  private func console(_ path: String, property: String = "stdout-path") throws
    -> ConsoleDescription?
  {
    var tree = try tree(sampleMachine)
    let chosen = try #require(tree.node(at: "/chosen"))
    tree.removeProperty("stdout-path", of: chosen)
    tree.setProperty(property, of: chosen, to: .init(path))
    return try tree.console()
  }

  @Test("A PL011 with its options, by path and by alias, and by the property's older name")
  func pl011() throws {
    let console = try #require(try tree(sampleMachine).console())
    #expect(console.kind == .pl011)
    #expect(console.registers == range(0x900_0000, 0x1000))
    #expect(console.options == "115200n8")
    #expect(try self.console("serial0:9600")?.options == "9600")
    #expect(try self.console("serial0")?.options == "")
    #expect(try self.console("/pl011", property: "linux,stdout-path")?.kind == .pl011)
  }

  @Test("Other consoles, behind buses, with what their registers need")
  func others() throws {
    #expect(try console("/soc/uart")?.kind == .sbsaUART)
    #expect(try console("/soc/uart")?.registers == range(0x8000_1000, 0x1000))
    let serial = try #require(try console("/soc/serial@7e215040:115200"))
    #expect(serial.kind == .ns16550(registerShift: 2, accessWidth: 4))
    #expect(serial.registers == range(0xf_fe21_5040, 0x100))
    let mini = try #require(try console("/soc/serial@7e215140"))
    #expect(mini.kind == .ns16550(registerShift: 2, accessWidth: 4))
    let offset = try #require(try console("/soc/bridge/uart"))
    #expect(offset.kind == .ns16550(registerShift: 0, accessWidth: 1))
    #expect(offset.registers == range(0x8010_0030, 0xe0))
  }

  @Test("No console where none is named or known; an error where its place cannot be found")
  func none() throws {
    #expect(try DeviceTree().console() == nil)
    #expect(try console("/timer") == nil)
    #expect(try console("/nowhere") == nil)
    #expect(try console("") == nil)
    #expect(throws: DeviceTreeContentError.self) { try console("/soc/lost") }
    #expect(throws: DeviceTreeContentError.self) { try console("/pcie/serial") }
  }
}
