/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mqtt/password_file.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/base64.h"
#include "engine/base/log.h"

#define HASH_BYTES     64
#define SALT_BYTES     12
#define SALT_MAX       64
#define ITERATIONS     101 /* as mosquitto_passwd 2.0 */
#define ITERATIONS_MAX 100000
#define LINE_MAX_BYTES 4096

struct entry {
    char *name;
    int iterations;
    unsigned char salt[SALT_MAX], hash[HASH_BYTES];
    size_t salt_len;
};

/* Which state of the file it was: not all of it is the same after a change. */
struct version {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
    bool exists;
};

struct password_file {
    struct entry *entries;
    size_t count, cap;
    char *path;
    struct version version; /* that was looked at last */
};

static struct version version_of(const struct stat *s)
{
    return (struct version) { .device = s->st_dev,
                              .inode = s->st_ino,
                              .size = s->st_size,
                              .modified = s->st_mtim,
                              .changed = s->st_ctim,
                              .exists = true };
}

static bool is_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_same(const struct version *a, const struct version *b)
{
    return a->exists == b->exists && a->device == b->device && a->inode == b->inode && a->size == b->size &&
           is_same_time(a->modified, b->modified) && is_same_time(a->changed, b->changed);
}

/* --- reading --- */

static int decode(const char *text, size_t len, unsigned char *out, size_t max, size_t *out_len)
{
    struct buf b;
    buf_init(&b, LINE_MAX_BYTES);
    bool ok = base64_decode(&b, text, len) && b.len > 0 && b.len <= max;
    if (ok) {
        memcpy(out, b.p, b.len);
        *out_len = b.len;
    }
    buf_clear(&b);
    return ok ? 0 : -1;
}

/* "$7$101$salt$hash" */
static int parse_hash(struct entry *x, const char *text)
{
    char *end;
    size_t len;
    if (strncmp(text, "$7$", 3) != 0)
        return -1;
    unsigned long n = strtoul(text + 3, &end, 10);
    const char *salt = end + 1, *dollar = *end == '$' ? strchr(salt, '$') : NULL;
    if (n < 1 || n > ITERATIONS_MAX || !dollar)
        return -1;
    x->iterations = (int)n;
    if (decode(salt, (size_t)(dollar - salt), x->salt, sizeof(x->salt), &x->salt_len) < 0)
        return -1;
    return decode(dollar + 1, strlen(dollar + 1), x->hash, sizeof(x->hash), &len) == 0 && len == HASH_BYTES ? 0 : -1;
}

static struct entry *add_entry(struct password_file *f)
{
    if (f->count == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 16;
        struct entry *grown = realloc(f->entries, cap * sizeof(*grown));
        if (!grown)
            return NULL;
        f->entries = grown;
        f->cap = cap;
    }
    struct entry *x = &f->entries[f->count];
    *x = (struct entry) { 0 };
    return x;
}

static int parse_line(struct password_file *f, char *line, const char *path, size_t number, struct err *e)
{
    char *colon = strchr(line, ':');
    struct entry *x = add_entry(f);
    if (!x)
        return err_set(e, ERR_MEMORY, "not enough memory for \"%.120s\"", path);
    if (!colon || colon == line || parse_hash(x, colon + 1) < 0) {
        err_set(e, ERR_CONF_VALUE, "%.120s:%zu: this is not NAME:$7$… with a hash of mosquitto_passwd", path, number);
        err_hint(e, "Write it with: sluice passwd FILE NAME, or mosquitto_passwd FILE NAME.");
        return -1;
    }
    x->name = strndup(line, (size_t)(colon - line));
    if (!x->name)
        return err_set(e, ERR_MEMORY, "not enough memory for \"%.120s\"", path);
    f->count++;
    return 0;
}

static int parse_file(struct password_file *f, FILE *in, const char *path, struct err *e)
{
    char line[LINE_MAX_BYTES];
    for (size_t number = 1; fgets(line, sizeof(line), in); number++) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] && line[0] != '#' && parse_line(f, line, path, number, e) < 0)
            return -1;
    }
    return ferror(in) ? err_set(e, ERR_IO, "could not read \"%.120s\": %s", path, strerror(errno)) : 0;
}

/* The version is taken before anything is read, so that a change meanwhile is another one. */
static int read_file(struct password_file *f, struct err *e)
{
    struct stat s;
    FILE *in = fopen(f->path, "re");
    if (!in || fstat(fileno(in), &s) < 0) {
        err_set(e, ERR_IO, "could not read \"%.120s\": %s", f->path, strerror(errno));
        if (in)
            fclose(in);
        return -1;
    }
    f->version = version_of(&s);
    int rc = parse_file(f, in, f->path, e);
    fclose(in);
    return rc;
}

struct password_file *password_file_load(const char *path, struct err *e)
{
    struct password_file *f = calloc(1, sizeof(*f));
    if (f && (f->path = strdup(path)) && read_file(f, e) == 0)
        return f;
    if (!f || !f->path)
        err_set(e, ERR_MEMORY, "not enough memory for \"%.120s\"", path);
    password_file_free(f);
    return NULL;
}

static void free_entries(struct password_file *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->entries[i].name);
    free(f->entries);
}

void password_file_free(struct password_file *f)
{
    if (!f)
        return;
    free_entries(f);
    free(f->path);
    free(f);
}

/* Read it again if it is not what was looked at last. */
static void follow(struct password_file *f)
{
    struct stat s;
    struct err e = { 0 };
    struct version now = stat(f->path, &s) == 0 ? version_of(&s) : (struct version) { 0 };
    if (is_same(&now, &f->version))
        return;
    struct password_file fresh = { .path = f->path, .version = now };
    if (read_file(&fresh, &e) == 0) {
        free_entries(f);
        *f = fresh;
        log_event(LOG_LEVEL_INFO, NULL, "users read again: \"%s\"", f->path);
        return;
    }
    free_entries(&fresh);
    if (e.code != ERR_MEMORY) /* that may be better at the next password */
        f->version = fresh.version;
    log_event(LOG_LEVEL_ERROR, (const char *[]) { "hint", e.hint[0] ? e.hint : NULL, NULL },
              "users not read again, those from before stay: %s", e.text);
}

/* --- comparing and making --- */

static bool hash(const struct entry *x, const char *password, size_t len, unsigned char out[HASH_BYTES])
{
    return PKCS5_PBKDF2_HMAC(password, (int)len, x->salt, (int)x->salt_len, x->iterations, EVP_sha512(), HASH_BYTES,
                             out) == 1;
}

bool password_file_fits(struct password_file *f, const char *name, size_t name_len, const char *password,
                        size_t password_len)
{
    follow(f);
    static const struct entry nobody = { .iterations = ITERATIONS, .salt_len = SALT_BYTES };
    const struct entry *x = &nobody;
    unsigned char made[HASH_BYTES];
    for (size_t i = 0; i < f->count; i++) {
        if (strlen(f->entries[i].name) == name_len && memcmp(f->entries[i].name, name, name_len) == 0)
            x = &f->entries[i];
    }
    bool same = hash(x, password, password_len, made) && CRYPTO_memcmp(made, x->hash, HASH_BYTES) == 0;
    return same && x != &nobody;
}

int password_file_make(struct buf *out, const char *name, const char *password, size_t password_len, struct err *e)
{
    struct entry x = { .iterations = ITERATIONS, .salt_len = SALT_BYTES };
    if (!name[0] || strchr(name, ':') || name[0] == '#')
        return err_set(e, ERR_USAGE, "a user name must not be empty, hold \":\" or begin with \"#\"");
    for (const char *c = name; *c; c++) {
        if ((unsigned char)*c < ' ')
            return err_set(e, ERR_USAGE, "a user name must not hold control characters");
    }
    if (RAND_bytes(x.salt, SALT_BYTES) != 1 || !hash(&x, password, password_len, x.hash))
        return err_set(e, ERR_MEMORY, "could not make a hash");
    buf_printf(out, "%s:$7$%d$", name, x.iterations);
    base64_encode(out, x.salt, x.salt_len);
    buf_putc(out, '$');
    base64_encode(out, x.hash, HASH_BYTES);
    return out->failed ? err_set(e, ERR_MEMORY, "not enough memory") : 0;
}
