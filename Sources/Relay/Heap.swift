import BareHeap
import CRelay

/// The heap that Embedded Swift allocates from (CRelay's heap.c): all the memory that the linker
/// script reserves for it.
nonisolated(unsafe) private var heap: FreeListHeap? = nil

/// To be called once, before anything is allocated.
func setUpHeap() {
  // Sound: the memory is the heap's alone, and relay runs on one CPU.
  unsafe heap = FreeListHeap(
    in: UnsafeMutableRawBufferPointer(
      start: UnsafeMutableRawPointer(bitPattern: UInt(relay_heap())),
      count: Int(relay_heap_end() - relay_heap())))
}

/// The most that has been allocated at a time, in bytes.
var heapPeak: Int { unsafe heap?.peakSize ?? 0 }

@c(relay_allocate)
@used
func relayAllocate(size: Int, alignment: Int) -> UnsafeMutableRawPointer {
  guard let pointer = unsafe heap?.allocate(size: size, alignment: alignment) else {
    fail("the heap is full: \(size) bytes more were wanted")
  }
  return unsafe pointer
}

@c(relay_free)
@used
func relayFree(pointer: UnsafeMutableRawPointer) {
  unsafe heap?.free(pointer)
}
