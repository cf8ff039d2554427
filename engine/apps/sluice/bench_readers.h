/* SPDX-License-Identifier: Apache-2.0 */
/* Other JSON readers that `sluice bench eval` is held against, in the same run. Defined in bench/readers.cpp, or empty in a build without
 * SLUICE_BENCH (bench/no_readers.c): packages of sluice do not depend on them. */
#ifndef SLUICE_APP_BENCH_READERS_H
#define SLUICE_APP_BENCH_READERS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_reader {
    const char *name; /* "jansson" */
    /* Read a text of len bytes, `count` times. Returns a number that depends on what was read (so that nothing is optimised away), 0 on failure.
     * `text` has BENCH_PADDING readable bytes behind it. */
    size_t (*read)(const char *text, size_t len, size_t count);
};
#define BENCH_PADDING 64

extern const struct bench_reader bench_readers[]; /* ends with a NULL name */

#ifdef __cplusplus
}
#endif
#endif
