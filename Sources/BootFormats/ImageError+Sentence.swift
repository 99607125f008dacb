extension ImageError {
  /// What is wrong, behind the file's name.
  public var sentence: String {
    switch self {
    case .tooShort(let size): "with \(size) bytes the file is too short for a kernel; copy it again"
    case .notAnImage(let format): "not an arm64 kernel Image but \(format.noun)"
    case .bigEndian: "a big-endian kernel; baton starts little-endian ones only"
    case .imageSizeZero:
      "the header does not say how much memory the kernel needs (image_size 0, before Linux 3.17)"
    case .outOfRange: "the header's text_offset and image_size are impossible; the file is damaged"
    case .longerThanImage(let fileSize, let imageSize):
      "the file has \(fileSize) bytes, more than the image_size of \(imageSize) in its header; the "
        + "file is damaged or has something appended"
    case .truncated(let fileSize, let expected):
      "truncated: \(fileSize) of at least \(expected) bytes; copy it again"
    }
  }
}
