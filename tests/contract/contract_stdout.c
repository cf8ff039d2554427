/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actions/actions_int.h"
#include "tests/contract/contract.h"

static int saved = -1;
static FILE *output;

/* While a test runs, standard output is a file. */
static void begin(void)
{
    fflush(stdout);
    output = tmpfile();
    saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
    if (!output || saved < 0 || dup2(fileno(output), STDOUT_FILENO) < 0)
        abort();
}

static void end(void)
{
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    fclose(output);
}

static size_t read_back(int *numbers, size_t max)
{
    size_t n = 0;
    rewind(output);
    while (n < max && fscanf(output, " {\"n\":%d}", &numbers[n]) == 1)
        n++;
    return n;
}

static const char *const bad_actions[] = { "path: x", "[a]", NULL };

static const struct contract contract = {
    .type = &act_stdout,
    .action = "{}",
    .other_action = "{}",
    .bad_actions = bad_actions,
    .resource = "stdout",
    .good_v = "",
    .begin = begin,
    .end = end,
    .read_back = read_back,
};

int main(void)
{
    return contract_run(&contract);
}
