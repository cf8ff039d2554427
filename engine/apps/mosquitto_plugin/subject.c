/* SPDX-License-Identifier: Apache-2.0 */
/* One allocation holds the subject and its texts. */
#include "engine/apps/mosquitto_plugin/subject.h"

#include <stdlib.h>
#include <string.h>

#include "engine/apps/mosquitto_plugin/certificate.h"

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

struct subject *subject_new(const struct subject_facts *f)
{
    char fingerprint[CERTIFICATE_FINGERPRINT_LEN + 1];
    const char *principal = f->certificate ? fingerprint : f->user_name;
    if (f->certificate && certificate_fingerprint(f->certificate, f->certificate_len, fingerprint) < 0)
        return NULL;
    size_t bytes =
        sizeof(struct subject) + room(f->client_id) + room(principal) + room(f->user_name) + room(f->source_ip);
    struct subject *s = malloc(bytes);
    if (!s)
        return NULL;
    char *at = (char *)(s + 1);
    s->bytes = bytes;
    s->client_id = put(&at, f->client_id);
    s->principal = put(&at, principal);
    s->user_name = put(&at, f->user_name);
    s->source_ip = put(&at, f->source_ip);
    return s;
}

void subject_free(struct subject *s)
{
    free(s);
}
