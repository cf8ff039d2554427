# SPDX-License-Identifier: Apache-2.0
"""deploy/quickstart and deploy/examples/ as they are: what is shown is what happened, and nothing stays behind."""
import base64
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

from mosquitto_fixture import MOSQUITTO, Lines, free_port
from plugin_fixture import sanitizer_environment
from sluice_fixture import PATIENCE, ROOT, SLUICE, read_ndjson, wait_until

EXAMPLES = ROOT / "deploy/examples"
ANYWHERE = {"SLUICE_MQTT_URL": "mqtt://127.0.0.1", "SLUICE_PG_CONNINFO": "host=127.0.0.1", "SLUICE_FUNCTIONS_URL": "http://127.0.0.1:9001",
            "SLUICE_KAFKA_SERVERS": "127.0.0.1:9092"}


def processes_of(folder):
    """Those that run in the folder or were told of it."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command, cwd = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"), os.readlink(process / "cwd")
        except OSError:  # it has ended
            continue
        if folder in command or cwd.startswith(folder):
            found.append(command)
    return found


class QuickstartTest(unittest.TestCase):
    def mosquitto(self):
        """As it is, or with the library of the plugin's sanitizer in front."""
        settings = " ".join(f"{name}={value}" for name, value in sanitizer_environment().items())
        path = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "mosquitto"
        path.write_text(f'#!/bin/sh\nexec env {settings} {MOSQUITTO} "$@"\n', encoding="ascii")
        path.chmod(0o755)
        return path

    def start(self, *arguments):
        process = subprocess.Popen([ROOT / "deploy/quickstart", "--no-install", "--sluice", SLUICE, *arguments], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
                                   env={**os.environ, "MOSQUITTO": str(self.mosquitto())})
        output = Lines(process.stdout)
        self.addCleanup(self.end, process)
        return process, output

    @staticmethod
    def end(process):
        """For a test that failed: what a quickstart in trouble may have left, but never another session's."""
        if process.poll() is None:
            process.terminate()
            process.wait(PATIENCE)

    def assert_nothing_stays(self, output):
        folder = re.search(r"/tmp/sluice-quickstart\.\w+", "\n".join(output.list)).group()
        self.assertFalse(pathlib.Path(folder).exists())
        wait_until(lambda: not processes_of(folder), f"the end of {processes_of(folder)}")

    def run_through(self, seconds, *arguments):
        """Runs it to its end. Returns the output, and the rules' matched, filtered, delivered, failed, in flight."""
        process, output = self.start("--seconds", str(seconds), *arguments)
        self.assertEqual(process.wait(PATIENCE * 5), 0, "\n".join(output.list))
        output.wait(lambda _: output.ended, "the end of the output")
        self.assert_nothing_stays(output)
        text = "\n".join(output.list)
        rules = {name: [int(n) for n in numbers.split()] for name, numbers in re.findall(r"^(\w+) +(\d+(?: +\d+){4})$", text, re.M)}
        for name, (matched, filtered, delivered, failed, in_flight) in rules.items():
            self.assertEqual((matched, filtered + delivered, failed, in_flight), (seconds * 40, matched, 0, 0), name)
        self.assert_functions(text, rules)
        self.assertEqual(len(re.findall(r'(?m)^\{"client":"gateway-[1-4]","topic":"plant/[1-4]/telemetry"', text)), 2)
        return text, rules

    def assert_functions(self, text, rules):
        """Every event reached its function: those that were told to come again did, what was refused went to the error action."""
        calls = {name: {int(status): int(count) for status, count in re.findall(r"(\d{3}): (\d+)", answers)}
                 for name, answers in re.findall(r"^(PUT /devices|invoke [\w-]+) +(\d{3}: .*)$", text, re.M)}
        refused = int(re.search(r"caught by the error action \((\d+) lines", text).group(1))
        self.assertGreater(refused, 0)
        self.assertGreaterEqual(calls["PUT /devices"][422], refused)
        self.assertGreaterEqual(calls["PUT /devices"][200], rules["devices"][0] - refused)
        self.assertGreaterEqual(calls["invoke report-fault"][202], refused)
        self.assertEqual(calls["invoke open-ticket"][503], 3)
        self.assertGreaterEqual(calls["invoke open-ticket"][202], rules["tickets"][2])
        self.assertIn("the server answered 503: waking up", text)
        self.assertGreater(int(re.search(r"functions wrote \((\d+)", text).group(1)), 0)

    def test_brokers_database_and_functions(self):
        text, rules = self.run_through(2)
        self.assertEqual(sorted(rules), ["clients", "devices", "maintenance", "overheat", "readings", "tickets"])
        self.assertNotIn("Kafka", text)

    def test_with_kafka(self):
        text, rules = self.run_through(2, "--with-kafka")
        self.assertEqual(sorted(rules), ["clients", "devices", "maintenance", "overheat", "readings", "stream", "tickets"])
        self.assertGreaterEqual(int(re.search(r"topic plant\.readings \((\d+) records", text).group(1)), rules["stream"][2])
        self.assertRegex(text, r"(?m)^partition \d, offset \d+, key [1-4]/\w+: \{\"site\":")

    def test_interrupted(self):
        process, output = self.start("--seconds", "600")
        output.wait_text("running them on live messages")
        folder = re.search(r"/tmp/sluice-quickstart\.\w+", "\n".join(output.list)).group()
        wait_until(lambda: (pathlib.Path(folder) / "service/data/maintenance.ndjson").exists(), "a delivery")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE), 130)
        output.wait(lambda _: output.ended, "the end of the output, which every process holds")
        self.assert_nothing_stays(output)


class ExamplesTest(unittest.TestCase):
    def test_configurations_are_right(self):
        key = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "key"
        key.write_text("0123456789abcdef" * 4, encoding="ascii")
        key.chmod(0o600)
        for name, rules in ("sluice.yaml", 6), ("with-kafka.yaml", 7):
            result = subprocess.run([SLUICE, "check", "-c", EXAMPLES / name], env={**os.environ, **ANYWHERE, "SLUICE_IDENTITY_KEY": str(key)}, capture_output=True, text=True,
                                    check=False, timeout=PATIENCE)
            self.assertEqual((result.returncode, result.stdout), (0, f"{rules} rules checked, no errors, 0 warnings\n"), result.stderr)


class FunctionsTest(unittest.TestCase):
    """deploy/examples/functions by itself."""

    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="sluice-functions-")))
        self.tickets, self.port = folder / "tickets.ndjson", free_port()
        self.process = subprocess.Popen([EXAMPLES / "functions", str(self.port), self.tickets], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        self.addCleanup(self.stop)
        wait_until(lambda: self.request("GET", "/") == 501, "the server")

    def stop(self):
        """Ends it as the quickstart does; returns what it printed."""
        if self.process.returncode is None:
            self.process.terminate()
            self.printed, errors = self.process.communicate(timeout=PATIENCE)
            self.assertEqual((self.process.returncode, errors), (0, ""))
        return self.printed

    def request(self, method, path, body=b""):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body if method != "GET" else None, method=method)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=PATIENCE) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except urllib.error.URLError:  # not there yet
            return None

    def invoke(self, function, event):
        return self.request("POST", f"/2015-03-31/functions/{function}/invocations?Qualifier=prod", json.dumps(event).encode())

    def test_answers(self):
        self.assertEqual(self.request("PUT", "/devices/7/a%2Fb", b'{"temperature":21.5}'), 200)
        self.assertEqual(self.request("PUT", "/devices/7/fan", b'{"temperature":-274}'), 422)
        for body in b"", b"[]", b"3", b'"x"', b'{"temperature":"hot"}', b'{"temperature":', b"\xff":
            self.assertEqual(self.request("PUT", "/devices/7/fan", body), 400, body)
        self.assertEqual([self.request("PUT", "/devices/7", b"{}"), self.request("POST", "/devices/7/fan", b"{}"), self.invoke("gone", {})], [404] * 3)
        self.assertIn("PUT /devices          200: 1   400: 7   422: 1\n", self.stop())

    def test_a_ticket_for_each_trouble(self):
        shaking = {"site": "7", "device": "fan", "vibration": 12.5}
        self.assertEqual([self.invoke("open-ticket", shaking) for _ in range(5)], [503, 503, 503, 202, 202])
        fault = {"topic": "plant/7/telemetry", "base64OriginalPayload": base64.b64encode(b'{"device":"fan"}').decode(),
                 "failures": [{"errorMessage": "no"}]}
        self.assertEqual([self.invoke("report-fault", fault) for _ in range(2)], [202] * 2)
        self.assertEqual(self.invoke("report-fault", {"topic": "x"}), 400)
        self.assertEqual(read_ndjson(self.tickets), [
            {"ticket": 1, "site": "7", "device": "fan", "kind": "vibration", "why": "12.5 mm/s"},
            {"ticket": 2, "site": "7", "device": "fan", "kind": "sensor", "why": "no"},
        ])


if __name__ == "__main__":
    unittest.main()
