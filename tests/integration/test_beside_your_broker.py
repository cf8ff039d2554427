# SPDX-License-Identifier: Apache-2.0
"""docs/beside-your-broker.md: what its Mosquitto section says to type is typed, and what it shows must come out."""
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from mosquitto_fixture import MOSQUITTO, PATIENCE, Lines, free_port
from plugin_fixture import PLUGIN, sanitizer_environment
from sluice_fixture import ROOT, SLUICE, wait_until

PAGE = ROOT / "docs/beside-your-broker.md"
DONE = "that was all of it"


def steps():
    """(command, output that the page shows for it or None), in order."""
    section = re.search(r"^## Mosquitto$(.*?)^## ", PAGE.read_text(encoding="utf-8"), re.M | re.S).group(1)
    blocks = re.findall(r"^```(sh|output)\n(.*?)^```$", section, re.M | re.S)
    for i, (kind, text) in enumerate(blocks):
        if kind == "sh":
            yield text, blocks[i + 1][1] if i + 1 < len(blocks) and blocks[i + 1][0] == "output" else None


class Shell:
    """A bash that is given one step after the other."""

    def __init__(self, folder, environment):
        self.process = subprocess.Popen(["bash", "-u"], cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.output = Lines(self.process.stdout)
        self.steps = 0

    def run(self, command, may_fail=False):
        """Returns what it printed; it must end well, unless it may fail."""
        seen = len(self.output.list)
        self.steps += 1
        self.process.stdin.write(f"{command}\necho $? {DONE} {self.steps}\n")
        self.process.stdin.flush()
        end = f"{DONE} {self.steps}"
        self.output.wait(lambda lines: any(line.endswith(end) for line in lines), "the end of:\n" + command)
        *printed, status = self.output.list[seen:]
        assert may_fail or status == f"0 {end}", (command, self.output.list[seen:])
        return "".join(line + "\n" for line in printed)

    def close(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)


class BesideYourBrokerTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="sluice-beside-")))
        self.port = free_port()
        mosquitto = self.folder / "mosquitto"
        settings = " ".join(f"{name}={value}" for name, value in sanitizer_environment().items())
        mosquitto.write_text(f'#!/bin/sh\nexec env {settings} {MOSQUITTO} "$@"\n', encoding="ascii")
        mosquitto.chmod(0o755)
        path = f"{SLUICE.parent}:{os.environ['PATH']}"
        self.shell = Shell(self.folder, {**os.environ, "PORT": str(self.port), "PLUGIN": str(PLUGIN), "MOSQUITTO": str(mosquitto), "PATH": path})
        self.addCleanup(self.clean_up)

    def clean_up(self):
        for name in "sluice", "mosquitto":
            pid = self.folder / f"{name}.pid"
            if pid.exists():
                subprocess.run(["kill", pid.read_text().strip()], capture_output=True, check=False)
        self.shell.close()

    def text(self, name):
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def wait_for(self, command, shown):
        """What the page takes for granted before the next step."""
        if "mosquitto.conf" in command:
            wait_until(lambda: " running" in self.text("mosquitto.log"), f"the broker: {self.text('mosquitto.log')}")
        if "sluice run" in command:
            wait_until(lambda: "subscribed to" in self.text("sluice.log"), "the subscriptions")
        if shown:
            wait_until(lambda: self.shell.run(command, may_fail=True) == shown, f"what the page shows of: {command}")

    def test_the_steps(self):
        refused = ""
        for command, shown in steps():
            printed = "" if shown else self.shell.run(command)
            self.wait_for(command, shown)
            refused += printed if "refused" in command else ""
        self.assertIn("Publish 1 failed: Not authorized.\n", refused)
        self.assertIn("refused: not its name\n", refused)
        self.assertRegex(refused, r"(?m)^IMPLICIT_DENY topic/topic/lamp2/state")
        self.assertEqual(len(self.text("who.ndjson").splitlines()), 2)


if __name__ == "__main__":
    unittest.main()
