#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Arithmetic of the rule language against Python's decimal: 100,000 random expressions of + - * / % and comparisons.

  decimal_arithmetic.py SLUICE [--seed N] [--count N]

The language's rules are written down here once more, from the specification and on Python's numbers: Int of 34 digits, Decimal of 34
digits rounded half even with magnitudes 1E-999 to 9.99E999, whole Decimals that become Int from 2016-03-23 on, Undefined. Texts are
compared, so scales must agree too: Python's Decimal and java.math.BigDecimal have the same ones, but for the remainder.

Every statement has many expressions over fields and literals, every field many values. Ends with 1 at a difference and shows it.
"""
import argparse
import decimal
import random
import subprocess
import sys

DIGITS = 34
MOST = 10**DIGITS - 1
EXP_MAX = 999
ZERO_EXP_MIN = -EXP_MAX - DIGITS + 1
CONTEXT = decimal.Context(prec=DIGITS, rounding=decimal.ROUND_HALF_EVEN, Emin=-999999, Emax=999999, traps=[])
EXACT = decimal.Context(prec=6000, Emin=-999999, Emax=999999, traps=[decimal.Inexact])
VERSIONS = ("2015-10-08", "2016-03-23")
ITEMS, MESSAGES, FIELDS, STRINGS = 100, 25, 12, 4


class Undefined(Exception):
    pass


# --- the language's numbers: int, or decimal.Decimal ---


def as_int(value):
    if abs(value) > MOST:
        raise Undefined
    return value


def as_decimal(value, version):
    """A result as a Decimal of the language, or an Int by the version's rule."""
    value = CONTEXT.plus(value)
    if value == 0:
        exponent = min(max(value.as_tuple().exponent, ZERO_EXP_MIN), EXP_MAX)
        value = decimal.Decimal((0, (0,), exponent))
    elif not -EXP_MAX <= value.adjusted() <= EXP_MAX:
        raise Undefined
    if version != "2015-10-08" and value == value.to_integral_value() and value.copy_abs() <= MOST:
        return int(value)
    return value


def read(text, version):
    if not set(text) & set(".eE"):
        return as_int(int(text))
    return as_decimal(decimal.Decimal(text), version)


def remainder(x, y):
    """As BigDecimal: x - q × y, where the scale of the whole quotient q is at least x's less y's."""
    (_, _, x_exp), (_, _, y_exp) = x.as_tuple(), y.as_tuple()
    low = min(x_exp, y_exp)
    m, n = abs(int(x.scaleb(-low, EXACT))), abs(int(y.scaleb(-low, EXACT)))
    quotient, rest = divmod(m, n)
    exponent = x_exp
    if quotient != 0:
        quotient_exp = 0
        while quotient_exp < x_exp - y_exp and quotient % 10 == 0:
            quotient //= 10
            quotient_exp += 1
        exponent = min(x_exp, min(quotient_exp, x_exp - y_exp) + y_exp)
    result = decimal.Decimal(rest).scaleb(low, EXACT).quantize(decimal.Decimal((0, (1,), exponent)), context=EXACT)
    return result.copy_negate() if x.is_signed() else result


def divide_ints(x, y):
    quotient = abs(x) // abs(y)
    return quotient if (x < 0) == (y < 0) else -quotient


def arithmetic(op, x, y, version):
    if op in "/%" and y == 0:
        raise Undefined
    if isinstance(x, int) and isinstance(y, int):
        if op in "/%":
            quotient = divide_ints(x, y)
            return as_int(quotient if op == "/" else x - quotient * y)
        return as_int({"+": x + y, "-": x - y, "*": x * y}[op])
    x, y = decimal.Decimal(x), decimal.Decimal(y)
    if op == "%":
        return as_decimal(remainder(x, y), version)
    return as_decimal({"+": CONTEXT.add, "-": CONTEXT.subtract, "*": CONTEXT.multiply, "/": CONTEXT.divide}[op](x, y), version)


ORDER = {
    "<": lambda x, y: x < y, "<=": lambda x, y: x <= y, ">": lambda x, y: x > y, ">=": lambda x, y: x >= y,
    "=": lambda x, y: x == y, "<>": lambda x, y: x != y,
}  # fmt: skip


class Text(str):
    """A numeric String: counts as a Decimal in everything but + and =."""


def operand(value, version):
    return as_decimal(decimal.Decimal(value), version) if isinstance(value, Text) else value


def evaluate(node, fields, version):
    kind = node[0]
    if kind == "literal":
        return read(node[1], version)
    if kind == "field":
        value = fields[node[1]]
        return value if isinstance(value, Text) else read(value, version)
    values = [operand(evaluate(n, fields, version), version) for n in node[1:]]
    with_text = any(n[0] == "field" and isinstance(fields[n[1]], Text) for n in node[1:])
    if with_text and kind in "-*/%":  # both are Decimals then, as in 2015-10-08 and until the result
        values = [decimal.Decimal(fields[n[1]] if n[0] == "field" and isinstance(fields[n[1]], Text) else v) for n, v in zip(node[1:], values)]
        values = [as_decimal(v, "2015-10-08") for v in values]
    if kind == "negative":
        return arithmetic("-", 0, values[0], version)
    if kind in ORDER:
        return ORDER[kind](*(decimal.Decimal(v) for v in values))
    return arithmetic(kind, *values, version)


def text_of(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


# --- random expressions and numbers ---


def digits(rng, most):
    count = rng.choice((1, 1, 2, 3, 5, 9, 17, 18, 19, 20, 33, 34)) if most == DIGITS else rng.randint(1, most)
    shape = rng.random()
    if shape < 0.1:
        return "9" * count
    if shape < 0.2:
        return "1" + "0" * (count - 1)
    if shape < 0.3:
        return str(rng.randint(1, 9)) + "0" * (count // 2) + "5" * (count - 1 - count // 2)
    return str(rng.randint(10 ** (count - 1), 10**count - 1))


def number(rng):
    """Text of a number that is not negative, as JSON, literals and numeric Strings may have it."""
    shape = rng.random()
    if shape < 0.05:
        return rng.choice(("0", "0.0", "0.000", "0e5", "0e-20", "1", "10", "0.1", "2", "0.5"))
    if shape < 0.35:
        return digits(rng, DIGITS)
    if shape < 0.75:
        return digits(rng, 18) + "." + rng.choice(("", "0", "00")) + digits(rng, 16)
    if shape < 0.85:
        return "0." + "0" * rng.randint(0, 10) + digits(rng, DIGITS)
    span = rng.choice((3, 10, 40, 940))
    return digits(rng, 1) + "." + digits(rng, 20) + rng.choice("eE") + str(rng.randint(-span, span))


def signed(rng):
    return rng.choice(("", "", "-")) + number(rng)


def leaf(rng, text_allowed):
    if text_allowed and rng.random() < 0.1:
        return ("field", "s%d" % rng.randrange(STRINGS))
    if rng.random() < 0.25:
        return ("literal", number(rng))
    return ("field", "n%d" % rng.randrange(FIELDS))


def expression(rng, depth):
    if depth == 0:
        return leaf(rng, False)
    op = rng.choice("+-*/%+-*/%n")
    if op == "n":
        return ("negative", expression(rng, depth - 1))
    text_allowed = op != "+"
    return (op, *(leaf(rng, text_allowed) if rng.random() < 0.5 else expression(rng, depth - 1) for _ in range(2)))


def item(rng):
    if rng.random() < 0.2:
        op = rng.choice(tuple(ORDER))
        return (op, expression(rng, rng.randint(0, 2)), expression(rng, rng.randint(0, 2)))
    return expression(rng, rng.randint(1, 3))


def sql_of(node):
    if node[0] in ("literal", "field"):
        return node[1]
    if node[0] == "negative":
        return "-(%s)" % sql_of(node[1])
    return "(%s %s %s)" % (sql_of(node[1]), node[0], sql_of(node[2]))


def message(rng):
    fields = {"n%d" % i: signed(rng) for i in range(FIELDS)}
    fields.update({"s%d" % i: Text(signed(rng)) for i in range(STRINGS)})
    return fields


def payload_of(fields):
    return "{%s}" % ",".join('"%s":%s' % (k, '"%s"' % v if isinstance(v, Text) else v) for k, v in fields.items())


def expected_of(node, fields, version):
    try:
        return text_of(evaluate(node, fields, version))
    except Undefined:
        return None


def run(sluice, items, messages, version):
    sql = "SELECT %s FROM 'a'" % ", ".join("%s AS x%d" % (sql_of(node), i) for i, node in enumerate(items))
    payloads = "".join(payload_of(fields) + "\n" for fields in messages)
    return subprocess.run([sluice, "eval", sql, "--sql-version", version], input=payloads, capture_output=True, text=True, check=True).stdout.splitlines()


def members(line):
    """{"x0":1,"x1":2} as a map of texts: no text of a number or Boolean has a comma or colon."""
    return dict(member.replace('"', "").split(":") for member in line[1:-1].split(",") if member)


def compare(sluice, rng, version):
    """One statement; returns how many values were compared, how many were Undefined, and the differences."""
    items = [item(rng) for _ in range(ITEMS)]
    messages = [message(rng) for _ in range(MESSAGES)]
    lines, undefined, wrong = run(sluice, items, messages, version), 0, []
    assert len(lines) == len(messages)
    for fields, line in zip(messages, lines):
        given = members(line)
        for i, node in enumerate(items):
            expected, actual = expected_of(node, fields, version), given.get("x%d" % i)
            undefined += expected is None
            if expected != actual:
                wrong.append((version, sql_of(node), payload_of(fields), expected, actual))
    return ITEMS * MESSAGES, undefined, wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sluice")
    parser.add_argument("--seed", type=int, default=20161008)
    parser.add_argument("--count", type=int, default=100000)
    arguments = parser.parse_args()
    rng, compared, undefined, wrong = random.Random(arguments.seed), 0, 0, []
    while compared < arguments.count:
        for version in VERSIONS:
            more, more_undefined, differences = compare(arguments.sluice, rng, version)
            compared, undefined, wrong = compared + more, undefined + more_undefined, wrong + differences
    for version, sql, payload, expected, actual in wrong[:10]:
        print("%s: %s of %s\n  expected: %s\n  actual:   %s" % (version, sql, payload, expected, actual))
    print("%d expressions (%d Undefined), %d differences" % (compared, undefined, len(wrong)))
    return 1 if wrong or undefined > compared / 2 else 0


if __name__ == "__main__":
    sys.exit(main())
