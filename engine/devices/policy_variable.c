/* SPDX-License-Identifier: Apache-2.0 */
/* Policy variables ("AWS IoT Core policy variables": basic, thing and X.509 certificate variables). */
#include <string.h>
#include <strings.h>

#include "engine/devices/policy_int.h"

static const struct {
    const char *name;
    enum policy_variable_kind kind;
} plain[] = {
    { "aws:SourceIp", VARIABLE_SOURCE_IP },
    { "iot:Certificate.AvailableKeys", VARIABLE_AVAILABLE_KEYS },
    { "iot:ClientId", VARIABLE_CLIENT_ID },
    { "iot:Connection.Thing.IsAttached", VARIABLE_IS_ATTACHED },
    { "iot:Connection.Thing.ThingName", VARIABLE_THING_NAME },
    { "iot:Connection.Thing.ThingTypeName", VARIABLE_THING_TYPE },
};

static const char attributes[] = "iot:Connection.Thing.Attributes[", certificate[] = "iot:Certificate.";

/* Of a certificate: these, and those of a subject and an issuer. */
static const char serial_number[] = "SerialNumber";
static const char *const parties[] = { "Subject.", "Issuer." };
static const char *const members[] = {
    "CommonName",
    "Organization",
    "OrganizationalUnit",
    "Country",
    "State",
    "SerialNumber",
    "DistinguishedNameQualifier",
    "Title",
    "Surname",
    "GivenName",
    "Initials",
    "Pseudonym",
    "GenerationQualifier",
    "AlternativeName.RFC822Name",
    "AlternativeName.DNSName",
    "AlternativeName.DirectoryName",
    "AlternativeName.UniformResourceIdentifier",
    "AlternativeName.IPAddress",
};

const char *const policy_variable_names[] = {
    "aws:SourceIp",
    "iot:Certificate.AvailableKeys",
    "iot:Certificate.Issuer.CommonName",
    "iot:Certificate.SerialNumber",
    "iot:Certificate.Subject.CommonName",
    "iot:Certificate.Subject.Country",
    "iot:Certificate.Subject.Organization",
    "iot:Certificate.Subject.OrganizationalUnit",
    "iot:Certificate.Subject.SerialNumber",
    "iot:ClientId",
    "iot:Connection.Thing.Attributes[name]",
    "iot:Connection.Thing.IsAttached",
    "iot:Connection.Thing.ThingName",
    "iot:Connection.Thing.ThingTypeName",
    NULL,
};

static bool is_word(const char *p, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(p, word, len) == 0;
}

static bool begins_with(const char *p, size_t len, const char *start)
{
    return len >= strlen(start) && strncasecmp(p, start, strlen(start)) == 0;
}

static bool is_member(const char *p, size_t len)
{
    if (is_word(p, len, serial_number))
        return true;
    for (size_t i = 0; i < sizeof(parties) / sizeof(parties[0]); i++) {
        size_t skip = strlen(parties[i]);
        if (!begins_with(p, len, parties[i]))
            continue;
        for (size_t k = 0; k < sizeof(members) / sizeof(members[0]); k++)
            if (is_word(p + skip, len - skip, members[k]))
                return true;
    }
    return false;
}

/* p: behind "iot:Certificate.". Several values: `.0` to `.4` pick one, `.List` is all, without either it is the first. */
static struct policy_variable read_certificate(const char *p, size_t len)
{
    struct policy_variable v = { .kind = VARIABLE_CERTIFICATE };
    if (len > 2 && p[len - 2] == '.' && p[len - 1] >= '0' && p[len - 1] <= '4') {
        v.index = (size_t)(p[len - 1] - '0');
        len -= 2;
    } else if (len > 5 && is_word(p + len - 5, 5, ".List")) {
        v.kind = VARIABLE_CERTIFICATE_LIST;
        len -= 5;
    }
    v.name = (struct policy_text) { .p = p, .len = len };
    return is_member(p, len) ? v : (struct policy_variable) { .kind = VARIABLE_NONE };
}

struct policy_variable policy_variable_read(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (is_word(name, len, plain[i].name))
            return (struct policy_variable) { .kind = plain[i].kind };
    size_t skip = sizeof(attributes) - 1;
    if (begins_with(name, len, attributes) && len > skip + 1 && name[len - 1] == ']')
        return (struct policy_variable) { .kind = VARIABLE_ATTRIBUTE,
                                          .name = { .p = name + skip, .len = len - skip - 1 } };
    skip = sizeof(certificate) - 1;
    return begins_with(name, len, certificate) ? read_certificate(name + skip, len - skip)
                                               : (struct policy_variable) { .kind = VARIABLE_NONE };
}

static struct policy_text find_attribute(const struct policy_context *c, struct policy_text name)
{
    for (size_t i = 0; i < c->attribute_count; i++) {
        const struct policy_value *a = &c->attributes[i];
        if (a->name.len == name.len && memcmp(a->name.p, name.p, name.len) == 0)
            return a->value;
    }
    return (struct policy_text) { 0 };
}

/* The index-th value of that name. */
static struct policy_text find_certificate(const struct policy_context *c, struct policy_text name, size_t index)
{
    for (size_t i = 0; i < c->certificate_count; i++) {
        const struct policy_value *v = &c->certificate[i];
        if (v->name.len == name.len && strncasecmp(v->name.p, name.p, name.len) == 0 && index-- == 0)
            return v->value;
    }
    return (struct policy_text) { 0 };
}

/* A value of a thing or a certificate that holds one of these must not stand in a resource. */
static struct policy_text only_harmless(struct policy_text t)
{
    if (t.len > POLICY_VALUE_MAX)
        return (struct policy_text) { 0 };
    for (size_t i = 0; i < t.len; i++)
        if (t.p[i] && strchr("*$+?#", t.p[i]))
            return (struct policy_text) { 0 };
    return t;
}

static struct policy_text truth(bool b)
{
    return b ? (struct policy_text) { .p = "true", .len = 4 } : (struct policy_text) { .p = "false", .len = 5 };
}

static struct policy_text value_of(const struct policy_variable *v, const struct policy_context *c)
{
    switch (v->kind) {
    case VARIABLE_CLIENT_ID:
        return c->client_id;
    case VARIABLE_SOURCE_IP:
        return c->source_ip;
    case VARIABLE_THING_NAME:
        return c->thing_name;
    case VARIABLE_THING_TYPE:
        return c->thing_type;
    case VARIABLE_ATTRIBUTE:
        return find_attribute(c, v->name);
    case VARIABLE_IS_ATTACHED:
        return truth(c->is_attached);
    case VARIABLE_CERTIFICATE:
        return find_certificate(c, v->name, v->index);
    case VARIABLE_NONE:
    case VARIABLE_CERTIFICATE_LIST:
    case VARIABLE_AVAILABLE_KEYS:
        break;
    }
    return (struct policy_text) { 0 };
}

struct policy_text policy_variable_value(const struct policy_variable *v, const struct policy_context *c)
{
    struct policy_text t = value_of(v, c);
    return v->kind == VARIABLE_CLIENT_ID || v->kind == VARIABLE_SOURCE_IP ? t : only_harmless(t);
}

struct policy_text policy_variable_next(const struct policy_variable *v, const struct policy_context *c, size_t *at)
{
    size_t i = (*at)++;
    if (v->kind == VARIABLE_CERTIFICATE_LIST)
        return find_certificate(c, v->name, i);
    if (v->kind == VARIABLE_AVAILABLE_KEYS)
        return i < c->certificate_count ? c->certificate[i].name : (struct policy_text) { 0 };
    return i == 0 ? value_of(v, c) : (struct policy_text) { 0 };
}
