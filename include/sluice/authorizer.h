/* SPDX-License-Identifier: Apache-2.0 */
/* The port between who lets clients in and who says what they may do. */
#ifndef SLUICE_AUTHORIZER_H
#define SLUICE_AUTHORIZER_H

#include <stdbool.h>
#include <stddef.h>

/* A value of a client's certificate, by the names of AWS IoT's variables: "Subject.CommonName". */
struct authorizer_value {
    const char *name, *value; /* end in NUL */
    size_t value_len;
};

/* Who connects; borrowed during the call. Texts end in NUL, NULL: not known. */
struct authorizer_subject {
    const char *client_id, *principal, *user_name, *source_ip;
    const struct authorizer_value *certificate;
    size_t certificate_count;
};

enum authorizer_right {
    AUTHORIZE_CONNECT,
    AUTHORIZE_PUBLISH,
    AUTHORIZE_RETAIN_PUBLISH,
    AUTHORIZE_SUBSCRIBE, /* name: a topic filter */
    AUTHORIZE_RECEIVE
};

struct authorizer {
    /* Returns a handle for the connection, owned (part); NULL: memory. One thread at a time for each handle. */
    void *(*meet)(struct authorizer *a, const struct authorizer_subject *who);
    /* May it? name: client id or topic. What is refused is logged. Does not wait for anything; what changed in the meantime counts. */
    bool (*may)(struct authorizer *a, void *client, enum authorizer_right right, const char *name, size_t len);
    void (*part)(struct authorizer *a, void *client);
};

#endif
