// swift-tools-version: 6.2
// One manifest, three roles, each with a scratch path and (but for the host) a toolset of its own:
//   host        libraries, tests and lab         swift build
//   bare metal  stage, relay                     --toolset Toolsets/bare-metal.json, and
//                                                BATON_ROLE=bare-metal in the environment
//   Linux       the static arm64 command         --toolset Toolsets/linux.json
// The Makefile knows the full command lines.
import PackageDescription

/// Every Swift target: the strict language mode, and no warning gets past.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

/// Targets that also compile for bare metal or for the static command: the host build already
/// refuses what Embedded Swift cannot do.
let embeddable: [SwiftSetting] =
  strict + [
    .enableExperimentalFeature("Extern"),
    .treatWarning("EmbeddedRestrictions", as: .error),
  ]

let package = Package(
  name: "baton",
  products: [
    .library(name: "PhysicalMemory", targets: ["PhysicalMemory"]),
    .library(name: "ArmTranslation", targets: ["ArmTranslation"]),
    .library(name: "BootFormats", targets: ["BootFormats"]),
    .library(name: "BootDigests", targets: ["BootDigests"]),
    .library(name: "KexecRelocation", targets: ["KexecRelocation"]),
    .executable(name: "baton", targets: ["baton"]),
    .executable(name: "lab", targets: ["LabCommand"]),
    .executable(name: "manual", targets: ["Manual"]),
    .library(name: "labplugin", type: .dynamic, targets: ["CLabPlugin"]),
    .library(name: "cacheplugin", type: .dynamic, targets: ["CCachePlugin"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
  ],
  targets: [
    // Shared by all three roles.
    .target(name: "PhysicalMemory", swiftSettings: embeddable),
    .target(
      name: "ArmTranslation", dependencies: ["PhysicalMemory"], swiftSettings: embeddable),
    .target(name: "CBatonArm64"),
    .target(name: "BootDigests", dependencies: ["CBatonArm64"], swiftSettings: embeddable),
    .target(
      name: "BootFormats", dependencies: ["PhysicalMemory", "BootDigests"],
      swiftSettings: embeddable),
    .target(
      name: "KexecRelocation",
      dependencies: ["PhysicalMemory", "ArmTranslation", "BootDigests", "CBatonArm64"],
      swiftSettings: embeddable),

    .target(
      name: "HardwareDescription",
      dependencies: ["PhysicalMemory", "BootFormats", "KexecRelocation", "CBatonArm64"],
      swiftSettings: embeddable),

    // relay's policy and its heap: bare metal, and the host for their tests.
    .target(name: "BareHeap", swiftSettings: embeddable),
    .target(
      name: "RelayLoading",
      dependencies: [
        "PhysicalMemory", "ArmTranslation", "BootFormats", "BootDigests", "KexecRelocation",
        "HardwareDescription",
      ],
      swiftSettings: embeddable),

    // The command: static arm64 Linux, and the host for its tests.
    .target(
      name: "CLinuxHost",
      linkerSettings: [.linkedLibrary("z"), .linkedLibrary("zstd"), .linkedLibrary("lzma")]),
    .target(
      name: "LinuxHost", dependencies: ["PhysicalMemory", "CLinuxHost"],
      swiftSettings: embeddable),
    .target(name: "CStageImage"),
    .target(
      name: "BatonCommand",
      dependencies: [
        "PhysicalMemory", "ArmTranslation", "BootFormats", "BootDigests", "KexecRelocation",
        "HardwareDescription", "LinuxHost", "CLinuxHost", "CStageImage", "CBatonArm64",
      ],
      swiftSettings: embeddable),
    .executableTarget(
      name: "baton", dependencies: ["BatonCommand", "LinuxHost"], swiftSettings: embeddable),

    // Host only.
    .executableTarget(name: "Manual", dependencies: ["BatonCommand"], swiftSettings: strict),
    .target(name: "CLabPlugin"),
    .target(name: "CCachePlugin"),
    .target(
      name: "Lab",
      dependencies: [
        "PhysicalMemory",
        .product(name: "Subprocess", package: "swift-subprocess"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "LabCommand",
      dependencies: [
        "Lab", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    // Tests. What needs the built binaries or a guest says so in its name.
    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
    .testTarget(
      name: "PhysicalMemoryTests", dependencies: ["PhysicalMemory", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "ArmTranslationTests",
      dependencies: ["ArmTranslation", "TestSupport", "PhysicalMemory"],
      swiftSettings: strict),
    .testTarget(
      name: "BootFormatsTests",
      dependencies: ["BootFormats", "TestSupport", "PhysicalMemory", "BootDigests"],
      swiftSettings: strict),
    .testTarget(
      name: "BootDigestsTests", dependencies: ["BootDigests", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "KexecRelocationTests",
      dependencies: [
        "KexecRelocation", "TestSupport", "PhysicalMemory", "ArmTranslation", "BootDigests",
        "CBatonArm64",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "LinuxHostTests",
      dependencies: ["LinuxHost", "CLinuxHost", "TestSupport", "PhysicalMemory"],
      swiftSettings: strict),
    .testTarget(
      name: "BatonCommandTests",
      dependencies: [
        "BatonCommand", "TestSupport", "PhysicalMemory", "BootFormats", "BootDigests",
        "KexecRelocation", "HardwareDescription", "ArmTranslation", "LinuxHost", "CLinuxHost",
        "CStageImage", "CBatonArm64",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "BareHeapTests", dependencies: ["BareHeap", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "RelayLoadingTests",
      dependencies: [
        "RelayLoading", "TestSupport", "PhysicalMemory", "ArmTranslation", "BootFormats",
        "BootDigests", "KexecRelocation", "HardwareDescription", "CStageImage", "CBatonArm64",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "BinaryTests",
      dependencies: [
        "Lab", "TestSupport", "BatonCommand", "BootFormats", "LinuxHost", "CLinuxHost",
        "CStageImage",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "LabTests", dependencies: ["Lab", "TestSupport", "PhysicalMemory"],
      swiftSettings: strict),
    .testTarget(
      name: "GuestTests",
      dependencies: ["Lab", "TestSupport", "PhysicalMemory", "KexecRelocation", "CBatonArm64"],
      swiftSettings: strict),
  ]
)

// Bare metal: programs that own the machine compile for nothing else, so only that role sees them.
if Context.environment["BATON_ROLE"] == "bare-metal" {
  package.products.append(.executable(name: "stage", targets: ["Stage"]))
  package.products.append(.executable(name: "relay", targets: ["Relay"]))
  package.targets += [
    .target(name: "CBareMetal", exclude: ["levels.inc"]),
    .target(
      name: "BareMetal",
      dependencies: [
        "PhysicalMemory", "ArmTranslation", "BootDigests", "KexecRelocation", "CBatonArm64",
        "CBareMetal",
      ],
      swiftSettings: embeddable),
    .executableTarget(
      name: "Stage",
      dependencies: [
        "PhysicalMemory", "ArmTranslation", "KexecRelocation", "BareMetal", "CBatonArm64",
        "CBareMetal",
      ],
      exclude: ["stage.ld"], swiftSettings: embeddable),
    .target(name: "CRelay"),
    .executableTarget(
      name: "Relay",
      dependencies: [
        "PhysicalMemory", "ArmTranslation", "BootFormats", "BootDigests", "KexecRelocation",
        "HardwareDescription", "RelayLoading", "BareHeap", "BareMetal", "CBatonArm64",
        "CBareMetal", "CRelay", "CStageImage",
      ],
      exclude: ["relay.ld"], swiftSettings: embeddable),
    // Compares the digest implementations on an arm64 CPU; BootDigestsTests runs it.
    .target(name: "CArm64DigestCheck", path: "Tests/CArm64DigestCheck"),
    .executableTarget(
      name: "Arm64DigestCheck", dependencies: ["BootDigests", "CArm64DigestCheck", "CBareMetal"],
      path: "Tests/Arm64DigestCheck", swiftSettings: embeddable),
    // Kills baton at a call of kexec_load(2); GuestTests have it in the guest.
    .executableTarget(name: "KillAtLoad", path: "Tests/KillAtLoad"),
  ]
}
