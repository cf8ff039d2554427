/* SPDX-License-Identifier: Apache-2.0 */
/* The `replay` source: messages from a file or standard input, one JSON object a line (message_json.h; `topic` is
 * required). Case files and dead-letter files can be replayed as they are. A line that is no message is reported and
 * left out. */
#ifndef SLUICE_FLOW_SOURCE_REPLAY_H
#define SLUICE_FLOW_SOURCE_REPLAY_H

#include "sluice/source.h"

extern const struct source_type source_replay;

#endif
