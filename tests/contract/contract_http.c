/* SPDX-License-Identifier: Apache-2.0 */
/* The contract against the server that SLUICE_TEST_HTTP names; tests/integration/test_http_action.py starts one and
 * runs this. */
#include <stdio.h>
#include <stdlib.h>

#include "actions/actions_int.h"
#include "tests/contract/contract.h"
#include "tests/contract/http_numbers.h"

static const char *const bad_targets[] = {
    "url: [a]",
    "url: 127.0.0.1",
    "url: ftp://h",
    "url: http://user:password@h",
    "url: http://h/?key=1",
    "url: http://h/../x",
    "auth: { bearer: { token: t } }\nheaders: { authorization: x }",
    "timeout: soon",
    "maxConnections: 0",
    "responseLimit: 0",
    "caFile: /no/such/file",
    "keyFile: /etc/passwd",
    "httpVersion: 3",
    "auth: basic",
    "auth: { digest: { user: u, password: p } }",
    "auth: { basic: { user: u } }",
    "auth: { basic: { user: 'a:b', password: p } }",
    "auth: { bearer: {} }",
    "auth: { bearer: { token: \"a\\nb\" } }",
    "auth: { sigv4: { serviceName: lambda } }",
    "auth: { bearer: { token: a }, basic: { user: u, password: p } }",
    "credentials: { accessKeyId: a }",
    "credentials: { accessKeyId: a, secretAccessKey: b, profile: c }",
    "headers: a",
    "headers: { x: [a] }",
    "headers: [{ key: x, value: \"a\\r\\nb\" }]",
    "followRedirects: sometimes",
    "hedaers: {}",
    NULL,
};

static const char *const bad_actions[] = {
    "{}",
    "url: [a]",
    "url: ''",
    "url: /path",
    "url: gopher://h/",
    "url: http://",
    "url: http://h:0/",
    "url: http://h:65536/",
    "url: http://h:80x/",
    "url: http://[::1/",
    "url: http://user@h/",
    "url: 'http://h/a b'",
    "url: http://h/\xc3\xa9",
    "url: http://h/%2",
    "url: http://h/a/../b",
    "url: 'http://h/#x'",
    "url: 'http://h/${}'",
    "url: http://h/\nmethod: TRACE",
    "url: http://h/\nconfirmationUrl: [a]",
    "url: http://h/\nheaders: x",
    "url: http://h/\nheaders: [x]",
    "url: http://h/\nheaders: [{ key: x }]",
    "url: http://h/\nheaders: [{ key: 'a b', value: c }]",
    "url: http://h/\nheaders: [{ key: '${v}', value: c }]",
    "url: http://h/\nheaders: [{ key: Content-Length, value: '1' }]",
    "url: http://h/\nheaders: [{ key: Host, value: other }]",
    "url: http://h/\nheaders: [{ key: x, value: \"a\\nb\" }]",
    "url: http://h/\nheaders: [{ key: x, value: \"a\\x01b\" }]",
    "url: http://h/\nheaders: [{ key: x, value: '${}' }]",
    "url: http://h/\nauth: { basic: { user: u, password: p } }",
    "url: http://h/\nauth: { bearer: { token: t } }",
    "url: http://h/\nauth: { sigv4: { signingRegion: r } }",
    "url: http://h/\nauth: { sigv4: { serviceName: s, signingRegion: r } }", /* there are no credentials */
    "url: http://h/\nenableBatching: maybe",
    "url: http://h/\nbatchConfig: { maxBatchSize: 1 }",
    "url: http://h/\nbatchConfig: { maxBatchOpenMs: 1 }",
    "url: http://h/\nbatchConfig: { size: 1 }",
    "url: http://h/\nenableBatching: true\nmethod: GET",
    "ulr: http://h/",
    NULL,
};

int main(void)
{
    const char *server = getenv("SLUICE_TEST_HTTP");
    if (!server) {
        fprintf(stderr, "SLUICE_TEST_HTTP: the url of a server to test with\n");
        return 77;
    }
    char action[300], other[300], resource[300];
    unsetenv("AWS_ACCESS_KEY_ID");
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
    snprintf(action, sizeof(action), "url: '%s/${v}'", server);
    snprintf(other, sizeof(other), "url: '%s/good'\nmethod: PUT\nheaders: [{ key: x-v, value: '${v}' }]", server);
    snprintf(resource, sizeof(resource), "%s/good", server);
    const struct contract contract = {
        .type = &act_http,
        .bad_targets = bad_targets,
        .action = action,
        .other_action = other,
        .bad_actions = bad_actions,
        .resource = resource,
        .good_v = "good",
        .bad_v = "bad",
        .begin = http_numbers_forget,
        .end = http_numbers_forget,
        .read_back = http_numbers_read,
    };
    http_numbers_open(server);
    int failed = contract_run(&contract);
    http_numbers_close();
    return failed;
}
