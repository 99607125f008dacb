#pragma once
#include <stddef.h>

#if defined(__aarch64__)
/// write(2) to standard output.
long check_write(const void *bytes, size_t count);
/// exit_group(2).
_Noreturn void check_exit(int status);
#endif
