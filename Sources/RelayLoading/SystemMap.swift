import ArmTranslation
import KexecRelocation
import PhysicalMemory

/// The translation tables of a system, and how the stage sees the extents through them.
///
/// The stage always has tables, to verify by: for *off* and *none* an identity map of what it looks
/// at.
struct SystemMap {
  let map: RelocationMap
  let strategy: HandoffBlock.Strategy
  /// As the block lists them.
  let extents: [Extent]

  /// - Parameter joined: the extents as the contiguous map shows them, where that is the system.
  init(
    _ request: RelayLoad.Request, extents: [Extent], joined: JoinedExtents?,
    touched: PhysicalRangeSet,
    destinations: PhysicalRangeSet, control: ControlRegion, at place: PhysicalRange
  ) throws(RelayFailure) {
    let end = request.mappable.ranges.last?.end ?? PhysicalAddress(0)
    let mapped = RelocationMap.Request(
      regime: request.regime, granule: request.granule,
      format: AddressFormat(holding: end), memory: request.mappable,
      resident: Self.stage(request, control, at: place), control: place,
      touched: request.system == .none ? destinations : touched, destinations: destinations)
    do throws(RelocationMap.Failure) {
      switch request.system {
      case .off, .identity, .none: map = try RelocationMap.identity(extents, mapped)
      case .linear: map = try RelocationMap.linear(extents, mapped)
      case .contiguous:
        map = try RelocationMap.contiguous(joined ?? JoinedExtents(extents), mapped)
      }
    } catch {
      switch error {
      case .mapping(let error): throw .mapping(error)
      case .outsideMemory(let range): throw .notInMemory(range)
      }
    }
    switch request.system {
    case .off: strategy = .uncached
    case .none: strategy = .none
    case .identity, .linear, .contiguous: strategy = map.strategy
    }
    self.extents = request.system == .none ? [] : map.extents
  }

  private static func stage(
    _ request: RelayLoad.Request, _ control: ControlRegion, at place: PhysicalRange
  ) -> [Mapping] {
    let page = request.granule.pageSize
    func part(_ offset: UInt64, _ size: UInt64, _ kind: MemoryKind) -> Mapping {
      let range = PhysicalRange(place.start + offset, upTo: place.start + offset + size)
      return Mapping(range.alignedOutward(to: page) ?? range, as: kind)
    }
    let stage = request.stage
    var parts = [
      part(stage.code.offset, stage.code.memorySize, .code),
      part(stage.constants.offset, stage.constants.memorySize, .readOnlyData),
      part(stage.writable.offset, stage.writable.memorySize, .data),
      part(control.blockOffset, control.size - control.blockOffset, .readOnlyData),
    ]
    if let console = request.lifeline.console.registers {
      parts.append(Mapping(console.alignedOutward(to: page) ?? console, as: .device))
    }
    return parts
  }
}
