# SPDX-License-Identifier: Apache-2.0
"""A sluice service in a temporary folder, for the integration tests.

    with Service({"sluice.yaml": "...", "rules/a.yaml": "..."}) as service:
        service.start()
        service.wait_log("subscribed")
        ...
        service.stop()          # SIGTERM; returns the exit code

The build under test is named by SLUICE_BUILD (default build/release).
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build/release"))
SLUICE = BUILD / "bin/sluice"
sys.set_int_max_str_digits(0)  # our numbers may be longer than what Python reads by default
PATIENCE = 60  # seconds: how long a condition may take before the test fails; nothing waits this long when all is well


def wait_until(condition, what, patience=PATIENCE):
    """Wait until condition() is true (its value is returned)."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience} s for {what}")
        time.sleep(0.02)


def is_stopped(pid):
    """SIGSTOP has reached every thread of the process, or it has ended."""
    try:
        states = [(task / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return not pathlib.Path(f"/proc/{pid}").exists()
    return all(state in "TtZX" for state in states)


def threads_of(pid):
    """Each thread of the process: its name, its state and what it waits for in the kernel (where we may know)."""

    def read(task, name):
        try:
            return (task / name).read_text(encoding="utf-8").strip()
        except OSError:
            return "?"

    return [(read(task, "comm"), read(task, "stat").rpartition(")")[2].split()[:1], read(task, "wchan"), read(task, "syscall")) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]


def read_ndjson(path):
    """The complete lines of an NDJSON file, [] if there is none yet."""
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in text.split("\n")[:-1]]


def check_counters(snapshot):
    """What must hold at every instant: each message is counted once, per rule and per source."""
    for rule in snapshot["rules"]:
        parts = ("filtered", "failed", "delivered", "dead", "dropped", "inFlight")
        if rule["matched"] != sum(rule[part] for part in parts):
            raise AssertionError(f"the counters of a rule do not add up: {rule}")
    for source in snapshot["sources"]:
        if source["received"] != source["unmatched"] + source["settled"] + source["inFlight"]:
            raise AssertionError(f"the counters of a source do not add up: {source}")


class Service:
    """A folder with configuration and rules, and at most one process that runs them."""

    def __init__(self, files):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-test-"))
        self.process = None
        self.log = []
        self.log_changed = threading.Condition()
        self.readers = []
        for name, text in files.items():
            self.write(name, text)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def path(self, name):
        return self.folder / name

    def stats(self):
        """The counters that the service wrote last (statsFile: stats.json), checked."""
        path = self.path("stats.json")
        wait_until(path.exists, "the first counters")
        snapshot = json.loads(path.read_text(encoding="utf-8"))
        check_counters(snapshot)
        return snapshot

    def start(self, *arguments):
        """Run `sluice run`. Its log lines collect in self.log."""
        self.process = subprocess.Popen(
            [SLUICE, "run", *arguments], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        self.stdout = []
        self.readers = [
            threading.Thread(target=self._read, args=(self.process.stderr, self.log), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stdout, self.stdout), daemon=True),
        ]
        self.reading = len(self.readers)
        for reader in self.readers:
            reader.start()

    def _read(self, stream, lines):
        for line in stream:
            with self.log_changed:
                lines.append(line.rstrip("\n"))
                self.log_changed.notify_all()
        with self.log_changed:
            self.reading -= 1
            self.log_changed.notify_all()
        stream.close()

    def wait_log(self, text, count=1):
        """Wait until `count` log lines hold the text."""

        def seen():
            return sum(text in line for line in self.log) >= count

        with self.log_changed:
            if not self.log_changed.wait_for(lambda: seen() or not self.reading, PATIENCE) or not seen():
                raise AssertionError(f"no log line with {text!r}:\n" + "\n".join(self.log))

    def stop(self, patience=PATIENCE):
        """SIGTERM and wait: the drain. Returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(patience)

    def wait(self, patience=PATIENCE):
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it goes on after {patience} s: {threads_of(self.process.pid)}\n" + "\n".join(self.log[-30:])) from None
        for reader in self.readers:
            reader.join()
        return code

    def kill(self):
        self.process.kill()
        return self.wait()

    def run(self, *arguments, stdin=None):
        """Run another command of sluice in the folder to its end."""
        return subprocess.run([SLUICE, *arguments], cwd=self.folder, input=stdin, capture_output=True, text=True, check=False, timeout=PATIENCE)
