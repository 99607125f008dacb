#include "CLinuxHost.h"

#include <stdlib.h>
#include <zlib.h>

// What one call of inflate is given at most: its counters have 32 bits.
#define CHUNK ((size_t)1 << 30)

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

int linux_gunzip_begin(struct linux_decoder *decoder) {
    z_stream *stream = calloc(1, sizeof *stream);
    if (!stream) return LINUX_DECOMPRESS_NO_MEMORY;
    // 16: gzip's header and trailer, whose CRC and size zlib checks.
    if (inflateInit2(stream, 16 + MAX_WBITS) != Z_OK) {
        free(stream);
        return LINUX_DECOMPRESS_NO_MEMORY;
    }
    decoder->state = stream;
    return LINUX_DECOMPRESSING;
}

int linux_gunzip(struct linux_decoder *decoder, size_t input) {
    z_stream *stream = decoder->state;
    size_t left = smaller(input, decoder->source_size - decoder->consumed);
    int status;
    do {
        size_t in = smaller(left, CHUNK);
        size_t out = smaller(decoder->target_size - decoder->produced, CHUNK);
        stream->next_in = (Bytef *)decoder->source + decoder->consumed;
        stream->avail_in = (uInt)in;
        stream->next_out = (Bytef *)decoder->target + decoder->produced;
        stream->avail_out = (uInt)out;
        status = inflate(stream, Z_NO_FLUSH);
        left -= in - stream->avail_in;
        decoder->consumed += in - stream->avail_in;
        decoder->produced += out - stream->avail_out;
        if (status == Z_OK && left == 0 && decoder->consumed < decoder->source_size)
            return LINUX_DECOMPRESSING;
    } while (status == Z_OK);
    int is_read = decoder->consumed == decoder->source_size;
    int is_full = decoder->produced == decoder->target_size;
    switch (status) {
    case Z_STREAM_END: return is_read && is_full ? LINUX_DECOMPRESSED : LINUX_DECOMPRESS_WRONG_SIZE;
    // No progress: for lack of input, or of room.
    case Z_BUF_ERROR: return is_read && !is_full ? LINUX_DECOMPRESS_TRUNCATED : LINUX_DECOMPRESS_WRONG_SIZE;
    case Z_MEM_ERROR: return LINUX_DECOMPRESS_NO_MEMORY;
    default: return LINUX_DECOMPRESS_DAMAGED;
    }
}

void linux_gunzip_end(struct linux_decoder *decoder) {
    if (!decoder->state) return;
    inflateEnd(decoder->state);
    free(decoder->state);
}
