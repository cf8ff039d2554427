/* SPDX-License-Identifier: Apache-2.0 */
/* The function table, and how bodies read their arguments.
 *
 * Flags say what the VM does before a body is called:
 *
 *   STRICT  an Undefined argument makes the result Undefined; the body never sees one. Functions without it say
 *           something about Undefined: isundefined, isnull, nanvl, get_or_default, and concat, where one beside Arrays adds
 *           nothing.
 *   NULLS   an argument that is Null does the same (in functions that convert to text or number, which Null cannot
 *           be).
 *   PURE    depends on its arguments alone, so a call with constant arguments is made at compile time.
 *   ASKS    asks the outside world; roles are constants that are not read.
 *   BYTES   may be given `*` of a payload that is not JSON. For other functions such an argument is Undefined.
 *
 * A count of arguments outside min to max gives Undefined, at run time. Conversions are the bodies' own: they read
 * arguments through sql_arg_*, and leave the result Undefined where one does not convert. */
#include "sql/funcs_int.h"

#include <string.h>

#include "engine/base/base64.h"
#include "engine/base/utf8.h"
#include "sql/machine_int.h"

#define STRICT  SQL_STRICT
#define NULLS   SQL_NULL_UNDEF
#define PURE    SQL_PURE
#define BYTES   SQL_TAKES_BYTES
#define ASKS    SQL_ASKS
#define MATH    SQL_MATHEMATICS
#define TEXT    SQL_TEXT
#define DIGEST  SQL_DIGESTS
#define VALUES  SQL_VALUES
#define MESSAGE SQL_MESSAGE
#define TIME    SQL_TIME
#define OUTSIDE SQL_OUTSIDE
#define V2015   SQL_2015_10_08
#define V2016   SQL_2016_03_23

/* --- what bodies share --- */

#define BYTES_A_STEP 4 /* of a text that a function goes through; to make it from another type takes one for each */

void sql_charge(struct sql_call *c, uint64_t steps)
{
    if (c->machine)
        sql_vm_charge(&c->machine->vm, steps);
}

/* Escapes are resolved each time. */
static uint64_t escape_steps(const struct val *v)
{
    if (v->form != VAL_TAPE)
        return 0;
    const struct json_node *node = json_at(v->doc, v->n);
    return node->kind == JSON_STRING && node->flags & JSON_ESCAPED ? node->len / 2 : 0;
}

bool sql_arg_text(struct sql_call *c, uint32_t i, struct sql_text *text)
{
    struct val v = val_to_string(c->args[i], c->version, c->arena);
    if (v.kind != VAL_STRING)
        return false;
    text->s = val_text(v, c->arena, &text->len);
    text->plain = v.form == VAL_HERE && v.exp == 1;
    sql_charge(c, c->args[i].kind == VAL_STRING ? text->len / BYTES_A_STEP + escape_steps(&c->args[i]) : text->len);
    return text->s != NULL;
}

bool sql_arg_num(struct sql_call *c, uint32_t i, struct num *n)
{
    struct val v = val_to_decimal(c->args[i], c->version, c->arena);
    return val_is_number(v) && val_num(v, n);
}

bool sql_arg_i64(struct sql_call *c, uint32_t i, int64_t *v)
{
    struct num n;
    struct val whole = val_to_int(c->args[i], c->version, c->arena);
    if (whole.kind != VAL_INT || !val_num(whole, &n))
        return false;
    if (!num_to_i64(&n, v))
        *v = num_sign(&n) < 0 ? INT64_MIN : INT64_MAX;
    return true;
}

struct val sql_part(const struct sql_text *text, size_t off, size_t len)
{
    struct val v = val_string(text->s + off, len);
    v.exp = text->plain;
    return v;
}

struct val sql_base64_text(const void *bytes, size_t len, struct arena *a)
{
    size_t size = (len + 2) / 3 * 4;
    char *text = size < UINT32_MAX ? arena_alloc(a, size + 1) : NULL;
    if (!text)
        return VAL_UNDEFINED_VALUE;
    struct buf fixed = { .p = text, .cap = size + 1, .max = size };
    base64_encode(&fixed, bytes, len);
    struct val v = val_string(text, fixed.len);
    v.exp = 1;
    return v;
}

/* What is no UTF-8 becomes U+FFFD byte by byte. */
static struct val repair_text(const char *p, size_t len, struct arena *a)
{
    static const char replacement[] = "\xef\xbf\xbd";
    char *text = arena_array(a, len, sizeof(replacement) - 1), *out = text;
    for (size_t at = 0; text && at < len;) {
        size_t valid = utf8_valid_prefix(p + at, len - at);
        memcpy(out, p + at, valid);
        out += valid;
        at += valid;
        if (at < len) {
            memcpy(out, replacement, sizeof(replacement) - 1);
            out += sizeof(replacement) - 1;
            at++;
        }
    }
    return text ? val_string(text, (size_t)(out - text)) : VAL_UNDEFINED_VALUE;
}

static bool is_ascii(const char *p, size_t len)
{
    unsigned char high = 0;
    for (size_t i = 0; i < len; i++)
        high |= (unsigned char)p[i];
    return high < 0x80;
}

struct val sql_text_of_bytes(const char *p, size_t len, struct arena *a)
{
    if (!is_ascii(p, len) && !utf8_is_valid(p, len))
        return repair_text(p, len, a);
    struct val v = val_string(p, len);
    v.exp = json_is_plain(p, len);
    return v;
}

bool sql_arg_is(struct sql_call *c, uint32_t i, const char *word)
{
    struct sql_text text;
    return c->args[i].kind == VAL_STRING && sql_arg_text(c, i, &text) && text.len == strlen(word) &&
           memcmp(text.s, word, text.len) == 0;
}

/* --- the table --- */

static const char *const subjects[SQL_SUBJECT_COUNT] = {
    [SQL_MATHEMATICS] = "mathematics",   [SQL_TEXT] = "text",
    [SQL_DIGESTS] = "digests",           [SQL_VALUES] = "types, collections, encodings",
    [SQL_MESSAGE] = "the message",       [SQL_TIME] = "time",
    [SQL_OUTSIDE] = "the outside world",
};

/* clang-format off */
static const struct sql_func funcs[] = {
    { "abs", MATH, 1, 1, "number: Number", "Number", STRICT | NULLS | PURE, V2015, fn_abs,
      "the number without its sign" },
    { "accountid", MESSAGE, 0, 0, "", "String", STRICT, V2015, fn_accountid,
      "the account that owns the rule, 12 digits" },
    { "acos", MATH, 1, 1, "number: Number", "Decimal", STRICT | NULLS | PURE, V2015, fn_acos,
      "the arc cosine" },
    { "asin", MATH, 1, 1, "number: Number", "Decimal", STRICT | NULLS | PURE, V2015, fn_asin,
      "the arc sine" },
    { "atan", MATH, 1, 1, "number: Number", "Decimal", STRICT | NULLS | PURE, V2015, fn_atan,
      "the arc tangent" },
    { "atan2", MATH, 2, 2, "y: Number, x: Number", "Decimal", STRICT | NULLS | PURE, V2015, fn_atan2,
      "the angle of the point (x, y), from -pi to pi" },
    { "aws_lambda", OUTSIDE, 2, 2, "functionArn: String, input: any", "any", STRICT | ASKS, V2015, fn_aws_lambda,
      "what a Lambda function returns for the value" },
    { "bitand", MATH, 2, 2, "a: Int, b: Int", "Int", STRICT | NULLS | PURE, V2015, fn_bitand,
      "the bits that both numbers have" },
    { "bitnot", MATH, 1, 1, "number: Int", "Int", STRICT | NULLS | PURE, V2015, fn_bitnot,
      "the number with its bits inverted, up to the highest one" },
    { "bitor", MATH, 2, 2, "a: Int, b: Int", "Int", STRICT | NULLS | PURE, V2015, fn_bitor,
      "the bits that one of the numbers has or both have" },
    { "bitxor", MATH, 2, 2, "a: Int, b: Int", "Int", STRICT | NULLS | PURE, V2015, fn_bitxor,
      "the bits that only one of the numbers has" },
    { "ceil", MATH, 1, 1, "number: Number", "Int", STRICT | NULLS | PURE, V2015, fn_ceil,
      "nearest integer not below the number" },
    { "chr", TEXT, 1, 1, "code: Int", "String", STRICT | NULLS | PURE, V2015, fn_chr,
      "the ASCII character with that code" },
    { "clientid", MESSAGE, 0, 0, "", "String", STRICT, V2015, fn_clientid,
      "MQTT client id of the publisher, or n/a where nobody tells" },
    { "concat", TEXT, 0, SQL_ANY_COUNT, "value: any, …", "any", PURE, V2015, fn_concat,
      "Arrays joined with other values as elements, or texts joined" },
    { "cos", MATH, 1, 1, "number: Number", "Decimal", STRICT | NULLS | PURE, V2015, fn_cos,
      "the cosine" },
    { "cosh", MATH, 1, 1, "number: Number", "Decimal", STRICT | NULLS | PURE, V2015, fn_cosh,
      "the hyperbolic cosine" },
    { "decode", VALUES, 2, 6,
      "data: String | *, 'base64' | 'proto'[, bucket: String, key: String, file: String, message: String]", "any",
      STRICT | PURE | BYTES, V2016, fn_decode,
      "what base64 text holds: a JSON value, else text (Null if it is not base64); or a Protocol Buffers message" },
    { "encode", VALUES, 2, 2, "value: any, 'base64'", "String", STRICT | NULLS | PURE | BYTES, V2016, fn_encode,
      "base64 text of the payload's bytes, or of a value's text" },
    { "endswith", TEXT, 2, 2, "text: String, end: String", "Boolean", STRICT | NULLS | PURE, V2015, fn_endswith,
      "does the first text end with the second" },
    { "exp", MATH, 1, 1, "number: Number", "Decimal", STRICT | NULLS | PURE, V2015, fn_exp,
      "Euler's number e to the power of the number" },
    { "floor", MATH, 1, 1, "number: Number", "Int", STRICT | NULLS | PURE, V2015, fn_floor,
      "nearest integer not above the number" },
    { "get", VALUES, 2, 2, "container: Array | Object | String, key: Int | String", "any", STRICT | PURE, V2015, fn_get,
      "element of an Array or character of a String from 0, or member of an Object" },
    { "get_dynamodb", OUTSIDE, 4, 6,
      "table: String, keyName: String, key: any[, sortKeyName: String, sortKey: any], role: String", "Object",
      STRICT | NULLS | ASKS | SQL_ROLE_LAST, V2016, fn_get_dynamodb,
      "the item of a DynamoDB table with this key" },
    { "get_mqtt_property", MESSAGE, 1, 1, "name: String", "String", STRICT, V2015, fn_get_mqtt_property,
      "MQTT 5 property: content_type, response_topic, correlation_data, format_indicator" },
    { "get_or_default", VALUES, 1, 2, "value: any[, default: any]", "any", PURE | SQL_ABSORBS, V2016, fn_get_or_default,
      "the first value, or the second if that is Undefined, Null or a failed look-up" },
    { "get_registry_data", OUTSIDE, 3, 3,
      "api: String, thing: String, role: String", "Object",
      STRICT | NULLS | ASKS | SQL_ROLE_LAST, V2016, fn_get_registry_data,
      "what the registry knows of a thing: DescribeThing or ListThingGroupsForThing" },
    { "get_secret", OUTSIDE, 3, 4,
      "secretId: String, type: String[, key: String], role: String", "any",
      STRICT | NULLS | ASKS | SQL_ROLE_LAST, V2015, fn_get_secret,
      "a secret of Secrets Manager, or a member of it" },
    { "get_thing_shadow", OUTSIDE, 2, 3,
      "thing: String[, shadow: String], role: String", "Object",
      STRICT | NULLS | ASKS | SQL_ROLE_LAST, V2016, fn_get_thing_shadow,
      "a thing's unnamed shadow, or a named one" },
    { "get_user_properties", MESSAGE, 0, 1, "[key: String]", "Array", STRICT, V2015, fn_get_user_properties,
      "values of an MQTT 5 user property in order, or all as one-member Objects" },
    { "indexof", TEXT, 2, 2, "text: String, part: String", "Int", STRICT | NULLS | PURE, V2016, fn_indexof,
      "position of the second text in the first, from 0; -1 if it is not there" },
    { "isnull", VALUES, 1, 1, "value: any", "Boolean", PURE, V2015, fn_isnull,
      "true only for Null" },
    { "isundefined", VALUES, 1, 1, "value: any", "Boolean", PURE, V2016, fn_isundefined,
      "true only for Undefined" },
    { "length", TEXT, 1, 1, "text: String", "Int", STRICT | NULLS | PURE, V2016, fn_length,
      "number of characters (Unicode code points)" },
    { "ln", MATH, 1, 1, "number: Number", "Decimal", STRICT | NULLS | PURE, V2015, fn_ln,
      "the natural logarithm" },
    { "log", MATH, 1, 1, "number: Number", "Decimal", STRICT | NULLS | PURE, V2015, fn_log,
      "the logarithm to base 10" },
    { "lower", TEXT, 1, 1, "text: String", "String", STRICT | NULLS | PURE, V2015, fn_lower,
      "the text in lower case" },
    { "lpad", TEXT, 2, 2, "text: String, spaces: Int", "String", STRICT | NULLS | PURE, V2015, fn_lpad,
      "the text behind so many spaces" },
    { "ltrim", TEXT, 1, 1, "text: String", "String", STRICT | NULLS | PURE, V2015, fn_ltrim,
      "the text without white space at its begin" },
    { "machinelearning_predict", OUTSIDE, 3, 3,
      "modelId: String, role: String, record: Object", "Object", STRICT | NULLS | ASKS | SQL_ROLE_SECOND, V2015,
      fn_machinelearning_predict,
      "the prediction of a model for a record" },
    { "md2", DIGEST, 1, 1, "text: String", "String", STRICT | NULLS | PURE, V2015, fn_md2,
      "MD2 digest of the text's UTF-8 bytes, in lower-case hexadecimal" },
    { "md5", DIGEST, 1, 1, "text: String", "String", STRICT | NULLS | PURE, V2015, fn_md5,
      "MD5 digest of the text's UTF-8 bytes, in lower-case hexadecimal" },
    { "mod", MATH, 2, 2, "a: Number, b: Number", "Number", STRICT | NULLS | PURE, V2015, fn_mod,
      "what is left of the division, with the sign of the first number" },
    { "nanvl", MATH, 2, 2, "value: any, other: any", "any", PURE, V2015, fn_nanvl,
      "the first value, or the second if that is Undefined or Null" },
    { "newuuid", MESSAGE, 0, 0, "", "String", STRICT, V2015, fn_newuuid,
      "a random UUID" },
    { "numbytes", TEXT, 1, 1, "text: String", "Int", STRICT | NULLS | PURE, V2016, fn_numbytes,
      "number of bytes in UTF-8" },
    { "parse_time", TIME, 2, 3,
      "pattern: String, millis: Int[, zone: String]", "String", STRICT | NULLS | PURE, V2016, fn_parse_time,
      "milliseconds since 1970 as text, by a pattern of Joda-Time, in a zone" },
    { "power", MATH, 2, 2, "base: Number, exponent: Number", "Decimal", STRICT | NULLS | PURE, V2015, fn_power,
      "the first number to the power of the second" },
    { "principal", MESSAGE, 0, 0, "", "String", STRICT, V2015, fn_principal,
      "certificate fingerprint or user name of the publisher; Undefined where nobody tells" },
    { "rand", MATH, 0, 0, "", "Decimal", STRICT, V2015, fn_rand,
      "a random number, at least 0 and less than 1" },
    { "regexp_matches", TEXT, 2, 2,
      "text: String, expression: String", "Boolean", STRICT | NULLS | PURE, V2015, fn_regexp_matches,
      "does the text contain a match of the regular expression" },
    { "regexp_replace", TEXT, 3, 3,
      "text: String, expression: String, replacement: String", "String",
      STRICT | NULLS | PURE, V2015, fn_regexp_replace,
      "the text with every match of the regular expression replaced; $1 is its first group" },
    { "regexp_substr", TEXT, 2, 2,
      "text: String, expression: String", "String", STRICT | NULLS | PURE, V2015, fn_regexp_substr,
      "the first match of the regular expression" },
    { "remainder", MATH, 2, 2, "a: Number, b: Number", "Number", STRICT | NULLS | PURE, V2015, fn_mod,
      "what is left of the division, with the sign of the first number" },
    { "replace", TEXT, 3, 3,
      "text: String, part: String, replacement: String", "String", STRICT | NULLS | PURE, V2015, fn_replace,
      "the first text with every occurrence of the second replaced by the third" },
    { "round", MATH, 1, 1, "number: Number", "Int", STRICT | NULLS | PURE, V2015, fn_round,
      "nearest integer, halves away from zero" },
    { "rpad", TEXT, 2, 2, "text: String, spaces: Int", "String", STRICT | NULLS | PURE, V2015, fn_rpad,
      "the text before so many spaces" },
    { "rtrim", TEXT, 1, 1, "text: String", "String", STRICT | NULLS | PURE, V2015, fn_rtrim,
      "the text without white space at its end" },
    { "sha1", DIGEST, 1, 1, "text: String", "String", STRICT | NULLS | PURE, V2015, fn_sha1,
      "SHA-1 digest of the text's UTF-8 bytes, in lower-case hexadecimal" },
    { "sha224", DIGEST, 1, 1, "text: String", "String", STRICT | NULLS | PURE, V2015, fn_sha224,
      "SHA-224 digest of the text's UTF-8 bytes, in lower-case hexadecimal" },
    { "sha256", DIGEST, 1, 1, "text: String", "String", STRICT | NULLS | PURE, V2015, fn_sha256,
      "SHA-256 digest of the text's UTF-8 bytes, in lower-case hexadecimal" },
    { "sha384", DIGEST, 1, 1, "text: String", "String", STRICT | NULLS | PURE, V2015, fn_sha384,
      "SHA-384 digest of the text's UTF-8 bytes, in lower-case hexadecimal" },
    { "sha512", DIGEST, 1, 1, "text: String", "String", STRICT | NULLS | PURE, V2015, fn_sha512,
      "SHA-512 digest of the text's UTF-8 bytes, in lower-case hexadecimal" },
    { "sign", MATH, 1, 1, "number: Number", "Int", STRICT | NULLS | PURE, V2015, fn_sign,
      "-1, 0 or 1" },
    { "sin", MATH, 1, 1, "number: Number", "Decimal", STRICT | NULLS | PURE, V2015, fn_sin,
      "the sine" },
    { "sinh", MATH, 1, 1, "number: Number", "Decimal", STRICT | NULLS | PURE, V2015, fn_sinh,
      "the hyperbolic sine" },
    { "sourceip", MESSAGE, 0, 0, "", "String", STRICT, V2016, fn_sourceip,
      "IP address of the publisher; Undefined where nobody tells" },
    { "sql_version", MESSAGE, 0, 0, "", "String", STRICT | PURE, V2015, fn_sql_version,
      "the rule's SQL version" },
    { "sqrt", MATH, 1, 1, "number: Number", "Decimal", STRICT | NULLS | PURE, V2015, fn_sqrt,
      "the square root" },
    { "startswith", TEXT, 2, 2, "text: String, begin: String", "Boolean", STRICT | NULLS | PURE, V2015, fn_startswith,
      "does the first text begin with the second" },
    { "substring", TEXT, 2, 3,
      "text: String, from: Int[, to: Int]", "String", STRICT | NULLS | PURE, V2015, fn_substring,
      "characters from one position up to another, from 0" },
    { "tan", MATH, 1, 1, "number: Number", "Decimal", STRICT | NULLS | PURE, V2015, fn_tan,
      "the tangent" },
    { "tanh", MATH, 1, 1, "number: Number", "Decimal", STRICT | NULLS | PURE, V2015, fn_tanh,
      "the hyperbolic tangent" },
    { "time_to_epoch", TIME, 2, 2,
      "text: String, pattern: String", "Int", STRICT | NULLS | PURE, V2016, fn_time_to_epoch,
      "the time in a text as milliseconds since 1970, by a pattern of the JDK" },
    { "timestamp", MESSAGE, 0, 0, "", "Int", STRICT, V2015, fn_timestamp,
      "milliseconds since 1970 when the message arrived" },
    { "topic", MESSAGE, 0, 1, "[level: Int]", "String", STRICT, V2015, fn_topic,
      "the topic, or its n-th level from 1" },
    { "traceid", MESSAGE, 0, 0, "", "String", STRICT, V2015, fn_traceid,
      "trace id of the message: what the broker sealed into it, else a UUID; Undefined over HTTP" },
    { "transform", VALUES, 3, 3,
      "'enrichArray', members: Object, array: Array", "Array", STRICT | NULLS | PURE, V2016, fn_transform,
      "enrichArray: the members of an Object added to each Object of an Array" },
    { "trim", TEXT, 1, 1, "text: String", "String", STRICT | NULLS | PURE, V2015, fn_trim,
      "the text without white space at both ends" },
    { "trunc", MATH, 2, 2, "number: Number, places: Int", "Number", STRICT | NULLS | PURE, V2015, fn_trunc,
      "the number cut to so many decimal places" },
    { "upper", TEXT, 1, 1, "text: String", "String", STRICT | NULLS | PURE, V2015, fn_upper,
      "the text in upper case" },
};
/* clang-format on */
#define FUNC_COUNT (sizeof(funcs) / sizeof(funcs[0]))

static int compare_name(const char *name, size_t len, const char *row)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i], d = (unsigned char)row[i];
        if (c >= 'A' && c <= 'Z')
            c |= 0x20;
        if (c != d)
            return c < d ? -1 : 1;
    }
    return row[len] ? -1 : 0;
}

int sql_func_find(const char *name, size_t len)
{
    size_t low = 0, high = FUNC_COUNT;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_name(name, len, funcs[middle].name);
        if (order == 0)
            return (int)middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

const struct sql_func *sql_func_at(uint32_t row)
{
    return &funcs[row];
}

uint32_t sql_func_count(void)
{
    return (uint32_t)FUNC_COUNT;
}

const char *sql_func_subject_name(enum sql_func_subject subject)
{
    return subjects[subject];
}
