/* SPDX-License-Identifier: Apache-2.0 */
/* One table of what can be asked: the function, its member of the mock, and how that answers. */
#include "engine/apps/sluice/mock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/num.h"

#define ANSWERS_MAX     ((size_t)256 << 20)
#define ARGS_MAX        5
#define LAMBDA_LIMIT_MS 2000 /* aws_lambda, spec 9 */

/* A question on its way to an answer. */
struct asking {
    struct mock *mock;
    const struct json_doc *args; /* an Array */
    uint32_t member;             /* of the mock, for this function; 0: it has none */
    char *text;                  /* the answer or failure */
    size_t len;
    bool answered;
};

/* --- answers --- */

static void set_text(struct asking *q, const struct buf *b, bool answered)
{
    q->text = b->failed ? NULL : arena_strndup(&q->mock->arena, b->p ? b->p : "", b->len);
    q->len = q->text ? b->len : 0;
    q->answered = q->text && answered;
}

PRINTF_LIKE(2, 3) static void fail(struct asking *q, const char *fmt, ...)
{
    char text[256];
    struct buf b = { .p = text };
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    b.len = len < 0 ? 0 : (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
    set_text(q, &b, false);
}

/* `before` node `after`, as JSON. */
static void answer_within(struct asking *q, const char *before, uint32_t node, const char *after)
{
    struct buf b;
    buf_init(&b, ANSWERS_MAX);
    buf_puts(&b, before);
    json_write(&b, q->mock->doc, node, JSON_STYLE_AS_IS);
    buf_puts(&b, after);
    set_text(q, &b, true);
    buf_clear(&b);
}

static void answer(struct asking *q, uint32_t node)
{
    answer_within(q, "", node, "");
}

/* --- finding --- */

/* Text of the n-th argument; "" if it is none. */
static const char *arg(struct asking *q, size_t n, size_t *len)
{
    uint32_t node = json_element(q->args, 0, n);
    const char *text = NULL;
    *len = 0;
    if (node && json_at(q->args, node)->kind == JSON_STRING)
        text = json_text(q->args, node, &q->mock->arena, len);
    return text ? text : "";
}

/* The member of a node that the n-th argument names; 0: there is none, and the question has failed. */
static uint32_t named(struct asking *q, uint32_t node, size_t n)
{
    size_t len;
    const char *name = arg(q, n, &len);
    uint32_t found =
        node && json_at(q->mock->doc, node)->kind == JSON_OBJECT ? json_member(q->mock->doc, node, name, len) : 0;
    if (!found)
        fail(q, "the mock has nothing for \"%.*s\"", (int)(len < 100 ? len : 100), name);
    return found;
}

static uint32_t member(const struct asking *q, uint32_t node, const char *name)
{
    return json_at(q->mock->doc, node)->kind == JSON_OBJECT ? json_member(q->mock->doc, node, name, strlen(name)) : 0;
}

/* --- the functions --- */

/* One name leads to the answer. */
static void ask_one(struct asking *q)
{
    uint32_t node = named(q, q->member, 0);
    if (node)
        answer(q, node);
}

/* One name, and one within it. */
static void ask_two(struct asking *q)
{
    uint32_t outer = named(q, q->member, 0), inner = outer ? named(q, outer, 1) : 0;
    if (inner)
        answer(q, inner);
}

/* Do the members that arguments 1 and 2 (3 and 4) name have these values? */
static bool has_key(struct asking *q, uint32_t item)
{
    for (size_t n = 1; n < json_at(q->args, 0)->count; n += 2) {
        size_t len;
        const char *name = arg(q, n, &len);
        uint32_t value =
            json_at(q->mock->doc, item)->kind == JSON_OBJECT ? json_member(q->mock->doc, item, name, len) : 0;
        if (!value || !json_same(q->mock->doc, value, q->args, json_element(q->args, 0, n + 1), 0))
            return false;
    }
    return true;
}

static void ask_dynamodb(struct asking *q)
{
    const struct json_doc *d = q->mock->doc;
    uint32_t table = named(q, q->member, 0);
    if (!table)
        return;
    for (uint32_t k = json_first(d, table); k != json_end(d, table); k = json_next(d, table, k)) {
        if (has_key(q, k)) {
            answer(q, k);
            return;
        }
    }
    struct buf none = { .p = (char[]) { "null" }, .len = 4 };
    set_text(q, &none, true);
}

static void ask_secret(struct asking *q)
{
    uint32_t secret = named(q, q->member, 0), binary = secret ? member(q, secret, "SecretBinary_base64") : 0;
    if (binary)
        answer_within(q, "{\"SecretBinary\":", binary, "}");
    else if (secret)
        answer(q, secret);
}

/* Nobody waits here: a call that would take too long has failed. */
static bool is_too_slow(const struct asking *q, uint32_t function)
{
    uint32_t delay = member(q, function, "delay_ms");
    const struct json_node *n = delay ? json_at(q->mock->doc, delay) : NULL;
    struct num ms;
    return n && num_parse(&ms, q->mock->doc->text + n->off, n->len) && num_to_double(&ms) > LAMBDA_LIMIT_MS;
}

static void ask_lambda(struct asking *q)
{
    uint32_t function = named(q, q->member, 0), node;
    size_t len = 0;
    if (!function)
        return;
    if (is_too_slow(q, function)) {
        fail(q, "no answer within %d ms", LAMBDA_LIMIT_MS);
    } else if ((node = member(q, function, "fails")) && json_at(q->mock->doc, node)->kind == JSON_STRING) {
        const char *why = json_text(q->mock->doc, node, &q->mock->arena, &len);
        fail(q, "%.*s", (int)(len < 200 ? len : 200), why ? why : "");
    } else if ((node = member(q, function, "returns"))) {
        answer(q, node);
    } else {
        fail(q, "the mock says neither what the function returns nor that it fails");
    }
}

static void ask_file(struct asking *q)
{
    size_t bucket_len, key_len;
    const char *bucket = arg(q, 0, &bucket_len), *key = arg(q, 1, &key_len);
    struct buf name;
    buf_init(&name, ANSWERS_MAX);
    buf_printf(&name, "%.*s/%.*s", (int)bucket_len, bucket, (int)key_len, key);
    uint32_t node = q->member && !name.failed ? json_member(q->mock->doc, q->member, name.p, name.len) : 0;
    if (node)
        answer(q, node);
    else
        fail(q, "the mock has no such file");
    buf_clear(&name);
}

static const struct world {
    const char *function, *member;
    void (*ask)(struct asking *q);
} worlds[] = {
    { "aws_lambda", "lambda", ask_lambda },
    { "decode", "files", ask_file },
    { "get_dynamodb", "dynamodb", ask_dynamodb },
    { "get_registry_data", "registry", ask_two },
    { "get_secret", "secrets", ask_secret },
    { "get_thing_shadow", "shadows", ask_two },
    { "machinelearning_predict", "machinelearning", ask_one },
};
#define WORLD_COUNT (sizeof(worlds) / sizeof(worlds[0]))

static void ask(struct asking *q, const struct world *world)
{
    if (q->mock->doc)
        q->member = json_member(q->mock->doc, q->mock->node, world->member, strlen(world->member));
    if (!q->member)
        fail(q, "there is no mock of \"%s\"", world->member);
    else
        world->ask(q);
}

static enum lookup_outcome find(void *ctx, uint64_t site, const struct lookup_question *question, const char **text,
                                size_t *len)
{
    (void)site;
    struct mock *m = ctx;
    struct asking q = { .mock = m };
    struct err e = { 0 };
    char *copy = arena_strndup(&m->arena, question->args, question->args_len);
    q.args = copy ? json_parse(&m->arena, copy, question->args_len, NULL, &e) : NULL;
    for (size_t i = 0; q.args && i < WORLD_COUNT; i++) {
        if (strcmp(worlds[i].function, question->function) == 0)
            ask(&q, &worlds[i]);
    }
    *text = q.text;
    *len = q.len;
    return q.answered ? LOOKUP_ANSWERED : LOOKUP_FAILED;
}

/* --- life --- */

void mock_init(struct mock *m)
{
    *m = (struct mock) { .lookups = { .find = find, .ctx = m } };
    arena_init(&m->arena, ANSWERS_MAX);
}

void mock_clear(struct mock *m)
{
    arena_clear(&m->arena);
}

void mock_forget(struct mock *m)
{
    arena_reset(&m->arena);
}

static int check_member(const struct json_doc *doc, uint32_t key, struct err *e)
{
    const char *names[WORLD_COUNT], *given = doc->text + json_at(doc, key)->off;
    size_t len = json_at(doc, key)->len;
    for (size_t i = 0; i < WORLD_COUNT; i++) {
        names[i] = worlds[i].member;
        if (strlen(names[i]) == len && memcmp(names[i], given, len) == 0) {
            if (json_at(doc, key + 1)->kind == JSON_OBJECT)
                return 0;
            return err_set(e, ERR_CONF_TYPE, "\"%s\" of a mock must be an object", names[i]);
        }
    }
    const char *near = nearest_word(given, len, names, WORLD_COUNT);
    err_set(e, ERR_CONF_KEY, "unknown member \"%.*s\" of a mock", (int)(len > 60 ? 60 : len), given);
    if (near)
        err_hint(e, "did you mean \"%s\"?", near);
    return -1;
}

int mock_check(const struct json_doc *doc, uint32_t node, struct err *e)
{
    if (json_at(doc, node)->kind != JSON_OBJECT)
        return err_set(e, ERR_CONF_TYPE, "\"mock\" must be an object");
    for (uint32_t k = json_first(doc, node); k != json_end(doc, node); k = json_next(doc, node, k)) {
        if (check_member(doc, k, e) < 0)
            return -1;
    }
    return 0;
}

int mock_set(struct mock *m, const struct json_doc *doc, uint32_t node, struct err *e)
{
    m->doc = doc;
    m->node = node;
    return mock_check(doc, node, e);
}
