// The handoff block: what the loader tells the stage. Written once here, for C, assembly and Swift.
//
// Little-endian, 8-byte aligned, physical addresses throughout:
//
//   0x000  ┌───────────────────────────────┐
//          │ struct baton_handoff_block    │  fixed part
//          ├───────────────────────────────┤  extents.offset
//          │ struct baton_extent × count   │
//          ├───────────────────────────────┤  pieces.offset
//          │ struct baton_piece × count    │
//          ├───────────────────────────────┤  redistributors.offset
//          │ struct baton_redistributors   │
//          │ × count                       │
//          ├───────────────────────────────┤  processors.offset
//          │ uint64_t × count              │
//   size   └───────────────────────────────┘
//
// Fields are appended to the fixed part, never moved: whatever the version, magic, version, size,
// checksum, address, fixed_size and lifeline are found where they are. A stage refuses a version and a
// fixed part that it does not know, larger (fields that it would ignore) or smaller (fields that it
// would make up), and a strategy that is not its own. A change of meaning takes a new version.
#pragma once

#define BATON_BLOCK_MAGIC 0x4b434f4c424e5442ull  // "BTNBLOCK" in memory
#define BATON_BLOCK_VERSION 2

// baton_handoff_block.strategy: how the extents are moved.
#define BATON_STRATEGY_MAPPED 0    // MMU and caches on, through the tables
#define BATON_STRATEGY_UNCACHED 1  // MMU off, destination lines invalidated first
#define BATON_STRATEGY_NONE 2      // nothing moves, and there are no tables

// baton_extent.source: nothing is read, zeros are written.
#define BATON_EXTENT_ZEROS 0xffffffffffffffffull

// Bits of baton_lifeline.flags.
#define BATON_LIFELINE_HALT_ON_FAILURE 0x1

// baton_lifeline.console_kind
#define BATON_CONSOLE_NONE 0
#define BATON_CONSOLE_PL011 1
#define BATON_CONSOLE_NS16550 2

// baton_lifeline.psci_conduit
#define BATON_PSCI_NONE 0
#define BATON_PSCI_SMC 1
#define BATON_PSCI_HVC 2

// PSCI's function numbers (Arm DEN 0022).
#define BATON_PSCI_CPU_OFF 0x84000002
#define BATON_PSCI_CPU_ON 0xC4000003
#define BATON_PSCI_AFFINITY_INFO 0xC4000004
#define BATON_PSCI_SYSTEM_RESET 0x84000009

// The most that baton_handoff_block.processors may hold.
#define BATON_MAXIMUM_PROCESSORS 64

// How many tables of LPIs the stage can have the next kernel leave alone, and how many spare
// reservations a tree is given for that: the pending tables of 128 CPUs, and their common one.
#define BATON_MAXIMUM_RESERVATIONS 129

// baton_piece.segment
#define BATON_SEGMENT_KERNEL 0
#define BATON_SEGMENT_INITRD 1
#define BATON_SEGMENT_DEVICE_TREE 2
#define BATON_SEGMENT_CRASH_REGION 3
#define BATON_SEGMENT_CORE_HEADER 4

#ifndef __ASSEMBLER__
#include <stdint.h>

// What the stage needs in order to say that something is wrong and to reset. There are two copies,
// one in the stage's first page and one in the block, each with its own checksum, so that whatever
// single thing is damaged, the other copy still reports it.
struct baton_lifeline {
    uint64_t console_base;
    uint32_t console_kind;
    uint32_t psci_conduit;
    uint32_t flags;
    // BATON_CONSOLE_NS16550: register n lies at n << shift and is accessed with width bytes.
    // 0 for other kinds.
    uint16_t console_shift;
    uint16_t console_width;
    uint64_t checksum;  // XXH64 of the fields above
};

// How to translate in one family of regimes. EL1&0 and EL2&0 (VHE) share a layout; EL2's own
// regime has another. Where the loader knows the level, only one of the two is filled in.
struct baton_translation {
    uint64_t root;   // TTBR0; 0: not prepared for this family
    uint64_t tcr;    // TCR_ELx with IPS/PS left 0
    uint64_t mair;
    uint64_t upper;  // TTBR1; 0: not used (TCR.EPD1 set, or a regime without one)
};

struct baton_array {
    uint32_t offset;  // from the start of the block, in bytes, a multiple of 8
    uint32_t count;
};

// A run of bytes to be moved before verification. Multiples of 64 bytes.
struct baton_extent {
    uint64_t source;  // or BATON_EXTENT_ZEROS
    uint64_t destination;
    uint64_t size;
};

// At most 1 MiB of one segment, and the SHA-256 that it must have when the next kernel starts.
struct baton_piece {
    uint64_t address;
    uint32_t size;
    uint32_t segment;
    uint8_t digest[32];
};

// Frames of GICv3 redistributors, one behind the other.
struct baton_redistributors {
    uint64_t start;
    uint64_t size;
    uint64_t stride;  // 0: as the frames themselves say
};

struct baton_handoff_block {
    uint64_t magic;
    uint32_t version;
    uint32_t size;       // of the whole block, arrays included, in bytes, a multiple of 8
    uint64_t checksum;   // XXH64: stage code, stage constants, tables, then the block but this field
    uint64_t address;    // where this block lies
    uint32_t fixed_size; // sizeof(struct baton_handoff_block) of whoever wrote it
    uint32_t strategy;
    struct baton_lifeline lifeline;

    // The last branch.
    uint64_t entry;
    uint64_t arguments[4];

    // Translation tables, contiguous. Both families' roots lie in this range.
    uint64_t tables;
    uint64_t table_size;
    struct baton_translation el1_layout;  // EL1&0, and EL2&0 where HCR_EL2.E2H is set
    struct baton_translation el2_layout;  // EL2's own regime
    uint32_t granule_shift;               // 12, 14 or 16
    uint32_t kernel_granule_shift;        // the next kernel's pages, likewise; 0: it does not say

    struct baton_array extents;
    struct baton_array pieces;

    // Where a struct baton_handoff_record goes after verification (see handoff_record.h); 0: nowhere.
    uint64_t record;

    // Where LPIs have to be switched off.
    struct baton_array redistributors;

    // What the next kernel takes from its first byte on, beyond what is loaded.
    uint64_t kernel_memory_size;

    // Added, modulo 2^64, to an extent's physical addresses: the virtual ones at which it is read and
    // written. 0 where the map is an identity.
    uint64_t source_offset;
    uint64_t destination_offset;

    // The CPUs that share the work, by their affinity (MPIDR_EL1.Aff0 to Aff3), the one that enters
    // the stage among them; at most BATON_MAXIMUM_PROCESSORS. None: it works alone.
    struct baton_array processors;
    // Their stacks: memory that nothing was loaded into, in as many equal slots as there are
    // processors. The upper half of a slot is the stack; the lower half is not mapped.
    uint64_t stacks;
    uint64_t stacks_size;
    // How much of kernel_memory_size is loaded. The rest is the next kernel's to clear, but what the
    // old one left of it in the caches has to go: Linux has a stack there before its MMU is on.
    uint64_t kernel_loaded_size;
    // Its first byte: entry, unless something comes in between.
    uint64_t kernel;
};

// Offsets that the checksum and the tests rely on.
#define BATON_BLOCK_CHECKSUM_OFFSET 16

_Static_assert(sizeof(struct baton_lifeline) == 32, "lifeline layout");
_Static_assert(sizeof(struct baton_piece) == 48, "piece layout");
_Static_assert(sizeof(struct baton_extent) == 24, "extent layout");
_Static_assert(__builtin_offsetof(struct baton_handoff_block, checksum) == 16, "block layout");
_Static_assert(__builtin_offsetof(struct baton_handoff_block, lifeline) == 40, "block layout");
_Static_assert(sizeof(struct baton_handoff_block) % 8 == 0, "block alignment");
#endif
