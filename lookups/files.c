/* SPDX-License-Identifier: Apache-2.0 */
/* What lies in files: descriptor sets by bucket and key, and, until the device services have them, documents of things.
 *
 *     DESCRIPTORS/bucket/key
 *     DOCUMENTS/shadows/THING.json           the unnamed shadow
 *     DOCUMENTS/shadows/THING/NAME.json      a named one
 *     DOCUMENTS/DescribeThing/THING.json     what the registry's operations answer
 *     DOCUMENTS/ListThingGroupsForThing/THING.json
 *
 * Names come out of messages: what is no name of its kind is refused before a path is made of it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/base64.h"
#include "lookups/lookups_int.h"

#define THING_MAX      128 /* characters of names, as AWS has them */
#define SHADOW_MAX     64
#define BUCKET_MAX     63
#define KEY_MAX        1024
#define PATH_BYTES_MAX ((size_t)8192)

/* --- names --- */

static bool is_among(const char *text, size_t len, const char *signs)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!plain && (c == '\0' || !strchr(signs, c)))
            return false;
    }
    return true;
}

static bool is_thing(const char *text, size_t len)
{
    return len >= 1 && len <= THING_MAX && is_among(text, len, ":_-");
}

static bool is_shadow(const char *text, size_t len)
{
    return len >= 1 && len <= SHADOW_MAX && is_among(text, len, "$:_-");
}

/* One step of a path that leads down. */
static bool is_step(const char *text, size_t len)
{
    bool is_dots = (len == 1 && text[0] == '.') || (len == 2 && text[0] == '.' && text[1] == '.');
    return len > 0 && !is_dots && !memchr(text, '\0', len) && !memchr(text, '/', len);
}

static bool is_bucket(const char *text, size_t len)
{
    return len <= BUCKET_MAX && is_step(text, len);
}

static bool is_key(const char *text, size_t len)
{
    if (len > KEY_MAX)
        return false;
    for (;;) {
        const char *slash = memchr(text, '/', len);
        size_t step = slash ? (size_t)(slash - text) : len;
        if (!is_step(text, step))
            return false;
        if (!slash)
            return true;
        text += step + 1;
        len -= step + 1;
    }
}

/* --- files --- */

static int read_all(int fd, struct buf *out)
{
    char chunk[16384];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        buf_put(out, chunk, (size_t)n);
        if (out->failed)
            return 0;
    }
    return 0;
}

/* The file's bytes. `what` names it in errors; its path is not shown, since names in it come from messages. */
static int read_file(const struct buf *path, const char *what, size_t max, struct buf *out, struct err *e)
{
    struct stat st;
    int fd = path->failed ? -1 : open(path->p, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(e, ERR_REJECTED, errno == ENOENT ? "there is no such %s" : "the %s could not be read", what);
    bool is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    int rc = is_file ? read_all(fd, out) : -1;
    close(fd);
    if (rc < 0)
        return err_set(e, ERR_REJECTED, "the %s could not be read", what);
    return out->failed ? err_set(e, ERR_LIMIT, "the %s has more than %zu bytes", what, max) : 0;
}

/* --- decode --- */

static int look_descriptor(const struct lookups_conf *conf, struct call *c, struct buf *out, struct err *e)
{
    size_t bucket_len, key_len;
    const char *bucket = call_text(c, 0, &bucket_len), *key = call_text(c, 1, &key_len);
    struct buf path, bytes;
    if (!bucket || !key)
        return err_set(e, ERR_MEMORY, "not enough memory for a file");
    if (!is_bucket(bucket, bucket_len) || !is_key(key, key_len))
        return err_set(e, ERR_REJECTED, "this is no name of a bucket and key");
    buf_init(&path, PATH_BYTES_MAX);
    buf_init(&bytes, DESCRIPTOR_MAX);
    buf_printf(&path, "%s/%.*s/%.*s", conf->descriptors, (int)bucket_len, bucket, (int)key_len, key);
    int rc = read_file(&path, "descriptor set", DESCRIPTOR_MAX, &bytes, e);
    if (rc == 0) {
        buf_putc(out, '"');
        base64_encode(out, bytes.p, bytes.len);
        buf_putc(out, '"');
    }
    buf_clear(&path);
    buf_clear(&bytes);
    return rc;
}

static int64_t keep_descriptor_ms(const struct lookups_conf *conf)
{
    (void)conf;
    return FILES_KEPT_MS;
}

const struct teller teller_descriptor = {
    .function = "decode",
    .option = "descriptors",
    .min = 2,
    .max = 2,
    .service = -1,
    .look = look_descriptor,
    .keep_ms = keep_descriptor_ms,
};

/* --- documents --- */

static int look_document(struct call *c, const struct buf *path, const char *what, struct buf *out, struct err *e)
{
    struct buf bytes;
    struct err why = { 0 };
    buf_init(&bytes, DOCUMENT_MAX);
    int rc = read_file(path, what, DOCUMENT_MAX, &bytes, e);
    const struct json_doc *d = rc == 0 ? json_parse(&c->arena, bytes.p ? bytes.p : "", bytes.len, NULL, &why) : NULL;
    if (d && json_at(d, 0)->kind == JSON_OBJECT)
        json_write(out, d, 0, JSON_STYLE_AS_IS);
    else if (rc == 0)
        rc = err_set(e, ERR_REJECTED, "the %s is no JSON object", what);
    buf_clear(&bytes);
    return rc;
}

static int look_shadow(const struct lookups_conf *conf, struct call *c, struct buf *out, struct err *e)
{
    size_t thing_len, name_len;
    const char *thing = call_text(c, 0, &thing_len), *name = call_text(c, 1, &name_len);
    struct buf path;
    if (!thing || !name)
        return err_set(e, ERR_MEMORY, "not enough memory for a document");
    if (!is_thing(thing, thing_len) || (name_len > 0 && !is_shadow(name, name_len)))
        return err_set(e, ERR_REJECTED, "this is no name of a thing or shadow");
    buf_init(&path, PATH_BYTES_MAX);
    buf_printf(&path, "%s/shadows/%.*s%s%.*s.json", conf->documents, (int)thing_len, thing, name_len ? "/" : "",
               (int)name_len, name);
    int rc = look_document(c, &path, "shadow", out, e);
    buf_clear(&path);
    return rc;
}

const struct teller teller_shadow = {
    .function = "get_thing_shadow",
    .option = "documents",
    .min = 2,
    .max = 2,
    .service = -1,
    .look = look_shadow,
};

static int look_registry(const struct lookups_conf *conf, struct call *c, struct buf *out, struct err *e)
{
    size_t api_len, thing_len;
    const char *api = call_text(c, 0, &api_len), *thing = call_text(c, 1, &thing_len);
    struct buf path;
    if (!api || !thing)
        return err_set(e, ERR_MEMORY, "not enough memory for a document");
    if (!is_thing(api, api_len) || !is_thing(thing, thing_len))
        return err_set(e, ERR_REJECTED, "this is no name of a thing");
    buf_init(&path, PATH_BYTES_MAX);
    buf_printf(&path, "%s/%.*s/%.*s.json", conf->documents, (int)api_len, api, (int)thing_len, thing);
    int rc = look_document(c, &path, "thing", out, e);
    buf_clear(&path);
    return rc;
}

const struct teller teller_registry = {
    .function = "get_registry_data",
    .option = "documents",
    .min = 2,
    .max = 2,
    .service = -1,
    .look = look_registry,
};
