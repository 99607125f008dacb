// Linux as Swift sees it: what the C library hides in macros and variadic functions, as plain
// functions. Compiles against musl (the static command) and glibc (the tests' host).
//
// Functions that can fail return a negative errno instead of setting one.
#pragma once

#include <stddef.h>
#include <stdint.h>

// struct kexec_segment of kexec_load(2).
struct linux_kexec_segment {
    const void *buf;
    size_t bufsz;
    uint64_t mem;
    size_t memsz;
};

#define LINUX_KEXEC_ON_CRASH 0x1
#define LINUX_KEXEC_FILE_UNLOAD 0x1
#define LINUX_KEXEC_FILE_ON_CRASH 0x2
#define LINUX_KEXEC_FILE_NO_INITRAMFS 0x4
#define LINUX_KEXEC_ARCH_AARCH64 (183 << 16)

// From here on a write that nobody reads (SIGPIPE), or that goes beyond the process's limit (SIGXFSZ),
// fails with EPIPE or EFBIG and does not end the process.
void linux_outlive_failed_writes(void);

int linux_open_read(const char *path);
// A file of `size` zeros in memory, without a name.
int linux_open_zeros(size_t size);
long linux_read(int descriptor, void *buffer, size_t size);
long linux_read_at(int descriptor, void *buffer, size_t size, uint64_t offset);
long linux_write(int descriptor, const void *buffer, size_t size);
void linux_close(int descriptor);

// Size of a regular file; -EISDIR, -EINVAL for what is none.
int64_t linux_regular_file_size(int descriptor);

// What changes with a regular file's content.
struct linux_file_state {
    int64_t size;
    int64_t modified[2];
    int64_t changed[2];
};
long linux_file_state(int descriptor, struct linux_file_state *state);

// Zeroed memory of this process. Without `reserve`, memory that is never touched is not counted.
long linux_map_memory(size_t size, int reserve, void **address);
// Room for a file's content, private, which linux_fill_file fills range by range, from the first on.
// `is_mapped`: whether that maps the file's own pages; what cannot be mapped is read.
long linux_map_file(int descriptor, size_t size, void **address, int *is_mapped);
// Makes the bytes at `offset`, a multiple of the page size, present.
long linux_fill_file(int descriptor, void *address, size_t offset, size_t size, int is_mapped);
void linux_unmap(void *address, size_t size);
// Where a mapped file has become shorter than it was, or cannot be read any more, touching it ends the
// process (SIGBUS): with this sentence, which is not copied, on standard error, and this status.
void linux_explain_lost_files(const char *sentence, int status);

enum {
    LINUX_DECOMPRESSED,
    // There is more to read: the next step goes on.
    LINUX_DECOMPRESSING,
    LINUX_DECOMPRESS_TRUNCATED,
    LINUX_DECOMPRESS_DAMAGED,
    // gzip: more or less content than room, or something behind the member.
    LINUX_DECOMPRESS_WRONG_SIZE,
    // The others: more content than room.
    LINUX_DECOMPRESS_TOO_LARGE,
    LINUX_DECOMPRESS_UNSUPPORTED,
    LINUX_DECOMPRESS_NO_MEMORY,
};
// A compressed file that is there as a whole, decompressed in steps, so that somebody can be told how
// far that is.
struct linux_decoder {
    const void *source;
    size_t source_size;
    void *target;
    size_t target_size;
    // Bytes of the source that were read, and of the target that are right, so far.
    size_t consumed;
    size_t produced;
    // The library's own.
    void *state;
};
// Each takes the decoder with source and target set, the rest zero. Whatever begin returns, end frees
// what it took; a step reads at most `input` more bytes, more than 0.
//
// One gzip member, by zlib, whose content has exactly target_size bytes.
int linux_gunzip_begin(struct linux_decoder *decoder);
int linux_gunzip(struct linux_decoder *decoder, size_t input);
void linux_gunzip_end(struct linux_decoder *decoder);
// One zstd frame, by libzstd.
int linux_unzstd_begin(struct linux_decoder *decoder);
int linux_unzstd(struct linux_decoder *decoder, size_t input);
void linux_unzstd_end(struct linux_decoder *decoder);
// One .xz stream or (is_alone) .lzma file, by liblzma, with a dictionary of at most memory_limit bytes.
int linux_unlzma_begin(struct linux_decoder *decoder, int is_alone, uint64_t memory_limit);
int linux_unlzma(struct linux_decoder *decoder, size_t input);
void linux_unlzma_end(struct linux_decoder *decoder);

// Writes one of `lines`, each with its terminator, after each second, in a thread of its own, until they
// are used up or linux_stop_telling is called: behind that it writes nothing more. Where there is no
// thread to be had, it writes nothing.
void linux_tell_each_second(int descriptor, const char *lines, size_t size);
void linux_stop_telling(void);

long linux_kexec_load(
    uint64_t entry, size_t count, const struct linux_kexec_segment *segments, uint64_t flags);
// `command_line` has its terminator, which `size` counts.
long linux_kexec_file_load(
    int kernel, int initrd, size_t size, const void *command_line, uint64_t flags);
long linux_reboot_kexec(void);
void linux_sync(void);
// Takes every network interface down that is up, but the loopback; those called shaper… first, as
// their driver wants it. Goes on behind a failure and returns the first. `names` gets those that it
// took down, each with its terminator, and an empty one at the end, for linux_free; or NULL: none.
long linux_interfaces_down(char **names);
// Brings a network interface up.
long linux_interface_up(const char *name);
void linux_free(void *memory);
void linux_sleep(uint64_t milliseconds);
// Becomes `shutdown -r now`.
long linux_exec_shutdown(void);

// Makes the folders of `path`, writes a temporary file beside it, and renames: the file is the old
// or the new one, whatever happens. At most 4,000 bytes of path.
long linux_replace_file(const char *path, const void *content, size_t size);
long linux_remove_file(const char *path);
// Makes the folders of `path` and the file, and locks it (flock(2)) until the process ends; -EAGAIN
// where another has it. At most 4,000 bytes of path.
long linux_lock_file(const char *path);

// Writes to a device that takes what one call writes as one record.
long linux_write_record(const char *path, const void *content, size_t size);
int linux_is_terminal(int descriptor);
// CLOCK_MONOTONIC.
uint64_t linux_milliseconds(void);

// CNTVCT_EL0; the monotonic clock's nanoseconds on other architectures.
uint64_t linux_counter(void);
uint64_t linux_time(void);

long linux_random(void *buffer, size_t size);
// The build id that the linker gave this program, from its ELF note: its size, 0 where there is none.
size_t linux_build_id(uint8_t *bytes, size_t capacity);
uint32_t linux_effective_user(void);
size_t linux_page_size(void);
// Whether virtual addresses have 52 bits on this machine (FEAT_LVA, FEAT_LPA2, and a kernel that
// uses them).
int linux_has_52_bit_addresses(void);
// AT_HWCAP's HWCAP_SHA2.
int linux_has_sha2(void);

// getopt_long(3). `argv` is permuted. The calls of one parse stand between linux_getopt_begin and
// linux_getopt_end, which keep other threads' parses out.
struct linux_option {
    const char *name;
    int has_argument;
    int value;
};

void linux_getopt_begin(void);
void linux_getopt_end(void);
int linux_getopt_long(
    int argc, char *const *argv, const char *short_options, const struct linux_option *options,
    size_t count);
const char *linux_option_argument(void);
int linux_option_index(void);
// The short option that was refused, 0 for a long one.
int linux_option_refused(void);
