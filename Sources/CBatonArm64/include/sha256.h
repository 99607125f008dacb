#pragma once
#include <stddef.h>
#include <stdint.h>

#if defined(__aarch64__)
/// The SHA-256 compression function over `blockCount` blocks of 64 bytes, by the instructions of
/// FEAT_SHA256. The caller has found the feature (HWCAP_SHA2, or ID_AA64ISAR0_EL1.SHA2) and, on
/// bare metal, has let SIMD through (CPACR_EL1.FPEN, CPTR_EL2). `data` needs no alignment where
/// memory is Normal; with the MMU off it must not be called.
void baton_sha256_blocks_armv8(uint32_t state[8], const void *data, size_t blockCount);
#endif
