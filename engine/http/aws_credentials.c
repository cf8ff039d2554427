/* SPDX-License-Identifier: Apache-2.0 */
/* The shared credentials file is an INI file: sections are profiles, "#" and ";" begin comments, an indented line
 * belongs to the setting before it (nested settings of other tools) and is passed over. */
#include "engine/http/aws_credentials.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/path.h"

#define REFRESH_MS 60000u

#define FIELD(name) offsetof(struct aws_source, name)

const struct opt aws_source_options[AWS_SOURCE_OPTION_COUNT] = {
    { "accessKeyId", OPT_TEXT, FIELD(key_id), .help = "access key id" },
    { "secretAccessKey", OPT_TEXT, FIELD(secret), .help = "secret access key" },
    { "sessionToken", OPT_TEXT, FIELD(token), .help = "session token of temporary credentials" },
    { "file", OPT_PATH, FIELD(file),
      .help = "shared credentials file; absent: AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/credentials" },
    { "profile", OPT_TEXT, FIELD(profile), .help = "profile in that file; absent: AWS_PROFILE, else \"default\"" },
};

void aws_source_clear(struct aws_source *s)
{
    if (s->secret)
        explicit_bzero(s->secret, strlen(s->secret));
    opt_free(aws_source_options, AWS_SOURCE_OPTION_COUNT, s);
}

int aws_source_read(struct aws_source *s, const struct conf *conf, struct errs *errs)
{
    if (!conf)
        return 0;
    if (opt_read(aws_source_options, AWS_SOURCE_OPTION_COUNT, conf, "credentials", conf->at, s, errs) < 0)
        return -1;
    bool keys = s->key_id || s->secret || s->token;
    if (keys && (!s->key_id || !s->secret)) {
        errs_add(errs, SEV_ERROR, ERR_CONF_MISSING, conf->at,
                 "\"credentials\" needs \"accessKeyId\" and \"secretAccessKey\" together");
        return -1;
    }
    if (keys && (s->file || s->profile)) {
        errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, conf->at, "\"credentials\" has keys or names a profile, not both");
        return -1;
    }
    return 0;
}

static void wipe(char *p)
{
    if (p)
        explicit_bzero(p, strlen(p));
    free(p);
}

void aws_credentials_clear(struct aws_credentials *c)
{
    wipe(c->key_id);
    wipe(c->secret);
    wipe(c->token);
    *c = (struct aws_credentials) { 0 };
}

/* True if there is a value. */
static bool is_set(const char *s)
{
    return s && s[0];
}

static int copy(struct aws_credentials *c, const char *key_id, const char *secret, const char *token, bool *found,
                struct err *e)
{
    c->key_id = strdup(key_id);
    c->secret = strdup(secret);
    c->token = is_set(token) ? strdup(token) : NULL;
    if (!c->key_id || !c->secret || (is_set(token) && !c->token)) {
        aws_credentials_clear(c);
        return err_set(e, ERR_MEMORY, "not enough memory for credentials");
    }
    *found = true;
    return 0;
}

/* --- shared credentials file --- */

static char *trim(char *s)
{
    s += strspn(s, " \t\r\n");
    size_t len = strlen(s);
    while (len > 0 && strchr(" \t\r\n", s[len - 1]))
        len--;
    s[len] = '\0';
    return s;
}

static int take(char **field, const char *value, struct err *e)
{
    wipe(*field);
    *field = strdup(value);
    return *field ? 0 : err_set(e, ERR_MEMORY, "not enough memory for credentials");
}

/* "name = value" of the profile. */
static int take_setting(struct aws_credentials *c, char *line, struct err *e)
{
    char *equals = strchr(line, '=');
    if (!equals)
        return 0;
    *equals = '\0';
    const char *name = trim(line), *value = trim(equals + 1);
    if (strcmp(name, "aws_access_key_id") == 0)
        return take(&c->key_id, value, e);
    if (strcmp(name, "aws_secret_access_key") == 0)
        return take(&c->secret, value, e);
    return strcmp(name, "aws_session_token") == 0 ? take(&c->token, value, e) : 0;
}

/* "[name]" */
static bool is_section(char *line, const char *name)
{
    char *end = strchr(line, ']');
    if (!end)
        return false;
    *end = '\0';
    return strcmp(trim(line + 1), name) == 0;
}

static int read_profile(FILE *in, const char *profile, struct aws_credentials *c, struct err *e)
{
    char *line = NULL;
    size_t room = 0;
    bool inside = false;
    int rc = 0;
    while (rc == 0 && getline(&line, &room, in) > 0) {
        if (line[0] == '[')
            inside = is_section(line, profile);
        else if (inside && !strchr("#; \t\r\n", line[0]))
            rc = take_setting(c, line, e);
    }
    if (rc == 0 && ferror(in))
        rc = err_set(e, ERR_IO, "the shared credentials file could not be read");
    if (line)
        explicit_bzero(line, room);
    free(line);
    return rc;
}

/* The file to look into; owned. */
static char *file_path(const struct aws_source *s)
{
    const char *env = getenv("AWS_SHARED_CREDENTIALS_FILE"), *home = getenv("HOME");
    if (s->file || is_set(env))
        return strdup(s->file ? s->file : env);
    return is_set(home) ? path_below(home, ".aws/credentials") : NULL;
}

static int find_in_file(const struct aws_source *s, struct aws_credentials *c, bool *found, struct err *e)
{
    const char *env = getenv("AWS_PROFILE"), *profile = s->profile ? s->profile : is_set(env) ? env : "default";
    bool named = s->file || s->profile;
    char *path = file_path(s);
    FILE *in = path ? fopen(path, "re") : NULL;
    int rc = 0;
    if (!in) {
        rc = named ? err_set(e, ERR_IO, "the shared credentials file could not be opened: %s", strerror(errno)) : 0;
        goto out;
    }
    rc = read_profile(in, profile, c, e);
    fclose(in);
    *found = rc == 0 && is_set(c->key_id) && is_set(c->secret);
    if (c->token && !c->token[0]) {
        free(c->token);
        c->token = NULL;
    }
    if (rc == 0 && !*found && named)
        rc = err_set(e, ERR_CONF_MISSING, "the shared credentials file has no keys in profile \"%.80s\"", profile);
    if (!*found)
        aws_credentials_clear(c);
out:
    free(path);
    return rc;
}

int aws_credentials_find(const struct aws_source *s, struct aws_credentials *c, bool *found, struct err *e)
{
    const char *key_id = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY");
    *c = (struct aws_credentials) { 0 };
    *found = false;
    if (s->key_id)
        return copy(c, s->key_id, s->secret, s->token, found, e);
    if (!s->file && !s->profile && is_set(key_id) && is_set(secret))
        return copy(c, key_id, secret, getenv("AWS_SESSION_TOKEN"), found, e);
    return find_in_file(s, c, found, e);
}

bool aws_kept_refresh(struct aws_kept *k, const struct aws_source *s, uint64_t now_ms)
{
    struct aws_credentials next;
    bool found;
    struct err ignored = { 0 };
    if (now_ms < k->again_ms)
        return false;
    k->again_ms = now_ms + REFRESH_MS;
    if (aws_credentials_find(s, &next, &found, &ignored) < 0 || !found)
        return false;
    aws_credentials_clear(&k->now);
    k->now = next;
    k->found = true;
    return true;
}

int aws_source_check(const struct aws_source *s, const struct conf *conf, struct errs *errs)
{
    struct aws_credentials found;
    struct err e = { 0 };
    bool is_there;
    int rc = aws_credentials_find(s, &found, &is_there, &e);
    aws_credentials_clear(&found);
    return rc < 0 && conf ? errs_refuse_value(errs, &e, conf->at) : 0;
}
