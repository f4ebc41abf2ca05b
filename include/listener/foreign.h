/*
 * Lines that nobody's parser takes though they look like the firewall's: their header is one that
 * isn't known. They never count; they are shown, so that an administrator sees why nothing happens.
 * Pure.
 */
#ifndef LISTENER_FOREIGN_H
#define LISTENER_FOREIGN_H

#include "lib/message.h"
#include "listener/logline.h"

struct foreign {
    uint64_t count;
    enum header_hint hint;              /* what the first of them looks like */
    char example[MESSAGE_TEXT_MAX + 1]; /* its beginning, bytes and all */
};

/*
 * Whether a LINE_FOREIGN line holds a prefix of `spec`, if that has any, and then IN=, SRC= and
 * DST=, behind a header that the format of `spec` doesn't know. Records of /dev/kmsg never do:
 * there it was another program that wrote the line.
 */
bool foreign_is_firewall(const struct line_spec *spec, const char *line, size_t len);

/* Counts such a line, and keeps the first. */
void foreign_note(struct foreign *foreign, const char *line, size_t len);

/* Whether a prefix says that the firewall accepted the packet, or may have: "[UFW ALLOW] ", "[UFW
 * AUDIT] ", "Shorewall:net-fw:ACCEPT:", "[WAN_LOCAL-10-A]". */
bool prefix_is_of_accepted(const char *prefix, size_t len);

#endif
