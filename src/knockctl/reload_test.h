/* A test of the configuration before a reload. */
#ifndef KNOCKCTL_RELOAD_TEST_H
#define KNOCKCTL_RELOAD_TEST_H

/*
 * Has the program of the knockd that listens at `socket` test its configuration by -t, as the unit
 * does before a reload: that has iptables try the rules of doors, for which knockd itself doesn't
 * stop. Returns KNOCKCTL_DONE where iptables takes them, and where they can't be tried: by others
 * than root, or from another network or container than knockd's. Else another status, after saying
 * why; messages begin with `name`.
 */
int reload_test(const char *name, const char *socket);

#endif
