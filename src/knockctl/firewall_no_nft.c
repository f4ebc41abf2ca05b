/* Stands in for firewall_nft.c where knockctl is built without libjansson. */
#include <stdio.h>

#include "knockctl/firewall.h"

bool firewall_reads_nft(void)
{
    return false;
}

bool firewall_read_nft(struct firewall *firewall, const char *json, bool iptables,
                       char why[FIREWALL_WHY_SIZE])
{
    (void)firewall, (void)json, (void)iptables;
    snprintf(why, FIREWALL_WHY_SIZE, "this knockctl was built without libjansson");
    return false;
}
