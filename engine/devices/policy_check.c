/* SPDX-License-Identifier: Apache-2.0 */
/* Whether actions and resources of a policy are such that they can ever mean something. */
#include <string.h>
#include <strings.h>

#include "engine/devices/policy_int.h"

/* Actions that a policy of AWS IoT Core can decide. */
static const char *const actions[] = {
    "iot:AssumeRoleWithCertificate",
    "iot:Connect",
    "iot:DeleteThingShadow",
    "iot:DescribeJobExecution",
    "iot:GetPendingJobExecutions",
    "iot:GetRetainedMessage",
    "iot:GetThingShadow",
    "iot:ListNamedShadowsForThing",
    "iot:ListRetainedMessages",
    "iot:Publish",
    "iot:Receive",
    "iot:RetainPublish",
    "iot:StartNextPendingJobExecution",
    "iot:Subscribe",
    "iot:UpdateJobExecution",
    "iot:UpdateThingShadow",
};
#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

/* The first word of a resource. */
static const char *const kinds[] = { "client", "rolealias", "thing", "topic", "topicfilter" };
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

bool policy_action_is_known(const char *action, const char **near)
{
    for (size_t i = 0; i < ACTIONS; i++)
        if (strcasecmp(action, actions[i]) == 0)
            return true;
    if (near)
        *near = nearest_word(action, strlen(action), actions, ACTIONS);
    return false;
}

int policy_action_check(const struct conf *scalar, struct errs *errs)
{
    const struct policy_context nobody = { 0 };
    struct policy_pattern p;
    bool known = false;
    if (strcmp(scalar->text, "*") != 0 && strncasecmp(scalar->text, "iot:", 4) != 0) {
        errs_add(errs, SEV_WARNING, ERR_CONF_NAME, scalar->at, "an action without \"iot:\" matches nothing: \"%.80s\"",
                 scalar->text);
        return 1;
    }
    if (policy_pattern_read(&p, scalar, PATTERN_WILD, errs) < 0)
        return -1;
    for (size_t i = 0; i < ACTIONS; i++)
        known |= policy_pattern_matches(&p, &nobody,
                                        (struct policy_text) { .p = actions[i], .len = strlen(actions[i]) }, false);
    policy_pattern_clear(&p);
    if (known)
        return 0;
    struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_NAME, scalar->at, "unknown action \"%.80s\"", scalar->text);
    const char *near = nearest_word(scalar->text, scalar->len, actions, ACTIONS);
    if (near)
        err_hint(e, "did you mean \"%s\"?", near);
    else
        err_hint(e, "Actions are \"iot:Connect\", \"iot:Publish\", \"iot:Subscribe\", \"iot:Receive\", "
                    "\"iot:RetainPublish\" and their like.");
    return -1;
}

static int refuse_resource(const struct conf *scalar, struct errs *errs)
{
    struct err *e =
        errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, scalar->at, "malformed resource \"%.120s\"", scalar->text);
    err_hint(e, "A resource is \"*\" or like \"arn:aws:iot:us-east-1:000000000000:topic/plant/*\"; kinds: client, "
                "topic, topicfilter, thing.");
    return -1;
}

static bool has_wildcard(const char *p, size_t len)
{
    return memchr(p, '*', len) || memchr(p, '?', len) || memchr(p, '$', len);
}

/* Behind "arn:…:…:…:…:": "topic/plant/+". */
static int check_kind(const struct conf *scalar, const char *p, struct errs *errs)
{
    size_t len = strcspn(p, "/");
    if (has_wildcard(p, len))
        return 0;
    for (size_t i = 0; i < KINDS; i++)
        if (strlen(kinds[i]) == len && memcmp(kinds[i], p, len) == 0 && p[len] == '/') {
            if (strcmp(kinds[i], "topic") == 0 && strpbrk(p, "+#"))
                errs_add(
                    errs, SEV_WARNING, ERR_CONF_VALUE, scalar->at,
                    "\"+\" and \"#\" are ordinary characters in policies, and no topic has them: this matches nothing");
            return 0;
        }
    struct err *e = errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, scalar->at, "malformed resource: unknown kind \"%.*s\"",
                             (int)(len < 60 ? len : 60), p);
    const char *near = nearest_word(p, len, kinds, KINDS);
    if (near)
        err_hint(e, "did you mean \"%s/\"?", near);
    else
        err_hint(e, "Kinds are client/, topic/, topicfilter/, thing/ and rolealias/.");
    return -1;
}

int policy_resource_check(const struct conf *scalar, struct errs *errs)
{
    const char *p = scalar->text;
    if (*p == '*')
        return 0;
    if (strncmp(p, "arn:", 4) != 0 || strlen(p) != scalar->len)
        return refuse_resource(scalar, errs);
    for (int part = 0; part < 5; part++) { /* arn, partition, service, region, account */
        size_t len = strcspn(p, ":");
        if (p[len] != ':') /* a wildcard may stand for the parts that are not there */
            return memchr(scalar->text, '*', scalar->len) ? 0 : refuse_resource(scalar, errs);
        if (part == 2 && !has_wildcard(p, len) && !(len == 3 && memcmp(p, "iot", 3) == 0))
            return refuse_resource(scalar, errs);
        p += len + 1;
    }
    return check_kind(scalar, p, errs);
}
