import Foundation
import Lab
import Testing

/// dist/stage.bin and the symbols of dist/stage.elf.
struct StageBinary {
  static let distribution = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "dist")

  let bytes: [UInt8]
  /// Code by address: stage.bin begins with the code section, which is linked at 0.
  let code: [UInt32]
  let symbols: StageSymbols

  init() throws {
    let bytes = [UInt8](try Data(contentsOf: Self.distribution.appending(path: "stage.bin")))
    var code: [UInt32] = []
    func word(_ offset: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
    }
    let codeSize = Int(word(0x20 + 8))
    for offset in stride(from: 0, to: codeSize, by: 4) { code.append(word(offset)) }
    self.bytes = bytes
    self.code = code

    symbols = try StageSymbols()
  }

  func address(_ symbol: String) throws -> Int {
    try #require(symbols.addresses[symbol], "stage.elf has the symbol \(symbol)")
  }

  /// Every instruction that can be reached from `roots` without passing through `barriers`.
  func reachable(from roots: [Int], without barriers: Set<Int>) throws -> Set<Int> {
    var seen: Set<Int> = []
    var pending = roots
    while let address = pending.popLast() {
      guard !barriers.contains(address), seen.insert(address).inserted else { continue }
      try #require(address >= 0 && address / 4 < code.count, "control leaves the code")
      switch Arm64Instruction(word: code[address / 4]).flow {
      case .next: pending.append(address + 4)
      case .jump(let offset): pending.append(address + offset)
      case .conditional(let offset), .call(let offset):
        pending.append(address + 4)
        pending.append(address + offset)
      case .indirect:
        // A jump table stays inside its function: take all of it.
        let start = try #require(symbols.functionStarts.last { $0 <= address })
        let end = symbols.functionStarts.first { $0 > address } ?? code.count * 4
        pending += stride(from: start, to: end, by: 4)
      case .end: break
      }
    }
    return seen
  }
}

/// Runs a tool and returns its standard output.
func run(_ tool: String, _ arguments: [String]) throws -> String {
  let process = Process()
  process.executableURL = URL(filePath: "/usr/bin/env")
  process.arguments = [tool] + arguments
  let output = Pipe()
  process.standardOutput = output
  try process.run()
  let data = output.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  try #require(process.terminationStatus == 0, "\(tool) \(arguments.joined(separator: " "))")
  return String(decoding: data, as: UTF8.self)
}
