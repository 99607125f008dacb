import ArmTranslation
import BootFormats
import KexecRelocation
import PhysicalMemory

/// Why relay does not relocate. Nothing has been changed by then but pages that are given back.
public enum RelayFailure: Error, Sendable, Hashable {
  case noPayload
  /// The boot loader's initial RAM disk is not in memory.
  case payloadOutsideMemory
  case payload(FITError)
  /// An image of the payload, and how it is compressed.
  case compressed(String, String)
  case image(ImageError)
  case tree(DeviceTreeError)
  case treeContent
  case placement(PlacementError)
  /// A page was wanted, and there was none.
  case noMemory(pages: Int)
  /// A part does not go where it should: it overlaps another, or has no room.
  case segment(PhysicalRange)
  case stage(StageImage.Malformed)
  /// Something would be mapped twice, or beyond the tables' reach.
  case mapping(MappingError)
  case tableMemory(TableMemoryError)
  case notInMemory(PhysicalRange)
  /// The control region would be larger than the stage can take.
  case tooLarge(bytes: UInt64)
  case granule(StaticText)
  case onlyForBoot
}

extension RelayFailure {
  public var sentence: String {
    switch self {
    case .noPayload: "no payload: give a FIT image as initial RAM disk"
    case .payloadOutsideMemory: "payload: it does not lie in this machine's memory"
    case .payload(let error): "payload: " + error.sentence
    case .compressed(let name, let compression):
      "payload: image \(name) is compressed (\(compression)): relay takes it as it is"
    case .image(let error): "payload's kernel: " + error.sentence
    case .tree(let error): "payload: no usable device tree: " + error.sentence
    case .treeContent: "payload's device tree has reserved memory that makes no sense"
    case .placement(let error): error.sentence
    case .noMemory(let pages): "no memory: \(pages) pages had been taken when there was no other"
    case .segment(let range):
      "what goes to 0x\(String(range.start.rawValue, radix: 16)) does not go there"
    case .stage: "the stage inside relay is damaged"
    case .mapping: "the transitional tables cannot be built: something would be mapped twice"
    case .tableMemory: "the transitional tables do not fit their place"
    case .notInMemory(let range):
      "0x\(String(range.start.rawValue, radix: 16)) is not in this machine's memory"
    case .tooLarge(let bytes): "the control region would take \(bytes) bytes, more than it may"
    case .onlyForBoot: "relay.level=drop goes with relay.boot= only"
    case .granule(let name): "this CPU has no pages of \(name.text)"
    }
  }
}
