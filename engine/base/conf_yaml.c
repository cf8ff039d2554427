/* SPDX-License-Identifier: Apache-2.0 */
/* YAML by libyaml's events.
 *
 * libyaml counts positions in characters, spans count bytes: a cursor walks the text along with the events, which come
 * in order, so this costs one pass. What the tree cannot say (anchors, tags, a second document) is reported and passed
 * over; a syntax error ends the reading, since libyaml cannot go on. */
#include "engine/base/conf_int.h"

#include <string.h>

#include <yaml.h>

struct yaml_reader {
    struct conf_build *b;
    yaml_parser_t parser;
    yaml_event_t event; /* the current one; YAML_NO_EVENT when consumed */
    size_t cursor_chars, cursor_bytes;
    size_t skipped; /* bytes of a byte order mark; libyaml does not see it, since it would count as a column */
};

static bool is_tail(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* Byte offset of a character position. */
static uint32_t byte_offset(struct yaml_reader *r, size_t chars)
{
    const char *text = r->b->src->text;
    size_t len = r->b->src->len;
    while (r->cursor_chars < chars && r->cursor_bytes < len) {
        do
            r->cursor_bytes++;
        while (r->cursor_bytes < len && is_tail(text[r->cursor_bytes]));
        r->cursor_chars++;
    }
    while (r->cursor_chars > chars && r->cursor_bytes > r->skipped) {
        do
            r->cursor_bytes--;
        while (r->cursor_bytes > r->skipped && is_tail(text[r->cursor_bytes]));
        r->cursor_chars--;
    }
    return (uint32_t)r->cursor_bytes;
}

static struct span span_between(struct yaml_reader *r, const yaml_mark_t *start, const yaml_mark_t *end)
{
    struct span at = { .src = r->b->src, .off = byte_offset(r, start->index) };
    uint32_t to = byte_offset(r, end->index);
    at.len = to > at.off ? to - at.off : 0;
    return at;
}

/* Block scalars and collections end, for libyaml, where the next thing begins. */
static void trim_end(struct span *at)
{
    const char *s = at->src->text + at->off;
    while (at->len > 0 && strchr(" \t\r\n", s[at->len - 1]))
        at->len--;
}

/* --- errors --- */

static bool line_holds_substitution(const struct src *src, uint32_t off)
{
    struct src_place place = src_place_of(src, off);
    return memmem(src->text + place.line_off, place.line_len, "${", 2) != NULL;
}

static void report_syntax(struct yaml_reader *r)
{
    const yaml_parser_t *p = &r->parser;
    struct conf_build *b = r->b;
    size_t off = p->error == YAML_READER_ERROR ? r->skipped + p->problem_offset : byte_offset(r, p->problem_mark.index);
    struct span at = { .src = b->src, .off = (uint32_t)(off < b->src->len ? off : b->src->len) };
    if (p->error == YAML_MEMORY_ERROR) {
        conf_build_no_room(b, at);
        return;
    }
    bool context = p->context && p->error != YAML_READER_ERROR;
    struct err *e = errs_add(b->errs, SEV_ERROR, ERR_YAML_SYNTAX, at, "%s%s%s",
                             p->problem ? p->problem : "cannot be read", context ? " " : "", context ? p->context : "");
    if (p->error != YAML_READER_ERROR && line_holds_substitution(b->src, at.off))
        err_hint(e, "Inside { } and [ ], put a text that holds \"${\" in quotes.");
    else if (context && p->context_mark.line != p->problem_mark.line)
        err_hint(e, "It begins on line %zu.", p->context_mark.line + 1);
}

static void report_unsupported(struct yaml_reader *r, struct span at, const char *what, const char *hint)
{
    struct err *e = errs_add(r->b->errs, SEV_ERROR, ERR_YAML_SYNTAX, at, "%s", what);
    err_hint(e, "%s", hint);
}

/* --- events --- */

/* Fetch the next event; false after reporting a syntax error. */
static bool next_event(struct yaml_reader *r)
{
    yaml_event_delete(&r->event);
    if (yaml_parser_parse(&r->parser, &r->event))
        return true;
    memset(&r->event, 0, sizeof(r->event));
    report_syntax(r);
    return false;
}

/* Pass over the current event's successor. */
static bool event_after_next(struct yaml_reader *r)
{
    if (!next_event(r))
        return false;
    return next_event(r);
}

static bool is_start(yaml_event_type_t type)
{
    return type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT;
}

static bool is_end(yaml_event_type_t type)
{
    return type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT;
}

/* Pass over the container whose start is the current event, up to its end. */
static bool skip_container(struct yaml_reader *r)
{
    for (size_t open = 1; open > 0;) {
        if (!next_event(r))
            return false;
        if (is_start(r->event.type))
            open++;
        else if (is_end(r->event.type))
            open--;
    }
    return true;
}

static enum conf_style style_of(yaml_scalar_style_t style)
{
    switch (style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE:
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
        return CONF_QUOTED;
    case YAML_LITERAL_SCALAR_STYLE:
        return CONF_LITERAL;
    case YAML_FOLDED_SCALAR_STYLE:
        return CONF_FOLDED;
    default:
        return CONF_PLAIN;
    }
}

static struct conf *read_node(struct yaml_reader *r, unsigned depth);

static void check_properties(struct yaml_reader *r, struct span at, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        report_unsupported(r, at, "anchors are not supported", "Write the value out where it is used.");
    if (tag)
        report_unsupported(r, at, "tags are not supported", "The option decides the type of its value.");
}

static struct conf *read_scalar(struct yaml_reader *r)
{
    const yaml_event_t *ev = &r->event;
    struct span at = span_between(r, &ev->start_mark, &ev->end_mark);
    check_properties(r, at, ev->data.scalar.anchor, ev->data.scalar.tag);
    enum conf_style style = style_of(ev->data.scalar.style);
    if (style == CONF_LITERAL || style == CONF_FOLDED)
        trim_end(&at);
    struct conf *c = conf_build_scalar(r->b, at, (const char *)ev->data.scalar.value, ev->data.scalar.length);
    if (c)
        c->style = style;
    return c;
}

/* Keys must be texts: anything else is reported, passed over, and stands as an empty text. */
static struct conf *read_key(struct yaml_reader *r)
{
    const yaml_event_t *ev = &r->event;
    if (ev->type == YAML_SCALAR_EVENT)
        return read_scalar(r);
    struct span at = span_between(r, &ev->start_mark, &ev->end_mark);
    if (ev->type == YAML_ALIAS_EVENT) {
        report_unsupported(r, at, "aliases are not supported", "Write the value out where it is used.");
    } else {
        errs_add(r->b->errs, SEV_ERROR, ERR_CONF_TYPE, at, "a key must be a text, not a %s",
                 ev->type == YAML_MAPPING_START_EVENT ? "map" : "list");
        if (!skip_container(r))
            return NULL;
    }
    struct conf *c = conf_build_scalar(r->b, at, "", 0);
    if (c)
        c->unusable = true;
    return c;
}

/* The children of a container, up to and with its end event. */
static int read_children(struct yaml_reader *r, bool map, unsigned depth)
{
    for (size_t i = 0;; i++) {
        if (!next_event(r))
            return -1;
        if (is_end(r->event.type))
            return 0;
        struct conf *child = map && i % 2 == 0 ? read_key(r) : read_node(r, depth + 1);
        if (!child || conf_build_push(r->b, child) < 0)
            return -1;
    }
}

static bool is_flow(const yaml_event_t *ev)
{
    return ev->type == YAML_MAPPING_START_EVENT ? ev->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
                                                : ev->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
}

/* A block collection ends with its last child; a flow collection with its bracket. */
static void set_end(struct yaml_reader *r, struct conf *c, bool flow)
{
    uint32_t to = c->at.off;
    if (flow) {
        to = byte_offset(r, r->event.end_mark.index);
    } else if (c->count > 0) {
        const struct conf *value = c->items[c->count - 1];
        const struct conf *last = value->at.len == 0 && c->keys ? c->keys[c->count - 1] : value;
        to = last->at.off + last->at.len;
    }
    c->at.len = to > c->at.off ? to - c->at.off : 0;
}

static struct conf *read_container(struct yaml_reader *r, unsigned depth)
{
    const yaml_event_t *ev = &r->event;
    bool map = ev->type == YAML_MAPPING_START_EVENT, flow = is_flow(ev);
    struct span at = span_between(r, &ev->start_mark, &ev->end_mark);
    if (map)
        check_properties(r, at, ev->data.mapping_start.anchor, ev->data.mapping_start.tag);
    else
        check_properties(r, at, ev->data.sequence_start.anchor, ev->data.sequence_start.tag);
    struct conf *c = conf_build_node(r->b, map ? CONF_MAP : CONF_LIST, at);
    if (!c)
        return NULL;
    if (depth >= CONF_MAX_DEPTH) {
        errs_add(r->b->errs, SEV_ERROR, ERR_LIMIT, at, "nested deeper than %d levels", CONF_MAX_DEPTH);
        return skip_container(r) ? c : NULL;
    }
    size_t mark = r->b->depth;
    if (read_children(r, map, depth) < 0 || conf_build_close(r->b, c, mark) < 0)
        return NULL;
    set_end(r, c, flow);
    return c;
}

/* The node that the current event begins; NULL when reading cannot go on. */
static struct conf *read_node(struct yaml_reader *r, unsigned depth)
{
    if (r->event.type == YAML_SCALAR_EVENT)
        return read_scalar(r);
    if (r->event.type == YAML_ALIAS_EVENT)
        return read_key(r); /* reports it */
    return read_container(r, depth);
}

static struct conf *empty_map(struct yaml_reader *r)
{
    return conf_build_node(r->b, CONF_MAP, (struct span) { .src = r->b->src });
}

/* stream-start, [document-start node document-end], stream-end */
static struct conf *read_stream(struct yaml_reader *r)
{
    if (!event_after_next(r))
        return NULL;
    if (r->event.type == YAML_STREAM_END_EVENT)
        return empty_map(r);
    if (!next_event(r))
        return NULL;
    struct conf *root = read_node(r, 0);
    if (!root || !event_after_next(r))
        return NULL;
    if (r->event.type != YAML_STREAM_END_EVENT) {
        struct span at = span_between(r, &r->event.start_mark, &r->event.end_mark);
        report_unsupported(r, at, "a second document begins here", "Put each document in a file of its own.");
    }
    bool nothing = root->kind == CONF_SCALAR && root->style == CONF_PLAIN && root->len == 0;
    return nothing ? empty_map(r) : root;
}

struct conf *conf_read_yaml(struct conf_build *b)
{
    const unsigned char *text = (const unsigned char *)b->src->text;
    size_t len = b->src->len, mark = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    struct yaml_reader r = { .b = b, .skipped = mark, .cursor_bytes = mark };
    if (!yaml_parser_initialize(&r.parser))
        return conf_build_no_room(b, (struct span) { .src = b->src });
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, text + mark, len - mark);
    struct conf *root = read_stream(&r);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return root;
}
