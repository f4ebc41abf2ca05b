#include "listener/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "listener/filter.h"

/* LOG_FILES for each of 16 sources, and the loop's own; not 0, since descriptors that come by
 * SCM_RIGHTS count. */
enum { DESCRIPTORS = 96 };

static int set_limits(void)
{
    static const struct {
        int resource;
        rlim_t value;
    } limits[] = {
        {RLIMIT_NOFILE, DESCRIPTORS}, {RLIMIT_FSIZE, 0}, {RLIMIT_CORE, 0}, {RLIMIT_NPROC, 0}};
    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
        struct rlimit limit;
        if (getrlimit(limits[i].resource, &limit) < 0)
            return -1;
        /* Never up: a smaller one may have been set from outside. */
        if (limit.rlim_max > limits[i].value)
            limit.rlim_max = limits[i].value;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(limits[i].resource, &limit) < 0)
            return -1;
    }
    return 0;
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

/* Believes nothing: each way back must be shut, and all three ids must be what was asked for. */
static bool can_regain(uid_t uid, gid_t gid)
{
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid;
    if (getresuid(&ruid, &euid, &suid) < 0 || getresgid(&rgid, &egid, &sgid) < 0)
        return true;
    if (ruid != uid || euid != uid || suid != uid || rgid != gid || egid != gid || sgid != gid)
        return true;
    return setresuid((uid_t)-1, 0, (uid_t)-1) == 0 || setresgid((gid_t)-1, 0, (gid_t)-1) == 0 ||
           getgroups(0, NULL) != 0;
}

enum sandbox_step sandbox_enter(uid_t uid, gid_t gid)
{
    if (set_limits() < 0)
        return SANDBOX_LIMITS;
    if (change_root() < 0)
        return SANDBOX_CHROOT;
    if (change_user(uid, gid) < 0)
        return SANDBOX_USER;
    if (can_regain(uid, gid)) {
        errno = EPERM;
        return SANDBOX_REGAIN;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return SANDBOX_NO_NEW_PRIVS;
    return filter_load() < 0 ? SANDBOX_FILTER : SANDBOX_DONE;
}

const char *sandbox_step_name(unsigned step)
{
    static const char *const names[SANDBOX_STEPS] = {
        [SANDBOX_DONE] = "nothing",
        [SANDBOX_LIMITS] = "setting resource limits",
        [SANDBOX_CHROOT] = ("chroot to " SANDBOX_ROOT),
        [SANDBOX_USER] = "changing to the listener's user",
        [SANDBOX_REGAIN] = "making sure that root can't be regained",
        [SANDBOX_NO_NEW_PRIVS] = "setting no_new_privs",
        [SANDBOX_FILTER] = "loading the system call filter",
    };
    return step < SANDBOX_STEPS ? names[step] : "an unknown step";
}
