import BootFormats
import PhysicalMemory
import Testing

@Suite("Interrupt controllers in device trees")
struct InterruptControllerTests {
  private func controller(_ properties: String) throws -> InterruptControllerDescription? {
    let source = """
      /dts-v1/;
      / { #address-cells = <2>; #size-cells = <2>;
        intc@8000000 { \(properties) };
      };
      """
    let blob = try DeviceTreeCompiler.compile(source)
    return try unsafe DeviceTree(parsing: blob.span.bytes).interruptController()
  }

  private static let registers = """
    compatible = "arm,gic-v3";
    reg = <0 0x8000000 0 0x10000>, <0 0x80a0000 0 0xf60000>, <1 0 0 0x200000>;
    """

  @Test("The first region behind the distributor holds the redistributors")
  func oneRegion() throws {
    let controller = try #require(try controller(Self.registers))
    #expect(
      controller.redistributors == [
        PhysicalRange(PhysicalAddress(0x80a_0000), upTo: PhysicalAddress(0x900_0000))
      ])
    #expect(controller.redistributorStride == nil)
  }

  @Test("As many regions as the tree says, at its own stride")
  func severalRegions() throws {
    let controller = try #require(
      try controller(
        Self.registers + "#redistributor-regions = <2>; redistributor-stride = <0 0x40000>;"))
    #expect(controller.redistributors.count == 2)
    #expect(controller.redistributors.last?.start == PhysicalAddress(1 << 32))
    #expect(controller.redistributorStride == 0x40000)
  }

  @Test("A GICv2 has none; what contradicts itself is an error")
  func others() throws {
    #expect(try controller("compatible = \"arm,cortex-a15-gic\"; reg = <0 0 0 1>;") == nil)
    for properties in [
      "#redistributor-regions = <3>;", "#redistributor-regions = <0>;",
      "redistributor-stride = <0>;", "redistributor-stride = <0 0x1234>;",
    ] {
      #expect(throws: DeviceTreeContentError.self) { try controller(Self.registers + properties) }
    }
  }
}
