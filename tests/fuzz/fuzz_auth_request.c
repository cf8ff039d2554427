/* SPDX-License-Identifier: Apache-2.0 */
/* A broker's question: any body is read or refused with a reason; what is read ends in NUL and is text. First byte: "f", a form; else JSON. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/admin/auth_request.h"
#include "engine/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct auth_request q;
    struct err e = { 0 };
    if (size == 0)
        return 0;
    auth_request_init(&q);
    int rc = auth_request_read(&q, data[0] == 'f', (const char *)data + 1, size - 1, &e);
    require((rc < 0) == (e.code != ERR_NONE));
    for (size_t i = 0; rc == 0 && i < AUTH_FIELD_COUNT; i++) {
        const struct auth_text *f = &q.fields[i];
        require(!f->p || f->p[f->len] == '\0');
        require(!f->p || i == AUTH_PASSWORD || (strlen(f->p) == f->len && utf8_is_valid(f->p, f->len)));
    }
    auth_request_clear(&q);
    return 0;
}
