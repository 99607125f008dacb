#include "CLinuxHost.h"

// For ZSTD_d_stableOutBuffer, an option that has stayed as it is since 1.4.5.
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>

static int failure(size_t result) {
    switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_dstSize_tooSmall: return LINUX_DECOMPRESS_TOO_LARGE;
    case ZSTD_error_memory_allocation: return LINUX_DECOMPRESS_NO_MEMORY;
    case ZSTD_error_dictionary_wrong:
    case ZSTD_error_version_unsupported:
    case ZSTD_error_frameParameter_windowTooLarge:
    case ZSTD_error_frameParameter_unsupported: return LINUX_DECOMPRESS_UNSUPPORTED;
    default: return LINUX_DECOMPRESS_DAMAGED;
    }
}

int linux_unzstd_begin(struct linux_decoder *decoder) {
    size_t frame_size = ZSTD_findFrameCompressedSize(decoder->source, decoder->source_size);
    if (ZSTD_isError(frame_size))
        return ZSTD_getErrorCode(frame_size) == ZSTD_error_srcSize_wrong
            ? LINUX_DECOMPRESS_TRUNCATED
            : LINUX_DECOMPRESS_DAMAGED;
    ZSTD_DCtx *context = ZSTD_createDCtx();
    if (!context) return LINUX_DECOMPRESS_NO_MEMORY;
    decoder->state = context;
    // The whole target is there before and after: no window is buffered, whatever its size.
    ZSTD_DCtx_setParameter(context, ZSTD_d_stableOutBuffer, 1);
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, ZSTD_WINDOWLOG_MAX);
    return LINUX_DECOMPRESSING;
}

int linux_unzstd(struct linux_decoder *decoder, size_t input) {
    size_t rest = decoder->source_size - decoder->consumed;
    ZSTD_inBuffer in = {
        (const char *)decoder->source + decoder->consumed, input < rest ? input : rest, 0};
    ZSTD_outBuffer out = {decoder->target, decoder->target_size, decoder->produced};
    size_t wanted = 1;
    // It stops at the frame's end, with what stands behind it unread.
    while (in.pos < in.size) {
        size_t read = in.pos, written = out.pos;
        wanted = ZSTD_decompressStream(decoder->state, &out, &in);
        if (ZSTD_isError(wanted)) return failure(wanted);
        if (wanted == 0 || (in.pos == read && out.pos == written)) break;
    }
    decoder->consumed += in.pos;
    decoder->produced = out.pos;
    if (wanted == 0) return LINUX_DECOMPRESSED;
    return decoder->consumed < decoder->source_size && in.pos == in.size
        ? LINUX_DECOMPRESSING
        : LINUX_DECOMPRESS_TRUNCATED;
}

void linux_unzstd_end(struct linux_decoder *decoder) { ZSTD_freeDCtx(decoder->state); }
