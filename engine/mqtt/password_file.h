/* SPDX-License-Identifier: Apache-2.0 */
/* Password files in the form of mosquitto_passwd (Mosquitto 1.6 and later, hash "$7$"):
 *
 *     name:$7$ITERATIONS$SALT$HASH      PBKDF2-HMAC-SHA512 (RFC 8018), 64 bytes; salt and hash in base64
 *
 * A file that has changed is read again when the next password is to be checked; while it cannot be read, its users of before stay, and the
 * log says why. Who is connected stays so. Thread: one at a time. */
#ifndef SLUICE_MQTT_PASSWORD_FILE_H
#define SLUICE_MQTT_PASSWORD_FILE_H

#include "engine/base/buf.h"
#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct password_file;

/* Returns owned; NULL: ERR_IO, ERR_MEMORY, or ERR_CONF_VALUE with the line. */
struct password_file *password_file_load(const char *path, struct err *e) MUST_CHECK;
void password_file_free(struct password_file *f);

/* Does the password fit? An unknown name costs as much time as a wrong password. Costs the file's iterations: 101, as
 * mosquitto_passwd makes them, are 0.1 ms. */
bool password_file_fits(struct password_file *f, const char *name, size_t name_len, const char *password,
                        size_t password_len);

/* Append a line, without its end, for this name. -1: the name holds ":" or a control character, or is empty. */
int password_file_make(struct buf *out, const char *name, const char *password, size_t password_len,
                       struct err *e) MUST_CHECK;

#endif
