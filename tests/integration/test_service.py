# SPDX-License-Identifier: Apache-2.0
"""The whole service between a real Mosquitto and a real PostgreSQL: what is delivered, refused, late, repeated, drained."""
import base64
import json
import signal
import unittest

from mosquitto_fixture import LOSSLESS, Mosquitto
from pg_fixture import PgServer
from sluice_fixture import Service, read_ndjson, wait_until

READINGS = "CREATE TABLE readings (id bigserial, site text NOT NULL, seq int NOT NULL, t numeric CHECK (t > -100), body jsonb)"

STORE_RULE = """
ruleName: store
sql: SELECT * FROM 'plant/+/telemetry'
actions:
  - postgres:
      connection: db
      table: readings
      columns: { site: "${topic(2)}", seq: "${seq}", t: "${t}", body: "${*}" }
"""


def configuration(broker, pg=None, mqtt="", more=""):
    """sluice.yaml with fast retries, for the given servers."""
    connections = f'connections:\n  db: {{ postgres: {{ conninfo: "{pg.conninfo()}" }} }}\n' if pg else ""
    return f"""
sources:
  - mqtt: {{ url: "mqtt://127.0.0.1:{broker.port}", clientId: sluice-test, reconnectMax: 1s {mqtt} }}
{connections}
rules: [rules/]
retry: {{ min: 50ms, max: 500ms }}
drainTimeout: 30s
deadLetters: {{ path: dead.ndjson }}
statsFile: stats.json
{more}
"""


class Servers(unittest.TestCase):
    """A broker and a database for each test."""

    needs_pg = True

    def setUp(self):
        self.broker = self.enterContext(Mosquitto(LOSSLESS))
        self.pg = None
        if self.needs_pg:
            self.pg = self.enterContext(PgServer())
            self.pg.psql(READINGS)

    def service(self, rules, **conf):
        files = {"sluice.yaml": configuration(self.broker, self.pg, **conf)}
        files.update({f"rules/{name}.yaml": text for name, text in rules.items()})
        return self.enterContext(Service(files))

    def started(self, rules, **conf):
        service = self.service(rules, **conf)
        service.start()
        service.wait_log("subscribed to")
        service.wait_log("running ")  # now the rules' files are watched, too
        return service

    def rows(self, sql):
        return [line.split("|") for line in self.pg.psql(sql).splitlines() if line]

    def count(self, where="true"):
        return int(self.pg.psql(f"SELECT count(*) FROM readings WHERE {where}").strip())

    def assert_in_order(self):
        """Each site's rows were inserted in the order of seq: order per key."""
        for site, seqs in self.rows("SELECT site, string_agg(seq::text, ',' ORDER BY id) FROM readings GROUP BY site"):
            numbers = [int(n) for n in seqs.split(",")]
            firsts = list(dict.fromkeys(numbers))  # at least once: a repetition is allowed
            self.assertEqual(firsts, sorted(firsts), f"site {site}")


class Delivery(Servers):
    def test_every_action_gets_what_it_should(self):
        service = self.started(
            {
                "store": STORE_RULE,
                "alarm": """
ruleName: alarm
sql: SELECT clientid() AS client, topic(2) AS site, * FROM 'plant/+/telemetry' WHERE t > 80
actions:
  - republish:
      topic: "alarm/${topic(2)}"
      qos: 1
      headers: { contentType: application/json, userProperties: [ { key: site, value: "${topic(2)}" } ] }
  - file: { path: "alarms.ndjson", sync: batch }
  - stdout: {}
""",
            }
        )
        with self.broker.subscribe("alarm/#") as alarms:
            self.broker.publish("plant/7/telemetry", '{"seq":1,"t":90.50,"id":123456789012345678901234567890}', qos=1)
            self.broker.publish("plant/7/telemetry", '{"seq":2,"t":20}', qos=1)
            message = alarms.wait(1)[0]
        output = '{"seq":1,"t":90.50,"id":123456789012345678901234567890,"client":"n/a","site":"7"}'
        self.assertEqual((message["topic"], message["payload"]), ("alarm/7", output))
        self.assertEqual(message["properties"]["content-type"], "application/json")
        self.assertEqual(message["properties"]["user-properties"]["site"], "7")
        wait_until(lambda: self.count() == 2, "two rows")
        self.assertEqual(self.rows("SELECT site, seq, t, body->>'id' FROM readings ORDER BY seq"), [["7", "1", "90.50", "123456789012345678901234567890"], ["7", "2", "20", ""]])
        self.assertEqual(service.stop(), 0)
        self.assertEqual(service.path("alarms.ndjson").read_text(encoding="utf-8"), output + "\n")
        self.assertIn(output, service.stdout)
        rules = {r["name"]: r for r in service.stats()["rules"]}
        self.assertEqual((rules["alarm"]["matched"], rules["alarm"]["filtered"], rules["alarm"]["delivered"]), (2, 1, 1))
        self.assertEqual(rules["store"]["delivered"], 2)

    def test_columns_by_name(self):
        service = self.started(
            {
                "byname": """
ruleName: byname
sql: SELECT topic(2) AS site, seq, t FROM 'plant/+/telemetry'
actions: [ { postgres: { connection: db, table: public.readings } } ]
"""
            }
        )
        self.broker.publish("plant/3/telemetry", '{"seq":1,"t":null}', qos=1)
        self.broker.publish("plant/3/telemetry", '{"seq":2,"t":1.5,"more":"not selected"}', qos=1)
        wait_until(lambda: self.count() == 2, "two rows")
        self.assertEqual(self.rows("SELECT seq, t FROM readings ORDER BY seq"), [["1", ""], ["2", "1.5"]])
        self.assertEqual(service.stop(), 0)

    def test_upsert(self):
        self.pg.psql("CREATE TABLE latest (site text PRIMARY KEY, seq int)")
        service = self.started(
            {
                "latest": """
ruleName: latest
sql: SELECT topic(2) AS site, seq FROM 'plant/+/telemetry'
actions: [ { postgres: { connection: db, table: latest, onConflict: update, key: [site] } } ]
"""
            }
        )
        for seq in range(50):
            self.broker.publish(f"plant/{seq % 2}/telemetry", json.dumps({"seq": seq}), qos=1)
        wait_until(lambda: self.rows("SELECT seq FROM latest ORDER BY site") == [["48"], ["49"]], "the last values")
        self.assertEqual(service.stop(), 0)

    def test_bad_row_alone(self):
        """Among many good rows the one that the database refuses goes to the error action, the others in."""
        service = self.started({"store": STORE_RULE + "errorAction: { file: { path: refused.ndjson } }\n"})
        lines = [json.dumps({"seq": i, "t": -1000 if i == 57 else i, "s": "a\tb\\c'\"\n\u00e9"}) for i in range(100)]
        self.broker.publish_lines("plant/1/telemetry", lines, qos=1)
        wait_until(lambda: self.count() == 99, "99 rows")
        refused = wait_until(lambda: read_ndjson(service.path("refused.ndjson")), "the error action")
        self.assertEqual(len(refused), 1)
        self.assertEqual(refused[0]["ruleName"], "store")
        self.assertEqual(refused[0]["topic"], "plant/1/telemetry")
        self.assertEqual(base64.b64decode(refused[0]["base64OriginalPayload"]).decode(), lines[57])
        self.assertEqual(refused[0]["failures"][0]["failedAction"], "PostgresAction")
        self.assertIn("readings", refused[0]["failures"][0]["failedResource"])
        self.assert_in_order()
        self.assertEqual(service.stop(), 0)
        self.assertEqual(read_ndjson(service.path("dead.ndjson")), [])

    def test_dead_letter_without_error_action(self):
        service = self.started({"store": STORE_RULE})
        self.broker.publish("plant/1/telemetry", '{"seq":1,"t":-1000}', qos=1)
        dead = wait_until(lambda: read_ndjson(service.path("dead.ndjson")), "the dead letter")
        self.assertEqual(dead[0]["topic"], "plant/1/telemetry")
        self.assertEqual(base64.b64decode(dead[0]["payload_base64"]).decode(), '{"seq":1,"t":-1000}')
        self.assertEqual(service.stop(), 0)
        rule = service.stats()["rules"][0]
        self.assertEqual((rule["matched"], rule["dead"]), (1, 1))

    def test_invalid_topic_from_template(self):
        service = self.started(
            {
                "wild": """
ruleName: wild
sql: SELECT * FROM 'plant/+/telemetry'
actions: [ { republish: { topic: "out/${place}", qos: 1 } } ]
errorAction: { file: { path: errors.ndjson } }
"""
            }
        )
        self.broker.publish("plant/1/telemetry", '{"place":"a/#"}', qos=1)
        errors = wait_until(lambda: read_ndjson(service.path("errors.ndjson")), "the error action")
        self.assertEqual(errors[0]["failures"][0]["failedAction"], "RepublishAction")
        self.assertEqual(service.stop(), 0)


class Payloads(Servers):
    needs_pg = False

    def test_hostile_payloads(self):
        """Whatever comes: bounded, counted, and the next message is served."""
        service = self.started(
            {
                "all": """
ruleName: all
sql: SELECT a, topic() AS t FROM 'in/#'
actions: [ { file: { path: out.ndjson } } ]
""",
                "raw": """
ruleName: raw
sql: SELECT * FROM 'raw/#'
actions: [ { republish: { topic: copy, qos: 1 } } ]
""",
            }
        )
        hostile = [
            b"not json",
            b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
            b'{"a":"' + b"x" * 10_000_000 + b'"}',
            b'{"a":"\xff\xfe"}',
            b'{"a":"\\ud800"}',
            b'{"a":' + b"9" * 10_000 + b"}",
            b'{"a":1' + b"0" * 9_999 + b"e-10000}",
            b'{"a":1,}',
            b"\x00\x01\x02",
        ]
        for payload in hostile:
            self.broker.publish("in/x", payload, qos=1)
        self.broker.publish("in/x", b'{"a":"after"}', qos=1)
        lines = wait_until(
            lambda: (lambda got: got if got and got[-1].get("a") == "after" else None)(read_ndjson(service.path("out.ndjson"))), "the last message"
        )
        self.assertEqual(len(lines), len(hostile) + 1, "every message gives one output")
        with self.broker.subscribe("copy") as copies:
            self.broker.publish("raw/1", b"\x01\x02plain", qos=1)
            self.assertEqual(copies.wait(1)[0]["payload"], "\x01\x02plain")
        self.assertEqual(service.stop(), 0)
        rule = next(r for r in service.stats()["rules"] if r["name"] == "all")
        self.assertEqual(rule["delivered"], len(hostile) + 1)
        self.assertGreaterEqual(rule["parseErrors"], 5)


class Failures(Servers):
    def test_database_away_for_a_while(self):
        """Down while messages come, then back: nothing lost, order per key kept."""
        service = self.started({"store": STORE_RULE})
        for site in range(4):
            self.broker.publish_lines(f"plant/{site}/telemetry", [json.dumps({"seq": i, "t": i}) for i in range(100)], qos=1)
        wait_until(lambda: self.count() == 400, "the first rows")
        self.pg.stop()
        for site in range(4):
            self.broker.publish_lines(f"plant/{site}/telemetry", [json.dumps({"seq": i, "t": i}) for i in range(100, 200)], qos=1)
        service.wait_log("is down")
        self.pg.start()
        wait_until(lambda: self.rows("SELECT count(DISTINCT (site, seq)) FROM readings") == [["800"]], "all rows")
        self.assert_in_order()
        self.assertEqual(service.stop(), 0)

    def test_database_down_at_start_does_not_hold_up_others(self):
        self.pg.stop()
        service = self.started(
            {
                "store": STORE_RULE,
                "file": "ruleName: file\nsql: SELECT seq FROM 'plant/+/telemetry'\nactions: [ { file: { path: seqs.ndjson } } ]\n",
            }
        )
        self.broker.publish_lines("plant/1/telemetry", [json.dumps({"seq": i, "t": i}) for i in range(100)], qos=1)
        wait_until(lambda: len(read_ndjson(service.path("seqs.ndjson"))) == 100, "the file")
        self.pg.start()
        wait_until(lambda: self.count() == 100, "the rows")
        self.assertEqual(service.stop(), 0)

    def test_database_killed_midway(self):
        service = self.started({"store": STORE_RULE})
        self.broker.publish_lines("plant/1/telemetry", [json.dumps({"seq": i, "t": i}) for i in range(5000)])
        wait_until(lambda: self.count() > 100, "some rows")
        self.pg.kill()
        self.pg.start()
        wait_until(lambda: self.rows("SELECT count(DISTINCT seq) FROM readings") == [["5000"]], "all rows")
        self.assert_in_order()
        self.assertEqual(service.stop(), 0)

    def test_missing_table_is_loud_and_later(self):
        self.pg.psql("ALTER TABLE readings RENAME TO away")
        service = self.started({"store": STORE_RULE})
        self.broker.publish("plant/1/telemetry", '{"seq":1,"t":1}', qos=1)
        service.wait_log("cannot take some deliveries, they are kept and tried again")
        service.wait_log("misconfigured: 42P01")
        self.pg.psql("ALTER TABLE away RENAME TO readings")
        wait_until(lambda: self.count() == 1, "the row")
        self.assertEqual(service.stop(), 0)

    def test_stop_under_load_loses_nothing(self):
        """SIGTERM while messages wait in every place on the way; what was not taken comes again after a restart."""
        service = self.started({"store": STORE_RULE}, more="inFlight: 20")
        for round_ in range(3):
            lines = [json.dumps({"seq": round_ * 2000 + i, "t": i}) for i in range(2000)]
            self.broker.publish_lines("plant/1/telemetry", lines, qos=1)
            self.assertEqual(service.stop(), 0)
            service.start()
            service.wait_log("subscribed to", round_ + 2)
        wait_until(lambda: self.rows("SELECT count(DISTINCT seq) FROM readings") == [["6000"]], "all rows")
        self.assert_in_order()
        self.assertEqual(service.stop(), 0)

    def test_a_second_sigterm_does_not_wait_for_the_database(self):
        """It hangs for less time than a statement, and than the drain, may take."""
        service = self.started({"store": STORE_RULE})
        self.broker.publish("plant/1/telemetry", '{"seq":1,"t":1}', qos=1)
        wait_until(lambda: self.count() == 1, "the connection to stand")
        with self.pg.paused():
            self.broker.publish("plant/1/telemetry", '{"seq":2,"t":2}', qos=1)
            wait_until(lambda: any(t["waiting"] for t in service.stats()["targets"]), "a delivery under way")
            service.process.send_signal(signal.SIGTERM)
            service.wait_log("SIGTERM: stopping")
            self.assertEqual(service.stop(patience=25), 1)
        service.wait_log("stopping at once")
        service.wait_log("1 message was not delivered to the end, nor acknowledged: the broker sends it again")

    def test_drain_says_what_remained(self):
        self.pg.stop()
        service = self.started({"store": STORE_RULE}, more="")
        service_conf = service.path("sluice.yaml")
        service_conf.write_text(service_conf.read_text().replace("drainTimeout: 30s", "drainTimeout: 300ms"))
        service.stop()
        service.start()
        service.wait_log("subscribed to", count=2)
        self.broker.publish_lines("plant/1/telemetry", [json.dumps({"seq": i, "t": i}) for i in range(10)], qos=1)
        service.wait_log("is down")
        wait_until(lambda: service.stats()["sources"][0]["inFlight"] == 10, "all to be taken")
        self.assertEqual(service.stop(), 1)
        log = "\n".join(service.log)
        self.assertIn("10 messages remained", log)
        self.assertIn("not delivered: 10", log)
        self.pg.start()


class Broker(Servers):
    needs_pg = False

    RULE = "ruleName: all\nsql: SELECT seq, topic() AS t FROM 'a/#'\nactions: [ { file: { path: out.ndjson } } ]\n"

    def test_overlapping_filters(self):
        """Each message reaches each matching rule once, although the filters overlap."""
        for version in ("5", "3.1.1"):
            with self.subTest(version):
                rules = {
                    name: f"ruleName: {name}\nsql: SELECT seq FROM '{filter_}'\nactions: [ {{ file: {{ path: {name}.ndjson }} }} ]\n"
                    for name, filter_ in (("wide", "a/#"), ("middle", "a/+/c"), ("exact", "a/b/c"), ("other", "x/y"))
                }
                service = self.started(rules, mqtt=f', version: "{version}", cleanStart: true')
                self.broker.publish_lines("a/b/c", [json.dumps({"seq": i}) for i in range(50)], qos=1)
                self.broker.publish("a/z", '{"seq":50}', qos=1)
                self.broker.publish("x/y", '{"seq":51}', qos=1)
                wait_until(lambda: read_ndjson(service.path("other.ndjson")), "the last message")
                self.assertEqual(service.stop(), 0)
                expected = {"wide": range(51), "middle": range(50), "exact": range(50), "other": [51]}
                for name, seqs in expected.items():
                    self.assertEqual([r["seq"] for r in read_ndjson(service.path(f"{name}.ndjson"))], list(seqs), name)

    def test_restart_with_persistent_session(self):
        service = self.started({"all": self.RULE})
        self.broker.publish("a/1", '{"seq":0}', qos=1)
        wait_until(lambda: read_ndjson(service.path("out.ndjson")), "the first message")
        self.assertEqual(service.stop(), 0)
        self.broker.publish_lines("a/1", [json.dumps({"seq": i}) for i in range(1, 51)], qos=1)
        service.start()
        wait_until(lambda: len(read_ndjson(service.path("out.ndjson"))) >= 51, "what came while it was away")
        self.assertEqual(service.stop(), 0)
        self.assertEqual([r["seq"] for r in read_ndjson(service.path("out.ndjson"))], list(range(51)))

    def test_broker_down_at_start_and_later(self):
        self.broker.stop()
        service = self.service({"all": self.RULE})
        service.start()
        service.wait_log("not reachable")
        self.broker.start()
        service.wait_log("subscribed to")
        self.broker.publish("a/1", '{"seq":1}', qos=1)
        wait_until(lambda: len(read_ndjson(service.path("out.ndjson"))) == 1, "the first message")
        self.broker.kill()
        self.broker.start()
        service.wait_log("subscribed to", count=2)
        self.broker.publish("a/1", '{"seq":2}', qos=1)
        wait_until(lambda: len(read_ndjson(service.path("out.ndjson"))) == 2, "the second message")
        self.assertEqual(service.stop(), 0)

    def test_basic_ingest(self):
        """A publish to $aws/rules/NAME/… goes to that rule alone, whatever its FROM clause."""
        service = self.started({"all": self.RULE, "direct": self.RULE.replace("all", "direct").replace("out", "direct").replace(" FROM 'a/#'", "")})
        self.broker.publish("$aws/rules/direct/a/9", '{"seq":1}', qos=1)
        self.broker.publish("$aws/rules/nobody/a/9", '{"seq":2}', qos=1)
        self.broker.publish("a/1", '{"seq":3}', qos=1)
        wait_until(lambda: read_ndjson(service.path("out.ndjson")), "the last message")
        self.assertEqual(service.stop(), 0)
        self.assertEqual(read_ndjson(service.path("direct.ndjson")), [{"seq": 1, "t": "a/9"}])
        self.assertEqual(read_ndjson(service.path("out.ndjson")), [{"seq": 3, "t": "a/1"}])
        self.assertEqual(service.stats()["sources"][0]["ruleNotFound"], 1)

    def test_republish_loop_ends(self):
        service = self.started(
            {"loop": "ruleName: loop\nsql: SELECT * FROM 'loop/#'\nactions: [ { republish: { topic: loop/again, qos: 1, maxHops: 5 } } ]\n"}
        )
        self.broker.publish("loop/start", '{"seq":1}', qos=1)
        dead = wait_until(lambda: read_ndjson(service.path("dead.ndjson")), "the loop's end")
        self.assertEqual(len(dead), 1)
        self.assertEqual(service.stop(), 0)
        self.assertEqual(service.stats()["rules"][0]["matched"], 6)

    def test_refuses_broken_configuration(self):
        service = self.service({"all": self.RULE, "broken": "ruleName: broken\nsql: SELECT FROM 'a'\nactions: []\n"})
        service.start()
        self.assertEqual(service.wait(), 1)
        log = "\n".join(service.log)
        self.assertIn("rules/broken.yaml:2:13: error:", log)
        self.assertIn("^", log)


class Tls(unittest.TestCase):
    RULE = "ruleName: all\nsql: SELECT seq FROM 'a/#'\nactions: [ { republish: { topic: b, qos: 1 } } ]\n"

    def configuration(self, broker, ca):
        certificates = broker.certificates
        return f"""
sources:
  - mqtt:
      url: "mqtts://localhost:{broker.tls_port}"
      clientId: sluice-test
      reconnectMin: 100ms
      reconnectMax: 200ms
      caFile: "{getattr(certificates, ca)}"
      certFile: "{certificates.client}"
      keyFile: "{certificates.client_key}"
rules: [rules/]
deadLetters: {{ path: dead.ndjson }}
"""

    def test_client_certificate(self):
        with Mosquitto(tls="client") as broker, Service({"sluice.yaml": self.configuration(broker, "ca"), "rules/all.yaml": self.RULE}) as service:
            service.start()
            service.wait_log("subscribed to")
            with broker.subscribe("b") as copies:
                broker.publish("a/1", '{"seq":1}', qos=1)
                self.assertEqual(copies.wait(1)[0]["payload"], '{"seq":1}')
            self.assertEqual(service.stop(), 0)

    def test_wrong_authority_is_refused(self):
        with Mosquitto(tls="client") as broker, Service({"sluice.yaml": self.configuration(broker, "wrong_ca"), "rules/all.yaml": self.RULE}) as service:
            service.start()
            service.wait_log("certificate")
            self.assertEqual(service.stop(), 0)
            self.assertNotIn("subscribed", "\n".join(service.log))


if __name__ == "__main__":
    unittest.main()
