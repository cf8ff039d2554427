/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/mqtt/mqtt_client.h"
#include "engine/mqtt/mqtt_probe.h"

/* A socket bound to a free port of the loopback interface. */
static int bind_loopback(uint16_t *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static void a_listener_is_reached(void **state)
{
    (void)state;
    char why[100] = "";
    uint16_t port;
    int fd = bind_loopback(&port);
    assert_int_equal(listen(fd, 1), 0);
    assert_true(mqtt_probe("127.0.0.1", port, 1000, why, sizeof(why)));
    assert_string_equal(why, "");
    close(fd);
}

static void the_reason_is_the_systems(void **state)
{
    (void)state;
    char why[100] = "";
    uint16_t port;
    int fd = bind_loopback(&port); /* taken, but nobody listens */
    assert_false(mqtt_probe("127.0.0.1", port, 1000, why, sizeof(why)));
    assert_string_equal(why, "Connection refused");
    assert_false(mqtt_probe("127.0.0.1", port, 1000, why, 8));
    assert_string_equal(why, "Connect");
    close(fd);
}

static void tls_reasons(void **state)
{
    (void)state;
    static const struct {
        const char *line, *reason;
    } cases[] = {
        { "40A7F2:error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify "
          "failed:../ssl/s.c:1889:\n",
          "certificate verify failed" },
        { "00:error:80000002:system library:f:No such file or directory:bio.c:67:calling fopen\n",
          "No such file or directory" },
        { "00:error:0A000086:SSL routines:f::x.c:1:\n", "00:error:0A000086:SSL routines:f::x.c:1:" },
        { "something else\n", "something else" },
        { "a:b:c:d:e:cut off", "a:b:c:d:e:cut off" },
        { "", "" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[200];
        mqtt_tls_reason(cases[i].line, strlen(cases[i].line), out, sizeof(out));
        assert_string_equal(out, cases[i].reason);
    }
    char small[5];
    mqtt_tls_reason(cases[0].line, strlen(cases[0].line), small, sizeof(small));
    assert_string_equal(small, "cert");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_is_reached),
        cmocka_unit_test(the_reason_is_the_systems),
        cmocka_unit_test(tls_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
