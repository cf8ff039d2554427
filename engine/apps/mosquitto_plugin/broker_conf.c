/* SPDX-License-Identifier: Apache-2.0 */
/* mosquitto.conf as Mosquitto 2.0 reads it: a line is a name, blanks, and a value; `#` in front makes a comment; `include_dir` reads the files
 * of a folder whose names end in ".conf", in order of name. */
#include "engine/apps/mosquitto_plugin/broker_conf.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/path.h"

#define FILE_MAX_BYTES   ((size_t)16 << 20)
#define INCLUDE_MAX      4 /* folders that include folders */
#define COMMAND_MAX      ((size_t)1 << 16)
#define NEED_CERTIFICATE "Use require_certificate alone: the plugin reads the certificate itself."

struct reading {
    struct broker_conf *c;
    struct errs *errs;
    bool has_listener, has_anonymous;
    int depth;
};

struct line {
    struct span name;
    char *key, *value; /* NUL-terminated; "" without a value */
};

static int read_whole(struct buf *out, const char *path, struct err *e)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return err_set(e, ERR_IO, "could not read \"%s\": %s", path, strerror(errno));
    char piece[4096];
    size_t n;
    while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
        buf_put(out, piece, n);
    bool failed = ferror(f) != 0;
    fclose(f);
    return failed || out->failed ? err_set(e, ERR_IO, "could not read \"%s\"", path) : 0;
}

static bool is_true(const char *value)
{
    return strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0;
}

static void refuse(struct reading *r, const struct line *l, const char *why, const char *hint)
{
    err_hint(errs_add(r->errs, SEV_ERROR, ERR_CONF_VALUE, l->name, "%s: %s", l->key, why), "%s", hint);
}

static void read_folder(struct reading *r, const struct line *l);

static void take_line(struct reading *r, const struct line *l)
{
    struct broker_conf *c = r->c;
    if (strcmp(l->key, "allow_anonymous") == 0) {
        r->has_anonymous = true;
        c->allows_anonymous = is_true(l->value);
    } else if (strcmp(l->key, "listener") == 0 || strcmp(l->key, "port") == 0) {
        r->has_listener = true;
    } else if (strcmp(l->key, "password_file") == 0) {
        c->has_password_file = true;
    } else if (strcmp(l->key, "acl_file") == 0) {
        c->has_acl_file = true;
    } else if (strcmp(l->key, "plugin") == 0 || strcmp(l->key, "auth_plugin") == 0 ||
               strcmp(l->key, "global_plugin") == 0) {
        c->plugins++;
    } else if (strcmp(l->key, "include_dir") == 0) {
        read_folder(r, l);
    } else if ((strcmp(l->key, "use_identity_as_username") == 0 || strcmp(l->key, "use_subject_as_username") == 0) &&
               is_true(l->value)) {
        refuse(r, l, "clients of this listener would pass by the plugin, for Mosquitto does not authenticate them",
               NEED_CERTIFICATE);
    } else if (strcmp(l->key, "per_listener_settings") == 0 && is_true(l->value)) {
        refuse(r, l, "Mosquitto calls plugins at intervals only without it",
               "Remove the line: policies can tell clients of one listener from those of another by certificate or "
               "user name.");
    }
}

/* Split in place: the text is the reader's own copy. */
static bool split(char *text, struct line *l)
{
    char *end = text + strcspn(text, "\r\n");
    *end = '\0';
    while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
        *--end = '\0';
    if (!text[0] || text[0] == '#')
        return false;
    size_t name = strcspn(text, " \t");
    l->key = text;
    l->value = text + name;
    if (*l->value)
        *l->value++ = '\0';
    l->value += strspn(l->value, " \t");
    return name > 0;
}

static int read_file(struct reading *r, const char *path)
{
    struct buf text;
    struct err e = { 0 };
    buf_init(&text, FILE_MAX_BYTES);
    int rc = read_whole(&text, path, &e);
    struct src *src = rc == 0 ? src_new(path, text.p ? text.p : "", text.len) : NULL;
    if (rc < 0)
        errs_take(r->errs, &e);
    else if (!src)
        errs_refuse(r->errs, ERR_MEMORY, (struct span) { 0 }, "not enough memory for the broker's configuration");
    for (char *at = src ? text.p : NULL, *next; at && *at; at = next) {
        struct line l;
        size_t len = strcspn(at, "\n");
        next = at[len] ? at + len + 1 : at + len;
        uint32_t off = (uint32_t)(at - text.p);
        if (split(at, &l)) {
            l.name = (struct span) { src, off, (uint32_t)strlen(l.key) };
            take_line(r, &l);
        }
    }
    src_unref(src);
    buf_clear(&text);
    return rc;
}

static int is_conf(const struct dirent *entry)
{
    return path_ends_in(entry->d_name, ".conf");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_folder(struct reading *r, const struct line *l)
{
    struct dirent **entries = NULL;
    int count = r->depth < INCLUDE_MAX ? scandir(l->value, &entries, is_conf, by_name) : -1;
    if (count < 0)
        errs_add(r->errs, SEV_ERROR, ERR_IO, l->name, "could not read the folder \"%s\"", l->value);
    r->depth++;
    for (int i = 0; i < count; i++) {
        char *path = path_below(l->value, entries[i]->d_name);
        if (path)
            read_file(r, path); /* what goes wrong is in errs */
        else
            errs_refuse(r->errs, ERR_MEMORY, l->name, "not enough memory for the broker's configuration");
        free(path);
        free(entries[i]);
    }
    r->depth--;
    free(entries);
}

int broker_conf_read(struct broker_conf *c, const char *path, struct errs *errs)
{
    struct reading r = { .c = c, .errs = errs };
    size_t before = errs->errors;
    *c = (struct broker_conf) { 0 };
    read_file(&r, path);
    if (!r.has_anonymous)
        c->allows_anonymous = !r.has_listener;
    return errs->errors == before ? 0 : -1;
}

const char *broker_conf_path(const char *arguments, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = strnlen(arguments + at, len - at);
        bool is_c = n == 2 && memcmp(arguments + at, "-c", 2) == 0;
        at += n + 1;
        if (is_c)
            return at < len && memchr(arguments + at, '\0', len - at) ? arguments + at : NULL;
    }
    return NULL;
}

char *broker_conf_own_path(struct err *e)
{
    struct buf text;
    char *path = NULL;
    buf_init(&text, COMMAND_MAX);
    if (read_whole(&text, "/proc/self/cmdline", e) == 0) {
        const char *found = broker_conf_path(text.p ? text.p : "", text.len);
        path = found ? strdup(found) : NULL;
        if (!path)
            err_set(e, ERR_IO, "the broker's command line names no configuration file");
    }
    buf_clear(&text);
    return path;
}
