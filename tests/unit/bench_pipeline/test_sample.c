/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "bench/pipeline/sample.h"

/* The remaining length and how many bytes it takes. */
static size_t length_of(const struct sample_frame *f, size_t *bytes)
{
    size_t n = 0, len = 0;
    do
        len |= (size_t)((uint8_t)f->bytes[1 + n] & 0x7f) << (7 * n);
    while ((uint8_t)f->bytes[1 + n++] & 0x80);
    *bytes = n;
    return len;
}

static void check_frame(enum sample_kind kind, unsigned qos, const char *topic, const char *payload)
{
    struct sample_frame f;
    size_t n, topic_len = strlen(topic);
    sample_frame_init(&f, kind, "t4g", qos);
    sample_frame_number(&f, 12345, 0x1234);
    assert_int_equal(f.bytes[0], 0x30 | qos << 1);
    assert_int_equal(length_of(&f, &n) + 1 + n, f.len);
    const char *at = f.bytes + 1 + n;
    assert_int_equal((uint8_t)at[0] << 8 | (uint8_t)at[1], topic_len);
    assert_memory_equal(at + 2, topic, topic_len);
    at += 2 + topic_len;
    if (qos) {
        assert_memory_equal(at, "\x12\x34", 2);
        at += 2;
    }
    assert_ptr_equal(at, f.bytes + f.payload);
    assert_int_equal(f.payload_len, strlen(payload));
    assert_memory_equal(at, payload, f.payload_len);
}

#define OUTPUT "{\"device\":\"press-0045\",\"seq\":1000012345,\"temperature\":81.5"

static void test_frames(void **state)
{
    (void)state;
    static const char in[] =
        OUTPUT ",\"humidity\":40.25,\"ok\":true,\"line\":\"north-3\",\"ts\":1760000000000,\"rev\":\"a9f3\"}";
    for (unsigned qos = 0; qos < 2; qos++) {
        check_frame(SAMPLE_IN, qos, "sluice-bench/t4g/in/0045/telemetry", in);
        check_frame(SAMPLE_OUT, qos, "sluice-bench/t4g/out/0045", OUTPUT "}");
    }
}

static void test_output(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1000);
    sample_output(&out, 12345);
    assert_string_equal(out.p, OUTPUT "}");
    assert_int_equal(sample_number(out.p, out.len), 12345);
    buf_clear(&out);
}

static void test_texts_that_are_none_of_ours(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "{}", "\"seq\":", "\"seq\":100000000", "\"seq\":10000000x0", "\"seq\":0999999999"
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(sample_number(texts[i], strlen(texts[i])), -1);
    assert_int_equal(sample_number("\"seq\":1000000001", 15), -1);
    assert_int_equal(sample_number("\"seq\":1000000001", 16), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_texts_that_are_none_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
