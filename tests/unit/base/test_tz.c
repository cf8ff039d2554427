/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/civil.h"
#include "engine/base/tz.h"

static const struct tz_zone *zone_of(const struct tz_zones *zones, const char *name)
{
    const struct tz_named *found = tz_zones_find(zones, name, strlen(name));
    return found ? found->zone : NULL;
}

static void reads_the_system(void **state)
{
    (void)state;
    size_t count;
    const struct tz_zones *zones = tz_zones_system();
    assert_non_null(zones);
    assert_ptr_equal(zones, tz_zones_system());
    const struct tz_named *all = tz_zones_all(zones, &count);
    assert_true(count > 400);
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || strcmp(all[i - 1].name, all[i].name) < 0);
        assert_true(tz_name_is_valid(all[i].name, strlen(all[i].name)));
        assert_ptr_equal(tz_zones_find(zones, all[i].name, strlen(all[i].name)), &all[i]);
        assert_true(strncmp(all[i].name, "posix", 5) != 0 && strncmp(all[i].name, "right", 5) != 0);
    }
    assert_non_null(zone_of(zones, "America/Argentina/Buenos_Aires"));
    assert_null(zone_of(zones, "America"));
    assert_null(zone_of(zones, "america/new_york"));
}

static void assert_longest(const struct tz_zones *zones, const char *text, const char *expected)
{
    const struct tz_named *found = tz_zones_longest(zones, text, strlen(text));
    assert_true((found != NULL) == (expected != NULL));
    if (found)
        assert_string_equal(found->name, expected);
}

static void finds_the_longest_name(void **state)
{
    (void)state;
    const struct tz_zones *zones = tz_zones_system();
    assert_longest(zones, "Europe/Paris", "Europe/Paris");
    assert_longest(zones, "Europe/Paris]", "Europe/Paris");
    assert_longest(zones, "Europe/ParisX", "Europe/Paris");
    assert_longest(zones, "EST5EDT6", "EST5EDT");
    assert_longest(zones, "EST5EDU", "EST");
    assert_longest(zones, "Etc/GMT+13", "Etc/GMT+1");
    assert_longest(zones, "Etc/GMT+99", "Etc/GMT+9");
    assert_longest(zones, "Etc/GMT+A", "Etc/GMT");
    assert_longest(zones, "Europe/", NULL);
    assert_longest(zones, "europe/Paris", NULL);
    assert_longest(zones, "", NULL);
    assert_longest(zones, " UTC", NULL);
    assert_longest(zones, "zzz", NULL);
    assert_longest(zones, "A", NULL);
}

static void checks_names(void **state)
{
    (void)state;
    static const char *const good[] = { "UTC", "Europe/Paris", "Etc/GMT+1", "America/Port-au-Prince", "a/b/c", "X9" };
    static const char *const bad[] = { "",  "/", "/etc", "../UTC", "a/../b", "a//b", "a/",
                                       ".", "9", "a b",  "a\n",    "a.b",    "-a" };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(tz_name_is_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(tz_name_is_valid(bad[i], strlen(bad[i])));
    char text[TZ_NAME_MAX + 1];
    memset(text, 'a', sizeof(text));
    assert_true(tz_name_is_valid(text, TZ_NAME_MAX));
    assert_false(tz_name_is_valid(text, TZ_NAME_MAX + 1));
    assert_null(tz_zones_find(tz_zones_system(), "U\0C", 3));
}

/* The C library reads the same files: at every point of the grid both must show the same clock. */
static void agrees_with_the_c_library(void **state)
{
    (void)state;
    size_t count;
    const struct tz_named *all = tz_zones_all(tz_zones_system(), &count);
    for (size_t i = 0; i < count; i++) {
        char variable[TZ_NAME_MAX + 2];
        snprintf(variable, sizeof(variable), ":%s", all[i].name);
        assert_int_equal(setenv("TZ", variable, 1), 0);
        tzset();
        for (int64_t t = -INT64_C(3000000000); t < INT64_C(9000000000); t += 8640123) {
            struct tm tm;
            time_t seconds = (time_t)t;
            assert_non_null(localtime_r(&seconds, &tm));
            const struct tz_type *type = tz_zone_at(all[i].zone, t);
            if (type->offset_s != tm.tm_gmtoff || strcmp(type->abbreviation, tm.tm_zone) != 0)
                fail_msg("%s at %lld: %d %s, the C library has %ld %s", all[i].name, (long long)t, type->offset_s,
                         type->abbreviation, tm.tm_gmtoff, tm.tm_zone);
        }
    }
    unsetenv("TZ");
    tzset();
}

static void write_file(const char *folder, const char *name, const void *bytes, size_t len)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    fclose(f);
}

static void make_link(const char *folder, const char *to, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(symlink(to, path), 0);
}

/* A folder with good, bad and strange files. */
static void passes_over_what_is_no_zone(void **state)
{
    (void)state;
    static const unsigned char file[] = "TZif\0"
                                        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                        "\0\0\0\0"
                                        "\0\0\0\0"
                                        "\0\0\0\0"
                                        "\0\0\0\0"
                                        "\0\0\0\1"
                                        "\0\0\0\4"
                                        "\0\0\x0e\x10\0\0"
                                        "AAA";
    char folder[] = "/tmp/sluice-tz-XXXXXX", command[64], below[64];
    assert_non_null(mkdtemp(folder));
    snprintf(below, sizeof(below), "%s/Area", folder);
    assert_int_equal(mkdir(below, 0700), 0);
    write_file(folder, "Good", file, sizeof(file));
    write_file(below, "Place", file, sizeof(file));
    write_file(folder, "zone.tab", file, sizeof(file));
    write_file(folder, "posixrules", file, sizeof(file));
    write_file(folder, "Cut", file, sizeof(file) - 1);
    write_file(folder, "Empty", file, 0);
    write_file(folder, "9", file, sizeof(file));
    make_link(folder, "Area/Place", "Linked");
    make_link(folder, "nothing", "Dangling");
    make_link(folder, ".", "Loop");
    struct tz_zones *zones = tz_zones_load(folder);
    assert_non_null(zones);
    size_t count;
    const struct tz_named *all = tz_zones_all(zones, &count);
    assert_int_equal(tz_zone_at(zone_of(zones, "Good"), 0)->offset_s, 3600);
    assert_ptr_equal(zone_of(zones, "Area/Place"), zone_of(zones, "Linked"));
    assert_int_equal(tz_zone_at(zone_of(zones, "UTC"), 0)->offset_s, 0);
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i].name, "Good") != 0 && strcmp(all[i].name, "Area/Place") != 0 &&
            strcmp(all[i].name, "Linked") != 0 && strcmp(all[i].name, "UTC") != 0)
            fail_msg("%s is no zone", all[i].name);
    tz_zones_free(zones);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void has_utc_without_a_folder(void **state)
{
    (void)state;
    struct tz_zones *zones = tz_zones_load("/nowhere/at/all");
    size_t count;
    assert_non_null(zones);
    tz_zones_all(zones, &count);
    assert_int_equal(count, 1);
    assert_string_equal(tz_zone_at(zone_of(zones, "UTC"), 0)->abbreviation, "UTC");
    tz_zones_free(zones);
    tz_zones_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_system),
        cmocka_unit_test(finds_the_longest_name),
        cmocka_unit_test(checks_names),
        cmocka_unit_test(agrees_with_the_c_library),
        cmocka_unit_test(passes_over_what_is_no_zone),
        cmocka_unit_test(has_utc_without_a_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
