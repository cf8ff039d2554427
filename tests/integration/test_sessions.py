# SPDX-License-Identifier: Apache-2.0
"""What the session at the broker holds, over restarts of the service, as the store remembers it."""
import json
import re
import sqlite3
import unittest

from mosquitto_fixture import LOSSLESS, Mosquitto
from sluice_fixture import Service, read_ndjson, wait_until


def rule(name, topic_filter):
    return f"ruleName: {name}\nsql: SELECT * FROM '{topic_filter}'\nactions: [ {{ file: {{ path: {name}.ndjson }} }} ]\n"


class SessionTest(unittest.TestCase):
    def started(self, rules, broker, options=""):
        conf = f'sources: [ {{ mqtt: {{ url: "{broker.url}", clientId: s, basicIngest: false {options} }} }} ]\nrules: [rules/]\nstatsFile: stats.json\n'
        service = self.enterContext(Service({"sluice.yaml": conf, **{f"rules/{name}.yaml": rule(name, f) for name, f in rules.items()}}))
        service.start()
        service.wait_log("subscribed to")
        return service

    def restart(self, service):
        before = sum("subscribed to" in line for line in service.log)
        service.start()
        service.wait_log("subscribed to", before + 1)

    def requests(self, broker):
        """The SUBSCRIBE and UNSUBSCRIBE packets that the broker got: (kind, filter)."""
        lines, found = list(broker.log.list), []
        for i, line in enumerate(lines):
            if (match := re.search(r"Received (SUB|UNSUB)SCRIBE from s$", line)) and i + 1 < len(lines):
                found.append((match[1], re.sub(r"^\d+: \s*", "", lines[i + 1]).split(" (")[0].strip()))
        return found

    def wait_requests(self, broker, expected, after=0):
        """The broker says so in another pipe than the service."""
        wait_until(lambda: self.requests(broker)[after:] == expected, f"{expected}")

    def test_equal_rules_need_no_subscribe(self):
        for version in "5", "3.1.1":
            with self.subTest(version), Mosquitto(LOSSLESS + "log_type all") as broker:
                service = self.started({"a": "a/#", "b": "b/+/c"}, broker, f', version: "{version}"')
                self.wait_requests(broker, [("SUB", "a/#"), ("SUB", "b/+/c")])
                for kill in False, True:
                    service.kill() if kill else self.assertEqual(service.stop(), 0)
                    broker.publish("a/1", json.dumps({"kill": kill}), qos=1)
                    self.restart(service)
                wait_until(lambda: {line["kill"] for line in read_ndjson(service.path("a.ndjson"))} == {False, True}, "what came meanwhile")
                self.assertEqual(len(self.requests(broker)), 2)
                self.assertEqual(service.stop(), 0)

    def test_stale_filters_are_unsubscribed(self):
        with Mosquitto(LOSSLESS + "log_type all") as broker:
            service = self.started({"a": "a/#", "b": "b/#"}, broker)
            self.assertEqual(service.stop(), 0)
            service.path("rules/b.yaml").unlink()
            service.write("rules/c.yaml", rule("c", "c/#"))
            self.restart(service)
            self.wait_requests(broker, [("SUB", "c/#"), ("UNSUB", "b/#")], 2)  # new ones first
            broker.publish("b/1", "{}", qos=1)
            broker.publish("c/1", '{"x":1}', qos=1)
            wait_until(lambda: read_ndjson(service.path("c.ndjson")), "the message")
            self.assertEqual(service.stop(), 0)
            self.assertEqual(service.stats()["sources"][0]["received"], 1)

    def test_another_qos_is_another_subscription(self):
        with Mosquitto(LOSSLESS + "log_type all") as broker:
            service = self.started({"a": "a/#"}, broker)
            self.assertEqual(service.stop(), 0)
            conf = service.path("sluice.yaml")
            conf.write_text(conf.read_text().replace("basicIngest: false", "basicIngest: false, qos: 2"))
            self.restart(service)
            self.wait_requests(broker, [("SUB", "a/#")] * 2)

    def test_killed_before_the_answer(self):
        """What was written but perhaps not subscribed is subscribed again."""
        with Mosquitto(LOSSLESS + "log_type all") as broker:
            service = self.started({"a": "a/#", "b": "b/#"}, broker)
            service.kill()
            with sqlite3.connect(service.path("sluice.db")) as store:
                self.assertEqual(store.execute("SELECT filter, state FROM session_filters ORDER BY 1").fetchall(), [("a/#", 1), ("b/#", 1)])
                store.execute("UPDATE session_filters SET state = 0 WHERE filter = 'b/#'")
            store.close()
            self.restart(service)
            self.wait_requests(broker, [("SUB", "b/#")], 2)

    def test_a_broker_that_forgot(self):
        with Mosquitto(LOSSLESS + "log_type all") as broker:
            service = self.started({"a": "a/#"}, broker)
            self.assertEqual(service.stop(), 0)
            broker.kill()
            broker.start()
            self.restart(service)
            self.wait_requests(broker, [("SUB", "a/#")])
            broker.publish("a/1", "{}", qos=1)
            wait_until(lambda: read_ndjson(service.path("a.ndjson")), "the message")

    def test_store_that_cannot_be_opened(self):
        conf = 'sources: [ { mqtt: { url: "mqtt://127.0.0.1:1" } } ]\nrules: [rules/]\nstore: sqlite:broken.db\n'
        with Service({"sluice.yaml": conf, "rules/a.yaml": rule("a", "a/#"), "broken.db": "no database " * 100}) as service:
            self.assertEqual(service.run("check").returncode, 0)  # it opens nothing
            service.start()
            self.assertEqual(service.wait(), 1)
            self.assertTrue(any("not a database" in line and "broken.db" in line for line in service.log), service.log)
