/*
 * A firewall in force, as iptables-save prints it: whatever the text says, what fuzz_firewall.h
 * claims holds. The first byte chooses the family and the packets, the rest is the text.
 */
#include "fuzz_firewall.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    ask();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = input_of(data, size);
    unsigned how = input_byte(&in);
    struct firewall firewall = {0};
    char *text = input_text(&in);
    CLAIM(firewall_read_iptables(&firewall, text, how & 1 ? FIREWALL_IP6 : FIREWALL_IP4));
    claim_rules(&firewall);
    claim_ways(&firewall, how & 4 ? FIREWALL_IP4 : FIREWALL_IP6,
               how & 8 ? FIREWALL_STANDING : FIREWALL_NEW);
    firewall_free(&firewall);
    free(text);
    return 0;
}
