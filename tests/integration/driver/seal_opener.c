/* SPDX-License-Identifier: Apache-2.0 */
/* Opens what the broker plugin sealed, for tests/integration/test_plugin.py.
 *
 * usage: seal_opener KEY_FILE. Each line of standard input: topic, payload and sealed text in hexadecimal ("-": empty), and "repeat" or "new".
 * Answers with a line each: "opened CLIENT PRINCIPAL ADDRESS TRACE" in hexadecimal ("-": unknown), "forged" or "replayed". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/buf.h"
#include "engine/mqtt/identity_seal.h"

static int digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void from_hex(struct buf *out, const char *hex)
{
    buf_init(out, (size_t)1 << 24);
    buf_put(out, "", 0);
    for (size_t i = 0; hex[0] != '-' && hex[i] && hex[i + 1]; i += 2)
        buf_putc(out, (char)(digit(hex[i]) << 4 | digit(hex[i + 1])));
}

static void print_hex(struct identity_text t)
{
    fputs(t.len ? " " : " -", stdout);
    for (size_t i = 0; i < t.len; i++)
        printf("%02x", (unsigned char)t.p[i]);
}

static void answer(struct opener *o, char *const words[4])
{
    struct buf topic, payload, sealed;
    from_hex(&topic, words[0]);
    from_hex(&payload, words[1]);
    from_hex(&sealed, words[2]);
    struct identity_bound b = { topic.p, topic.len, payload.p, payload.len };
    struct identity who;
    enum seal_result r = opener_open(o, sealed.p, sealed.len, &b, strcmp(words[3], "repeat") == 0, 0, &who);
    fputs(r == SEAL_OPENED ? "opened" : r == SEAL_FORGED ? "forged" : "replayed", stdout);
    if (r == SEAL_OPENED) {
        print_hex(who.client_id);
        print_hex(who.principal);
        print_hex(who.source_ip);
        print_hex(who.trace_id);
    }
    putchar('\n');
    fflush(stdout);
    buf_clear(&topic);
    buf_clear(&payload);
    buf_clear(&sealed);
}

int main(int argc, char **argv)
{
    struct identity_key key;
    struct err e = { 0 };
    if (argc != 2 || identity_key_read(&key, argv[1], &e) < 0) {
        fprintf(stderr, "seal_opener: %s\n", argc == 2 ? e.text : "usage: seal_opener KEY_FILE");
        return 2;
    }
    struct opener *o = opener_new(&key, 1, &e);
    char *line = NULL;
    size_t cap = 0;
    while (o && getline(&line, &cap, stdin) > 0) {
        char *words[4], *save = NULL;
        for (int i = 0; i < 4; i++)
            words[i] = strtok_r(i ? NULL : line, " \n", &save);
        if (!words[3])
            return 2;
        answer(o, words);
    }
    free(line);
    opener_free(o);
    return o ? 0 : 2;
}
