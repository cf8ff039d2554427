# SPDX-License-Identifier: Apache-2.0
"""Golden tests of the command line: tests/golden/cli/NAME/cmd holds the arguments (one shell line, run in that folder), stdin its
input if there is one, expected what must come out: standard output, standard error, exit code.

GOLDEN_UPDATE=1 rewrites the expectations.
"""
import os
import pathlib
import shlex
import subprocess
import unittest

from sluice_fixture import PATIENCE, ROOT, SLUICE

GOLDEN = ROOT / "tests/golden/cli"


def run(folder):
    stdin = folder / "stdin"
    arguments = shlex.split((folder / "cmd").read_text(encoding="utf-8"))
    result = subprocess.run(
        [SLUICE, *arguments],
        cwd=folder,
        input=stdin.read_bytes() if stdin.exists() else b"",
        capture_output=True,
        check=False,
        timeout=PATIENCE,
        env={**os.environ, "TERM": "dumb"},
    )
    text = result.stdout.decode("utf-8", "backslashreplace")
    if result.stderr:
        text += "--- standard error\n" + result.stderr.decode("utf-8", "backslashreplace")
    return f"{text}--- exit {result.returncode}\n"


class CommandLine(unittest.TestCase):
    maxDiff = None

    def test_golden(self):
        folders = sorted(p.parent for p in GOLDEN.glob("*/cmd"))
        self.assertGreater(len(folders), 10, "the golden files are missing")
        for folder in folders:
            with self.subTest(folder.name):
                actual = run(folder)
                expected = folder / "expected"
                if os.environ.get("GOLDEN_UPDATE"):
                    expected.write_text(actual, encoding="utf-8")
                self.assertEqual(expected.read_text(encoding="utf-8"), actual)

    def test_output_that_nobody_reads(self):
        """A reader that goes away must not look like success, nor hang."""
        process = subprocess.Popen([SLUICE, "eval", "SELECT * FROM 'a'"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.close()
        try:
            process.stdin.write(b'{"a":1}\n' * 100_000)
            process.stdin.close()
        except BrokenPipeError:
            pass
        self.assertNotEqual(process.wait(PATIENCE), 0)


if __name__ == "__main__":
    unittest.main()
