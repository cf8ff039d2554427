/* SPDX-License-Identifier: Apache-2.0 */
/* Two tables of prefixes. Of IPv6 only 2000::/3 is public at all; the rest needs no rows but for those that wrap an
 * IPv4 address. */
#include "engine/http/private_net.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

struct prefix {
    uint32_t address;
    unsigned bits;
};

#define V4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

static const struct prefix private_v4[] = {
    { V4(0, 0, 0, 0), 8 },                                   /* this network */
    { V4(10, 0, 0, 0), 8 },                                  /* private */
    { V4(100, 64, 0, 0), 10 },                               /* carrier-grade NAT */
    { V4(127, 0, 0, 0), 8 },                                 /* loopback */
    { V4(169, 254, 0, 0), 16 },                              /* link-local: metadata services of clouds */
    { V4(172, 16, 0, 0), 12 },                               /* private */
    { V4(192, 0, 0, 0), 24 },                                /* protocol assignments */
    { V4(192, 0, 2, 0), 24 },                                /* documentation */
    { V4(192, 168, 0, 0), 16 },                              /* private */
    { V4(198, 18, 0, 0), 15 },                               /* benchmarks */
    { V4(198, 51, 100, 0), 24 }, { V4(203, 0, 113, 0), 24 }, /* documentation */
    { V4(224, 0, 0, 0), 3 },                                 /* multicast, reserved, broadcast */
};

static bool is_private_v4(uint32_t address)
{
    for (size_t i = 0; i < sizeof(private_v4) / sizeof(private_v4[0]); i++) {
        if ((address ^ private_v4[i].address) >> (32 - private_v4[i].bits) == 0)
            return true;
    }
    return false;
}

static uint32_t v4_at(const uint8_t *p)
{
    return V4(p[0], p[1], p[2], p[3]);
}

static bool is_private_v6(const uint8_t a[16])
{
    static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b }, mapped[12] = { [10] = 0xff, [11] = 0xff };
    if (memcmp(a, mapped, 12) == 0 || memcmp(a, nat64, 12) == 0)
        return is_private_v4(v4_at(a + 12));
    if (a[0] == 0x20 && a[1] == 0x02) /* 6to4 */
        return is_private_v4(v4_at(a + 2));
    bool documentation = v4_at(a) == 0x20010db8, teredo = v4_at(a) == 0x20010000;
    return a[0] >> 5 != 1 || documentation || teredo;
}

bool private_net_has(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof(v4));
        return is_private_v4(ntohl(v4.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof(v6));
        return is_private_v6(v6.sin6_addr.s6_addr);
    }
    return true;
}
