# SPDX-License-Identifier: Apache-2.0
"""JSONTestSuite (github.com/nst/JSONTestSuite): what must be accepted is, what must be refused is, and what may be either stands
in docs/json-accepted.md.

GOLDEN_UPDATE=1 rewrites the table.
"""
import lzma
import os
import pathlib
import re
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor

from sluice_fixture import PATIENCE, ROOT, SLUICE

SUITE = ROOT / "build/json-suite"
PAGE = ROOT / "docs/json-accepted.md"
SHOWN = 60  # characters of a text in the table
HEAD = """# JSON that may or may not be accepted

Payloads are read strictly by RFC 8259. That leaves some texts to the reader; here are those of JSONTestSuite (github.com/nst/JSONTestSuite, its `i_` files), with the output of
`SELECT VALUE *`, or the reason why a text is not JSON. Its `y_` files are accepted, its `n_` files refused.

Numbers of any size and exponent are read, and pass through as their text; those beyond the language's range have no value to compute with. A lone surrogate is read as U+FFFD
when its value is needed. Bytes that are not UTF-8, UTF-16, a byte order mark, and nesting deeper than 512 levels are refused.

| file | | output or reason |
| --- | --- | --- |
"""


def content(path):
    return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()


def read(path):
    """Exit code and output of sluice with the file as payload."""
    command = [SLUICE, "eval", "SELECT VALUE * FROM 'a'", "--payload", "-", "--require-json"]
    result = subprocess.run(command, input=content(path), capture_output=True, check=False, timeout=PATIENCE)
    return path.name.removesuffix(".xz"), result.returncode, result.stdout if result.returncode == 0 else result.stderr


def cut(text):
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def row(name, code, output):
    text = output.decode("utf-8", "backslashreplace").strip()
    text = re.sub("^sluice eval: standard input: (invalid JSON )?", "", text)
    cell = "`" + cut(text).replace("|", "\\|") + "`" if code == 0 else text
    return f"| `{name.removesuffix('.json')}` | {'accepted' if code == 0 else 'refused'} | {cell} |\n"


class JsonSuite(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        subprocess.run([ROOT / "tests/get-json-suite"], check=True)
        files = sorted(path for path in SUITE.iterdir() if re.match("[yni]_", path.name))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            cls.results = list(pool.map(read, files))

    def of(self, kind):
        results = [result for result in self.results if result[0].startswith(kind)]
        self.assertGreater(len(results), 30, "files are missing")
        return results

    def test_what_must_be_accepted(self):
        self.assertEqual([name for name, code, _ in self.of("y_") if code != 0], [])

    def test_what_must_be_refused(self):
        self.assertEqual([name for name, code, _ in self.of("n_") if code != 3], [])

    def test_why_it_is_refused(self):
        """Each names a byte and a reason."""
        for name, _, error in self.of("n_"):
            with self.subTest(name):
                self.assertRegex(error.decode(), r"^sluice eval: standard input: .*byte \d+: .+\n$")

    def test_what_may_be_either(self):
        text = HEAD + "".join(row(*result) for result in self.of("i_"))
        if os.environ.get("GOLDEN_UPDATE"):
            PAGE.write_text(text, encoding="utf-8")
        self.assertEqual(PAGE.read_text(encoding="utf-8"), text)


if __name__ == "__main__":
    unittest.main()
