import Dispatch
import Glibc
import PhysicalMemory

/// A connection to QEMU's debug stub: GDB's remote protocol over a Unix socket ("GDB Remote Serial
/// Protocol"; QEMU's system/gdb.rst for reading physical memory and for the monitor).
///
/// Connecting stops the guest; `resume` lets it go on. Addresses of memory are physical. Every
/// operation blocks, for `patience` at most, so the connection lives on a thread of its own:
/// `withConnection` is the way to get one.
public final class DebugStub {
  private let socket: CInt
  private let path: String
  /// The CPU at which the guest stopped last, counted from 0; registers are this one's.
  public private(set) var processor = 0
  private var received: [UInt8] = []

  /// Connects to the stub at `path`, as soon as there is one, calls `body` on a thread of its own,
  /// and closes the connection.
  ///
  /// - Parameter patience: how long to wait for the stub to appear, and for each of its answers.
  public static func withConnection<Result: Sendable>(
    to path: String, patience: Duration = .seconds(300),
    _ body: @escaping @Sendable (DebugStub) throws -> Result
  ) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      DispatchQueue(label: "debug stub").async {
        continuation.resume(
          with: Swift.Result {
            let stub = try DebugStub(path, patience: patience)
            return try body(stub)
          })
      }
    }
  }

  private init(_ path: String, patience: Duration) throws(LabError) {
    self.path = path
    socket = Glibc.socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
    guard socket >= 0 else { throw Self.systemError("create a socket for", path) }
    var limit = timeval(tv_sec: Int(patience.components.seconds), tv_usec: 0)
    // Sound: the kernel reads exactly the size of the structure that is given.
    guard
      unsafe setsockopt(
        socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size)) == 0
    else { throw Self.systemError("configure the socket of", path) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    guard path.utf8.count < capacity else {
      throw .system(operation: "connect to", path: path, reason: "the path is too long")
    }
    // Sound: the path was found shorter than the field, which is zero behind it.
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in
      for (index, byte) in path.utf8.enumerated() { unsafe field[index] = byte }
    }
    let deadline = ContinuousClock.now + patience
    while true {
      // Sound: a sockaddr_un is a sockaddr to connect(2), which is given its size.
      let result = unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
          unsafe connect(socket, pointer, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      if result == 0 { break }
      guard ContinuousClock.now < deadline else { throw Self.systemError("connect to", path) }
      usleep(20_000)
    }
    _ = try ask("qSupported")
    try command("Qqemu.PhyMemMode:1")
  }

  deinit { close(socket) }

  // MARK: The guest

  /// The program counter.
  public func programCounter() throws(LabError) -> UInt64 { try register(32) }

  /// Makes the CPU go on at `address`.
  public func setProgramCounter(_ address: UInt64) throws(LabError) {
    let bytes = (0..<8).map { UInt8(truncatingIfNeeded: address >> UInt64(8 * $0)) }
    try command("P20=" + bytes.map { Self.hexadecimal($0) }.joined())
  }

  /// The exception level.
  public func exceptionLevel() throws(LabError) -> Int { Int(try register(33) >> 2 & 3) }

  /// A general register (0 to 30), or another by GDB's number.
  public func register(_ number: Int) throws(LabError) -> UInt64 {
    let request = "p" + String(number, radix: 16)
    var value: UInt64 = 0
    for byte in try bytes(try ask(request), to: request).reversed() {
      value = value << 8 | UInt64(byte)
    }
    return value
  }

  /// Reads `count` bytes of physical memory.
  public func read(_ address: PhysicalAddress, count: Int) throws(LabError) -> [UInt8] {
    let request = "m" + String(address.rawValue, radix: 16) + "," + String(count, radix: 16)
    let result = try bytes(try ask(request), to: request)
    guard result.count == count else {
      throw .debugStub(request: request, answer: "\(result.count) bytes")
    }
    return result
  }

  /// Writes physical memory.
  public func write(_ bytes: [UInt8], to address: PhysicalAddress) throws(LabError) {
    let digits = bytes.map { Self.hexadecimal($0) }.joined()
    try command(
      "M" + String(address.rawValue, radix: 16) + "," + String(bytes.count, radix: 16) + ":"
        + digits)
  }

  /// Lets the guest run until it is about to execute the instruction at `address`, which it
  /// reaches with the MMU off, or with that address mapped to itself.
  public func run(to address: PhysicalAddress) throws(LabError) {
    _ = try run(toEither: address, or: address)
  }

  /// As `run(to:)`, until a CPU is at one of two places.
  ///
  /// - Returns: the place.
  public func run(
    toEither one: PhysicalAddress, or other: PhysicalAddress
  ) throws(LabError) -> PhysicalAddress {
    let addresses = one == other ? [one] : [one, other]
    let places = addresses.map { String($0.rawValue, radix: 16) + ",4" }
    for place in places { try command("Z1," + place) }
    try go("c")
    var counter = PhysicalAddress(try programCounter())
    if !addresses.contains(counter) {
      // Two CPUs at breakpoints in the same moment make QEMU stop once more when it goes on.
      try go("c")
      counter = PhysicalAddress(try programCounter())
    }
    for place in places { try command("z1," + place) }
    guard addresses.contains(counter) else {
      throw .debugStub(
        request: "c", answer: "stopped at 0x" + String(counter.rawValue, radix: 16))
    }
    return counter
  }

  /// As `run(to:)`, until a CPU but the first is there.
  public func runAnother(to address: PhysicalAddress) throws(LabError) {
    try run(to: address)
    while processor == 0 {
      // Past the instruction, or it would stop there again.
      try go("s")
      try run(to: address)
    }
  }

  /// Chooses the CPU whose registers are read and written, counted from 0, until the guest goes on.
  public func select(_ processor: Int) throws(LabError) {
    try command("Hg" + String(processor + 1, radix: 16))
  }

  /// Lets the guest go on until it stops.
  private func go(_ request: String) throws(LabError) {
    let answer = try ask(request)
    // T05thread:02;
    guard answer.hasPrefix("T05"), let thread = answer.firstRange(of: "thread:"),
      let number = Int(answer[thread.upperBound...].prefix { $0.isHexDigit }, radix: 16)
    else { throw .debugStub(request: request, answer: answer) }
    processor = number - 1
  }

  /// Lets the guest go on, without a debugger from here on.
  public func resume() throws(LabError) { try command("D") }

  /// Saves the whole stopped guest to a file, from which a machine's `savedState` resumes it.
  public func save(to path: String) throws(LabError) {
    _ = try monitor("migrate_set_parameter max-bandwidth 100G")
    _ = try monitor("migrate -d file:" + path)
    while true {
      let state = try monitor("info migrate")
      if state.contains("Migration status: completed") { return }
      guard !state.contains("failed") else {
        throw .debugStub(request: "migrate", answer: state)
      }
      usleep(20_000)
    }
  }

  /// Waits until a machine that resumes a saved guest has read all of it.
  public func waitUntilRestored() throws(LabError) {
    while try monitor("info status").contains("inmigrate") { usleep(20_000) }
  }

  /// Ends QEMU.
  public func quit() { try? send("vKill;1") }

  // MARK: The protocol

  private func command(_ request: String) throws(LabError) {
    let answer = try ask(request)
    guard answer == "OK" else { throw .debugStub(request: request, answer: answer) }
  }

  private func monitor(_ line: String) throws(LabError) -> String {
    let request = "qRcmd," + line.utf8.map { Self.hexadecimal($0) }.joined()
    try send(request)
    var output: [UInt8] = []
    while true {
      let answer = try receive()
      if answer == "OK" { return String(decoding: output, as: UTF8.self) }
      guard answer.hasPrefix("O") else { throw .debugStub(request: line, answer: answer) }
      output += try bytes(String(answer.dropFirst()), to: line)
    }
  }

  private func ask(_ request: String) throws(LabError) -> String {
    try send(request)
    return try receive()
  }

  private func send(_ request: String) throws(LabError) {
    let sum = request.utf8.reduce(UInt8(0), &+)
    try transmit(Array(("$" + request + "#" + Self.hexadecimal(sum)).utf8))
  }

  private func transmit(_ packet: [UInt8]) throws(LabError) {
    // Sound: the array's own pointer and count. A peer that has gone is an error, not a signal.
    let count = unsafe Glibc.send(socket, packet, packet.count, CInt(MSG_NOSIGNAL))
    guard count == packet.count else { throw Self.systemError("write to", path) }
  }

  /// The next packet's contents; acknowledgements between packets are passed over.
  private func receive() throws(LabError) -> String {
    while true {
      if let start = received.firstIndex(of: UInt8(ascii: "$")),
        let end = received[start...].firstIndex(of: UInt8(ascii: "#")),
        end + 2 < received.count
      {
        let packet = String(decoding: received[(start + 1)..<end], as: UTF8.self)
        received.removeSubrange(...(end + 2))
        try transmit([UInt8(ascii: "+")])
        return packet
      }
      var buffer = [UInt8](repeating: 0, count: 4096)
      // Sound: the array's own pointer and count.
      let count = unsafe recv(socket, &buffer, buffer.count, 0)
      guard count != 0 else {
        throw .system(operation: "read from", path: path, reason: "the guest has ended")
      }
      guard count > 0 else { throw Self.systemError("read from", path) }
      received += buffer[..<count]
    }
  }

  private func bytes(_ digits: String, to request: String) throws(LabError) -> [UInt8] {
    var result: [UInt8] = []
    var rest = digits.utf8[...]
    while !rest.isEmpty {
      guard let byte = UInt8(Substring(rest.prefix(2)), radix: 16) else {
        throw .debugStub(request: request, answer: digits)
      }
      result.append(byte)
      rest = rest.dropFirst(2)
    }
    return result
  }

  private static func hexadecimal(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16)
    return digits.count == 1 ? "0" + digits : digits
  }

  private static func systemError(_ operation: String, _ path: String) -> LabError {
    // Sound: strerror returns a string of the C library's.
    .system(operation: operation, path: path, reason: unsafe String(cString: strerror(errno)))
  }
}
