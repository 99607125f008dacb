import BareHeap
import TestSupport
import Testing

@Suite("The heap without a system")
struct FreeListHeapTests {
  /// A heap of `size` bytes, and the memory that it lives in.
  private func withHeap(_ size: Int, _ body: (inout FreeListHeap) -> Void) {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
    defer { unsafe memory.deallocate() }
    var heap = unsafe FreeListHeap(in: memory)
    body(&heap)
  }

  @Test("What is handed out is aligned, never overlaps, and keeps its content until given back")
  func randomUse() {
    var generator = SeededGenerator(seed: 4)
    struct Block {
      let address: UInt
      let size: Int
      let mark: UInt8

      var bytes: UnsafeMutableBufferPointer<UInt8> {
        unsafe UnsafeMutableBufferPointer(
          start: UnsafeMutablePointer(bitPattern: address), count: size)
      }
    }
    withHeap(1 << 20) { heap in
      var blocks: [Block] = []
      for _ in 0..<20_000 {
        if blocks.isEmpty || Bool.random(using: &generator) {
          let size = Int.random(in: 0...3000, using: &generator)
          let alignment = 1 << Int.random(in: 0...12, using: &generator)
          guard let raw = unsafe heap.allocate(size: size, alignment: alignment) else { continue }
          let block = Block(
            address: UInt(bitPattern: raw), size: size,
            mark: UInt8.random(in: 0...255, using: &generator))
          #expect(block.address % UInt(alignment) == 0)
          for index in 0..<size { unsafe block.bytes[index] = block.mark }
          blocks.append(block)
        } else {
          let block = blocks.remove(at: Int.random(in: 0..<blocks.count, using: &generator))
          let isWhole = unsafe block.bytes.allSatisfy { $0 == block.mark }
          #expect(isWhole)
          unsafe heap.free(UnsafeMutableRawPointer(bitPattern: block.address)!)
        }
      }
      for block in blocks { unsafe heap.free(UnsafeMutableRawPointer(bitPattern: block.address)!) }
      #expect(heap.usedSize == 0)
      // All of it is one block again.
      let everything = unsafe heap.allocate(size: (1 << 20) - 16, alignment: 16)
      #expect(unsafe everything != nil)
    }
  }

  @Test("A full heap says so, and goes on when something was given back")
  func exhaustion() {
    withHeap(4096) { heap in
      let first = unsafe heap.allocate(size: 2000, alignment: 16)
      let second = unsafe heap.allocate(size: 2000, alignment: 16)
      let third = unsafe heap.allocate(size: 2000, alignment: 16)
      #expect(unsafe first != nil && second != nil && third == nil)
      if let first = unsafe first { unsafe heap.free(first) }
      let fourth = unsafe heap.allocate(size: 2000, alignment: 16)
      #expect(unsafe fourth != nil)
      let huge = unsafe heap.allocate(size: .max, alignment: 16)
      #expect(unsafe huge == nil)
    }
  }
}
