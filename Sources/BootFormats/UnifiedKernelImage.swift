/// A unified kernel image (UAPI Group Specifications, "Unified Kernel Image"): a PE executable whose
/// sections are a kernel and what goes with it. Nothing is copied; ranges are in the file, and not
/// empty.
public struct UnifiedKernelImage: Sendable, Hashable {
  /// A section that means something here.
  public enum Section: Sendable, Hashable, CaseIterable {
    case kernel
    case initrd
    case commandLine
    case deviceTree

    public var name: StaticString {
      switch self {
      case .kernel: ".linux"
      case .initrd: ".initrd"
      case .commandLine: ".cmdline"
      case .deviceTree: ".dtb"
      }
    }
  }

  public let kernel: Range<Int>
  public private(set) var initrd: Range<Int>?
  /// Without the zeros and line ends behind it; the only part that may be empty.
  public private(set) var commandLine: Range<Int>?
  public private(set) var deviceTree: Range<Int>?

  /// Finds the parts in `file`, untrusted, which is the whole file.
  ///
  /// Of an image with several profiles it takes the first, which its stub starts unless told
  /// otherwise: the common sections, and over them those between the first `.profile` and the next.
  public init(parsing file: RawSpan) throws(UnifiedKernelImageError) {
    let header: PEHeader
    do throws(PEHeader.Failure) { header = try PEHeader(file) } catch {
      throw Self.error(error, in: file)
    }
    guard header.machine == PEHeader.arm64 else { throw .wrongMachine(header.machine) }
    var kernel: Range<Int>?
    var profiles = 0
    for index in 0..<header.sectionCount {
      let section: PEHeader.Section
      do throws(PEHeader.Failure) { section = try header.section(index, of: file) } catch {
        throw Self.error(error, in: file)
      }
      if file.hasSectionName(".profile", at: section.name) { profiles += 1 }
      if profiles == 2 { break }
      for kind in Section.allCases where file.hasSectionName(kind.name, at: section.name) {
        guard section.fileRange.upperBound <= file.byteCount else {
          throw .sectionOutOfBounds(
            kind, end: section.fileRange.upperBound, fileSize: file.byteCount)
        }
        let content = section.content
        switch kind {
        case .commandLine: commandLine = content
        case .kernel: kernel = content.isEmpty ? nil : content
        case .initrd: initrd = content.isEmpty ? nil : content
        case .deviceTree: deviceTree = content.isEmpty ? nil : content
        }
      }
    }
    guard let kernel else { throw .noKernel }
    self.kernel = kernel
    // Once, at the end: a section may be as large as the file, and there may be 65,535 of them.
    commandLine = commandLine.map { Self.trimmed($0, in: file) }
  }

  private static func error(
    _ failure: PEHeader.Failure, in file: RawSpan
  ) -> UnifiedKernelImageError {
    switch failure {
    case .notPE: .notPE
    case .truncated(let expected): .truncated(fileSize: file.byteCount, expected: expected)
    }
  }

  /// The text in `range` without what terminates it.
  private static func trimmed(_ range: Range<Int>, in file: RawSpan) -> Range<Int> {
    var end = range.lowerBound
    while end < range.upperBound, let byte = file.byte(at: end), byte != 0 { end += 1 }
    while end > range.lowerBound, let byte = file.byte(at: end - 1), byte == 0x0a || byte == 0x20 {
      end -= 1
    }
    return range.lowerBound..<end
  }
}

extension RawSpan {
  /// Whether the section's name, eight bytes padded with zeros, is `name`.
  fileprivate func hasSectionName(_ name: StaticString, at offset: Int) -> Bool {
    hasText(name, at: offset)
      && (name.utf8CodeUnitCount == 8 || byte(at: offset + name.utf8CodeUnitCount) == 0)
  }
}
