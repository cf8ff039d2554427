/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mqtt/certificate_vars.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/utf8.h"

/* While reading: texts lie one after the other in a buffer that may move. */
struct place {
    size_t off, value_len;
};

struct reading {
    struct buf text;
    struct place places[CERTIFICATE_VARS_MAX];
    size_t count;
};

static const struct {
    int nid;
    const char *name;
} attributes[] = {
    { NID_commonName, "CommonName" },
    { NID_organizationName, "Organization" },
    { NID_organizationalUnitName, "OrganizationalUnit" },
    { NID_countryName, "Country" },
    { NID_stateOrProvinceName, "State" },
    { NID_serialNumber, "SerialNumber" },
    { NID_dnQualifier, "DistinguishedNameQualifier" },
    { NID_title, "Title" },
    { NID_surname, "Surname" },
    { NID_givenName, "GivenName" },
    { NID_initials, "Initials" },
    { NID_pseudonym, "Pseudonym" },
    { NID_generationQualifier, "GenerationQualifier" },
};

static void add(struct reading *r, const char *prefix, const char *name, const char *value, size_t len)
{
    if (r->count == CERTIFICATE_VARS_MAX || !value || memchr(value, '\0', len) || !utf8_is_valid(value, len))
        return;
    struct place p = { r->text.len, len };
    buf_puts(&r->text, prefix);
    buf_puts(&r->text, name);
    buf_putc(&r->text, '\0');
    buf_put(&r->text, value, len);
    buf_putc(&r->text, '\0');
    r->places[r->count++] = p;
}

static void add_string(struct reading *r, const char *prefix, const char *name, const ASN1_STRING *s)
{
    unsigned char *utf8 = NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, s);
    if (len >= 0)
        add(r, prefix, name, (const char *)utf8, (size_t)len);
    OPENSSL_free(utf8);
}

static void read_name(struct reading *r, const char *prefix, const X509_NAME *name)
{
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
        for (int at = -1; (at = X509_NAME_get_index_by_NID(name, attributes[i].nid, at)) >= 0;)
            add_string(r, prefix, attributes[i].name, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    }
}

static void add_directory(struct reading *r, const char *prefix, const X509_NAME *name)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *text;
    if (out && X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
        long len = BIO_get_mem_data(out, &text);
        add(r, prefix, "AlternativeName.DirectoryName", text, len > 0 ? (size_t)len : 0);
    }
    BIO_free(out);
}

static void add_address(struct reading *r, const char *prefix, const ASN1_OCTET_STRING *s)
{
    char text[INET6_ADDRSTRLEN];
    int len = ASN1_STRING_length(s), family = len == 4 ? AF_INET : AF_INET6;
    if ((len == 4 || len == 16) && inet_ntop(family, ASN1_STRING_get0_data(s), text, sizeof(text)))
        add(r, prefix, "AlternativeName.IPAddress", text, strlen(text));
}

static void add_general(struct reading *r, const char *prefix, const GENERAL_NAME *g)
{
    switch (g->type) {
    case GEN_EMAIL:
        add_string(r, prefix, "AlternativeName.RFC822Name", g->d.rfc822Name);
        break;
    case GEN_DNS:
        add_string(r, prefix, "AlternativeName.DNSName", g->d.dNSName);
        break;
    case GEN_URI:
        add_string(r, prefix, "AlternativeName.UniformResourceIdentifier", g->d.uniformResourceIdentifier);
        break;
    case GEN_DIRNAME:
        add_directory(r, prefix, g->d.directoryName);
        break;
    case GEN_IPADD:
        add_address(r, prefix, g->d.iPAddress);
        break;
    default:
        break;
    }
}

static void read_alternatives(struct reading *r, const char *prefix, const X509 *x, int nid)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, nid, NULL, NULL);
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++)
        add_general(r, prefix, sk_GENERAL_NAME_value(names, i));
    GENERAL_NAMES_free(names);
}

static void read_serial_number(struct reading *r, const X509 *x)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
    char *hex = number ? BN_bn2hex(number) : NULL;
    if (hex)
        add(r, "", "SerialNumber", hex, strlen(hex));
    OPENSSL_free(hex);
    BN_free(number);
}

static int take(struct certificate_vars *v, struct reading *r)
{
    if (r->text.failed || !(v->items = calloc(r->count + 1, sizeof(*v->items))))
        return -1;
    size_t len;
    v->count = r->count;
    v->text = buf_detach(&r->text, &len);
    for (size_t i = 0; v->text && i < v->count; i++) {
        const struct place *p = &r->places[i];
        const char *name = v->text + p->off;
        v->items[i] = (struct certificate_var) { name, name + strlen(name) + 1, p->value_len };
    }
    return v->text ? 0 : -1;
}

int certificate_vars_read(struct certificate_vars *v, const unsigned char *der, size_t len, struct err *e)
{
    struct reading r;
    *v = (struct certificate_vars) { 0 };
    X509 *x = len <= LONG_MAX ? d2i_X509(NULL, &der, (long)len) : NULL;
    if (!x)
        return err_set(e, ERR_REFUSED, "the certificate cannot be read");
    r.count = 0;
    buf_init(&r.text, CERTIFICATE_VARS_MAX_BYTES);
    read_serial_number(&r, x);
    read_name(&r, "Subject.", X509_get_subject_name(x));
    read_alternatives(&r, "Subject.", x, NID_subject_alt_name);
    read_name(&r, "Issuer.", X509_get_issuer_name(x));
    read_alternatives(&r, "Issuer.", x, NID_issuer_alt_name);
    X509_free(x);
    int rc = take(v, &r);
    buf_clear(&r.text);
    return rc < 0 ? err_set(e, ERR_LIMIT, "the certificate's names are too long, or memory is short") : 0;
}

void certificate_vars_clear(struct certificate_vars *v)
{
    free(v->items);
    free(v->text);
    *v = (struct certificate_vars) { 0 };
}
