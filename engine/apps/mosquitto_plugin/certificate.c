/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/apps/mosquitto_plugin/certificate.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

unsigned char *certificate_der(void *x509, size_t *len)
{
    unsigned char *der = NULL;
    int n = x509 ? i2d_X509(x509, &der) : 0;
    X509_free(x509);
    *len = n > 0 ? (size_t)n : 0;
    return n > 0 ? der : NULL;
}

void certificate_free(unsigned char *der)
{
    OPENSSL_free(der);
}

int certificate_fingerprint(const unsigned char *der, size_t len, char out[CERTIFICATE_FINGERPRINT_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (!EVP_Digest(der, len, digest, &n, EVP_sha256(), NULL) || n * 2 != CERTIFICATE_FINGERPRINT_LEN)
        return -1;
    char *at = out;
    for (unsigned i = 0; i < n; i++) {
        *at++ = hex[digest[i] >> 4];
        *at++ = hex[digest[i] & 0xF];
    }
    *at = '\0';
    return 0;
}
