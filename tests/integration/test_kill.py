# SPDX-License-Identifier: Apache-2.0
"""kill -9 of sluice at seeded instants while numbered QoS 1 messages pass into Postgres and a file: every number arrives, in order per
topic once repetitions are taken out.

SLUICE_KILLS: how many kills (10; tests/run long takes 100). SLUICE_SEED: of the instants."""
import json
import os
import random
import subprocess
import time
import unittest

from mosquitto_fixture import LOSSLESS, Mosquitto
from pg_fixture import PgServer
from sluice_fixture import PATIENCE, Service, wait_until

KILLS = int(os.environ.get("SLUICE_KILLS", "10"))
SEED = int(os.environ.get("SLUICE_SEED", "1"))
TOPICS = 5
PER_KILL = 3000  # messages that come while one process lives, and while it is away
WINDOW = "max_inflight_messages 100\n"

TABLE = "CREATE TABLE readings (id bigserial, site text NOT NULL, seq int NOT NULL)"
RULES = {
    "rules/store.yaml": """
ruleName: store
sql: SELECT topic(2) AS site, seq FROM 'plant/#'
actions: [ { postgres: { connection: db, table: readings } } ]
""",
    "rules/keep.yaml": """
ruleName: keep
sql: SELECT topic(2) AS site, seq FROM 'plant/#'
actions: [ { file: { path: kept.ndjson, sync: batch } } ]
""",
}
CONFIGURATION = """
sources:
  - mqtt: {{ url: "{url}", clientId: sluice-kill, reconnectMin: 20ms, reconnectMax: 200ms {mqtt} }}
connections:
  db: {{ postgres: {{ conninfo: "{conninfo}" }} }}
rules: [rules/]
retry: {{ min: 50ms, max: 500ms }}
statsFile: stats.json
"""


class Publisher:
    """Numbered messages to TOPICS topics over one connection of mosquitto_pub each, as fast as the broker takes them; QoS 1, so what it has
    returned from is the broker's."""

    def __init__(self, broker, first, count):
        self.processes = []
        for topic in range(TOPICS):
            lines = "".join(json.dumps({"seq": n}) + "\n" for n in range(first, first + count) if n % TOPICS == topic)
            process = subprocess.Popen(["mosquitto_pub", *broker.client_arguments(), "-t", f"plant/{topic}", "-q", "1", "-l"], stdin=subprocess.PIPE)
            process.stdin.write(lines.encode())
            process.stdin.close()
            self.processes.append(process)

    def wait(self):
        for process in self.processes:
            if process.wait(PATIENCE) != 0:
                raise AssertionError("mosquitto_pub failed")


class KillTest(unittest.TestCase):
    def setUp(self):
        self.broker = self.enterContext(Mosquitto(LOSSLESS + WINDOW))
        self.pg = self.enterContext(PgServer())
        self.pg.psql(TABLE)

    def started(self, mqtt=""):
        conf = CONFIGURATION.format(url=self.broker.url, conninfo=self.pg.conninfo(), mqtt=mqtt)
        service = self.enterContext(Service({"sluice.yaml": conf, **RULES}))
        service.start()
        service.wait_log("subscribed to")
        return service

    def stored(self):
        rows = self.pg.psql("SELECT site, seq FROM readings ORDER BY id").splitlines()
        return [(site, int(seq)) for site, seq in (row.split("|") for row in rows if row)]

    def check(self, arrived, count, what):
        """Returns how many came more than once."""
        self.assertEqual({seq for _, seq in arrived}, set(range(count)), f"{what}: numbers are missing (seed {SEED})")
        for topic in range(TOPICS):
            numbers = list(dict.fromkeys(seq for site, seq in arrived if site == str(topic)))
            self.assertEqual(numbers, sorted(numbers), f"{what}: topic {topic} is out of order (seed {SEED})")
        return len(arrived) - count

    def kept(self, service):
        """What a kill has torn is the end of the file: the line that was being written, to which the next is joined, is delivered again."""
        arrived = []
        for line in service.path("kept.ndjson").read_text(encoding="utf-8").split("\n")[:-1]:
            try:
                value = json.loads(line)
            except ValueError:
                continue
            arrived.append((value["site"], value["seq"]))
        return arrived

    def run_kills(self, mqtt=""):
        instants = random.Random(SEED)
        service = self.started(mqtt)
        total = 0
        for kill in range(KILLS):
            publisher = Publisher(self.broker, total, PER_KILL)
            total += PER_KILL
            time.sleep(instants.uniform(0, 0.3))  # the instant; nothing is waited for
            service.kill()
            publisher.wait()
            service.start()
            service.wait_log("connected to the broker, which kept the session", kill + 1)
        wait_until(lambda: int(self.pg.psql("SELECT count(DISTINCT seq) FROM readings")) == total, "all rows", KILLS * PATIENCE)
        wait_until(lambda: len({seq for _, seq in self.kept(service)}) == total, "all lines", KILLS * PATIENCE)
        self.assertEqual(service.stop(), 0)
        again = self.check(self.stored(), total, "Postgres"), self.check(self.kept(service), total, "file")
        print(f"{KILLS} kills, seed {SEED}: {total} messages, all there; more than once: {again[0]} in Postgres, {again[1]} in the file")

    def test_nothing_is_lost(self):
        self.run_kills()

    def test_nothing_is_lost_with_3_1_1(self):
        self.run_kills(', version: "3.1.1"')

    def test_broker_that_forgot_the_session(self):
        """kill -9 of a broker without persistence: the session is gone, which the service sees, and subscribes anew."""
        service = self.started()
        for kill in range(3):
            self.broker.kill()
            self.broker.start()
            service.wait_log("connected to the broker, which began a new session", kill + 2)
            service.wait_log("subscribed to", kill + 2)
            self.broker.publish("plant/1", json.dumps({"seq": kill}), qos=1)
            wait_until(lambda: (str(1), kill) in self.stored(), "the message after it")
        self.assertEqual(service.stop(), 0)
