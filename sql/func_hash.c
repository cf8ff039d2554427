/* SPDX-License-Identifier: Apache-2.0 */
/* Digests (spec 3.2): lower-case hexadecimal text of the digest of a text's UTF-8 bytes, by nettle. */
#include "sql/funcs_int.h"

#include <nettle/base16.h>
#include <nettle/nettle-meta.h>
#include <nettle/sha2.h>

/* Steps that a byte takes beside those of its text, times 4: MD2 goes over each block 18 times. */
#define USUAL_QUARTERS 1
#define MD2_QUARTERS   96

static void digest(struct sql_call *c, const struct nettle_hash *hash, unsigned quarters)
{
    struct sql_text s;
    uint8_t bytes[SHA512_DIGEST_SIZE]; /* the longest */
    if (!sql_arg_text(c, 0, &s))
        return;
    sql_charge(c, s.len * quarters / 4);
    size_t len = BASE16_ENCODE_LENGTH(hash->digest_size);
    void *context = arena_alloc(c->arena, hash->context_size);
    char *text = arena_alloc(c->arena, len);
    if (!context || !text)
        return;
    hash->init(context);
    hash->update(context, s.len, (const uint8_t *)s.s);
    hash->digest(context, hash->digest_size, bytes);
    base16_encode_update(text, hash->digest_size, bytes);
    c->result = val_string(text, len);
    c->result.exp = 1;
}

void fn_md2(struct sql_call *c)
{
    digest(c, &nettle_md2, MD2_QUARTERS);
}

void fn_md5(struct sql_call *c)
{
    digest(c, &nettle_md5, USUAL_QUARTERS);
}

void fn_sha1(struct sql_call *c)
{
    digest(c, &nettle_sha1, USUAL_QUARTERS);
}

void fn_sha224(struct sql_call *c)
{
    digest(c, &nettle_sha224, USUAL_QUARTERS);
}

void fn_sha256(struct sql_call *c)
{
    digest(c, &nettle_sha256, USUAL_QUARTERS);
}

void fn_sha384(struct sql_call *c)
{
    digest(c, &nettle_sha384, USUAL_QUARTERS);
}

void fn_sha512(struct sql_call *c)
{
    digest(c, &nettle_sha512, USUAL_QUARTERS);
}
