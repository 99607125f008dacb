import BareHeap
import BareMetal
import CRelay
import KexecRelocation

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

@c(relay_allocate)
@used
func relayAllocate(size: Int, alignment: Int) -> UnsafeMutableRawPointer {
  guard let pointer = unsafe heap?.allocate(size: size, alignment: alignment) else {
    // Without a string of more than 15 bytes, or one that is put together: that would allocate.
    var console = Console(lifeline.console)
    console.write("relay: the heap is full: ")
    console.write(decimal: UInt64(clamping: size))
    console.write(" bytes more were wanted")
    end(&console)
  }
  return unsafe pointer
}

@c(relay_free)
@used
func relayFree(pointer: UnsafeMutableRawPointer) {
  unsafe heap?.free(pointer)
}
