/* SPDX-License-Identifier: Apache-2.0 */
/* file: lines appended to files (NDJSON, if the outputs are JSON).
 *
 * All rules that write files share one lane, so one thread writes them all. It keeps up to FILE_OPEN_MAX files open.
 * Relative paths are relative to the folder of sluice.yaml.
 *
 * Items of one file are written in order, and one that has to wait holds up those after it. */
#include "actions/act_file_int.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "actions/actions_int.h"
#include "actions/append_file.h"
#include "actions/items.h"
#include "engine/base/clock.h"
#include "engine/base/opt.h"
#include "engine/base/path.h"

enum { SYNC_NEVER, SYNC_BATCH };

struct file_act {
    const struct conf *path;
    int path_text;
    size_t constant_len; /* leading bytes of the path that no message can change */
    bool is_constant;
    int sync; /* SYNC_… */
    struct append_policy policy;
};

static const char *const sync_names[] = { "never", "batch", NULL };

static const struct opt action_options[] = {
    { "path", OPT_TEMPLATE, offsetof(struct file_act, path), .required = true,
      .help = "file to append to, relative to the folder of sluice.yaml; may be a template" },
    { "createFolders", OPT_BOOL, offsetof(struct file_act, policy.create_folders), .def = "true",
      .help = "create the folders of the path that are missing" },
    { "rotateSize", OPT_SIZE, offsetof(struct file_act, policy.rotate_size), .def = "0", .max = INT64_MAX,
      .help = "rename the file before it grows beyond this; 0: never" },
    { "rotateAge", OPT_DURATION, offsetof(struct file_act, policy.rotate_age_ms), .def = "0", .max = INT64_MAX,
      .help = "rename the file this long after its first line; 0: never" },
    { "keep", OPT_INT, offsetof(struct file_act, policy.keep), .def = "5", .min = 1, .max = 999,
      .help = "renamed files to keep: path.1 is the newest" },
    { "sync", OPT_CHOICE, offsetof(struct file_act, sync), .def = "never", .choices = sync_names,
      .help = "batch: a line counts as done only when it is on the disk, synced once a batch" },
};
#define ACTION_OPTIONS (sizeof(action_options) / sizeof(action_options[0]))

/* --- paths --- */

/* Is there a `..` segment that ends behind the constant part? */
static bool climbs(const struct act_text *path, size_t constant_len)
{
    for (size_t i = 0; i < path->len;) {
        const char *slash = memchr(path->p + i, '/', path->len - i);
        size_t end = slash ? (size_t)(slash - path->p) : path->len;
        if (end - i == 2 && memcmp(path->p + i, "..", 2) == 0 && end >= constant_len)
            return true;
        i = end + 1;
    }
    return false;
}

int file_path_check(const struct act_text *path, size_t constant_len, struct err *e)
{
    if (path->len == 0)
        return err_set(e, ERR_TEMPLATE, "the path is empty");
    if (path->len >= PATH_MAX)
        return err_set(e, ERR_TEMPLATE, "the path has %zu bytes, more than %d", path->len, PATH_MAX - 1);
    if (memchr(path->p, '\0', path->len))
        return err_set(e, ERR_TEMPLATE, "the path holds the character NUL");
    if (path->p[path->len - 1] == '/')
        return err_set(e, ERR_TEMPLATE, "the path ends with \"/\", so it names a folder");
    if (constant_len >= path->len)
        return 0;
    if (path->p[0] == '/' && constant_len == 0)
        return err_set(e, ERR_TEMPLATE, "a message cannot choose an absolute path");
    if (climbs(path, constant_len))
        return err_set(e, ERR_TEMPLATE, "a message cannot choose a path with \"..\"");
    return 0;
}

/* --- classification --- */

enum file_verdict file_verdict_of(int failure, bool by_message)
{
    switch (failure) {
    case APPEND_NOT_REGULAR:
    case EACCES:
    case EPERM:
    case EISDIR:
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
    case EINVAL: /* a name that the file system does not take */
    case EILSEQ:
        return by_message ? FILE_REJECTED : FILE_MISCONFIGURED;
    case EROFS:
        return FILE_MISCONFIGURED;
    default: /* ENOSPC, EDQUOT, EIO, EMFILE, ESTALE, …: about the system, not about the path */
        return FILE_LATER;
    }
}

/* --- action --- */

static void file_action_close(void *action)
{
    free(action);
}

static int check_constant_path(const struct file_act *a, struct errs *errs)
{
    struct err e = { 0 };
    const struct act_text path = { .p = a->path->text, .len = a->path->len };
    if (!a->is_constant || file_path_check(&path, a->constant_len, &e) == 0)
        return 0;
    return errs_refuse_value(errs, &e, a->path->at);
}

/* The folder of sluice.yaml holds what a message should not reach: the configuration, rules, dead letters. */
static void warn_free_path(const struct file_act *a, struct errs *errs)
{
    struct err *e = errs_add(errs, SEV_WARNING, ERR_CONF_VALUE, a->path->at,
                             "a message can choose any file below the folder of sluice.yaml, sluice.yaml among them");
    err_hint(e, "Begin the path with a folder of its own.");
}

static int open_path_template(struct file_act *a, struct act_host *host, struct errs *errs)
{
    if (!a->path)
        return -1;
    a->path_text = host->template_add(host, a->path, errs);
    if (a->path_text < 0)
        return -1;
    a->constant_len = act_constant_prefix(a->path);
    a->is_constant = host->template_is_constant(host, a->path_text);
    if (!a->is_constant && a->constant_len == 0)
        warn_free_path(a, errs);
    return check_constant_path(a, errs);
}

static void *file_action_open(void *target, const struct conf *conf, struct act_host *host, struct errs *errs)
{
    (void)target;
    struct file_act *a = calloc(1, sizeof(*a));
    if (!a) {
        errs_add(errs, SEV_ERROR, ERR_MEMORY, conf->at, "not enough memory");
        return NULL;
    }
    int rc = opt_read(action_options, ACTION_OPTIONS, conf, "file", conf->at, a, errs);
    if (open_path_template(a, host, errs) < 0 || rc < 0) {
        file_action_close(a);
        return NULL;
    }
    a->policy.sync = a->sync == SYNC_BATCH;
    return a;
}

static void file_resource(const void *action, const struct act_text *texts, struct buf *out)
{
    const struct act_text *path = &texts[((const struct file_act *)action)->path_text];
    buf_put(out, path->p, path->len);
}

/* --- target and lane --- */

struct file_target {
    const struct act_env *env;
};

static void *file_target_open(const struct conf *conf, const struct act_env *env, struct errs *errs)
{
    (void)conf;
    struct file_target *t = calloc(1, sizeof(*t));
    if (t)
        t->env = env;
    else
        errs_add(errs, SEV_ERROR, ERR_MEMORY, (struct span) { 0 }, "not enough memory");
    return t;
}

static void file_target_close(void *target)
{
    free(target);
}

struct file_lane {
    const struct act_env *env;
    struct item_groups groups;
    struct append_file files[FILE_OPEN_MAX];
    uint64_t uses;
};

static void *file_lane_open(void *target, struct err *e)
{
    struct file_lane *l = calloc(1, sizeof(*l));
    if (l)
        l->env = ((struct file_target *)target)->env;
    else
        err_set(e, ERR_MEMORY, "not enough memory for a lane");
    return l;
}

static void file_lane_close(void *lane)
{
    struct file_lane *l = lane;
    if (!l)
        return;
    for (size_t i = 0; i < FILE_OPEN_MAX; i++)
        append_close(&l->files[i]);
    item_groups_clear(&l->groups);
    free(l);
}

/* The slot of a path: the one that has it open, else a free one, else the one not used longest. */
static struct append_file *find_slot(struct file_lane *l, const char *path)
{
    struct append_file *oldest = &l->files[0];
    for (size_t i = 0; i < FILE_OPEN_MAX; i++) {
        struct append_file *f = &l->files[i];
        if (f->path && strcmp(f->path, path) == 0)
            return f;
        if (oldest->path && (!f->path || f->used < oldest->used))
            oldest = f;
    }
    append_close(oldest);
    return oldest;
}

/* The open file of a path. Returns 0 or what append_open returns. */
static int get_file(struct file_lane *l, const char *path, const struct append_policy *p, struct append_file **file)
{
    struct append_file *f = find_slot(l, path);
    if (f->path && !append_is_current(f))
        append_close(f);
    int rc = f->path ? 0 : append_open(f, path, p, l->env->clock);
    f->used = ++l->uses;
    *file = f;
    return rc;
}

/* --- send --- */

static void fail_items(const struct file_act *a, struct item_group group, const char *path, int failure)
{
    const char *why = failure == APPEND_NOT_REGULAR ? "it is no regular file" : strerrordesc_np(failure);
    enum file_verdict verdict = file_verdict_of(failure, !a->is_constant);
    for (size_t i = 0; i < group.count; i++) {
        if (verdict == FILE_REJECTED)
            item_reject(group.items[i], "cannot write to \"%s\": %s", path, why ? why : "unknown error");
        else if (verdict == FILE_MISCONFIGURED)
            item_misconfigured(group.items[i], "could not write to \"%s\": %s", path, why ? why : "unknown error");
        else
            item_later(group.items[i], "could not write to \"%s\": %s", path, why ? why : "unknown error");
    }
}

static void write_group(struct file_lane *l, struct item_group group, const char *path)
{
    const struct file_act *a = group.items[0]->action;
    struct append_file *f;
    size_t done = 0;
    int rc = get_file(l, path, &a->policy, &f);
    if (rc == 0)
        rc = append_items(f, &a->policy, l->env->clock, group.items, group.count, &done);
    for (size_t i = 0; i < done; i++)
        item_done(group.items[i]);
    if (rc != 0)
        fail_items(a, (struct item_group) { group.items + done, group.count - done }, path, rc);
}

static void send_group(struct file_lane *l, struct item_group group)
{
    const struct file_act *a = group.items[0]->action;
    const struct act_text *text = &group.items[0]->texts[a->path_text];
    struct err e = { 0 };
    if (file_path_check(text, a->constant_len, &e) < 0) {
        for (size_t i = 0; i < group.count; i++)
            item_reject(group.items[i], "%s", e.text);
        return;
    }
    char name[PATH_MAX];
    memcpy(name, text->p, text->len);
    name[text->len] = '\0';
    char *path = path_below(l->env->folder, name);
    if (path)
        write_group(l, group, path);
    else
        fail_items(a, group, name, ENOMEM);
    free(path);
}

static bool same_file(const struct act_item *x, const struct act_item *y)
{
    if (x->action != y->action)
        return false;
    int text = ((const struct file_act *)x->action)->path_text;
    return act_text_equal(&x->texts[text], &y->texts[text]);
}

static int file_send(void *lane, struct act_item *const *items, size_t count, struct err *e)
{
    struct file_lane *l = lane;
    items_start(items, count);
    if (items_group(&l->groups, items, count, same_file, e) < 0)
        return -1;
    for (size_t i = 0; i < l->groups.count; i++)
        send_group(l, l->groups.list[i]);
    return 0;
}

const struct action_type act_file = {
    .name = "file",
    .failed_action = "FileAction",
    .doc = "append lines to a file, rotated by size and age (extension)",
    .connection = ACT_CONNECTION_NONE,
    .options = action_options,
    .option_count = ACTION_OPTIONS,
    .target_open = file_target_open,
    .target_close = file_target_close,
    .action_open = file_action_open,
    .action_close = file_action_close,
    .resource = file_resource,
    .lane_open = file_lane_open,
    .send = file_send,
    .lane_close = file_lane_close,
};
