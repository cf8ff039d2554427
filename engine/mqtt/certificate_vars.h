/* SPDX-License-Identifier: Apache-2.0 */
/* What policies can ask of a client's certificate, by the names of AWS IoT's X.509 certificate variables without "iot:Certificate.":
 *
 *     Subject.CommonName, Issuer.Organization, … ; Subject.AlternativeName.DNSName, … ; SerialNumber
 *
 * Several values of a name come one after the other, in the certificate's order. */
#ifndef SLUICE_MQTT_CERTIFICATE_VARS_H
#define SLUICE_MQTT_CERTIFICATE_VARS_H

#include "engine/base/err.h"

#include <stddef.h>

#define CERTIFICATE_VARS_MAX       128 /* values; what is beyond is left out */
#define CERTIFICATE_VARS_MAX_BYTES ((size_t)1 << 16)

struct certificate_var {
    const char *name, *value; /* end in NUL; value is UTF-8 without a NUL in it */
    size_t value_len;
};

struct certificate_vars {
    struct certificate_var *items;
    size_t count;
    char *text; /* what they point into */
};

/* Read a certificate (DER, X.509). The serial number is in upper-case hexadecimal digits, as openssl prints it; a directory name as in
 * RFC 2253; addresses in their usual forms. Values that are no text are left out. certificate_vars_clear in either case. */
int certificate_vars_read(struct certificate_vars *v, const unsigned char *der, size_t len, struct err *e) MUST_CHECK;
void certificate_vars_clear(struct certificate_vars *v);

#endif
