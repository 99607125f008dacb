import PhysicalMemory

/// What a handoff that succeeded was like.
public struct HandoffReport: Sendable {
  public var tool: Handoff.Tool
  public var verified: Bool
  /// What the command said that it loaded; empty for kexec-tools.
  public var listing: PlanListing
  /// The stage's one line.
  public var stageLine: String?
  /// The bytes that the running kernel and the stage moved between them.
  public var movedBytes: UInt64 {
    let words = (stageLine ?? "").split(separator: " ")
    let moved = words.firstIndex(of: "moved").flatMap { UInt64(words[$0 + 1]) }
    return listing.relocatedBytes + (moved ?? 0)
  }
  /// What the second kernel says that it was told.
  public var commandLine: String
  /// The exception level at which the second kernel found all its CPUs; nil where they differ.
  public var startedLevel: Int?
  /// The CPUs that the second kernel brought up.
  public var processors: Int?
  /// Whether the second kernel runs at EL2 (VHE).
  public var usesHostExtensions: Bool
  public var measurement: HandoffMeasurement
  public var run: GuestRun

  /// The table that ends a run.
  public var summary: String {
    var table = TextTable(["", "guest instructions"])
    table.add([tool.rawValue + " -l", TextTable.millions(measurement.load)])
    for part in measurement.parts {
      table.add([part.name, TextTable.millions(part.instructions)])
    }
    table.add(["Bye! → Booting Linux", TextTable.millions(measurement.handoff)])
    var pieces = TextTable(["", "address", "bytes"])
    for piece in PlanListing.Piece.allCases {
      guard let range = listing.ranges[piece] else { continue }
      pieces.add([
        piece.rawValue, "0x" + String(range.start.rawValue, radix: 16),
        TextTable.grouped(range.size),
      ])
    }
    let since = tool == .baton ? "stage entry" : "Bye!"
    let moved =
      stageLine == nil
      ? "" : "Moved by kernel and stage: " + TextTable.grouped(movedBytes) + " bytes\n\n"
    return (listing.ranges.isEmpty ? "" : pieces.text + "\n") + moved + table.text
      + "\nData accesses with the caches off, \(since) → jump: "
      + TextTable.grouped(measurement.uncachedAccesses) + "\n"
  }
}
