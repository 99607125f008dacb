// The record that the stage leaves for the next kernel's user space: when it did what, by the
// architectural counter. It lies in the bytes of a property of the next kernel's device tree,
// /chosen/baton,handoff-record, which the loader reserves as zeros; the digests are of the zeros,
// so the stage writes it after verification. Little-endian; a property's bytes are aligned to 4
// only, so it is copied in and out, never used in place.
#pragma once

#include <stdint.h>

#define BATON_RECORD_MAGIC 0x44524f43524e5442ull  // "BTNRCORD" in memory
#define BATON_RECORD_VERSION 1

struct baton_handoff_record {
    uint64_t magic;
    uint32_t version;
    uint32_t size;               // of this struct, in bytes
    uint64_t counter_frequency;  // CNTFRQ_EL0, in Hz
    // CNTVCT_EL0: what CLOCK_MONOTONIC is made from, too.
    uint64_t entered;
    uint64_t translation_on;  // where extents are moved with the MMU off: when that began
    uint64_t moved;
    uint64_t verified;
    uint64_t left;
    uint64_t bytes_moved;
    uint64_t bytes_verified;
    uint64_t plan_digest;  // the handoff block's checksum: which plan this was
};

_Static_assert(sizeof(struct baton_handoff_record) == 88, "record layout");
