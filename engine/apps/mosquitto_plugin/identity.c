/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/apps/mosquitto_plugin/identity.h"

#include <stdlib.h>

#include "engine/base/buf.h"
#include "engine/base/random.h"

#define SEALED_MAX 65535 /* bytes of a property's value */

struct identity_stamp {
    struct sealer *sealer;
    struct identity_port port;
    struct random trace; /* ids that nobody must guess are not among its uses */
    struct buf sealed;
    uint64_t unsealed;
};

static struct identity_text text_of(struct policy_text t)
{
    return (struct identity_text) { t.p, t.len };
}

static int seal(struct identity_stamp *s, const struct subject *who, const struct identity_bound *b)
{
    char trace_id[37];
    random_uuid(&s->trace, trace_id);
    struct identity id = {
        text_of(who->client_id), text_of(who->principal), text_of(who->source_ip), { trace_id, 36 }
    };
    size_t len = identity_sealed_len(&id);
    buf_reset(&s->sealed);
    if (len == 0 || len > SEALED_MAX || !buf_reserve(&s->sealed, len + 1))
        return -1;
    return sealer_seal(s->sealer, &id, b, s->sealed.p);
}

int identity_stamp_message(struct identity_stamp *s, void *properties, const struct subject *who,
                           const struct identity_bound *b)
{
    if (s->port.remove(properties, IDENTITY_PROPERTY) < 0)
        return -1;
    if (!who || seal(s, who, b) < 0 || s->port.add(properties, IDENTITY_PROPERTY, s->sealed.p) < 0)
        s->unsealed++;
    return 0;
}

uint64_t identity_stamp_take_unsealed(struct identity_stamp *s)
{
    uint64_t n = s->unsealed;
    s->unsealed = 0;
    return n;
}

struct identity_stamp *identity_stamp_new(const char *key_file, const struct identity_port *port, uint64_t seed,
                                          bool *is_open_to_all, struct err *e)
{
    struct identity_key key;
    if (identity_key_read(&key, key_file, e) < 0)
        return NULL;
    *is_open_to_all = key.is_open_to_all;
    struct identity_stamp *s = calloc(1, sizeof(*s));
    if (!s)
        err_set(e, ERR_MEMORY, "not enough memory to seal identities");
    else if (!(s->sealer = sealer_new(&key, e))) {
        free(s);
        s = NULL;
    } else {
        s->port = *port;
        random_seed(&s->trace, seed);
        buf_init(&s->sealed, SEALED_MAX + 1);
    }
    identity_key_wipe(&key);
    return s;
}

void identity_stamp_free(struct identity_stamp *s)
{
    if (!s)
        return;
    sealer_free(s->sealer);
    buf_clear(&s->sealed);
    free(s);
}
