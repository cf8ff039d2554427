/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that speak an API of AWS, AWS's or one's own: their urls in the configuration, and the region to sign for. */
#ifndef SLUICE_HTTP_AWS_ENDPOINT_H
#define SLUICE_HTTP_AWS_ENDPOINT_H

#include "engine/base/conf.h"

/* Check the option `endpoint` of a map, and cut a "/" at its end off. url: its text, NULL if it is missing (which was reported).
 * *secret_path: its path, within url, if a secret was filled in; else untouched. 0, or -1 after adding to errs. */
int aws_endpoint_check(char *url, const struct conf *conf, const char **secret_path, struct errs *errs) MUST_CHECK;

/* A region where none is given (*region NULL): of AWS_REGION or AWS_DEFAULT_REGION, else what AWS's tools take. Owned.
 * -1: memory. */
int aws_region_default(char **region) MUST_CHECK;

#endif
