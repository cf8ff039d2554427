/* SPDX-License-Identifier: Apache-2.0 */
/* Why a broker could not be reached: paho only says that it could not. Private to this folder. */
#ifndef SLUICE_MQTT_PROBE_H
#define SLUICE_MQTT_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Try to open a TCP connection, and close it. True if it could be opened; else the reason is in `why` ("Connection
 * refused"). Waits at most timeout_ms, apart from looking up the name. */
bool mqtt_probe(const char *host, uint16_t port, int timeout_ms, char *why, size_t size);

/* The reason in a line of OpenSSL's error queue, as ERR_print_errors_cb hands it over:
 *
 *     40A7…:error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:../ssl/…c:1889:
 *
 * Writes "certificate verify failed", or the whole line if it does not look so. */
void mqtt_tls_reason(const char *line, size_t len, char *out, size_t size);

#endif
