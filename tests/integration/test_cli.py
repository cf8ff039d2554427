# SPDX-License-Identifier: Apache-2.0
"""Golden tests of the command line: tests/golden/cli/NAME/cmd holds the arguments (one shell line, run in that folder), stdin its
input if there is one, expected what must come out: standard output, standard error, exit code.

GOLDEN_UPDATE=1 rewrites the expectations.
"""
import os
import pathlib
import shlex
import stat
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

    def replay(self, lines, rule="actions: [ { file: { path: out.ndjson } } ]", source="", more=""):
        """Exit code and log of a run that ends with its input."""
        files = {
            "sluice.yaml": f"sources:\n  - replay: {{ path: in.ndjson {source} }}\nrules: [rules.yaml]\n{more}\n",
            "rules.yaml": f"ruleName: r\nsql: SELECT * FROM 'a'\n{rule}\n",
            "in.ndjson": "".join(line + "\n" for line in lines),
        }
        with Service(files) as s:
            s.start()
            return s.wait(), "\n".join(s.log), "\n".join(s.stdout)

    def test_a_replay_that_leaves_something_out_has_failed(self):
        self.assertEqual(self.replay(['{"topic":"a"}', "", '{"topic":"a"}'])[0], 0)
        code, log, _ = self.replay(['{"topic":"a"}', "{", '{"payload":1}', '{"topic":"a"}'])
        self.assertEqual(code, 1)
        self.assertIn("2 messages were replayed, 2 lines that are no messages were left out", log)

    def test_a_replay_gives_up_when_nothing_moves(self):
        """No such folder, which is waited for as a misconfigured target; there will be no signal to end it."""
        code, log, _ = self.replay(['{"topic":"a"}'], "actions: [ { file: { path: no/such/folder/x, createFolders: false } } ]", more="drainTimeout: 200ms")
        self.assertEqual(code, 1)
        self.assertIn("1 message remained", log)

    def test_what_cannot_be_written_is_found_at_the_start(self):
        message = ['{"topic":"a"}']
        for more, error in (
            ("statsFile: /dev/null", '"statsFile" is there and no regular file'),
            ("statsFile: .", '"statsFile" is there and no regular file'),
            ("deadLetters: { path: /dev/null }", "it is no regular file"),
            ("deadLetters: { path: . }", "it is no regular file"),
            ("deadLetters: { path: in.ndjson/x }", "Not a directory"),
        ):
            with self.subTest(more):
                code, log, _ = self.replay(message, more=more)
                self.assertEqual(code, 1)
                self.assertIn(error, log)
                self.assertIn("not started", log)
        code, log, _ = self.replay(message, source=", loop: 2", more="deadLetters: { path: new/folder/x }\nstatsFile: stats.json")
        self.assertEqual(code, 0, log)

    def test_watching_rules(self):
        rule = "ruleName: r\nsql: SELECT a FROM 't'\ntests:\n  - { topic: t, payload: { a: 1 }, expect: { a: 1 } }\n"
        with Service({"rules/r.yaml": rule}) as s:
            process = subprocess.Popen([SLUICE, "test", "--watch", "rules"], cwd=s.folder, stdout=subprocess.PIPE, text=True)
            self.addCleanup(process.stdout.close)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            self.assertEqual(process.stdout.readline(), "1 passed, 0 failed\n")
            s.write("rules/r.yaml", rule.replace("SELECT a", "SELECT a + 1 AS a"))
            lines = list(iter(process.stdout.readline, "0 passed, 1 failed\n"))
            self.assertIn("rules/r.yaml:4: 4\n", "".join(lines))
            s.write("rules/more.jsonl", '{"sql":"SELECT 1 AS a FROM \'test\'","expect":{"a":1}}\n')
            lines = list(iter(process.stdout.readline, "1 passed, 1 failed\n"))

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

    def test_output_that_is_lost(self):
        """A full disk below standard output is a failure of every command that prints."""
        full = "/dev/full"
        self.assertTrue(stat.S_ISCHR(os.stat(full).st_mode), full)
        commands = ["--help", "--version", "help eval", "explain \"SELECT * FROM 'a'\"", "bench --seconds 0.01", "check -c check-good/sluice.yaml",
                    "test ../../cases/set.jsonl", "eval \"SELECT * FROM 'a'\""]
        for command in commands:
            with self.subTest(command), open(full, "wb") as out:
                result = subprocess.run([SLUICE, *shlex.split(command)], cwd=GOLDEN, input=b"{}\n", stdout=out, stderr=subprocess.PIPE, check=False, timeout=PATIENCE)
                self.assertEqual(result.returncode, 1)
                self.assertEqual(result.stderr.decode().count("could not write standard output"), 1)

    def test_standard_descriptors_that_are_closed(self):
        """What is opened next must not take their numbers: they are /dev/null then."""
        for closed in ("<&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-"):
            with self.subTest(closed):
                command = f"echo '{{}}' | {shlex.quote(str(SLUICE))} eval \"SELECT * FROM 'a'\" {closed}"
                result = subprocess.run(["sh", "-c", command], capture_output=True, check=False, timeout=PATIENCE)
                self.assertEqual((result.returncode, result.stderr), (0, b""))


if __name__ == "__main__":
    unittest.main()
