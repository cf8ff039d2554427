/* SPDX-License-Identifier: Apache-2.0 */
/* A client's certificate as the broker gives it (an X509 of OpenSSL, to be freed by its taker): its bytes and its fingerprint. */
#ifndef SLUICE_PLUGIN_CERTIFICATE_H
#define SLUICE_PLUGIN_CERTIFICATE_H

#include "engine/base/err.h"

#include <stddef.h>

#define CERTIFICATE_FINGERPRINT_LEN 64

/* Takes x509 (NULL: there is none). Returns the certificate in DER, owned (certificate_free), and its length; NULL when memory is short. */
unsigned char *certificate_der(void *x509, size_t *len) MUST_CHECK;
void certificate_free(unsigned char *der);
/* SHA-256 of the DER in lower-case hexadecimal, NUL-terminated: what AWS IoT calls the certificate id. -1: the library refused. */
int certificate_fingerprint(const unsigned char *der, size_t len, char out[CERTIFICATE_FINGERPRINT_LEN + 1]) MUST_CHECK;

#endif
