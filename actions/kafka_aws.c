/* SPDX-License-Identifier: Apache-2.0 */
/* The table of Kafka's Java names. Those that librdkafka has too (acks, compression.type, security.protocol,
 * sasl.mechanism, ssl.key.password, …) have no row.
 *
 * AWS takes the contents of stores and of the keytab out of a secret, at every message. librdkafka takes files, once,
 * and no JKS: what a connection needs for that belongs into the connection. */
#include "actions/kafka_aws.h"

#include <stddef.h>
#include <string.h>

#define KERBEROS_HINT "Kerberos is set up by the machine's krb5.conf."

static const struct kafka_aws_property rows[] = {
    { "key.serializer", NULL, "StringSerializer", "Keys are texts: StringSerializer." },
    { "sasl.kerberos.krb5.kdc", NULL, NULL, KERBEROS_HINT },
    { "sasl.kerberos.krb5.realm", NULL, NULL, KERBEROS_HINT },
    { "sasl.plain.password", "sasl.password", NULL, NULL },
    { "sasl.plain.username", "sasl.username", NULL, NULL },
    { "sasl.scram.password", "sasl.password", NULL, NULL },
    { "sasl.scram.username", "sasl.username", NULL, NULL },
    { "ssl.keystore", NULL, NULL, "Give the connection in sluice.yaml \"ssl.keystore.location\", a PKCS#12 file." },
    { "ssl.truststore", NULL, NULL,
      "Give the connection in sluice.yaml \"ssl.ca.location\", a file of certificates in PEM form." },
    { "ssl.truststore.password", NULL, NULL, "\"ssl.ca.location\" of the connection needs no password." },
    { "value.serializer", NULL, "ByteBufferSerializer", "Values are bytes: ByteBufferSerializer." },
};

const struct kafka_aws_property *kafka_aws_at(unsigned index)
{
    return index < sizeof(rows) / sizeof(rows[0]) ? &rows[index] : NULL;
}

const struct kafka_aws_property *kafka_aws_find(const char *name)
{
    for (unsigned i = 0; kafka_aws_at(i); i++) {
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    }
    return NULL;
}

bool kafka_aws_accepts(const struct kafka_aws_property *p, const char *value)
{
    static const char package[] = "org.apache.kafka.common.serialization.";
    if (strncmp(value, package, sizeof(package) - 1) == 0)
        value += sizeof(package) - 1;
    return p->accepted && strcmp(p->accepted, value) == 0;
}
