#include "CLinuxHost.h"

#include <lzma.h>

int linux_unlzma(
    const void *source, size_t source_size, void *target, size_t target_size, int is_alone,
    uint64_t memory_limit, size_t *produced, size_t *unread) {
    lzma_stream stream = LZMA_STREAM_INIT;
    lzma_ret status = is_alone ? lzma_alone_decoder(&stream, memory_limit)
                               : lzma_stream_decoder(&stream, memory_limit, LZMA_TELL_UNSUPPORTED_CHECK);
    if (status == LZMA_OK) {
        stream.next_in = source;
        stream.avail_in = source_size;
        stream.next_out = target;
        stream.avail_out = target_size;
        do {
            // All input is there from the beginning.
            status = lzma_code(&stream, LZMA_FINISH);
        } while (status == LZMA_OK);
    }
    *produced = target_size - stream.avail_out;
    *unread = stream.avail_in;
    int is_full = stream.avail_out == 0;
    lzma_end(&stream);
    switch (status) {
    case LZMA_STREAM_END: return LINUX_DECOMPRESSED;
    // No progress: for lack of room, or of input.
    case LZMA_BUF_ERROR: return is_full ? LINUX_DECOMPRESS_TOO_LARGE : LINUX_DECOMPRESS_TRUNCATED;
    case LZMA_MEM_ERROR:
    case LZMA_MEMLIMIT_ERROR: return LINUX_DECOMPRESS_NO_MEMORY;
    case LZMA_UNSUPPORTED_CHECK:
    case LZMA_OPTIONS_ERROR: return LINUX_DECOMPRESS_UNSUPPORTED;
    default: return LINUX_DECOMPRESS_DAMAGED;
    }
}
