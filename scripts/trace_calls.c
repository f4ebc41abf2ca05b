/*
 * Writes down each function that a program built with -finstrument-functions enters, for
 * scripts/way.sh: into the file TRACE_CALLS, which is mapped and shared, so that a process under a
 * system call filter can do it, too. The file exists and has room for a count of 64 bits and as
 * many numbers as fit after it: of each function, its distance from the program's start.
 */
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNTRACED __attribute__((no_instrument_function))

extern const char __executable_start[];

static uint64_t *trace;
static uint64_t trace_max;

void __cyg_profile_func_enter(void *function, void *caller) UNTRACED;
void __cyg_profile_func_exit(void *function, void *caller) UNTRACED;

__attribute__((constructor)) UNTRACED static void trace_open(void)
{
    struct stat status;
    int fd = open(TRACE_CALLS, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0)
        return;
    void *map = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return;
    trace = map;
    trace_max = (uint64_t)status.st_size / sizeof(*trace) - 1;
}

void __cyg_profile_func_enter(void *function, void *caller)
{
    (void)caller;
    if (!trace)
        return;
    uint64_t i = __atomic_fetch_add(&trace[0], 1, __ATOMIC_SEQ_CST);
    if (i < trace_max)
        trace[1 + i] = (uint64_t)((const char *)function - __executable_start);
}

void __cyg_profile_func_exit(void *function, void *caller)
{
    (void)function;
    (void)caller;
}
