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

from sluice_fixture import PATIENCE, ROOT, SLUICE, Service, read_ndjson

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

    def test_relative_paths_start_at_the_configuration(self):
        """Wherever sluice runs: sources, rules, what rules write, dead letters and counters are beside sluice.yaml."""
        rule = "ruleName: keep\nsql: SELECT * FROM 'a/#'\nactions:\n  - file: { path: 'out/${topic(2)}.ndjson' }\n"
        lost = "ruleName: lost\nsql: SELECT * FROM 'a/#'\nactions:\n  - file: { path: '${topic(2)}/../x' }\n"
        service = "sources:\n  - replay: { path: in.ndjson }\nrules: [rules/]\nstatsFile: stats.json\ndeadLetters: { path: dead.ndjson }\n"
        messages = '{"topic":"a/1","payload":{"x":1}}\n'
        with Service({"etc/sluice.yaml": service, "etc/rules/keep.yaml": rule, "etc/rules/lost.yaml": lost, "etc/in.ndjson": messages}) as s:
            s.start("-c", "etc/sluice.yaml")
            self.assertEqual(s.wait(), 0, "\n".join(s.log))
            self.assertEqual(read_ndjson(s.path("etc/out/1.ndjson")), [{"x": 1}])
            self.assertEqual([line["rule"] for line in read_ndjson(s.path("etc/dead.ndjson"))], ["lost"])
            self.assertTrue(s.path("etc/stats.json").exists())
            self.assertEqual([path.name for path in s.folder.iterdir()], ["etc"])

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
