// The lab's second TCG plugin: a model of the caches that QEMU does not have. It follows every line
// of memory by its physical address, and says where the stage relies on luck.
//
// Arguments:
//   log=FILE     the log (below); required
//   stage=FILE   the stage (dist/stage.bin), whose first instruction opens the window in which
//                violations are looked for; the next kernel's first closes it; required
//   ram=ADDRESS  where RAM begins, in hexadecimal digits; without it, where it does on `virt`. The
//                first 16 GiB from there on are followed
//
// Besides the caches it follows what orders them in the stage: barriers, the TLB, and writes of system
// registers. Of a line of 64 bytes the model knows whether it is
//   dirty      stored to with the caches on, and not cleaned since (`dc cvac`, `dc civac`, `dc zva`
//              is a store); dirty lines are followed from the plugin's start on, so that what the
//              old kernel left behind counts
//   absent     invalidated with the caches off, which have not been on since: in no cache, so that a
//              store around the caches leaves nothing behind in them. Kernels before Linux 5.16
//              relocate like this, MMU off, and so does *off*
//   around     stored to with the caches off when it was not absent, and not invalidated since
//              (`dc ivac`, `dc civac`)
//   written    stored to either way since the last `ic iallu` or `ic ivau`
// Set/way operations count for nothing: a CPU's own caches are not all that lie before memory.
//
// In the stage (Arm ARM D7.5.9, "Ordering and completion of data and instruction cache
// instructions"; D8.17, "TLB maintenance"; B2.7.3, barriers; D24.1.2, system registers):
//   - `dc` is not ordered behind stores made around the caches, unless by a `dmb sy` or `dsb sy`, and
//     has its effect at the next `dsb sy`: a smaller domain or type does not cover it;
//   - `ic iallu` has its effect at the `isb` behind the `dsb` behind it;
//   - the TLB holds stale entries at the stage's entry (Linux leaves them), and again from where the
//     MMU goes on or a register that it may cache (MAIR, TCR, TCR2, TTBR0) is written. `tlbi` of this
//     level rids it of them, if by then all such writes are synchronized and the MMU is off, from the
//     `isb` behind the `dsb` behind it on;
//   - a write of a system register may have had its effect or not, until an `isb`.
// Each CPU has barriers, a TLB and registers of its own, and is as PSCI starts it when its first
// instruction in the stage comes: MMU and caches off. Which lines an instruction cache may hold an old
// copy of is followed for the CPU that enters the stage and the next kernel; that another CPU begins
// with an invalidation is all that is asked of it.
//
// The log: a line `violation KIND PA PC` for each of the first of each kind, and at the next
// kernel's first instruction `jump PC`, then `count KIND NUMBER` for every kind:
//   read     a load with the caches off, of a dirty line: it finds what was there before
//   write    a store with the caches off, to a dirty line: an eviction undoes it
//   fetch    an instruction with the MMU off, from a dirty line
//   drop     `dc ivac` of a dirty line
//   stale    an access with the caches on, of a line that was stored to around them: what the caches
//            hold may be older
//   icache   an instruction from a line written since the instruction cache was invalidated; or the
//            caches of a CPU that was started go on, of address 0, while its instruction cache may hold
//            what it held when it went off
//   left     at the jump: a dirty line that the stage made, or in a piece that the handoff block
//            lists, or in the memory that the next kernel takes from its first byte on
//   order    `dc` of a line that a store around the caches may still be on its way to
//   tlb      the MMU goes on, or the next kernel starts, while the TLB may hold what it must not; of
//            address 0
//   sync     what depends on a system register comes before the `isb` that its write needs: loads
//            and stores (VBAR, by which they fault; SCTLR), SIMD instructions (CPACR, CPTR), writes
//            of CPTR (HCR, which chooses its layout) and of the translation's registers (SCTLR, which
//            may have the MMU still on), the jump (all).
//            Also the MMU going off without an `isb` right before (Falkor erratum 1041). Of address 0
// and `checked NAME NUMBER` for how much was looked at, so that silence can be told from absence:
// loads, stores, blocks (of instructions), maintenance, barriers, registers.
//
// What it does not see: memory elsewhere; what tables with addresses of 52 bits map; table walks; lines
// that EL0's `dc zva` makes; caches of devices. Addresses of
// maintenance in the stage are translated by its own tables, which it maps at their own addresses.
// Before, they are translated as the guest's accesses have shown: alike with the MMU off and for code
// that runs at its own physical address, by one offset in Linux's linear map, and otherwise by the
// last store to the same page.
#include "../CBatonArm64/include/handoff_block.h"
#include "../CBatonArm64/include/stage_header.h"
#include "../CLabPlugin/qemu_plugin_api.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = API_VERSION;

// Resolved in QEMU, like the interface's other symbols.
void qemu_plugin_register_vcpu_tb_exec_cb(
  struct qemu_plugin_tb *, qemu_plugin_vcpu_udata_cb_t, enum qemu_plugin_cb_flags, void *);
unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t);
uint8_t *g_byte_array_free(GByteArray *, int free_segment);

enum { LEVELS = 4, MAXIMUM_VCPUS = 64, STAGE_WORDS = 8, PAGES = 1 << 16, MAXIMUM_LOGGED = 16 };

// Where RAM begins: on QEMU's `virt`, unless an argument says otherwise. Bit maps of a line each; the
// host gives memory only to what is used.
static uint64_t ram_start = 0x40000000;
static const uint64_t ram_size = 16ull << 30;
static const unsigned line_shift = 6;

typedef _Atomic uint64_t word_t;
static word_t *dirty, *during, *around, *absent, *written;

typedef enum {
  READ, WRITE, FETCH, DROP, STALE, ICACHE, LEFT, ORDER, TLB, SYNC, KINDS
} kind_t;
static const char *const kind_names[KINDS] = {
  "read", "write", "fetch", "drop", "stale", "icache", "left", "order", "tlb", "sync"};
static _Atomic uint64_t violations[KINDS];

typedef enum { LOADS, STORES, BLOCKS, MAINTENANCE, BARRIERS, REGISTERS, CHECKS } check_t;
static const char *const check_names[CHECKS] = {
  "loads", "stores", "blocks", "maintenance", "barriers", "registers"};
static _Atomic uint64_t checked[CHECKS];

static _Atomic enum { BEFORE, IN_STAGE, AFTER } window;
static FILE *violation_log;
static uint32_t stage_words[STAGE_WORDS];

// By vCPU and level; EL0 has SCTLR_EL1's.
static bool cacheable[MAXIMUM_VCPUS][LEVELS];

static struct qemu_plugin_register *general[32], *pstate, *hypervisor_configuration;
// TTBR0 and TTBR1, TCR; by level.
static struct qemu_plugin_register *table_bases[LEVELS][2], *translation_controls[LEVELS];

// ---- The guest's state --------------------------------------------------------------------------

static uint64_t read_register(struct qemu_plugin_register *handle) {
  if (!handle) return 0;
  GByteArray *bytes = g_byte_array_new();
  uint64_t value = 0;
  int size = qemu_plugin_read_register(handle, bytes);
  memcpy(&value, bytes->data, size > 8 ? 8 : size < 0 ? 0 : (size_t)size);
  g_byte_array_free(bytes, 1);
  return value;
}

static uint64_t guest_word(uint64_t address, size_t size) {
  GByteArray *bytes = g_byte_array_new();
  uint64_t value = 0;
  if (qemu_plugin_read_memory_vaddr(address, bytes, size) && bytes->len >= size)
    memcpy(&value, bytes->data, size);
  g_byte_array_free(bytes, 1);
  return value;
}

// ---- Lines -------------------------------------------------------------------------------------

static bool is_ram(uint64_t address) { return address - ram_start < ram_size; }
static uint64_t line_of(uint64_t address) { return (address - ram_start) >> line_shift; }
static bool has(word_t *map, uint64_t line) {
  return atomic_load_explicit(&map[line / 64], memory_order_relaxed) >> line % 64 & 1;
}
static void set(word_t *map, uint64_t line) {
  if (!has(map, line)) atomic_fetch_or(&map[line / 64], 1ull << line % 64);
}
static void clear(word_t *map, uint64_t line) {
  if (has(map, line)) atomic_fetch_and(&map[line / 64], ~(1ull << line % 64));
}

static void violation(kind_t kind, uint64_t line, uint64_t pc) {
  if (atomic_fetch_add(&violations[kind], 1) < MAXIMUM_LOGGED)
    fprintf(
      violation_log, "violation %s %" PRIx64 " %" PRIx64 "\n", kind_names[kind],
      ram_start + (line << line_shift), pc);
}

static void violation_of_none(kind_t kind, uint64_t pc) {
  if (atomic_fetch_add(&violations[kind], 1) < MAXIMUM_LOGGED)
    fprintf(violation_log, "violation %s 0 %" PRIx64 "\n", kind_names[kind], pc);
}

// ---- What is under way in the stage ------------------------------------------------------------

// Held by whoever looks at or changes what follows.
static pthread_mutex_t model = PTHREAD_MUTEX_INITIALIZER;

// Lines, each at most once.
typedef struct {
  word_t *map;
  uint64_t *lines;
  size_t count, capacity;
} line_set_t;

static void insert(line_set_t *set_of, uint64_t line) {
  if (has(set_of->map, line)) return;
  if (set_of->count == set_of->capacity) {
    set_of->capacity = set_of->capacity ? 2 * set_of->capacity : 1024;
    set_of->lines = realloc(set_of->lines, set_of->capacity * sizeof *set_of->lines);
    if (!set_of->lines) abort();
  }
  set(set_of->map, line);
  set_of->lines[set_of->count++] = line;
}

// How far a maintenance operation has come.
typedef enum { NOT_DONE, ISSUED, COMPLETED, EFFECTIVE } progress_t;

// Registers whose writes no `isb` has synchronized.
enum {
  WRITTEN_SCTLR = 1, WRITTEN_TRANSLATION = 2, WRITTEN_VBAR = 4, WRITTEN_FEATURES = 8,
  WRITTEN_HYPERVISOR = 16
};

// A CPU in the stage.
typedef struct {
  // Stored to around the caches, with no barrier since; `dc` that no `dsb sy` has completed.
  line_set_t unordered, cleaning, invalidating;
  progress_t tlb, instructions;
  unsigned unsynchronized;
  bool in_stage, translation_on;
  uint64_t last_isb;
  // The page that was translated last, and where it lies; 0: none.
  uint64_t last_virtual, last_physical;
} cpu_t;

static cpu_t cpus[MAXIMUM_VCPUS];
// The one that enters the stage and the next kernel.
static unsigned stage_vcpu;

static word_t *bit_map(void) {
  word_t *map = calloc((ram_size >> line_shift) / 64, sizeof *map);
  if (!map) abort();
  return map;
}

// The CPU's first instruction in the stage.
static void arrived(unsigned vcpu) {
  cpu_t *cpu = &cpus[vcpu];
  cpu->unordered.map = bit_map();
  cpu->cleaning.map = bit_map();
  cpu->invalidating.map = bit_map();
  cpu->in_stage = true;
}

static void require_synchronized(const cpu_t *cpu, unsigned registers, uint64_t pc) {
  if (cpu->unsynchronized & registers) violation_of_none(SYNC, pc);
}

static void completed(line_set_t *set_of, word_t *state, word_t *other, word_t *gained) {
  for (size_t i = 0; i < set_of->count; i++) {
    uint64_t line = set_of->lines[i];
    // A store since then has taken the line out.
    if (!has(set_of->map, line)) continue;
    clear(set_of->map, line);
    clear(state, line);
    if (other) clear(other, line);
    if (gained) set(gained, line);
  }
  set_of->count = 0;
}

static void forget(line_set_t *set_of) {
  for (size_t i = 0; i < set_of->count; i++) clear(set_of->map, set_of->lines[i]);
  set_of->count = 0;
}

// ---- Where maintenance goes --------------------------------------------------------------------

static _Atomic uint64_t linear_offset;
static struct {
  _Atomic uint64_t virtual, physical;
} pages[PAGES];

static bool is_linear(uint64_t address) { return address >> 47 == 0x1fffe; }

static void remember(uint64_t address, uint64_t physical) {
  if (is_linear(address)) {
    if (linear_offset != physical - address) linear_offset = physical - address;
  } else if (address >> 63) {
    uint64_t page = address >> 12;
    pages[page % PAGES].physical = physical >> 12;
    pages[page % PAGES].virtual = page;
  }
}

// What the tables of `level` make of an address, stage 1, with 48 bits of it at the most (Arm ARM D8.2,
// "Translation process"); 0 where they map nothing.
static uint64_t walked(unsigned level, uint64_t address) {
  static const unsigned char lower_granules[] = {12, 16, 14, 0}, upper_granules[] = {0, 14, 12, 16};
  uint64_t control = read_register(translation_controls[level]);
  // EL1&0 and, with HCR_EL2.E2H, EL2&0.
  bool has_upper = level == 1 || read_register(hypervisor_configuration) >> 34 & 1;
  bool upper = has_upper && address >> 63;
  unsigned size = (upper ? control >> 16 : control) & 0x3f;
  unsigned granule = upper ? upper_granules[control >> 30 & 3] : lower_granules[control >> 14 & 3];
  bool large = control >> (has_upper ? 59 : 32) & 1;  // DS: descriptors of another format
  if (!granule || large || size < 16 || size > 39) return 0;
  unsigned bits = 64 - size;
  uint64_t input = address & ((1ull << bits) - 1);
  if (address >> bits != (upper ? ~0ull >> bits : 0)) return 0;
  unsigned per_level = granule - 3, shift = granule;
  while (shift + per_level < bits) shift += per_level;
  uint64_t table = read_register(table_bases[level][upper]) & 0x0000fffffffffffe;
  for (;; shift -= per_level) {
    uint64_t index = input >> shift & ((1ull << per_level) - 1);
    uint64_t descriptor = guest_word(table + 8 * index, 8);
    if (!(descriptor & 1)) return 0;
    uint64_t output = descriptor & 0x0000ffffffffffff & ~((1ull << granule) - 1);
    uint64_t offset = (1ull << shift) - 1;
    if (shift == granule || !(descriptor & 2)) return (output & ~offset) | (input & offset);
    table = output;
  }
}

// The same for a stage's address, whose page mostly is the last one's, too.
static uint64_t translated_in_stage(unsigned vcpu, unsigned level, uint64_t address) {
  cpu_t *cpu = &cpus[vcpu];
  if (!cpu->last_physical || cpu->last_virtual != address >> 12) {
    cpu->last_virtual = address >> 12;
    cpu->last_physical = walked(level, address) & ~0xfffull;
  }
  return cpu->last_physical ? cpu->last_physical | (address & 0xfff) : 0;
}

// The physical address, or 0 where nothing is known.
static uint64_t physical(unsigned vcpu, unsigned level, uint64_t address, uint64_t pc) {
  if (!cacheable[vcpu][level]) return address;
  if (window == IN_STAGE) return translated_in_stage(vcpu, level, address);
  // Linux relocates from code at its physical address, through its linear map.
  if (is_ram(pc) && !(address >> 63)) return address;
  if (is_linear(address)) return linear_offset ? address + linear_offset : 0;
  uint64_t page = address >> 12;
  return pages[page % PAGES].virtual == page
    ? pages[page % PAGES].physical << 12 | (address & 0xfff) : 0;
}

// ---- What the guest does -----------------------------------------------------------------------

static void stored_line(unsigned vcpu, uint64_t line, bool cached, uint64_t pc) {
  bool in_stage = window == IN_STAGE;
  set(written, line);
  if (in_stage) {
    // Maintenance under way is of what was there before.
    for (unsigned i = 0; i < MAXIMUM_VCPUS; i++) {
      if (!cpus[i].in_stage) continue;
      clear(cpus[i].cleaning.map, line);
      clear(cpus[i].invalidating.map, line);
    }
    progress_t *instructions = &cpus[stage_vcpu].instructions;
    if (*instructions == ISSUED || *instructions == COMPLETED) *instructions = NOT_DONE;
    if (!cached) insert(&cpus[vcpu].unordered, line);
  }
  if (cached) {
    if (in_stage && has(around, line)) violation(STALE, line, pc);
    set(dirty, line);
    if (in_stage) set(during, line);
  } else {
    if (in_stage && has(dirty, line)) violation(WRITE, line, pc);
    if (!has(absent, line)) set(around, line);
  }
}

// `place`: the instruction's address, its level in the two lowest bits.
static void accessed(
  unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *place) {
  if (window == AFTER || vcpu >= MAXIMUM_VCPUS) return;
  bool store = qemu_plugin_mem_is_store(info);
  if (!store && window != IN_STAGE) return;
  struct qemu_plugin_hwaddr *found = qemu_plugin_get_hwaddr(info, address);
  uint64_t start = found ? qemu_plugin_hwaddr_phys_addr(found) : 0;
  // Devices lie below.
  if (!is_ram(start)) return;
  uint64_t pc = (uintptr_t)place & ~3ull;
  bool cached = cacheable[vcpu][(uintptr_t)place & 3];
  if (store) remember(address, start);
  bool in_stage = window == IN_STAGE;
  if (in_stage) {
    pthread_mutex_lock(&model);
    checked[store ? STORES : LOADS]++;
    require_synchronized(&cpus[vcpu], WRITTEN_SCTLR | WRITTEN_VBAR, pc);
  }
  uint64_t last = line_of(start + (1ull << qemu_plugin_mem_size_shift(info)) - 1);
  for (uint64_t line = line_of(start); line <= last; line++) {
    if (store) {
      stored_line(vcpu, line, cached, pc);
    } else if (cached) {
      if (has(around, line)) violation(STALE, line, pc);
    } else if (has(dirty, line)) {
      violation(READ, line, pc);
    }
  }
  if (in_stage) pthread_mutex_unlock(&model);
}

static void fetched(unsigned vcpu, void *userdata) {
  if (window != IN_STAGE || vcpu >= MAXIMUM_VCPUS) return;
  uint64_t *block = userdata, pc = block[0] & ~3ull;
  pthread_mutex_lock(&model);
  if (!cpus[vcpu].in_stage) {
    arrived(vcpu);
    memset(cacheable[vcpu], 0, sizeof cacheable[vcpu]);
  }
  checked[BLOCKS]++;
  if (block[2]) require_synchronized(&cpus[vcpu], WRITTEN_FEATURES, pc);
  uint64_t last = line_of(pc + block[1] - 1);
  for (uint64_t line = line_of(pc); line <= last; line++) {
    if (!cacheable[vcpu][block[0] & 3] && has(dirty, line)) violation(FETCH, line, pc);
    if (has(written, line)) violation(ICACHE, line, pc);
  }
  pthread_mutex_unlock(&model);
}

// A place in the guest's code that does something to the model when it is executed.
typedef struct {
  enum {
    IC_ALL, IC_LINE, DC_CLEAN, DC_CLEAN_INVALIDATE, DC_INVALIDATE, DC_ZERO, TLBI, ISB, DSB, DMB
  } operation;
  enum { SCTLR_BY_NAME_1, SCTLR_EL12, SCTLR_EL2 } target;
  // The level at which it is executed; TLBI: also that whose entries go.
  unsigned level, of_level;
  // The register's number; DSB and DMB: CRm. A written register's WRITTEN_ flag.
  unsigned source, flag;
  uint64_t pc;
} place_t;

static void maintain(unsigned vcpu, const place_t *place) {
  cpu_t *cpu = &cpus[vcpu];
  if (window == IN_STAGE) checked[MAINTENANCE]++;
  if (place->operation == IC_ALL) {
    if (window == IN_STAGE) cpu->instructions = ISSUED;
    else memset((void *)written, 0, (ram_size >> line_shift) / 8);
    return;
  }
  uint64_t address = physical(
    vcpu, place->level, read_register(place->source == 31 ? NULL : general[place->source]),
    place->pc);
  if (!is_ram(address)) return;
  uint64_t line = line_of(address);
  switch (place->operation) {
  case IC_LINE: clear(written, line); return;
  case DC_ZERO:
    if (place->level) stored_line(vcpu, line, cacheable[vcpu][place->level], place->pc);
    return;
  case DC_INVALIDATE:
    if (window == IN_STAGE && has(dirty, line)) violation(DROP, line, place->pc);
    break;
  default: break;
  }
  if (window == IN_STAGE) {
    if (has(cpu->unordered.map, line)) violation(ORDER, line, place->pc);
    if (place->operation != DC_INVALIDATE) insert(&cpu->cleaning, line);
    if (place->operation != DC_CLEAN) insert(&cpu->invalidating, line);
    return;
  }
  // Whether the old kernel has its barriers is not asked here.
  clear(dirty, line);
  if (place->operation == DC_CLEAN) return;
  clear(around, line);
  // The other CPUs are off where this matters.
  if (!cacheable[vcpu][place->level]) set(absent, line);
}

static void maintained(unsigned vcpu, void *userdata) {
  if (window == AFTER || vcpu >= MAXIMUM_VCPUS) return;
  pthread_mutex_lock(&model);
  maintain(vcpu, userdata);
  pthread_mutex_unlock(&model);
}

static void tlb_invalidated(unsigned vcpu, void *userdata) {
  const place_t *place = userdata;
  if (window != IN_STAGE || vcpu >= MAXIMUM_VCPUS) return;
  checked[MAINTENANCE]++;
  cpu_t *cpu = &cpus[vcpu];
  if (place->level == place->of_level && !cpu->translation_on &&
      !(cpu->unsynchronized & (WRITTEN_SCTLR | WRITTEN_TRANSLATION)))
    cpu->tlb = ISSUED;
}

static void pass_barrier(unsigned vcpu, const place_t *place) {
  cpu_t *cpu = &cpus[vcpu];
  checked[BARRIERS]++;
  if (place->operation == ISB) {
    cpu->last_isb = place->pc;
    cpu->unsynchronized = 0;
    if (cpu->tlb == COMPLETED) cpu->tlb = EFFECTIVE;
    if (cpu->instructions == COMPLETED) {
      cpu->instructions = EFFECTIVE;
      if (vcpu == stage_vcpu) memset((void *)written, 0, (ram_size >> line_shift) / 8);
    }
    return;
  }
  // CRm: the domain in the two upper bits, what it waits for in the lower ones.
  bool whole_system = place->source == 0xf, everything = (place->source & 3) == 3;
  if (whole_system) forget(&cpu->unordered);
  if (place->operation != DSB) return;
  if (everything && cpu->tlb == ISSUED) cpu->tlb = COMPLETED;
  if (everything && cpu->instructions == ISSUED) cpu->instructions = COMPLETED;
  if (whole_system) {
    completed(&cpu->cleaning, dirty, NULL, NULL);
    completed(
      &cpu->invalidating, around, dirty, cacheable[vcpu][place->level] ? NULL : absent);
  }
}

static void barrier_passed(unsigned vcpu, void *userdata) {
  if (window != IN_STAGE || vcpu >= MAXIMUM_VCPUS) return;
  pthread_mutex_lock(&model);
  pass_barrier(vcpu, userdata);
  pthread_mutex_unlock(&model);
}

static void translation_switched(cpu_t *cpu, bool on, uint64_t pc) {
  if (on && !cpu->translation_on) {
    if (cpu->tlb != EFFECTIVE) violation_of_none(TLB, pc);
    if (cpu != &cpus[stage_vcpu] && cpu->instructions != EFFECTIVE) violation_of_none(ICACHE, pc);
    // From here on it fills with what the tables say.
    cpu->tlb = NOT_DONE;
  } else if (!on && cpu->translation_on) {
    if (cpu->last_isb != pc - 4) violation_of_none(SYNC, pc);
  }
  cpu->translation_on = on;
  cpu->last_physical = 0;
  cpu->unsynchronized |= WRITTEN_SCTLR;
}

static void system_register_written(unsigned vcpu, void *userdata) {
  const place_t *place = userdata;
  if (vcpu >= MAXIMUM_VCPUS) return;
  if (window == IN_STAGE) checked[REGISTERS]++;
  uint64_t value = read_register(place->source == 31 ? NULL : general[place->source]);
  // With HCR_EL2.E2H, EL2 reaches its own register under EL1's name.
  bool redirected = place->target == SCTLR_BY_NAME_1 && place->level == 2 &&
    (read_register(hypervisor_configuration) >> 34 & 1);
  // Without stage 1 translation every data access is of Device memory, whatever C says.
  bool on = (value & 1) && (value & 4);
  unsigned of_level = place->target == SCTLR_EL2 || redirected ? 2 : 1;
  // From now on any line may be filled, by speculation too.
  if (on && !cacheable[vcpu][of_level])
    memset((void *)absent, 0, (ram_size >> line_shift) / 8);
  if (of_level == 2) {
    cacheable[vcpu][2] = on;
  } else {
    cacheable[vcpu][0] = cacheable[vcpu][1] = on;
  }
  if (window == IN_STAGE && of_level == place->level)
    translation_switched(&cpus[vcpu], value & 1, place->pc);
}

// Any other register that the stage writes and that needs to be synchronized.
static void register_written(unsigned vcpu, void *userdata) {
  const place_t *place = userdata;
  if (window != IN_STAGE || vcpu >= MAXIMUM_VCPUS) return;
  checked[REGISTERS]++;
  cpu_t *cpu = &cpus[vcpu];
  if (place->flag == WRITTEN_TRANSLATION) {
    require_synchronized(cpu, WRITTEN_SCTLR, place->pc);
    cpu->tlb = NOT_DONE;
  }
  if (place->flag == WRITTEN_FEATURES) require_synchronized(cpu, WRITTEN_HYPERVISOR, place->pc);
  cpu->unsynchronized |= place->flag;
}

// ---- The window --------------------------------------------------------------------------------

static uint64_t stage_base;

static void stage_entered(unsigned vcpu, void *userdata) {
  if (vcpu >= MAXIMUM_VCPUS) return;
  stage_base = ((const place_t *)userdata)->pc;
  stage_vcpu = vcpu;
  arrived(vcpu);
  window = IN_STAGE;
}

static void belongs_to_next_kernel(uint64_t start, uint64_t size) {
  if (!size || !is_ram(start) || !is_ram(start + size - 1)) return;
  for (uint64_t line = line_of(start); line <= line_of(start + size - 1); line++) set(during, line);
}

// At the jump, MMU off: every dirty line of the stage's own making, and every one in a piece or in
// the next kernel's memory. Its stack may lie there: Linux runs C before it switches its MMU on.
static void kernel_entered(unsigned vcpu, void *userdata) {
  if (window != IN_STAGE || vcpu != stage_vcpu) return;
  window = AFTER;
  uint64_t pc = ((const place_t *)userdata)->pc;
  require_synchronized(&cpus[vcpu], ~0u, pc);
  if (cpus[vcpu].tlb != EFFECTIVE) violation_of_none(TLB, pc);
  uint64_t block =
    stage_base + guest_word(stage_base + offsetof(struct baton_stage_header, block_offset), 4);
  uint64_t pieces = block + offsetof(struct baton_handoff_block, pieces);
  uint64_t offset = guest_word(pieces + offsetof(struct baton_array, offset), 4);
  uint64_t count = guest_word(pieces + offsetof(struct baton_array, count), 4);
  for (uint64_t i = 0; i < count && i < 1 << 14; i++) {
    uint64_t piece = block + offset + i * sizeof(struct baton_piece);
    uint64_t start = guest_word(piece + offsetof(struct baton_piece, address), 8);
    belongs_to_next_kernel(start, guest_word(piece + offsetof(struct baton_piece, size), 4));
  }
  belongs_to_next_kernel(
    guest_word(block + offsetof(struct baton_handoff_block, kernel), 8),
    guest_word(block + offsetof(struct baton_handoff_block, kernel_memory_size), 8));
  for (uint64_t word = 0; word < (ram_size >> line_shift) / 64; word++) {
    uint64_t left = dirty[word] & during[word];
    for (unsigned bit = 0; left; bit++, left >>= 1)
      if (left & 1) violation(LEFT, word * 64 + bit, pc);
  }
  fprintf(violation_log, "jump %" PRIx64 "\n", pc);
  for (int kind = 0; kind < KINDS; kind++)
    fprintf(violation_log, "count %s %" PRIu64 "\n", kind_names[kind], violations[kind]);
  for (int check = 0; check < CHECKS; check++)
    fprintf(violation_log, "checked %s %" PRIu64 "\n", check_names[check], checked[check]);
}

// ---- Translation -------------------------------------------------------------------------------

static bool is_maintenance(uint32_t word, place_t *place) {
  switch (word & ~0x1fu) {
  case 0xd5087500: case 0xd5087100: place->operation = IC_ALL; break;  // ic iallu, ialluis
  case 0xd50b7520: place->operation = IC_LINE; break;                  // ic ivau
  case 0xd50b7a20: place->operation = DC_CLEAN; break;                 // dc cvac
  case 0xd50b7e20: place->operation = DC_CLEAN_INVALIDATE; break;      // dc civac
  case 0xd5087620: place->operation = DC_INVALIDATE; break;            // dc ivac
  case 0xd50b7420: place->operation = DC_ZERO; break;                  // dc zva
  default: return false;
  }
  place->source = word & 0x1f;
  return true;
}

static bool is_system_register_write(uint32_t word, place_t *place) {
  switch (word & ~0x1fu) {
  case 0xd5181000: place->target = SCTLR_BY_NAME_1; break;
  case 0xd51d1000: place->target = SCTLR_EL12; break;
  case 0xd51c1000: place->target = SCTLR_EL2; break;
  default: return false;
  }
  place->source = word & 0x1f;
  return true;
}

static bool is_tlb_invalidation(uint32_t word, place_t *place) {
  place->operation = TLBI;
  switch (word & ~0x1fu) {
  case 0xd5088700: case 0xd5088300: place->of_level = 1; return true;  // vmalle1, vmalle1is
  case 0xd50c8700: case 0xd50c8300: place->of_level = 2; return true;  // alle2, alle2is
  default: return false;
  }
}

static bool is_barrier(uint32_t word, place_t *place) {
  switch (word & ~0xf00u) {
  case 0xd50330df: place->operation = ISB; break;
  case 0xd503309f: place->operation = DSB; break;
  case 0xd50330bf: place->operation = DMB; break;
  default: return false;
  }
  place->source = word >> 8 & 0xf;
  return true;
}

static bool is_register_write(uint32_t word, place_t *place) {
  // EL2's differ from EL1's in op1 alone, but for CPTR_EL2.
  switch (word & ~0x1fu & ~0x00040000u) {
  case 0xd5182000: case 0xd5182040: case 0xd5182060: case 0xd518a200:  // TTBR0, TCR, TCR2, MAIR
    place->flag = WRITTEN_TRANSLATION;
    return true;
  case 0xd518c000: place->flag = WRITTEN_VBAR; return true;
  case 0xd5181100: place->flag = WRITTEN_HYPERVISOR; return true;  // HCR_EL2
  case 0xd5181040: case 0xd5181140: place->flag = WRITTEN_FEATURES; return true;  // CPACR, CPTR
  default: return false;
  }
}

// Advanced SIMD and floating point, and their loads and stores.
static bool is_simd(uint32_t word) {
  unsigned group = word >> 25 & 0xf;
  return (group & 7) == 7 || ((group & 5) == 4 && (word >> 26 & 1));
}

static bool starts_stage(uint64_t address, uint32_t word) {
  if (word != stage_words[0]) return false;
  for (unsigned i = 0; i < STAGE_WORDS; i++)
    if (guest_word(address + 4 * i, 4) != stage_words[i]) return false;
  return true;
}

// Linux's booting.rst: "MZ" where the image is an EFI program too, the magic at byte 56 always.
static bool starts_kernel(uint64_t address, uint32_t word) {
  return (word & 0xffff) == 0x5a4d && guest_word(address + 56, 4) == 0x644d5241;
}

static void watch(
  struct qemu_plugin_insn *instruction, const place_t *place, qemu_plugin_vcpu_udata_cb_t call) {
  place_t *kept = malloc(sizeof *kept);
  if (!kept) abort();
  *kept = *place;
  qemu_plugin_register_vcpu_insn_exec_cb(instruction, call, QEMU_PLUGIN_CB_R_REGS, kept);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
  (void)id;
  if (window == AFTER) return;
  size_t count = qemu_plugin_tb_n_insns(block);
  // QEMU never shares a block between exception levels.
  unsigned level = read_register(pstate) >> 2 & 3;
  uint64_t start = qemu_plugin_tb_vaddr(block);
  // Code that runs at its own physical address: all that runs with the MMU off, and the stage.
  bool identity = level && is_ram(start);
  uint64_t *fetch = NULL;  // address and level, size, whether there is SIMD in it
  if (identity) {
    fetch = malloc(3 * sizeof *fetch);
    if (!fetch) abort();
    fetch[0] = start | level;
    fetch[1] = 4 * count;
    fetch[2] = 0;
    qemu_plugin_register_vcpu_tb_exec_cb(block, fetched, QEMU_PLUGIN_CB_NO_REGS, fetch);
  }
  for (size_t i = 0; i < count; i++) {
    struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);
    uint32_t word = 0;
    if (qemu_plugin_insn_data(instruction, &word, sizeof word) != sizeof word) continue;
    place_t place = {.pc = qemu_plugin_insn_vaddr(instruction), .level = level};
    // Loads and stores: the encodings' top-level group. Loads matter in the stage alone.
    if ((word & 0x0a000000) == 0x08000000)
      qemu_plugin_register_vcpu_mem_cb(
        instruction, accessed, QEMU_PLUGIN_CB_NO_REGS,
        identity ? QEMU_PLUGIN_MEM_RW : QEMU_PLUGIN_MEM_W, (void *)(uintptr_t)(place.pc | level));
    else if (is_maintenance(word, &place))
      watch(instruction, &place, maintained);
    else if (is_system_register_write(word, &place))
      watch(instruction, &place, system_register_written);
    else if (identity && is_tlb_invalidation(word, &place))
      watch(instruction, &place, tlb_invalidated);
    else if (identity && is_barrier(word, &place))
      watch(instruction, &place, barrier_passed);
    else if (identity && is_register_write(word, &place))
      watch(instruction, &place, register_written);
    if (identity && is_simd(word)) fetch[2] = 1;
    if (i == 0 && identity) {
      if (starts_stage(place.pc, word)) watch(instruction, &place, stage_entered);
      if (starts_kernel(place.pc, word)) watch(instruction, &place, kernel_entered);
    }
  }
}

// ---- Loading -----------------------------------------------------------------------------------

static void found_translation_register(const char *name, struct qemu_plugin_register *handle) {
  unsigned level, number;
  int end = 0;
  if (sscanf(name, "TTBR%1u_EL%1u%n", &number, &level, &end) == 2 && !name[end] && number < 2 &&
      level < LEVELS)
    table_bases[level][number] = handle;
  end = 0;
  if (sscanf(name, "TCR_EL%1u%n", &level, &end) == 1 && !name[end] && level < LEVELS)
    translation_controls[level] = handle;
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
    } else if (!strcmp(all[i].name, "HCR_EL2")) {
      hypervisor_configuration = all[i].handle;
    } else {
      found_translation_register(all[i].name, all[i].handle);
    }
  }
}

static void finished(qemu_plugin_id_t id, void *userdata) {
  (void)id;
  (void)userdata;
  fclose(violation_log);
}

static int refuse(const char *why, const char *what) {
  fprintf(stderr, "cacheplugin: %s%s\n", why, what);
  return -1;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
  (void)info;
  const char *path = NULL, *stage = NULL;
  for (int i = 0; i < argc; i++) {
    if (!strncmp(argv[i], "log=", 4)) {
      path = argv[i] + 4;
    } else if (!strncmp(argv[i], "stage=", 6)) {
      stage = argv[i] + 6;
    } else if (!strncmp(argv[i], "ram=", 4)) {
      ram_start = strtoull(argv[i] + 4, NULL, 16);
    } else {
      return refuse("unknown argument ", argv[i]);
    }
  }
  if (!path) return refuse("log=FILE is missing", "");
  if (!stage) return refuse("stage=FILE is missing", "");
  FILE *file = fopen(stage, "rb");
  if (!file) return refuse("cannot open ", stage);
  bool enough = fread(stage_words, sizeof stage_words, 1, file) == 1;
  fclose(file);
  if (!enough) return refuse("too short to be a stage: ", stage);
  violation_log = fopen(path, "w");
  if (!violation_log) return refuse("cannot create ", path);
  // A line at a time: a guest that is ended loses nothing.
  setvbuf(violation_log, NULL, _IOLBF, 1 << 16);
  dirty = bit_map();
  during = bit_map();
  around = bit_map();
  absent = bit_map();
  written = bit_map();
  qemu_plugin_register_vcpu_init_cb(id, vcpu_started);
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, finished, NULL);
  return 0;
}
