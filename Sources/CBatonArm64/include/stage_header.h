// The header at the start of stage.bin and of the stage in memory.
//
// stage.bin is packed; in memory the sections lie STAGE_SECTION_STRIDE apart, so that each has
// pages of its own whatever the granule:
//
//   stage.bin            memory (from a base aligned to the stride)
//   ┌───────────┐        0x00000  code        read-only, executable  (this header first)
//   │ code      │        0x10000  constants   read-only
//   ├───────────┤        0x20000  writable    stacks and zeroed variables; not in the file
//   │ constants │        0x30000  handoff block
//   └───────────┘
#pragma once

#define STAGE_SECTION_STRIDE 0x10000

#define STAGE_HEADER_MAGIC 0x4547415453544e42  // "BNTSTAGE" in memory
#define STAGE_HEADER_VERSION 1

// Offsets for the assembly that writes the header.
#define STAGE_HEADER_LIFELINE 80
// Where a panic enters a copy of the stage that only has to say so, from its base.
#define STAGE_GUARD_ENTRY 112

#include "handoff_block.h"

#ifndef __ASSEMBLER__

struct baton_stage_section {
    uint32_t file_offset;
    uint32_t memory_offset;
    uint32_t file_size;    // a multiple of 8
    uint32_t memory_size;  // what is beyond file_size is zero
};

struct baton_stage_header {
    uint32_t branch;     // entered here: a branch over the header
    uint32_t version;    // of this header
    uint64_t magic;
    uint32_t block_version;  // the handoff block that this stage understands
    uint32_t block_offset;   // where it looks for it, from the base
    uint32_t build_id_offset;  // in the file: a GNU build-id note's 20 bytes
    uint32_t build_id_size;
    struct baton_stage_section code;
    struct baton_stage_section constants;
    struct baton_stage_section writable;
    struct baton_lifeline lifeline;  // filled in by the loader
    uint32_t guard_branch;           // entered here by a panic
    uint32_t reserved;
};

_Static_assert(
    __builtin_offsetof(struct baton_stage_header, lifeline) == STAGE_HEADER_LIFELINE,
    "stage header layout");
_Static_assert(
    __builtin_offsetof(struct baton_stage_header, guard_branch) == STAGE_GUARD_ENTRY,
    "stage header layout");
#endif
