#include "CLinuxHost.h"

#include <errno.h>
#include <zlib.h>

// What one call of inflate is given at most: its counters have 32 bits.
#define CHUNK ((size_t)1 << 30)

static uInt next_chunk(size_t *remaining) {
    size_t chunk = *remaining < CHUNK ? *remaining : CHUNK;
    *remaining -= chunk;
    return (uInt)chunk;
}

int linux_gunzip(const void *source, size_t source_size, void *target, size_t target_size) {
    z_stream stream = {0};
    stream.next_in = (Bytef *)source;
    stream.next_out = target;
    // 16: gzip's header and trailer, whose CRC and size zlib checks.
    if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) return LINUX_DECOMPRESS_NO_MEMORY;
    int status;
    do {
        if (stream.avail_in == 0) stream.avail_in = next_chunk(&source_size);
        if (stream.avail_out == 0) stream.avail_out = next_chunk(&target_size);
        status = inflate(&stream, Z_NO_FLUSH);
    } while (status == Z_OK);
    size_t unread = source_size + stream.avail_in;
    size_t unwritten = target_size + stream.avail_out;
    inflateEnd(&stream);
    switch (status) {
    case Z_STREAM_END:
        return unread > 0 || unwritten > 0 ? LINUX_DECOMPRESS_WRONG_SIZE : LINUX_DECOMPRESSED;
    case Z_BUF_ERROR:
        // No progress: for lack of input, or of room.
        return unread == 0 && unwritten > 0 ? LINUX_DECOMPRESS_TRUNCATED : LINUX_DECOMPRESS_WRONG_SIZE;
    case Z_MEM_ERROR:
        return LINUX_DECOMPRESS_NO_MEMORY;
    default:
        return LINUX_DECOMPRESS_DAMAGED;
    }
}
