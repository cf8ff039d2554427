/* SPDX-License-Identifier: Apache-2.0 */
/* Seals identities as the broker's plugin does, for tests/integration/test_identity.py.
 *
 *     identity_sealer KEYFILE
 *
 * Each line of standard input holds six fields between tabs: client id, principal, source address, trace id, topic, payload. The seal of each is
 * a line of standard output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/mqtt/identity_seal.h"

#define FIELDS 6

static int fail(const char *why)
{
    fprintf(stderr, "identity_sealer: %s\n", why);
    return 1;
}

static struct sealer *open_sealer(const char *path)
{
    struct identity_key key;
    struct err e = { 0 };
    struct sealer *s = identity_key_read(&key, path, &e) == 0 ? sealer_new(&key, &e) : NULL;
    if (!s)
        fail(e.text);
    return s;
}

/* False: there are not enough fields. */
static bool split(char *line, char *fields[FIELDS])
{
    line[strcspn(line, "\n")] = '\0';
    for (size_t i = 0; i < FIELDS; i++) {
        fields[i] = strsep(&line, "\t");
        if (!fields[i])
            return false;
    }
    return true;
}

static struct identity_text text_of(const char *s)
{
    return (struct identity_text) { .p = s, .len = strlen(s) };
}

static int seal_line(struct sealer *s, char *line)
{
    char *f[FIELDS];
    if (!split(line, f))
        return fail("a line has not six fields");
    const struct identity who = {
        .client_id = text_of(f[0]), .principal = text_of(f[1]), .source_ip = text_of(f[2]), .trace_id = text_of(f[3])
    };
    const struct identity_bound bound = {
        .topic = f[4], .topic_len = strlen(f[4]), .payload = f[5], .payload_len = strlen(f[5])
    };
    char *out = malloc(identity_sealed_len(&who) + 1);
    int rc = out ? sealer_seal(s, &who, &bound, out) : -1;
    if (rc == 0)
        puts(out);
    free(out);
    return rc < 0 || fflush(stdout) != 0 ? fail("could not seal") : 0;
}

int main(int argc, char **argv)
{
    struct sealer *s = argc == 2 ? open_sealer(argv[1]) : NULL;
    char *line = NULL;
    size_t cap = 0;
    int rc = s ? 0 : fail("usage: identity_sealer KEYFILE");
    while (rc == 0 && getline(&line, &cap, stdin) > 0)
        rc = seal_line(s, line);
    free(line);
    sealer_free(s);
    return rc;
}
