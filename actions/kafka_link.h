/* SPDX-License-Identifier: Apache-2.0 */
/* A producer whose every wait is bounded, used in rounds:
 *
 *     begin ─► { topic, add … ─► run } … ─► begin …
 *
 * A round is what one request per partition can take: it is sent by `run`, or when it is full, and `run` returns when every
 * message of it has its report. So the messages of a round and partition succeed or fail together, and none is overtaken by a
 * later one while somebody decides what to do about it.
 *
 * One send is one begin and the rounds after it; all of them together end before the deadline that begin sets. A link that is
 * broken must be freed. Single-threaded: one owner. */
#ifndef SLUICE_ACTIONS_KAFKA_LINK_H
#define SLUICE_ACTIONS_KAFKA_LINK_H

#include "actions/kafka_code.h"
#include "actions/kafka_props.h"
#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;

struct kafka_settings {
    int64_t connect_timeout_ms; /* until a server answers */
    int64_t send_timeout_ms;    /* of all rounds of a send */
    const struct clock *clock;
};

/* Why something did not work. */
struct kafka_failure {
    enum kafka_verdict verdict;
    bool unreachable; /* no server answers: nothing else will work now either */
    bool missing;     /* KAFKA_NO_PLACE: the topic is not there, but may be about to be made */
    bool stopped;     /* the stop descriptor ended a wait */
    char text[232];   /* one line, no secrets */
};

struct kafka_bytes {
    const char *p;
    size_t len;
};

struct kafka_header {
    struct kafka_bytes name, value;
};

#define KAFKA_ANY_PARTITION (-1)

struct kafka_record {
    struct kafka_bytes topic, key, value; /* key.p NULL: none */
    int32_t partition;                    /* or KAFKA_ANY_PARTITION */
    const struct kafka_header *headers;
    size_t header_count;
};

/* The report of one message of a round. failure NULL: the servers have it. */
typedef void kafka_report(void *ctx, size_t tag, const struct kafka_failure *failure);

struct kafka_link;

/* settings and props are borrowed during the call. Makes no connection that anybody waits for. NULL with f. */
struct kafka_link *kafka_link_new(const struct kafka_settings *settings, const struct kafka_props *props,
                                  struct kafka_failure *f);
/* What is under way is dropped, whether the servers have it is unknown. Waits for no server and no
 * name server. */
void kafka_link_free(struct kafka_link *l);

/* A descriptor that ends every wait when it becomes readable: at once, or after KAFKA_LINK_ASK_MS if a server that is
 * connected does not answer. The link is broken then. -1: none. */
#define KAFKA_LINK_ASK_MS 2000
void kafka_link_stop_on(struct kafka_link *l, int fd);

/* Begin a send: see that a server answers, unless one did and no trouble was heard of since. */
int kafka_link_begin(struct kafka_link *l, struct kafka_failure *f) MUST_CHECK;
/* Can this record be sent? Looks its topic up if it is not known, and its partition. */
int kafka_link_check(struct kafka_link *l, const struct kafka_record *r, struct kafka_failure *f) MUST_CHECK;
/* Is there room for the record in the present round? Always if the round is empty. */
bool kafka_link_has_room(const struct kafka_link *l, const struct kafka_record *r);
/* Put a record that was checked into the round. Its bytes are copied. */
int kafka_link_add(struct kafka_link *l, const struct kafka_record *r, size_t tag, struct kafka_failure *f) MUST_CHECK;
/* Send the round and wait for its reports. -1 with f: some have none, whether the servers have them is unknown, the link is
 * broken. */
int kafka_link_run(struct kafka_link *l, kafka_report *report, void *ctx, struct kafka_failure *f) MUST_CHECK;
/* It takes nothing any more: to be freed. */
bool kafka_link_is_broken(const struct kafka_link *l);
/* The send's time is over: another round would not be waited for. */
bool kafka_link_is_late(const struct kafka_link *l);
/* How long a topic that a check did not find has been missing by now; 0: it is there, or nobody knows. */
uint64_t kafka_link_missing_ms(const struct kafka_link *l, const struct kafka_record *r);

#endif
