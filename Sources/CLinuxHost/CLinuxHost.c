// For dl_iterate_phdr(3).
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CLinuxHost.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <link.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// linux/reboot.h, which the C library does not bring.
#define REBOOT_MAGIC1 0xfee1dead
#define REBOOT_MAGIC2 672274793
#define REBOOT_CMD_KEXEC 0x45584543

static long result(long value) { return value < 0 ? -(long)errno : value; }

void linux_outlive_failed_writes(void) {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

int linux_open_read(const char *path) {
    int descriptor;
    do {
        // Without O_NONBLOCK a named pipe would keep us here until somebody writes to it.
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    } while (descriptor < 0 && errno == EINTR);
    return (int)result(descriptor);
}

int linux_open_zeros(size_t size) {
    // MFD_NOEXEC_SEAL, which Linux 6.3 brought and from then on may want (vm.memfd_noexec).
    const unsigned int no_execution = 8;
    long descriptor = syscall(SYS_memfd_create, "zeros", MFD_CLOEXEC | no_execution);
    if (descriptor < 0 && errno == EINVAL)
        descriptor = syscall(SYS_memfd_create, "zeros", MFD_CLOEXEC);
    if (descriptor >= 0 && ftruncate((int)descriptor, (off_t)size) != 0) {
        long failure = result(-1);
        close((int)descriptor);
        return (int)failure;
    }
    return (int)result(descriptor);
}

long linux_read(int descriptor, void *buffer, size_t size) {
    long count;
    do {
        count = read(descriptor, buffer, size);
    } while (count < 0 && errno == EINTR);
    return result(count);
}

long linux_read_at(int descriptor, void *buffer, size_t size, uint64_t offset) {
    long count;
    do {
        count = pread(descriptor, buffer, size, (off_t)offset);
    } while (count < 0 && errno == EINTR);
    return result(count);
}

long linux_write(int descriptor, const void *buffer, size_t size) {
    long count;
    do {
        count = write(descriptor, buffer, size);
    } while (count < 0 && errno == EINTR);
    return result(count);
}

void linux_close(int descriptor) { close(descriptor); }

int64_t linux_regular_file_size(int descriptor) {
    struct stat status;
    if (fstat(descriptor, &status) < 0) return -errno;
    if (S_ISDIR(status.st_mode)) return -EISDIR;
    if (!S_ISREG(status.st_mode)) return -EINVAL;
    return status.st_size;
}

long linux_file_state(int descriptor, struct linux_file_state *state) {
    struct stat status;
    if (fstat(descriptor, &status) < 0) return -errno;
    *state = (struct linux_file_state){
        status.st_size,
        {status.st_mtim.tv_sec, status.st_mtim.tv_nsec},
        {status.st_ctim.tv_sec, status.st_ctim.tv_nsec},
    };
    return 0;
}

long linux_map_memory(size_t size, int reserve, void **address) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (reserve ? 0 : MAP_NORESERVE);
    void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (mapped == MAP_FAILED) return -errno;
    *address = mapped;
    return 0;
}

long linux_map_file(int descriptor, size_t size, void **address, int *is_mapped) {
    void *mapped = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    *is_mapped = mapped != MAP_FAILED;
    if (mapped != MAP_FAILED) {
        *address = mapped;
        return 0;
    }
    // What the kernel shows as a file without being able to map it.
    return errno == ENODEV ? linux_map_memory(size, 1, address) : -errno;
}

long linux_fill_file(int descriptor, void *address, size_t offset, size_t size, int is_mapped) {
    char *target = (char *)address + offset;
    if (is_mapped) {
        // The same once more, populated: a page fault for each page of a kernel image costs more than its
        // digest. What is mapped already stays where that fails.
        int flags = MAP_PRIVATE | MAP_FIXED | MAP_POPULATE;
        return mmap(target, size, PROT_READ, flags, descriptor, (off_t)offset) == MAP_FAILED ? -errno : 0;
    }
    for (size_t filled = 0; filled < size;) {
        long count = linux_read(descriptor, target + filled, size - filled);
        if (count <= 0) return count < 0 ? count : -EIO;
        filled += (size_t)count;
    }
    return 0;
}

void linux_unmap(void *address, size_t size) { munmap(address, size); }

static const char *lost_file_sentence;
static int lost_file_status;

static void end_for_lost_file(int signal) {
    (void)signal;
    linux_write(2, lost_file_sentence, strlen(lost_file_sentence));
    _exit(lost_file_status);
}

void linux_explain_lost_files(const char *sentence, int status) {
    lost_file_sentence = sentence;
    lost_file_status = status;
    signal(SIGBUS, end_for_lost_file);
}

// A handler of a signal would not run before the system call is over: a thread does. Beside poll(2) and
// write(2) it touches nothing but these, which nobody changes while it is there.
static struct {
    int is_there;
    pthread_t thread;
    // A pipe, which is closed at one end when it has to stop.
    int stop[2];
    int descriptor;
    char *lines;
    size_t size;
} teller;

static void *tell(void *unused) {
    (void)unused;
    const char *line = teller.lines, *end = line + teller.size;
    while (line < end) {
        struct pollfd stop = {.fd = teller.stop[0], .events = POLLIN};
        if (poll(&stop, 1, 1000) != 0) break;
        size_t length = strlen(line);
        if (linux_write(teller.descriptor, line, length) < 0) break;
        line += length + 1;
    }
    return NULL;
}

static void forget_teller(void) {
    close(teller.stop[0]);
    free(teller.lines);
    teller.is_there = 0;
}

void linux_tell_each_second(int descriptor, const char *lines, size_t size) {
    linux_stop_telling();
    if (size == 0 || pipe2(teller.stop, O_CLOEXEC) < 0) return;
    teller.descriptor = descriptor;
    teller.size = size;
    teller.lines = malloc(size);
    // Signals are the first thread's.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (teller.lines != NULL) {
        memcpy(teller.lines, lines, size);
        teller.is_there = pthread_create(&teller.thread, NULL, tell, NULL) == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!teller.is_there) {
        close(teller.stop[1]);
        forget_teller();
    }
}

void linux_stop_telling(void) {
    if (!teller.is_there) return;
    close(teller.stop[1]);
    pthread_join(teller.thread, NULL);
    forget_teller();
}

long linux_kexec_load(
    uint64_t entry, size_t count, const struct linux_kexec_segment *segments, uint64_t flags) {
    return result(syscall(SYS_kexec_load, entry, count, segments, flags));
}

long linux_kexec_file_load(
    int kernel, int initrd, size_t size, const void *command_line, uint64_t flags) {
    return result(syscall(SYS_kexec_file_load, kernel, initrd, size, command_line, flags));
}

long linux_reboot_kexec(void) {
    return result(syscall(SYS_reboot, REBOOT_MAGIC1, REBOOT_MAGIC2, REBOOT_CMD_KEXEC, NULL));
}

void linux_sync(void) { sync(); }

// A socket to ask about interfaces, or -errno.
static int interface_socket(void) {
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    // A kernel without IPv4 has another family for such questions.
    if (descriptor < 0) descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return descriptor < 0 ? -errno : descriptor;
}

// Whether the interface was not as wanted and is now, or -errno.
static int set_interface(int descriptor, const char *name, int up) {
    struct ifreq request = {0};
    strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
    if (ioctl(descriptor, SIOCGIFFLAGS, &request) < 0) return -errno;
    if (!(request.ifr_flags & IFF_UP) == !up) return 0;
    request.ifr_flags ^= IFF_UP;
    return ioctl(descriptor, SIOCSIFFLAGS, &request) < 0 ? -errno : 1;
}

long linux_interfaces_down(char **names) {
    *names = NULL;
    int descriptor = interface_socket();
    if (descriptor < 0) return descriptor == -ENOSYS ? 0 : descriptor;
    struct if_nameindex *list = if_nameindex();
    long status = list ? 0 : -errno;
    size_t count = 0;
    while (list && list[count].if_index) count++;
    char *next = list ? calloc(count + 1, IF_NAMESIZE) : NULL;
    if (list && !next) status = -ENOMEM;
    *names = next;
    for (int shapers = 1; next && shapers >= 0; shapers--) {
        for (struct if_nameindex *entry = list; entry->if_index; entry++) {
            if ((strncmp(entry->if_name, "shaper", 6) == 0) != shapers) continue;
            if (strcmp(entry->if_name, "lo") == 0) continue;
            int changed = set_interface(descriptor, entry->if_name, 0);
            if (changed < 0 && status == 0) status = changed;
            if (changed > 0) next = stpcpy(next, entry->if_name) + 1;
        }
    }
    if (list) if_freenameindex(list);
    close(descriptor);
    return status;
}

long linux_interface_up(const char *name) {
    int descriptor = interface_socket();
    if (descriptor < 0) return descriptor;
    int changed = set_interface(descriptor, name, 1);
    close(descriptor);
    return changed < 0 ? changed : 0;
}

void linux_free(void *memory) { free(memory); }

void linux_sleep(uint64_t milliseconds) {
    struct timespec left = {(time_t)(milliseconds / 1000), (long)(milliseconds % 1000) * 1000000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR) {}
}

long linux_exec_shutdown(void) {
    static const char *const paths[] = {"/sbin/shutdown", "/usr/sbin/shutdown", "/bin/shutdown"};
    char *arguments[] = {"shutdown", "-r", "now", NULL};
    int error = ENOENT;
    // What is ignored would stay ignored in the program that comes.
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        execv(paths[i], arguments);
        if (errno != ENOENT) error = errno;
    }
    linux_outlive_failed_writes();
    return -error;
}

// Copies a path of at most 4,000 bytes and makes the folders that it lies in.
static long make_folders(const char *path, char name[4096]) {
    size_t length = strlen(path);
    if (length > 4000) return -ENAMETOOLONG;
    memcpy(name, path, length + 1);
    for (char *slash = strchr(name + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        // Whatever the umask: everybody may ask what is loaded.
        if (mkdir(name, 0755) == 0) {
            if (chmod(name, 0755) < 0) return -errno;
        } else if (errno != EEXIST) {
            return -errno;
        }
        *slash = '/';
    }
    return 0;
}

long linux_lock_file(const char *path) {
    char name[4096];
    long failure = make_folders(path, name);
    if (failure < 0) return failure;
    // Never closed: the lock is the process's.
    int descriptor = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0) return -errno;
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return 0;
    long status = -errno;
    close(descriptor);
    return status;
}

long linux_replace_file(const char *path, const void *content, size_t size) {
    char name[4096];
    long failure = make_folders(path, name);
    if (failure < 0) return failure;
    // A name of this process's own: another may be writing, too.
    snprintf(name + strlen(name), 32, ".%ld.new", (long)getpid());
    // What is written is always a file of our own making: never one, or a link, that was there. A
    // write that was interrupted may have left one.
    unlink(name);
    int descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (descriptor < 0) return -errno;
    long status = fchmod(descriptor, 0644) < 0 ? -errno : 0;
    for (size_t written = 0; status == 0 && written < size;) {
        long count = linux_write(descriptor, (const char *)content + written, size - written);
        if (count <= 0) status = count < 0 ? count : -EIO;
        else written += (size_t)count;
    }
    // The content is on the disk before the name is.
    if (status == 0 && fsync(descriptor) < 0) status = -errno;
    if (close(descriptor) < 0 && status == 0) status = -errno;
    if (status == 0 && rename(name, path) < 0) status = -errno;
    if (status < 0) {
        unlink(name);
        return status;
    }
    char *slash = strrchr(name, '/');
    if (!slash) return 0;
    slash[slash == name] = 0;
    descriptor = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return -errno;
    if (fsync(descriptor) < 0) status = -errno;
    close(descriptor);
    return status;
}

long linux_write_record(const char *path, const void *content, size_t size) {
    int descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0) return -errno;
    long count = linux_write(descriptor, content, size);
    close(descriptor);
    return count < 0 ? count : 0;
}

int linux_is_terminal(int descriptor) { return isatty(descriptor); }

uint64_t linux_milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

long linux_remove_file(const char *path) { return result(unlink(path)); }

uint64_t linux_counter(void) {
#if defined(__aarch64__)
    uint64_t value;
    // The barrier keeps the counter from being read ahead of what came before.
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(value) : : "memory");
    return value;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
#endif
}

uint64_t linux_time(void) { return (uint64_t)time(NULL); }

long linux_random(void *buffer, size_t size) {
    size_t filled = 0;
    while (filled < size) {
        ssize_t count = getrandom((char *)buffer + filled, size - filled, 0);
        if (count < 0) {
            if (errno == EINTR) continue;
            return -errno;
        }
        filled += (size_t)count;
    }
    return 0;
}

struct build_id {
    uint8_t *bytes;
    size_t capacity;
    size_t size;
};

// The first object that is visited is the program itself: the others are not looked at.
static int find_build_id(struct dl_phdr_info *object, size_t size, void *argument) {
    struct build_id *found = argument;
    (void)size;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type != PT_NOTE) continue;
        const char *notes = (const char *)(object->dlpi_addr + header->p_vaddr);
        for (size_t offset = 0; offset + sizeof(ElfW(Nhdr)) <= header->p_memsz;) {
            const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)(notes + offset);
            const char *name = (const char *)(note + 1);
            const char *content = name + ((note->n_namesz + 3) & ~3u);
            if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && !memcmp(name, "GNU", 4)) {
                found->size = note->n_descsz < found->capacity ? note->n_descsz : found->capacity;
                memcpy(found->bytes, content, found->size);
                return 1;
            }
            offset = (size_t)(content - notes) + ((note->n_descsz + 3) & ~3u);
        }
    }
    return 1;
}

size_t linux_build_id(uint8_t *bytes, size_t capacity) {
    struct build_id found = {bytes, capacity, 0};
    dl_iterate_phdr(find_build_id, &found);
    return found.size;
}

uint32_t linux_effective_user(void) { return geteuid(); }

size_t linux_page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

int linux_has_52_bit_addresses(void) {
#if defined(__aarch64__)
    // Linux gives addresses beyond 48 bits only where it is asked for one, and has them.
    size_t size = linux_page_size();
    void *wanted = (void *)(1ul << 50);
    void *found = mmap(wanted, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (found == MAP_FAILED) return 0;
    munmap(found, size);
    return (uint64_t)found >= 1ul << 48;
#else
    return 0;
#endif
}

int linux_has_sha2(void) {
#if defined(__aarch64__)
    return (getauxval(AT_HWCAP) & (1ul << 6)) != 0;
#else
    return 0;
#endif
}

// What Swift's library asks for. The static command is compiled for no system at all, hence the
// question. Hashing wants random bytes, which musl has by another name.
#if !defined(__linux__)
void arc4random_buf(void *buffer, size_t size) {
    if (linux_random(buffer, size) < 0) abort();
}

extern char *program_invocation_short_name;

// Swift's allocations. It makes a trap of one that fails, and has no way to take it for an error:
// here ends what asked for too much, with the status of too little memory.
int posix_memalign(void **result, size_t alignment, size_t size) {
    *result = aligned_alloc(alignment, size);
    if (*result) return 0;
    int is_kexec = strcmp(program_invocation_short_name, "kexec") == 0;
    const char *sentence =
        is_kexec ? "kexec: there is too little memory for baton itself; stop programs\n"
                 : "baton: there is too little memory for baton itself; stop programs\n";
    linux_write(2, sentence, strlen(sentence));
    _exit(is_kexec ? 255 : 4);
}
#endif

// getopt_long(3) keeps its state in variables of the process: one parse at a time.
static pthread_mutex_t getopt_in_use = PTHREAD_MUTEX_INITIALIZER;

void linux_getopt_begin(void) {
    pthread_mutex_lock(&getopt_in_use);
    optind = 0;
    opterr = 0;
}

void linux_getopt_end(void) { pthread_mutex_unlock(&getopt_in_use); }

#define OPTIONS_MAXIMUM 64

int linux_getopt_long(
    int argc, char *const *argv, const char *short_options, const struct linux_option *options,
    size_t count) {
    struct option table[OPTIONS_MAXIMUM + 1] = {0};
    if (count > OPTIONS_MAXIMUM) abort();
    for (size_t i = 0; i < count; i++) {
        table[i].name = options[i].name;
        table[i].has_arg = options[i].has_argument ? required_argument : no_argument;
        table[i].val = options[i].value;
    }
    return getopt_long(argc, argv, short_options, table, NULL);
}

const char *linux_option_argument(void) { return optarg; }

int linux_option_index(void) { return optind; }

int linux_option_refused(void) { return optopt; }
