/*
 * What a listener gives up, in this order: memory and descriptors beyond its limits -> the keeper's
 * protection from the kernel's OOM killer -> all folders -> every capability that a program could
 * get back -> its user -> its capabilities -> new privileges, and most system calls.
 */
#include "listener/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/config.h"
#include "lib/message.h"
#include "listener/filter.h"

/* The files of all sources, and the loop's own; not 0, since descriptors that come by SCM_RIGHTS
 * count. */
enum { DESCRIPTORS = LOG_FILES * CONFIG_SOURCES_MAX + 32 };

/* uid 0 stands for no capability, and none becomes ambient; for good. */
static const unsigned long securebits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
                                        SECBIT_NO_CAP_AMBIENT_RAISE |
                                        SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

/* Lowers a limit, never raises it: a smaller one may have been set from outside. */
static int lower_limit(int resource, rlim_t value)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) < 0)
        return -1;
    if (limit.rlim_max > value)
        limit.rlim_max = value;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(resource, &limit);
}

static int set_limits(uint64_t memory)
{
    static const struct {
        int resource;
        rlim_t value;
    } limits[] = {
        {RLIMIT_NOFILE, DESCRIPTORS}, {RLIMIT_FSIZE, 0}, {RLIMIT_CORE, 0}, {RLIMIT_NPROC, 0}};
    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
        if (lower_limit(limits[i].resource, limits[i].value) < 0)
            return -1;
#ifdef M_ARENA_MAX
    /* Out of memory, glibc would make another arena, and ask for the number of processors first. */
    mallopt(M_ARENA_MAX, 1);
#endif
    /* A sanitizer's shadow memory takes more addresses than any limit allows. */
    return filter_is_strict() ? lower_limit(RLIMIT_AS, memory) : 0;
}

int sandbox_oom_score(int keeper)
{
    enum { ABOVE_KEEPER = 100, MOST = 1000 };
    int score = keeper + ABOVE_KEEPER;
    return score < 0 ? 0 : score > MOST ? MOST : score;
}

/* Gives up the protection from the OOM killer. No privilege is at stake, so failures, as without
 * /proc, are ignored. */
static void lower_oom_protection(void)
{
    char text[16] = "";
    int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    if (fd >= 0 && pread(fd, text, sizeof(text) - 1, 0) > 0) {
        int len = snprintf(text, sizeof(text), "%d", sandbox_oom_score(atoi(text)));
        (void)!pwrite(fd, text, (size_t)len, 0);
    }
    if (fd >= 0)
        close(fd);
}

static int change_root(void)
{
    return chroot(SANDBOX_ROOT) < 0 || chdir("/") < 0 ? -1 : 0;
}

static int change_user(uid_t uid, gid_t gid)
{
    if (uid == 0 || gid == 0) {
        errno = EINVAL;
        return -1;
    }
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return -1;
    return 0;
}

/* Reads the capabilities of this process. */
static int read_capabilities(struct __user_cap_data_struct out[2])
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    return (int)syscall(SYS_capget, &header, out);
}

/*
 * Takes away what the execution of a program could bring back: its file capabilities and what uid 0
 * stands for. Only CAP_SETPCAP may do that; without it, as in a container, the process can't, and
 * needn't: no_new_privs and the filter shut the same way.
 */
static int empty_bounds(void)
{
    struct __user_cap_data_struct have[2] = {{0}};
    if (read_capabilities(have) < 0)
        return -1;
    if (!(have[CAP_TO_INDEX(CAP_SETPCAP)].effective & CAP_TO_MASK(CAP_SETPCAP)))
        return 0;
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 || prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 0)
            return -1;
    int bits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
    return bits < 0 ? -1 : prctl(PR_SET_SECUREBITS, (unsigned long)bits | securebits, 0, 0, 0);
}

/* The change of user has taken them, unless securebits from outside said otherwise. */
static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    static const struct __user_cap_data_struct none[2];
    return (int)syscall(SYS_capset, &header, none);
}

static bool has_capability(void)
{
    struct __user_cap_data_struct have[2];
    if (read_capabilities(have) < 0)
        return true;
    for (int i = 0; i < 2; i++)
        if (have[i].effective || have[i].permitted || have[i].inheritable)
            return true;
    return false;
}

/* Tries each way back, which must be shut; and all three ids must be what was asked for. */
static bool can_regain(uid_t uid, gid_t gid)
{
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid;
    if (getresuid(&ruid, &euid, &suid) < 0 || getresgid(&rgid, &egid, &sgid) < 0)
        return true;
    if (ruid != uid || euid != uid || suid != uid || rgid != gid || egid != gid || sgid != gid)
        return true;
    return has_capability() || setresuid((uid_t)-1, 0, (uid_t)-1) == 0 ||
           setresgid((gid_t)-1, 0, (gid_t)-1) == 0 || getgroups(0, NULL) != 0;
}

enum sandbox_step sandbox_drop(uid_t uid, gid_t gid, uint64_t memory)
{
    if (set_limits(memory) < 0)
        return SANDBOX_LIMITS;
    lower_oom_protection();
    if (change_root() < 0)
        return SANDBOX_CHROOT;
    if (empty_bounds() < 0)
        return SANDBOX_BOUNDS;
    if (change_user(uid, gid) < 0)
        return SANDBOX_USER;
    if (drop_capabilities() < 0)
        return SANDBOX_CAPABILITIES;
    if (can_regain(uid, gid)) {
        errno = EPERM;
        return SANDBOX_REGAIN;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return SANDBOX_NO_NEW_PRIVS;
    return SANDBOX_DONE;
}

enum sandbox_step sandbox_enter(uid_t uid, gid_t gid, uint64_t memory)
{
    enum sandbox_step failed = sandbox_drop(uid, gid, memory);
    if (failed != SANDBOX_DONE)
        return failed;
    return filter_load() < 0 ? SANDBOX_FILTER : SANDBOX_DONE;
}

const char *sandbox_step_name(unsigned step)
{
    static const char *const names[SANDBOX_STEPS] = {
        [SANDBOX_DONE] = "nothing",
        [SANDBOX_LIMITS] = "setting resource limits",
        [SANDBOX_CHROOT] = ("chroot to " SANDBOX_ROOT),
        [SANDBOX_BOUNDS] = "emptying the capability bounding set",
        [SANDBOX_USER] = "changing to the listener's user",
        [SANDBOX_CAPABILITIES] = "dropping all capabilities",
        [SANDBOX_REGAIN] = "making sure that root can't be regained",
        [SANDBOX_NO_NEW_PRIVS] = "setting no_new_privs",
        [SANDBOX_FILTER] = "loading the system call filter",
    };
    return step < SANDBOX_STEPS ? names[step] : "an unknown step";
}
