/* SPDX-License-Identifier: Apache-2.0 */
/* Names of functions as the Lambda API takes them: "hello", "hello:prod", "123456789012:function:hello:prod",
 * "arn:aws:lambda:eu-west-1:123456789012:function:hello:prod". */
#ifndef SLUICE_HTTP_LAMBDA_NAME_H
#define SLUICE_HTTP_LAMBDA_NAME_H

#include "engine/base/buf.h"
#include "engine/base/err.h"

#include <stddef.h>

/* Both point into the text. */
struct lambda_name {
    const char *name; /* letters, digits, "-", "_" */
    size_t name_len;
    const char *qualifier; /* version or alias, or "$LATEST"; empty: none */
    size_t qualifier_len;
};

/* ERR_TEMPLATE with a clause that begins with "the function". */
int lambda_name_split(struct lambda_name *n, const char *text, size_t len, struct err *e) MUST_CHECK;
/* Append the url of its Invoke operation at an endpoint, which ends without "/". */
void lambda_name_url(const struct lambda_name *n, const char *endpoint, struct buf *out);

#endif
