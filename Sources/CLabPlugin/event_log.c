// The lab's TCG plugin: counts what the guest executes, and logs the counts at the moments that
// a handoff is made of.
//
// Arguments:
//   log=FILE     the log, one event a line (below); required
//   uart=ADDR    physical address of the UART's data register; PL011 of `virt` by default
//   stage=FILE   a program whose first execution is an event (dist/stage.bin)
//
// A line is: KIND TOTAL VCPU OWN OFF, then what the kind adds. TOTAL is the number of guest
// instructions completed so far on all vCPUs, the event's own included; OWN the same on VCPU; OFF
// the number of data accesses made so far with the caches off, on all vCPUs.
//   uart … BYTE          a byte was stored to the UART's data register
//   sctlr … EL PC VALUE  SCTLR_EL1 or SCTLR_EL2 (EL says which) is written
//   stage … EL PC        the first instruction of the stage= program is executed
//   code … EL PC SIZE    SIZE bytes of the stage= program, entered before, are about to be executed,
//                        for the first time since QEMU last dropped its translations
//   kernel … EL PC       the first instruction of an arm64 kernel Image is executed
// Counts are decimal, addresses and values hexadecimal.
//
// Instructions are counted per translation block, when it is entered; an event in the middle of a
// block takes back what the block has not yet executed. A block that an exception leaves early is
// counted whole: that is less than a thousandth, and the same from run to run.
#include "qemu_plugin_api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = API_VERSION;

enum { LEVELS = 4, MAXIMUM_VCPUS = 64, STAGE_WORDS = 8 };

// Per vCPU, added to by translated code itself.
typedef struct {
  uint64_t instructions;
  // Data accesses by the exception level that made them.
  uint64_t accesses[LEVELS];
} counts_t;

static struct qemu_plugin_scoreboard *counts;

static qemu_plugin_u64 instructions(void) {
  return (qemu_plugin_u64){counts, offsetof(counts_t, instructions)};
}

static qemu_plugin_u64 accesses(unsigned level) {
  return (qemu_plugin_u64){counts, offsetof(counts_t, accesses) + level * sizeof(uint64_t)};
}

// Per vCPU, changed at events only. EL0 is governed by SCTLR_EL1 and keeps an entry of its own.
typedef struct {
  bool cacheable[LEVELS];
  // Accesses with the caches off in the stretches that have ended, and where the current stretch
  // began.
  uint64_t off[LEVELS], since[LEVELS];
  bool host_extensions;  // HCR_EL2.E2H
} cache_state_t;

static cache_state_t states[MAXIMUM_VCPUS];

static FILE *event_log;
static uint64_t uart = 0x09000000;
static uint32_t stage_words[STAGE_WORDS];
static uint64_t stage_size, stage_start;

static struct qemu_plugin_register *general[32];
static struct qemu_plugin_register *pstate;

// CPUs run in threads of their own: each has a buffer, and writes a line under the log's own lock.
static _Thread_local GByteArray *buffer;

static GByteArray *emptied_buffer(void) {
  if (!buffer) buffer = g_byte_array_new();
  g_byte_array_set_size(buffer, 0);
  return buffer;
}

// ---- The log -----------------------------------------------------------------------------------

static uint64_t accesses_with_caches_off(void) {
  uint64_t sum = 0;
  for (int vcpu = 0; vcpu < qemu_plugin_num_vcpus() && vcpu < MAXIMUM_VCPUS; vcpu++)
    for (unsigned level = 0; level < LEVELS; level++) {
      sum += states[vcpu].off[level];
      if (!states[vcpu].cacheable[level])
        sum += qemu_plugin_u64_get(accesses(level), vcpu) - states[vcpu].since[level];
    }
  return sum;
}

// Begins a line, which `end` ends. `remaining`: instructions of the block after the event's own,
// counted already.
static void begin(const char *kind, unsigned vcpu, uint64_t remaining) {
  flockfile(event_log);
  fprintf(
    event_log, "%s %" PRIu64 " %u %" PRIu64 " %" PRIu64, kind,
    qemu_plugin_u64_sum(instructions()) - remaining, vcpu,
    qemu_plugin_u64_get(instructions(), vcpu) - remaining, accesses_with_caches_off());
}

static void end(void) {
  putc('\n', event_log);
  funlockfile(event_log);
}

// ---- Registers ---------------------------------------------------------------------------------

static uint64_t read_register(struct qemu_plugin_register *handle) {
  if (!handle) return 0;
  uint64_t value = 0;
  int size = qemu_plugin_read_register(handle, emptied_buffer());
  memcpy(&value, buffer->data, size > 8 ? 8 : size < 0 ? 0 : (size_t)size);
  return value;
}

static void vcpu_started(qemu_plugin_id_t id, unsigned vcpu) {
  (void)id;
  if (vcpu != 0) return;  // every vCPU has the same registers, under the same handles
  GArray *registers = qemu_plugin_get_registers();
  const qemu_plugin_reg_descriptor *all = (const void *)registers->data;
  for (unsigned i = 0; i < registers->len; i++) {
    char *end;
    if (all[i].name[0] == 'x' && all[i].name[1]) {
      unsigned long number = strtoul(all[i].name + 1, &end, 10);
      if (!*end && number < 31) general[number] = all[i].handle;
    } else if (!strcmp(all[i].name, "cpsr")) {
      pstate = all[i].handle;
    }
  }
}

// ---- Events ------------------------------------------------------------------------------------

static void stored(
  unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *remaining) {
  // The register begins a page, and a mapping keeps the offset in the page: most stores are
  // dismissed by this alone.
  if ((address ^ uart) & 0xfff) return;
  struct qemu_plugin_hwaddr *physical = qemu_plugin_get_hwaddr(info, address);
  if (!physical || qemu_plugin_hwaddr_phys_addr(physical) != uart) return;
  begin("uart", vcpu, (uintptr_t)remaining);
  fprintf(event_log, " %02x", qemu_plugin_mem_get_value(info).data.u8);
  end();
}

// A place in the guest's code that is an event when it is executed.
typedef struct {
  const char *kind;
  uint64_t pc, remaining;
  unsigned level, source;
  enum { SCTLR_BY_NAME_1, SCTLR_EL12, SCTLR_EL2, HCR_EL2 } target;
} place_t;

static void became(cache_state_t *state, unsigned vcpu, unsigned level, bool cacheable) {
  if (state->cacheable[level] == cacheable) return;
  uint64_t now = qemu_plugin_u64_get(accesses(level), vcpu);
  if (cacheable) state->off[level] += now - state->since[level];
  state->since[level] = now;
  state->cacheable[level] = cacheable;
}

static void system_register_written(unsigned vcpu, void *userdata) {
  const place_t *place = userdata;
  if (vcpu >= MAXIMUM_VCPUS) return;
  cache_state_t *state = &states[vcpu];
  uint64_t value = read_register(place->source == 31 ? NULL : general[place->source]);
  if (place->target == HCR_EL2) {
    state->host_extensions = value >> 34 & 1;
    return;
  }
  // With E2H, EL2 reaches its own register under EL1's name.
  bool redirected =
    place->target == SCTLR_BY_NAME_1 && place->level == 2 && state->host_extensions;
  unsigned level = place->target == SCTLR_EL2 || redirected ? 2 : 1;
  // Stage 1 translation off makes every data access Device memory, whatever C says.
  bool cacheable = (value & 1) && (value & 4);
  became(state, vcpu, level, cacheable);
  if (level == 1) became(state, vcpu, 0, cacheable);
  begin("sctlr", vcpu, place->remaining);
  fprintf(event_log, " %u %" PRIx64 " %" PRIx64, level, place->pc, value);
  end();
}

static void entered(unsigned vcpu, void *userdata) {
  const place_t *place = userdata;
  begin(place->kind, vcpu, place->remaining);
  fprintf(event_log, " %u %" PRIx64, place->level, place->pc);
  end();
}

// ---- Translation -------------------------------------------------------------------------------

// STR, STRH, STRB of a general register, at most 32 bits, in any addressing form but exclusive:
// how drivers write a UART's data register. Anything else is not worth a call at every store.
static bool may_write_uart(uint32_t word) {
  bool single_register = (word & 0x3a000000) == 0x38000000;
  bool simd = word & 1 << 26;
  bool store = (word >> 22 & 3) == 0;
  return single_register && !simd && store && word >> 30 != 3;
}

static bool is_system_register_write(uint32_t word, place_t *place) {
  switch (word & ~0x1fu) {
  case 0xd5181000: place->target = SCTLR_BY_NAME_1; break;  // msr sctlr_el1
  case 0xd51d1000: place->target = SCTLR_EL12; break;       // msr sctlr_el12
  case 0xd51c1000: place->target = SCTLR_EL2; break;        // msr sctlr_el2
  case 0xd51c1100: place->target = HCR_EL2; break;          // msr hcr_el2
  default: return false;
  }
  place->source = word & 0x1f;
  return true;
}

static bool guest_memory_is(uint64_t address, const void *expected, size_t size) {
  return qemu_plugin_read_memory_vaddr(address, emptied_buffer(), size) && buffer->len >= size &&
    !memcmp(buffer->data, expected, size);
}

static const char *const stage_kind = "stage";

static const char *entry_kind(uint64_t address, uint32_t word) {
  if (stage_size && word == stage_words[0] &&
    guest_memory_is(address, stage_words, sizeof stage_words))
    return stage_kind;
  // Linux's booting.rst: "MZ" where the image is an EFI program too, the magic at byte 56 always.
  if ((word & 0xffff) == 0x5a4d && guest_memory_is(address + 56, "ARM\x64", 4)) return "kernel";
  return NULL;
}

static void watch(struct qemu_plugin_insn *instruction, const place_t *place, bool writes) {
  place_t *kept = malloc(sizeof *kept);
  if (!kept) abort();
  *kept = *place;
  qemu_plugin_register_vcpu_insn_exec_cb(
    instruction, writes ? system_register_written : entered, QEMU_PLUGIN_CB_R_REGS, kept);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
  (void)id;
  size_t count = qemu_plugin_tb_n_insns(block);
  qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(
    block, QEMU_PLUGIN_INLINE_ADD_U64, instructions(), count);
  // QEMU never shares a block between exception levels, so the level for which it is translated
  // is the one at which it runs.
  unsigned level = read_register(pstate) >> 2 & 3;
  for (size_t i = 0; i < count; i++) {
    struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);
    uint32_t word = 0;
    if (qemu_plugin_insn_data(instruction, &word, sizeof word) != sizeof word) continue;
    place_t place = {
      .pc = qemu_plugin_insn_vaddr(instruction), .remaining = count - 1 - i, .level = level};
    // Loads and stores: the encodings' top-level group.
    if ((word & 0x0a000000) == 0x08000000) {
      qemu_plugin_register_vcpu_mem_inline_per_vcpu(
        instruction, QEMU_PLUGIN_MEM_RW, QEMU_PLUGIN_INLINE_ADD_U64, accesses(level), 1);
      if (may_write_uart(word))
        qemu_plugin_register_vcpu_mem_cb(
          instruction, stored, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_W,
          (void *)(uintptr_t)place.remaining);
    } else if (is_system_register_write(word, &place)) {
      watch(instruction, &place, true);
    }
    if (i == 0 && (place.kind = entry_kind(place.pc, word))) {
      if (place.kind == stage_kind) stage_start = place.pc;
      watch(instruction, &place, false);
    }
  }
  uint64_t start = qemu_plugin_tb_vaddr(block);
  if (stage_start && start - stage_start < stage_size) {
    begin("code", 0, 0);
    fprintf(event_log, " %u %" PRIx64 " %zu", level, start, count * 4);
    end();
  }
}

// ---- Loading -----------------------------------------------------------------------------------

static void finished(qemu_plugin_id_t id, void *userdata) {
  (void)id;
  (void)userdata;
  fclose(event_log);
}

static int refuse(const char *why, const char *what) {
  fprintf(stderr, "labplugin: %s%s\n", why, what);
  return -1;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
  (void)info;
  const char *path = NULL;
  for (int i = 0; i < argc; i++) {
    if (!strncmp(argv[i], "log=", 4)) {
      path = argv[i] + 4;
    } else if (!strncmp(argv[i], "uart=", 5)) {
      uart = strtoull(argv[i] + 5, NULL, 0);
    } else if (!strncmp(argv[i], "stage=", 6)) {
      FILE *file = fopen(argv[i] + 6, "rb");
      if (!file) return refuse("cannot open ", argv[i] + 6);
      bool enough = fread(stage_words, sizeof stage_words, 1, file) == 1;
      fseek(file, 0, SEEK_END);
      if (enough) stage_size = (uint64_t)ftell(file);
      fclose(file);
      if (!enough) return refuse("too short to be a stage: ", argv[i] + 6);
    } else {
      return refuse("unknown argument ", argv[i]);
    }
  }
  if (!path) return refuse("log=FILE is missing", "");
  event_log = fopen(path, "w");
  if (!event_log) return refuse("cannot create ", path);
  // A line at a time: the lab reads along, and a guest that is ended loses nothing.
  setvbuf(event_log, NULL, _IOLBF, 1 << 16);
  counts = qemu_plugin_scoreboard_new(sizeof(counts_t));
  qemu_plugin_register_vcpu_init_cb(id, vcpu_started);
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, finished, NULL);
  return 0;
}
