/* SPDX-License-Identifier: Apache-2.0 */
/* The contract against the endpoint that SLUICE_TEST_LAMBDA names; tests/integration/test_lambda_action.py starts one
 * and runs this, with credentials in the environment. */
#include <stdio.h>
#include <stdlib.h>

#include "actions/actions_int.h"
#include "tests/contract/contract.h"
#include "tests/contract/http_numbers.h"

static const char *const bad_targets[] = {
    "{}",
    "endpoint: 127.0.0.1:9001",
    "endpoint: mqtt://h",
    "endpoint: http://h/?x=1",
    "endpoint: http://h\ntimeout: soon",
    "endpoint: http://h\ncaFile: /no/such/file",
    "endpoint: http://h\ncredentials: { accessKeyId: a }",
    "endpoint: http://h\ncredentials: { file: /no/such/file }",
    "endpoint: http://h\ncredentials: { file: /dev/null, profile: p }",
    "endpoint: http://h\nregoin: eu-west-1",
    NULL,
};

static const char *const bad_actions[] = {
    "{}",
    "functionArn: [a]",
    "functionArn: ''",
    "functionArn: a/b",
    "functionArn: 'a:'",
    "functionArn: arn:aws:s3:eu-west-1:123456789012:function:f",
    "functionArn: arn:aws:lambda:eu-west-1:function:f",
    "functionArn: '${}'",
    "function: f",
    NULL,
};

int main(void)
{
    const char *server = getenv("SLUICE_TEST_LAMBDA");
    if (!server) {
        fprintf(stderr, "SLUICE_TEST_LAMBDA: the url of a server to test with\n");
        return 77;
    }
    char target[300];
    snprintf(target, sizeof(target), "endpoint: %s", server);
    const struct contract contract = {
        .type = &act_lambda,
        .target = target,
        .bad_targets = bad_targets,
        .action = "functionArn: '${v}'",
        .other_action = "functionArn: arn:aws:lambda:eu-west-1:123456789012:function:good:prod",
        .bad_actions = bad_actions,
        .resource = "good",
        .good_v = "good",
        .bad_v = "no-such-function",
        .begin = http_numbers_forget,
        .end = http_numbers_forget,
        .read_back = http_numbers_read,
    };
    http_numbers_open(server);
    int failed = contract_run(&contract);
    http_numbers_close();
    return failed;
}
