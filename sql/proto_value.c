/* SPDX-License-Identifier: Apache-2.0 */
/* Scalars to values. On the hot path of rules that decode: most fractions of sensors have few digits, and those are
 * found by trying, not by printing. */
#include "sql/proto_value.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum proto_wire proto_wire_of(enum proto_type type)
{
    switch (type) {
    case PROTO_TYPE_DOUBLE:
    case PROTO_TYPE_FIXED64:
    case PROTO_TYPE_SFIXED64:
        return PROTO_FIXED64;
    case PROTO_TYPE_FLOAT:
    case PROTO_TYPE_FIXED32:
    case PROTO_TYPE_SFIXED32:
        return PROTO_FIXED32;
    case PROTO_TYPE_STRING:
    case PROTO_TYPE_BYTES:
    case PROTO_TYPE_MESSAGE:
        return PROTO_BYTES;
    case PROTO_TYPE_GROUP:
        return PROTO_GROUP;
    case PROTO_TYPE_INT64:
    case PROTO_TYPE_UINT64:
    case PROTO_TYPE_INT32:
    case PROTO_TYPE_BOOL:
    case PROTO_TYPE_UINT32:
    case PROTO_TYPE_ENUM:
    case PROTO_TYPE_SINT32:
    case PROTO_TYPE_SINT64:
        break;
    }
    return PROTO_VARINT;
}

uint64_t proto_narrow(enum proto_type type, uint64_t raw)
{
    switch (type) {
    case PROTO_TYPE_BOOL:
        return raw != 0;
    case PROTO_TYPE_FLOAT:
    case PROTO_TYPE_INT32:
    case PROTO_TYPE_FIXED32:
    case PROTO_TYPE_UINT32:
    case PROTO_TYPE_ENUM:
    case PROTO_TYPE_SFIXED32:
    case PROTO_TYPE_SINT32:
        return (uint32_t)raw;
    default:
        return raw;
    }
}

/* --- numbers --- */

static struct val plain_text(const char *s)
{
    struct val v = val_string(s, strlen(s));
    v.exp = 1;
    return v;
}

static struct val from_text(const char *s, enum sql_version version, struct arena *a)
{
    struct num n;
    return num_parse(&n, s, strlen(s)) ? val_from_num(&n, version, a) : VAL_UNDEFINED_VALUE;
}

static struct val from_unsigned(uint64_t v, enum sql_version version, struct arena *a)
{
    char text[24];
    if (v <= INT64_MAX)
        return val_i64((int64_t)v);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
    return from_text(text, version, a);
}

/* Zigzag: 0, -1, 1, -2, … */
static int64_t unfold(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static float float_of(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float f;
    memcpy(&f, &low, sizeof(f));
    return f;
}

static double double_of(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof(d));
    return d;
}

/* A value with few fraction digits: the least number of them with which the decimal reads back as the same. The quotient
 * of two whole doubles below 2^53 and 10^23 is correctly rounded, so it is what reading the decimal gives; for floats
 * it is rounded twice, which with at most FLT_DIG digits and FLOAT_SCALE of them behind the point comes to the same. */
#define FLOAT_SCALE  8
#define DOUBLE_SCALE 15
static bool short_decimal(double d, bool is_float, struct val_small *s)
{
    static const double pow10[DOUBLE_SCALE + 1] = { 1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
    double most = is_float ? 1e6 : 1e15;
    int scale_max = is_float ? FLOAT_SCALE : DOUBLE_SCALE;
    _Static_assert(FLT_DIG == 6 && DBL_DIG == 15, "digits that every float and double keeps");
    for (int scale = 0; scale <= scale_max; scale++) {
        double whole = nearbyint(d * pow10[scale]), back = whole / pow10[scale];
        if (fabs(whole) >= most)
            return false;
        if (is_float ? (float)back == (float)d : back == d) {
            *s = (struct val_small) { .coef = (int64_t)whole, .exp = -scale };
            return true;
        }
    }
    return false;
}

/* d.ddd0e±x without those zeros. */
static void strip_zeros(char *text)
{
    char *exponent = strchr(text, 'e'), *end = exponent;
    while (end && end[-1] == '0')
        end--;
    if (!end || end == exponent)
        return;
    if (end[-1] == '.')
        end--;
    memmove(end, exponent, strlen(exponent) + 1);
}

/* Nine digits always read back as the same float; six are tried first, fewer only where floats themselves have fewer. */
static struct val from_float(float f, enum sql_version version, struct arena *a)
{
    char text[32];
    for (int digits = fabsf(f) < FLT_MIN ? 1 : FLT_DIG; digits <= 9; digits++) {
        snprintf(text, sizeof(text), "%.*e", digits - 1, (double)f);
        if (strtof(text, NULL) == f)
            break;
    }
    strip_zeros(text);
    return from_text(text, version, a);
}

static struct val from_double(double d, bool is_float, enum sql_version version, struct arena *a)
{
    struct val_small s;
    struct val v;
    struct num n;
    if (isnan(d))
        return plain_text("NaN");
    if (isinf(d))
        return plain_text(d < 0 ? "-Infinity" : "Infinity");
    if (short_decimal(d, is_float, &s) && val_from_small(&s, false, version, &v))
        return v;
    if (is_float)
        return from_float((float)d, version, a);
    return num_from_double(&n, d) ? val_from_num(&n, version, a) : VAL_UNDEFINED_VALUE;
}

struct val proto_number(const struct proto_field *field, uint64_t narrowed, enum sql_version version, struct arena *a)
{
    const struct proto_enum_value *value;
    switch ((enum proto_type)field->type) {
    case PROTO_TYPE_DOUBLE:
        return from_double(double_of(narrowed), false, version, a);
    case PROTO_TYPE_FLOAT:
        return from_double((double)float_of(narrowed), true, version, a);
    case PROTO_TYPE_INT64:
    case PROTO_TYPE_SFIXED64:
        return val_i64((int64_t)narrowed);
    case PROTO_TYPE_INT32:
    case PROTO_TYPE_SFIXED32:
        return val_i64((int32_t)narrowed);
    case PROTO_TYPE_UINT64:
    case PROTO_TYPE_FIXED64:
        return from_unsigned(narrowed, version, a);
    case PROTO_TYPE_UINT32:
    case PROTO_TYPE_FIXED32:
        return val_i64((int64_t)narrowed);
    case PROTO_TYPE_SINT32:
    case PROTO_TYPE_SINT64:
        return val_i64(unfold(narrowed));
    case PROTO_TYPE_BOOL:
        return val_bool(narrowed != 0);
    case PROTO_TYPE_ENUM:
        value = proto_enum_find(field->of, (int32_t)narrowed);
        return value ? value->name : val_i64((int32_t)narrowed);
    case PROTO_TYPE_STRING:
    case PROTO_TYPE_BYTES:
    case PROTO_TYPE_MESSAGE:
    case PROTO_TYPE_GROUP:
        break;
    }
    return VAL_UNDEFINED_VALUE;
}
