/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/http/http_url.h"

static void parts(void **state)
{
    (void)state;
    static const struct {
        const char *url, *origin, *host, *path, *query;
        unsigned port;
        bool is_tls;
    } cases[] = {
        { "http://h", "http://h", "h", "", "", 80, false },
        { "HTTPS://Host.example:8443/a/b?c=d&e", "HTTPS://Host.example:8443", "Host.example:8443", "/a/b", "c=d&e",
          8443, true },
        { "https://[2001:db8::1]/", "https://[2001:db8::1]", "[2001:db8::1]", "/", "", 443, true },
        { "http://[::1]:80?x", "http://[::1]:80", "[::1]:80", "", "x", 80, false },
        { "http://a_b-c.d/...?../?", "http://a_b-c.d", "a_b-c.d", "/...", "../?", 80, false },
        { "http://h/%2f%2E.x/~!$&'()*+,;=:@", "http://h", "h", "/%2f%2E.x/~!$&'()*+,;=:@", "", 80, false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_url u;
        struct err e = { 0 };
        if (http_url_split(&u, cases[i].url, strlen(cases[i].url), &e) < 0)
            fail_msg("%s: %s", cases[i].url, e.text);
        assert_int_equal(u.port, cases[i].port);
        assert_int_equal(u.is_tls, cases[i].is_tls);
        const struct {
            const char *p, *expected;
            size_t len;
        } texts[] = { { u.origin, cases[i].origin, u.origin_len },
                      { u.host, cases[i].host, u.host_len },
                      { u.path, cases[i].path, u.path_len },
                      { u.query, cases[i].query, u.query_len } };
        for (size_t k = 0; k < 4; k++) {
            if (texts[k].len != strlen(texts[k].expected) || memcmp(texts[k].p, texts[k].expected, texts[k].len) != 0)
                fail_msg("%s: \"%.*s\", not \"%s\"", cases[i].url, (int)texts[k].len, texts[k].p, texts[k].expected);
        }
    }
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *url, *why;
    } cases[] = {
        { "", "does not begin" },
        { "h", "does not begin" },
        { "ftp://h/", "does not begin" },
        { "file:///etc/passwd", "does not begin" },
        { "http:/h", "does not begin" },
        { " http://h", "does not begin" },
        { "http://", "has no host" },
        { "http:///path", "has no host" },
        { "http://?q", "has no host" },
        { "http://:80/", "has a wrong host" },
        { "http://u@h/", "user name" },
        { "http://u:p@h/", "user name" },
        { "http://h:/", "wrong port" },
        { "http://h:0/", "wrong port" },
        { "http://h:65536/", "wrong port" },
        { "http://h:99999999999999999999/", "wrong port" },
        { "http://h:8o/", "wrong port" },
        { "http://h\\evil/", "in its host" },
        { "http://h%41/", "in its host" },
        { "http://h i/", "in its host" },
        { "http://[::1/", "wrong host" },
        { "http://[]/", "wrong host" },
        { "http://[::1]x/", "in its host" },
        { "http://h/a b", "percent-encoded" },
        { "http://h/a\nb", "percent-encoded" },
        { "http://h/a\"b", "percent-encoded" },
        { "http://h/{a}", "percent-encoded" },
        { "http://h/\xc3\xbc", "percent-encoded" },
        { "http://h/\x7f", "percent-encoded" },
        { "http://h/a?b c", "percent-encoded" },
        { "http://h/#x", "\"#\"" },
        { "http://h#x", "\"#\"" },
        { "http://h/%", "hexadecimal" },
        { "http://h/%4", "hexadecimal" },
        { "http://h/%4g", "hexadecimal" },
        { "http://h/.", "segment" },
        { "http://h/a/..", "segment" },
        { "http://h/../a", "segment" },
        { "http://h/a/./b", "segment" },
        { "http://h/a/%2e%2E/b", "segment" },
        { "http://h/.%2e?x", "segment" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_url u;
        struct err e = { 0 };
        if (http_url_split(&u, cases[i].url, strlen(cases[i].url), &e) == 0)
            fail_msg("accepted: %s", cases[i].url);
        assert_int_equal(e.code, ERR_TEMPLATE);
        if (!strstr(e.text, cases[i].why))
            fail_msg("%s: %s", cases[i].url, e.text);
    }
}

static void nul_and_length(void **state)
{
    (void)state;
    struct http_url u;
    char text[HTTP_URL_MAX + 2];
    memset(text, 'a', sizeof(text));
    memcpy(text, "http://h/", 9);
    assert_int_equal(http_url_split(&u, text, HTTP_URL_MAX, NULL), 0);
    assert_int_equal(http_url_split(&u, text, HTTP_URL_MAX + 1, NULL), -1);
    text[20] = '\0';
    assert_int_equal(http_url_split(&u, text, 30, NULL), -1);
    memcpy(text, "http://h\0x", 10);
    assert_int_equal(http_url_split(&u, text, 10, NULL), -1);
}

static void who_chooses_the_host(void **state)
{
    (void)state;
    static const char *const fixed[] = { "http://h/", "https://h:1/a", "http://h?", "http://h/x" };
    static const char *const open[] = { "", "http", "http://", "http://h", "https://h:1", "https://h.example" };
    for (size_t i = 0; i < 4; i++)
        assert_true(http_url_fixes_host(fixed[i], strlen(fixed[i])));
    for (size_t i = 0; i < 6; i++)
        assert_false(http_url_fixes_host(open[i], strlen(open[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts),
        cmocka_unit_test(refused),
        cmocka_unit_test(nul_and_length),
        cmocka_unit_test(who_chooses_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
