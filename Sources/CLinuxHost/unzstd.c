#include "CLinuxHost.h"

#include <zstd.h>
#include <zstd_errors.h>

int linux_unzstd(
    const void *source, size_t source_size, void *target, size_t target_size, size_t *produced,
    size_t *unread) {
    *produced = 0;
    *unread = source_size;
    // The whole frame is there before and after: no window is buffered, whatever its size.
    size_t frame_size = ZSTD_findFrameCompressedSize(source, source_size);
    if (ZSTD_isError(frame_size))
        return ZSTD_getErrorCode(frame_size) == ZSTD_error_srcSize_wrong
            ? LINUX_DECOMPRESS_TRUNCATED
            : LINUX_DECOMPRESS_DAMAGED;
    size_t size = ZSTD_decompress(target, target_size, source, frame_size);
    if (ZSTD_isError(size)) {
        switch (ZSTD_getErrorCode(size)) {
        case ZSTD_error_dstSize_tooSmall: return LINUX_DECOMPRESS_TOO_LARGE;
        case ZSTD_error_memory_allocation: return LINUX_DECOMPRESS_NO_MEMORY;
        case ZSTD_error_dictionary_wrong:
        case ZSTD_error_version_unsupported:
        case ZSTD_error_frameParameter_unsupported: return LINUX_DECOMPRESS_UNSUPPORTED;
        default: return LINUX_DECOMPRESS_DAMAGED;
        }
    }
    *produced = size;
    *unread = source_size - frame_size;
    return LINUX_DECOMPRESSED;
}
