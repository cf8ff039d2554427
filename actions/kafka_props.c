/* SPDX-License-Identifier: Apache-2.0 */
/* librdkafka checks names and values one by one (rd_kafka_conf_set), and what they mean together when a producer is
 * made. It lists its properties only as a table for people, so that table is read for names, roles and ranges.
 *
 *     Property                    | C/P | Range           |       Default | Importance | Description
 *     linger.ms                   |  P  | 0 .. 900000     |             5 | high       | … <br>*Type: float*
 *
 * Some properties are refused although librdkafka has them: `special` says which and why. */
#include "actions/kafka_props.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

#include "actions/kafka_aws.h"
#include "engine/base/path.h"

#define ERROR_MAX       512
#define SECRET_MIN      3 /* shorter texts are no secrets that one could recognise */
#define FINGERPRINT_MAX ((size_t)1 << 20)
/* Of an idempotent producer. */
#define IN_FLIGHT_MAX 5

/* --- which properties make no sense here --- */

static const struct special {
    const char *name;
    bool connection_may; /* only an action must not: it runs a program or loads a library */
    const char *hint;
} specials[] = {
    { "builtin.features", false, "It tells what librdkafka was built with." },
    { "delivery.report.only.error", false, "Results need every report." },
    { "delivery.timeout.ms", false, "The connection's option \"sendTimeout\" bounds a send." },
    { "enabled_events", false, "sluice takes librdkafka's events by itself." },
    { "internal.termination.signal", false, "sluice handles signals by itself." },
    { "linger.ms", false, "What has gathered is sent at once; batches grow with load." },
    { "log.queue", false, "librdkafka's log lines go to sluice's log." },
    { "message.timeout.ms", false, "The connection's option \"sendTimeout\" bounds a send." },
    { "metadata.broker.list", false, "Use \"bootstrap.servers\"." },
    { "plugin.library.paths", false, "sluice loads no plugins." },
    { "queue.buffering.max.ms", false, "What has gathered is sent at once; batches grow with load." },
    { "queuing.strategy", false, "sluice keeps the order of messages." },
    { "sasl.kerberos.kinit.cmd", true, "It runs a program, so only a connection in sluice.yaml can have it." },
    { "ssl.engine.id", true, "It loads a library, so only a connection in sluice.yaml can have it." },
    { "ssl.engine.location", true, "It loads a library, so only a connection in sluice.yaml can have it." },
    { "ssl.providers", true, "It loads a library, so only a connection in sluice.yaml can have it." },
    { "statistics.interval.ms", false, "sluice has counters of its own." },
    { "transaction.timeout.ms", false, "sluice sends without transactions." },
    { "transactional.id", false, "sluice sends without transactions." },
};

static const struct special *find_special(const char *name, bool from_connection)
{
    for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++) {
        if (strcmp(specials[i].name, name) == 0)
            return from_connection && specials[i].connection_may ? NULL : &specials[i];
    }
    return NULL;
}

/* Part of how the servers are reached. */
static bool is_security(const char *name)
{
    static const char *const beginnings[] = { "security.", "ssl.", "sasl.", "enable.ssl.", "enable.sasl." };
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    }
    return false;
}

static bool is_secret(const char *name)
{
    return strstr(name, "password") || strstr(name, "secret") || strcmp(name, "ssl.key.pem") == 0 ||
           strcmp(name, "sasl.oauthbearer.config") == 0;
}

/* --- catalog --- */

enum known_role { ROLE_PRODUCER, ROLE_CONSUMER, ROLE_PROGRAM /* set by calls, not by texts */ };

struct known {
    char *name, *range;
    enum known_role role;
};

struct kafka_catalog {
    struct known *list;
    size_t count, room;
};

void kafka_catalog_free(struct kafka_catalog *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++) {
        free(c->list[i].name);
        free(c->list[i].range);
    }
    free(c->list);
    free(c);
}

static struct known *find_known(const struct kafka_catalog *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->list[i].name, name) == 0)
            return &c->list[i];
    }
    return NULL;
}

/* The text of a cell without the spaces around it. */
static char *cell_text(const char *from, const char *to)
{
    while (from < to && *from == ' ')
        from++;
    while (to > from && to[-1] == ' ')
        to--;
    return strndup(from, (size_t)(to - from));
}

/* A property may be in both parts of the table, once for consumers only. */
static bool add_known(struct kafka_catalog *c, char *name, char *range, enum known_role role)
{
    struct known *same = name ? find_known(c, name) : NULL;
    if (c->count == c->room) {
        size_t room = c->room ? c->room * 2 : 256;
        struct known *list = reallocarray(c->list, room, sizeof(*list));
        if (list) {
            c->list = list;
            c->room = room;
        }
    }
    if (!name || !range || same || c->count == c->room) {
        if (same && role == ROLE_PRODUCER)
            same->role = ROLE_PRODUCER;
        free(name);
        free(range);
        return same != NULL;
    }
    c->list[c->count++] = (struct known) { name, range, role };
    return true;
}

/* One line of the table; what is no row of it is left out. */
static bool read_row(struct kafka_catalog *c, const char *line, const char *end)
{
    const char *bars[3], *at = line;
    for (size_t i = 0; i < 3; i++) {
        const char *bar = memchr(at, '|', (size_t)(end - at));
        if (!bar)
            return true;
        bars[i] = bar;
        at = bar + 1;
    }
    enum known_role role = ROLE_PRODUCER;
    if (memchr(bars[0], 'C', (size_t)(bars[1] - bars[0])))
        role = ROLE_CONSUMER;
    if (memmem(at, (size_t)(end - at), "see dedicated API", 17))
        role = ROLE_PROGRAM;
    if (bars[1] - bars[0] != 6 || line == bars[0] || line[0] == '-' || line[0] == ' ' ||
        memchr(bars[0], '/', (size_t)(bars[1] - bars[0])))
        return true;
    return add_known(c, cell_text(line, bars[0]), cell_text(bars[1] + 1, bars[2]), role);
}

static bool read_rows(struct kafka_catalog *c, const char *text, size_t len)
{
    for (const char *line = text, *end = text + len; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop)
            stop = end;
        if (!read_row(c, line, stop))
            return false;
        line = stop + 1;
    }
    return c->count > 0;
}

struct kafka_catalog *kafka_catalog_new(void)
{
    struct kafka_catalog *c = calloc(1, sizeof(*c));
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    bool good = c && out;
    if (out) {
        rd_kafka_conf_properties_show(out);
        good = fclose(out) == 0 && good;
    }
    good = good && read_rows(c, text, len);
    free(text);
    if (good)
        return c;
    kafka_catalog_free(c);
    return NULL;
}

/* --- a set --- */

struct prop {
    const char *name;       /* librdkafka's */
    const struct conf *key; /* where it stands */
    const struct conf *value;
    const char *text; /* the value, or `path` */
    char *path;       /* owned by the set that it was added to; NULL if the value is no file */
};

struct kafka_props {
    const struct kafka_catalog *catalog;
    rd_kafka_conf_t *conf;
    struct prop *list;
    size_t count, room, inherited; /* the first ones are the base's */
    bool is_client;                /* has a base */
    bool has_security, own_security, told_security;
    struct buf fingerprint;
};

struct kafka_props *kafka_props_new(const struct kafka_catalog *catalog, const struct kafka_props *base)
{
    struct kafka_props *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->catalog = catalog;
    buf_init(&p->fingerprint, FINGERPRINT_MAX);
    p->conf = base ? rd_kafka_conf_dup(base->conf) : rd_kafka_conf_new();
    if (base) {
        p->is_client = true;
        p->has_security = base->has_security;
        p->inherited = p->count = p->room = base->count;
        p->list = reallocarray(NULL, base->count + 1, sizeof(*p->list));
        if (p->list && base->count)
            memcpy(p->list, base->list, base->count * sizeof(*p->list));
    }
    if (p->conf && (!base || p->list))
        return p;
    p->inherited = p->count = 0;
    kafka_props_free(p);
    return NULL;
}

void kafka_props_free(struct kafka_props *p)
{
    if (!p)
        return;
    if (p->conf)
        rd_kafka_conf_destroy(p->conf);
    for (size_t i = p->inherited; i < p->count; i++)
        free(p->list[i].path);
    buf_clear(&p->fingerprint);
    free(p->list);
    free(p);
}

/* --- adding --- */

static void hint_nearest(struct err *e, const struct kafka_props *p, const char *name)
{
    const struct kafka_catalog *c = p->catalog;
    size_t count = 0;
    const char **names = reallocarray(NULL, c->count + 64, sizeof(*names));
    for (size_t i = 0; names && i < c->count; i++) {
        if (c->list[i].role == ROLE_PRODUCER && !find_special(c->list[i].name, !p->is_client))
            names[count++] = c->list[i].name;
    }
    for (unsigned i = 0; names && p->is_client && kafka_aws_at(i) && i < 64; i++)
        names[count++] = kafka_aws_at(i)->name;
    const char *near = names ? nearest_word(name, strlen(name), names, count) : NULL;
    if (near)
        err_hint(e, "did you mean \"%s\"?", near);
    free(names);
}

/* Is this a property that may be set here? */
static bool check_name(const struct kafka_props *p, const char *name, const struct conf *key, struct errs *errs)
{
    const struct known *known = find_known(p->catalog, name);
    const struct special *special = find_special(name, !p->is_client);
    if (!known) {
        struct err *e =
            errs_add(errs, SEV_ERROR, ERR_CONF_KEY, key->at, "unknown property \"%.80s\" of a Kafka producer", name);
        hint_nearest(e, p, name);
        return false;
    }
    if (special) {
        struct err *e =
            errs_add(errs, SEV_ERROR, ERR_CONF_KEY, key->at, "the property \"%s\" cannot be set here", name);
        err_hint(e, "%s", special->hint);
        return false;
    }
    if (known->role == ROLE_PRODUCER)
        return true;
    errs_add(errs, SEV_ERROR, ERR_CONF_KEY, key->at, "the property \"%s\" %s", name,
             known->role == ROLE_CONSUMER ? "is one of consumers" : "is set by a program, not by a text");
    return false;
}

static bool check_form(const char *name, const struct conf *value, struct errs *errs)
{
    if (value->kind == CONF_SCALAR && !conf_is_null(value) && strlen(value->text) == value->len)
        return true;
    errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, value->at, "the property \"%.80s\" must be a text", name);
    return false;
}

static void refuse_value(const struct kafka_props *p, const char *name, const struct conf *value, struct errs *errs)
{
    const struct known *known = find_known(p->catalog, name);
    struct err *e =
        errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, value->at, "librdkafka does not take this value of \"%s\"", name);
    if (known && known->range[0])
        err_hint(e, "It takes %s.", strstr(name, "acks") ? "all, 1 or 0" : known->range);
}

static bool remember(struct kafka_props *p, const struct prop *prop)
{
    if (p->count >= p->room) {
        size_t room = p->room * 2 + 16;
        struct prop *list = reallocarray(p->list, room, sizeof(*list));
        if (!list)
            return false;
        p->list = list;
        p->room = room;
    }
    p->list[p->count++] = *prop;
    return true;
}

/* librdkafka takes any number of acknowledgements, servers do not. */
static bool is_allowed(const char *name, const char *value)
{
    if (strcmp(name, "acks") != 0 && strcmp(name, "request.required.acks") != 0)
        return true;
    return strcmp(value, "all") == 0 || strcmp(value, "-1") == 0 || strcmp(value, "0") == 0 || strcmp(value, "1") == 0;
}

/* Values that are files lie, like other paths of a file, relative to its folder. NULL: memory is short. */
static char *file_path(const struct conf *value)
{
    char *folder = value->at.src ? path_folder(value->at.src->name) : strdup(".");
    char *path = folder ? path_below(folder, value->text) : NULL;
    free(folder);
    return path;
}

static bool is_file(const char *name, const char *value)
{
    size_t len = strlen(name);
    bool location = len > 9 && strcmp(name + len - 9, ".location") == 0;
    return (location || strcmp(name, "sasl.kerberos.keytab") == 0) && strcmp(value, "probe") != 0;
}

static void set_prop(struct kafka_props *p, const char *name, const struct conf *key, const struct conf *value,
                     struct errs *errs)
{
    char why[ERROR_MAX];
    if (!check_name(p, name, key, errs))
        return;
    struct prop prop = { .name = name, .key = key, .value = value, .text = value->text };
    if (is_file(name, value->text))
        prop.text = prop.path = file_path(value);
    if (!prop.text || !remember(p, &prop)) {
        free(prop.path);
        errs_add(errs, SEV_ERROR, ERR_MEMORY, key->at, "not enough memory");
        return;
    }
    if (prop.path && access(prop.path, R_OK) != 0)
        errs_add(errs, SEV_ERROR, ERR_IO, value->at, "could not read the file of \"%s\": %s", name, strerror(errno));
    else if (!is_allowed(name, prop.text) ||
             rd_kafka_conf_set(p->conf, name, prop.text, why, sizeof(why)) != RD_KAFKA_CONF_OK)
        refuse_value(p, name, value, errs);
    bool security = is_security(name);
    p->has_security = p->has_security || (security && !p->is_client);
    p->own_security = p->own_security || (security && p->is_client);
}

void kafka_props_add(struct kafka_props *p, const struct conf *key, const struct conf *value, struct errs *errs)
{
    if (check_form(key->text, value, errs))
        set_prop(p, key->text, key, value, errs);
}

/* The connection says where the servers are, and how they are reached if it says anything about that. */
static bool is_the_connections(struct kafka_props *p, const struct conf *key, const struct conf *value,
                               struct errs *errs)
{
    if (strcmp(key->text, "bootstrap.servers") == 0) {
        char servers[1024] = "";
        size_t size = sizeof(servers);
        if (rd_kafka_conf_get(p->conf, key->text, servers, &size) != RD_KAFKA_CONF_OK ||
            strcmp(servers, value->text) != 0)
            errs_add(errs, SEV_WARNING, ERR_CONF_VALUE, key->at, "the servers of the connection are used, not these");
        return true;
    }
    if (!p->has_security || !is_security(key->text))
        return false;
    if (!p->told_security)
        errs_add(errs, SEV_WARNING, ERR_CONF_VALUE, key->at,
                 "\"%.80s\" is not used: the connection says how its servers are reached", key->text);
    p->told_security = true;
    return true;
}

static void add_aws(struct kafka_props *p, const struct kafka_aws_property *aws, const struct conf *key,
                    const struct conf *value, struct errs *errs)
{
    if (aws->to) {
        set_prop(p, aws->to, key, value, errs);
        return;
    }
    if (kafka_aws_accepts(aws, value->text))
        return;
    struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, aws->accepted ? value->at : key->at,
                             "%s\"%s\" is not possible here", aws->accepted ? "this value of " : "", aws->name);
    err_hint(e, "%s", aws->hint);
}

void kafka_props_add_client(struct kafka_props *p, const struct conf *key, const struct conf *value, struct errs *errs)
{
    const struct kafka_aws_property *aws = kafka_aws_find(key->text);
    if (!check_form(key->text, value, errs) || is_the_connections(p, key, value, errs))
        return;
    if (strstr(value->text, "${") && (!aws || aws->to || aws->accepted)) {
        struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, value->at,
                                 "\"clientProperties\" are the same for every message: no templates here");
        err_hint(e, "Secrets belong into the connection in sluice.yaml, as ${env:NAME} or ${file:PATH}.");
        return;
    }
    if (aws)
        add_aws(p, aws, key, value, errs);
    else
        set_prop(p, key->text, key, value, errs);
}

/* --- what follows --- */

static bool is_set(const struct kafka_props *p, const char *name, const char *alias)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->list[i].name, name) == 0 || (alias && strcmp(p->list[i].name, alias) == 0))
            return true;
    }
    return false;
}

static long number_of(const rd_kafka_conf_t *conf, const char *name, long absent)
{
    char text[64];
    size_t size = sizeof(text);
    return rd_kafka_conf_get(conf, name, text, &size) == RD_KAFKA_CONF_OK ? strtol(text, NULL, 10) : absent;
}

/* Does this one forbid an idempotent producer? */
static bool forbids_idempotence(const struct kafka_props *p, const struct prop *prop)
{
    const char *name = prop->name;
    if (strcmp(name, "acks") == 0 || strcmp(name, "request.required.acks") == 0)
        return number_of(p->conf, "acks", -1) != -1;
    if (strcmp(name, "max.in.flight") == 0 || strcmp(name, "max.in.flight.requests.per.connection") == 0)
        return number_of(p->conf, name, 1) > IN_FLIGHT_MAX;
    if (strcmp(name, "retries") == 0 || strcmp(name, "message.send.max.retries") == 0)
        return number_of(p->conf, name, 1) == 0;
    return strcmp(name, "enable.idempotence") == 0 && strcmp(prop->text, "false") == 0;
}

static bool settle_idempotence(const struct kafka_props *p, struct errs *errs)
{
    bool idempotent = true;
    for (size_t i = 0; i < p->count; i++) {
        if (!forbids_idempotence(p, &p->list[i]))
            continue;
        idempotent = false;
        if (i < p->inherited)
            continue;
        bool may_lose = strstr(p->list[i].name, "acks") != NULL;
        struct err *e = errs_add(errs, SEV_WARNING, ERR_CONF_VALUE, p->list[i].value->at,
                                 "\"%s\" has a value with which the producer is not idempotent: messages may come "
                                 "twice%s",
                                 p->list[i].key->text, may_lose ? ", and be lost if a broker fails" : "");
        if (may_lose)
            err_hint(e, "\"all\" is what sluice uses without it, and is safe.");
    }
    return idempotent;
}

static void set_default(struct kafka_props *p, const char *name, const char *value)
{
    char why[ERROR_MAX];
    (void)!rd_kafka_conf_set(p->conf, name, value, why, sizeof(why));
}

/* Batches are made by flushing, so nothing waits for the linger; see kafka_link.c. */
static void set_defaults(struct kafka_props *p, const char *client_id, bool idempotent)
{
    set_default(p, "linger.ms", "900000");
    set_default(p, "message.timeout.ms", "0");
    if (!is_set(p, "client.id", NULL))
        set_default(p, "client.id", client_id);
    if (!is_set(p, "sticky.partitioning.linger.ms", NULL))
        set_default(p, "sticky.partitioning.linger.ms", "10");
    if (!is_set(p, "topic.metadata.propagation.max.ms", NULL))
        set_default(p, "topic.metadata.propagation.max.ms", "5000");
    if (!is_set(p, "enable.idempotence", NULL))
        set_default(p, "enable.idempotence", idempotent ? "true" : "false");
    bool chosen = is_set(p, "max.in.flight", "max.in.flight.requests.per.connection");
    if (!idempotent && !chosen)
        set_default(p, "max.in.flight", "1"); /* keeps the order when a batch is tried again */
    if (idempotent && !chosen)
        set_default(p, "max.in.flight", "5");
}

/* The place of a property that an error of librdkafka names. */
static struct span place_of(const struct kafka_props *p, const char *why, struct span at)
{
    for (size_t i = p->count; i-- > 0;) {
        if (strstr(why, p->list[i].name))
            return p->list[i].key->at;
    }
    return at;
}

static int try_all(struct kafka_props *p, struct span at, struct errs *errs)
{
    char why[ERROR_MAX] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(p->conf);
    rd_kafka_conf_set_log_cb(conf, NULL);
    (void)!rd_kafka_conf_set(conf, "bootstrap.servers", NULL, NULL, 0);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (rk) {
        rd_kafka_destroy(rk);
        return 0;
    }
    rd_kafka_conf_destroy(conf);
    struct kafka_secrets *secrets = kafka_props_secrets(p);
    kafka_secrets_hide(secrets, why);
    kafka_secrets_free(secrets);
    errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, place_of(p, why, at), "librdkafka does not take these properties: %s",
             why);
    return -1;
}

static int compare_props(const void *a, const void *b)
{
    const struct prop *const *x = a, *const *y = b;
    int by_name = strcmp((*x)->name, (*y)->name);
    return by_name ? by_name : (*x > *y) - (*x < *y); /* the later one wins */
}

static bool write_fingerprint(struct kafka_props *p)
{
    const struct prop **sorted = reallocarray(NULL, p->count + 1, sizeof(const struct prop *));
    for (size_t i = 0; sorted && i < p->count; i++)
        sorted[i] = &p->list[i];
    if (sorted)
        qsort(sorted, p->count, sizeof(const struct prop *), compare_props);
    buf_puts(&p->fingerprint, "");
    for (size_t i = 0; sorted && i < p->count; i++) {
        if (i + 1 < p->count && strcmp(sorted[i]->name, sorted[i + 1]->name) == 0)
            continue;
        buf_printf(&p->fingerprint, "%s=%s\n", sorted[i]->name, sorted[i]->text);
    }
    bool good = sorted && !p->fingerprint.failed;
    free(sorted);
    return good;
}

int kafka_props_finish(struct kafka_props *p, const char *client_id, struct span at, struct errs *errs)
{
    bool idempotent = settle_idempotence(p, errs);
    set_defaults(p, client_id, idempotent);
    if (try_all(p, at, errs) < 0)
        return -1;
    if (write_fingerprint(p))
        return 0;
    errs_add(errs, SEV_ERROR, ERR_MEMORY, at, "not enough memory");
    return -1;
}

/* --- a finished set --- */

const char *kafka_props_fingerprint(const struct kafka_props *p)
{
    return p->fingerprint.p;
}

bool kafka_props_own_security(const struct kafka_props *p)
{
    return p->own_security;
}

size_t kafka_props_number(const struct kafka_props *p, const char *name)
{
    long n = number_of(p->conf, name, 0);
    return n > 0 ? (size_t)n : 0;
}

struct rd_kafka_conf_s *kafka_props_conf(const struct kafka_props *p)
{
    return rd_kafka_conf_dup(p->conf);
}

/* --- secrets --- */

struct kafka_secrets {
    size_t count;
    char *list[];
};

void kafka_secrets_free(struct kafka_secrets *s)
{
    for (size_t i = 0; s && i < s->count; i++)
        free(s->list[i]);
    free(s);
}

struct kafka_secrets *kafka_props_secrets(const struct kafka_props *p)
{
    struct kafka_secrets *s = calloc(1, sizeof(*s) + p->count * sizeof(char *));
    for (size_t i = 0; s && i < p->count; i++) {
        const struct conf *value = p->list[i].value;
        if (!is_secret(p->list[i].name) || value->len < SECRET_MIN)
            continue;
        s->list[s->count] = strdup(value->text);
        if (!s->list[s->count++]) {
            kafka_secrets_free(s);
            return NULL;
        }
    }
    return s;
}

void kafka_secrets_hide(const struct kafka_secrets *s, char *text)
{
    for (size_t i = 0; s && i < s->count; i++) {
        size_t len = strlen(s->list[i]);
        for (char *at = text; (at = strstr(at, s->list[i])) != NULL; at += SECRET_MIN) {
            memset(at, '*', SECRET_MIN);
            memmove(at + SECRET_MIN, at + len, strlen(at + len) + 1);
        }
    }
}
