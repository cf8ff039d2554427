/* SPDX-License-Identifier: Apache-2.0 */
/* Options of connections over HTTP that several kinds of them have: the checks that no option table makes. */
#ifndef SLUICE_HTTP_HTTP_SETTINGS_H
#define SLUICE_HTTP_HTTP_SETTINGS_H

#include "engine/base/conf.h"
#include "engine/http/http_link.h"

/* Every file that is named must be there, and a key needs a certificate. conf: the map with "caFile", "certFile",
 * "keyFile". 0, or -1 after adding to errs. */
int http_settings_check_files(const struct http_settings *s, const struct conf *conf, struct errs *errs) MUST_CHECK;

#endif
