import BootFormats
import KexecRelocation
import PhysicalMemory

/// What a bare-metal program has to know about a machine in order to report and to reset, as its
/// device tree tells. What the tree does not tell, or tells in a form that means nothing, is not
/// there: the programs then do without it, and say so.
public struct Hardware: Sendable {
  public let console: Lifeline.Console
  public let conduit: Lifeline.Conduit
  /// Where LPIs have to be switched off.
  public let redistributors: [RedistributorRegion]

  /// - Parameter tree: nil for a machine that nothing describes.
  public init(_ tree: DeviceTree?) {
    console = Self.console(tree)
    conduit = Self.conduit(tree)
    redistributors = Self.redistributors(tree)
  }

  /// A machine that ACPI describes.
  public init(
    psci: PSCIDescription?, console: ConsoleDescription?, redistributors: [PhysicalRange]
  ) {
    self.console = Self.console(console)
    conduit = Self.conduit(psci)
    self.redistributors = redistributors.map { RedistributorRegion(range: $0, stride: nil) }
  }

  private static func console(_ console: ConsoleDescription?) -> Lifeline.Console {
    // One that the translation tables do not reach is none.
    guard let console, console.registers.end < PhysicalAddress(1 << 48) else { return .none }
    switch console.kind {
    case .pl011: return .pl011(console.registers.start)
    case .sbsaUART: return .sbsaUART(console.registers.start)
    case .ns16550(let shift, let width):
      guard let width = Lifeline.Console.AccessWidth(rawValue: width) else { return .none }
      return .ns16550(console.registers.start, shift: shift, width: width)
    }
  }

  private static func conduit(_ psci: PSCIDescription?) -> Lifeline.Conduit {
    switch psci?.conduit {
    case .smc: .smc
    case .hvc: .hvc
    case nil: .none
    }
  }

  private static func console(_ tree: DeviceTree?) -> Lifeline.Console {
    do throws(DeviceTreeContentError) {
      return console(try tree?.console())
    } catch {
      // A console whose place the tree does not tell is none; the load says so.
      return .none
    }
  }

  private static func redistributors(_ tree: DeviceTree?) -> [RedistributorRegion] {
    do throws(DeviceTreeContentError) {
      guard let controller = try tree?.interruptController() else { return [] }
      return controller.redistributors.map {
        RedistributorRegion(range: $0, stride: controller.redistributorStride)
      }
    } catch {
      // Nor does a kernel find an interrupt controller in such a tree, and so no LPIs.
      return []
    }
  }

  private static func conduit(_ tree: DeviceTree?) -> Lifeline.Conduit {
    do throws(DeviceTreeContentError) {
      return conduit(try tree?.psci())
    } catch {
      return .none
    }
  }
}
