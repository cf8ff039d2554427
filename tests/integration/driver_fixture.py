# SPDX-License-Identifier: Apache-2.0
"""One action type driven without rules: tests/contract/action_driver.c behind Python.

    with Driver("http", "timeout: 1s") as driver:
        driver.action("url: http://…")
        driver.send(item({"a": 1}, v="x", key=7))   # -> ["done"], ["later: …"], ["rejected: …"]
        driver.begin(item({"a": 2}))
        with driver.stopped():                      # the send that is under way is to end
            driver.finish()                         # -> its results
"""
import contextlib
import json
import os
import pathlib
import subprocess
import threading

BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", pathlib.Path(__file__).resolve().parent.parent.parent / "build/release"))
DRIVER = BUILD / "tests/contract/action_driver"
PATIENCE = 60
STALL_MS = 8000  # what a busy machine may add to a send; less than the time-outs that options have by default


def item(body=None, action=0, text=None, json_body=True, key=0, **variables):
    """What a message gives: variables are what templates `${name}` become."""
    made = {"action": action, "body": json.dumps(body, ensure_ascii=False) if text is None else text, "key": key, "vars": variables}
    return made if json_body else made | {"json": False}


class Driver:
    """self.said: everything that came back, to be searched for what must not be there."""

    def __init__(self, kind, target=None, environment=None):
        self.stop_reader, self.stop_writer = os.pipe()
        self.process = subprocess.Popen([DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **(environment or {})}, pass_fds=[self.stop_reader])
        self.said, self.waits, self.ms, self.rc, self.error, self.warnings = "", [], 0, 0, "", ""
        self.errors_reader = threading.Thread(target=self._read_errors, daemon=True)
        self.errors_reader.start()
        try:
            self.warnings = self.ask(open=kind, target=target, stop=self.stop_reader)["warnings"]
        except BaseException:
            self.__exit__(AssertionError)
            raise

    def _read_errors(self):
        for line in self.process.stderr:
            self.said += line

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        code = self.process.wait(PATIENCE)
        self.errors_reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        os.close(self.stop_reader)
        os.close(self.stop_writer)
        if code != 0 and exc[0] is None:
            raise AssertionError(f"the driver ended with {code}: {self.said[-5000:]}")

    def ask(self, **command):
        self._tell(command)
        return self._answer()

    def _tell(self, command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def _answer(self):
        line = self.process.stdout.readline()
        self.said += line
        answer = json.loads(line)
        if "errors" in answer:
            raise AssertionError(answer["errors"])
        return answer

    def action(self, yaml):
        answer = self.ask(action=yaml)
        self.warnings = answer.get("warnings", "")
        return answer["action"]

    def send(self, *items):
        """Results as text; self.ms: how long it took, self.waits: what the target wished for, self.rc and self.error: why the lane broke."""
        self.begin(*items)
        return self.finish()

    def begin(self, *items):
        self._tell({"send": list(items)})

    def finish(self):
        answer = self._answer()
        self.ms, self.waits, self.rc, self.error = answer["ms"], answer["waits"], answer["rc"], answer["error"]
        return [": ".join(filter(None, result)) for result in answer["results"]]

    def send_until_done(self, *items):
        """As the flow does it: again what is to come later. Returns how many sends it took."""
        pending = list(items)
        for sends in range(1, 1000):
            results = self.send(*pending)
            pending = [i for i, result in zip(pending, results) if result != "done"]
            if not pending:
                return sends
        raise AssertionError(results)

    @contextlib.contextmanager
    def stopped(self):
        """Meanwhile every send ends as soon as it can."""
        os.write(self.stop_writer, b"x")
        yield
        os.read(self.stop_reader, 1)
