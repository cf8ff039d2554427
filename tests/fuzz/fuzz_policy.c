/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: any document is compiled or refused with a reason; what is compiled decides, and the same each time.
 *
 *     first line: resource    second line: client id, also its attribute and its certificate's name    rest: the document */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/devices/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static struct policy_text cut_line(const char **p, size_t *len)
{
    const char *newline = memchr(*p, '\n', *len);
    struct policy_text line = { .p = *p, .len = newline ? (size_t)(newline - *p) : *len };
    size_t used = line.len + (newline ? 1 : 0);
    *p += used;
    *len -= used;
    return line;
}

static void decide(const struct policy *p, struct policy_text resource, struct policy_text client)
{
    static const char *const actions[] = { "iot:Connect", "iot:Publish", "iot:Subscribe", "iot:GetThingShadow" };
    const struct policy_value values[] = {
        { .name = { "site", 4 }, .value = client },
        { .name = { "Subject.CommonName", 18 }, .value = client },
        { .name = { "Subject.Organization", 20 }, .value = client },
        { .name = { "Subject.Organization", 20 }, .value = { "b", 1 } },
    };
    struct policy_context c = { .client_id = client,
                                .source_ip = { "192.0.2.7", 9 },
                                .thing_name = client,
                                .thing_type = { "lamp", 4 },
                                .attributes = values,
                                .attribute_count = 1,
                                .is_attached = true,
                                .certificate = values + 1,
                                .certificate_count = 3 };
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        struct policy_verdict v = policy_decide(&p, 1, &c, actions[i], resource);
        struct policy_verdict again = policy_decide(&p, 1, &c, actions[i], resource);
        require(v.decision == again.decision && (v.decision == POLICY_IMPLICIT_DENY) == (v.policy == NULL));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct policy_text resource = cut_line(&text, &size), client = cut_line(&text, &size);
    struct errs errs = { 0 };
    struct src *src = src_new("<fuzz>", text, size);
    if (!src)
        return 0;
    struct conf *document = conf_parse(src, size > 0 && text[0] == '{', &errs);
    struct policy *p = document ? policy_new("fuzz", document, &errs) : NULL;
    require(p || errs.errors > 0);
    if (p)
        decide(p, resource, client);
    policy_free(p);
    conf_free(document);
    src_unref(src);
    errs_clear(&errs);
    return 0;
}
