/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mqtt/listen_conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/mqtt/packet.h"

#define DAY_MS INT64_C(86400000)

#define FIELD(name) offsetof(struct listen_conf, name)

const struct opt listen_options[LISTEN_OPTION_COUNT] = {
    { "address", OPT_TEXT, FIELD(address), .required = true,
      .help = "where clients connect: host:port, or port for every address of the machine" },
    { "certFile", OPT_PATH, FIELD(cert_file), .help = "PEM file of our certificate and its chain: TLS only" },
    { "keyFile", OPT_PATH, FIELD(key_file), .help = "PEM file of its private key; absent: it is in certFile" },
    { "keyPassword", OPT_TEXT, FIELD(key_password), .help = "password of an encrypted private key" },
    { "caFile", OPT_PATH, FIELD(ca_file), .help = "PEM file of the authorities that may sign clients' certificates" },
    { "requireCertificate", OPT_BOOL, FIELD(require_certificate), .def = "false",
      .help = "refuse a client without a certificate of caFile" },
    { "passwordFile", OPT_PATH, FIELD(password_file),
      .help = "users, as sluice passwd and mosquitto_passwd write them" },
    { "allowAnonymous", OPT_BOOL, FIELD(allow_anonymous), .def = "false",
      .help = "let in who shows neither a password nor a certificate" },
    { "maxConnections", OPT_INT, FIELD(connections_max), .def = "1000", .min = 1, .max = 1000000,
      .help = "clients at once; further ones are refused" },
    { "maxRate", OPT_INT, FIELD(rate_max), .def = "0", .max = 1000000,
      .help = "messages a second that are read from one client, 0: all; the rest waits in its connection" },
    { "maxPacketSize", OPT_SIZE, FIELD(packet_max), .def = "256k", .min = 1024, .max = PACKET_SIZE_MAX,
      .help = "largest packet; a client that sends a larger one is disconnected" },
    { "receiveMaximum", OPT_INT, FIELD(receive_max), .def = "100", .min = 1, .max = 65535,
      .help = "messages of QoS 1 and 2 of one client without acknowledgement" },
    { "connectTimeout", OPT_DURATION, FIELD(connect_timeout_ms), .def = "10s", .min = 100, .max = 600000,
      .help = "end a connection on which no CONNECT came for this time" },
    { "maxSessionExpiry", OPT_DURATION, FIELD(session_expiry_max_ms), .def = "1h", .min = 0, .max = 365 * DAY_MS,
      .help = "how long a client that is away is remembered, at most" },
};

static struct span place_of(const struct conf *map, const char *name)
{
    const struct conf *value = map && map->kind == CONF_MAP ? conf_get(map, name) : NULL;
    return value ? value->at : map ? map->at : (struct span) { 0 };
}

/* "host:port", "[::1]:1883", "1883" */
static int split_address(struct listen_conf *c)
{
    const char *colon = strrchr(c->address, ':'), *port = colon ? colon + 1 : c->address;
    size_t host_len = colon ? (size_t)(colon - c->address) : 0, digits = strspn(port, "0123456789");
    const char *host = c->address;
    unsigned long n = digits > 0 && digits <= 5 ? strtoul(port, NULL, 10) : 0;
    if (n == 0 || n > UINT16_MAX || port[digits])
        return -1;
    snprintf(c->port, sizeof(c->port), "%lu", n);
    if (host_len >= 2 && host[0] == '[' && host[host_len - 1] == ']') {
        host++;
        host_len -= 2;
    } else if (memchr(host, ':', host_len)) {
        return -1; /* an IPv6 address without brackets */
    }
    if (host_len == 0)
        return colon && colon == c->address ? -1 : 0;
    c->host = strndup(host, host_len);
    return c->host ? 0 : -1;
}

static void check_file(const char *path, const char *name, const struct conf *map, struct errs *errs)
{
    if (path && access(path, R_OK) < 0)
        errs_add(errs, SEV_ERROR, ERR_IO, place_of(map, name), "\"%s\" could not be read: %s", name, strerror(errno));
}

static void check_tls(const struct listen_conf *c, const struct conf *map, struct errs *errs)
{
    check_file(c->cert_file, "certFile", map, errs);
    check_file(c->key_file, "keyFile", map, errs);
    check_file(c->ca_file, "caFile", map, errs);
    check_file(c->password_file, "passwordFile", map, errs);
    if (c->key_file && !c->cert_file)
        errs_refuse(errs, ERR_CONF_MISSING, place_of(map, "keyFile"), "\"keyFile\" needs \"certFile\"");
    if (c->ca_file && !c->cert_file)
        errs_refuse(errs, ERR_CONF_MISSING, place_of(map, "caFile"),
                    "\"caFile\" needs \"certFile\": clients show certificates only over TLS");
    if (c->require_certificate && !c->ca_file)
        errs_refuse(errs, ERR_CONF_MISSING, place_of(map, "requireCertificate"),
                    "\"requireCertificate\" needs \"caFile\"");
}

static void check_doors(const struct listen_conf *c, const struct conf *map, struct errs *errs)
{
    if (c->allow_anonymous || c->password_file || c->ca_file)
        return;
    struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_MISSING, place_of(map, "address"),
                             "nobody could connect: there is no passwordFile, no caFile, and allowAnonymous is false");
    err_hint(e, "sluice passwd FILE NAME makes a passwordFile.");
}

int listen_conf_read(struct listen_conf *c, const struct conf *map, struct errs *errs)
{
    size_t errors = errs->errors;
    struct span at = place_of(map, "");
    *c = (struct listen_conf) { 0 };
    if (opt_read(listen_options, LISTEN_OPTION_COUNT, map, "listen", at, c, errs) < 0 &&
        (!map || map->kind != CONF_MAP))
        return -1;
    if (c->address && split_address(c) < 0)
        errs_refuse(errs, ERR_CONF_VALUE, place_of(map, "address"),
                    "\"address\" must be host:port, [IPv6 address]:port, or a port");
    check_tls(c, map, errs);
    check_doors(c, map, errs);
    return errs->errors > errors ? -1 : 0;
}

void listen_conf_clear(struct listen_conf *c)
{
    opt_free(listen_options, LISTEN_OPTION_COUNT, c);
    free(c->host);
    c->host = NULL;
}
