/* SPDX-License-Identifier: Apache-2.0 */
/* machinelearning_predict: the Predict operation of the Amazon Machine Learning API, or of a server that speaks it. */
#include <string.h>

#include "lookups/lookups_int.h"

static int make(const struct lookups_conf *conf, struct call *c, struct err *e)
{
    const struct aws_service *s = &conf->services[AWS_MACHINE_LEARNING];
    struct buf body;
    buf_init(&body, ANSWER_MAX);
    buf_puts(&body, "{\"MLModelId\":");
    json_write(&body, c->args, json_element(c->args, 0, 0), JSON_STYLE_AS_IS);
    buf_puts(&body, ",\"Record\":");
    json_write(&body, c->args, json_element(c->args, 0, 1), JSON_STYLE_AS_IS);
    buf_puts(&body, ",\"PredictEndpoint\":");
    json_write_string(&body, s->endpoint, strlen(s->endpoint));
    buf_putc(&body, '}');
    int rc = call_json_request(c, s, "AmazonML_20141212.Predict", "1.1", &body, e);
    buf_clear(&body);
    return rc;
}

static int read_reply(struct call *c, const struct http_answer *reply, struct buf *out, struct err *e)
{
    const struct json_doc *d = call_reply(c, reply, e);
    uint32_t prediction = d ? json_member(d, 0, "Prediction", 10) : 0;
    if (!d)
        return -1;
    if (!prediction || json_at(d, prediction)->kind != JSON_OBJECT)
        return err_set(e, ERR_REJECTED, "the reply holds no prediction");
    json_write(out, d, prediction, JSON_STYLE_AS_IS);
    return 0;
}

const struct teller teller_prediction = {
    .function = "machinelearning_predict",
    .option = "machinelearning",
    .min = 2,
    .max = 2,
    .service = AWS_MACHINE_LEARNING,
    .make = make,
    .read = read_reply,
};
