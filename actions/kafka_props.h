/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of a producer: what librdkafka is told, by the connection and by an action's clientProperties.
 *
 *     catalog   the properties that librdkafka knows, with role and range, as it lists them itself
 *     props     a set of them: a connection's, or that with an action's own on top. Unchanged after kafka_props_finish
 *
 * Values are never shown: they may have been filled in from a secret. */
#ifndef SLUICE_ACTIONS_KAFKA_PROPS_H
#define SLUICE_ACTIONS_KAFKA_PROPS_H

#include "engine/base/conf.h"

#include <stdbool.h>
#include <stddef.h>

struct rd_kafka_conf_s;

struct kafka_catalog;
/* NULL: memory is short. */
struct kafka_catalog *kafka_catalog_new(void);
void kafka_catalog_free(struct kafka_catalog *c);

struct kafka_props;
/* An empty set, or a copy of a finished one to add to. Borrows the catalog, and the trees of what is added. NULL: memory
 * is short. */
struct kafka_props *kafka_props_new(const struct kafka_catalog *catalog, const struct kafka_props *base);
void kafka_props_free(struct kafka_props *p);

/* Add one property of a connection: librdkafka's names. What is wrong goes to errs. */
void kafka_props_add(struct kafka_props *p, const struct conf *key, const struct conf *value, struct errs *errs);
/* Add one of an action's clientProperties: AWS's names too. How the servers are reached is the connection's to say, if
 * it says anything about that. */
void kafka_props_add_client(struct kafka_props *p, const struct conf *key, const struct conf *value, struct errs *errs);

/* Settle what follows from what was added (idempotence), warn of it, and see whether all of it goes together: librdkafka
 * makes a producer of it that connects to nobody. `at` is the map's place. -1 after adding to errs. */
int kafka_props_finish(struct kafka_props *p, const char *client_id, struct span at, struct errs *errs) MUST_CHECK;

/* The same text for sets that are the same. Holds secrets. */
const char *kafka_props_fingerprint(const struct kafka_props *p);
/* An action says itself how to reach the servers. */
bool kafka_props_own_security(const struct kafka_props *p);
/* A number among the properties, such as "batch.size". */
size_t kafka_props_number(const struct kafka_props *p, const char *name);
/* Returns owned (rd_kafka_conf_destroy, or a producer that takes it). */
struct rd_kafka_conf_s *kafka_props_conf(const struct kafka_props *p);

/* The secrets of a set by themselves, for who outlives it. Returns owned; NULL: memory is short. */
struct kafka_secrets;
struct kafka_secrets *kafka_props_secrets(const struct kafka_props *p);
void kafka_secrets_free(struct kafka_secrets *s);
/* Put "***" in the place of every secret in a text of librdkafka. Thread: any. s may be NULL. */
void kafka_secrets_hide(const struct kafka_secrets *s, char *text);

#endif
