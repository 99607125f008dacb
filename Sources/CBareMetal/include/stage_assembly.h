// What cannot be written in Swift: switching translation, cache loops, firmware calls, the last
// branch. The contracts stand beside the code, in the .S file of the same subject.
#pragma once

// sizeof(struct baton_stage_context), for entry.S.
#define STAGE_CONTEXT_SIZE 432

#if defined(__aarch64__) && !defined(__ASSEMBLER__)
#include <stdint.h>

// translation.S: the registers that switch one regime on, in the order in which it loads them.
struct baton_regime_registers {
    uint64_t ttbr0;
    uint64_t tcr;
    uint64_t mair;
    uint64_t sctlr;
};

void baton_translation_on(
    const struct baton_regime_registers *registers, uint64_t writable_start, uint64_t writable_end);

// leave.S: everything the last branch needs, in the order in which it loads it.
struct baton_departure {
    uint64_t entry;
    uint64_t arguments[4];
    uint64_t writable_start;
    uint64_t writable_end;
    // As they were found at entry.
    uint64_t sctlr;
    uint64_t tcr;
    uint64_t mair;
    uint64_t ttbr0;
    uint64_t feature_control;  // CPACR_EL1 or CPTR_EL2
    uint64_t vbar;
    uint64_t tcr2;  // 0 where the CPU has none
};

_Noreturn void baton_leave(const struct baton_departure *departure);

// Memory that the next kernel has to leave alone: the tables of redistributors that keep their LPIs
// on. A property table for all, and a pending table a CPU.
struct baton_reservation {
    uint64_t start;
    uint64_t size;
};

struct baton_reservations {
    uint64_t count;
    struct baton_reservation entries[17];
};

// What the Swift before the MMU is on (stage_prepare) hands to the one after (stage_execute), on
// the stack that entry.S sets up.
struct baton_stage_context {
    struct baton_regime_registers regime;  // first: entry.S passes it on
    struct baton_departure departure;
    uint64_t entered;  // CNTVCT_EL0
    struct baton_reservations reservations;
};

_Static_assert(
    sizeof(struct baton_stage_context) == STAGE_CONTEXT_SIZE && STAGE_CONTEXT_SIZE % 16 == 0,
    "stage context layout");

// caches.S, copy.S
void baton_clean_to_poc(uint64_t start, uint64_t end);
void baton_copy_lines(uint64_t destination, uint64_t source, uint64_t size);

// psci.S
uint64_t baton_smc(uint64_t function);
uint64_t baton_hvc(uint64_t function);
_Noreturn void baton_halt(void);

// The linker script's addresses, taken PC-relative.
uint64_t baton_stage_base(void);
uint64_t baton_stage_block(void);
uint64_t baton_stage_writable_start(void);
uint64_t baton_stage_writable_end(void);
#endif
