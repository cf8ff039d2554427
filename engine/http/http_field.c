/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that frame the message or choose its way (RFC 9110 section 7.6, RFC 9112 section 6) are made here and cannot
 * be set: two lengths in a request are how one is smuggled into another. */
#include "engine/http/http_field.h"

#include <string.h>
#include <strings.h>

static const char *const reserved[] = {
    "connection", "content-length",    "expect",  "host", "keep-alive", "proxy-connection", "te",
    "trailer",    "transfer-encoding", "upgrade",
};

static bool is_token(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = p[i], lower = c | 0x20;
        bool alnum = (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z');
        if (c == '\0' || (!alnum && !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return len > 0;
}

static int check_name(const struct conf *name, struct errs *errs)
{
    if (name->kind != CONF_SCALAR || !is_token(name->text, name->len))
        return errs_refuse(errs, ERR_CONF_VALUE, name->at, "this is no name of a header");
    if (name->len > HTTP_FIELD_NAME_MAX)
        return errs_refuse(errs, ERR_CONF_VALUE, name->at, "the name of a header can have 256 bytes");
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (strcasecmp(name->text, reserved[i]) == 0) {
            errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, name->at, "the header \"%s\" cannot be set", name->text);
            return -1;
        }
    }
    return 0;
}

int http_field_check_value(const char *name, const char *p, size_t len, struct err *e)
{
    if (len > HTTP_FIELD_VALUE_MAX)
        return err_set(e, ERR_TEMPLATE, "the value of the header \"%.80s\" is longer than %d bytes", name,
                       HTTP_FIELD_VALUE_MAX);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c == '\r' || c == '\n')
            return err_set(e, ERR_TEMPLATE, "the value of the header \"%.80s\" has a line break", name);
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return err_set(e, ERR_TEMPLATE, "the value of the header \"%.80s\" has a control character", name);
    }
    return 0;
}

static int read_field(const struct conf *name, const struct conf *value, http_field_taker *take, void *ctx,
                      struct errs *errs)
{
    if (check_name(name, errs) < 0)
        return -1;
    if (value->kind != CONF_SCALAR)
        return errs_refuse(errs, ERR_CONF_TYPE, value->at, "the value of a header must be a text");
    return take(ctx, name, value, errs);
}

/* { key: name, value: text } */
static int read_pair(const struct conf *c, http_field_taker *take, void *ctx, struct errs *errs)
{
    const struct conf *name = conf_get(c, "key"), *value = conf_get(c, "value");
    if (c->kind == CONF_MAP && c->count == 2 && name && value)
        return read_field(name, value, take, ctx, errs);
    struct err *e =
        errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, c->at, "a header must be a map with \"key\" and \"value\"");
    err_hint(e, "For example { key: x-site, value: \"7\" }.");
    return -1;
}

int http_fields_read(const struct conf *c, http_field_taker *take, void *ctx, struct errs *errs)
{
    int rc = 0;
    if (!c || conf_is_null(c))
        return 0;
    if (c->kind == CONF_SCALAR)
        return errs_refuse(errs, ERR_CONF_TYPE, c->at,
                           "\"headers\" must be a map, or a list of maps with \"key\" and \"value\"");
    if (c->count > HTTP_FIELDS_MAX)
        return errs_refuse(errs, ERR_CONF_VALUE, c->at, "\"headers\" can have 100 entries");
    for (size_t i = 0; i < c->count; i++) {
        int one = c->kind == CONF_MAP ? read_field(c->keys[i], c->items[i], take, ctx, errs)
                                      : read_pair(c->items[i], take, ctx, errs);
        rc = one < 0 ? -1 : rc;
    }
    return rc;
}
