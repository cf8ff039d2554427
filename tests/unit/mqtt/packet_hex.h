/* SPDX-License-Identifier: Apache-2.0 */
/* Packets in tests: bytes written as hexadecimal digits with blanks, 'text' in single quotes. */
#ifndef SLUICE_TESTS_PACKET_HEX_H
#define SLUICE_TESTS_PACKET_HEX_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/mqtt/packet.h"

/* "30 05 'ab'" → the bytes, in a block of exactly their size, so that reading behind the end is seen. Returns owned. */
static inline char *hex_bytes(const char *hex, size_t *len)
{
    char *bytes = malloc(strlen(hex) + 1);
    size_t n = 0;
    for (const char *s = hex; *s;) {
        if (*s == ' ') {
            s++;
        } else if (*s == '\'') {
            for (s++; *s != '\''; s++)
                bytes[n++] = *s;
            s++;
        } else {
            const char digits[3] = { s[0], s[1], 0 };
            bytes[n++] = (char)strtoul(digits, NULL, 16);
            s += 2;
        }
    }
    *len = n;
    char *exact = malloc(n ? n : 1);
    memcpy(exact, bytes, n);
    free(bytes);
    return exact;
}

static inline int text_is(struct packet_text t, const char *expected)
{
    return t.len == strlen(expected) && memcmp(t.p, expected, t.len) == 0;
}

#endif
