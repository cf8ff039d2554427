/* SPDX-License-Identifier: Apache-2.0 */
/* The `file` action, opened as a rule would open it, but with no rule around: the configuration is a small JSON text
 * made here, and its templates are taken as they stand, since there is no message to evaluate them on. */
#include "engine/flow/dead_letter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/json.h"
#include "engine/base/path.h"
#include "engine/base/utf8.h"

#define DEAD_LETTER_MAX_TEXTS 8
#define PATH_CONF_MAX         ((size_t)64 << 10)

struct dead_letter {
    struct act_host host; /* first: template_add gets it back */
    struct target target;
    struct conf *conf;
    void *action;
    struct act_text texts[DEAD_LETTER_MAX_TEXTS]; /* point into conf */
    int text_count;
    struct outbox *outbox;
};

static int add_text(struct act_host *host, const struct conf *scalar, struct errs *errs)
{
    struct dead_letter *dl = (struct dead_letter *)host;
    if (dl->text_count == DEAD_LETTER_MAX_TEXTS) {
        errs_add(errs, SEV_ERROR, ERR_LIMIT, scalar->at, "too many texts for the dead-letter store");
        return -1;
    }
    dl->texts[dl->text_count] = (struct act_text) { .p = scalar->text, .len = scalar->len };
    return dl->text_count++;
}

static bool text_is_constant(struct act_host *host, int index)
{
    (void)host;
    (void)index;
    return true;
}

/* {"path": …, "sync": "batch"} as a configuration tree. */
static struct conf *make_conf(const char *path, struct errs *errs)
{
    struct buf text;
    buf_init(&text, PATH_CONF_MAX);
    buf_puts(&text, "{\"path\":");
    if (utf8_is_valid(path, strlen(path)))
        json_write_string(&text, path, strlen(path));
    buf_puts(&text, ",\"sync\":\"batch\"}");
    struct src *src = text.failed ? NULL : src_new("<dead letters>", text.p, text.len);
    struct conf *conf = NULL;
    if (src)
        conf = conf_parse(src, true, errs);
    else
        errs_add(errs, SEV_ERROR, ERR_MEMORY, (struct span) { 0 }, "the path of the dead-letter file is too long");
    src_unref(src);
    buf_clear(&text);
    return conf;
}

static int open_action(struct dead_letter *dl, const char *path, const struct targets *targets, struct errs *errs)
{
    const struct action_type *type = targets_type(targets, "file");
    if (!type) {
        errs_add(errs, SEV_ERROR, ERR_CONF_NAME, (struct span) { 0 },
                 "there is no action \"file\" for the dead-letter file");
        return -1;
    }
    dl->target = (struct target) { .name = (char *)"dead letters", .type = type };
    dl->conf = make_conf(path, errs);
    if (!dl->conf)
        return -1;
    dl->target.handle = type->target_open(NULL, targets->env, errs);
    if (!dl->target.handle)
        return -1;
    dl->action = type->action_open(dl->target.handle, dl->conf, &dl->host, errs);
    return dl->action ? 0 : -1;
}

/* A dead letter may come much later: whether there is room for it is looked at before the start. Folders that are
 * missing will be made. */
static int check_writable(const char *given, const char *folder, struct errs *errs)
{
    struct stat st;
    char *path = path_below(folder, given), *at = path ? strdup(path) : NULL;
    const char *why = at ? NULL : "not enough memory";
    bool parent = false;
    while (at && stat(at, &st) < 0 && errno == ENOENT && strcmp(at, ".") != 0) {
        char *up = path_folder(at);
        free(at);
        at = up;
        parent = true;
    }
    if (at && access(at, parent ? W_OK | X_OK : W_OK) < 0)
        why = strerror(errno);
    else if (at && !parent && !S_ISREG(st.st_mode))
        why = "it is no regular file";
    if (why)
        errs_add(errs, SEV_ERROR, ERR_IO, (struct span) { 0 }, "cannot write dead letters to \"%.120s\": %s",
                 path ? path : given, why);
    free(at);
    free(path);
    return why ? -1 : 0;
}

struct dead_letter *dead_letter_open(const char *path, const struct targets *targets, const struct outbox_conf *conf,
                                     struct errs *errs)
{
    struct dead_letter *dl = calloc(1, sizeof(*dl));
    if (!dl) {
        errs_add(errs, SEV_ERROR, ERR_MEMORY, (struct span) { 0 }, "out of memory");
        return NULL;
    }
    dl->host = (struct act_host) { .template_add = add_text, .template_is_constant = text_is_constant };
    struct err e = { 0 };
    struct outbox_conf own = *conf;
    own.never_rejects = true;
    if (check_writable(path, targets->env ? targets->env->folder : NULL, errs) < 0 ||
        open_action(dl, path, targets, errs) < 0)
        goto fail;
    dl->outbox = outbox_new(&own, &dl->target, &e);
    if (!dl->outbox) {
        errs_take(errs, &e);
        goto fail;
    }
    return dl;
fail:
    dead_letter_close(dl);
    return NULL;
}

void dead_letter_close(struct dead_letter *dl)
{
    if (!dl)
        return;
    outbox_free(dl->outbox);
    if (dl->action)
        dl->target.type->action_close(dl->action);
    if (dl->target.handle)
        dl->target.type->target_close(dl->target.handle);
    conf_free(dl->conf);
    free(dl);
}

struct outbox *dead_letter_outbox(const struct dead_letter *dl)
{
    return dl->outbox;
}

void dead_letter_address(const struct dead_letter *dl, struct delivery *d)
{
    d->item.action = dl->action;
    d->item.texts = dl->texts;
}
