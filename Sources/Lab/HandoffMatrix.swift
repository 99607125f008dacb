/// Every handoff that the lab has kernels and machines for.
public struct HandoffMatrix: Sendable {
  /// The series of the Debian kernels that there are.
  public static let kernels = ["5.10", "6.1", "6.12"]

  public var cells: [MatrixCell]

  /// Each kernel to each, at each level; then the other ways in which machines differ.
  public init() {
    cells = []
    for level in Machine.Level.allCases {
      for first in Self.kernels {
        for next in Self.kernels { cells.append(MatrixCell(first, to: next) { $0.level = level }) }
      }
    }
    for kernel in Self.kernels {
      for level in Machine.Level.allCases {
        cells.append(
          MatrixCell(kernel) {
            $0.level = level
            $0.gic = .v2
          })
        cells.append(
          MatrixCell(kernel) {
            $0.level = level
            $0.hasITS = true
          })
        for processors in [2, 4, 8] {
          cells.append(
            MatrixCell(kernel) {
              $0.level = level
              $0.processors = processors
              // Half of them with the older interrupt controller.
              $0.gic = processors == 4 ? .v2 : .v3
            })
        }
      }
      for gibibytes in [1, 3, 4, 5, 6, 8] {
        cells.append(MatrixCell(kernel) { $0.memory = gibibytes * 1024 })
      }
      cells.append(
        MatrixCell(kernel) {
          $0.level = .vhe
          // With 52-bit addresses of 4 KiB pages, 6.12's kexec_load(2) itself dies, whoever calls
          // it: it follows the fifth level where its linear map's copy has none.
          $0.cpu = kernel == "6.12" ? "max,lpa2=off" : "max"
        })
    }
    cells += Self.staged
    cells += Self.crashed
    for kernel in Self.kernels {
      for level in Machine.Level.allCases {
        for platform in [Machine.Platform.firmwareDeviceTree, .firmwareACPI] {
          cells.append(
            MatrixCell(kernel) {
              $0.level = level
              $0.platform = platform
              $0.processors = 2
            })
        }
      }
    }
    // As the next kernel, it may have them.
    cells.append(
      MatrixCell("6.1", to: "6.12") {
        $0.level = .vhe
        $0.cpu = "max"
      })
  }

  /// Crashes: each kernel at each level, and on a machine that ACPI describes.
  private static var crashed: [MatrixCell] {
    var cells: [MatrixCell] = []
    for kernel in kernels {
      for level in Machine.Level.allCases {
        var cell = MatrixCell(kernel) { $0.level = level }
        cell.crashes = true
        cells.append(cell)
      }
    }
    var cell = MatrixCell("6.1") {
      $0.level = .vhe
      $0.platform = .firmwareACPI
      $0.processors = 2
    }
    cell.crashes = true
    return cells + [cell]
  }

  /// In place in the crash region, with initial file systems of three sizes.
  private static var staged: [MatrixCell] {
    var cells: [MatrixCell] = []
    for (first, next) in [("5.10", "5.10"), ("6.1", "6.1"), ("5.10", "6.1"), ("6.12", "6.12")] {
      for level in Machine.Level.allCases {
        for (ballast, region, gibibytes) in [(1, "128M", 2), (120, "256M", 2), (380, "640M", 3)] {
          var cell = MatrixCell(first, to: next) {
            $0.level = level
            $0.memory = gibibytes * 1024
          }
          cell.ballast = ballast
          cell.crashKernel = region
          cells.append(cell)
        }
      }
    }
    return cells
  }

  /// Runs all cells, as many at a time as there are processors for.
  ///
  /// - Parameter finished: called with each cell as it ends, in the order of their ends.
  /// - Returns: what each cell ended in, in the cells' order.
  public func run(
    in workspace: Workspace, width: Int,
    finished: (MatrixCell, Result<HandoffReport, any Error>) -> Void
  ) async -> [Result<HandoffReport, any Error>] {
    await withTaskGroup(of: (Int, Result<HandoffReport, any Error>).self) { group in
      var waiting = cells.indices.makeIterator()
      func startNext() {
        guard let index = waiting.next() else { return }
        let cell = cells[index]
        group.addTask {
          do {
            return (index, .success(try await cell.run(in: workspace)))
          } catch {
            return (index, .failure(error))
          }
        }
      }
      for _ in 0..<width { startNext() }
      var results: [Int: Result<HandoffReport, any Error>] = [:]
      while let (index, result) = await group.next() {
        results[index] = result
        finished(cells[index], result)
        startNext()
      }
      return cells.indices.compactMap { results[$0] }
    }
  }
}
