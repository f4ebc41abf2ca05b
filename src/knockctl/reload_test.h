/* A test of the configuration before a reload. */
#ifndef KNOCKCTL_RELOAD_TEST_H
#define KNOCKCTL_RELOAD_TEST_H

/*
 * Has the program of the knockd that listens at `socket` test its configuration by -t, as the unit
 * does before a reload: that has iptables try the rules of doors, for which knockd itself doesn't
 * stop. Returns KNOCKCTL_FAILED, after saying why in messages that begin with `name`, where
 * iptables refuses one; else KNOCKCTL_DONE, also where they can't be tried: by others than root,
 * from another network or container than knockd's, or when it doesn't answer.
 */
int reload_test(const char *name, const char *socket);

#endif
