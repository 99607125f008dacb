import BootFormats

/// What relay is given to start: the parts of a FIT image's default configuration, as places in its
/// bytes.
public struct Payload: Sendable {
  public var kernel: [UInt8]
  public var ramdisk: [UInt8]?
  public var deviceTree: [UInt8]?

  public init(parsing image: RawSpan) throws(RelayFailure) {
    let tree: DeviceTree
    do throws(DeviceTreeError) { tree = try DeviceTree(parsing: image) } catch {
      throw .payload("it is no FIT image")
    }
    guard let images = tree.child("images", of: tree.root) else {
      throw .payload("it is no FIT image: it has no /images")
    }
    func data(_ name: String) -> [UInt8]? {
      guard let configurations = tree.child("configurations", of: tree.root),
        let chosen = tree.property("default", of: configurations)?.string,
        let configuration = tree.child(chosen, of: configurations),
        let part = tree.property(name, of: configuration)?.string,
        let node = tree.child(part, of: images)
      else { return nil }
      return tree.property("data", of: node)?.bytes
    }
    guard let kernel = data("kernel") else { throw .payload("it has no kernel") }
    self.kernel = kernel
    ramdisk = data("ramdisk")
    deviceTree = data("fdt")
  }
}
