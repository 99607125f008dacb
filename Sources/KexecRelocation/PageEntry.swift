import PhysicalMemory

/// An entry of Linux's relocation list (`kimage_entry_t`): a page's address, and in its lower bits
/// what it means (`IND_*` in the kernel's include/linux/kexec.h).
///
///     DESTINATION A   the next page goes to A
///     INDIRECTION A   the list goes on in page A
///     SOURCE A        the page A is moved to the destination, which then is the page behind it
///     DONE            the end
///
/// ZEROS is Baton's own: the destination becomes zeros, and no page holds them until then.
public struct PageEntry: RawRepresentable, Hashable, Sendable {
  public let rawValue: UInt64

  public init(rawValue: UInt64) { self.rawValue = rawValue }

  static var destinationTag: UInt64 { 0x1 }
  static var indirectionTag: UInt64 { 0x2 }
  static var doneTag: UInt64 { 0x4 }
  static var sourceTag: UInt64 { 0x8 }
  static var zerosTag: UInt64 { 0x10 }
  /// All that is not address: the smallest page has 4096 bytes.
  static var tags: UInt64 { 0xFFF }

  public static func destination(_ page: PhysicalAddress) -> PageEntry {
    PageEntry(rawValue: page.rawValue | destinationTag)
  }
  public static func indirection(_ page: PhysicalAddress) -> PageEntry {
    PageEntry(rawValue: page.rawValue | indirectionTag)
  }
  public static func source(_ page: PhysicalAddress) -> PageEntry {
    PageEntry(rawValue: page.rawValue | sourceTag)
  }
  public static var zeros: PageEntry { PageEntry(rawValue: zerosTag) }
  public static var done: PageEntry { PageEntry(rawValue: doneTag) }

  /// What the entry is, without its address.
  var tag: UInt64 { rawValue & Self.tags }
  var address: UInt64 { rawValue & ~Self.tags }
}
