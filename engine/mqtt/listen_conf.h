/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the listen source: `{ listen: { address: …, … } }` in sluice.yaml. */
#ifndef SLUICE_MQTT_LISTEN_CONF_H
#define SLUICE_MQTT_LISTEN_CONF_H

#include "engine/base/opt.h"

#include <stdbool.h>
#include <stdint.h>

struct listen_conf {
    /* rows of listen_options */
    char *address;
    char *cert_file, *key_file, *key_password, *ca_file;
    bool require_certificate;
    char *password_file;
    bool allow_anonymous;
    int64_t connections_max, rate_max, packet_max, receive_max, connect_timeout_ms;
    int64_t session_expiry_max_ms;
    size_t memory; /* what connections may hold together, set by the owner; 0: no bound */
    /* made from them */
    char *host; /* NULL: every address of the machine */
    char port[8];
};

#define LISTEN_OPTION_COUNT 14
/* What a connection takes at least, in bytes. */
#define LISTEN_CONNECTION_PLAIN ((size_t)16 << 10)
#define LISTEN_CONNECTION_TLS   ((size_t)64 << 10)

extern const struct opt listen_options[LISTEN_OPTION_COUNT];

/* Read and check the options (map: may be NULL, then the address is missing). Opens nothing. -1 after adding to errs; clear
 * in either case. */
int listen_conf_read(struct listen_conf *c, const struct conf *map, struct errs *errs) MUST_CHECK;
void listen_conf_clear(struct listen_conf *c);

#endif
