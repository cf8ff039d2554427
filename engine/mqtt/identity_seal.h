/* SPDX-License-Identifier: Apache-2.0 */
/* Who published, sealed into one user property of a PUBLISH: the broker plugin seals, a source opens.
 *
 * Other subscribers learn nothing from it, and no client can make one or use one again: AES-256-GCM (NIST SP 800-38D) over the
 * identity, bound to topic and payload. At each start a sealer draws a salt and derives its working key from the shared key by
 * HKDF-SHA-256 (RFC 5869); the nonce is a counter, so no pair of key and nonce is used twice, however often a broker starts.
 *
 *     base64 of:  version 1 | salt 16 | counter 8, big-endian | ciphertext | tag 16
 *     ciphertext: of client id, principal, source address, trace id: each its length in 2 bytes, big-endian, and its bytes
 *     additional data: version | salt | counter | length of topic in 2 bytes | topic | payload
 *
 * An opener keeps which counters of a salt it has seen, as far as four million behind the newest, of the sixteen salts that it met last: a seal comes
 * once. It forgets with its process. */
#ifndef SLUICE_MQTT_IDENTITY_SEAL_H
#define SLUICE_MQTT_IDENTITY_SEAL_H

#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define IDENTITY_PROPERTY "sluice-identity"
#define IDENTITY_KEY_MIN  32 /* bytes of a key file at least; what is beyond counts too */
#define IDENTITY_KEY_MAX  4096
#define IDENTITY_MAX_BYTES                                                                                             \
    49000 /* of the four texts together, so that the sealed text fits a property (65,535 bytes) */

/* Is this the name of the user property? */
static inline bool identity_is_property(const char *name, size_t len)
{
    return len == sizeof(IDENTITY_PROPERTY) - 1 && memcmp(name, IDENTITY_PROPERTY, len) == 0;
}

struct identity_text {
    const char *p; /* NULL: unknown */
    size_t len;
};
struct identity {
    struct identity_text client_id, principal, source_ip, trace_id;
};
/* What a seal is bound to. */
struct identity_bound {
    const char *topic;
    size_t topic_len;
    const void *payload;
    size_t payload_len;
};

/* The shared key, as a file holds it: raw bytes, or 64 and more hexadecimal digits in one line. Errors say what to do: how to make one. */
struct identity_key {
    unsigned char bytes[IDENTITY_KEY_MAX];
    size_t len;
    bool is_open_to_all; /* everybody on the machine may read the file: worth a warning */
};
int identity_key_read(struct identity_key *k, const char *path, struct err *e) MUST_CHECK;
void identity_key_wipe(struct identity_key *k);

/* --- sealing: one thread at a time, no allocation after sealer_new --- */

struct sealer;
struct sealer *sealer_new(const struct identity_key *k, struct err *e) MUST_CHECK; /* returns owned */
void sealer_free(struct sealer *s);
/* Length of a text that sealer_seal makes, without NUL; 0: too long to seal. */
size_t identity_sealed_len(const struct identity *who);
/* Write the sealed text, NUL-terminated, to out of identity_sealed_len + 1 bytes. -1: the library refused (never for input). */
int sealer_seal(struct sealer *s, const struct identity *who, const struct identity_bound *b, char *out) MUST_CHECK;

/* --- opening: one thread at a time --- */

enum seal_result {
    SEAL_OPENED,
    SEAL_FORGED,   /* not made with any of the keys, or for another topic or payload */
    SEAL_REPLAYED, /* made with one of them, but seen before, or too far behind the newest to tell */
};

#define OPENER_KEYS_MAX 2 /* for rotation */

struct opener;
struct opener *opener_new(const struct identity_key *keys, size_t count, struct err *e) MUST_CHECK; /* returns owned */
void opener_free(struct opener *o);
/* Open a sealed text. who's texts live in the opener until the next call. is_repeat: DUP or RETAIN is set, so it may have been seen.
 * subscription: the identifier that this copy came for, 0 for none: an MQTT 5 broker sends a copy for each matching subscription,
 * and each may come once. Any input is fine. */
enum seal_result opener_open(struct opener *o, const char *sealed, size_t len, const struct identity_bound *b,
                             bool is_repeat, uint32_t subscription, struct identity *who) MUST_CHECK;

#endif
