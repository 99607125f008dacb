import PhysicalMemory

/// A handoff without a stage: nothing moves and nothing is verified. For crash kernels, whose
/// memory nobody else writes, and where the less there is in between, the less can go wrong.
public struct DirectPlan: Sendable {
  public let placement: Placement
  public let segments: [HandoffPlan.Segment]
  /// Where the running kernel jumps, MMU and data cache off.
  public var entry: PhysicalAddress { placement.control.start }

  /// In bytes: what `PlacementRequest.controlSize` has to be.
  public static var entrySize: UInt64 { UInt64(code(kernel: 0, deviceTree: 0).count * 8) }

  /// - Parameters: as of `HandoffPlan`; sizes in bytes.
  public init(
    placement: Placement, pageSize: UInt64, kernelSize: Int, initrdSize: Int, deviceTreeSize: Int,
    coreHeader: [UInt64]
  ) {
    self.placement = placement
    var segments: [HandoffPlan.Segment] = []
    func add(
      _ name: StaticString, _ content: HandoffPlan.Segment.Content, at start: PhysicalAddress,
      size: Int, memorySize: UInt64? = nil
    ) {
      let range = PhysicalRange(start, upTo: start + (memorySize ?? UInt64(size)))
      segments.append(
        HandoffPlan.Segment(
          name: name, content: content, size: UInt64(size),
          destination: range.alignedOutward(to: pageSize) ?? range, slot: .crash, final: nil))
    }
    // All of its memory, zeros behind its bytes: what is loaded is clean to the point of coherency
    // then, and there is nobody else to see to that.
    add(
      "kernel", .given(.kernel), at: placement.kernel.start, size: kernelSize,
      memorySize: placement.kernel.size)
    if let place = placement.initrd {
      add("initrd", .given(.initrd), at: place.start, size: initrdSize)
    }
    add("dtb", .given(.deviceTree), at: placement.deviceTree.start, size: deviceTreeSize)
    if let place = placement.coreHeader {
      add("elfcorehdr", .words(coreHeader), at: place.start, size: coreHeader.count * 8)
    }
    let code = Self.code(
      kernel: placement.kernel.start.rawValue, deviceTree: placement.deviceTree.start.rawValue)
    add("entry", .words(code), at: placement.control.start, size: code.count * 8)
    self.segments = segments
  }

  /// What runs between the kernels: `kexec_load(2)` leaves x0 as 0, and the boot protocol wants the
  /// device tree there (Linux arm64 booting.rst).
  private static func code(kernel: UInt64, deviceTree: UInt64) -> [UInt64] {
    [
      0xd503_3f9f_d508_751f,  // ic iallu; dsb sy: nothing stale of the kernel's may be executed
      0x5800_00e0_d503_3fdf,  // isb; ldr x0, the first literal
      0xaa1f_03e2_aa1f_03e1,  // mov x1, xzr; mov x2, xzr
      0x5800_00a4_aa1f_03e3,  // mov x3, xzr; ldr x4, the second literal
      0xd503_201f_d61f_0080,  // br x4; nop
      deviceTree,
      kernel,
    ]
  }
}
