/* What inotify tells of the logs: that a file was written to, or that something else changed. */
#ifndef LISTENER_NOTICES_H
#define LISTENER_NOTICES_H

struct notice_calls {
    void (*written)(void *arg, int watch); /* -1: events were lost, it may be any file */
    void (*moved)(void *arg, int watch);   /* on the way to a file; -1 likewise */
    void *arg;
};

/* Reads what is there from the inotify instance, once, and calls for each event. */
void notices_read(int inotify, struct notice_calls calls);

#endif
