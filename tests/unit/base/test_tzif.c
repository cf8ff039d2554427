/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/base/civil.h"
#include "engine/base/tzif.h"

/* --- a file made by hand --- */

struct file {
    unsigned char bytes[4096];
    size_t len;
};

static void put(struct file *f, const void *p, size_t len)
{
    memcpy(f->bytes + f->len, p, len);
    f->len += len;
}

static void put_int(struct file *f, int64_t v, size_t width)
{
    for (size_t i = width; i > 0; i--)
        f->bytes[f->len++] = (unsigned char)(i > 8 ? 0 : (uint64_t)v >> (8 * (i - 1)));
}

struct block {
    char version; /* '\0', '2', '3' */
    int leaps, times, types;
    const int64_t *at;
    const unsigned char *type_of;
    const int32_t *offsets;
    const unsigned char *is_dst, *index;
    const char *chars;
    int char_count;
};

static void put_block(struct file *f, const struct block *b, size_t width)
{
    put(f, "TZif", 4);
    put(f, &b->version, 1);
    put(f, (char[15]) { 0 }, 15);
    const int counts[] = { 0, 0, b->leaps, b->times, b->types, b->char_count };
    for (int i = 0; i < 6; i++)
        put_int(f, counts[i], 4);
    for (int i = 0; i < b->times; i++)
        put_int(f, b->at[i], width);
    if (b->times)
        put(f, b->type_of, (size_t)b->times);
    for (int i = 0; i < b->types; i++) {
        put_int(f, b->offsets[i], 4);
        put(f, &b->is_dst[i], 1);
        put(f, &b->index[i], 1);
    }
    put(f, b->chars, (size_t)b->char_count);
    for (int i = 0; i < b->leaps; i++)
        put_int(f, 0, width + 4);
}

static const int64_t two_times[] = { 100, 1000000 };
static const unsigned char two_types_of[] = { 1, 0 };
static const int32_t two_offsets[] = { 3600, 7200 };
static const unsigned char two_dst[] = { 0, 1 };
static const unsigned char two_index[] = { 0, 4 };
static const char two_chars[] = "CET\0CEST";

/* Standard time, from 100 on daylight saving time, from 1,000,000 on standard time. */
static struct block two(char version)
{
    return (struct block) { version, 0, 2, 2, two_times, two_types_of, two_offsets, two_dst, two_index, two_chars, 9 };
}

static struct file file_of(const struct block *b, const char *footer)
{
    struct file f = { .len = 0 };
    put_block(&f, b, 4);
    if (b->version) {
        put_block(&f, b, 8);
        put(&f, footer, strlen(footer));
    }
    return f;
}

/* Parses a copy of exactly that size, so that reading behind its end is seen. */
static bool parse(struct tz_zone *zone, const void *bytes, size_t len, struct arena *a)
{
    void *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    bool ok = tzif_parse(zone, copy, len, a);
    free(copy);
    return ok;
}

static int setup(void **state)
{
    static struct arena arena;
    arena_init(&arena, (size_t)1 << 20);
    *state = &arena;
    return 0;
}

static int teardown(void **state)
{
    arena_clear(*state);
    return 0;
}

static void assert_type(const struct tz_type *type, int32_t offset_s, bool is_dst, const char *abbreviation)
{
    assert_int_equal(type->offset_s, offset_s);
    assert_int_equal(type->is_dst, is_dst);
    assert_string_equal(type->abbreviation, abbreviation);
}

/* --- reading --- */

static void reads_version_1(void **state)
{
    struct block b = two('\0');
    struct file f = file_of(&b, "");
    struct tz_zone zone;
    assert_true(parse(&zone, f.bytes, f.len, *state));
    assert_type(tz_zone_at(&zone, 99), 3600, false, "CET");
    assert_type(tz_zone_at(&zone, 100), 7200, true, "CEST");
    assert_type(tz_zone_at(&zone, 999999), 7200, true, "CEST");
    assert_type(tz_zone_at(&zone, 1000000), 3600, false, "CET");
    assert_type(tz_zone_at(&zone, INT64_C(1) << 40), 3600, false, "CET");
    assert_type(tz_zone_at(&zone, INT64_MIN / 2), 3600, false, "CET");
}

static void reads_the_second_block(void **state)
{
    static const int64_t far[] = { -(INT64_C(1) << 40), INT64_C(1) << 40 };
    for (char version = '2'; version <= '4'; version++) {
        struct block first = two(version), second = first;
        struct file f = { .len = 0 };
        struct tz_zone zone;
        first.times = 0;
        second.at = far;
        put_block(&f, &first, 4);
        put_block(&f, &second, 8);
        put(&f, "\n\n", 2);
        assert_true(parse(&zone, f.bytes, f.len, *state));
        assert_type(tz_zone_at(&zone, 0), 7200, true, "CEST");
        assert_type(tz_zone_at(&zone, far[0] - 1), 3600, false, "CET");
        assert_type(tz_zone_at(&zone, far[1]), 3600, false, "CET");
    }
}

static void refuses_what_is_cut_off(void **state)
{
    for (int version = 0; version < 4; version++) {
        struct block b = two(version ? (char)('0' + version) : '\0');
        struct file f = file_of(&b, "\nCET-1CEST,M3.5.0,M10.5.0/3\n");
        struct tz_zone zone;
        if (version == 1)
            continue;
        for (size_t len = 0; len < f.len; len++)
            assert_false(parse(&zone, f.bytes, len, *state));
        assert_true(parse(&zone, f.bytes, f.len, *state));
    }
}

static void assert_refused(struct block b, const char *footer, struct arena *a)
{
    struct file f = file_of(&b, footer);
    struct tz_zone zone;
    assert_false(parse(&zone, f.bytes, f.len, a));
}

static void refuses_what_is_inconsistent(void **state)
{
    static const int64_t falling[] = { 1000, 100 }, same[] = { 100, 100 }, early[] = { -(INT64_C(1) << 60), 0 };
    static const unsigned char unknown_type[] = { 1, 2 }, bad_dst[] = { 0, 2 }, bad_index[] = { 0, 9 };
    static const int32_t large[] = { 3600, 26 * 3600 };
    static const int64_t *const times[] = { falling, same };
    struct block b = two('2');
    for (int i = 0; i < 2; i++) {
        b = two('2');
        b.at = times[i];
        assert_refused(b, "\n\n", *state);
    }
    b = two('2'), b.at = early, assert_refused(b, "\n\n", *state);
    b = two('2'), b.type_of = unknown_type, assert_refused(b, "\n\n", *state);
    b = two('2'), b.is_dst = bad_dst, assert_refused(b, "\n\n", *state);
    b = two('2'), b.index = bad_index, assert_refused(b, "\n\n", *state);
    b = two('2'), b.offsets = large, assert_refused(b, "\n\n", *state);
    b = two('2'), b.char_count = 8, assert_refused(b, "\n\n", *state); /* no NUL behind the last */
    b = two('2'), b.types = 0, assert_refused(b, "\n\n", *state);
    b = two('2'), b.leaps = 1, assert_refused(b, "\n\n", *state);
    b = two('5'), assert_refused(b, "\n\n", *state);
    b = two('1'), assert_refused(b, "\n\n", *state);
    b = two('2'), assert_refused(b, "\nCET-1CEST\n", *state);
    b = two('2'), assert_refused(b, "CET-1\n", *state);
}

static void refuses_large_counts(void **state)
{
    struct block b = two('2');
    struct tz_zone zone;
    for (size_t count = 20; count < 44; count += 4) {
        struct file f = file_of(&b, "\n\n");
        memset(f.bytes + count, 0xff, 4);
        assert_false(parse(&zone, f.bytes, f.len, *state));
        memset(f.bytes + count, 0x7f, 4);
        assert_false(parse(&zone, f.bytes, f.len, *state));
    }
    static unsigned char big[TZIF_MAX_BYTES + 1];
    struct file f = file_of(&b, "\n\n");
    memcpy(big, f.bytes, f.len);
    assert_true(tzif_parse(&zone, big, TZIF_MAX_BYTES, *state));
    assert_false(tzif_parse(&zone, big, TZIF_MAX_BYTES + 1, *state));
}

static void stops_when_the_arena_is_full(void **state)
{
    (void)state;
    struct block b = two('2');
    struct file f = file_of(&b, "\n\n");
    for (size_t max = 0; max < 64; max += 8) {
        struct arena a;
        struct tz_zone zone;
        arena_init(&a, max);
        assert_false(parse(&zone, f.bytes, f.len, &a));
        arena_clear(&a);
    }
}

/* --- local times --- */

static void finds_local_times(void **state)
{
    struct block b = two('2');
    struct file f = file_of(&b, "\n\n");
    struct tz_zone zone;
    assert_true(parse(&zone, f.bytes, f.len, *state));
    /* from 100 on clocks went from 3700 to 7300 */
    assert_type(tz_zone_at_local(&zone, 3699), 3600, false, "CET");
    assert_type(tz_zone_at_local(&zone, 3700), 3600, false, "CET");
    assert_type(tz_zone_at_local(&zone, 7299), 3600, false, "CET");
    assert_type(tz_zone_at_local(&zone, 7300), 7200, true, "CEST");
    /* at 1,000,000 from 1,007,200 back to 1,003,600 */
    assert_type(tz_zone_at_local(&zone, 1003599), 7200, true, "CEST");
    assert_type(tz_zone_at_local(&zone, 1003600), 7200, true, "CEST");
    assert_type(tz_zone_at_local(&zone, 1007199), 7200, true, "CEST");
    assert_type(tz_zone_at_local(&zone, 1007200), 3600, false, "CET");
}

static int64_t at(int64_t year, int month, int day, int hour)
{
    return civil_days(year, month, day) * CIVIL_DAY_SECONDS + hour * 3600;
}

static void follows_the_footer(void **state)
{
    struct block b = two('2');
    struct file f = file_of(&b, "\nCET-1CEST,M3.5.0,M10.5.0/3\n");
    struct tz_zone zone;
    assert_true(parse(&zone, f.bytes, f.len, *state));
    assert_type(tz_zone_at(&zone, 1000000), 3600, false, "CET");
    assert_type(tz_zone_at(&zone, at(1970, 7, 1, 0)), 7200, true, "CEST");
    assert_type(tz_zone_at(&zone, at(2500, 3, 28, 0)), 3600, false, "CET");
    assert_type(tz_zone_at(&zone, at(2500, 3, 28, 1)), 7200, true, "CEST");
    assert_type(tz_zone_at(&zone, at(2500, 10, 31, 0)), 7200, true, "CEST");
    assert_type(tz_zone_at(&zone, at(2500, 10, 31, 1)), 3600, false, "CET");
    assert_type(tz_zone_at_local(&zone, at(2500, 3, 28, 2)), 3600, false, "CET");
    assert_type(tz_zone_at_local(&zone, at(2500, 3, 28, 3)), 7200, true, "CEST");
    assert_type(tz_zone_at_local(&zone, at(2500, 10, 31, 2)), 7200, true, "CEST");
    assert_type(tz_zone_at_local(&zone, at(2500, 10, 31, 3)), 3600, false, "CET");
    assert_type(tz_zone_at(&zone, at(CIVIL_YEAR_MAX, 12, 31, 23)), 3600, false, "CET");
    assert_type(tz_zone_at(&zone, at(CIVIL_YEAR_MIN, 1, 1, 0)), 3600, false, "CET");
}

static struct tz_rule rule_of(const char *text)
{
    struct tz_rule rule;
    assert_true(tz_rule_parse(&rule, text, strlen(text)));
    return rule;
}

static void assert_changes(const char *text, int64_t year, int64_t first, int64_t second)
{
    struct tz_rule rule = rule_of(text);
    struct tz_transition changes[2];
    tz_rule_transitions(&rule, year, changes);
    assert_int_equal(changes[0].at_s, first);
    assert_int_equal(changes[1].at_s, second);
}

static void reads_rules(void **state)
{
    (void)state;
    struct tz_rule rule = rule_of("<-03>3");
    assert_type(&rule.standard, -10800, false, "-03");
    assert_false(rule.has_daylight);
    rule = rule_of("<+0330>-3:30:15");
    assert_type(&rule.standard, 12615, false, "+0330");
    assert_changes("EST5EDT,M3.2.0,M11.1.0", 2024, at(2024, 3, 10, 7), at(2024, 11, 3, 6));
    assert_changes("NZST-12NZDT,M9.5.0,M4.1.0/3", 2024, at(2024, 4, 6, 14), at(2024, 9, 28, 14));
    assert_changes("IST-1GMT0,M10.5.0,M3.5.0/1", 2024, at(2024, 3, 31, 1), at(2024, 10, 27, 1));
    assert_changes("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 2024, at(2024, 3, 31, 1), at(2024, 10, 27, 1));
    assert_changes("LHST-10:30LHDT-11,M10.1.0,M4.1.0", 2024, at(2024, 4, 6, 15), at(2024, 10, 5, 15) + 1800);
}

static void reads_days_of_the_year(void **state)
{
    (void)state;
    assert_changes("AAA0BBB,J60/0,J365/0", 2024, at(2024, 3, 1, 0), at(2024, 12, 30, 23));
    assert_changes("AAA0BBB,J60/0,J365/0", 2023, at(2023, 3, 1, 0), at(2023, 12, 30, 23));
    assert_changes("AAA0BBB,59/0,364/0", 2024, at(2024, 2, 29, 0), at(2024, 12, 29, 23));
    assert_changes("AAA0BBB,0/0,365/167", 2024, at(2024, 1, 1, 0), at(2024, 12, 31, 166));
}

static void refuses_bad_rules(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "E",
        "ES5",
        "EST",
        "EST+",
        "EST26",
        "<-03",
        "<->3",
        "EST5EDT",
        "EST5EDT,",
        "EST5EDT,M3",
        "EST5EDT,M3.2.0",
        "EST5EDT,M13.2.0,M11.1.0",
        "EST5EDT,M3.6.0,M11.1.0",
        "EST5EDT,M3.2.7,M11.1.0",
        "EST5EDT,J0,J5",
        "EST5EDT,J366,J5",
        "EST5EDT,366,5",
        "EST5EDT,M3.2.0/168,M11.1.0",
        "EST5EDT,M3.2.0,M11.1.0 ",
        "EST5:60",
        "EST5:00:60",
        "ABCDEFGHIJKLMNOP5",
        "EST5EDT,M3.2.0,M11.1.0,",
    };
    struct tz_rule rule;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *copy = strdup(bad[i]);
        assert_non_null(copy);
        if (tz_rule_parse(&rule, copy, strlen(copy)))
            fail_msg("accepted: %s", bad[i]);
        free(copy);
    }
}

/* Daylight saving time all year: each year's end is the next one's beginning. */
static void knows_endless_summers(void **state)
{
    struct block b = two('3');
    struct file f = file_of(&b, "\nXXX3EDT4,0/0,J365/23\n");
    struct tz_zone zone;
    assert_true(parse(&zone, f.bytes, f.len, *state));
    for (int month = 1; month <= 12; month++)
        assert_type(tz_zone_at(&zone, at(2030, month, 1, 0)), -14400, true, "EDT");
    assert_type(tz_zone_at(&zone, at(2030, 1, 1, 3)), -14400, true, "EDT");
    assert_type(tz_zone_at(&zone, at(2030, 12, 31, 23)), -14400, true, "EDT");
    assert_type(tz_zone_at_local(&zone, at(2030, 1, 1, 0)), -14400, true, "EDT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_version_1, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_the_second_block, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_inconsistent, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_large_counts, setup, teardown),
        cmocka_unit_test(stops_when_the_arena_is_full),
        cmocka_unit_test_setup_teardown(finds_local_times, setup, teardown),
        cmocka_unit_test_setup_teardown(follows_the_footer, setup, teardown),
        cmocka_unit_test(reads_rules),
        cmocka_unit_test(reads_days_of_the_year),
        cmocka_unit_test(refuses_bad_rules),
        cmocka_unit_test_setup_teardown(knows_endless_summers, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
