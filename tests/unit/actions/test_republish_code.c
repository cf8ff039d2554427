/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actions/republish_code.h"

/* Every code that a PUBACK may carry (MQTT 5 section 3.4.2.1), and others that brokers send. */
static const struct {
    uint8_t code;
    enum republish_verdict verdict;
} cases[] = {
    { 0x00, REPUBLISH_DONE },                                        /* success */
    { 0x10, REPUBLISH_DONE },                                        /* no matching subscribers */
    { 0x80, REPUBLISH_REJECTED },                                    /* unspecified error */
    { 0x83, REPUBLISH_REJECTED },                                    /* implementation specific error */
    { 0x87, REPUBLISH_MISCONFIGURED }, { 0x90, REPUBLISH_REJECTED }, /* topic name invalid */
    { 0x91, REPUBLISH_LATER },                                       /* packet identifier in use */
    { 0x97, REPUBLISH_LATER },                                       /* quota exceeded */
    { 0x99, REPUBLISH_REJECTED },                                    /* payload format invalid */
    { 0x88, REPUBLISH_LATER },                                       /* server unavailable */
    { 0x89, REPUBLISH_LATER },                                       /* server busy */
    { 0x8B, REPUBLISH_LATER },                                       /* server shutting down */
    { 0x93, REPUBLISH_LATER },                                       /* receive maximum exceeded */
    { 0x95, REPUBLISH_REJECTED },                                    /* packet too large */
    { 0x96, REPUBLISH_LATER },                                       /* message rate too high */
    { 0x9A, REPUBLISH_REJECTED },                                    /* retain not supported */
    { 0x9B, REPUBLISH_REJECTED },                                    /* QoS not supported */
    { 0x01, REPUBLISH_DONE },          { 0x7F, REPUBLISH_DONE },
    { 0xA2, REPUBLISH_REJECTED },      { 0xFF, REPUBLISH_REJECTED }, /* no reason that we know */
};

static void every_code_has_its_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (republish_verdict_of(cases[i].code) != cases[i].verdict)
            fail_msg("0x%02X", cases[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_code_has_its_verdict) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
