# SPDX-License-Identifier: Apache-2.0
"""One message, many events: all kinds of targets at once, some of them dead; failures of all kinds in one error document; each kind of
action as error action."""
import base64
import json
import pathlib
import re
import threading
import time
import unittest

from http_fixture import ACCEPTED, Answer, HttpServer, LambdaServer
from kafka_fixture import Kafka
from mosquitto_fixture import LOSSLESS, Mosquitto
from pg_fixture import PgServer
from sluice_fixture import PATIENCE, Service, check_counters, read_ndjson, wait_until

IN_FLIGHT = 600  # messages
OUTBOX = 400     # deliveries

CONFIGURATION = """
sources:
  - mqtt: {{ url: "{broker.url}", clientId: sluice-test, reconnectMax: 1s }}
connections:
  db: {{ postgres: {{ conninfo: "{pg_conninfo}" }} }}
  bus: {{ kafka: {{ bootstrap.servers: "{kafka.servers}", connectTimeout: 1s }} }}
  api: {{ http: {{ url: "{http.url}", connectTimeout: 1s }} }}
  functions: {{ lambda: {{ endpoint: "{functions.url}" }} }}
rules: [rules/]
inFlight: {in_flight}
outbox: {{ items: {outbox} }}
retry: {{ min: 50ms, max: 500ms }}
drainTimeout: 60s
deadLetters: {{ path: dead.ndjson }}
statsFile: stats.json
statsInterval: 100ms
"""


def setUpModule():
    Case.kafka = unittest.enterModuleContext(Kafka())
    Case.pg = unittest.enterModuleContext(PgServer())


class Case(unittest.TestCase):
    """A Kafka and a PostgreSQL for all tests; a broker, an HTTP server and a Lambda endpoint for each."""

    kafka = pg = None

    def setUp(self):
        self.broker = self.enterContext(Mosquitto(LOSSLESS))
        self.http = self.enterContext(HttpServer())
        self.functions = self.enterContext(LambdaServer())

    def table(self, name, columns):
        self.pg.psql(f"CREATE TABLE {name} (id bigserial, {columns})")
        self.addCleanup(self.pg.psql, f"DROP TABLE {name}")

    def topic(self, name):
        self.kafka.create(name, partitions=2)
        self.addCleanup(self.kafka.delete, name)

    def rows(self, sql):
        return [line.split("|") for line in self.pg.psql(sql).splitlines() if line]

    def started(self, rules):
        conf = CONFIGURATION.format(broker=self.broker, pg_conninfo=self.pg.conninfo(), kafka=self.kafka, http=self.http,
                                    functions=self.functions, in_flight=IN_FLIGHT, outbox=OUTBOX)
        service = self.enterContext(Service({"sluice.yaml": conf, **{f"rules/{i}.yaml": rule for i, rule in enumerate(rules)}}))
        service.start()
        service.wait_log("subscribed to")
        return service


class Sampler:
    """Reads every snapshot of the counters that the service writes, and checks each."""

    def __init__(self, service):
        self.path = pathlib.Path(service.path("stats.json"))
        self.samples, self.error, self.ended = [], None, threading.Event()
        self.thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.ended.set()
        self.thread.join()

    def _read(self):
        last = None
        while not self.ended.wait(0.02):
            text = self.path.read_text(encoding="utf-8") if self.path.exists() else None
            if not text or text == last:
                continue
            last, snapshot = text, json.loads(text)
            self.samples.append(snapshot)
            try:
                check_counters(snapshot)
            except AssertionError as e:
                self.error = self.error or e

    def target(self, name):
        """Of the last sample; {} before it appears."""
        targets = self.samples[-1]["targets"] if self.samples else []
        return next((t for t in targets if t["name"] == name), {})


TEN_ACTIONS = """
ruleName: ten
sql: SELECT topic(2) AS site, n FROM 'plant/+/telemetry'
actions:
  - republish: { topic: "out/a/${topic(2)}", qos: 1 }
  - postgres: { connection: db, table: first, columns: { site: "${topic(2)}", n: "${n}" } }
  - kafka: { connection: bus, topic: first, key: "${topic(2)}" }
  - http: { connection: api, url: /a }
  - file: { path: a.ndjson }
  - republish: { topic: "out/b/${topic(2)}", qos: 1 }
  - postgres: { connection: db, table: second, columns: { site: "${topic(2)}", n: "${n}" } }
  - kafka: { connection: bus, topic: second, key: "${topic(2)}" }
  - http: { connection: api, url: "/b/${topic(2)}" }
  - file: { path: "b-${topic(2)}.ndjson" }
"""

OTHER_RULES = ["""
ruleName: same
sql: SELECT topic(2) AS site, n, 'same' AS rule FROM 'plant/#'
actions:
  - file: { path: same.ndjson }
""", """
ruleName: some
sql: SELECT topic(2) AS site, n FROM 'plant/+/telemetry' WHERE n % 10 = 0
actions:
  - republish: { topic: "out/some/${topic(2)}", qos: 1 }
  - file: { path: some.ndjson }
"""]


class FanOut(Case):
    """Ten actions on five targets, beside two other rules on the same messages."""

    SITES = "pqrs"

    def setUp(self):
        super().setUp()
        for name in ("first", "second"):
            self.table(name, "site text, n int")
            self.topic(name)
        self.out = self.enterContext(self.broker.subscribe("out/#"))

    def publish(self, numbers):
        for site in self.SITES:
            self.broker.publish_lines(f"plant/{site}/telemetry", [json.dumps({"n": n}) for n in numbers])

    def events(self, name):
        """[(site, n)] of one of the destinations, in the order in which they came."""
        kind, _, where = name.partition(" ")
        if kind == "republish":
            return [(m["topic"].split("/")[2], json.loads(m["payload"])["n"]) for m in self.out.messages if m["topic"].split("/")[1] == where]
        if kind == "postgres":
            return [(site, int(n)) for site, n in self.rows(f"SELECT site, n FROM {where} ORDER BY id")]
        if kind == "kafka":
            return [(m["key"], json.loads(m["payload"])["n"]) for m in self.kafka.read(where)]
        if kind == "http":
            bodies = [r.json for r in list(self.http.requests) if r.path.split("/")[1] == where]
        else:
            bodies = [line for path in sorted(self.service.folder.glob(where)) for line in read_ndjson(path)]
        return [(body["site"], body["n"]) for body in bodies]

    def wait_complete(self, names, numbers):
        """Each number of each site is there at least once, the first ones of each site in order."""
        for name in names:
            wait_until(lambda: len(set(self.events(name))) == len(self.SITES) * len(numbers), f"all events of {name}", PATIENCE * 2)
            for site in self.SITES:
                got = [n for s, n in self.events(name) if s == site]
                self.assertEqual(list(dict.fromkeys(got)), list(numbers), f"{name}, site {site}")

    LIVE = ["republish a", "republish b", "postgres first", "postgres second", "file a.ndjson", "file b-*.ndjson", "file same.ndjson"]
    DYING = ["kafka first", "kafka second", "http a", "http b"]

    def test_two_targets_dead_then_alive(self):
        self.service = self.started([TEN_ACTIONS, *OTHER_RULES])
        with Sampler(self.service) as sampler:
            self.publish(range(20))
            self.wait_complete(self.LIVE + self.DYING, range(20))
            self.kafka.stop()
            self.http.stop()
            # Less than what the outboxes hold: whoever lives has all of it while the two are dead.
            self.publish(range(20, 60))
            self.wait_complete(self.LIVE, range(60))
            wait_until(lambda: all(sampler.target(name).get("state") == "down" for name in ("bus", "api")), "two targets that are down")
            self.assertEqual(len(set(self.events("republish some"))), 6 * len(self.SITES))
            # More than they hold: the service takes no more, and the broker keeps the rest.
            self.publish(range(60, 400))
            wait_until(lambda: sampler.target("bus")["full"], "an outbox at its bound")
            self.kafka.start()
            self.http.start()
            self.wait_complete(self.LIVE + self.DYING + ["file same.ndjson"], range(400))
            self.assertEqual(self.service.stop(), 0, "\n".join(self.service.log))
        self.assertEqual(sampler.error, None)
        self.check_samples(sampler.samples)

    def check_samples(self, samples):
        self.assertGreater(len(samples), 20)
        for sample in samples:
            self.assertLessEqual(sum(source["inFlight"] for source in sample["sources"]), IN_FLIGHT, sample)
            for target in sample["targets"]:
                self.assertLessEqual(target["waiting"], OUTBOX + 2 * 10 * 64, sample)  # and those of one message for each worker
        last = self.service.stats()
        rules = {rule["name"]: rule for rule in last["rules"]}
        total = 400 * len(self.SITES)
        self.assertEqual({name: (r["matched"], r["delivered"], r["filtered"], r["inFlight"]) for name, r in rules.items()},
                         {"ten": (total, total, 0, 0), "same": (total, total, 0, 0), "some": (total, total // 10, total - total // 10, 0)})
        actions = {}
        for action in rules["ten"]["actions"]:
            actions[action["type"]] = (action["success"], action["failure"])
        self.assertEqual(actions, {kind: (2 * total, 0) for kind in ("republish", "postgres", "kafka", "http", "file")} |
                         {kind: (0, 0) for kind in actions if kind not in ("republish", "postgres", "kafka", "http", "file")})
        self.assertEqual(sum(target["waiting"] for target in last["targets"]), 0)
        self.assertEqual(read_ndjson(self.service.path("dead.ndjson")), [])

    def test_a_slow_target_holds_up_nobody_else(self):
        answered = threading.Event()
        self.addCleanup(answered.set)
        self.http.answer = lambda request: Answer() if answered.wait(PATIENCE * 2) else Answer()
        self.service = self.started([TEN_ACTIONS])
        self.publish(range(20))
        fast = [name for name in self.LIVE if "same" not in name] + ["kafka first", "kafka second"]
        start = time.monotonic()
        self.wait_complete(fast, range(20))
        self.assertEqual(self.events("http b"), [], f"after {time.monotonic() - start:.1f} s http was not slow any more")
        answered.set()
        self.wait_complete(["http a", "http b"], range(20))
        self.assertEqual(self.service.stop(), 0)


# Each action fails for what the message holds, and would not fail for others.
FAILING = {
    "RepublishAction": "republish: { topic: \"${bad_topic}\" }",
    "PostgresAction": "postgres: { connection: db, table: strict, columns: { n: \"${n}\" } }",
    "KafkaAction": "kafka: { connection: bus, topic: \"${bad_topic}\" }",
    "HttpAction": "http: { connection: api, url: \"/refuses\" }",
    "LambdaAction": "lambda: { connection: functions, functionArn: \"${gone}\" }",
    "FileAction": "file: { path: \"data-${long}\" }",
}
PAYLOAD = {"n": -1, "bad_topic": "no/#/topic", "gone": "no-such-function", "long": "x" * 300}

ERROR_ACTIONS = {
    "republish": "republish: { topic: \"errors/${topic(2)}/${n}\", qos: 1 }",
    "postgres": "postgres: { connection: db, table: errors }",
    "kafka": "kafka: { connection: bus, topic: errors, key: \"${topic(2)}/${n}\" }",
    "http": "http: { connection: api, url: \"/errors/${topic(2)}/${n}\" }",
    "lambda": "lambda: { connection: functions, functionArn: \"${topic(2)}\" }",
    "file": "file: { path: \"errors-${topic(2)}.ndjson\" }",
    "stdout": "stdout: {}",
}


def rule(name, actions, error_action=None):
    lines = [f"ruleName: {name}", f"sql: SELECT n FROM 'in/{name}'", "actions:", *(f"  - {action}" for action in actions)]
    return "\n".join(lines + (["errorAction:", f"  {error_action}"] if error_action else [])) + "\n"


class ErrorActions(Case):
    def setUp(self):
        super().setUp()
        self.table("strict", "n int CHECK (n > 0)")
        self.table("errors", '"ruleName" text, topic text, "cloudwatchTraceId" uuid, "clientId" text, "base64OriginalPayload" text, failures jsonb')
        self.topic("errors")
        self.http.answer = lambda request: Answer(422, b"no") if request.path == "/refuses" else Answer()
        self.functions.functions["lambda"] = ACCEPTED

    def send(self, topic):
        self.broker.publish(topic, json.dumps(PAYLOAD), qos=1)

    def check_document(self, document, name, failed):
        self.assertEqual((document["ruleName"], document["topic"]), (name, f"in/{name}"))
        self.assertEqual(json.loads(base64.b64decode(document["base64OriginalPayload"])), PAYLOAD)
        self.assertRegex(document["cloudwatchTraceId"], r"^[0-9a-f]{8}-[0-9a-f-]{27}$")
        self.assertEqual(sorted(f["failedAction"] for f in document["failures"]), sorted(failed))
        for failure in document["failures"]:
            self.assertTrue(failure["failedResource"] and failure["errorMessage"], failure)

    def arrived(self, service, kind):
        """[(what the templates gave, document)] that the error action of that kind wrote."""
        if kind == "republish":
            return [(m["topic"], json.loads(m["payload"])) for m in self.errors.messages]
        if kind == "postgres":
            return [("", json.loads(text)) for text in self.pg.psql("SELECT to_jsonb(errors) FROM errors").splitlines()]
        if kind == "kafka":
            return [(m["key"], json.loads(m["payload"])) for m in self.kafka.read("errors")]
        if kind == "http":
            return [(r.path, r.json) for r in list(self.http.requests) if r.path.startswith("/errors")]
        if kind == "lambda":
            return [(name, event) for name, _, event in list(self.functions.invoked)]
        if kind == "stdout":
            return [("", json.loads(line)) for line in list(service.stdout)]
        return [("errors-file.ndjson", line) for line in read_ndjson(service.path("errors-file.ndjson"))]

    TEMPLATES = {"republish": "errors/republish/-1", "postgres": "", "kafka": "kafka/-1", "http": "/errors/http/-1",
                 "lambda": "lambda", "file": "errors-file.ndjson", "stdout": ""}

    def test_all_failures_of_a_message_in_one_document_through_each_type(self):
        """Six actions fail, a seventh works; the error action runs once, its templates on the original message."""
        self.errors = self.enterContext(self.broker.subscribe("errors/#"))
        works = "file: { path: works.ndjson }"
        service = self.started([rule(kind, [*FAILING.values(), works], action) for kind, action in ERROR_ACTIONS.items()])
        for kind in ERROR_ACTIONS:
            self.send(f"in/{kind}")
        for kind in ERROR_ACTIONS:
            with self.subTest(kind):
                wait_until(lambda: self.arrived(service, kind), "the error document")
                self.check_document(self.arrived(service, kind)[0][1], kind, FAILING)
                self.assertEqual(self.arrived(service, kind)[0][0], self.TEMPLATES[kind])
        self.assertEqual(service.stop(), 0, "\n".join(service.log))
        for kind in ERROR_ACTIONS:
            self.assertEqual(len(self.arrived(service, kind)), 1, kind)
        self.assertEqual(read_ndjson(service.path("works.ndjson")), [{"n": -1}] * len(ERROR_ACTIONS))
        for stats in service.stats()["rules"]:
            self.assertEqual((stats["delivered"], stats["errorActionSuccess"], stats["errorActionFailure"]), (1, 1, 0), stats)
        self.assertEqual(read_ndjson(service.path("dead.ndjson")), [])

    def test_an_error_action_that_fails_too_leads_to_the_dead_letters(self):
        """Of each type that can refuse an item; the message is there with both failures, and it can be replayed."""
        kinds = [re.match(r"\w+", action).group() for action in FAILING.values()]
        service = self.started([rule(kind, [FAILING["RepublishAction"]], action) for kind, action in zip(kinds, FAILING.values())])
        for kind in kinds:
            self.send(f"in/{kind}")
        wait_until(lambda: len(read_ndjson(service.path("dead.ndjson"))) == len(kinds), "the dead letters")
        self.assertEqual(service.stop(), 0, "\n".join(service.log))
        dead = {letter["rule"]: letter for letter in read_ndjson(service.path("dead.ndjson"))}
        for kind, failed in zip(kinds, FAILING):
            with self.subTest(kind):
                self.assertEqual([f["failedAction"] for f in dead[kind]["failures"]], ["RepublishAction", failed])
                self.assertEqual(json.loads(base64.b64decode(dead[kind]["payload_base64"])), PAYLOAD)
        for stats in service.stats()["rules"]:
            self.assertEqual((stats["dead"], stats["errorActionFailure"]), (1, 1), stats)

    def test_an_error_action_on_a_dead_target_waits(self):
        self.http.stop()
        service = self.started([rule("http", [FAILING["RepublishAction"]], ERROR_ACTIONS["http"]),
                                rule("file", [FAILING["RepublishAction"]], ERROR_ACTIONS["file"])])
        for kind in ("http", "file"):
            self.send(f"in/{kind}")
        wait_until(lambda: self.arrived(service, "file"), "the error document of the rule that can")
        service.wait_log("is down")
        self.http.start()
        wait_until(lambda: self.arrived(service, "http"), "the error document that had to wait")
        self.assertEqual(service.stop(), 0, "\n".join(service.log))
        self.check_document(self.arrived(service, "http")[0][1], "http", ["RepublishAction"])


if __name__ == "__main__":
    unittest.main()
