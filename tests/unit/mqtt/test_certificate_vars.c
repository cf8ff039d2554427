/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/base/base64.h"
#include "engine/mqtt/certificate_vars.h"
#include "tests/unit/lamp_certificate.h"

static void lamp(struct buf *der)
{
    buf_init(der, 4096);
    assert_true(base64_decode(der, lamp_certificate_base64, strlen(lamp_certificate_base64)));
}

static void test_every_name(void **state)
{
    (void)state;
    static const char *const expected[][2] = {
        { "SerialNumber", "0ABCDEF012" },
        { "Subject.CommonName", "lamp1" },
        { "Subject.Organization", "Lampen & S\xc3\xb6hne" },
        { "Subject.OrganizationalUnit", "north" },
        { "Subject.OrganizationalUnit", "south" },
        { "Subject.Country", "DE" },
        { "Subject.State", "Niedersachsen" },
        { "Subject.SerialNumber", "4711" },
        { "Subject.DistinguishedNameQualifier", "q" },
        { "Subject.Title", "Dr" },
        { "Subject.Surname", "Licht" },
        { "Subject.GivenName", "Anna" },
        { "Subject.Initials", "AL" },
        { "Subject.Pseudonym", "glow" },
        { "Subject.GenerationQualifier", "III" },
        { "Subject.AlternativeName.RFC822Name", "lamp@example.com" },
        { "Subject.AlternativeName.DNSName", "lamp.example.com" },
        { "Subject.AlternativeName.DNSName", "other.example.com" },
        { "Subject.AlternativeName.UniformResourceIdentifier", "urn:lamp:1" },
        { "Subject.AlternativeName.IPAddress", "192.0.2.7" },
        { "Subject.AlternativeName.IPAddress", "2001:db8::1" },
        { "Subject.AlternativeName.DirectoryName", "CN=inside,C=DE" },
        { "Issuer.CommonName", "lamp1" },
    };
    struct buf der;
    struct certificate_vars v;
    lamp(&der);
    assert_int_equal(certificate_vars_read(&v, (const unsigned char *)der.p, der.len, NULL), 0);
    assert_int_equal(v.count, 22 + 14);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_string_equal(v.items[i].name, expected[i][0]);
        assert_string_equal(v.items[i].value, expected[i][1]);
        assert_int_equal(v.items[i].value_len, strlen(expected[i][1]));
    }
    certificate_vars_clear(&v);
    buf_clear(&der);
}

/* Whatever bytes: an error or values, no crash. */
static void test_rubbish(void **state)
{
    (void)state;
    struct buf der;
    lamp(&der);
    unsigned read = 0;
    for (size_t i = 0; i < der.len; i++) {
        struct certificate_vars v;
        struct err e = { 0 };
        der.p[i] ^= 0x55;
        if (certificate_vars_read(&v, (const unsigned char *)der.p, der.len, &e) == 0)
            read++;
        else
            assert_int_equal(e.code, ERR_REFUSED);
        certificate_vars_clear(&v);
        der.p[i] ^= 0x55;
        assert_int_equal(certificate_vars_read(&v, (const unsigned char *)der.p, i, NULL), -1);
        certificate_vars_clear(&v);
    }
    assert_true(read > 100); /* of a changed letter it cannot know */
    buf_clear(&der);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_name),
        cmocka_unit_test(test_rubbish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
