import ArmTranslation
import BootFormats
import Foundation
import KexecRelocation
import LinuxHost
import PhysicalMemory
import Testing

@testable import BatonCommand

/// Sentences and exit statuses of what no test can bring about: it takes 10 GB of initrd, memory
/// beyond any machine's, or a command that was built wrongly.
@Suite struct BatonErrorTests {
  private static let range = PhysicalRange(
    PhysicalAddress(0x4000_0000), upTo: PhysicalAddress(0x4000_1000))

  @Test func `A sentence has the offending value, whatever the error`() {
    let expected: [(BatonError, BatonCommand.ExitStatus, String)] = [
      (.handoff(.notInMemory(Self.range)), .unsupported, "0x40000000-0x40001000"),
      (.handoff(.tooLarge(pieces: 12_000)), .noRoom, "12000 MiB"),
      (
        .handoff(.tableMemory(.beyondPhysicalAddressSize(Self.range, bits: 48))), .unsupported,
        "--dry-run"
      ),
      (
        .handoff(
          .mapping(.beyondPhysicalAddressSize(Mapping(Self.range, as: .device), bits: 48))),
        .unsupported, "--dry-run"
      ), (.usage(.badValue(option: "--on-failure", value: "x")), .usage, "or halt, not x"),
      (.usage(.badValue(option: "--on-failure", value: "")), .usage, "not nothing"),
      (.stage(.badSection), .unsupported, "build it again"),
      (.tree("T", .tooLarge(size: 5_000_000_000)), .badFile, "T is no usable"),
    ]
    for (error, status, words) in expected {
      #expect(error.status == status, "\(error)")
      #expect(error.sentence.contains(words), "\(error.sentence)")
    }
  }

  @Test func `Exit statuses are those of the documentation's table`() throws {
    let expected: [(BatonCommand.ExitStatus, Int32)] = [
      (.success, 0), (.negative, 1), (.usage, 2), (.badFile, 3), (.noRoom, 4),
      (.notPermitted, 5), (.unsupported, 6), (.systemCall, 7),
    ]
    for (status, number) in expected { #expect(status.rawValue == number) }
    let page = try String(
      contentsOf: URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Documentation/exit-status.md"), encoding: .utf8)
    // Those of the command called as kexec follow.
    let own = page.split(separator: "\n").prefix { !$0.hasPrefix("## ") }
    let documented = own.compactMap { line in
      line.hasPrefix("| ") ? Int32(line.dropFirst(2).prefix { $0 != " " }) : nil
    }
    #expect(documented == BatonCommand.ExitStatus.allCases.map(\.rawValue))
  }
}
