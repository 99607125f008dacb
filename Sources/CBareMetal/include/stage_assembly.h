// What cannot be written in Swift: switching translation, cache loops, firmware calls, the last
// branch. The contracts stand beside the code, in the .S file of the same subject.
#pragma once

// sizeof(struct baton_stage_context), for entry.S.
#define STAGE_CONTEXT_SIZE 2272

// sizeof(struct baton_shared_work), and offsets in it, for secondary.S and exceptions.S.
#define STAGE_SHARED_WORK_SIZE 320
#define STAGE_SHARED_WORK_SCTLR 24
#define STAGE_SHARED_WORK_LEVEL 40
#define STAGE_SHARED_WORK_FEATURES 56
#define STAGE_SHARED_WORK_REPORTER 296

// The forms of the relocation loop (relocate.S); it tests their bits by number.
#define BATON_MOVE_PAIRS 0
#define BATON_MOVE_MOPS 1
#define BATON_MOVE_UNCACHED 2

#if defined(__aarch64__) && !defined(__ASSEMBLER__)
#include <stddef.h>
#include <stdint.h>

#include "../../CBatonArm64/include/handoff_block.h"

#pragma clang assume_nonnull begin

// translation.S: the registers that switch one regime on, in the order in which it loads them.
struct baton_regime_registers {
    uint64_t ttbr0;
    uint64_t tcr;
    uint64_t mair;
    uint64_t sctlr;
    uint64_t ttbr1;  // 0 in a regime without one, and where it is not walked
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
    uint64_t ttbr1;  // 0 in a regime without one
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
    struct baton_reservation entries[BATON_MAXIMUM_RESERVATIONS];
};

// To Swift an array in C is a tuple, which it would copy, entry by entry.
static inline struct baton_reservation *baton_reservation_entries(
    struct baton_reservations *reservations) {
    return reservations->entries;
}

// What the Swift before the MMU is on (stage_prepare) hands to the one after (stage_execute), on
// the stack that entry.S sets up.
struct baton_stage_context {
    struct baton_regime_registers regime;  // first: entry.S passes it on
    struct baton_departure departure;
    uint64_t entered;  // CNTVCT_EL0
    struct baton_reservations reservations;
    // Where the extents were moved with the MMU off: when that began and ended, and how many bytes.
    uint64_t move_started;
    uint64_t moved;
    uint64_t bytes_moved;
    uint64_t unused;
};

_Static_assert(
    sizeof(struct baton_stage_context) == STAGE_CONTEXT_SIZE && STAGE_CONTEXT_SIZE % 16 == 0,
    "stage context layout");

// What the CPUs of the stage share, in its writable section.
struct baton_shared_work {
    // What a secondary CPU takes over from the one that entered the stage. It reads this with its
    // MMU off: written and cleaned to the point of coherency before it is started, and in cache
    // lines of its own, so that none of them is dirty then.
    struct baton_regime_registers regime;
    uint64_t level;            // CurrentEL
    uint64_t hcr;              // HCR_EL2, at EL2
    uint64_t feature_control;  // CPACR_EL1 or CPTR_EL2, SIMD allowed
    uint64_t conduit;          // for TPIDR_EL0 (exceptions.S)
    uint64_t unused[7];
    // From here on read and written with the MMU and the caches on.
    uint64_t next_run;    // of extents: the next that nobody has taken
    uint64_t next_piece;
    uint64_t bytes_moved;
    uint64_t bytes_verified;
    uint64_t mismatch;    // a piece that differs: its index plus one
    uint64_t stack_size;  // of a secondary CPU
    struct baton_departure departure;  // a secondary CPU's, but for its stack
    uint64_t reporter;    // MPIDR_EL1 of the CPU that reports a failure; 0 while there is none
    uint64_t padding[2];
};

_Static_assert(
    sizeof(struct baton_shared_work) == STAGE_SHARED_WORK_SIZE &&
        offsetof(struct baton_shared_work, regime.sctlr) == STAGE_SHARED_WORK_SCTLR &&
        offsetof(struct baton_shared_work, level) == STAGE_SHARED_WORK_LEVEL &&
        offsetof(struct baton_shared_work, feature_control) == STAGE_SHARED_WORK_FEATURES &&
        offsetof(struct baton_shared_work, next_run) == 128 &&
        offsetof(struct baton_shared_work, reporter) == STAGE_SHARED_WORK_REPORTER,
    "shared work layout");

// secondary.S: `address` is where CPU_ON starts a CPU; x0 is then the top of its stack.
uint64_t baton_secondary_entry_address(void);
struct baton_shared_work *baton_stage_shared_work(void);

// Counters that all CPUs change, MMU and caches on.
static inline uint64_t baton_take(uint64_t *counter) {
    return __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

// What was done before is seen by whoever reads the counter afterwards.
static inline void baton_complete(uint64_t *counter, uint64_t amount) {
    __atomic_fetch_add(counter, amount, __ATOMIC_RELEASE);
}

static inline void baton_publish(uint64_t *place, uint64_t value) {
    __atomic_store_n(place, value, __ATOMIC_RELEASE);
}

static inline uint64_t baton_completed(const uint64_t *counter) {
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

// One turn of a wait for other CPUs.
static inline void baton_pause(void) {
    __asm__ volatile("yield" : : : "memory");
}

// exceptions.S
void baton_claim_report(void);

// caches.S
void baton_clean_to_poc(uint64_t start, uint64_t end);
void baton_complete_cleaning(void);

// relocate.S: by the form BATON_MOVE_...
void baton_relocate(
    const struct baton_extent *extents, uint64_t count, uint64_t source_offset,
    uint64_t destination_offset, uint64_t form);

// psci.S
uint64_t baton_smc(uint64_t function, uint64_t, uint64_t, uint64_t);
uint64_t baton_hvc(uint64_t function, uint64_t, uint64_t, uint64_t);
// Where a CPU ends: the call's function and arguments are in x0 to x3.
uint64_t baton_last_smc_address(void);
uint64_t baton_last_hvc_address(void);
_Noreturn void baton_halt(void);

// entry.S: addresses, taken PC-relative.
uint64_t baton_stage_base(void);
uint64_t baton_stage_block(void);
uint64_t baton_stage_vectors(void);
uint64_t baton_stage_writable_start(void);
uint64_t baton_stage_writable_end(void);

#pragma clang assume_nonnull end
#endif
