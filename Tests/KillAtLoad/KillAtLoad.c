// Runs a program and kills it at one of its calls of kexec_load(2), for guests: an arm64 Linux program without
// C library.
//
//     KillAtLoad before|after NUMBER PROGRAM [ARGUMENT…]
//
// before: as the call begins, and the kernel does nothing of it. after: when it has done all of it, and the
// program has not executed another instruction. NUMBER counts the calls from 1 to 9. Ends with 0 where the
// program was killed there, with 1 where it ended before, and with 2 where it could not be followed.
#include <stddef.h>
#include <stdint.h>

// Linux include/uapi/asm-generic/unistd.h.
enum {
    call_exit_group = 94,
    call_kexec_load = 104,
    call_ptrace = 117,
    call_kill = 129,
    call_clone = 220,
    call_execve = 221,
    call_wait4 = 260,
};

// ptrace(2), PTRACE_…, and the low bits of what wait4(2) says.
enum {
    trace_me = 0,
    trace_to_next_call = 24,
    trace_set_options = 0x4200,
    trace_call_info = 0x420e,
    option_mark_calls = 1,
    call_info_entry = 1,
    signal_kill = 9,
    signal_trap = 5,
    signal_child = 17,
    mark_of_calls = 0x80,
    ended_by = 0x7f,
    is_stopped = 0x7f,
};

// The beginning of struct ptrace_syscall_info; the number is there where the call begins.
struct call_info {
    uint8_t moment;
    uint8_t unused[3];
    uint32_t architecture;
    uint64_t instruction, stack, number;
    uint64_t arguments[6];
};

static long call(long number, long first, long second, long third, long fourth) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = first;
    register long x1 __asm__("x1") = second;
    register long x2 __asm__("x2") = third;
    register long x3 __asm__("x3") = fourth;
    register long x4 __asm__("x4") = 0;
    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
                     : "memory");
    return x0;
}

// What became of the child, or -1.
static int wait_for(long child) {
    int status = 0;
    return call(call_wait4, child, (long)&status, 0, 0) == child ? status : -1;
}

// Kills `child`, which is stopped where execve(2) is done, at its call of that number.
static int kill_at(long child, int number, int is_after) {
    long signal = 0;
    int is_there = 0;
    if (call(call_ptrace, trace_set_options, child, 0, option_mark_calls) < 0) return 2;
    for (;;) {
        if (call(call_ptrace, trace_to_next_call, child, 0, signal) < 0) return 2;
        int status = wait_for(child);
        if (status < 0) return 2;
        if ((status & ended_by) != is_stopped) return 1;
        signal = status >> 8 & 0xff;
        // Another signal is the program's own.
        if (signal != (signal_trap | mark_of_calls)) continue;
        signal = 0;
        // The stop behind the one in which the call began is the one in which it is done.
        if (is_there) break;
        struct call_info info;
        if (call(call_ptrace, trace_call_info, child, sizeof info, (long)&info) < 0) return 2;
        if (info.moment != call_info_entry || info.number != call_kexec_load) continue;
        if (--number > 0) continue;
        if (!is_after) break;
        is_there = 1;
    }
    call(call_kill, child, signal_kill, 0, 0);
    return (wait_for(child) & ended_by) == signal_kill ? 0 : 2;
}

static int run(long count, char **arguments, char **environment) {
    if (count < 4) return 2;
    long child = call(call_clone, signal_child, 0, 0, 0);
    if (child == 0) {
        call(call_ptrace, trace_me, 0, 0, 0);
        call(call_execve, (long)arguments[3], (long)&arguments[3], (long)environment, 0);
        return 2;
    }
    if (child < 0 || (wait_for(child) & ended_by) != is_stopped) return 2;
    return kill_at(child, arguments[2][0] - '0', arguments[1][0] == 'a');
}

// As the kernel enters a program: the words from the stack pointer on are the number of arguments, these, 0, and
// the environment.
_Noreturn void started(long *stack) {
    char **arguments = (char **)(stack + 1);
    int status = run(stack[0], arguments, arguments + stack[0] + 1);
    for (;;) call(call_exit_group, status, 0, 0, 0);
}

__asm__(".section .text._start, \"ax\", %progbits\n"
        ".globl _start\n"
        "_start:\n"
        "\tmov x29, xzr\n"
        "\tmov x30, xzr\n"
        "\tmov x0, sp\n"
        "\tb started\n"
        ".text\n");
