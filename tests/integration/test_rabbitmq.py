# SPDX-License-Identifier: Apache-2.0
"""The mqtt source against RabbitMQ's MQTT plugin: 3.1.1, QoS 0 and 1, resume, TLS. It numbers anew what it sends again."""
import contextlib
import json
import unittest

from rabbitmq_fixture import RabbitMq
from sluice_fixture import Service, wait_until
from test_mqtt import source

RULE = "ruleName: all\nsql: SELECT * FROM 'a/#'\nactions: [ { file: { path: out.ndjson } } ]\n"


class RabbitMqTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = cls.enterClassContext(RabbitMq(tls=True))

    def source(self, client_id, **options):
        return source(self.broker, version="3.1.1", clientId=client_id, **options)

    def test_qos_0_and_1(self):
        for qos in 0, 1:
            with self.subTest(qos), self.source(f"plain{qos}", qos=qos) as driver:
                driver.subscribe("a/#")
                self.broker.publish_lines("a/1", [str(i) for i in range(500)], qos=1)
                self.assertEqual([(m["payload"], m["qos"]) for m in driver.messages(500)], [(str(i), qos) for i in range(500)])
                self.assertEqual(driver.stop(), 0)

    def test_overlapping_filters_are_merged(self):
        with self.source("merged", basicIngest=False) as driver:
            self.assertIn("subscribed to 1 filter", driver.subscribe("m/#", "m/+/c"))
            self.broker.publish_lines("m/b/c", ["once", "again"])
            self.assertEqual([m["payload"] for m in driver.messages(2)], ["once", "again"])

    def test_tls_with_client_certificate(self):
        c = self.broker.certificates
        options = {"url": self.broker.tls_url, "caFile": str(c.ca), "certFile": str(c.client), "keyFile": str(c.client_key)}
        with self.source("tls", **options) as driver:
            driver.subscribe("tls/#")
            self.broker.publish_lines("tls/1", ["x" * 100000])
            self.assertEqual(len(driver.messages(1)[0]["payload"]), 100000)
            self.assertEqual(driver.stop(), 0)
        with self.source("tls2", **{**options, "caFile": str(c.wrong_ca)}) as driver:
            driver.say("filters a")
            driver.log.wait_text("certificate verify failed")

    def test_what_was_not_final_comes_again(self):
        with self.source("again") as driver:
            driver.subscribe("w/#")
            driver.say("hold")
            self.broker.publish_lines("w/1", "12345")
            driver.messages(5)
            for n in 1, 2, 4:
                driver.say(f"settle {n}")
            self.assertEqual(driver.stop(), 0)
        with self.source("again") as driver:
            driver.say("filters w/#")
            self.assertEqual([m["payload"] for m in driver.messages(3)], ["3", "4", "5"])

    def test_what_comes_again_with_other_identifiers_is_recognised(self):
        with RabbitMq() as broker, source(broker, version="3.1.1", clientId="r") as driver:
            driver.subscribe("r/#")
            driver.say("hold")
            broker.publish_lines("r/1", "12345")
            driver.messages(5)
            broker.stop()
            driver.log.wait_text("was lost")
            broker.start()
            driver.log.wait_text("kept the session")
            driver.say("settle 0")
            broker.publish_lines("r/1", ["new"])
            driver.out.wait_text('"payload":"new"')
            self.assertEqual([m["payload"] for m in driver.messages()], ["1", "2", "3", "4", "5", "new"])
            self.assertEqual(driver.stop(), 0)

    def numbers(self, service):
        """What has arrived. A kill may have torn a line; what was in it comes again. RabbitMQ may send from its queue before it has put back what
        the connection that was killed had not acknowledged, so their order says nothing of ours."""
        found = set()
        for line in service.path("out.ndjson").read_text(encoding="utf-8").split("\n")[:-1]:
            with contextlib.suppress(ValueError, KeyError):
                found.add(json.loads(line)["n"])
        return found

    def test_kill_of_sluice(self):
        conf = f'sources: [ {{ mqtt: {{ url: "{self.broker.url}", version: 3.1.1, clientId: killed, reconnectMin: 20ms }} }} ]\nrules: [rules/]\nstatsFile: stats.json\n'
        with Service({"sluice.yaml": conf, "rules/all.yaml": RULE}) as service:
            service.start()
            service.wait_log("subscribed to")
            for kill in range(3):
                self.broker.publish_lines("a/kill", [json.dumps({"n": kill * 1000 + i}) for i in range(1000)])
                service.kill()
                service.start()
                service.wait_log("kept the session", kill + 1)
            wait_until(lambda: self.numbers(service) == set(range(3000)), "all of them")
            self.assertEqual(service.stop(), 0)
