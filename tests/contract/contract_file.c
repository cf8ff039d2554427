/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actions/actions_int.h"
#include "tests/contract/contract.h"

static char folder[] = "/tmp/sluice-contract-XXXXXX";

static void begin(void)
{
    unlink("good.ndjson");
}

static size_t read_back(int *numbers, size_t max)
{
    FILE *f = fopen("good.ndjson", "r");
    size_t n = 0;
    while (f && n < max && fscanf(f, " {\"n\":%d}", &numbers[n]) == 1)
        n++;
    if (f)
        fclose(f);
    return n;
}

static const char *const bad_actions[] = {
    "{}",
    "path: [a]",
    "path: ''",
    "path: folder/",
    "path: a\nrotateSize: many",
    "path: a\nkeep: 0",
    "path: a\nsync: always",
    "path: a\npaht: b",
    "path: '${}'",
    NULL,
};

static const struct contract contract = {
    .type = &act_file,
    .action = "path: '${v}.ndjson'",
    .other_action = "path: good.ndjson\nsync: batch",
    .bad_actions = bad_actions,
    .resource = "good.ndjson",
    .good_v = "good",
    .bad_v = "../bad",
    .begin = begin,
    .end = begin,
    .read_back = read_back,
};

int main(void)
{
    if (!mkdtemp(folder) || chdir(folder) < 0)
        return 1;
    int failed = contract_run(&contract);
    return rmdir(folder) < 0 ? 1 : failed;
}
