/* SPDX-License-Identifier: Apache-2.0 */
/* Log: one line an event, for a person on a terminal, as JSON lines otherwise.
 *
 *     12:04:31 WARN  broker 127.0.0.1:1883 is not reachable, trying again in 2 s  source=mqtt reason="Connection refused"
 *     {"timestamp":"2026-01-31 12:04:31.120","logLevel":"WARN","message":"…","source":"mqtt","reason":"…"}
 *
 * Safe from any thread: a line is one write(2). Never call with a lock held. No secrets in the fields. */
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H

#include "engine/base/err.h"

#include <stdbool.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, LOG_LEVEL_DISABLED };
enum log_form { LOG_FORM_AUTO, LOG_FORM_PERSON, LOG_FORM_JSON }; /* AUTO: person if the descriptor is a terminal */

/* Set once at start, before threads. Defaults: standard error, INFO, AUTO. */
void log_setup(int fd, enum log_level level, enum log_form form);
bool log_is_on(enum log_level level);
/* Are lines written for a person, rather than as JSON? */
bool log_is_for_person(void);
/* "debug", "info", "warn", "error", "disabled" in any case; false if none of them. */
bool log_level_parse(const char *s, enum log_level *level);

/* Fields are pairs of name and text, ended by NULL:  log_event(LOG_LEVEL_WARN, (const char *[]){"rule", name, NULL}, "…", …).
 * fields may be NULL. A value may be NULL: the field is left out. */
void log_event(enum log_level level, const char *const *fields, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_debug(...) log_event(LOG_LEVEL_DEBUG, NULL, __VA_ARGS__)
#define log_info(...)  log_event(LOG_LEVEL_INFO, NULL, __VA_ARGS__)
#define log_warn(...)  log_event(LOG_LEVEL_WARN, NULL, __VA_ARGS__)
#define log_error(...) log_event(LOG_LEVEL_ERROR, NULL, __VA_ARGS__)

/* Log an error with its place if it has one, and in JSON the lines with a caret that show it there; shows_text: they hold no
 * secrets. */
void log_err(enum log_level level, const char *const *fields, const struct err *e, bool shows_text);

#endif
