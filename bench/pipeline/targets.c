/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/pipeline/target.h"

const struct target_type *const target_types[] = { &target_republish, &target_file, &target_postgres,
                                                   &target_kafka,     &target_http, NULL };
