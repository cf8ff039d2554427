/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": the edit distance in which a swap of neighbours counts once (optimal string alignment; Boytsov,
 * "Indexing methods for approximate dictionary searching", 2011, section 2.1), ASCII case ignored. */
#include "engine/base/err.h"

#include <string.h>

#define WORD_MAX 64 /* longer words are not compared */

static unsigned lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned)(c - 'A' + 'a') : (unsigned char)c;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Three rows of the table are enough: the current one and the two above. Lengths at most WORD_MAX. */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned rows[3][WORD_MAX + 1];
    unsigned *above2 = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_len; j++)
        above[j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned change = lower(a[i - 1]) != lower(b[j - 1]);
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + change);
            bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
            if (swapped)
                row[j] = least(row[j], above2[j - 2] + 1);
        }
        unsigned *oldest = above2;
        above2 = above;
        above = row;
        row = oldest;
    }
    return above[b_len];
}

const char *nearest_word(const char *given, size_t len, const char *const *words, size_t count)
{
    const char *best = NULL;
    unsigned best_distance = WORD_MAX;
    for (size_t i = 0; i < count && len <= WORD_MAX; i++) {
        size_t word_len = strlen(words[i]), longer = word_len > len ? word_len : len;
        if (longer > WORD_MAX)
            continue;
        unsigned d = distance(given, len, words[i], word_len);
        if (d <= longer / 3 && d < best_distance) {
            best = words[i];
            best_distance = d;
        }
    }
    return best;
}
