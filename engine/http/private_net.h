/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses are not of the public internet: IANA's special-purpose registries (RFC 6890 and its updates). */
#ifndef SLUICE_HTTP_PRIVATE_NET_H
#define SLUICE_HTTP_PRIVATE_NET_H

#include <stdbool.h>

struct sockaddr;

/* True also for families other than IPv4 and IPv6. IPv6 addresses that carry an IPv4 address are judged by that. */
bool private_net_has(const struct sockaddr *address);

#endif
