# SPDX-License-Identifier: Apache-2.0
"""`sluice bench pipeline` against real services: its figures are there and fit together, and nothing is lost. No promise on speed."""
import contextlib
import itertools
import json
import pathlib
import signal
import subprocess
import tempfile
import unittest

from http_fixture import Answer, HttpServer, Nginx
from kafka_fixture import Kafka
from mosquitto_fixture import LOSSLESS, Mosquitto
from pg_fixture import PgServer
from sluice_fixture import PATIENCE, SLUICE, wait_until

MESSAGES = 2000
WARM_UP = 200  # messages that every run of sluice gets before the clock starts


def bench(*arguments):
    return subprocess.run([SLUICE, "bench", "pipeline", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=PATIENCE * 5)


def leftovers(process):
    """Folders that a bench of this process made."""
    return list(pathlib.Path(tempfile.gettempdir()).glob(f"sluice-bench-{process.pid}-*"))


def command_lines():
    """Of all processes that we may look at."""
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ends just now, or is another user's
            yield path.read_text(errors="replace")


class Pipeline(unittest.TestCase):
    def check_row(self, row, rounds):
        """What must hold whatever the machine does."""
        self.assertEqual((row["messages"], row["rounds"]), (MESSAGES, rounds))
        self.assertEqual(row["given_messages"], rounds * (MESSAGES + WARM_UP))
        for figure in ("sluice_messages_per_s", "subscriber_messages_per_s", "producer_messages_per_s", "ratio", "sluice_cpu_s_per_million",
                       "broker_cpu_s_per_million", "subscriber_broker_cpu_s_per_million"):
            self.assertGreater(row[figure], 0, figure)
        self.assertLessEqual(row["ratio_least"], row["ratio"])
        self.assertLessEqual(row["ratio"], row["ratio_most"])
        if rounds == 1:
            slower = min(row["subscriber_messages_per_s"], row["producer_messages_per_s"])
            self.assertAlmostEqual(row["ratio"], row["sluice_messages_per_s"] / slower, places=2)

    def rows(self, result):
        self.assertEqual(result.returncode, 0, result.stderr)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def test_nothing_is_lost(self):
        with Mosquitto(config=LOSSLESS) as broker, PgServer() as pg, Nginx() as http:
            result = bench("--broker", broker.url, "--broker-pid", broker.process.pid, "--postgres", pg.conninfo(), "--http", http.url + "/ok",
                           "--messages", MESSAGES, "--rounds", 1, "--json")
            rows = self.rows(result)
            self.assertEqual([(row["qos"], row["target"]) for row in rows],
                             [(qos, target) for qos in (0, 1) for target in ("republish", "file", "postgres", "http")])
            for row in rows:
                with self.subTest(qos=row["qos"], target=row["target"]):
                    self.check_row(row, 1)
                    self.assertEqual((row["lost_messages"], row["subscriber_lost_messages"]), (0, 0))
                    self.assertEqual(row["doubled_messages"], None if row["target"] == "http" else 0)
            self.assertIn("kafka is left out: no --kafka", result.stderr)
            self.assertEqual(pg.psql("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'sluice_bench%'"), "0\n")
            # Bare and through sluice, for each QoS.
            posts = lambda: [line for line in http.log() if line[0] == "POST" and line[3] == "204"]  # noqa: E731
            wait_until(lambda: len(posts()) >= 2 * 2 * (MESSAGES + WARM_UP), "the log, which it writes after it has answered")
            self.assertEqual(len(posts()), 2 * 2 * (MESSAGES + WARM_UP))

    def test_window(self):
        """The counters of sluice that the load waits for are written every 10 ms: two messages each time, no more."""
        with Mosquitto(config=LOSSLESS) as broker:
            row, = self.rows(bench("--broker", broker.url, "--only", "file", "--qos", 0, "--messages", 200, "--rounds", 1, "--window", 2, "--json"))
            self.assertEqual(row["lost_messages"], 0)
            self.assertLess(row["sluice_messages_per_s"], 2 / 0.010 * 1.25)

    def test_more_messages_than_packet_ids(self):
        """An acknowledgement that is missing, anywhere, stops the broker after 65,535 messages."""
        with Mosquitto(config=LOSSLESS) as broker:
            row, = self.rows(bench("--broker", broker.url, "--only", "file", "--qos", 1, "--messages", 66000, "--rounds", 1, "--json"))
            self.assertEqual((row["lost_messages"], row["subscriber_lost_messages"], row["doubled_messages"]), (0, 0, 0))

    def test_kafka(self):
        with Mosquitto(config=LOSSLESS) as broker, Kafka() as kafka:
            row, = self.rows(bench("--broker", broker.url, "--broker-pid", broker.process.pid, "--only", "kafka", "--kafka", kafka.servers, "--qos", 1,
                                   "--messages", MESSAGES, "--rounds", 1, "--json"))
            self.check_row(row, 1)
            self.assertEqual((row["lost_messages"], row["doubled_messages"]), (0, 0))
            wait_until(lambda: not kafka.topics(), "the topic to be deleted")

    def test_rounds_and_table(self):
        with Mosquitto(config=LOSSLESS) as broker:
            rows = self.rows(bench("--broker", broker.url, "--broker-pid", broker.process.pid, "--only", "file", "--qos", 1, "--messages", MESSAGES,
                                   "--rounds", 2, "--json"))
            self.assertEqual(len(rows), 1)
            self.check_row(rows[0], 2)
            result = bench("--broker", broker.url, "--only", "file", "--qos", 0, "--messages", MESSAGES, "--rounds", 1)
            self.assertEqual(result.returncode, 0, result.stderr)
            last = result.stdout.splitlines()[-1].split()
            self.assertEqual(last[:2] + last[7:], ["0", "file", "-", "0", "0"])  # the broker's CPU time is not known

    def test_losses_are_counted(self):
        """The server takes all of the bare producer's requests, and refuses one in ten of sluice's."""
        with Mosquitto(config=LOSSLESS) as broker, HttpServer() as server:
            taken = itertools.count()
            bare = MESSAGES + WARM_UP
            server.answer = lambda request: Answer(404 if (n := next(taken)) >= bare and n % 10 == 0 else 200)
            row, = self.rows(bench("--broker", broker.url, "--only", "http", "--http", server.url, "--qos", 1, "--messages", MESSAGES, "--rounds", 1,
                                   "--json"))
            self.assertEqual((row["given_messages"], row["lost_messages"]), (bare, bare // 10))
            self.assertEqual(row["subscriber_lost_messages"], 0)
            self.assertEqual(len(server.requests), 2 * bare)

    def test_services_that_are_not_there(self):
        with Mosquitto(config=LOSSLESS) as broker:
            for arguments, reason in (
                (("--postgres", "host=/nowhere"), "PostgreSQL: connection to server"),
                (("--http", "http://127.0.0.1:1/"), "http: "),
            ):
                with self.subTest(arguments[0]):
                    result = bench("--broker", broker.url, "--only", arguments[0][2:], *arguments, "--messages", 100, "--rounds", 1)
                    self.assertEqual(result.returncode, 1)
                    self.assertIn(reason, result.stderr)

    def test_interrupted(self):
        """Its own service and its folder are gone with it."""
        with Mosquitto(config=LOSSLESS) as broker:
            with broker.subscribe("sluice-bench/+/in/0000/telemetry") as messages:
                process = subprocess.Popen([SLUICE, "bench", "pipeline", "--broker", broker.url, "--only", "file", "--messages", "10000000"],
                                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                self.addCleanup(process.kill)
                messages.wait(1)
                wait_until(lambda: leftovers(process), "the bench's folder")
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, 1)
            self.assertIn("interrupted", stderr)
            self.assertEqual(leftovers(process), [])
            self.assertFalse(any(f"/sluice-bench-{process.pid}-" in line for line in command_lines()))


if __name__ == "__main__":
    unittest.main()
