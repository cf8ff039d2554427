/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/log.h"
#include "engine/mqtt/password_file.h"

static char path[] = "/tmp/sluice-passwords-XXXXXX";
static struct err e;

static int setup(void **state)
{
    (void)state;
    strcpy(path + strlen(path) - 6, "XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_file(const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static struct password_file *load(const char *text)
{
    write_file(text);
    e = (struct err) { 0 };
    return password_file_load(path, &e);
}

static bool fits(struct password_file *f, const char *name, const char *password)
{
    return password_file_fits(f, name, strlen(name), password, strlen(password));
}

/* Made by mosquitto_passwd 2.0.11 for the password "secret". */
static void mosquitto_wrote_it(void **state)
{
    (void)state;
    struct password_file *f = load("# users\n\n"
                                   "dev:$7$101$FWrei07Q1jHDiIl4$CO2fePinHUsvULBY6xHg6UYJJyVEiF"
                                   "Mwcif8Q4ilKQDpEQgwwKto6T8ewVh6qKzO4pMxfWzrJfx7njoSHpueOA==\n");
    assert_non_null(f);
    assert_true(fits(f, "dev", "secret"));
    assert_false(fits(f, "dev", "Secret"));
    assert_false(fits(f, "dev", ""));
    assert_false(fits(f, "de", "secret"));
    assert_false(fits(f, "", ""));
    password_file_free(f);
}

static void what_we_make_fits(void **state)
{
    struct buf line;
    (void)state;
    buf_init(&line, 4096);
    e = (struct err) { 0 };
    assert_int_equal(password_file_make(&line, "käthe", "p w\xff", 4, &e), 0);
    buf_putc(&line, '\n');
    assert_int_equal(password_file_make(&line, "b", "x", 1, &e), 0);
    struct password_file *f = load(line.p);
    assert_non_null(f);
    assert_true(fits(f, "käthe", "p w\xff"));
    assert_true(fits(f, "b", "x"));
    assert_false(fits(f, "b", "p w\xff"));
    password_file_free(f);
    buf_clear(&line);
}

static void bad_names(void **state)
{
    static const char *const names[] = { "", "a:b", "#a", "a\nb" };
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct buf line;
        buf_init(&line, 4096);
        e = (struct err) { 0 };
        assert_int_equal(password_file_make(&line, names[i], "x", 1, &e), -1);
        assert_int_equal(line.len, 0);
        buf_clear(&line);
    }
}

static void bad_lines(void **state)
{
    static const char *const lines[] = {
        "name",
        ":$7$101$AAAA$AAAA",
        "name:plain",
        "name:$6$AAAA$AAAA",
        "name:$7$",
        "name:$7$0$AAAA$AAAA",
        "name:$7$999999999$AAAA$AAAA",
        "name:$7$101$$AAAA",
        "name:$7$101$AAAA",
        "name:$7$101$AAAA$AAAA",
        "name:$7$101$?$AAAA",
    };
    char expected[96];
    (void)state;
    snprintf(expected, sizeof(expected), "%s:2: this is not NAME", path);
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        char text[256];
        snprintf(text, sizeof(text), "# first\n%s\n", lines[i]);
        assert_null(load(text));
        assert_int_equal(e.code, ERR_CONF_VALUE);
        assert_int_equal(strncmp(e.text, expected, strlen(expected)), 0);
        assert_non_null(strstr(e.hint, "sluice passwd"));
    }
}

static void no_file(void **state)
{
    (void)state;
    e = (struct err) { 0 };
    assert_null(password_file_load("/nowhere/at/all", &e));
    assert_int_equal(e.code, ERR_IO);
}

/* What the file says counts, whatever was done to it since, and as long as it says anything. */
static void a_change_is_followed(void **state)
{
    struct buf one, two;
    (void)state;
    log_setup(STDERR_FILENO, LOG_LEVEL_DISABLED, LOG_FORM_PERSON);
    buf_init(&one, 4096);
    buf_init(&two, 4096);
    assert_int_equal(password_file_make(&one, "a", "x", 1, &e), 0);
    assert_int_equal(password_file_make(&two, "bb", "y", 1, &e), 0);
    buf_putc(&one, '\0');
    buf_putc(&two, '\0');
    struct password_file *f = load(one.p);
    assert_non_null(f);
    assert_true(fits(f, "a", "x"));
    write_file(two.p);
    assert_false(fits(f, "a", "x"));
    assert_true(fits(f, "bb", "y"));
    write_file("ccc:$7$"); /* is being written */
    assert_true(fits(f, "bb", "y"));
    assert_true(fits(f, "bb", "y"));
    write_file(one.p);
    assert_true(fits(f, "a", "x"));
    assert_int_equal(unlink(path), 0);
    assert_true(fits(f, "a", "x"));
    write_file(two.p);
    assert_true(fits(f, "bb", "y"));
    write_file("");
    assert_false(fits(f, "bb", "y"));
    password_file_free(f);
    buf_clear(&one);
    buf_clear(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(mosquitto_wrote_it, setup, teardown),
        cmocka_unit_test_setup_teardown(what_we_make_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(a_change_is_followed, setup, teardown),
        cmocka_unit_test(bad_names),
        cmocka_unit_test_setup_teardown(bad_lines, setup, teardown),
        cmocka_unit_test(no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
