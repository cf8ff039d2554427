/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/pipeline/bare_reader.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES ((size_t)64 << 10)

/* Bytes of the packet at p, head and all; 0: its length is not there yet. *head: of them before the body. */
static size_t packet_size(const uint8_t *p, size_t len, size_t *head)
{
    size_t rest = 0;
    for (size_t i = 1; i < len && i <= 4; i++) {
        rest |= (size_t)(p[i] & 127) << 7 * (i - 1);
        if (p[i] < 128) {
            *head = i + 1;
            return rest + i + 1;
        }
    }
    return 0;
}

static bool acknowledge(int fd, const uint8_t *body)
{
    size_t topic = (size_t)body[0] << 8 | body[1];
    uint8_t ack[4] = { 0x40, 2, body[2 + topic], body[3 + topic] };
    return write(fd, ack, sizeof(ack)) == sizeof(ack);
}

uint64_t bare_reader_run(int fd)
{
    static uint8_t in[2 * READ_BYTES];
    size_t have = 0, head = 0;
    uint64_t count = 0;
    for (;;) {
        ssize_t n = read(fd, in + have, READ_BYTES);
        if (n <= 0)
            return 0;
        have += (size_t)n;
        size_t at = 0, size;
        while ((size = packet_size(in + at, have - at, &head)) > 0 && at + size <= have) {
            count += in[at] >> 4 == 3;
            if ((in[at] & 0xf6) == 0x32)
                return acknowledge(fd, in + at + head) ? count : 0;
            at += size;
        }
        have -= at;
        memmove(in, in + at, have);
    }
}
