/* SPDX-License-Identifier: Apache-2.0 */
/* A folder with a file of policies, for tests. */
#ifndef SLUICE_TESTS_POLICY_FOLDER_H
#define SLUICE_TESTS_POLICY_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct policy_folder {
    char folder[32], file[48], other[48];
};

/* Policies of one statement's list, attached to all client ids; "engine" of anna is trusted. */
#define POLICIES(statements)                                                                                           \
    "policies:\n  - policyName: test\n    policyDocument:\n      Version: \"2012-10-17\"\n      "                      \
    "Statement:\n" statements                                                                                          \
    "    attachedTo: [ { clientId: \"*\" } ]\ntrustedClients:\n  - { clientId: engine, principal: anna }\n"
#define STATEMENT(effect, action, resource)                                                                            \
    "        - { Effect: " effect ", Action: \"iot:" action "\", Resource: \"arn:aws:iot:*:*:" resource "\" }\n"

static inline void policy_folder_write(const struct policy_folder *f, const char *text)
{
    FILE *out = fopen(f->other, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    assert_int_equal(rename(f->other, f->file), 0);
}

static inline void policy_folder_init(struct policy_folder *f, const char *text)
{
    snprintf(f->folder, sizeof(f->folder), "/tmp/sluice-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->file, sizeof(f->file), "%s/p.yaml", f->folder);
    snprintf(f->other, sizeof(f->other), "%s/fresh", f->folder);
    policy_folder_write(f, text);
}

static inline void policy_folder_clear(const struct policy_folder *f)
{
    unlink(f->file);
    rmdir(f->folder);
}

#endif
