import LinuxHost

extension Compression {
  var text: String {
    switch self {
    case .gzip: "gzip"
    case .zstd: "zstd"
    case .xz: "xz"
    case .lzma: "lzma"
    }
  }
}

extension DecompressionError {
  func sentence(_ compression: Compression) -> String {
    let data = compression.text + "-compressed data"
    return switch self {
    case .truncated: data + " that ends before its end; copy the file again"
    case .damaged: data + " that is damaged; copy the file again"
    case .wrongSize:
      data + " whose size is not what its end says: the file is damaged or has something appended"
    case .appended(let size):
      data + " with " + String(size) + " bytes appended; remove what does not belong to it"
    case .tooLarge(let size, let limit):
      "decompressed it would have " + String(size >> 10)
        + " KiB, more than half of the memory that is available ("
        + String(limit >> 10) + " KiB)"
    case .largerThan(let limit):
      "decompressed it has more than half of the memory that is available, or what is left of that ("
        + String(limit >> 10) + " KiB)"
    case .unsupported:
      data + " that uses what baton's decoder lacks (a filter, a check or a dictionary); "
        + "compress it with the program's defaults"
    case .empty: data + " with nothing in it"
    case .noMemory: "too little memory to decompress it"
    }
  }
}
