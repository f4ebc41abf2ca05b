/*
 * /etc/knockd.conf as values: read once, checked, then never changed. Each value
 * keeps its place (file and line), for later messages: the keeper checks commands.
 */
#ifndef LIB_CONFIG_H
#define LIB_CONFIG_H

#include <net/if.h>
#include <stddef.h>

#include "lib/addr.h"
#include "lib/report.h"
#include "lib/sequence.h"

enum { CONFIG_SOURCES_MAX = 64, CONFIG_DOORS_MAX = 4096, CONFIG_NAME_MAX = 63 };

/* The most addresses that a listener may remember (max_sources). */
enum { CONFIG_MAX_SOURCES = 4194304 };

/* The most openings at a time that may be configured, and the default. */
enum { CONFIG_MAX_OPEN = 16384 };

/* The default of check_interval in ns: how often an open door is checked. */
#define CONFIG_CHECK_INTERVAL (INT64_C(30) * 1000000000)

/* The most that max_age may be, in ns. */
#define CONFIG_AGE_MAX (INT64_C(86400) * 1000000000)

/* A text with its place. */
struct config_text {
    char *text;
    struct config_pos pos;
};

/* A list of texts. `set`: the key was given, perhaps as {} or "": none, on purpose; `pos` is the
 * place of the first text. */
struct config_list {
    struct config_text *items;
    unsigned count;
    bool set;
    struct config_pos pos;
};

/* Whether `text` is one of the list's items. */
bool config_list_has(const struct config_list *list, const char *text);

enum source_type {
    SOURCE_KMSG,
    SOURCE_FILE,
    SOURCE_JOURNAL, /* what journalctl -k writes */
    SOURCE_COMMAND, /* what any program writes */
    SOURCE_STDIN,
    SOURCE_NFLOG,   /* packets that a firewall rule hands to a group of NFLOG */
    SOURCE_PCAP,    /* packets as they come in, whatever the firewall does with them */
    SOURCE_UNKNOWN, /* none was given, or there is none of that name: only while a file is read */
};

/* Whether such a source brings packets, not lines about them. */
static inline bool source_is_of_packets(enum source_type type)
{
    return type == SOURCE_NFLOG || type == SOURCE_PCAP;
}

/* Whether it brings what the firewall accepts, too. */
static inline bool source_is_captured(enum source_type type)
{
    return type == SOURCE_PCAP;
}
enum source_format { FORMAT_KERNEL, FORMAT_ULOGD };

struct config_source {
    char *name;
    struct config_pos pos;
    enum source_type type;
    enum source_format format;
    char *path;                    /* file: absolute; else NULL */
    struct config_text command;    /* command: program and its words; else NULL */
    unsigned group;                /* nflog: number of the group, 0 to 65535 */
    struct config_list interfaces; /* pcap: names; none: any */
    struct config_list prefixes;   /* without the blanks at their end; none: any prefix */
    bool remote;                   /* brings other hosts' lines */
    int64_t max_age;               /* ns by which a line may be old; 0: any time */
};

/* The commands of a door for one family; what has none of its own for IPv6 has IPv4's. */
struct config_commands {
    struct config_list start;
    struct config_list stop;
    struct config_list extend;
    struct config_list check;
};

/* At most `count` openings of a door by one address in `period` ns; count 0: any number. */
struct config_rate {
    unsigned count;
    int64_t period;
};

/* A door. How it is closed if it has no undo of its own is worked out last, of all doors. */
struct config_door {
    char *name;
    struct config_pos pos;
    struct sequence sequence;
    struct config_pos sequence_pos;
    struct config_text once_path; /* file of one-time sequences; text NULL: none */
    int64_t seq_timeout;          /* ns */
    int64_t cmd_timeout;          /* ns */
    int64_t start_delay;          /* ns between a knock and its start command */
    int64_t check_interval;       /* ns between runs of its check command */
    struct flag_match flags;
    bool strict;
    int strays; /* strays between two steps that are forgiven; -1: not given, by the source */
    struct port_proto port;    /* what the door opens; port 0: none */
    struct port_proto *ignore; /* never strays: ignore = {...}, and `port` */
    unsigned ignore_count;
    struct addr target;          /* family 0: any */
    char interface[IF_NAMESIZE]; /* empty: any */
    struct config_list sources;  /* names of those that it hears; none: all */
    uint64_t unheard;            /* bit n: not the source number n */
    struct net *allow;           /* none: everyone */
    unsigned allow_count;
    struct config_list rules;
    bool comment; /* a rule gets the comment "knockd DOOR" */
    struct config_commands ip4;
    struct config_commands ip6; /* `set` is false where ip4's is meant */
    unsigned max_open;          /* openings at a time; 0: as many as in all */
    struct config_rate rate;
    struct config_list keys; /* names of the sealed keys that open it; none: no sealed knock does */
    struct port_proto *ports; /* what a sealed knock may ask for besides `port` */
    unsigned port_count;
    int64_t max_timeout; /* ns, the longest time that a sealed knock may ask for; 0: cmd_timeout */
    bool bound;          /* only sealed knocks that are bound to their source open it */
    bool for_others;     /* key `for`: a sealed knock may name another address */
    uint64_t stop_ok[4]; /* bit n: exit status n of a stop command means closed */
    struct config_pos timeout_pos;    /* of cmd_timeout; line 0: not given */
    struct config_list closes;        /* names of the doors that a knock at this one closes */
    bool is_undo;                     /* its start commands are the undo of one of them */
    const struct config_door *closer; /* whose start commands undo this one; NULL: none */
    bool lasts; /* has no undo of its own: open until another door or an administrator closes it */
    bool expires; /* has no undo, and needs none: the firewall closes it after %TIMEOUT% */
};

/* Sealed knocks in general. */
struct config_sealed {
    struct config_pos pos;    /* of the section; line 0: none was written */
    unsigned span;            /* first port; 0: no door has a key */
    unsigned span_configured; /* the same, even if no door has a key */
    unsigned packet_port; /* UDP port that takes a knock in one packet, by sources that capture */
    int64_t max_skew;     /* ns between a knock's time and the clock */
    char *server;         /* the name that key files must have */
    bool server_given;    /* else it is the host's name */
};

struct config {
    char *path;
    char *user;
    struct config_pos user_pos;
    char *state_dir;
    char *control;
    char *key_dir;
    int facility;            /* LOG_AUTHPRIV ... */
    int64_t stop_timeout;    /* ns that an exit may take to close doors */
    int64_t run_timeout;     /* ns that one command may take */
    bool batch;              /* commands of one kind run together */
    unsigned max_open;       /* openings at a time, of all doors */
    bool comment;            /* of the doors that don't say */
    struct config_list init; /* commands before the first door */
    struct config_list exit; /* and after the last */
    unsigned max_sources;    /* addresses that the listener remembers */
    struct config_sealed sealed;
    struct config_source *sources;
    unsigned source_count;
    struct config_door *doors;
    unsigned door_count;
    char **files; /* names of the files read; every config_pos points here */
    unsigned file_count;
};

/* The configuration of this installation. */
#define DEFAULT_CONFIG KNOCKD_SYSCONFDIR "/knockd.conf"

/* The folder of its keys where the configuration names none. */
#define DEFAULT_KEY_DIR KNOCKD_SYSCONFDIR "/knockd/keys"

/*
 * Reads the file at `path`, checks all that can be checked without running or resolving anything,
 * and reports every error and warning. Returns NULL if there was an error.
 */
struct config *config_load(const char *path, struct report *report);
void config_free(struct config *config);

/* The state folder of a configuration that doesn't name another. */
#define CONFIG_STATE_DIR "/var/lib/knockd"

/* The same of the control socket. */
#define CONFIG_CONTROL "/run/knockd/control"

/* How `knockd -t` begins what iptables says of a rule; knockctl looks for it. */
#define RULE_REFUSED "iptables can't take this rule"

/*
 * The state folder of the configuration at `path`, which may be wrong elsewhere, or everywhere; its
 * errors aren't reported. The default where none is found. False when the file can't be read.
 */
bool config_find_state_dir(const char *path, char *out, size_t size);

/* The control socket of a configuration that is wrong, in the same way; of a file that others could
 * have written it is the default. */
bool config_scan_control(const char *path, char *out, size_t size);

/* The path out of a text, by the first KEY = "/..." that is no comment. False: there is none. */
bool config_scan_path(const char *text, size_t len, const char *key, char *out, size_t size);

/* Whether `name` may be a key's: as that of a door, and none of those that the history has for
 * other ways to open one. */
bool config_is_key_name(const char *name);

/* What a door opens for a knock that names no port: its `port`, else the first of its `ports`; port
 * 0: it has neither. */
struct port_proto config_own_port(const struct config_door *door);

/* The door of that name; NULL: there is none. */
struct config_door *config_find_door(const struct config *config, const char *name);

/* The door that was meant by a mistyped name; NULL: none is near enough. */
const char *config_nearest_door(const struct config *config, const char *name);

enum { CONFIG_DOOR_HINT_SIZE = 768 };

/* The end of a message that there is no door of that name: "; did you mean ssh?", or the first ten
 * doors that there are. Returns `out`. */
const char *config_door_hint(const struct config *config, const char *name,
                             char out[CONFIG_DOOR_HINT_SIZE]);

/* The same of a source. */
const char *config_source_hint(const struct config *config, const char *name,
                               char out[CONFIG_DOOR_HINT_SIZE]);

/* Whether knocks that the source number `source` brings count for the door. */
static inline bool config_hears(const struct config_door *door, unsigned source)
{
    return !(door->unheard >> source & 1);
}

/* Whether `address` is one that `door` may open for: in `allow`, and neither a group nor 0.0.0.0.
 */
bool config_allows(const struct config_door *door, const struct addr *address);

#endif
