/* SPDX-License-Identifier: Apache-2.0 */
/* What a status means for delivery: one table for each kind of server. */
#ifndef SLUICE_ACTIONS_HTTP_CODE_H
#define SLUICE_ACTIONS_HTTP_CODE_H

enum http_verdict {
    HTTP_DONE,
    HTTP_LATER,
    HTTP_MISCONFIGURED, /* later, once somebody has repaired something */
    HTTP_REJECTED,
};

enum http_verdict http_status_verdict(int status);
enum http_verdict lambda_status_verdict(int status);

#endif
