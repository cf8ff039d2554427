# SPDX-License-Identifier: Apache-2.0
"""No statement takes long for a payload of 128 kB: each of these shapes would take seconds to hours without a bound. What is measured is
processor time, and the bound allows for sanitizers; an unbounded one takes many times as much."""
import json
import os
import resource
import subprocess
import unittest

from sluice_fixture import SLUICE

NUMBERS = list(range(23000))
SECONDS = 3.0

SHAPES = {
    "nested loops": ("SET @a = a SELECT (SELECT VALUE (SELECT VALUE x FROM @a AS y) FROM @a AS x) AS r", {"a": NUMBERS}),
    "exists in a loop": ("SET @a = a SELECT (SELECT VALUE x FROM @a AS x WHERE EXISTS (SELECT y FROM @a AS y WHERE y = -1)) AS r", {"a": NUMBERS}),
    "IN itself": ("SET @a = a SELECT (SELECT VALUE x FROM @a AS x WHERE x IN @a) AS r", {"a": NUMBERS}),
    "arrays to text": ("SET @a = a SELECT (SELECT VALUE length(@a) FROM @a AS x) AS r", {"a": NUMBERS}),
    "arrays joined to text": ("SET @a = a SELECT (SELECT VALUE 'x' + @a FROM @a AS x) AS r", {"a": NUMBERS}),
    "arrays cast to text": ("SET @a = a SELECT (SELECT VALUE cast(@a AS String) FROM @a AS x) AS r", {"a": NUMBERS}),
    "growing texts": ("SET @s = s + s + s + s SELECT (SELECT VALUE upper(@s) FROM a AS x) AS r", {"s": "x" * 60000, "a": NUMBERS[:8000]}),
    "wide texts": ("SET @s = s SELECT (SELECT VALUE upper(@s) FROM a AS x) AS r", {"s": "é" * 20000, "a": NUMBERS[:8000]}),
    "replacing": ("SET @s = s SELECT (SELECT VALUE replace(@s, 'e', '') FROM a AS x) AS r", {"s": "ea" * 20000, "a": NUMBERS[:8000]}),
    "finding": ("SET @s = s SELECT (SELECT VALUE indexof(@s, 'eeeeeeeeeeeeb') FROM a AS x) AS r", {"s": "e" * 40000, "a": NUMBERS[:8000]}),
    "decoding": ("SET @a = encode(a, 'base64') SELECT (SELECT VALUE decode(@a, 'base64') FROM a AS x) AS r", {"a": NUMBERS}),
    "digests": ("SET @s = s SELECT (SELECT VALUE md2(@s) FROM a AS x) AS r", {"s": "y" * 60000, "a": NUMBERS[:8000]}),
    "characters behind escapes": ("SET @s = s SELECT (SELECT VALUE get(@s, x) FROM a AS x) AS r", {"s": "é" * 30000, "a": NUMBERS[:12000]}),
    "remainders of wide numbers": ("SELECT (SELECT VALUE 9E900 % (x + 0.12345) FROM a AS x) AS r", {"a": NUMBERS}),
    "patterns of times": ("SET @p = p SELECT (SELECT VALUE time_to_epoch('1111111111111111111111', @p) FROM a AS x) AS r", {"a": NUMBERS, "p": "[yyyy]" * 85}),
    "enriching": ("SET @a = a SELECT (SELECT VALUE transform('enrichArray', {'k': x}, @a) FROM b AS x) AS r", {"a": [{"i": i} for i in range(5000)], "b": NUMBERS[:5000]}),
    "a long expression": ("SELECT regexp_matches(s, '(a+)+$') AS r", {"s": "a" * 120000 + "b"}),
    "expressions in a loop": ("SELECT (SELECT VALUE regexp_matches(x, '(a+)+$') FROM a AS x) AS r", {"a": ["a" * 100 + "b"] * 1000}),
    "expressions just below their bound": ("SELECT (SELECT VALUE regexp_matches(x, '(a+)+$') FROM a AS x) AS r", {"a": ["a" * 17 + "b"] * 5000}),
    "many expressions": ("SELECT (SELECT VALUE regexp_matches('x', x) FROM a AS x) AS r", {"a": [f"(a{i}|b)*{'x?' * 20}$" for i in range(2000)]}),
    "many keys": ("SELECT " + ", ".join(f"(SELECT *, x AS k{i} FROM *) AS r{i}" for i in range(50)), {f"k{i}": i for i in range(9000)}),
}


class BoundsTest(unittest.TestCase):
    def test_no_shape_takes_long(self):
        for name, (sql, payload) in SHAPES.items():
            with self.subTest(name):
                text = json.dumps(payload)
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                process = subprocess.run([SLUICE, "eval", sql + " FROM '#'"], input=text + "\n", capture_output=True, text=True, check=False, timeout=120)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                self.assertIn(process.returncode, (0, 1), process.stderr)
                if os.environ.get("BOUNDS_SHOW"):
                    print(f"{name:36} {seconds * 1000:6.0f} ms  {process.stderr.splitlines()[:1]}")
                self.assertLess(seconds, SECONDS, process.stderr)


if __name__ == "__main__":
    unittest.main()
