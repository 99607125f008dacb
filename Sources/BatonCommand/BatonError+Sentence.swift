import ArmTranslation
import BootFormats
import KexecRelocation
import LinuxHost
import PhysicalMemory

extension BatonError {
  var status: ExitStatus {
    switch self {
    case .usage, .noConfigurations: .usage
    case .compressed(_, _, .tooLarge), .compressed(_, _, .largerThan), .compressed(_, _, .noMemory):
      .noRoom
    case .file(_, .noMemory): .noRoom
    case .file, .image, .compressed, .fit, .unifiedImage, .zboot, .fileChanges, .fileChanged, .tree,
      .treeContent,
      .commandLineTooLong, .wrongType, .serial, .initrdNotRetained:
      .badFile
    case .handoff(.placement), .handoff(.tooLarge), .handoff(.tooManyTables),
      .tooLittleMemory, .staging(.tooSmall):
      .noRoom
    case .staging(.noRegion), .notForFileLoad, .cannotVerify: .unsupported
    case .staging(.dumpKernelLoaded), .staging(.loadsUsedUp), .lockedDownWith: .notPermitted
    case .stagedImageGone: .negative
    case .fileLoad(.notPermitted), .fileLoad(.permissionDenied), .fileLoad(.keyRejected),
      .fileLoad(.noPackage), .fileLoad(.noData), .fileLoad(.badMessage), .fileLoad(.keyMissing),
      .fileLoad(.libraryBad):
      .notPermitted
    case .fileLoad(.noSuchSystemCall): .unsupported
    case .fileLoad(.notExecutable): .badFile
    case .fileLoad(.noMemory), .fileLoad(.addressNotAvailable): .noRoom
    case .notRoot, .loadDisabled, .loadsUsedUp, .lockedDown: .notPermitted
    case .acpi, .noReset, .noKexec, .pageSize, .stage, .handoff, .pageSizeLacking, .cpuStays:
      .unsupported
    case .memoryMap(.addressesHidden), .load(.notPermitted), .unload(.notPermitted),
      .load(.permissionDenied), .unload(.permissionDenied):
      .notPermitted
    case .load(.noMemory): .noRoom
    case .load(.noSuchSystemCall), .unload(.noSuchSystemCall): .unsupported
    case .nothingLoaded: .negative
    case .noCrashRegion, .crashRegionTooSmall: .noRoom
    case .crashSlotIsStaged: .unsupported
    case .crashNotes(.absent), .tooMuchMemoryToDescribe: .unsupported
    case .treeCells: .badFile
    case .stagedLoad(_, let error, isCrashSlotLoaded: _): BatonError.load(error).status
    case .loadPanic(let error, left: _): BatonError.load(error).status
    case .fileLoadPanic(let error, left: _): BatonError.fileLoad(error).status
    case .crashNotes: .systemCall
    case .memoryMapUnreadable, .memoryMap, .commandLineUnreadable, .randomness, .load, .unload,
      .unloadStaged, .reboot, .startIsBusy, .shutdown, .fileLoad, .staging, .anotherBaton:
      .systemCall
    }
  }

  /// What a refused load of a crash kernel has left of the one before.
  enum CrashSlotLeft: Hashable, Sendable {
    /// It is loaded still.
    case kept
    case dropped
    /// There was none.
    case empty

    fileprivate var words: String {
      switch self {
      case .kept: "; the crash kernel that was loaded is still there"
      case .dropped: "; no crash kernel is loaded now: the running kernel drops the old one first"
      case .empty: "; no crash kernel is loaded now"
      }
    }
  }

  /// What was wrong, where, what to do, to who typed that name.
  func sentence(for caller: Caller) -> String {
    switch self {
    case .usage(let error): error.sentence(for: caller)
    case .nothingLoaded: "no kernel is loaded; load one with " + caller.name + " -l IMAGE"
    default: sentence
    }
  }

  /// The same for `baton`.
  var sentence: String {
    switch self {
    case .usage, .nothingLoaded: sentence(for: .baton)
    case .file(let path, .invalidArgument): path + " is empty or is not a regular file"
    case .file(let path, .noMemory): path + ": there is too little memory for it; stop programs"
    case .file(let path, let error): path + ": " + error.text
    case .image(let path, let error): path + ": " + error.sentence + String(error.advice)
    case .fit(let path, let error): path + ": " + error.sentence + String(error.advice)
    case .unifiedImage(let path, let error): path + ": " + error.sentence
    case .zboot(let path, let error): path + ": " + error.sentence
    case .noConfigurations(let path):
      path + " is no FIT image and has no configurations: leave --config out"
    case .fileChanges(let path): path + " changes while it is read; try again"
    case .fileChanged(let path, let slot, isLoaded: true):
      path + " changed while it was loaded, and could not be unloaded again: it will not verify; "
        + "unload it (baton " + (slot == .crash ? "-p " : "") + "-u -f), and try again"
    case .fileChanged(let path, let slot, isLoaded: false):
      path + " changed while it was loaded, and was unloaded again: no "
        + (slot == .crash ? "crash" : "next") + " kernel is loaded now; try again"
    case .compressed(let path, let compression, let error):
      path + ": " + error.sentence(compression)
    case .tree(let path, let error): path + " is no usable device tree: " + error.sentence
    case .memoryMapUnreadable(let error): "/proc/iomem: " + error.text
    case .memoryMap(.addressesHidden):
      "/proc/iomem hides its addresses: run baton as root (CAP_SYS_ADMIN)"
    case .memoryMap(.noMemory): "/proc/iomem lists no System RAM"
    case .memoryMap(.malformed(let line)):
      "/proc/iomem: line " + String(line) + " is not of the form START-END : NAME"
    case .pageSize(let size):
      "this kernel's pages have " + String(size) + " bytes, which no translation granule has"
    case .commandLineUnreadable(let error): "/proc/cmdline: " + error.text
    case .commandLineTooLong(let size):
      "the command line has " + String(size) + " bytes; an arm64 kernel takes at most "
        + String(LoadCommandLine.maximumSize)
    case .randomness(let error): "no random seeds for the next kernel: getrandom: " + error.text
    case .stage: "this baton was built with a stage that it cannot load; build it again"
    case .handoff(let error): error.sentence
    case .treeContent(let path):
      path + " does not tell its reserved memory: a reg, ranges or #…-cells of /reserved-memory is "
        + "malformed; mend the tree"
    case .pageSizeLacking(let path, let granule, let cpu):
      path + ": a kernel with pages of " + granule.text + ", which this CPU (" + String(cpu)
        + ") lacks; give one with pages of 4K"
    // With maxcpus=1 the others stay possible, and that is what the kernel looks at.
    case .cpuStays(let cpu, let possible):
      "this kernel may have " + String(possible) + " CPUs and firmware cannot switch " + cpu
        + " off (no PSCI), so it refuses kexec; boot with nr_cpus=1 to use it"
    case .tooLittleMemory(let needed, let available):
      "loading takes " + String(needed >> 10) + " KiB of memory and "
        + (available.map { String($0 >> 10) + " KiB are available" } ?? "there is too little")
        + "; stop programs or give a smaller initrd"
    case .acpi(let kind, let error):
      "the ACPI table " + ACPIMachine.path(kind) + " is broken: " + error.text
    case .noReset:
      "firmware offers no PSCI, so that nothing could reset this machine if the handoff failed; "
        + "--on-failure=halt loads all the same"
    case .notRoot: "loading and starting kernels takes root (CAP_SYS_BOOT)"
    case .loadDisabled:
      "loading kernels was switched off until the next boot (sysctl kernel.kexec_load_disabled)"
    case .loadsUsedUp(let name):
      "this boot's loads are used up (sysctl kernel." + String(name)
        + ", which counts unloading, too): no more until the next boot"
    case .lockedDown:
      "this kernel is locked down and loads signed images only, by kexec_file_load(2): --via=file; "
        + "see /sys/kernel/security/lockdown"
    case .lockedDownWith(let option):
      "kexec_file_load(2), by which alone a kernel that is locked down loads, cannot honour "
        + option
        + "; leave it out, or load by --via=memory where /sys/kernel/security/lockdown is none"
    case .noKexec:
      "no /sys/kernel/kexec_loaded: this kernel was built without kexec, or /sys is not mounted"
    // Kernels with kexec_file_load(2) only show kexec_loaded, too.
    case .load(.noSuchSystemCall), .unload(.noSuchSystemCall):
      "this kernel was built without kexec_load (CONFIG_KEXEC)"
    case .load(.busy):
      "another program is loading a kernel at this moment, or this kernel cannot take its other CPUs "
        + "down (spin-table, protected KVM)"
    case .load(.noMemory): "the running kernel has too little free memory to load this"
    case .load(.addressNotAvailable), .load(.invalidArgument):
      "the running kernel does not accept the plan's destinations (--dry-run shows them), or they are "
        + "more than half of its memory"
    case .load(.notPermitted), .unload(.notPermitted):
      "the running kernel refuses kexec_load to this process: it lacks CAP_SYS_BOOT, or a security "
        + "module or seccomp filter forbids it"
    case .load(.permissionDenied), .unload(.permissionDenied):
      "the integrity policy (IMA) or a security module refuses kexec_load: signed images can be loaded by "
        + "kexec_file_load(2), --via=file"
    case .load(let error): "kexec_load: " + error.text
    case .unload(let error): "unloading: kexec_load: " + error.text
    case .unloadStaged(let error):
      "what baton -l staged in the crashkernel region could not be taken back, and a panic resets: "
        + "kexec_load: " + error.text + "; try baton -u again"
    case .staging(.dumpKernelLoaded):
      "a dump kernel is loaded in the crashkernel region; --replace-crash-kernel gives it up, "
        + "--via=memory leaves it alone"
    case .staging(let obstacle): obstacle.sentence
    case .stagedLoad(_, .noSuchSystemCall, isCrashSlotLoaded: _):
      BatonError.load(.noSuchSystemCall).sentence
    case .stagedLoad(.crash, let error, let isLoaded):
      "the crashkernel region did not take it: " + BatonError.load(error).sentence
        + (isLoaded
          ? "; no next kernel is loaded now, and the region holds what it held"
          : "; nothing is loaded now, no dump kernel either")
        // Who may not make this call may not make that one either.
        + (error == .notPermitted || error == .permissionDenied
          ? "" : "; --via=memory does without the region")
    case .stagedLoad(.normal, let error, let isLoaded):
      "the region was loaded, but not the stage: " + BatonError.load(error).sentence
        + (isLoaded
          ? "; what is staged could not be taken back, and a panic resets: baton -u removes it"
          : "; nothing is loaded now, no dump kernel either")
    case .anotherBaton:
      "another baton changes what is loaded at this moment (" + LoadLock.path
        + "); nothing was changed; try again"
    case .stagedImageGone:
      "what baton -l had put into the crashkernel region was unloaded or replaced since; load it again"
    case .notForFileLoad(let path):
      path + ": kexec_file_load(2) takes the uncompressed Image only; decompress it first"
    case .cannotVerify:
      "this kernel loads by kexec_file_load(2) only, which takes no stage to verify anything; "
        + "leave --require-verified out"
    case .fileLoad(let error): error.fileLoadSentence
    case .crashSlotIsStaged:
      "the next kernel is staged in the memory reserved for a crash kernel; baton -u unloads it"
    case .noCrashRegion:
      "no memory is reserved for a crash kernel (no Crash kernel in /proc/iomem): boot with "
        + "crashkernel=256M"
    case .crashRegionTooSmall(let region, let needed):
      "the memory reserved for a crash kernel, " + region.text + ", has "
        + String(region.size >> 20) + " MiB; what would be loaded takes "
        + String((needed + 1 << 20 - 1) >> 20) + " MiB, and the kernel more to run: boot with "
        + "crashkernel=" + String(CrashTarget.reservation(for: needed)) + "M"
    case .crashNotes(.absent):
      "no CPU has crash notes in /sys/devices/system/cpu: this kernel was built without crash "
        + "dumps (CONFIG_CRASH_DUMP)"
    case .crashNotes(.malformed(let path)): path + " is not of the form that it should have"
    case .tooMuchMemoryToDescribe(let count):
      "memory is in " + String(count) + " parts, more than the header of a dump can list ("
        + String(CoreHeader.maximumCount) + ")"
    case .treeCells(let path):
      path + ": the root's #address-cells and #size-cells cannot hold the crash kernel's "
        + "addresses; reserve memory below 4 GiB (crashkernel=256M,low) or give another tree"
    case .loadPanic(let error, let left): BatonError.load(error).sentence + left.words
    case .fileLoadPanic(let error, let left): error.fileLoadSentence + left.words
    case .shutdown(let error):
      "the kernel is loaded, but shutdown could not be run: " + error.text
        + "; shut down by other means, or start it with -e"
    case .serial(let name):
      "--serial: /sys/class/tty/" + name
        + " is no console that baton's stage can drive (PL011, SBSA UART, 8250)"
    case .wrongType(let path, let type): path + " is not of the type " + type.rawValue
    case .initrdNotRetained:
      "--reuseinitrd: no /sys/firmware/initrd: boot with retain_initrd, on Linux 6.8 or later, or "
        + "give the file with --initrd"
    case .startIsBusy(let seconds):
      "the running kernel did not start the loaded one: another program has been loading a kernel "
        + "for " + String(seconds) + " s; try again"
    case .reboot(let error):
      "the running kernel did not start the loaded one: reboot: " + error.text
    }
  }
}

extension Errno {
  /// The words of strerror(3), and the number where they say little.
  var text: String {
    let words = String(description)
    return words == "Error" ? "error " + String(rawValue) : words
  }
}

extension Errno {
  /// What `kexec_file_load(2)` means by it.
  fileprivate var fileLoadSentence: String {
    let what: String =
      switch self {
      case .noSuchSystemCall: "this kernel was built without kexec_file_load (CONFIG_KEXEC_FILE)"
      case .keyRejected:
        "the image is not what was signed, or its key is revoked (EKEYREJECTED)"
      case .keyMissing:
        "the image's signature is by a key that this kernel does not trust (ENOKEY)"
      case .noPackage:
        "this kernel lacks the algorithm of the image's signature (ENOPKG)"
      case .noData: "the image is not signed, and this kernel wants it to be (ENODATA)"
      case .badMessage: "the image's signature is damaged (EBADMSG)"
      case .libraryBad: "the image's signature table is damaged (ELIBBAD)"
      case .notExecutable: "no loader of this kernel takes the image (ENOEXEC)"
      case .invalidArgument:
        "it does not accept the image, its signature or the command line (EINVAL)"
      case .permissionDenied:
        "the integrity policy (IMA) refuses the kernel or the initrd (EACCES): sign both"
      case .notPermitted:
        "it is refused to this process or for this image (EPERM): no CAP_SYS_BOOT, or lockdown or a "
          + "security module wants a signature"
      case .textBusy: "the kernel or the initrd is open for writing (ETXTBSY)"
      case .noMemory, .addressNotAvailable: "the running kernel has no room for it"
      case .busy: "another program is loading a kernel at this moment"
      default: text
      }
    return "kexec_file_load: " + what
  }
}

extension UsageError {
  func sentence(for caller: Caller) -> String {
    let help = " (" + caller.name + " --help lists the options)"
    return switch self {
    case .unknownOption(let option):
      option + " is not an option, or lacks its argument, or has one too many" + help
    case .noAnswerInJSON: "--json goes with --check, --last, --status and --dry-run only" + help
    case .noAction: "nothing to do: one of -l, -p, -e, -u, -S, --check, --last is needed" + help
    case .severalActions:
      "only one of -l, -p, -e, -u, -S, --check, --last at a time (but -le, -pu and -uf)" + help
    case .noImage: "-l or -p needs a kernel image: " + caller.name + " -l IMAGE" + help
    case .unexpectedArgument(let argument): "unexpected argument " + argument + help
    case .onlyWithLoad(let option): option + " goes with -l and -p only" + help
    case .badValue(let option, let value):
      option + " takes " + Self.values(of: option) + ", not "
        + (value.isEmpty ? "nothing" : value)
    case .badAddress(let option, let value):
      option + " takes a physical address (0x80000000), not "
        + (value.isEmpty ? "nothing" : value)
    case .emptyBounds: "--mem-min must be below --mem-max"
    case .meaningless(let option, let why): option + " has no meaning here: " + why
    case .onlyWithExecute(let option): option + " goes with -e, -f or -le only" + help
    case .contradiction(let one, let other): one + " and " + other + " exclude each other" + help
    }
  }

  /// What an option that has few values takes.
  private static func values(of option: String) -> String {
    switch option {
    case "--console":
      "none, pl011,ADDRESS or 8250,ADDRESS[,SHIFT,WIDTH], with registers below 2^48,"
    case "--via": "auto, crashkernel, memory or file"
    case "--type": "Image, zImage, vmlinuz or uki"
    case "--cpus": "a number of CPUs, from 1 on"
    default: "reset or halt"
    }
  }
}

extension HandoffError {
  var sentence: String {
    switch self {
    case .placement(let error): error.sentence
    case .notInMemory(let range): "nothing may be placed at " + range.text + ": not System RAM"
    // Only the console's place comes from outside, and one that the tables do not reach is none.
    case .mapping(.overlap(let console, _)):
      "the console's registers, " + console.physical.text
        + ", lie where memory is; check stdout-path in the tree, or name it with --console"
    case .mapping, .tableMemory:
      "the tables cannot be put where they were placed; report this with --dry-run's output"
    // Everything else is small, or lies within 32 GiB.
    case .tooManyTables(let pages):
      "the kernel asks for so much memory (image_size) that the translation tables would take "
        + String(pages) + " pages, for which there is no room; is the file damaged?"
    case .tooLarge(let pieces):
      "kernel and initrd are too large to be verified (" + String(pieces)
        + " MiB; the most is about 10,000)"
    }
  }
}

extension Granule {
  var text: String { String(pageSize >> 10) + "K" }
}

extension PhysicalRange {
  var text: String {
    "0x" + String(start.rawValue, radix: 16) + "-0x" + String(end.rawValue, radix: 16)
  }
}
