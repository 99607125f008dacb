#include "CLinuxHost.h"

#include <lzma.h>
#include <stdlib.h>

int linux_unlzma_begin(struct linux_decoder *decoder, int is_alone, uint64_t memory_limit) {
    lzma_stream *stream = malloc(sizeof *stream);
    if (!stream) return LINUX_DECOMPRESS_NO_MEMORY;
    *stream = (lzma_stream)LZMA_STREAM_INIT;
    decoder->state = stream;
    lzma_ret status = is_alone ? lzma_alone_decoder(stream, memory_limit)
                               : lzma_stream_decoder(stream, memory_limit, LZMA_TELL_UNSUPPORTED_CHECK);
    return status == LZMA_OK ? LINUX_DECOMPRESSING : LINUX_DECOMPRESS_NO_MEMORY;
}

int linux_unlzma(struct linux_decoder *decoder, size_t input) {
    lzma_stream *stream = decoder->state;
    size_t rest = decoder->source_size - decoder->consumed;
    size_t taken = input < rest ? input : rest;
    stream->next_in = (const uint8_t *)decoder->source + decoder->consumed;
    stream->avail_in = taken;
    stream->next_out = (uint8_t *)decoder->target + decoder->produced;
    stream->avail_out = decoder->target_size - decoder->produced;
    lzma_action action = taken < rest ? LZMA_RUN : LZMA_FINISH;
    lzma_ret status;
    do {
        status = lzma_code(stream, action);
    } while (status == LZMA_OK && (action == LZMA_FINISH || stream->avail_in > 0));
    decoder->consumed += taken - stream->avail_in;
    decoder->produced = decoder->target_size - stream->avail_out;
    switch (status) {
    case LZMA_OK: return LINUX_DECOMPRESSING;
    case LZMA_STREAM_END: return LINUX_DECOMPRESSED;
    // No progress: for lack of room, or of input.
    case LZMA_BUF_ERROR: return stream->avail_out == 0 ? LINUX_DECOMPRESS_TOO_LARGE : LINUX_DECOMPRESS_TRUNCATED;
    case LZMA_MEM_ERROR:
    case LZMA_MEMLIMIT_ERROR: return LINUX_DECOMPRESS_NO_MEMORY;
    case LZMA_UNSUPPORTED_CHECK:
    case LZMA_OPTIONS_ERROR: return LINUX_DECOMPRESS_UNSUPPORTED;
    default: return LINUX_DECOMPRESS_DAMAGED;
    }
}

void linux_unlzma_end(struct linux_decoder *decoder) {
    if (!decoder->state) return;
    lzma_end(decoder->state);
    free(decoder->state);
}
