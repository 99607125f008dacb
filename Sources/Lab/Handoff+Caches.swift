extension Handoff {
  /// Runs the scenario to its end under the lab's model of the caches.
  ///
  /// - Parameter log: the file that the model writes to (`CacheLog`).
  public func runObservingCaches(in workspace: Workspace, log: String) async throws -> GuestRun {
    try await runUnmeasured(
      in: workspace,
      plugin: .init(library: try workspace.cachePlugin(), log: log, stage: try workspace.stage()))
  }
}

extension Workspace {
  /// The lab's model of the caches, a QEMU plugin, as SwiftPM's debug build leaves it.
  public func cachePlugin() throws(LabError) -> String {
    let path = root + "/.build/debug/libcacheplugin.so"
    guard HostFile.exists(path) else {
      throw .missing(path: path, remedy: "swift build --product cacheplugin")
    }
    return path
  }
}
