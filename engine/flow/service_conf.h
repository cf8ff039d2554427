/* SPDX-License-Identifier: Apache-2.0 */
/* sluice.yaml: the service's own configuration. Relative paths start at the folder of the file, here and in rules.
 *
 *     sources:                       # at least one
 *       - mqtt: { url: mqtt://127.0.0.1:1883, ordering: topic }
 *     connections:
 *       warehouse: { postgres: { conninfo: "dbname=plant" } }
 *     lookups: { dynamodb: { endpoint: "http://127.0.0.1:8000" } }
 *     rules: [rules/]                # files and folders
 *     accountId: "000000000000"
 *     workers: 0
 *     inFlight: 1000
 *     drainTimeout: 10s
 *     retry: { min: 100ms, max: 30s }
 *     outbox: { items: 10000 }
 *     memory: { limit: 512M }
 *     deadLetters: { path: dead-letters.ndjson }
 *     statsFile: stats.json
 *     statsInterval: 1s
 *     log: { level: info, form: auto }
 *     policies: { files: [policies/], mode: enforce, region: us-east-1 }
 *     admin: { listen: "127.0.0.1:8080" } */
#ifndef SLUICE_FLOW_SERVICE_CONF_H
#define SLUICE_FLOW_SERVICE_CONF_H

#include "engine/base/conf.h"
#include "engine/base/log.h"

#include <stdint.h>

enum policy_mode { POLICY_ENFORCE, POLICY_AUDIT };
enum ordering { ORDERING_TOPIC, ORDERING_CLIENT, ORDERING_NONE };

struct source_conf {
    const char *kind; /* "mqtt", "replay" */
    const struct conf
        *options;   /* its map without the members that are common to all kinds; owned, its members are root's */
    struct span at; /* of the kind */
    int ordering;   /* enum ordering; common to all kinds */
    struct span ordering_at;
};

struct service_conf {
    struct conf *root; /* owned */
    char *folder;      /* of the file; rules and data are relative to it */
    struct source_conf *sources;
    size_t source_count;
    const struct conf *connections; /* map or NULL */
    const struct conf *lookups;     /* likewise: read by who answers */
    const struct conf *admin;       /* likewise; NULL: no HTTP interface */
    char **rules;                   /* paths, resolved */
    size_t rule_count;
    char **policy_files; /* paths, resolved; none: no policies */
    size_t policy_file_count;
    int policy_mode;                    /* enum policy_mode */
    char *region;                       /* of ARNs */
    char *account_id;                   /* 12 digits */
    int64_t workers;                    /* 0: one per core */
    int64_t in_flight;                  /* messages at most between source and final */
    int64_t drain_ms;                   /* SIGTERM: wait at most this long */
    int64_t retry_min_ms, retry_max_ms; /* back-off */
    int64_t outbox_items;               /* bound of each outbox */
    int64_t memory_limit;               /* bytes; 0: half of what the machine or its control group has */
    char *store, *store_path;           /* what is given, and the path of its file */
    char *dead_letters;                 /* path of the dead-letter file, as it is given: an action takes it */
    char *stats_file;                   /* counters as JSON; NULL: none */
    int64_t stats_interval_ms;          /* it is rewritten this often */
    int log_level;                      /* enum log_level */
    int log_form;                       /* enum log_form */
};

/* Read and check all of it (not the rules). Secrets are filled. Errors go to errs; what is right stands beside
 * them, so that a check can go on to the rules: only without errors may the result be used to run. NULL if nothing
 * could be read. Returns owned. */
struct service_conf *service_conf_load(const char *path, struct errs *errs);
void service_conf_free(struct service_conf *c);
/* Errors about unknown options of a source that have no hint get the nearest of the options that are common to all sources. */
void source_conf_hint_common(const struct source_conf *source, struct errs *errs);
/* One line per option, for --help and docs. */
void service_conf_help(struct buf *out);

#endif
