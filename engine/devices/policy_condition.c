/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions of policy statements ("IAM JSON policy elements: condition operators"). An operator compares one value of a key with one value of the
 * statement; negated ones (`StringNotEquals`) hold when none of the statement's values is equal. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/base/civil.h"
#include "engine/base/num.h"
#include "engine/devices/policy_int.h"

/* A number, a date or a network, with its variables replaced, is at most so long; longer is none. */
#define EXPANDED_MAX 256u

enum compare { LESS = 1, EQUAL = 2, GREATER = 4 }; /* which outcomes are wanted */

typedef bool compare_fn(struct policy_text value, struct policy_text wanted, unsigned outcomes);

struct policy_operator {
    const char *name;
    compare_fn *fits; /* NULL: the texts are compared */
    unsigned outcomes;
    bool is_negated, is_wild, is_cased;
};

/* --- comparing --- */

static bool fits_number(struct policy_text v, struct policy_text w, unsigned outcomes)
{
    struct num a, b;
    if (!num_parse(&a, v.p, v.len) || !num_parse(&b, w.p, w.len))
        return false;
    int c = num_cmp(&a, &b);
    return outcomes & (c < 0 ? LESS : c > 0 ? GREATER : EQUAL);
}

static bool read_digits(const char **p, const char *end, int count, int *out)
{
    *out = 0;
    for (int i = 0; i < count; i++, (*p)++) {
        if (*p == end || **p < '0' || **p > '9')
            return false;
        *out = *out * 10 + (**p - '0');
    }
    return true;
}

static bool skip(const char **p, const char *end, char c)
{
    if (*p == end || **p != c)
        return false;
    (*p)++;
    return true;
}

/* "Z", "+hh:mm", "-hh:mm" at the end, in seconds; nothing is UTC. */
static bool read_zone(const char **p, const char *end, int64_t *offset_s)
{
    int hours, minutes;
    *offset_s = 0;
    if (*p == end || (skip(p, end, 'Z') && *p == end))
        return true;
    int sign = **p == '-' ? -1 : 1;
    if ((!skip(p, end, '+') && !skip(p, end, '-')) || !read_digits(p, end, 2, &hours) || !skip(p, end, ':') ||
        !read_digits(p, end, 2, &minutes))
        return false;
    *offset_s = sign * (hours * 3600 + minutes * 60);
    return *p == end;
}

/* ISO 8601, `2026-01-31`, `2026-01-31T10:00:00Z`, with fraction (cut off) and zone; or seconds since 1970. */
static bool read_date(struct policy_text t, int64_t *seconds)
{
    const char *p = t.p, *end = t.p + t.len;
    int year, month, day, hour = 0, minute = 0, second = 0;
    int64_t offset = 0;
    struct num n;
    if (t.len < 10 || t.p[4] != '-') {
        if (t.len > 15 || !num_parse(&n, t.p, t.len) || !n.is_int || n.is_wide)
            return false;
        *seconds = n.coef;
        return true;
    }
    if (!read_digits(&p, end, 4, &year) || !skip(&p, end, '-') || !read_digits(&p, end, 2, &month) ||
        !skip(&p, end, '-') || !read_digits(&p, end, 2, &day) || month < 1 || month > 12 || day < 1 ||
        day > civil_month_length(year, month))
        return false;
    if (p < end && (!skip(&p, end, 'T') || !read_digits(&p, end, 2, &hour) || !skip(&p, end, ':') ||
                    !read_digits(&p, end, 2, &minute)))
        return false;
    if (skip(&p, end, ':') && !read_digits(&p, end, 2, &second))
        return false;
    if (skip(&p, end, '.'))
        while (p < end && *p >= '0' && *p <= '9')
            p++;
    if (hour > 23 || minute > 59 || second > 60 || !read_zone(&p, end, &offset))
        return false;
    *seconds = civil_days(year, month, day) * CIVIL_DAY_SECONDS + hour * 3600 + minute * 60 + second - offset;
    return true;
}

static bool fits_date(struct policy_text v, struct policy_text w, unsigned outcomes)
{
    int64_t a, b;
    if (!read_date(v, &a) || !read_date(w, &b))
        return false;
    return outcomes & (a < b ? LESS : a > b ? GREATER : EQUAL);
}

struct network {
    _Alignas(struct in6_addr) unsigned char bytes[16];
    unsigned len, bits; /* 4 or 16; of the prefix */
};

static bool read_network(struct policy_text t, struct network *n)
{
    char text[INET6_ADDRSTRLEN + 8], *slash, *end;
    if (t.len >= sizeof(text))
        return false;
    memcpy(text, t.p, t.len);
    text[t.len] = '\0';
    slash = strchr(text, '/');
    if (slash)
        *slash++ = '\0';
    n->len = inet_pton(AF_INET, text, n->bytes) == 1 ? 4 : inet_pton(AF_INET6, text, n->bytes) == 1 ? 16 : 0;
    n->bits = n->len * 8;
    if (n->len == 16 && !slash && IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)n->bytes)) {
        memmove(n->bytes, n->bytes + 12, 4); /* "::ffff:192.0.2.7" is the IPv4 address */
        n->len = 4;
        n->bits = 32;
    }
    if (n->len == 0 || !slash)
        return n->len > 0;
    unsigned long bits = strtoul(slash, &end, 10);
    n->bits = (unsigned)bits;
    return *slash >= '0' && *slash <= '9' && *end == '\0' && bits <= n->len * 8;
}

static bool fits_network(struct policy_text v, struct policy_text w, unsigned outcomes)
{
    struct network address, net;
    (void)outcomes;
    if (!read_network(v, &address) || !read_network(w, &net) || address.len != net.len)
        return false;
    unsigned whole = net.bits / 8, rest = net.bits % 8;
    if (memcmp(address.bytes, net.bytes, whole) != 0)
        return false;
    return rest == 0 || (address.bytes[whole] ^ net.bytes[whole]) >> (8 - rest) == 0;
}

/* --- operators --- */

static const char null_name[] = "Null";

static const struct policy_operator operators[] = {
    { "Bool", NULL, 0, false, false, false },
    { "DateEquals", fits_date, EQUAL, false, false, false },
    { "DateGreaterThan", fits_date, GREATER, false, false, false },
    { "DateGreaterThanEquals", fits_date, GREATER | EQUAL, false, false, false },
    { "DateLessThan", fits_date, LESS, false, false, false },
    { "DateLessThanEquals", fits_date, LESS | EQUAL, false, false, false },
    { "DateNotEquals", fits_date, EQUAL, true, false, false },
    { "IpAddress", fits_network, 0, false, false, false },
    { "NotIpAddress", fits_network, 0, true, false, false },
    { null_name, NULL, 0, false, false, false },
    { "NumericEquals", fits_number, EQUAL, false, false, false },
    { "NumericGreaterThan", fits_number, GREATER, false, false, false },
    { "NumericGreaterThanEquals", fits_number, GREATER | EQUAL, false, false, false },
    { "NumericLessThan", fits_number, LESS, false, false, false },
    { "NumericLessThanEquals", fits_number, LESS | EQUAL, false, false, false },
    { "NumericNotEquals", fits_number, EQUAL, true, false, false },
    { "StringEquals", NULL, 0, false, false, true },
    { "StringEqualsIgnoreCase", NULL, 0, false, false, false },
    { "StringLike", NULL, 0, false, true, true },
    { "StringNotEquals", NULL, 0, true, false, true },
    { "StringNotEqualsIgnoreCase", NULL, 0, true, false, false },
    { "StringNotLike", NULL, 0, true, true, true },
};
#define OPERATORS (sizeof(operators) / sizeof(operators[0]))

enum quantity { ONE, ANY_VALUE, ALL_VALUES };

struct policy_condition {
    struct policy_condition *next;
    const struct policy_operator *op;
    enum quantity quantity;
    bool if_exists;
    char *key; /* owned; `variable` points into it */
    struct policy_variable variable;
    struct policy_pattern *wanted;
    size_t count;
};

/* --- reading --- */

static bool cut_front(const char **p, size_t *len, const char *start)
{
    size_t n = strlen(start);
    if (*len < n || memcmp(*p, start, n) != 0)
        return false;
    *p += n;
    *len -= n;
    return true;
}

/* "ForAnyValue:StringLikeIfExists" */
static bool read_operator(const struct conf *key, struct policy_condition *c)
{
    static const char if_exists[] = "IfExists";
    const char *p = key->text;
    size_t len = key->len, tail = sizeof(if_exists) - 1;
    c->quantity = cut_front(&p, &len, "ForAnyValue:")    ? ANY_VALUE
                  : cut_front(&p, &len, "ForAllValues:") ? ALL_VALUES
                                                         : ONE;
    if (len > tail && memcmp(p + len - tail, if_exists, tail) == 0) {
        c->if_exists = true;
        len -= tail;
    }
    for (size_t i = 0; i < OPERATORS; i++)
        if (strlen(operators[i].name) == len && memcmp(operators[i].name, p, len) == 0)
            c->op = &operators[i];
    return c->op && !(c->op->name == null_name && (c->if_exists || c->quantity != ONE));
}

static int refuse_operator(const struct conf *key, struct errs *errs)
{
    const char *names[OPERATORS];
    for (size_t i = 0; i < OPERATORS; i++)
        names[i] = operators[i].name;
    struct err *e =
        errs_add(errs, SEV_ERROR, ERR_CONF_NAME, key->at, "unknown condition operator \"%.80s\"", key->text);
    const char *near = nearest_word(key->text, key->len, names, OPERATORS);
    if (near)
        err_hint(e, "did you mean \"%s\"?", near);
    return -1;
}

static int check_wanted(const struct policy_condition *c, const struct conf *value, struct errs *errs)
{
    struct policy_text t = { .p = value->text, .len = value->len };
    struct network n;
    struct num number;
    int64_t date;
    const char *form = NULL;
    if (memchr(t.p, '$', t.len)) /* a variable: known later */
        return 0;
    if (c->op->fits == fits_network && !read_network(t, &n))
        form = "an address or a network: 192.0.2.0/24, 2001:db8::/32";
    else if (c->op->fits == fits_number && !num_parse(&number, t.p, t.len))
        form = "a number";
    else if (c->op->fits == fits_date && !read_date(t, &date))
        form = "a date: 2026-01-31T10:00:00Z";
    else if ((c->op->name == null_name || strcmp(c->op->name, "Bool") == 0) && strcasecmp(value->text, "true") != 0 &&
             strcasecmp(value->text, "false") != 0)
        form = "true or false";
    if (!form)
        return 0;
    errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, value->at, "%s needs %s", c->op->name, form);
    return -1;
}

static int add_wanted(struct policy_condition *c, const struct conf *value, bool is_variable, struct errs *errs)
{
    unsigned flags = (c->op->is_wild ? PATTERN_WILD : 0u) | (is_variable ? PATTERN_VARIABLES : 0u);
    if (value->kind != CONF_SCALAR)
        return errs_refuse(errs, ERR_CONF_TYPE, value->at, "a condition's value must be a text or a list of texts");
    if (check_wanted(c, value, errs) < 0 || policy_pattern_read(&c->wanted[c->count], value, flags, errs) < 0)
        return -1;
    c->count++;
    return 0;
}

static int read_key(struct policy_condition *c, const struct conf *key, struct errs *errs)
{
    c->key = strndup(key->text, key->len);
    if (!c->key)
        return errs_refuse(errs, ERR_MEMORY, key->at, "not enough memory for the policy");
    c->variable = policy_variable_read(c->key, key->len);
    if (c->variable.kind == VARIABLE_NONE)
        errs_add(errs, SEV_WARNING, ERR_CONF_NAME, key->at, "unknown condition key \"%.80s\": it never has a value",
                 key->text);
    return 0;
}

static int read_one(struct policy_condition *c, const struct conf *key, const struct conf *value, bool is_variable,
                    struct errs *errs)
{
    size_t count = value->kind == CONF_LIST ? value->count : 1;
    c->wanted = calloc(count + 1, sizeof(*c->wanted));
    if (!c->wanted)
        return errs_refuse(errs, ERR_MEMORY, key->at, "not enough memory for the policy");
    if (read_key(c, key, errs) < 0)
        return -1;
    int rc = 0;
    for (size_t i = 0; i < count; i++)
        if (add_wanted(c, value->kind == CONF_LIST ? value->items[i] : value, is_variable, errs) < 0)
            rc = -1;
    return rc;
}

/* All keys of one operator, in front of the list. */
static int read_group(struct policy_condition **list, const struct conf *name, const struct conf *keys,
                      bool is_variable, struct errs *errs)
{
    struct policy_condition form = { 0 };
    int rc = 0;
    if (!read_operator(name, &form))
        return refuse_operator(name, errs);
    if (keys->kind != CONF_MAP)
        return errs_refuse(errs, ERR_CONF_TYPE, keys->at, "a condition operator must have a map of keys and values");
    for (size_t i = 0; i < keys->count; i++) {
        struct policy_condition *c = malloc(sizeof(*c));
        if (!c)
            return errs_refuse(errs, ERR_MEMORY, name->at, "not enough memory for the policy");
        *c = form;
        c->next = *list;
        *list = c;
        if (read_one(c, keys->keys[i], keys->items[i], is_variable, errs) < 0)
            rc = -1;
    }
    return rc;
}

struct policy_condition *policy_conditions_new(const struct conf *map, bool is_variable, bool *failed,
                                               struct errs *errs)
{
    struct policy_condition *list = NULL;
    if (map->kind != CONF_MAP) {
        errs_refuse(errs, ERR_CONF_TYPE, map->at, "\"Condition\" must be a map of operators");
        *failed = true;
        return NULL;
    }
    for (size_t i = 0; i < map->count; i++)
        if (read_group(&list, map->keys[i], map->items[i], is_variable, errs) < 0)
            *failed = true;
    return list;
}

void policy_conditions_free(struct policy_condition *c)
{
    for (struct policy_condition *next; c; c = next) {
        next = c->next;
        for (size_t i = 0; i < c->count; i++)
            policy_pattern_clear(&c->wanted[i]);
        free(c->wanted);
        free(c->key);
        free(c);
    }
}

/* --- deciding --- */

static bool is_equal(const struct policy_condition *k, const struct policy_pattern *wanted,
                     const struct policy_context *c, struct policy_text v)
{
    char text[EXPANDED_MAX];
    if (!k->op->fits)
        return policy_pattern_matches(wanted, c, v, k->op->is_cased);
    size_t len = policy_pattern_expand(wanted, c, text, sizeof(text));
    return len <= sizeof(text) && k->op->fits(v, (struct policy_text) { .p = text, .len = len }, k->op->outcomes);
}

/* One value of the key. */
static bool value_holds(const struct policy_condition *k, const struct policy_context *c, struct policy_text v)
{
    for (size_t i = 0; i < k->count; i++)
        if (is_equal(k, &k->wanted[i], c, v))
            return !k->op->is_negated;
    return k->op->is_negated;
}

static bool condition_holds(const struct policy_condition *k, const struct policy_context *c)
{
    size_t at = 0;
    struct policy_text v = policy_variable_next(&k->variable, c, &at);
    if (k->op->name == null_name) {
        v = v.p ? (struct policy_text) { .p = "false", .len = 5 } : (struct policy_text) { .p = "true", .len = 4 };
        return value_holds(k, c, v);
    }
    if (!v.p)
        return k->if_exists || k->op->is_negated || k->quantity == ALL_VALUES;
    if (k->quantity == ONE)
        return value_holds(k, c, v);
    for (; v.p; v = policy_variable_next(&k->variable, c, &at))
        if (value_holds(k, c, v) == (k->quantity == ANY_VALUE))
            return k->quantity == ANY_VALUE;
    return k->quantity == ALL_VALUES;
}

bool policy_conditions_hold(const struct policy_condition *list, const struct policy_context *c)
{
    for (; list; list = list->next)
        if (!condition_holds(list, c))
            return false;
    return true;
}
