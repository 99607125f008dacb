/// A heap in a piece of memory that never grows: first fit over a list of free blocks in ascending
/// order of addresses, joined with their neighbours when they are given back.
///
/// ```
/// block   ┌──────────┬──────────┬────────────────────────┐
///         │ size     │ next     │ what the caller has …  │
///         └──────────┴──────────┴────────────────────────┘
///         size in bytes, with this header, a multiple of 16; next: the following free block, or
///         `taken` while the caller has it
/// ```
///
/// Not for several threads. Allocating is linear in the number of free blocks, as is giving back.
@safe
public struct FreeListHeap {
  private static var headerSize: Int { 16 }
  private static var unit: Int { 16 }
  /// No block's address: what `next` of a block that is not free says.
  private static var taken: UInt { 1 }

  /// The free block with the lowest address, 0 where there is none.
  private var first: UInt = 0
  /// The bytes that callers have, headers included.
  public private(set) var usedSize = 0
  public let capacity: Int

  /// A heap in `memory`.
  ///
  /// Sound where `memory` is the heap's alone for as long as the heap is used.
  public init(in memory: UnsafeMutableRawBufferPointer) {
    guard let base = memory.baseAddress else {
      capacity = 0
      return
    }
    let start = (UInt(bitPattern: base) + UInt(Self.unit - 1)) & ~UInt(Self.unit - 1)
    let end = (UInt(bitPattern: base) + UInt(memory.count)) & ~UInt(Self.unit - 1)
    guard end > start, Int(end - start) > Self.headerSize else {
      capacity = 0
      return
    }
    capacity = Int(end - start)
    Self.setSize(capacity, of: start)
    Self.setNext(0, of: start)
    first = start
  }

  /// `size` bytes at a multiple of `alignment`, a power of two; nil where no free block holds them.
  public mutating func allocate(size: Int, alignment: Int) -> UnsafeMutableRawPointer? {
    guard size >= 0, size < capacity, alignment > 0, alignment <= capacity else { return nil }
    let bytes = (max(size, Self.unit) + Self.unit - 1) & ~(Self.unit - 1)
    let alignment = UInt(max(alignment, Self.unit))
    var previous: UInt = 0
    var block = first
    while block != 0 {
      let end = block + UInt(Self.size(of: block))
      // The header goes right before the bytes; what lies before the header stays a free block of
      // its own, for which one unit is enough.
      let content = (block + UInt(Self.headerSize) + alignment - 1) & ~(alignment - 1)
      if content <= end, end - content >= UInt(bytes) {
        take(block, after: previous, content: content, bytes: bytes, end: end)
        // Sound: memory that the initializer was given, and nobody else's now.
        return unsafe UnsafeMutableRawPointer(bitPattern: content)
      }
      previous = block
      block = Self.next(of: block)
    }
    return nil
  }

  /// Takes back what `allocate` gave.
  ///
  /// - Precondition: it did, and has not had it back since.
  public mutating func free(_ pointer: UnsafeMutableRawPointer) {
    let block = UInt(bitPattern: pointer) - UInt(Self.headerSize)
    precondition(Self.next(of: block) == Self.taken)
    usedSize -= Self.size(of: block)
    var previous: UInt = 0
    var following = first
    while following != 0, following < block {
      previous = following
      following = Self.next(of: following)
    }
    Self.setNext(following, of: block)
    if previous == 0 { first = block } else { Self.setNext(block, of: previous) }
    joinWithNext(block)
    if previous != 0 { joinWithNext(previous) }
  }

  private mutating func take(
    _ block: UInt, after previous: UInt, content: UInt, bytes: Int, end: UInt
  ) {
    let header = content - UInt(Self.headerSize)
    var following = Self.next(of: block)
    var taken = Int(end - header)
    let rest = end - (content + UInt(bytes))
    if rest > UInt(Self.headerSize) {
      let remainder = content + UInt(bytes)
      Self.setSize(Int(rest), of: remainder)
      Self.setNext(following, of: remainder)
      following = remainder
      taken -= Int(rest)
    }
    if header > block {
      Self.setSize(Int(header - block), of: block)
      Self.setNext(following, of: block)
    } else if previous == 0 {
      first = following
    } else {
      Self.setNext(following, of: previous)
    }
    Self.setSize(taken, of: header)
    Self.setNext(Self.taken, of: header)
    usedSize += taken
  }

  private func joinWithNext(_ block: UInt) {
    let following = Self.next(of: block)
    guard following != 0, block + UInt(Self.size(of: block)) == following else { return }
    Self.setSize(Self.size(of: block) + Self.size(of: following), of: block)
    Self.setNext(Self.next(of: following), of: block)
  }

  // Sound, all of these: a block lies in the memory that the initializer was given, aligned to 16.

  private static func size(of block: UInt) -> Int {
    unsafe UnsafePointer<Int>(bitPattern: block).unsafelyUnwrapped[0]
  }

  private static func next(of block: UInt) -> UInt {
    unsafe UnsafePointer<UInt>(bitPattern: block).unsafelyUnwrapped[1]
  }

  private static func setSize(_ size: Int, of block: UInt) {
    unsafe UnsafeMutablePointer<Int>(bitPattern: block).unsafelyUnwrapped[0] = size
  }

  private static func setNext(_ next: UInt, of block: UInt) {
    unsafe UnsafeMutablePointer<UInt>(bitPattern: block).unsafelyUnwrapped[1] = next
  }
}
