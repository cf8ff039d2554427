/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions of the rule language: compiled once per machine and pattern, matched within bounds.
 *
 * The flavour is what Java and PCRE have in common (spec 3.2): \uXXXX is understood as in Java; what means something
 * else in the two, or only exists in PCRE as a directive, is refused: verbs `(*…)`, a brace that counts nothing, and
 * `&&` or `[` inside a class.
 * Time is bounded by the limits below, whatever the text: a search that meets one has no answer. */
#ifndef SLUICE_SQL_REGEXP_H
#define SLUICE_SQL_REGEXP_H

#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SQL_REGEXP_CACHE        512     /* patterns that a machine keeps compiled */
#define SQL_REGEXP_MAX_BYTES    8192    /* of a pattern */
#define SQL_REGEXP_SHORT_BYTES  8192    /* texts up to this are first searched without counting the work */
#define SQL_REGEXP_PLACE_CALLS  10      /* calls of PCRE2's internal match() in such a search, from each place … */
#define SQL_REGEXP_SHARED_CALLS 1000    /* … and shared out among its places */
#define SQL_REGEXP_UNCOUNTED    2000000 /* what such searches may have taken in an evaluation before no more are made */
#define SQL_REGEXP_WORK_LIMIT   1000000 /* steps through a pattern while work is counted, in one call of a function */
#define SQL_REGEXP_WORK_BYTES   16      /* of the text that a step passes over count as another one */
#define SQL_REGEXP_DEPTH_LIMIT  100000  /* of backtracking */
#define SQL_REGEXP_HEAP_KIB     16384   /* of memory for backtracking, without JIT */
#define SQL_REGEXP_STACK_BYTES  1048576 /* of the same, with JIT */

struct sql_regexps;

struct sql_regexps *sql_regexps_new(void); /* owned; NULL: memory */
void sql_regexps_free(struct sql_regexps *c);

/* An evaluation begins, with the whole of SQL_REGEXP_UNCOUNTED. */
void sql_regexps_start(struct sql_regexps *c);
/* What the searches took since the last call of this, in steps of some ten nanoseconds. */
uint64_t sql_regexps_took(struct sql_regexps *c);

enum sql_regexp_answer {
    SQL_REGEXP_NONE, /* no answer: the pattern is invalid, or a limit was met */
    SQL_REGEXP_NO,
    SQL_REGEXP_YES,
};

/* Does s contain a match of the pattern? Takes heap memory only when the pattern is not in the cache. */
enum sql_regexp_answer sql_regexps_search(struct sql_regexps *c, const char *pattern, size_t pattern_len, const char *s,
                                          size_t len);

/* The same in steps, for who wants to know where: begin, then find as often as wanted, each time from an offset. s is
 * borrowed until the last find, and what is said of groups holds until the next begin. False: no answer. */
bool sql_regexps_begin(struct sql_regexps *c, const char *pattern, size_t pattern_len, const char *s,
                       size_t len) MUST_CHECK;
/* The first match that begins at `from` or behind; `from` is the begin of a character or the text's end. */
enum sql_regexp_answer sql_regexps_find(struct sql_regexps *c, size_t from);

/* A part of s. A group that took no part in the match is empty, at 0. */
struct sql_regexp_part {
    size_t begin, end;
};
/* The match that was found (group 0), or one of its groups. */
struct sql_regexp_part sql_regexps_group(const struct sql_regexps *c, uint32_t group);
uint32_t sql_regexps_group_count(const struct sql_regexps *c); /* without group 0 */
/* Number of a named group, or 0 if the pattern has none of that name. */
uint32_t sql_regexps_group_named(const struct sql_regexps *c, const char *name, size_t len);

#endif
