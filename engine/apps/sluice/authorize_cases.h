/* SPDX-License-Identifier: Apache-2.0 */
/* Cases for policies, as data: who asks for what under which documents, and what must be decided.
 *
 *     {"id":"deny-over-allow","policies":[{…}],"context":{"clientId":"lamp1","sourceIp":"192.0.2.7",
 *      "thing":{"thingName":"lamp1","thingTypeName":"lamp","attributes":{"site":"north"},"attached":true},
 *      "certificate":{"Subject.CommonName":"lamp1","Subject.Organization":["a","b"]}},
 *      "action":"iot:Publish","resource":"arn:aws:iot:us-east-1:000000000000:topic/a","expect":"EXPLICIT_DENY","why":"…"}
 *
 * expect: ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY, or MALFORMED_POLICY: a document must be refused. A resource without "arn:" is one of the
 * region us-east-1 and the account 000000000000. */
#ifndef SLUICE_APP_AUTHORIZE_CASES_H
#define SLUICE_APP_AUTHORIZE_CASES_H

#include <stddef.h>

/* Run the cases of a file (one JSON object a line); what fails is printed. Adds to the counts; -1: the file could not be read. */
int authorize_cases_run(const char *path, size_t *passed, size_t *failed);

#endif
