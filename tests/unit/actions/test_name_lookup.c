/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "actions/name_lookup.h"

/* --- a resolver in the place of the system's: "slow" waits until it is let go --- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_asked, is_let_go;
static int freed;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    pthread_mutex_lock(&lock);
    is_asked = true;
    pthread_cond_broadcast(&changed);
    while (strcmp(node, "slow") == 0 && !is_let_go)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    if (strcmp(node, "unknown") == 0)
        return EAI_NONAME;
    *found = calloc(1, sizeof(**found));
    (*found)->ai_family = hints ? hints->ai_family : AF_UNSPEC;
    (*found)->ai_flags = atoi(service);
    return 0;
}

void freeaddrinfo(struct addrinfo *found)
{
    free(found);
    pthread_mutex_lock(&lock);
    freed++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static int set_up(void **state)
{
    (void)state;
    is_asked = is_let_go = false;
    freed = 0;
    return 0;
}

static void the_answer_is_handed_on(void **state)
{
    (void)state;
    const struct addrinfo hints = { .ai_family = AF_INET6 };
    struct addrinfo *found = NULL;
    assert_int_equal(name_lookup("known", "9092", &hints, -1, &found), 0);
    assert_int_equal(found->ai_family, AF_INET6);
    assert_int_equal(found->ai_flags, 9092);
    freeaddrinfo(found);
    assert_int_equal(name_lookup("known", "1", NULL, -1, &found), 0);
    assert_int_equal(found->ai_family, AF_UNSPEC);
    freeaddrinfo(found);
}

static void so_is_a_failure(void **state)
{
    (void)state;
    struct addrinfo *found = NULL;
    assert_int_equal(name_lookup("unknown", "1", NULL, -1, &found), EAI_NONAME);
    assert_null(found);
}

static void *end_when_asked(void *fd)
{
    pthread_mutex_lock(&lock);
    while (!is_asked)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    eventfd_write(*(int *)fd, 1);
    return NULL;
}

/* The caller goes on; what the resolver finds at last is freed. */
static void a_look_up_that_takes_long_is_left_alone(void **state)
{
    (void)state;
    struct addrinfo *found = NULL;
    pthread_t thread;
    int fd = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(pthread_create(&thread, NULL, end_when_asked, &fd), 0);
    assert_int_equal(name_lookup("slow", "1", NULL, fd, &found), EAI_AGAIN);
    assert_null(found);
    pthread_join(thread, NULL);
    close(fd);
    pthread_mutex_lock(&lock);
    is_let_go = true;
    pthread_cond_broadcast(&changed);
    while (freed == 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_answer_is_handed_on, set_up),
        cmocka_unit_test_setup(so_is_a_failure, set_up),
        cmocka_unit_test_setup(a_look_up_that_takes_long_is_left_alone, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
