# Sourced by clock.t: a clock that can be set for one program. The library answers for the C library's functions with
# the time of the day, moved by as many seconds as stand in a file.
# shellcheck shell=bash

# make_clock: builds the library CLOCK and the file CLOCK_OFFSET that moves it.
make_clock() {
    CLOCK=$WORK/clock.so CLOCK_OFFSET=$WORK/offset
    echo 0 >"$CLOCK_OFFSET"
    cat >"$WORK/clock.c" <<EOF
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>

static long offset(void)
{
    long seconds = 0;
    FILE *file = fopen("$CLOCK_OFFSET", "re");
    if (file) {
        if (fscanf(file, "%ld", &seconds) != 1)
            seconds = 0;
        fclose(file);
    }
    return seconds;
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    int (*real)(clockid_t, struct timespec *) =
        (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int rc = real(id, now);
    if (rc == 0 && id == CLOCK_REALTIME)
        now->tv_sec += offset();
    return rc;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
EOF
    # shellcheck disable=SC2086 # may be two words
    ${CC:-cc} -shared -fPIC -o "$CLOCK" "$WORK/clock.c" -ldl
}

# set_clock SECONDS: from here on the program's clock is so far off.
set_clock() {
    echo "$1" >"$CLOCK_OFFSET.new" && mv "$CLOCK_OFFSET.new" "$CLOCK_OFFSET"
}
