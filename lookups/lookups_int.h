/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. A *teller* knows one function: how its question becomes a request or a file's
 * name, and what of the reply is the answer. A *call* is one question on its way. */
#ifndef SLUICE_LOOKUPS_LOOKUPS_INT_H
#define SLUICE_LOOKUPS_LOOKUPS_INT_H

#include "engine/base/arena.h"
#include "engine/base/json.h"
#include "engine/http/aws_credentials.h"
#include "engine/http/http_link.h"
#include "lookups/kept.h"
#include "lookups/lookups.h"

#include <pthread.h>
#include <stdatomic.h>

#define ANSWER_MAX        ((size_t)1 << 20)   /* bytes of an answer, and of a reply */
#define DYNAMODB_ITEM_MAX ((size_t)8 << 10)   /* of an item as JSON (spec 9) */
#define DESCRIPTOR_MAX    ((size_t)32 << 10)  /* of a descriptor set (spec 9) */
#define DOCUMENT_MAX      ((size_t)128 << 10) /* of a document of a thing */
#define LAMBDA_MS         2000                /* for a function to answer (spec 9) */
#define FILES_KEPT_MS     60000               /* a descriptor set is not read again for so long */
#define CALL_ARENA_MAX    ((size_t)16 << 20)  /* of one call: question, request and reply as tapes */

/* A server with an API of AWS. */
struct aws_service {
    char *endpoint; /* NULL: not configured */
    const char *secret_path;
};

enum { AWS_LAMBDA, AWS_DYNAMODB, AWS_SECRETS_MANAGER, AWS_MACHINE_LEARNING, AWS_SERVICE_COUNT };

struct lookups_conf {
    struct http_settings http;
    char *region;
    const struct conf *credentials_conf;
    struct aws_source aws;
    struct aws_service services[AWS_SERVICE_COUNT];
    const struct conf *service_confs[AWS_SERVICE_COUNT];
    int64_t secrets_ms; /* a secret is not asked for again for so long */
    char *descriptors, *documents;
};

/* A question on its way. Owned by the lookups' thread once it was taken. */
struct call {
    struct lookup *lookup;
    const struct teller *teller;
    uint64_t until_ms; /* monotonic: it must have been its turn by then */
    struct call *next;
    struct call *same;           /* calls with the same question that get the same answer */
    struct arena arena;          /* of all that follows */
    const struct json_doc *args; /* an Array, of as many elements as the teller wants */
    struct http_request request;
};

struct teller {
    const char *function; /* as in lookup.h */
    const char *option;   /* that makes it known who answers, for a hint */
    unsigned min, max;    /* arguments; all but `any` are Strings */
    int service;          /* of enum AWS_…; -1: a file */
    int64_t timeout_ms;   /* at most, of the whole; 0: the settings' */
    /* Complete the request: url, headers but those of the signature, and body. -1: e says why, in one clause. */
    int (*make)(const struct lookups_conf *conf, struct call *c, struct err *e);
    /* Write the answer that a reply of status 200 holds. */
    int (*read)(struct call *c, const struct http_answer *reply, struct buf *out, struct err *e);
    /* Of a file: write the answer. */
    int (*look)(const struct lookups_conf *conf, struct call *c, struct buf *out, struct err *e);
    int64_t (*keep_ms)(const struct lookups_conf *conf); /* for how long an answer is kept; NULL: not at all */
};

/* tellers.c: sorted by function. */
extern const struct teller *const tellers[];
extern const size_t teller_count;
const struct teller *teller_find(const char *function);

extern const struct teller teller_lambda, teller_dynamodb, teller_secret, teller_prediction; /* aws_*.c */
extern const struct teller teller_descriptor, teller_shadow, teller_registry;                /* files.c */

/* --- call.c: what tellers use --- */

/* The n-th argument, a String. NULL: memory. */
const char *call_text(struct call *c, uint32_t n, size_t *len);
/* Complete a request of the JSON protocol of AWS: `target` is the operation ("DynamoDB_20120810.GetItem"), version "1.0" or
 * "1.1", body the text of the operation's input, which is copied. */
int call_json_request(struct call *c, const struct aws_service *s, const char *target, const char *version,
                      const struct buf *body, struct err *e) MUST_CHECK;
/* The reply's JSON; an Object. NULL: it is none. */
const struct json_doc *call_reply(struct call *c, const struct http_answer *reply, struct err *e) MUST_CHECK;
/* Why a reply is not the answer, for people: status, and the error's name. Not its message: those about signatures
 * repeat what was signed, and so a session's token. */
int call_refused(struct call *c, const struct http_answer *reply, struct err *e);

#endif
