/*
 * The boundary to the listener. It reads what strangers write, and may be in an attacker's hands:
 * so each of its messages is checked in all fields, by the state of the conversation and by the
 * configuration that the listener works by, before anything acts on it. A message that no honest
 * listener sends ends the listener.
 */
#ifndef KEEPER_INBOUND_H
#define KEEPER_INBOUND_H

#include "keeper/authorize.h"
#include "keeper/log_sources.h"
#include "lib/message.h"

/* What the daemon does with messages that are right. */
struct inbound_calls {
    /* MESSAGE_EVENT and MESSAGE_SEEN: to be logged. */
    void (*event)(void *arg, const struct message *message);
    /* A part of the answer to the question that was asked last; MESSAGE_ANSWERED ends it. */
    void (*answer)(void *arg, const struct message *message);
    void *arg;
};

/* The conversation with one listener. */
struct inbound {
    const struct authorize *authorize; /* with the configuration that the listener works by */
    struct log_sources *sources;
    struct inbound_calls calls;
    uint32_t generation;
    bool complained; /* it said that it can't be confined */
    bool replied;    /* it has its configuration and is at work */
    bool pinged;     /* it owes the answer to a ping */
    uint32_t ping;   /* number of the last one */
    bool asked;      /* it owes the answer to a question */
    uint32_t query;  /* number of the last one */
    bool asked_why;  /* it is about an address, too, whose packets belong to the answer */
    int64_t now;     /* when the message at hand was received, ns */
};

enum inbound_result {
    INBOUND_NONE,     /* no message is there just now */
    INBOUND_END,      /* the listener closed its end */
    INBOUND_BAD,      /* no honest listener says that; nothing was done */
    INBOUND_SERVED,   /* from here on: a message was served */
    INBOUND_REPLIED,  /* ... by which the listener says that it is at work */
    INBOUND_ANSWERED, /* ... by which it owes one answer less */
};

/* Receives one message into *message, without waiting, checks and serves it. */
enum inbound_result inbound_receive(struct inbound *in, int socket, struct message *message);

/* Whether an honest listener may say `message`, which has the size of its type, at in->now. Pure.
 */
bool inbound_check(const struct inbound *in, const struct message *message);

#endif
