/* SPDX-License-Identifier: Apache-2.0 */
/* The listen source: MQTT clients connect to sluice itself, a broker's bridge or devices that do Basic Ingest. Its messages carry
 * the publisher's client id, principal and address. */
#ifndef SLUICE_FLOW_SOURCE_LISTEN_H
#define SLUICE_FLOW_SOURCE_LISTEN_H

#include "sluice/source.h"

extern const struct source_type source_listen;

#endif
