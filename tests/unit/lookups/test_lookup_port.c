/* SPDX-License-Identifier: Apache-2.0 */
/* The port with its thread: many askers, closing while questions are under way, and a server that never answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lookups/lookups.h"

#define ASKERS    4
#define QUESTIONS 500

static char folder[] = "/tmp/sluice-lookups-XXXXXX";

struct asked {
    struct lookup lookup;
    sem_t done;
};

static void on_done(struct lookup *l)
{
    sem_post(&((struct asked *)l)->done);
}

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int setup(void **state)
{
    char path[256];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/shadows", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file("shadows/press.json", "{ \"version\": 5 }");
    return 0;
}

static int teardown(void **state)
{
    char path[256];
    (void)state;
    snprintf(path, sizeof(path), "%s/shadows/press.json", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/shadows", folder);
    rmdir(path);
    return rmdir(folder);
}

static struct lookups *open_lookups(struct conf **conf, const char *format, ...)
{
    char text[512];
    struct errs errs = { 0 };
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    struct src *src = src_new("sluice.yaml", text, strlen(text));
    *conf = conf_parse(src, false, &errs);
    src_unref(src);
    struct lookups *l = lookups_open(*conf, &clock_system, &errs);
    if (!l)
        fail_msg("%s", errs.count ? errs.items[0].text : "?");
    errs_clear(&errs);
    return l;
}

static void ask(struct lookups *l, struct asked *a, const char *function, const char *args)
{
    a->lookup = (struct lookup) { .question = { .function = function, .args = args, .args_len = strlen(args) },
                                  .done = on_done };
    sem_init(&a->done, 0, 0);
    struct lookup_port *port = lookups_port(l);
    if (port->ask(port, &a->lookup))
        sem_post(&a->done);
}

static void *ask_often(void *lookups)
{
    for (int i = 0; i < QUESTIONS; i++) {
        struct asked a;
        bool is_there = i % 2 == 0;
        ask(lookups, &a, "get_thing_shadow", is_there ? "[\"press\",\"\"]" : "[\"nowhere\",\"\"]");
        while (sem_wait(&a.done) != 0)
            ;
        assert_int_equal(a.lookup.outcome, is_there ? LOOKUP_ANSWERED : LOOKUP_FAILED);
        assert_string_equal(a.lookup.text, is_there ? "{\"version\":5}" : "there is no such shadow");
        free(a.lookup.text);
        sem_destroy(&a.done);
    }
    return NULL;
}

static void many_threads_ask(void **state)
{
    pthread_t threads[ASKERS];
    struct conf *conf;
    struct err e = { 0 };
    (void)state;
    struct lookups *l = open_lookups(&conf, "documents: %s\n", folder);
    assert_int_equal(lookups_start(l, &e), 0);
    for (int i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, l), 0);
    for (int i = 0; i < ASKERS; i++)
        pthread_join(threads[i], NULL);
    lookups_close(l);
    conf_free(conf);
}

/* A port that takes connections and says nothing. */
static int listen_silently(unsigned *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 128), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* Of some the request is under way, others wait in the queue. */
static void closing_fails_what_is_pending(void **state)
{
    struct asked asked[8];
    struct conf *conf;
    struct err e = { 0 };
    unsigned port;
    int fd = listen_silently(&port);
    (void)state;
    struct lookups *l = open_lookups(
        &conf, "maxRequests: 2\ntimeout: 60s\nsecretsmanager: { endpoint: \"http://127.0.0.1:%u\" }\n", port);
    assert_int_equal(lookups_start(l, &e), 0);
    for (int i = 0; i < 8; i++)
        ask(l, &asked[i], "get_secret", "[\"api\"]");
    int taken = accept(fd, NULL, NULL); /* so one is under way */
    lookups_close(l);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(sem_trywait(&asked[i].done), 0);
        assert_int_equal(asked[i].lookup.outcome, LOOKUP_FAILED);
        assert_string_equal(asked[i].lookup.text, "the service is stopping");
        free(asked[i].lookup.text);
        sem_destroy(&asked[i].done);
    }
    close(taken);
    close(fd);
    conf_free(conf);
}

static void the_time_of_a_question_counts_from_its_turn(void **state)
{
    struct asked asked[3];
    struct conf *conf;
    struct err e = { 0 };
    unsigned port;
    int fd = listen_silently(&port);
    (void)state;
    struct lookups *l =
        open_lookups(&conf, "maxRequests: 1\ntimeout: 100ms\ndynamodb: { endpoint: \"http://127.0.0.1:%u\" }\n", port);
    assert_int_equal(lookups_start(l, &e), 0);
    for (int i = 0; i < 3; i++)
        ask(l, &asked[i], "get_dynamodb", "[\"t\",\"k\",1]");
    for (int i = 0; i < 3; i++) {
        while (sem_wait(&asked[i].done) != 0)
            ;
        assert_int_equal(asked[i].lookup.outcome, LOOKUP_FAILED);
        assert_string_equal(asked[i].lookup.text, "there was no answer in time");
        free(asked[i].lookup.text);
        sem_destroy(&asked[i].done);
    }
    lookups_close(l);
    close(fd);
    conf_free(conf);
}

static void what_nobody_answers_fails_at_once(void **state)
{
    struct asked a;
    struct conf *conf;
    const char *option;
    (void)state;
    struct lookups *l = open_lookups(&conf, "documents: %s\n", folder);
    ask(l, &a, "get_secret", "[\"api\"]");
    assert_int_equal(a.lookup.outcome, LOOKUP_FAILED);
    assert_string_equal(a.lookup.text, "sluice.yaml does not say who answers it");
    free(a.lookup.text);
    sem_destroy(&a.done);
    assert_true(lookups_can(l, "get_registry_data", &option));
    assert_false(lookups_can(l, "aws_lambda", &option));
    assert_string_equal(option, "lambda");
    lookups_close(l); /* never started */
    conf_free(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_threads_ask),
        cmocka_unit_test(closing_fails_what_is_pending),
        cmocka_unit_test(the_time_of_a_question_counts_from_its_turn),
        cmocka_unit_test(what_nobody_answers_fails_at_once),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
