/* SPDX-License-Identifier: Apache-2.0 */
/* What sluice_mosquitto.so costs the broker a message: this program is the broker. It loads the plugin, offers the functions of the
 * plugin API that the plugin calls, with the broker's own ways of storing properties, and times the callbacks one by one.
 *
 * usage: mosquitto_plugin_bench -c BROKER_CONF PLUGIN ROUNDS OPTION VALUE…    (the plugin reads -c from the command line, as in a broker)
 * prints a JSON object a line: the median and the 99th percentile of ns for each callback and payload size. */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#define CLIENTS        1000
#define WARM_UP        10000
#define EVENTS         16
#define NAME_MAX_BYTES 64

struct mosquitto {
    char id[NAME_MAX_BYTES];
};

/* As in the broker: a list of nodes, each with its own copies. */
struct mqtt5__property {
    struct mqtt5__property *next;
    int id;
    char *name, *value;
};

static MOSQ_FUNC_generic_callback callbacks[EVENTS];
static void *callback_data[EVENTS];
static struct mosquitto clients[CLIENTS];

int mosquitto_callback_register(mosquitto_plugin_id_t *identifier, int event, MOSQ_FUNC_generic_callback cb_func,
                                const void *event_data, void *userdata)
{
    (void)identifier;
    (void)event_data;
    callbacks[event] = cb_func;
    callback_data[event] = userdata;
    return MOSQ_ERR_SUCCESS;
}

int mosquitto_callback_unregister(mosquitto_plugin_id_t *identifier, int event, MOSQ_FUNC_generic_callback cb_func,
                                  const void *event_data)
{
    (void)identifier;
    (void)event;
    (void)cb_func;
    (void)event_data;
    return MOSQ_ERR_SUCCESS;
}

void mosquitto_log_printf(int level, const char *fmt, ...)
{
    va_list ap;
    if (level != MOSQ_LOG_ERR)
        return;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

int mosquitto_broker_publish_copy(const char *clientid, const char *topic, int payloadlen, const void *payload, int qos,
                                  bool retain, mosquitto_property *properties)
{
    (void)clientid;
    (void)topic;
    (void)payloadlen;
    (void)payload;
    (void)qos;
    (void)retain;
    (void)properties;
    return MOSQ_ERR_SUCCESS;
}

const char *mosquitto_client_id(const struct mosquitto *client)
{
    return client->id;
}

const char *mosquitto_client_username(const struct mosquitto *client)
{
    (void)client;
    return "anna";
}

const char *mosquitto_client_address(const struct mosquitto *client)
{
    (void)client;
    return "192.0.2.7";
}

void *mosquitto_client_certificate(const struct mosquitto *client)
{
    (void)client;
    return NULL;
}

int mosquitto_property_add_string_pair(mosquitto_property **list, int identifier, const char *name, const char *value)
{
    struct mqtt5__property *p = calloc(1, sizeof(*p));
    if (!p || !(p->name = strdup(name)) || !(p->value = strdup(value)))
        abort();
    p->id = identifier;
    while (*list)
        list = &(*list)->next;
    *list = p;
    return MOSQ_ERR_SUCCESS;
}

int mosquitto_property_identifier(const mosquitto_property *p)
{
    return p->id;
}

const mosquitto_property *mosquitto_property_next(const mosquitto_property *p)
{
    return p->next;
}

const mosquitto_property *mosquitto_property_read_string_pair(const mosquitto_property *p, int identifier, char **name,
                                                              char **value, bool skip_first)
{
    (void)identifier;
    (void)skip_first;
    *name = strdup(p->name);
    *value = strdup(p->value);
    return p;
}

void mosquitto_property_free_all(mosquitto_property **list)
{
    for (struct mqtt5__property *p = *list, *next; p; p = next) {
        next = p->next;
        free(p->name);
        free(p->value);
        free(p);
    }
    *list = NULL;
}

/* Of other kinds than user properties there are none here. */
#define NEVER(name, ...)                                                                                               \
    name(__VA_ARGS__)                                                                                                  \
    {                                                                                                                  \
        abort();                                                                                                       \
    }
int NEVER(mosquitto_property_add_byte, mosquitto_property **l, int i, uint8_t v) int NEVER(
    mosquitto_property_add_int16, mosquitto_property **l, int i,
    uint16_t v) int NEVER(mosquitto_property_add_int32, mosquitto_property **l, int i,
                          uint32_t v) int NEVER(mosquitto_property_add_varint, mosquitto_property **l, int i,
                                                uint32_t v) int NEVER(mosquitto_property_add_string,
                                                                      mosquitto_property **l, int i,
                                                                      const char
                                                                          *v) int NEVER(mosquitto_property_add_binary,
                                                                                        mosquitto_property **l, int i,
                                                                                        const void *v, uint16_t n) const
    mosquitto_property *NEVER(mosquitto_property_read_byte, const mosquitto_property *p, int i, uint8_t *v,
                              bool s) const mosquitto_property *NEVER(mosquitto_property_read_int16,
                                                                      const mosquitto_property *p, int i, uint16_t *v,
                                                                      bool s) const
    mosquitto_property *NEVER(mosquitto_property_read_int32, const mosquitto_property *p, int i, uint32_t *v,
                              bool s) const mosquitto_property *NEVER(mosquitto_property_read_varint,
                                                                      const mosquitto_property *p, int i, uint32_t *v,
                                                                      bool s) const
    mosquitto_property *NEVER(mosquitto_property_read_string, const mosquitto_property *p, int i, char **v,
                              bool s) const mosquitto_property *NEVER(mosquitto_property_read_binary,
                                                                      const mosquitto_property *p, int i, void **v,
                                                                      uint16_t *n, bool s)

    /* --- measuring --- */

    static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int call(int event, void *data)
{
    return callbacks[event] ? callbacks[event](event, data, callback_data[event]) : MOSQ_ERR_SUCCESS;
}

static int write_check(struct mosquitto *c, char *topic)
{
    struct mosquitto_evt_acl_check d = { .client = c, .topic = topic, .access = MOSQ_ACL_WRITE };
    return call(MOSQ_EVT_ACL_CHECK, &d);
}

static int read_check(struct mosquitto *c, char *topic)
{
    struct mosquitto_evt_acl_check d = { .client = c, .topic = topic, .access = MOSQ_ACL_READ };
    return call(MOSQ_EVT_ACL_CHECK, &d);
}

static int message(struct mosquitto *c, char *topic, char *payload, uint32_t len)
{
    struct mosquitto_evt_message d = { .client = c, .topic = topic, .payload = payload, .payloadlen = len };
    int rc = call(MOSQ_EVT_MESSAGE, &d);
    mosquitto_property_free_all(&d.properties);
    return rc;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct part {
    double *ns;
    const char *name;
};

static void report(const struct part *part, size_t rounds, uint32_t payload_bytes)
{
    qsort(part->ns, rounds, sizeof(double), by_size);
    printf("{\"callback\":\"%s\",\"payload_bytes\":%u,\"median_ns\":%.0f,\"p99_ns\":%.0f}\n", part->name, payload_bytes,
           part->ns[rounds / 2], part->ns[rounds / 100 * 99]);
}

/* One message: its publisher is asked about, it is stamped, one receiver is asked about. */
static void measure(size_t rounds, uint32_t payload_bytes)
{
    struct part parts[] = {
        { NULL, "write" }, { NULL, "message" }, { NULL, "read" }, { NULL, "all" }, { NULL, "nothing" }
    };
    char *payload = malloc(payload_bytes + 1), topic[NAME_MAX_BYTES];
    memset(payload, 'x', payload_bytes);
    for (size_t i = 0; i < 5; i++)
        parts[i].ns = calloc(rounds, sizeof(double));
    for (size_t i = 0; i < rounds + WARM_UP; i++) {
        struct mosquitto *c = &clients[i * 7919 % CLIENTS], *reader = &clients[i * 104729 % CLIENTS];
        snprintf(topic, sizeof(topic), "plant/%s/telemetry", c->id);
        double start = now_ns();
        int rc = write_check(c, topic);
        double written = now_ns();
        rc |= message(c, topic, payload, payload_bytes);
        double stamped = now_ns();
        rc |= read_check(reader, topic);
        double end = now_ns(), nothing = now_ns();
        if (rc != MOSQ_ERR_SUCCESS) {
            fprintf(stderr, "a callback answered %d\n", rc);
            exit(1);
        }
        if (i < WARM_UP)
            continue;
        parts[0].ns[i - WARM_UP] = written - start;
        parts[1].ns[i - WARM_UP] = stamped - written;
        parts[2].ns[i - WARM_UP] = end - stamped;
        parts[3].ns[i - WARM_UP] = end - start;
        parts[4].ns[i - WARM_UP] = nothing - end;
    }
    for (size_t i = 0; i < 5; i++) {
        report(&parts[i], rounds, payload_bytes);
        free(parts[i].ns);
    }
    free(payload);
}

static void connect_all(void)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        snprintf(clients[i].id, sizeof(clients[i].id), "device-%zu", i);
        struct mosquitto_evt_basic_auth d = { .client = &clients[i] };
        if (call(MOSQ_EVT_BASIC_AUTH, &d) == MOSQ_ERR_AUTH)
            exit(1);
        struct mosquitto_evt_tick tick = { 0 };
        call(MOSQ_EVT_TICK, &tick);
    }
}

typedef int init_function(mosquitto_plugin_id_t *, void **, struct mosquitto_opt *, int);
typedef int cleanup_function(void *, struct mosquitto_opt *, int);

int main(int argc, char **argv)
{
    struct mosquitto_opt options[20];
    int count = 0;
    void *data = NULL;
    if (argc < 5 || argc > 40) {
        fputs("usage: mosquitto_plugin_bench -c BROKER_CONF PLUGIN ROUNDS OPTION VALUE...\n", stderr);
        return 2;
    }
    for (int i = 5; i + 1 < argc && strncmp(argv[i], "--", 2) != 0; i += 2) /* bench/run ends with --json */
        options[count++] = (struct mosquitto_opt) { argv[i], argv[i + 1] };
    void *plugin = dlopen(argv[3], RTLD_NOW);
    init_function *init = plugin ? (init_function *)dlsym(plugin, "mosquitto_plugin_init") : NULL;
    cleanup_function *cleanup = plugin ? (cleanup_function *)dlsym(plugin, "mosquitto_plugin_cleanup") : NULL;
    if (!init || !cleanup) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    if (init(NULL, &data, options, count) != MOSQ_ERR_SUCCESS)
        return 1;
    connect_all();
    static const uint32_t sizes[] = { 16, 100, 1000, 10000 };
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        measure((size_t)strtoul(argv[4], NULL, 10), sizes[i]);
    return cleanup(data, options, count);
}
