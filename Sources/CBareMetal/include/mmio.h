// Device memory, one access a call.
//
// Inline assembly instead of volatile: a compiler may turn a volatile access into a form with
// write-back, for which a hypervisor gets no syndrome and which it therefore cannot emulate.
#pragma once

#include <stdint.h>

#if defined(__aarch64__)
static inline uint32_t baton_mmio_read8(uint64_t address) {
    uint32_t value;
    __asm__ volatile("ldrb %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline uint32_t baton_mmio_read16(uint64_t address) {
    uint32_t value;
    __asm__ volatile("ldrh %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline uint32_t baton_mmio_read32(uint64_t address) {
    uint32_t value;
    __asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void baton_mmio_write8(uint64_t address, uint32_t value) {
    __asm__ volatile("strb %w0, [%1]" : : "r"(value), "r"(address) : "memory");
}

static inline void baton_mmio_write16(uint64_t address, uint32_t value) {
    __asm__ volatile("strh %w0, [%1]" : : "r"(value), "r"(address) : "memory");
}

static inline void baton_mmio_write32(uint64_t address, uint32_t value) {
    __asm__ volatile("str %w0, [%1]" : : "r"(value), "r"(address) : "memory");
}
#endif
