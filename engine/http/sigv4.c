/* SPDX-License-Identifier: Apache-2.0 */
/* The four steps of the signature, each appended to a buffer and hashed.
 *
 * Paths: every service but S3 encodes the path once more than the wire does, and takes runs of "/" as one. "." and
 * ".." segments do not come here (http_url.c refuses them). Queries: sorted by name and value, with the encoding that
 * the service will compute from them, whatever the rule's author left unencoded.
 *
 * Keys that were derived are wiped. */
#include "engine/http/sigv4.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nettle/hmac.h>
#include <nettle/sha2.h>

#define ALGORITHM  "AWS4-HMAC-SHA256"
#define TEXT_MAX   ((size_t)1 << 20)
#define PAIRS_MAX  256
#define DATE_CHARS 8 /* of the time */

void sigv4_time(int64_t now_ms, char out[SIGV4_TIME_SIZE])
{
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(out, SIGV4_TIME_SIZE, "%Y%m%dT%H%M%SZ", &tm);
}

static void put_hex(const uint8_t *p, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        *out++ = digits[p[i] >> 4];
        *out++ = digits[p[i] & 15];
    }
    *out = '\0';
}

void sigv4_hash(const void *p, size_t len, char out[SIGV4_HASH_SIZE])
{
    struct sha256_ctx sha;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&sha);
    sha256_update(&sha, len, p);
    sha256_digest(&sha, sizeof(digest), digest);
    put_hex(digest, sizeof(digest), out);
}

/* --- canonical request --- */

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

static void put_encoded(struct buf *out, char c)
{
    if (is_unreserved(c))
        buf_putc(out, c);
    else
        buf_printf(out, "%%%02X", (unsigned char)c);
}

static void put_path(struct buf *out, const struct sigv4_request *r)
{
    bool is_s3 = strcmp(r->service, "s3") == 0;
    if (r->path_len == 0)
        buf_putc(out, '/');
    for (size_t i = 0; i < r->path_len; i++) {
        char c = r->path[i];
        if (is_s3)
            buf_putc(out, c);
        else if (c != '/')
            put_encoded(out, c);
        else if (i == 0 || r->path[i - 1] != '/')
            buf_putc(out, c);
    }
    buf_putc(out, '\n');
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decoded and encoded again, so that "%2d", "-" and "%2D" are one. */
static void put_query_text(struct buf *out, const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = p[i];
        if (c == '%' && len - i > 2 && hex_value(p[i + 1]) >= 0 && hex_value(p[i + 2]) >= 0) {
            c = (char)(hex_value(p[i + 1]) << 4 | hex_value(p[i + 2]));
            i += 2;
        }
        put_encoded(out, c);
    }
}

/* A pair of the query as it is sorted: its name and value lie in the scratch buffer, each with an end. */
struct pair {
    size_t name, value;
};

static int compare_pairs(const void *a, const void *b, void *ctx)
{
    const struct pair *x = a, *y = b;
    const char *text = ctx;
    int by_name = strcmp(text + x->name, text + y->name);
    return by_name ? by_name : strcmp(text + x->value, text + y->value);
}

static void put_pair(struct buf *scratch, struct pair *pair, const char *p, size_t len)
{
    const char *equals = memchr(p, '=', len);
    size_t name_len = equals ? (size_t)(equals - p) : len;
    pair->name = scratch->len;
    put_query_text(scratch, p, name_len);
    buf_putc(scratch, '\0');
    pair->value = scratch->len;
    if (equals)
        put_query_text(scratch, equals + 1, len - name_len - 1);
    buf_putc(scratch, '\0');
}

static void put_query(struct buf *out, struct buf *scratch, const struct sigv4_request *r)
{
    struct pair pairs[PAIRS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < r->query_len && count < PAIRS_MAX;) {
        const char *p = r->query + i, *end = memchr(p, '&', r->query_len - i);
        size_t len = end ? (size_t)(end - p) : r->query_len - i;
        if (len > 0)
            put_pair(scratch, &pairs[count++], p, len);
        i += len + 1;
    }
    if (count > 1 && !scratch->failed)
        qsort_r(pairs, count, sizeof(pairs[0]), compare_pairs, scratch->p);
    for (size_t i = 0; i < count && !scratch->failed; i++)
        buf_printf(out, "%s%s=%s", i ? "&" : "", scratch->p + pairs[i].name, scratch->p + pairs[i].value);
    buf_putc(out, '\n');
}

/* White space around the value goes, runs of it become one space. */
static void put_header_value(struct buf *out, const char *p, size_t len)
{
    bool begun = false, space = false;
    for (size_t i = 0; i < len; i++) {
        if (p[i] == ' ' || p[i] == '\t') {
            space = begun;
            continue;
        }
        if (space)
            buf_putc(out, ' ');
        buf_putc(out, p[i]);
        begun = true;
        space = false;
    }
}

static int compare_headers(const void *a, const void *b)
{
    return strcmp((*(const struct sigv4_header *const *)a)->name, (*(const struct sigv4_header *const *)b)->name);
}

static size_t sort_headers(const struct sigv4_request *r, const struct sigv4_header *sorted[SIGV4_HEADERS_MAX])
{
    for (size_t i = 0; i < r->header_count; i++)
        sorted[i] = &r->headers[i];
    qsort(sorted, r->header_count, sizeof(sorted[0]), compare_headers);
    return r->header_count;
}

static void put_signed_names(struct buf *out, const struct sigv4_header *const *sorted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%s", i ? ";" : "", sorted[i]->name);
}

static void put_canonical_request(struct buf *out, struct buf *scratch, const struct sigv4_request *r,
                                  const struct sigv4_header *const *sorted, size_t count)
{
    buf_printf(out, "%s\n", r->method);
    put_path(out, r);
    put_query(out, scratch, r);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s:", sorted[i]->name);
        put_header_value(out, sorted[i]->value, sorted[i]->value_len);
        buf_putc(out, '\n');
    }
    buf_putc(out, '\n');
    put_signed_names(out, sorted, count);
    buf_printf(out, "\n%s", r->body_hash);
}

/* --- signature --- */

static void hmac(const uint8_t *key, size_t key_len, const char *text, size_t len, uint8_t out[SHA256_DIGEST_SIZE])
{
    struct hmac_sha256_ctx ctx;
    hmac_sha256_set_key(&ctx, key_len, key);
    hmac_sha256_update(&ctx, len, (const uint8_t *)text);
    hmac_sha256_digest(&ctx, SHA256_DIGEST_SIZE, out);
    explicit_bzero(&ctx, sizeof(ctx));
}

static int sign(const struct sigv4_request *r, const struct buf *text, char signature[SIGV4_HASH_SIZE], struct err *e)
{
    uint8_t key[SHA256_DIGEST_SIZE];
    size_t secret_len = strlen(r->secret);
    char *first = malloc(secret_len + 4);
    if (!first)
        return err_set(e, ERR_MEMORY, "not enough memory to sign a request");
    memcpy(first, "AWS4", 4);
    memcpy(first + 4, r->secret, secret_len);
    hmac((const uint8_t *)first, secret_len + 4, r->time, DATE_CHARS, key);
    hmac(key, sizeof(key), r->region, strlen(r->region), key);
    hmac(key, sizeof(key), r->service, strlen(r->service), key);
    hmac(key, sizeof(key), "aws4_request", 12, key);
    hmac(key, sizeof(key), text->p, text->len, key);
    put_hex(key, sizeof(key), signature);
    explicit_bzero(key, sizeof(key));
    explicit_bzero(first, secret_len + 4);
    free(first);
    return 0;
}

int sigv4_authorize(const struct sigv4_request *r, struct buf *out, struct err *e)
{
    const struct sigv4_header *sorted[SIGV4_HEADERS_MAX];
    struct buf text, scratch;
    char hash[SIGV4_HASH_SIZE], signature[SIGV4_HASH_SIZE];
    int rc = -1;
    if (r->header_count > SIGV4_HEADERS_MAX)
        return err_set(e, ERR_LIMIT, "a request with more than %d headers cannot be signed", SIGV4_HEADERS_MAX);
    buf_init(&text, TEXT_MAX);
    buf_init(&scratch, TEXT_MAX);
    size_t count = sort_headers(r, sorted);
    put_canonical_request(&text, &scratch, r, sorted, count);
    if (text.failed || scratch.failed)
        goto out;
    sigv4_hash(text.p, text.len, hash);
    buf_reset(&text);
    buf_printf(&text, ALGORITHM "\n%s\n%.*s/%s/%s/aws4_request\n%s", r->time, DATE_CHARS, r->time, r->region,
               r->service, hash);
    if (text.failed || sign(r, &text, signature, e) < 0)
        goto out;
    buf_printf(out, ALGORITHM " Credential=%s/%.*s/%s/%s/aws4_request, SignedHeaders=", r->key_id, DATE_CHARS, r->time,
               r->region, r->service);
    put_signed_names(out, sorted, count);
    buf_printf(out, ", Signature=%s", signature);
    rc = 0;
out:
    buf_clear(&text);
    buf_clear(&scratch);
    return rc < 0 || out->failed ? err_set(e, ERR_MEMORY, "not enough memory to sign a request") : 0;
}
