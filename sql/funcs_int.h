/* SPDX-License-Identifier: Apache-2.0 */
/* The functions' bodies, for the table in funcs.c, and what they share in reading arguments. */
#ifndef SLUICE_SQL_FUNCS_INT_H
#define SLUICE_SQL_FUNCS_INT_H

#include "engine/base/num.h"
#include "sql/funcs.h"

/* func_math.c */
void fn_abs(struct sql_call *c);
void fn_ceil(struct sql_call *c);
void fn_floor(struct sql_call *c);
void fn_mod(struct sql_call *c);
void fn_nanvl(struct sql_call *c);
void fn_round(struct sql_call *c);
void fn_sign(struct sql_call *c);
void fn_trunc(struct sql_call *c);

/* func_bits.c */
void fn_bitand(struct sql_call *c);
void fn_bitnot(struct sql_call *c);
void fn_bitor(struct sql_call *c);
void fn_bitxor(struct sql_call *c);

/* func_double.c */
void fn_acos(struct sql_call *c);
void fn_asin(struct sql_call *c);
void fn_atan(struct sql_call *c);
void fn_atan2(struct sql_call *c);
void fn_cos(struct sql_call *c);
void fn_cosh(struct sql_call *c);
void fn_exp(struct sql_call *c);
void fn_ln(struct sql_call *c);
void fn_log(struct sql_call *c);
void fn_power(struct sql_call *c);
void fn_rand(struct sql_call *c);
void fn_sin(struct sql_call *c);
void fn_sinh(struct sql_call *c);
void fn_sqrt(struct sql_call *c);
void fn_tan(struct sql_call *c);
void fn_tanh(struct sql_call *c);

/* func_hash.c */
void fn_md2(struct sql_call *c);
void fn_md5(struct sql_call *c);
void fn_sha1(struct sql_call *c);
void fn_sha224(struct sql_call *c);
void fn_sha256(struct sql_call *c);
void fn_sha384(struct sql_call *c);
void fn_sha512(struct sql_call *c);

/* func_space.c */
void fn_lpad(struct sql_call *c);
void fn_ltrim(struct sql_call *c);
void fn_rpad(struct sql_call *c);
void fn_rtrim(struct sql_call *c);
void fn_trim(struct sql_call *c);

/* func_string.c */
void fn_chr(struct sql_call *c);
void fn_concat(struct sql_call *c);
void fn_endswith(struct sql_call *c);
void fn_indexof(struct sql_call *c);
void fn_length(struct sql_call *c);
void fn_lower(struct sql_call *c);
void fn_numbytes(struct sql_call *c);
void fn_replace(struct sql_call *c);
void fn_startswith(struct sql_call *c);
void fn_substring(struct sql_call *c);
void fn_upper(struct sql_call *c);

/* func_regexp.c */
void fn_regexp_matches(struct sql_call *c);
void fn_regexp_replace(struct sql_call *c);
void fn_regexp_substr(struct sql_call *c);

/* func_time.c */
void fn_parse_time(struct sql_call *c);
void fn_time_to_epoch(struct sql_call *c);

/* func_collection.c */
void fn_decode(struct sql_call *c);
void fn_encode(struct sql_call *c);
void fn_get(struct sql_call *c);
void fn_get_or_default(struct sql_call *c);
void fn_isnull(struct sql_call *c);
void fn_isundefined(struct sql_call *c);
void fn_transform(struct sql_call *c);

/* func_context.c */
void fn_accountid(struct sql_call *c);
void fn_clientid(struct sql_call *c);
void fn_get_mqtt_property(struct sql_call *c);
void fn_get_user_properties(struct sql_call *c);
void fn_newuuid(struct sql_call *c);
void fn_principal(struct sql_call *c);
void fn_sourceip(struct sql_call *c);
void fn_sql_version(struct sql_call *c);
void fn_timestamp(struct sql_call *c);
void fn_topic(struct sql_call *c);
void fn_traceid(struct sql_call *c);

/* func_proto.c: decode() when its second argument is 'proto' */
void sql_decode_proto(struct sql_call *c);

/* func_lookup.c */
void fn_aws_lambda(struct sql_call *c);
void fn_get_dynamodb(struct sql_call *c);
void fn_get_registry_data(struct sql_call *c);
void fn_get_secret(struct sql_call *c);
void fn_get_thing_shadow(struct sql_call *c);
void fn_machinelearning_predict(struct sql_call *c);

/* Ask the outside world: include/sluice/lookup.h says which arguments the function has. True with the answer; false:
 * there is none (yet), and the body is to return at once: the evaluation ends, or the call is absorbed. */
bool sql_look_up(struct sql_call *c, const char *function, const struct val *args, uint32_t count,
                 struct val *answer) MUST_CHECK;
/* Count a call of a function that a statement and its templates may call once or twice (`most`) only. False: it was one
 * too many, and the rule ends without any action. which: enum sql_limited. */
bool sql_count_call(struct sql_call *c, unsigned which, unsigned most, const char *function) MUST_CHECK;
/* The call fails as a failed look-up does; the text says why, without secrets. */
void sql_fail_call(struct sql_call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* --- funcs.c: arguments. They return false when the argument does not convert, and the result then is to stay
 * Undefined --- */

struct sql_text {
    const char *s;
    size_t len;
    bool plain; /* needs no escapes in JSON; then no part of it does */
};

/* Count work beyond the call's own step, in steps of some ten nanoseconds: whatever grows with the arguments. */
void sql_charge(struct sql_call *c, uint64_t steps);
/* TXT of the spec: the String conversion. */
bool sql_arg_text(struct sql_call *c, uint32_t i, struct sql_text *text) MUST_CHECK;
/* NUM of the spec. */
bool sql_arg_num(struct sql_call *c, uint32_t i, struct num *n) MUST_CHECK;
/* Int conversion; what is beyond 64 bits becomes the nearest bound. */
bool sql_arg_i64(struct sql_call *c, uint32_t i, int64_t *v) MUST_CHECK;
/* A String that is a part of `text`. */
struct val sql_part(const struct sql_text *text, size_t off, size_t len);
/* A String of foreign bytes: valid UTF-8 is borrowed, of other bytes a copy is made in which U+FFFD stands for what is
 * not, as Java does it. Undefined if the arena is full. */
struct val sql_text_of_bytes(const char *p, size_t len, struct arena *a);
/* Base64 text of bytes; Undefined if the arena is full. */
struct val sql_base64_text(const void *bytes, size_t len, struct arena *a);
/* Is the argument this very String? */
bool sql_arg_is(struct sql_call *c, uint32_t i, const char *word) MUST_CHECK;

#endif
