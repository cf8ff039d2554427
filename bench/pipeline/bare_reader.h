/* SPDX-License-Identifier: Apache-2.0 */
/* The least that any receiver of MQTT must do: read, 64 KiB at a time, and find where each packet ends. What `sluice bench ingest` is held
 * against. */
#ifndef SLUICE_BENCH_BARE_READER_H
#define SLUICE_BENCH_BARE_READER_H

#include <stddef.h>
#include <stdint.h>

/* Count the PUBLISH packets that come on the socket, until one with QoS 1, which is acknowledged in the form of MQTT 5. Returns how many;
 * 0: the connection ended before. */
uint64_t bare_reader_run(int fd);

#endif
