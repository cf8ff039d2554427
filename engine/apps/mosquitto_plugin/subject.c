/* SPDX-License-Identifier: Apache-2.0 */
/* One allocation holds the subject and its texts. */
#include "engine/apps/mosquitto_plugin/subject.h"

#include <stdlib.h>
#include <string.h>

#include "engine/apps/mosquitto_plugin/certificate.h"
#include "engine/mqtt/certificate_vars.h"

static size_t room(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static struct policy_text put(char **at, const char *text)
{
    if (!text)
        return (struct policy_text) { 0 };
    size_t len = strlen(text);
    struct policy_text copy = { memcpy(*at, text, len + 1), len };
    *at += len + 1;
    return copy;
}

static struct policy_text put_bytes(char **at, const char *bytes, size_t len)
{
    struct policy_text copy = { memcpy(*at, bytes, len), len };
    *at += len;
    return copy;
}

static size_t vars_room(const struct certificate_vars *v)
{
    size_t bytes = v->count * sizeof(struct policy_value);
    for (size_t i = 0; i < v->count; i++)
        bytes += strlen(v->items[i].name) + v->items[i].value_len;
    return bytes;
}

static void put_vars(struct subject *s, char **at, const struct certificate_vars *v)
{
    for (size_t i = 0; i < v->count; i++) {
        const struct certificate_var *from = &v->items[i];
        s->certificate[i].name = put_bytes(at, from->name, strlen(from->name));
        s->certificate[i].value = put_bytes(at, from->value, from->value_len);
    }
    s->certificate_count = v->count;
}

static struct subject *fill(const struct subject_facts *f, const char *principal, const struct certificate_vars *v)
{
    size_t bytes = sizeof(struct subject) + vars_room(v) + room(f->client_id) + room(principal) + room(f->user_name) +
                   room(f->source_ip);
    struct subject *s = malloc(bytes);
    if (!s)
        return NULL;
    s->bytes = bytes;
    s->certificate = (struct policy_value *)(s + 1);
    char *at = (char *)(s->certificate + v->count);
    put_vars(s, &at, v);
    s->client_id = put(&at, f->client_id);
    s->principal = put(&at, principal);
    s->user_name = put(&at, f->user_name);
    s->source_ip = put(&at, f->source_ip);
    return s;
}

struct subject *subject_new(const struct subject_facts *f)
{
    char fingerprint[CERTIFICATE_FINGERPRINT_LEN + 1];
    struct certificate_vars v = { 0 };
    struct subject *s = NULL;
    if (!f->certificate)
        s = fill(f, f->user_name, &v);
    else if (certificate_fingerprint(f->certificate, f->certificate_len, fingerprint) == 0 &&
             certificate_vars_read(&v, f->certificate, f->certificate_len, NULL) == 0)
        s = fill(f, fingerprint, &v);
    certificate_vars_clear(&v);
    return s;
}

void subject_free(struct subject *s)
{
    free(s);
}
