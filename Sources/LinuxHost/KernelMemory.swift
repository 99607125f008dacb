/// The running kernel's memory by its virtual addresses, as /proc/kcore shows it to root: an ELF core
/// file without end. Lockdown hides it.
struct KernelMemory<System: LinuxSystem> {
  private let system: System
  private let core: ElfCore

  private static var path: String { "/proc/kcore" }
  /// In bytes: what program headers may take.
  private static var headerLimit: Int { 64 << 10 }

  /// Nil where the kernel shows nothing.
  init?(_ system: System) {
    let beginning: [UInt8]
    do throws(Errno) {
      beginning = try system.read(Self.path, limit: Self.headerLimit)
    } catch {
      return nil
    }
    guard let core = ElfCore(beginning) else { return nil }
    self.core = core
    self.system = system
  }

  /// The bytes at `address`, nil where not all of them are memory that the kernel shows.
  func bytes(at address: UInt64, count: Int) -> [UInt8]? {
    // The kernel, too, takes the first part in which an address lies.
    for part in core.parts
    where part.type == ElfCore.load && address >= part.address
      && address - part.address < part.size
    {
      let distance = address - part.address
      let (offset, overflow) = part.offset.addingReportingOverflow(distance)
      guard part.size - distance >= UInt64(count), !overflow else { return nil }
      let bytes: [UInt8]
      do throws(Errno) { bytes = try system.read(Self.path, at: offset, count: count) } catch {
        return nil
      }
      return bytes.count == count ? bytes : nil
    }
    return nil
  }

  /// The 64-bit words at `address`.
  func words(at address: UInt64, count: Int) -> [UInt64]? {
    guard let bytes = bytes(at: address, count: 8 * count) else { return nil }
    return (0..<count).map { bytes.number(at: 8 * $0, 8) ?? 0 }
  }

  /// The address of the first variable of the kernel's of 64 bits that the function at `address`
  /// loads: ADRP names its page, an ADD or the LDR itself the byte (Arm ARM C6.2).
  func firstVariable(loadedAt address: UInt64) -> UInt64? {
    let length = 32
    guard let code = bytes(at: address, count: 4 * length) else { return nil }
    var known = [UInt64?](repeating: nil, count: 32)
    for index in 0..<length {
      let instruction = UInt32(truncatingIfNeeded: code.number(at: 4 * index, 4) ?? 0)
      let (target, base) = (Int(instruction & 31), Int(instruction >> 5 & 31))
      let immediate = UInt64(instruction >> 10 & 0xFFF)
      if instruction & 0x9F00_0000 == 0x9000_0000 {
        // immhi:immlo, 21 bits with a sign, in pages.
        let pages = (instruction >> 5 & 0x7_FFFF) << 2 | instruction >> 29 & 3
        let offset = Int64(Int32(bitPattern: pages << 11) >> 11) << 12
        known[target] = (address &+ UInt64(4 * index)) & ~0xFFF &+ UInt64(bitPattern: offset)
      } else if instruction & 0xFFC0_0000 == 0x9100_0000 {
        known[target] = known[base].map { $0 &+ immediate }
      } else if instruction & 0xFFC0_0000 == 0xF940_0000 {
        if let place = known[base] { return place &+ 8 * immediate }
      } else if instruction == 0xD65F_03C0 {
        // RET: the function ends.
        return nil
      }
    }
    return nil
  }
}
