/* SPDX-License-Identifier: Apache-2.0 */
/* A build without SLUICE_BENCH has nobody to be held against. */
#include "engine/apps/sluice/bench_readers.h"

const struct bench_reader bench_readers[] = { { NULL, NULL } };
