/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/http/aws_endpoint.h"

#include <stdlib.h>
#include <string.h>

#include "engine/http/http_url.h"

#define FAR_REGION "us-east-1" /* what AWS's tools sign for when nobody names a region */

int aws_endpoint_check(char *url, const struct conf *conf, const char **secret_path, struct errs *errs)
{
    struct http_url u;
    struct err e = { 0 };
    if (!url)
        return -1;
    const struct conf *option = conf_get(conf, "endpoint");
    if (http_url_split(&u, url, strlen(url), &e) < 0)
        return errs_refuse_value(errs, &e, option->at);
    if (strchr(url, '?'))
        return errs_refuse(errs, ERR_CONF_VALUE, option->at, "an endpoint cannot have a query");
    if (u.path_len > 0 && u.path[u.path_len - 1] == '/')
        url[strlen(url) - 1] = '\0';
    if (option->is_filled && url[u.origin_len])
        *secret_path = url + u.origin_len;
    return 0;
}

int aws_region_default(char **region)
{
    const char *named = getenv("AWS_REGION");
    if (!named || !named[0])
        named = getenv("AWS_DEFAULT_REGION");
    if (!*region)
        *region = strdup(named && named[0] ? named : FAR_REGION);
    return *region ? 0 : -1;
}
