/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <regex.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/log.h"

static int pipe_fds[2];
static char output[1 << 16];

static int open_pipe(void **state)
{
    (void)state;
    return pipe(pipe_fds);
}

static int close_pipe(void **state)
{
    (void)state;
    log_setup(STDERR_FILENO, LOG_LEVEL_INFO, LOG_FORM_AUTO);
    close(pipe_fds[0]);
    return close(pipe_fds[1]);
}

/* What was logged since the last call. */
static const char *logged(void)
{
    static const char end[] = "\x01";
    assert_int_equal(write(pipe_fds[1], end, 1), 1);
    size_t len = 0;
    do {
        ssize_t n = read(pipe_fds[0], output + len, sizeof(output) - len - 1);
        assert_true(n > 0);
        len += (size_t)n;
    } while (output[len - 1] != end[0]);
    output[len - 1] = '\0';
    return output;
}

static void assert_matches(const char *pattern)
{
    regex_t re;
    const char *text = logged();
    assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
    int rc = regexec(&re, text, 0, NULL, 0);
    regfree(&re);
    if (rc != 0)
        fail_msg("%s does not match %s", text, pattern);
}

static void a_line_for_a_person(void **state)
{
    (void)state;
    log_setup(pipe_fds[1], LOG_LEVEL_INFO, LOG_FORM_PERSON);
    log_event(LOG_LEVEL_WARN,
              (const char *[]) { "source", "mqtt", "gone", NULL, "reason", "Connection refused", "empty", "", NULL },
              "broker %s is not reachable, trying again in %d s", "127.0.0.1:1883", 2);
    assert_matches("^[0-9]{2}:[0-9]{2}:[0-9]{2} WARN  broker 127\\.0\\.0\\.1:1883 is not reachable, trying again in 2 s"
                   "  source=mqtt reason=\"Connection refused\" empty=\"\"\n$");
    log_info("plain");
    assert_matches("^[0-9:]{8} INFO  plain\n$");
    log_error("bad");
    assert_matches("^[0-9:]{8} ERROR bad\n$");
}

static void a_line_of_json(void **state)
{
    (void)state;
    log_setup(pipe_fds[1], LOG_LEVEL_DEBUG, LOG_FORM_JSON);
    log_event(LOG_LEVEL_DEBUG, (const char *[]) { "rule", "a\"b", "gone", NULL, "path", "c\\d", NULL }, "tab\there %d",
              1);
    assert_matches(
        "^\\{\"timestamp\":\"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}\","
        "\"logLevel\":\"DEBUG\",\"message\":\"tab\\\\there 1\",\"rule\":\"a\\\\\"b\",\"path\":\"c\\\\\\\\d\"\\}\n$");
}

static void auto_is_json_on_a_pipe(void **state)
{
    (void)state;
    log_setup(pipe_fds[1], LOG_LEVEL_INFO, LOG_FORM_AUTO);
    log_info("x");
    assert_matches("^\\{.*\"message\":\"x\"\\}\n$");
}

static void levels_are_kept(void **state)
{
    (void)state;
    log_setup(pipe_fds[1], LOG_LEVEL_WARN, LOG_FORM_JSON);
    log_debug("no");
    log_info("no");
    assert_string_equal(logged(), "");
    log_warn("yes");
    assert_matches("yes");
    assert_true(log_is_on(LOG_LEVEL_ERROR));
    assert_false(log_is_on(LOG_LEVEL_INFO));
    log_setup(pipe_fds[1], LOG_LEVEL_DISABLED, LOG_FORM_JSON);
    log_error("no");
    log_event(LOG_LEVEL_DISABLED, NULL, "no");
    assert_string_equal(logged(), "");
}

static void reads_level_names(void **state)
{
    (void)state;
    enum log_level level = LOG_LEVEL_INFO;
    assert_true(log_level_parse("Debug", &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_true(log_level_parse("DISABLED", &level));
    assert_int_equal(level, LOG_LEVEL_DISABLED);
    assert_false(log_level_parse("loud", &level));
    assert_false(log_level_parse("", &level));
    assert_int_equal(level, LOG_LEVEL_DISABLED);
}

static void one_line_whatever_the_text(void **state)
{
    (void)state;
    const char *fields[] = { "name", "x\ny=\x1b[0m\xff", NULL };
    log_setup(pipe_fds[1], LOG_LEVEL_INFO, LOG_FORM_PERSON);
    log_event(LOG_LEVEL_INFO, fields, "%s", "two\nlines\r\x1b[1m\xc3");
    assert_matches("^[^\n]* two lines  \\[1m\xef\xbf\xbd  name=\"x\\\\ny=\\\\u001b\\[0m\xef\xbf\xbd\"\n$");
    log_setup(pipe_fds[1], LOG_LEVEL_INFO, LOG_FORM_JSON);
    log_event(LOG_LEVEL_INFO, fields, "%s", "two\nlines\xff");
    assert_matches("^[^\n]*\"two\\\\nlines\xef\xbf\xbd\",\"name\":\"x\\\\ny=[^\n]*\n$");
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    static char big[20001];
    for (size_t i = 0; i + 2 < sizeof(big); i += 2)
        memcpy(big + i, "\xc3\xa4", 3);
    log_setup(pipe_fds[1], LOG_LEVEL_INFO, LOG_FORM_JSON);
    log_event(LOG_LEVEL_INFO, (const char *[]) { "x", big + 2, "y", big, NULL }, "a%s", big);
    const char *line = logged();
    assert_in_range(strlen(line), 3 * 4096, 3 * 4096 + 200);
    assert_non_null(strstr(line, "\xc3\xa4\xe2\x80\xa6\",\"x\":\"")); /* cut at a character */
    assert_null(strstr(line, "\xef\xbf\xbd"));
    assert_string_equal(line + strlen(line) - 2, "}\n");
}

static void too_many_fields_lose_only_the_fields(void **state)
{
    (void)state;
    static char big[4000];
    memset(big, '\x01', sizeof(big) - 1); /* six bytes each in JSON */
    const char *fields[61] = { NULL };
    for (size_t i = 0; i < 60; i += 2) {
        fields[i] = "field";
        fields[i + 1] = big;
    }
    log_setup(pipe_fds[1], LOG_LEVEL_INFO, LOG_FORM_JSON);
    log_event(LOG_LEVEL_INFO, fields, "still here");
    assert_matches("\"message\":\"still here\"\\}\n$");
}

static void errors_come_with_their_place(void **state)
{
    (void)state;
    struct src *src = src_new("r.yaml", "a\nbcd", 5);
    struct err e = { 0 };
    err_set_at(&e, ERR_SQL_NAME, (struct span) { src, 3, 1 }, "unknown %s", "c");
    err_hint(&e, "See d.");
    log_setup(pipe_fds[1], LOG_LEVEL_INFO, LOG_FORM_PERSON);
    log_err(LOG_LEVEL_ERROR, (const char *[]) { "rule", "r", NULL }, &e, true);
    assert_matches(" ERROR unknown c  rule=r code=sql_name at=r.yaml:2:2 hint=\"See d\\.\"\n$");
    log_setup(pipe_fds[1], LOG_LEVEL_INFO, LOG_FORM_JSON);
    log_err(LOG_LEVEL_ERROR, NULL, &e, true);
    assert_matches(
        "\"at\":\"r.yaml:2:2\",\"hint\":\"See d\\.\",\"shown\":\"r.yaml:2:2: error: unknown c.n  2 . bcd.n ");
    log_setup(pipe_fds[1], LOG_LEVEL_INFO, LOG_FORM_PERSON);
    e.at.src = NULL;
    e.hint[0] = '\0';
    log_err(LOG_LEVEL_ERROR, NULL, &e, true);
    assert_matches(" ERROR unknown c  code=sql_name\n$");
    src_unref(src);
}

enum { THREADS = 4, LINES = 50 };

static void *log_lines(void *arg)
{
    for (int i = 0; i < LINES; i++)
        log_event(LOG_LEVEL_INFO, (const char *[]) { "thread", arg, NULL }, "0123456789012345678901234567890123456789");
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    log_setup(pipe_fds[1], LOG_LEVEL_INFO, LOG_FORM_JSON);
    pthread_t threads[THREADS];
    static const char *const names[THREADS] = { "a", "b", "c", "d" };
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_lines, (void *)names[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    size_t lines = 0;
    for (const char *s = logged(); *s; lines++) {
        size_t len = strcspn(s, "\n");
        assert_memory_equal(s, "{\"timestamp\":", 13);
        assert_memory_equal(s + len - 2, "\"}", 2);
        assert_int_equal(len, strcspn(output, "\n"));
        s += len + 1;
    }
    assert_int_equal(lines, THREADS * LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_for_a_person),
        cmocka_unit_test(a_line_of_json),
        cmocka_unit_test(auto_is_json_on_a_pipe),
        cmocka_unit_test(levels_are_kept),
        cmocka_unit_test(reads_level_names),
        cmocka_unit_test(one_line_whatever_the_text),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(too_many_fields_lose_only_the_fields),
        cmocka_unit_test(errors_come_with_their_place),
        cmocka_unit_test(lines_of_threads_do_not_mix),
    };
    return cmocka_run_group_tests_name("log", tests, open_pipe, close_pipe);
}
