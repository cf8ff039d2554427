/* SPDX-License-Identifier: Apache-2.0 */
/* The printed form of errors: place, text, source line, carets, hint.
 *
 * Whatever is printed came from a file or a network, so nothing reaches the terminal raw: tabs become spaces, control
 * characters and invalid bytes become "?". Each character of the line is one column, so carets stand where they should. */
#include "engine/base/err.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/utf8.h"

#define LINE_COLUMNS  120 /* longer lines are cut */
#define CARET_CONTEXT 40  /* columns kept in front of the carets of a cut line */

static const char ellipsis[] = "\xe2\x80\xa6";

/* Append one character of n bytes in the form that is safe to show. */
static void put_char(struct buf *out, const char *s, size_t n)
{
    unsigned char c = (unsigned char)s[0];
    bool c1_control = n == 2 && c == 0xC2 && (unsigned char)s[1] < 0xA0;
    if (c == '\t')
        buf_putc(out, ' ');
    else if (c < 0x20 || c == 0x7F || c1_control || (n == 1 && c >= 0x80))
        buf_putc(out, '?');
    else
        buf_put(out, s, n);
}

static void put_text(struct buf *out, const char *s, size_t len)
{
    for (size_t i = 0, n; i < len; i += n) {
        n = utf8_step(s + i, len - i);
        put_char(out, s + i, n);
    }
}

static void put_times(struct buf *out, char c, size_t count)
{
    while (count-- > 0)
        buf_putc(out, c);
}

static void print_place(const struct src_place *place, struct buf *out)
{
    const struct src *src = place->src;
    if (src->fit == SRC_INSIDE) {
        struct src_place begin = src_place_of(src->at.src, src->at.off);
        print_place(&begin, out);
        buf_printf(out, ": in this text at %u:%u", place->line, place->column);
    } else {
        put_text(out, src->name, strlen(src->name));
        buf_printf(out, ":%u:%u", place->line, place->column);
    }
}

/* Characters that the span covers on its first line; at least one, so that an empty span still shows. */
static size_t caret_count(struct span at)
{
    const struct src *src = at.src;
    if (at.off >= src->len)
        return 1;
    size_t len = at.len < src->len - at.off ? at.len : src->len - at.off;
    const char *s = src->text + at.off, *nl = memchr(s, '\n', len);
    if (nl)
        len = (size_t)(nl - s);
    if (nl && len > 0 && s[len - 1] == '\r')
        len--;
    size_t count = utf8_count(s, len);
    return count ? count : 1;
}

/* The stretch of a line that is shown, in characters. */
struct window {
    size_t first, count, total;
};

static struct window window_of(size_t total, size_t column)
{
    struct window w = { .first = 0, .count = total, .total = total };
    if (total <= LINE_COLUMNS)
        return w;
    w.count = LINE_COLUMNS - 2; /* an ellipsis at either side */
    if (column > LINE_COLUMNS - CARET_CONTEXT)
        w.first = column - CARET_CONTEXT;
    if (w.first > total - w.count)
        w.first = total - w.count;
    return w;
}

static void print_window(const char *line, size_t len, struct window w, struct buf *out)
{
    size_t begin = utf8_offset(line, len, w.first);
    size_t end = begin + utf8_offset(line + begin, len - begin, w.count);
    if (w.first > 0)
        buf_puts(out, ellipsis);
    put_text(out, line + begin, end - begin);
    if (w.first + w.count < w.total)
        buf_puts(out, ellipsis);
    buf_putc(out, '\n');
}

/* The source line and the caret line below it. */
static void print_excerpt(const struct src_place *place, struct span at, struct buf *out)
{
    const char *line = place->src->text + place->line_off;
    size_t column = place->column - 1;
    struct window w = window_of(utf8_count(line, place->line_len), column);
    buf_printf(out, "  %u | ", place->line);
    print_window(line, place->line_len, w, out);

    char number[16];
    int gutter = snprintf(number, sizeof(number), "%u", place->line);
    size_t before = column - w.first, carets = caret_count(at), room = w.count > before ? w.count - before : 1;
    buf_printf(out, "  %*s | ", gutter, "");
    put_times(out, ' ', before + (w.first > 0));
    put_times(out, '^', carets < room ? carets : room);
    buf_putc(out, '\n');
}

void err_print_place(const struct err *e, struct buf *out)
{
    if (!e->at.src)
        return;
    struct src_place place = src_place_of(e->at.src, e->at.off);
    print_place(&place, out);
}

void err_print(const struct err *e, struct buf *out)
{
    static const char *const names[] = { [SEV_ERROR] = "error", [SEV_WARNING] = "warning", [SEV_NOTE] = "note" };
    struct src_place place = { 0 };
    if (e->at.src) {
        place = src_place_of(e->at.src, e->at.off);
        print_place(&place, out);
        buf_puts(out, ": ");
    }
    buf_printf(out, "%s: ", names[e->severity]);
    put_text(out, e->text, strlen(e->text));
    buf_putc(out, '\n');
    if (e->at.src)
        print_excerpt(&place, e->at, out);
    if (e->hint[0]) {
        buf_puts(out, "  hint: ");
        put_text(out, e->hint, strlen(e->hint));
        buf_putc(out, '\n');
    }
}

void errs_print(const struct errs *list, struct buf *out)
{
    size_t errors = list->errors, warnings = list->warnings;
    for (size_t i = 0; i < list->count; i++) {
        err_print(&list->items[i], out);
        errors -= list->items[i].severity == SEV_ERROR;
        warnings -= list->items[i].severity == SEV_WARNING;
    }
    if (errors + warnings)
        buf_printf(out, "%zu more errors and %zu more warnings are not shown\n", errors, warnings);
}
