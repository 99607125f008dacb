import PhysicalMemory

/// The serial console that the tree's /chosen names: what it is, where, and how it is driven.
public struct ConsoleDescription: Sendable, Hashable {
  /// The kind of the device's registers.
  public enum Kind: Sendable, Hashable {
    /// Arm PrimeCell UART (PL011): `arm,pl011`.
    case pl011
    /// The SBSA Generic UART, a PL011 without what sets it up: `arm,sbsa-uart`.
    case sbsaUART
    /// 8250 and its descendants: `ns16550a` and the like, a Raspberry Pi's mini UART. Register n lies at n << `registerShift`
    /// and is accessed with `accessWidth` bytes: 1, 2 or 4.
    case ns16550(registerShift: Int, accessWidth: Int)
  }

  public let kind: Kind
  /// Where the registers are for the CPU.
  public let registers: PhysicalRange
  /// What follows the colon of `stdout-path`: "115200n8", or nothing.
  public let options: String

  public init(kind: Kind, registers: PhysicalRange, options: String) {
    self.kind = kind
    self.registers = registers
    self.options = options
  }
}

extension DeviceTree {
  /// The console that `stdout-path` in /chosen names (or `linux,stdout-path`, which was before
  /// it), or nil where nothing is named, or nothing that is known here.
  ///
  /// Throws where the device is known, but its place is not to be found.
  public func console() throws(DeviceTreeContentError) -> ConsoleDescription? {
    guard let chosen = child("chosen", of: root),
      let value = property("stdout-path", of: chosen)
        ?? property("linux,stdout-path", of: chosen)
    else { return nil }
    let text = value.bytes.prefix { $0 != 0 }
    let path = text.prefix { $0 != 0x3a }
    guard let node = node(at: path) else { return nil }

    let kind: ConsoleDescription.Kind
    var offset: UInt64 = 0
    if isCompatible(node, with: "arm,pl011") {
      kind = .pl011
    } else if isCompatible(node, with: "arm,sbsa-uart") {
      kind = .sbsaUART
    } else if isCompatible(node, with: "brcm,bcm2835-aux-uart") {
      // The BCM283x's mini UART (BCM2835 ARM Peripherals, 2.2): an 8250's registers, a word each.
      kind = .ns16550(registerShift: 2, accessWidth: 4)
    } else if is8250(node) {
      let shift = try number("reg-shift", of: node, otherwise: 0)
      let width = try number("reg-io-width", of: node, otherwise: 1)
      guard shift <= 8 else { throw .malformedProperty("reg-shift", node: node) }
      guard width == 1 || width == 2 || width == 4 else {
        throw .malformedProperty("reg-io-width", node: node)
      }
      offset = UInt64(try number("reg-offset", of: node, otherwise: 0))
      kind = .ns16550(registerShift: Int(shift), accessWidth: Int(width))
    } else {
      return nil
    }

    guard let whole = try physicalRanges(of: node).first else {
      throw .malformedProperty("reg", node: node)
    }
    guard let start = whole.start.advanced(bySize: offset),
      let registers = PhysicalRange(start: start, end: whole.end)
    else { throw .malformedProperty("reg-offset", node: node) }
    return ConsoleDescription(
      kind: kind, registers: registers,
      options: String(decoding: text[path.endIndex...].dropFirst(), as: UTF8.self))
  }

  private func is8250(_ node: NodeID) -> Bool {
    for name in ["ns16550a", "ns16550", "ns8250", "ns16450", "ns16750", "snps,dw-apb-uart"]
    where isCompatible(node, with: name) {
      return true
    }
    return false
  }

  private func number(
    _ name: String, of node: NodeID, otherwise: UInt32
  ) throws(DeviceTreeContentError) -> UInt32 {
    guard let value = property(name, of: node) else { return otherwise }
    guard let number = value.u32 else { throw .malformedProperty(name, node: node) }
    return number
  }
}
