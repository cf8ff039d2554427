/* SPDX-License-Identifier: Apache-2.0 */
/* The server writes as many whole frames at a time as fit a large buffer; TCP holds it back to what the reader takes. The last message of a run has
 * QoS 1: its acknowledgement says that all before it have been read. The clock runs from the first frame to that. */
#include "bench/pipeline/ingest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench/pipeline/broker_link.h"
#include "bench/pipeline/child.h"
#include "bench/pipeline/now.h"

#define PAYLOAD_BYTES 130
#define CHUNK_BYTES   ((size_t)1 << 20)
#define WARM_SECONDS  0.3
#define ROUNDS_MAX    99u
#define TOPIC         "plant/7/telemetry"

struct server {
    int listen_fd, fd;
    uint16_t port;
    pthread_t thread;
    atomic_bool go, failed;
    double seconds; /* of the run */
    double rate;    /* messages/s that it measured */
    char *chunk;    /* frames */
    size_t chunk_len, frames;
};

/* --- frames --- */

/* A PUBLISH of MQTT 5 without properties; id 0: QoS 0. Returns its length. */
static size_t put_publish(char *at, uint16_t id)
{
    size_t topic = strlen(TOPIC), rest = 2 + topic + (id ? 2 : 0) + 1 + PAYLOAD_BYTES;
    char *p = at;
    *p++ = id ? 0x32 : 0x30;
    p += broker_put_length(p, rest);
    *p++ = 0;
    *p++ = (char)topic;
    memcpy(p, TOPIC, topic);
    p += topic;
    if (id) {
        *p++ = (char)(id >> 8);
        *p++ = (char)id;
    }
    *p++ = 0;
    memset(p, ' ', PAYLOAD_BYTES);
    snprintf(p, PAYLOAD_BYTES, "{\"temperature\":21.5,\"pad\":\"%090d\"", 7);
    p[strlen(p)] = ' ';
    p[PAYLOAD_BYTES - 1] = '}';
    return (size_t)(p + PAYLOAD_BYTES - at);
}

static int make_chunk(struct server *s, struct err *e)
{
    char one[512];
    size_t len = put_publish(one, 0);
    s->frames = CHUNK_BYTES / len;
    s->chunk_len = s->frames * len;
    s->chunk = malloc(s->chunk_len);
    if (!s->chunk)
        return err_set(e, ERR_MEMORY, "not enough memory");
    for (size_t i = 0; i < s->frames; i++)
        memcpy(s->chunk + i * len, one, len);
    return 0;
}

/* --- the server --- */

static bool write_all(int fd, const char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static bool read_all(int fd, char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = read(fd, p, len);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* The next packet: its type, its body in `body`. 0: there is none any more, or it is too large. */
static unsigned read_packet(int fd, char *body, size_t size, size_t *len)
{
    char first, byte;
    *len = 0;
    if (!read_all(fd, &first, 1))
        return 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
        if (!read_all(fd, &byte, 1))
            return 0;
        *len |= (size_t)(byte & 127) << shift;
        if (!(byte & 0x80))
            break;
    }
    return *len <= size && read_all(fd, body, *len) ? (unsigned char)first >> 4 : 0;
}

static bool answer(int fd, unsigned type, const char *body)
{
    const char connack[] = { 0x20, 3, 0, 0, 0 };
    const char suback[] = { (char)0x90, 4, body[0], body[1], 0, 0 };
    const char pingresp[] = { (char)0xd0, 0 };
    switch (type) {
    case 1:
        return write_all(fd, connack, sizeof(connack));
    case 8:
        return write_all(fd, suback, sizeof(suback));
    case 12:
        return write_all(fd, pingresp, sizeof(pingresp));
    default:
        return false;
    }
}

/* Answer what comes until the run is to begin. */
static bool serve(struct server *s)
{
    char body[4096];
    size_t len;
    struct pollfd p = { .fd = s->fd, .events = POLLIN };
    while (!atomic_load(&s->go)) {
        if (poll(&p, 1, 1) <= 0)
            continue;
        unsigned type = read_packet(s->fd, body, sizeof(body), &len);
        if (!type || !answer(s->fd, type, body))
            return false;
    }
    return true;
}

/* Write for so long, and wait until all is read. Returns messages/s; 0: the connection ended. */
static double blast(struct server *s, double seconds)
{
    char last[512], body[16];
    size_t len = put_publish(last, 1), got, count = 1;
    double start = now_s();
    while (now_s() - start < seconds) {
        if (!write_all(s->fd, s->chunk, s->chunk_len))
            return 0;
        count += s->frames;
    }
    if (!write_all(s->fd, last, len))
        return 0;
    for (;;) {
        unsigned type = read_packet(s->fd, body, sizeof(body), &got);
        if (type == 4)
            return (double)count / (now_s() - start);
        if (type == 0 || !answer(s->fd, type, body))
            return 0;
    }
}

static void *run_server(void *arg)
{
    struct server *s = arg;
    s->fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (s->fd < 0 || !serve(s) || blast(s, WARM_SECONDS) <= 0) {
        atomic_store(&s->failed, true);
        return NULL;
    }
    s->rate = blast(s, s->seconds);
    return NULL;
}

static int server_open(struct server *s, struct err *e)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    s->fd = -1;
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listen_fd < 0 || bind(s->listen_fd, (struct sockaddr *)&at, len) < 0 || listen(s->listen_fd, 1) < 0 ||
        getsockname(s->listen_fd, (struct sockaddr *)&at, &len) < 0)
        return err_set(e, ERR_IO, "could not listen: %s", strerror(errno));
    s->port = ntohs(at.sin_port);
    return make_chunk(s, e);
}

static void server_close(struct server *s)
{
    if (s->fd >= 0)
        close(s->fd);
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    free(s->chunk);
}

/* --- who reads --- */

/* Both runs of the server: the warm one and the other. */
static int read_bare(struct server *s, const struct ingest_options *o, struct err *e)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(s->port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? -1 : 0;
    atomic_store(&s->go, true);
    if (rc < 0 || !o->bare(fd) || !o->bare(fd))
        rc = err_set(e, ERR_IO, "the bare reader failed: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}

static int read_sluice(struct server *s, const char *folder, struct err *e)
{
    char broker[64];
    struct child child = { 0 };
    snprintf(broker, sizeof(broker), "mqtt://127.0.0.1:%u", s->port);
    const struct child_plan plan = { .folder = folder,
                                     .broker = broker,
                                     .tag = "elsewhere", /* its rule wants other topics: the way ends at the router */
                                     .connections = "",
                                     .action = "file: { path: out.ndjson }" };
    int rc = child_start(&child, &plan, e);
    atomic_store(&s->go, true);
    if (rc < 0)
        shutdown(s->listen_fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    return child_stop(&child, rc < 0 ? NULL : e) < 0 ? -1 : rc;
}

/* One run. Returns messages/s; 0 with e. */
static double measure(const struct ingest_options *o, const char *folder, struct err *e)
{
    struct server s = { .listen_fd = -1, .fd = -1, .seconds = o->seconds };
    int rc = server_open(&s, e);
    if (rc == 0 && pthread_create(&s.thread, NULL, run_server, &s) != 0)
        rc = err_set(e, ERR_MEMORY, "could not start a thread");
    if (rc == 0 && folder) {
        rc = read_sluice(&s, folder, e);
    } else if (rc == 0) {
        rc = read_bare(&s, o, e);
        pthread_join(s.thread, NULL);
    }
    server_close(&s);
    if (rc == 0 && (atomic_load(&s.failed) || s.rate <= 0))
        err_set(e, ERR_IO, "the connection ended during the measurement");
    return rc == 0 ? s.rate : 0;
}

/* --- rounds --- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *list, size_t n)
{
    qsort(list, n, sizeof(*list), compare);
    return n % 2 ? list[n / 2] : (list[n / 2 - 1] + list[n / 2]) / 2;
}

static void print_result(const struct ingest_options *o, double sluice, double bare, double ratio)
{
    size_t bytes = put_publish((char[512]) { 0 }, 0);
    if (o->json) {
        printf("{\"bench\":\"ingest\",\"frame_bytes\":%zu,\"rounds\":%zu,\"sluice_messages_per_s\":%.0f,"
               "\"bare_messages_per_s\":%.0f,\"ratio\":%.3f}\n",
               bytes, o->rounds, sluice, bare, ratio);
        return;
    }
    printf("a full socket to the router; QoS 0, payloads of %d bytes, frames of %zu, medians of %zu rounds of %g s\n",
           PAYLOAD_BYTES, bytes, o->rounds, o->seconds);
    printf("%16s %18s %8s\n%16.0f %18.0f %8.2f\n", "sluice, msg/s", "bare reader, msg/s", "ratio", sluice, bare, ratio);
}

static int run_rounds(const struct ingest_options *o, const char *folder, struct err *e)
{
    double sluice[ROUNDS_MAX], bare[ROUNDS_MAX], ratio[ROUNDS_MAX];
    size_t n = o->rounds < ROUNDS_MAX ? o->rounds : ROUNDS_MAX;
    for (size_t i = 0; i < n; i++) {
        bare[i] = measure(o, NULL, e);
        sluice[i] = bare[i] > 0 ? measure(o, folder, e) : 0;
        if (sluice[i] <= 0)
            return -1;
        ratio[i] = sluice[i] / bare[i];
    }
    print_result(o, median(sluice, n), median(bare, n), median(ratio, n));
    return 0;
}

int ingest_run(const struct ingest_options *o, struct err *e)
{
    char folder[] = "/tmp/sluice-bench-XXXXXX";
    if (!mkdtemp(folder))
        return err_set(e, ERR_IO, "could not make a folder: %s", strerror(errno));
    int rc = run_rounds(o, folder, e);
    child_remove_folder(folder);
    return rc;
}
