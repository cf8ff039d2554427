# SPDX-License-Identifier: Apache-2.0
"""A target that hangs while messages come as fast as the broker gives them: memory stays below memory.limit, the connection stays, and when the
target answers again nothing of QoS 1 is missing.

SLUICE_HANG: how many seconds it hangs (12, more than the broker waits for a sign of life; tests/run long takes 60)."""
import json
import os
import subprocess
import threading
import time
import unittest

from mosquitto_fixture import LOSSLESS, Mosquitto
from pg_fixture import PgServer
from sluice_fixture import BUILD, PATIENCE, Service, wait_until

HANG = float(os.environ.get("SLUICE_HANG", "17"))  # seconds; the broker waits 15 of them for a ping
MIB = 1 << 20
LIMIT = 64 * MIB
PAYLOAD = 4000
FLOOD = 4 * LIMIT // PAYLOAD  # fewer than there are packet identifiers: mosquitto_pub -l ends too early with more lines
SANITIZED = "asan" in BUILD.name or (BUILD / "CMakeCache.txt").exists() and "SLUICE_SANITIZE:STRING=address" in (BUILD / "CMakeCache.txt").read_text(encoding="utf-8")

IDENTIFIERS = 65535  # of packets; at most so many messages are under way on a connection

TABLE = "CREATE TABLE readings (id bigserial, seq int NOT NULL, pad text NOT NULL)"
RULE = """
ruleName: store
sql: SELECT seq, pad, pad AS twice FROM 'plant/#'
actions: [ { postgres: { connection: db, table: readings, columns: { seq: "${seq}", pad: "${pad}" } } } ]
"""
CONFIGURATION = """
sources:
  - mqtt: {{ url: "{url}", clientId: sluice-memory, qos: {qos}, receiveMaximum: 65535, maxPacketSize: 1M, keepAlive: 10s }}
connections:
  db: {{ postgres: {{ conninfo: "{conninfo}", statementTimeout: 10m }} }}
rules: [rules/]
inFlight: 1000000
outbox: {{ items: 1000000 }}
memory: {{ limit: {limit} }}
statsFile: stats.json
statsInterval: 100ms
"""


class Flood:
    """Numbered messages over one connection, as fast as the broker takes them: four times the limit."""

    def __init__(self, broker, qos):
        self.process = subprocess.Popen(["mosquitto_pub", *broker.client_arguments(), "-t", "plant/1", "-q", str(qos), "-l"], stdin=subprocess.PIPE)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        pad = "x" * PAYLOAD
        for seq in range(FLOOD):
            self.process.stdin.write(json.dumps({"seq": seq, "pad": pad}).encode() + b"\n")
        self.process.stdin.close()

    def wait(self):
        self.thread.join()
        if self.process.wait(5 * PATIENCE) != 0:
            raise AssertionError("mosquitto_pub failed")


class MemoryTest(unittest.TestCase):
    def setUp(self):
        self.broker = self.enterContext(Mosquitto(LOSSLESS + "max_inflight_messages 0\n"))
        self.pg = self.enterContext(PgServer())
        self.pg.psql(TABLE)

    def started(self, qos, limit=LIMIT):
        conf = CONFIGURATION.format(url=self.broker.url, qos=qos, conninfo=self.pg.conninfo(), limit=limit)
        service = self.enterContext(Service({"sluice.yaml": conf, "rules/store.yaml": RULE}))
        service.start()
        service.wait_log("subscribed to")
        return service

    def peak(self, service):
        """The most memory that the process has had, in bytes."""
        with open(f"/proc/{service.process.pid}/status", encoding="utf-8") as status:
            line = next(line for line in status if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def hang(self, service, qos):
        """Flood while the target hangs."""
        flood = Flood(self.broker, qos)
        wait_until(lambda: int(self.pg.psql("SELECT count(*) FROM readings")) > 100, "the flood to reach the target")
        with self.pg.paused():
            end = time.monotonic() + HANG
            wait_until(lambda: service.stats()["memory"]["messages"] > LIMIT / 8 - 2 * PAYLOAD, "the messages' share to be used up")
            while time.monotonic() < end:
                memory = service.stats()["memory"]
                self.assertEqual(memory["limit"], LIMIT)
                self.assertLessEqual(memory["messages"], LIMIT / 8)
                time.sleep(0.1)
        flood.wait()

    def check_connection(self, service):
        self.assertEqual([line for line in service.log if "the connection to the broker was lost" in line], [])

    def check(self, service):
        self.check_connection(service)
        if SANITIZED:
            return  # its own memory is the most of it
        self.assertLess(self.peak(service), LIMIT)
        print(f"\n{self.id().rpartition('.')[2]}: {self.peak(service) / MIB:.1f} MiB at most of {LIMIT / MIB:.0f} MiB", flush=True)

    def test_qos_0(self):
        service = self.started(0)
        self.hang(service, 0)
        wait_until(lambda: service.stats()["sources"][0]["inFlight"] == 0, "all to be final", 5 * PATIENCE)
        self.check(service)
        self.assertEqual(service.stop(), 0)

    def test_qos_1(self):
        service = self.started(1)
        self.hang(service, 1)
        wait_until(lambda: int(self.pg.psql("SELECT count(DISTINCT seq) FROM readings")) == FLOOD, "all messages", 5 * PATIENCE)
        self.check(service)
        self.assertEqual(int(self.pg.psql("SELECT count(*) FROM readings")), FLOOD)
        self.assertEqual(service.stop(), 0)

    def test_more_messages_than_packet_identifiers(self):
        """Mosquitto without max_inflight_messages heeds no Receive Maximum: it would go on with identifiers that are in use."""
        count = IDENTIFIERS + 5000
        service = self.started(1, limit=1024 * MIB)
        with self.pg.paused():
            for half in (range(count // 2), range(count // 2, count)):
                self.broker.publish_lines("plant/1", (json.dumps({"seq": n, "pad": ""}) for n in half))
            wait_until(lambda: service.stats()["sources"][0]["inFlight"] == IDENTIFIERS, "all identifiers to be in use")
        wait_until(lambda: int(self.pg.psql("SELECT count(DISTINCT seq) FROM readings")) == count, "all messages", 5 * PATIENCE)
        self.assertEqual(int(self.pg.psql("SELECT count(*) FROM readings")), count)
        self.check_connection(service)


if __name__ == "__main__":
    unittest.main()
