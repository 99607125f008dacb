// What of relay cannot be Swift. The contracts stand beside the code. Empty but on arm64.
#pragma once

// sizeof(struct relay_context), for entry.S.
#define RELAY_CONTEXT_SIZE 160

// struct relay_control_slots, for control.S.
#define RELAY_SLOT_STAGE 0
#define RELAY_SLOT_ENTRY 8
#define RELAY_SLOT_HCR 16
#define RELAY_SLOT_HCRX 24
#define RELAY_SLOT_CPTR 32
#define RELAY_SLOT_VBAR 40
#define RELAY_SLOT_RANGES 48
#define RELAY_SLOT_DESTROYED 56
#define RELAY_SLOT_FIRST_RANGE 64
#define RELAY_MAXIMUM_RANGES 8
#define RELAY_CONTROL_SLOTS_SIZE 192

#if defined(__aarch64__) && !defined(__ASSEMBLER__)
#include <stddef.h>
#include <stdint.h>

#include "../../CBareMetal/include/stage_assembly.h"
#include "../../CBatonArm64/include/handoff_block.h"

#pragma clang assume_nonnull begin

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

// copy.S
void relay_copy(uint64_t destination, uint64_t source, uint64_t size);

// context.S: general registers, SIMD registers, the level's registers; see there.
struct relay_saved_context {
    uint64_t words[30];
};

void relay_with_saved_context(
    struct relay_saved_context *context, void (*body)(void *argument), void *argument);
// One that lasts.
struct relay_saved_context *relay_context_to_resume(void);
uint64_t relay_resume_address(void);

// control.S: what its code finds in the first bytes of its page.
struct relay_control_slots {
    uint64_t stage;  // where the stage is entered
    uint64_t entry;  // where the next program is entered, at EL2
    uint64_t hcr;    // as they were found at EL2
    uint64_t hcrx;
    uint64_t cptr;
    uint64_t vbar;
    uint64_t range_count;  // of what is destroyed
    uint64_t destroyed;    // in bytes; written
    uint64_t ranges[2 * RELAY_MAXIMUM_RANGES];  // start, end (exclusive)
};

_Static_assert(sizeof(struct relay_control_slots) == RELAY_CONTROL_SLOTS_SIZE, "slots layout");

uint64_t relay_control_page(void);
uint64_t relay_control_down_offset(void);
uint64_t relay_control_up_offset(void);
uint64_t relay_control_destroy_offset(void);

#pragma clang assume_nonnull end
#endif
