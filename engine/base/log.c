/* SPDX-License-Identifier: Apache-2.0 */
/* The log: a line is put together in a buffer of its own and leaves with one write(2), so lines of several threads do
 * not mix and no lock is needed.
 *
 * Texts come from anywhere: what is not valid UTF-8 is written as U+FFFD and control characters cannot break a line.
 * The person's form shows local time, the JSON form UTC, as the broker logs of AWS IoT do. */
#include "engine/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/buf.h"
#include "engine/base/json.h"
#include "engine/base/utf8.h"

#define MESSAGE_MAX   ((size_t)4096)
#define VALUE_MAX     ((size_t)4096) /* bytes of a field's value that are kept */
#define LINE_MAX_SIZE ((size_t)256 << 10)
#define FIELDS_MAX    32

static struct {
    int fd;
    enum log_level level;
    enum log_form form;
} settings = { .fd = STDERR_FILENO, .level = LOG_LEVEL_INFO, .form = LOG_FORM_AUTO };

static const char *const level_names[] = {
    [LOG_LEVEL_DEBUG] = "DEBUG", [LOG_LEVEL_INFO] = "INFO",         [LOG_LEVEL_WARN] = "WARN",
    [LOG_LEVEL_ERROR] = "ERROR", [LOG_LEVEL_DISABLED] = "DISABLED",
};

void log_setup(int fd, enum log_level level, enum log_form form)
{
    settings.fd = fd;
    settings.level = level;
    settings.form = form;
}

bool log_is_on(enum log_level level)
{
    return level >= settings.level && level < LOG_LEVEL_DISABLED;
}

bool log_level_parse(const char *s, enum log_level *level)
{
    for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
        if (strcasecmp(s, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* Append the text as valid UTF-8, at most max bytes of it. */
static void put_valid(struct buf *out, const char *s, size_t max)
{
    size_t len = strnlen(s, max + 1);
    bool cut = len > max;
    if (cut)
        len = max;
    for (size_t i = 0; i < len;) {
        size_t good = utf8_valid_prefix(s + i, len - i);
        buf_put(out, s + i, good);
        i += good;
        if (i == len)
            break;
        if (cut && len - i < 4)
            break; /* the character that was cut through */
        buf_puts(out, "\xef\xbf\xbd");
        i++;
    }
    if (cut)
        buf_puts(out, "\xe2\x80\xa6");
}

static void put_json_text(struct buf *out, const char *s, size_t max)
{
    struct buf valid;
    buf_init(&valid, max * 3 + 8);
    put_valid(&valid, s, max);
    if (valid.failed)
        out->failed = true;
    else
        json_write_string(out, valid.len ? valid.p : "", valid.len);
    buf_clear(&valid);
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7F;
}

/* Values that could be misread beside others are quoted. */
static bool needs_quotes(const char *s)
{
    if (!*s)
        return true;
    for (; *s; s++) {
        if (*s == ' ' || *s == '"' || *s == '=' || *s == '\\' || is_control(*s))
            return true;
    }
    return false;
}

static void put_field_person(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, " %s=", name);
    if (needs_quotes(value))
        put_json_text(out, value, VALUE_MAX);
    else
        put_valid(out, value, VALUE_MAX);
}

static void put_line_person(struct buf *out, enum log_level level, const char *const *fields, const char *message)
{
    struct timespec now;
    struct tm local;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    buf_printf(out, "%02d:%02d:%02d %-5s ", local.tm_hour, local.tm_min, local.tm_sec, level_names[level]);
    size_t start = out->len;
    put_valid(out, message, MESSAGE_MAX);
    for (size_t i = start; i < out->len; i++) {
        if (is_control(out->p[i]))
            out->p[i] = ' ';
    }
    const char *gap = " ";
    for (; fields && fields[0]; fields += 2) {
        if (!fields[1])
            continue;
        buf_puts(out, gap);
        gap = "";
        put_field_person(out, fields[0], fields[1]);
    }
    buf_putc(out, '\n');
}

static void put_line_json(struct buf *out, enum log_level level, const char *const *fields, const char *message)
{
    struct timespec now;
    struct tm utc;
    char day[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &utc);
    buf_printf(out, "{\"timestamp\":\"%s.%03ld\",\"logLevel\":\"%s\",\"message\":", day, now.tv_nsec / 1000000,
               level_names[level]);
    put_json_text(out, message, MESSAGE_MAX);
    for (; fields && fields[0]; fields += 2) {
        if (!fields[1])
            continue;
        buf_putc(out, ',');
        put_json_text(out, fields[0], VALUE_MAX);
        buf_putc(out, ':');
        put_json_text(out, fields[1], VALUE_MAX);
    }
    buf_puts(out, "}\n");
}

/* There is nowhere to complain about a log that cannot be written; a full pipe that does not block loses the rest. */
static void write_out(const char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(settings.fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        p += n;
        len -= (size_t)n;
    }
}

bool log_is_for_person(void)
{
    return settings.form == LOG_FORM_AUTO ? isatty(settings.fd) : settings.form == LOG_FORM_PERSON;
}

static void log_line(enum log_level level, const char *const *fields, const char *message)
{
    struct buf line;
    buf_init(&line, LINE_MAX_SIZE);
    void (*put_line)(struct buf *, enum log_level, const char *const *, const char *) =
        log_is_for_person() ? put_line_person : put_line_json;
    put_line(&line, level, fields, message);
    if (line.failed && fields) { /* too many or too long fields: the message still counts */
        buf_reset(&line);
        put_line(&line, level, NULL, message);
    }
    if (!line.failed)
        write_out(line.p, line.len);
    buf_clear(&line);
}

void log_event(enum log_level level, const char *const *fields, const char *fmt, ...)
{
    if (!log_is_on(level))
        return;
    int saved_errno = errno;
    char message[MESSAGE_MAX + 2]; /* one byte more than is shown, so that a cut is seen */
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    log_line(level, fields, n < 0 ? fmt : message);
    errno = saved_errno;
}

void log_err(enum log_level level, const char *const *fields, const struct err *e, bool shows_text)
{
    if (!log_is_on(level))
        return;
    const char *all[2 * FIELDS_MAX + 9];
    size_t n = 0;
    for (; fields && fields[n] && n < (size_t)2 * FIELDS_MAX; n += 2) {
        all[n] = fields[n];
        all[n + 1] = fields[n + 1];
    }
    struct buf place, shown;
    buf_init(&place, VALUE_MAX);
    buf_init(&shown, VALUE_MAX);
    if (shows_text && e->at.src && !log_is_for_person())
        err_print(e, &shown);
    err_print_place(e, &place);
    const char *own[] = { "code", err_code_name(e->code),      "at",    place.len ? place.p : NULL,
                          "hint", e->hint[0] ? e->hint : NULL, "shown", shown.failed || !shown.len ? NULL : shown.p,
                          NULL };
    memcpy(all + n, own, sizeof(own));
    log_event(level, all, "%s", e->text);
    buf_clear(&place);
    buf_clear(&shown);
}
