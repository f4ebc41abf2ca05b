/* Counts the different ports that each address sent to: remembers the newest, with their times.
 * From how many on it is a scan is for matcher.c to say. */
#include "listener/port_scan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/crypto.h"

struct sent {
    int64_t time;  /* of the newest packet to it */
    uint32_t port; /* with its protocol; 0: none */
};

struct port_scan {
    uint8_t key[CRYPTO_KEY_SIZE];
    int64_t window;
    unsigned cells, ports;
    uint64_t *names;   /* of the addresses that have the cells; 0: nobody has it */
    struct sent *sent; /* `ports` of each cell, the newest first */
};

static_assert(sizeof(uint64_t) + PORT_SCAN_PORTS * sizeof(struct sent) <= PORT_SCAN_BYTES,
              "an address takes more than is said");

struct port_scan *port_scan_new(unsigned max, unsigned ports, int64_t window, const uint8_t key[16])
{
    assert(ports > 0 && ports <= PORT_SCAN_PORTS);
    struct port_scan *scan = calloc(1, sizeof(*scan));
    if (!scan)
        return NULL;
    memcpy(scan->key, key, sizeof(scan->key));
    scan->window = window;
    scan->cells = max > 0 ? max : 1;
    scan->ports = ports;
    scan->names = calloc(scan->cells, sizeof(*scan->names));
    scan->sent = calloc((size_t)scan->cells * ports, sizeof(*scan->sent));
    if (scan->names && scan->sent)
        return scan;
    port_scan_free(scan);
    return NULL;
}

void port_scan_free(struct port_scan *scan)
{
    if (!scan)
        return;
    free(scan->names);
    free(scan->sent);
    free(scan);
}

static uint64_t name_of(const struct port_scan *scan, unsigned source, const struct addr *address)
{
    uint8_t bytes[sizeof(*address) + 1];
    memcpy(bytes, address, sizeof(*address));
    bytes[sizeof(*address)] = (uint8_t)source;
    return crypto_keyed_hash(scan->key, bytes, sizeof(bytes)) | 1;
}

/* By the higher half, since the lowest bit is the same in all. */
static size_t cell_of(const struct port_scan *scan, uint64_t name)
{
    return (size_t)((name >> 32) * scan->cells >> 32);
}

static unsigned count_since(const struct port_scan *scan, size_t cell, int64_t since)
{
    const struct sent *sent = &scan->sent[cell * scan->ports];
    unsigned count = 0;
    while (count < scan->ports && sent[count].port && sent[count].time >= since)
        count++;
    return count;
}

/* Puts the port first: where it was, or else the oldest one, makes room. */
static void put_first(const struct port_scan *scan, size_t cell, uint32_t port, int64_t now)
{
    struct sent *sent = &scan->sent[cell * scan->ports];
    unsigned at = 0;
    while (at < scan->ports - 1 && sent[at].port && sent[at].port != port)
        at++;
    memmove(sent + 1, sent, at * sizeof(*sent));
    sent[0] = (struct sent){.time = now, .port = port};
}

void port_scan_note(struct port_scan *scan, unsigned source, const struct addr *address,
                    struct port_proto port, int64_t now)
{
    uint64_t name = name_of(scan, source, address);
    size_t cell = cell_of(scan, name);
    if (scan->names[cell] != name) {
        /* Who sent to more than one port keeps it: forged addresses send once each. */
        if (count_since(scan, cell, now - scan->window) > 1)
            return;
        scan->names[cell] = name;
        memset(&scan->sent[cell * scan->ports], 0, scan->ports * sizeof(*scan->sent));
    }
    put_first(scan, cell, (uint32_t)port.proto << 16 | port.port, now);
}

unsigned port_scan_count(const struct port_scan *scan, unsigned source, const struct addr *address,
                         int64_t since)
{
    uint64_t name = name_of(scan, source, address);
    size_t cell = cell_of(scan, name);
    return scan->names[cell] == name ? count_since(scan, cell, since) : 0;
}
