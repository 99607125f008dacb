import PhysicalMemory

/// What /proc/iomem says of this machine's memory.
///
/// ```
/// 40000000-bfffffff : System RAM
///   40210000-415fffff : Kernel code
///   41600000-4190ffff : reserved
///   41910000-41c9ffff : Kernel data
///   48000000-480fffff : reserved
///   a0000000-bfffffff : Crash kernel
/// ```
public struct SystemMemoryMap: Sendable, Hashable {
  public enum Failure: Error, Hashable, Sendable {
    /// The kernel shows addresses to root only (CAP_SYS_ADMIN): all were 0.
    case addressesHidden
    /// There is no System RAM in the file.
    case noMemory
    /// A line that is not of the file's form; its number, from 1.
    case malformed(line: Int)
  }

  /// Memory that the running kernel maps: all of System RAM.
  public private(set) var systemRAM = PhysicalRangeSet()
  /// Parts of it that must stay as they are: firmware's tables and what else was reserved at boot.
  public private(set) var reserved = PhysicalRangeSet()
  /// From the running kernel's first byte of code to its last of data.
  public private(set) var kernelImage: PhysicalRange?
  /// What `crashkernel=` reserved.
  public private(set) var crashKernel = PhysicalRangeSet()
  /// The same, reservation by reservation, in the file's order, which is ascending: two may touch.
  public private(set) var crashKernelReservations: [PhysicalRange] = []

  /// Reads the file's content, untrusted text.
  public init(iomem text: [UInt8]) throws(Failure) {
    var number = 0
    var kernelParts = PhysicalRangeSet()
    var sawHidden = false
    var isInRAM = false
    for line in TextLines(text) {
      number += 1
      guard !line.isEmpty else { continue }
      guard let entry = Entry(line) else { throw .malformed(line: number) }
      // Only what lies in System RAM is memory; a child of another resource is its affair.
      if !entry.isNested { isInRAM = entry.name.equals("System RAM") }
      guard isInRAM else { continue }
      if entry.isHidden {
        sawHidden = true
        continue
      }
      guard let range = entry.range else { throw .malformed(line: number) }
      if !entry.isNested {
        systemRAM.insert(range)
      } else if entry.name.starts(with: "Kernel ".utf8) {
        kernelParts.insert(range)
      } else if entry.name.starts(with: "Crash kernel".utf8) {
        crashKernel.insert(range)
        crashKernelReservations.append(range)
      } else {
        // "reserved", and whatever else somebody has put there: not ours to overwrite.
        reserved.insert(range)
      }
    }
    guard !systemRAM.isEmpty else { throw sawHidden ? .addressesHidden : .noMemory }
    if let first = kernelParts.ranges.first, let last = kernelParts.ranges.last {
      let image = PhysicalRange(first.start, upTo: last.end)
      kernelImage = image
      // Between code and data lie the kernel's own init sections, listed as reserved.
      reserved.subtract(image)
    }
  }

  /// Memory that may be overwritten once the running kernel is dead, its own image apart.
  public var available: PhysicalRangeSet {
    var result = systemRAM.subtracting(reserved).subtracting(crashKernel)
    if let kernelImage { result.subtract(kernelImage) }
    return result
  }

  /// One line, taken apart.
  private struct Entry {
    let isNested: Bool
    /// Whether both addresses are 0: that is how the kernel hides them.
    let isHidden: Bool
    /// Nil where the last byte is that of the 64-bit address space.
    let range: PhysicalRange?
    let name: ArraySlice<UInt8>

    init?(_ line: ArraySlice<UInt8>) {
      isNested = line.first == UInt8(ascii: " ")
      let text = line.drop { $0 == UInt8(ascii: " ") }
      guard let dash = text.firstIndex(of: UInt8(ascii: "-")),
        let space = text[dash...].firstIndex(of: UInt8(ascii: " ")),
        text[space...].starts(with: " : ".utf8),
        let start = text[..<dash].number(radix: 16),
        let last = text[(dash + 1)..<space].number(radix: 16), start <= last
      else { return nil }
      name = text[(space + 3)...]
      // The file names the last byte, not the one after it.
      let (end, overflow) = last.addingReportingOverflow(1)
      isHidden = last == 0
      range = overflow ? nil : PhysicalRange(PhysicalAddress(start), upTo: PhysicalAddress(end))
    }
  }
}
