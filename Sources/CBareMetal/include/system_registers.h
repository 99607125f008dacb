// Readers of the system registers that Baton looks at, one a function, named as in the Arm ARM.
#pragma once

#include <stdint.h>

#if defined(__aarch64__)
#define BATON_READER(name, reg)                                  \
    static inline uint64_t baton_read_##name(void) {             \
        uint64_t value;                                          \
        __asm__ volatile("mrs %0, " #reg : "=r"(value));         \
        return value;                                            \
    }

BATON_READER(current_el, CurrentEL)
BATON_READER(mpidr_el1, mpidr_el1)
BATON_READER(hcr_el2, hcr_el2)
BATON_READER(cntvct_el0, cntvct_el0)
BATON_READER(cntfrq_el0, cntfrq_el0)
BATON_READER(id_aa64isar0_el1, id_aa64isar0_el1)
BATON_READER(id_aa64isar2_el1, S3_0_C0_C6_2)  // by encoding: the base architecture has it reserved
BATON_READER(id_aa64mmfr0_el1, id_aa64mmfr0_el1)
BATON_READER(id_aa64mmfr1_el1, id_aa64mmfr1_el1)
BATON_READER(id_aa64pfr1_el1, id_aa64pfr1_el1)
// By encoding, because the base architecture does not know them: ID_AA64MMFR3_EL1, which reads as
// zero there, and TCR2_ELx, which may be read only where its TCRX field is not zero.
BATON_READER(id_aa64mmfr2_el1, S3_0_C0_C7_2)
BATON_READER(id_aa64mmfr3_el1, S3_0_C0_C7_3)
BATON_READER(tcr2_el1, S3_0_C2_C0_3)
BATON_READER(tcr2_el2, S3_4_C2_C0_3)

BATON_READER(sctlr_el1, sctlr_el1)
BATON_READER(tcr_el1, tcr_el1)
BATON_READER(mair_el1, mair_el1)
BATON_READER(ttbr0_el1, ttbr0_el1)
BATON_READER(ttbr1_el1, ttbr1_el1)
BATON_READER(cpacr_el1, cpacr_el1)

BATON_READER(sctlr_el2, sctlr_el2)
BATON_READER(tcr_el2, tcr_el2)
BATON_READER(mair_el2, mair_el2)
BATON_READER(ttbr0_el2, ttbr0_el2)
BATON_READER(ttbr1_el2, S3_4_C2_C0_1)  // by encoding: only with FEAT_VHE
BATON_READER(cptr_el2, cptr_el2)
#undef BATON_READER

// The feature control of the current level: CPACR_EL1 at EL1, CPTR_EL2 at EL2. The instruction
// synchronization makes the next SIMD instruction see it.
static inline void baton_write_cpacr_el1(uint64_t value) {
    __asm__ volatile("msr cpacr_el1, %0\n\tisb" : : "r"(value) : "memory");
}

static inline void baton_write_cptr_el2(uint64_t value) {
    __asm__ volatile("msr cptr_el2, %0\n\tisb" : : "r"(value) : "memory");
}

// Where an exception finds the PSCI conduit without reading memory (see exceptions.S).
static inline void baton_write_tpidr_el0(uint64_t value) {
    __asm__ volatile("msr tpidr_el0, %0" : : "r"(value) : "memory");
}

// SMSTOP: leaves streaming mode, in which Advanced SIMD may be illegal. Encoded by hand because
// the base architecture does not know it; only where ID_AA64PFR1_EL1.SME is not 0.
static inline void baton_smstop(void) {
    __asm__ volatile(".inst 0xd503467f" : : : "memory");
}
#endif
