import BootFormats

extension FITError {
  /// Which of baton's options helps, where one does.
  var advice: StaticString {
    switch self {
    case .noDefault: "; choose one with --config"
    case .severalImages(.deviceTree, _): "; give the tree with --dtb"
    default: ""
    }
  }
}

extension ImageError {
  /// What to give instead.
  var advice: StaticString {
    if case .notAnImage(let format) = self { format.advice } else { "" }
  }
}

extension FileFormat {
  /// What to give instead of a file of this format.
  fileprivate var advice: StaticString {
    switch self {
    case .zImage, .bzImage: "; a kernel for another architecture cannot run here: give an arm64 one"
    case .cpio: "; an initramfs goes with --initrd"
    case .deviceTree: "; a device tree goes with --dtb"
    case .elf: "; give arch/arm64/boot/Image, not vmlinux"
    case .gzip, .zstd, .xz, .lzma: "; it is compressed more than once: decompress it first"
    case .bzip2, .lz4: "; decompress it first"
    default: "; give the uncompressed Image"
    }
  }
}

extension UnifiedKernelImageError {
  /// What is wrong, behind the file's path.
  var sentence: String {
    switch self {
    case .notPE: "it begins as an EFI executable and has no PE header; the file is damaged"
    case .truncated(let fileSize, let expected):
      "truncated: " + String(fileSize) + " of at least " + String(expected)
        + " bytes; copy it again"
    case .wrongMachine(let machine):
      "an EFI executable for " + machineName(machine) + ": give an arm64 one"
    case .noKernel:
      "an EFI executable without a kernel (a section .linux): an EFI program of another kind"
    case .sectionOutOfBounds(let section, let end, let fileSize):
      "its section " + String(section.name) + " ends at byte " + String(end) + " of "
        + String(fileSize) + ": the file is truncated; copy it again"
    }
  }
}

extension EFIZbootError {
  /// What is wrong, behind the file's path.
  var sentence: String {
    switch self {
    case .tooShort(let fileSize):
      "with " + String(fileSize) + " bytes too short for a compressed EFI kernel; copy it again"
    case .wrongMachine(let machine):
      "a compressed EFI kernel for " + machineName(machine) + ": give an arm64 one"
    case .payloadOutOfBounds(let offset, let size, let fileSize):
      "a compressed EFI kernel whose payload, " + String(size) + " bytes at " + String(offset)
        + ", is not inside the file's " + String(fileSize) + " bytes; copy it again"
    }
  }
}

/// The architecture of a PE header's machine (PE/COFF specification, "Machine Types").
private func machineName(_ machine: UInt16) -> String {
  switch machine {
  case 0x8664: "x86-64"
  case 0x014c: "32-bit x86"
  case 0x01c0, 0x01c2, 0x01c4: "32-bit Arm"
  case 0x5032, 0x5064: "RISC-V"
  case 0x6232, 0x6264: "LoongArch"
  default: "machine 0x" + String(machine, radix: 16)
  }
}
