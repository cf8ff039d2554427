/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/http/http_settings.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int http_settings_check_files(const struct http_settings *s, const struct conf *conf, struct errs *errs)
{
    const struct {
        const char *name, *path;
    } files[] = { { "caFile", s->ca_file }, { "certFile", s->cert_file }, { "keyFile", s->key_file } };
    int rc = 0;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (!files[i].path || access(files[i].path, R_OK) == 0)
            continue;
        errs_add(errs, SEV_ERROR, ERR_IO, conf_get(conf, files[i].name)->at, "\"%s\" could not be read: %s",
                 files[i].name, strerrordesc_np(errno));
        rc = -1;
    }
    if (s->key_file && !s->cert_file)
        rc = errs_refuse(errs, ERR_CONF_VALUE, conf_get(conf, "keyFile")->at,
                         "\"keyFile\" is of no use without \"certFile\"");
    return rc;
}
