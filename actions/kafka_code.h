/* SPDX-License-Identifier: Apache-2.0 */
/* What an error of Kafka means for delivery. */
#ifndef SLUICE_ACTIONS_KAFKA_CODE_H
#define SLUICE_ACTIONS_KAFKA_CODE_H

enum kafka_verdict {
    KAFKA_LATER,         /* may work later with this producer */
    KAFKA_ANEW,          /* may work later with a new producer */
    KAFKA_MISCONFIGURED, /* works once somebody has changed the cluster or the configuration: later, loudly */
    KAFKA_NO_PLACE, /* the topic or partition cannot be written to: misconfigured, rejected if a message chose it */
    KAFKA_REJECTED, /* the message, or one of its batch, is at fault: will never work */
};

/* name: as librdkafka names its codes, "MSG_SIZE_TOO_LARGE"; those of the library itself begin with "_". Names that no
 * row of the table has are KAFKA_LATER. */
enum kafka_verdict kafka_code_verdict(const char *name);
/* The same, of a connection, about which librdkafka says this text. */
enum kafka_verdict kafka_trouble_verdict(const char *name, const char *text);

#endif
