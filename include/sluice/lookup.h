/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups: what functions of the rule language ask the outside world.
 *
 * A question is the name of a function and its arguments as a JSON array. The answer is a JSON text, or a failure with
 * a reason.
 *
 *   function                 arguments                               answer
 *   aws_lambda               [functionArn, input]                    what the function returned
 *   decode                   [bucket, key]                           a file (a descriptor set) as a base64 String
 *   get_dynamodb             [table, name, value (, name, value)]    the item as a plain Object; null: there is none
 *   get_registry_data        [api, thing]                            the response of DescribeThing or
 *                                                                    ListThingGroupsForThing
 *   get_secret               [secretId]                              {"SecretString": text} or
 *                                                                    {"SecretBinary": base64}
 *   get_thing_shadow         [thing, shadowName]                     the document; shadowName "": the unnamed shadow
 *   machinelearning_predict  [modelId, record]                       the prediction, an Object
 *
 * Values of keys are Strings or numbers; the other arguments are Strings, but for input (any value) and record (an
 * Object of one level, whose values are Strings). */
#ifndef SLUICE_LOOKUP_H
#define SLUICE_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>

struct lookup_question {
    const char *function; /* NUL-terminated, lower case */
    const char *args;     /* not NUL-terminated */
    size_t args_len;
};

enum lookup_outcome {
    LOOKUP_PENDING,
    LOOKUP_ANSWERED,
    LOOKUP_FAILED, /* unreachable, refused, not there, too late */
};

struct lookup {
    struct lookup_question question; /* borrowed until done */
    enum lookup_outcome outcome;     /* LOOKUP_PENDING until done */
    char *text; /* ANSWERED: JSON; FAILED: why, one clause without secrets. From malloc(3), the asker's to free. NULL
                   only when memory was short, with FAILED */
    size_t len;
    void (*done)(struct lookup *l); /* Thread: any. Must not block. */
};

/* Who answers. */
struct lookup_port {
    /* Ask; never blocks. True: the outcome is there already, and done is not called. False: done is called once, from
     * another thread, perhaps before this returns; at the latest when the port's own time-out has passed, or when it is
     * closed. Thread: any. */
    bool (*ask)(struct lookup_port *port, struct lookup *l);
};

#endif
