/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mqtt/password_file.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/base64.h"

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

struct password_file {
    struct entry *entries;
    size_t count, cap;
};

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

struct password_file *password_file_load(const char *path, struct err *e)
{
    struct password_file *f = calloc(1, sizeof(*f));
    FILE *in = f ? fopen(path, "re") : NULL;
    int rc = -1;
    if (!f)
        err_set(e, ERR_MEMORY, "not enough memory for \"%.120s\"", path);
    else if (!in)
        err_set(e, ERR_IO, "could not read \"%.120s\": %s", path, strerror(errno));
    else
        rc = parse_file(f, in, path, e);
    if (in)
        fclose(in);
    if (rc == 0)
        return f;
    password_file_free(f);
    return NULL;
}

void password_file_free(struct password_file *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->count; i++)
        free(f->entries[i].name);
    free(f->entries);
    free(f);
}

/* --- comparing and making --- */

static bool hash(const struct entry *x, const char *password, size_t len, unsigned char out[HASH_BYTES])
{
    return PKCS5_PBKDF2_HMAC(password, (int)len, x->salt, (int)x->salt_len, x->iterations, EVP_sha512(), HASH_BYTES,
                             out) == 1;
}

bool password_file_fits(const struct password_file *f, const char *name, size_t name_len, const char *password,
                        size_t password_len)
{
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
