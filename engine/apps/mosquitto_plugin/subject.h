/* SPDX-License-Identifier: Apache-2.0 */
/* Who a client is: client id, principal, user name, address, and what policies ask of its certificate. Copied from the broker when a client authenticates, because the broker forgets:
 * after a disconnect it has the certificate no more, though the will is still to be judged. */
#ifndef SLUICE_PLUGIN_SUBJECT_H
#define SLUICE_PLUGIN_SUBJECT_H

#include "engine/base/err.h"
#include "engine/devices/policy.h"

#include <stddef.h>

/* As the broker knows it; texts end in NUL, NULL: none. */
struct subject_facts {
    const char *client_id, *user_name, *source_ip; /* user_name: only if somebody checked it */
    const unsigned char *certificate;              /* DER */
    size_t certificate_len;
};

struct subject {
    struct policy_text client_id, principal, user_name, source_ip; /* p ends in NUL */
    struct policy_value *certificate;                              /* its variables; NULL: none */
    size_t certificate_count;
    size_t bytes; /* of memory that it takes */
};

/* principal: SHA-256 fingerprint of the certificate in lower-case hexadecimal, else the user name. Returns owned, or NULL when memory is short
 * or the certificate cannot be read. */
struct subject *subject_new(const struct subject_facts *f) MUST_CHECK;
void subject_free(struct subject *s);

#endif
