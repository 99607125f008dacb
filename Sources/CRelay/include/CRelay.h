// What of relay cannot be Swift. The contracts stand beside the code. Empty but on arm64.
#pragma once

// sizeof(struct relay_context), for entry.S.
#define RELAY_CONTEXT_SIZE 144

#if defined(__aarch64__) && !defined(__ASSEMBLER__)
#include <stddef.h>
#include <stdint.h>

#include "../../CBareMetal/include/stage_assembly.h"
#include "../../CBatonArm64/include/handoff_block.h"

// What the Swift before the MMU is on (relay_prepare) hands to the one after (relay_main), on the
// stack that entry.S sets up.
struct relay_context {
    struct baton_regime_registers regime;  // first: entry.S passes it on
    struct baton_departure departure;      // how the machine was found
};

_Static_assert(
    sizeof(struct relay_context) == RELAY_CONTEXT_SIZE && RELAY_CONTEXT_SIZE % 16 == 0,
    "context layout");

// How to report and to reset, for whoever has to: exceptions, too. Zero until the tree was read.
struct baton_lifeline *relay_lifeline(void);

// The linker script's addresses, taken PC-relative.
uint64_t relay_base(void);
uint64_t relay_code_end(void);
uint64_t relay_constants_end(void);
uint64_t relay_stack_guard(void);
uint64_t relay_early_tables(void);
uint64_t relay_early_tables_end(void);
uint64_t relay_heap(void);
uint64_t relay_heap_end(void);

// level.S
void relay_switch_tables(const struct baton_regime_registers *registers);
uint64_t relay_change_host(void);
#endif
