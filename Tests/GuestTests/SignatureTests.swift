import Foundation
import Lab
import TestSupport
import Testing

/// Signatures, IMA and lockdown of `kexec_file_load(2)`, on kernels that `make file-kernels` builds with a
/// key of its own: each refusal's sentence, and that what is signed starts.
@Suite(.matrix, .fileKernels) struct SignatureTests {
  private static let signing = Workspace().cache + "/guest/kernels/6.1-file-signed/"

  private static func file(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: path)))
  }

  /// What a shell command makes of Debian's 6.1 ("kernel") with the key ("key.pem", "certificate.pem").
  private static func made(by command: String) throws -> [UInt8] {
    try HostTool.run(
      ["sh", "-ec", command],
      with: [
        "kernel": try file(Workspace().kernel("6.1")), "key.pem": try file(signing + "key.pem"),
        "certificate.pem": try file(signing + "certificate.pem"),
      ], result: "made")
  }

  /// Debian's 6.1, signed with the key instead of Debian's.
  private static func signed() throws -> [UInt8] {
    try made(
      by: """
        sbattach --remove kernel
        sbsign --key key.pem --cert certificate.pem --output made kernel
        """)
  }

  /// A kernel that is refused: `/changed`, a copy of `source` that a shell command has changed.
  private struct Refusal {
    let name: String
    var source = "/lab/kernel"
    var change = ":"
    let words: String

    var script: String {
      """
      busybox cp \(source) /changed
      \(change)
      baton -l /changed --via=file --initrd=/lab/initrd --append=x 2>/error
      echo "lab: \(name): $?: $(busybox tail -n 1 /error)"

      """
    }

    /// Writes bytes, in octal, over those at an offset.
    static func writing(_ octal: String, at offset: Int) -> String {
      "busybox printf '\(octal)' | busybox dd of=/changed bs=1 seek=\(offset) conv=notrunc 2>/dev/null"
    }
  }

  /// Has all of these refused, loads the kernel as it is, and hands over to it.
  private func handsOver(
    _ first: String, to kernel: [UInt8], files: [(path: String, contents: [UInt8])],
    preparation: String, refusing refusals: [Refusal]
  ) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try Data(kernel).write(to: folder.appending(path: "kernel"))
    let workspace = Workspace()
    var handoff = Handoff(
      firstKernel: try workspace.kernel(first),
      secondKernel: folder.appending(path: "kernel").path)
    handoff.route = .file
    handoff.files = files
    handoff.preparation =
      "busybox mount -t securityfs none /sys/kernel/security\n" + preparation
      + refusals.map { $0.script }.joined()
    let run = try await GuestSlots.shared.withGuest { [handoff] in
      try await handoff.runUnmeasured(in: workspace)
    }
    let said = run.lines.filter { $0.hasPrefix("lab: ") }
    for refusal in refusals {
      #expect(
        said.contains {
          $0.hasPrefix("lab: \(refusal.name): 5: baton: kexec_file_load: ")
            && $0.contains(refusal.words)
        }, "\(refusal.name): \(said)")
    }
    #expect(run.end == .poweredOff, "\(run.lastLines)")
    #expect(said.contains("lab: second userland"), "\(run.lastLines)")
    #expect(said.contains("lab: command line: \(handoff.commandLine)"), "\(run.lastLines)")
  }

  @Test func aKernelThatWantsASignatureTakesWhatItsKeyHasSignedAndSaysWhyNothingElse() async throws
  {
    let signed = try Self.signed()
    // Where the data directory of 6.1's PE header says that its signatures are.
    let place = signed[232..<236].reversed().reduce(0) { $0 << 8 | Int($1) }
    try await handsOver(
      "6.1-file-signed", to: signed,
      files: [("lab/debian", try Self.file(Workspace().kernel("6.1")))], preparation: "",
      refusing: [
        Refusal(
          name: "Debian's key", source: "/lab/debian", words: "does not trust (ENOKEY)"),
        Refusal(
          name: "a byte is another", change: Refusal.writing("X", at: 9_000_001),
          words: "not what was signed, or its key is revoked (EKEYREJECTED)"),
        Refusal(
          name: "not signed", change: Refusal.writing(#"\0\0\0\0\0\0\0\0"#, at: 232),
          words: "the image is not signed, and this kernel wants it to be (ENODATA)"),
        Refusal(
          name: "a table larger than itself",
          change: Refusal.writing(#"\377\377\377\377"#, at: place),
          words: "the image's signature table is damaged (ELIBBAD)"),
        Refusal(
          // Behind the table's 8 bytes, the tag in the first sequence.
          name: "a broken message", change: Refusal.writing(#"\377"#, at: place + 12),
          words: "the image's signature is damaged (EBADMSG)"),
      ])
  }

  /// 6.1 then has one refusal for whatever is wrong.
  @Test func aKernelThatIsLockedDownTakesWhatItsKeyHasSigned() async throws {
    let words = "lockdown or a security module wants a signature"
    try await handsOver(
      "6.1-file-only", to: Self.signed(), files: [],
      preparation: "echo integrity >/sys/kernel/security/lockdown\n",
      refusing: [
        Refusal(
          name: "a byte is another", change: Refusal.writing("X", at: 9_000_001), words: words),
        Refusal(
          name: "not signed", change: Refusal.writing(#"\0\0\0\0\0\0\0\0"#, at: 232), words: words),
      ])
  }

  /// The signature is one behind the image's end, as of modules. Lockdown is content with IMA.
  @Test func imaTakesWhatItsKeyHasSignedAndRefusesAllElseUnderLockdown() async throws {
    let debian = try Self.file(Workspace().kernel("6.1"))
    let certificate = try Self.made(by: "openssl x509 -in certificate.pem -outform DER -out made")
    let message = try Self.made(
      by: """
        openssl cms -sign -binary -noattr -nocerts -nosmimecap -md sha256 -outform DER \
          -signer certificate.pem -inkey key.pem -in kernel -out made
        """)
    // struct module_signature (Linux include/linux/module_signature.h): PKEY_ID_PKCS7, and the size.
    let size = (0..<4).map { UInt8(truncatingIfNeeded: message.count >> (24 - 8 * $0)) }
    let signature =
      message + [0, 0, 2, 0, 0, 0, 0, 0] + size + Array("~Module signature appended~\n".utf8)
    let refusal = "the integrity policy (IMA) refuses the kernel or the initrd (EACCES): sign both"
    try await handsOver(
      "6.1-file-only", to: debian + signature, files: [("etc/keys/x509_ima.der", certificate)],
      preparation: """
        echo "appraise func=KEXEC_KERNEL_CHECK appraise_type=imasig|modsig" \
          >/sys/kernel/security/ima/policy
        echo integrity >/sys/kernel/security/lockdown

        """,
      refusing: [
        Refusal(
          name: "not signed", change: "busybox head -c \(debian.count) /lab/kernel >/changed",
          words: refusal),
        Refusal(
          name: "a byte is another", change: Refusal.writing("X", at: 9_000_001), words: refusal),
      ])
  }
}
