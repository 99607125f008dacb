/// Why a FIT image cannot be used. Names are those of images and configurations in the file.
public enum FITError: Error, Sendable, Hashable {
  /// It is no device tree to begin with.
  case tree(DeviceTreeError)
  /// A device tree without /images: the description of a machine.
  case noImages
  /// There is no /configurations, or nothing in it.
  case noConfigurations
  /// There are several configurations, none is the default, and none was asked for.
  case noDefault
  case noSuchConfiguration(String)
  case noKernel(configuration: String)
  /// The configuration names several images for one part: overlays for a device tree.
  case severalImages(FITImage.Role, configuration: String)
  case noSuchImage(String, configuration: String)
  /// The image's type is another than that of the part that it is named for.
  case wrongType(String, FITImage.Role)
  /// The kernel is for another architecture, which follows.
  case wrongArchitecture(String, String)
  /// The image has no bytes.
  case noData(String)
  /// The image's bytes would end behind the file's. In bytes from the file's start.
  case dataOutOfBounds(String, end: UInt64, fileSize: Int)
  /// A property that is missing, or is not of its form.
  case malformedProperty(String, image: String)
  case unknownHash(String, algorithm: String)
  /// The image has more hashes than are checked.
  case tooManyHashes(String, limit: Int)
  /// The image's bytes are not those that were hashed.
  case hashMismatch(String, algorithm: String)
}
