// The two functions by which Embedded Swift allocates. They cannot be written in Swift: the
// compiler takes a Swift function of these names for a declaration of its own.
#if defined(__aarch64__)
#include "CRelay.h"

void *relay_allocate(size_t size, size_t alignment);
void relay_free(void *pointer);

int posix_memalign(void **result, size_t alignment, size_t size) {
    *result = relay_allocate(size, alignment);
    return 0;  // relay_allocate does not return where there is no room
}

void free(void *pointer) {
    if (pointer) relay_free(pointer);
}

struct baton_lifeline *relay_lifeline(void) {
    static struct baton_lifeline lifeline;
    return &lifeline;
}

struct relay_saved_context *relay_context_to_resume(void) {
    static struct relay_saved_context context;
    return &context;
}
#endif
