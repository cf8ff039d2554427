# SPDX-License-Identifier: Apache-2.0
"""The whole service between a real Mosquitto and a real Kafka: delivered, refused, late, drained; and no secret anywhere."""
import json
import signal
import time
import unittest

from kafka_fixture import Kafka
from mosquitto_fixture import LOSSLESS, Mosquitto
from sluice_fixture import Service, read_ndjson, wait_until

SECRET = "kafka-Secret-9"

RULE = """
ruleName: bus
sql: SELECT seq, text FROM 'plant/+/telemetry'
actions:
  - kafka:
      connection: bus
      topic: readings
      key: "${topic(2)}"
      headers: [{ key: site, value: "${topic(2)}" }]
errorAction:
  file: { path: errors.ndjson }
"""

FILE_RULE = """
ruleName: copy
sql: SELECT seq FROM 'plant/+/telemetry'
actions: [ { file: { path: copy.ndjson } } ]
"""


def setUpModule():
    Case.kafka = unittest.enterModuleContext(Kafka(users={"sluice": SECRET}))


class Case(unittest.TestCase):
    kafka = None

    def setUp(self):
        self.broker = self.enterContext(Mosquitto(LOSSLESS))
        self.kafka.create("readings", partitions=3)
        self.addCleanup(self.kafka.delete, "readings")

    def service(self, rules, connection="", servers=None, more=""):
        conf = f"""
sources:
  - mqtt: {{ url: "{self.broker.url}", clientId: sluice-test, reconnectMax: 1s }}
connections:
  bus:
    kafka:
      bootstrap.servers: "{servers or self.kafka.servers}"
{connection}
rules: [rules/]
retry: {{ min: 50ms, max: 500ms }}
drainTimeout: 30s
deadLetters: {{ path: dead.ndjson }}
statsFile: stats.json
{more}
"""
        return self.enterContext(Service({"sluice.yaml": conf, **{f"rules/{i}.yaml": rule for i, rule in enumerate(rules)}}))

    def started(self, *arguments, **options):
        service = self.service(*arguments, **options)
        service.start()
        service.wait_log("subscribed to")
        return service

    def publish(self, site, numbers):
        self.broker.publish_lines(f"plant/{site}/telemetry", [json.dumps({"seq": n}) for n in numbers], qos=1)

    def arrived(self):
        """Numbers by site, in the order of its partition."""
        sites = {}
        for message in self.kafka.read("readings"):
            sites.setdefault(message["key"], []).append(json.loads(message["payload"])["seq"])
        return sites

    def wait_arrived(self, count, sites):
        """Each site's numbers from 0 on are there, the first ones of each in order."""
        wait_until(lambda: [len(set(n)) for n in self.arrived().values()] == [count] * sites, f"{count} messages of {sites} sites")
        for site, numbers in self.arrived().items():
            self.assertEqual(list(dict.fromkeys(numbers)), list(range(count)), f"site {site}")

    def rule_stats(self, service, name="bus"):
        return next(rule for rule in service.stats()["rules"] if rule["name"] == name)


class DeliveryTest(Case):
    def test_messages_arrive_and_a_bad_one_does_not_hinder(self):
        service = self.started([RULE])
        for site in range(4):
            self.publish(site, range(50))
        self.broker.publish("plant/0/telemetry", json.dumps({"seq": 50, "text": "x" * 1_100_000}), qos=1)
        self.publish(0, range(50, 51))
        errors = wait_until(lambda: read_ndjson(service.path("errors.ndjson")), "the error action")
        failure = errors[0]["failures"][0]
        self.assertEqual((failure["failedAction"], failure["failedResource"]), ("KafkaAction", "readings"))
        self.assertTrue(failure["errorMessage"].startswith("MSG_SIZE_TOO_LARGE"), failure)
        wait_until(lambda: sum(map(len, self.arrived().values())) == 201, "all messages")
        self.assertEqual(self.arrived(), {str(site): list(range(51 if site == 0 else 50)) for site in range(4)})
        self.assertEqual(self.kafka.read("readings")[0]["headers"][0], "site")
        self.assertEqual(service.stop(), 0)
        self.assertEqual(self.rule_stats(service)["delivered"], 202)

    def test_down_for_a_while(self):
        """Ten seconds without Kafka while messages come: nothing lost, order per key kept, the file goes on."""
        service = self.started([RULE, FILE_RULE])
        for site in range(4):
            self.publish(site, range(100))
        self.wait_arrived(100, 4)
        self.kafka.stop()
        down = time.monotonic()
        for site in range(4):
            self.publish(site, range(100, 200))
        service.wait_log("is down")
        wait_until(lambda: len(read_ndjson(service.path("copy.ndjson"))) == 800, "the file")
        time.sleep(max(0, 10 - (time.monotonic() - down)))
        self.kafka.start()
        self.wait_arrived(200, 4)
        self.assertEqual(service.stop(), 0)
        self.assertEqual(self.rule_stats(service)["delivered"], 800)

    def test_a_hanging_server_holds_up_nobody_else(self):
        service = self.started([RULE, FILE_RULE], connection="      sendTimeout: 5s")
        self.publish(0, range(10))
        self.wait_arrived(10, 1)
        with self.kafka.paused():
            self.publish(0, range(10, 20))
            wait_until(lambda: len(read_ndjson(service.path("copy.ndjson"))) == 20, "the file")
        self.wait_arrived(20, 1)
        self.assertEqual(service.stop(), 0)

    def test_a_stop_does_not_wait_for_a_server_that_hangs(self):
        """Neither a second SIGTERM nor the end of drainTimeout does, although a send has much longer."""
        for before, ending in (10, "second SIGTERM"), (20, "drainTimeout"):  # the first one's come again to the second
            with self.subTest(ending):
                service = self.service([RULE], connection="      sendTimeout: 5m\n      connectTimeout: 5m")
                if ending == "drainTimeout":
                    conf = service.path("sluice.yaml")
                    conf.write_text(conf.read_text(encoding="utf-8").replace("drainTimeout: 30s", "drainTimeout: 300ms"), encoding="utf-8")
                service.start()
                service.wait_log("subscribed to")
                self.publish(ending[0], range(10))
                wait_until(lambda: self.rule_stats(service)["delivered"] == before, "the first ones")
                with self.kafka.paused():
                    self.publish(ending[0], range(10, 20))
                    wait_until(lambda: self.kafka.unread() and self.rule_stats(service)["matched"] == before + 10, "messages under way")
                    if ending == "second SIGTERM":
                        service.process.send_signal(signal.SIGTERM)
                        service.wait_log("SIGTERM: stopping")
                    self.assertEqual(service.stop(patience=25), 1)
                log = "\n".join(service.log)
                self.assertEqual("stopping at once" in log, ending == "second SIGTERM", log)
                self.assertIn("10 messages were not delivered to the end, nor acknowledged: the broker sends them again", log)

    def test_stop_under_load_loses_nothing(self):
        service = self.started([RULE], more="inFlight: 20")
        for round_ in range(3):
            self.publish(1, range(round_ * 2000, (round_ + 1) * 2000))
            self.assertEqual(service.stop(), 0)
            service.start()
            service.wait_log("subscribed to", round_ + 2)
        self.wait_arrived(6000, 1)
        self.assertEqual(service.stop(), 0)

    def test_killed_midway(self):
        service = self.started([RULE])
        self.publish(1, range(1000))
        wait_until(self.arrived, "the first ones")
        self.kafka.kill()
        self.publish(1, range(1000, 2000))
        service.wait_log("is down")
        self.kafka.start()
        self.wait_arrived(2000, 1)
        self.assertEqual(service.stop(), 0)


class AwsTest(Case):
    def test_a_rule_from_aws(self):
        arn = "arn:aws:iot:eu-west-1:123456789012:ruledestination/vpc/0f"
        rule = {
            "sql": "SELECT seq FROM 'plant/+/telemetry'",
            "awsIotSqlVersion": "2016-03-23",
            "actions": [{"kafka": {
                "destinationArn": arn, "topic": "readings", "key": "${topic(2)}",
                "headers": [{"key": "static", "value": "${clientid()}"}],
                "clientProperties": {"bootstrap.servers": "b-1.example.com:9094", "security.protocol": "SSL", "acks": "1",
                                     "ssl.truststore": "${get_secret('ts','SecretBinary','t','arn:aws:iam::1:role/r')}",
                                     "key.serializer": "org.apache.kafka.common.serialization.StringSerializer"},
            }}],
        }
        service = self.service([], connection="      security.protocol: PLAINTEXT")
        conf = service.path("sluice.yaml").read_text(encoding="utf-8").replace("\n  bus:", f'\n  "{arn}":')
        service.write("sluice.yaml", conf)
        service.write("rules/aws.json", json.dumps(rule))
        check = service.run("check", "-c", "sluice.yaml")
        self.assertEqual(check.returncode, 0, check.stdout + check.stderr)
        for text in "the servers of the connection are used", "the connection says how its servers are reached", "\"acks\" has a value":
            self.assertIn(text, check.stdout + check.stderr)
        service.start()
        service.wait_log("subscribed to")
        self.publish(3, range(5))
        self.wait_arrived(5, 1)
        self.assertEqual(service.stop(), 0)


class SecretTest(Case):
    def test_a_secret_is_nowhere(self):
        connection = """
      security.protocol: SASL_PLAINTEXT
      sasl.mechanism: PLAIN
      sasl.username: sluice
      sasl.password: "${file:password}"
      debug: all
"""
        service = self.service([RULE], connection=connection, servers=self.kafka.sasl_servers, more="log: { level: debug }")
        outputs = []
        for password in SECRET, SECRET + "-wrong":
            service.write("password", password + "\n")
            for command in ["check", "-c", "sluice.yaml"], ["explain", "SELECT * FROM 'a'"]:
                result = service.run(*command)
                outputs += [result.stdout, result.stderr]
            service.start()
            service.wait_log("subscribed to", count=1 if password == SECRET else 2)
            self.publish(0, range(5))
            if password == SECRET:
                self.wait_arrived(5, 1)
            else:
                service.wait_log("refuses us")
            service.process.kill() if password != SECRET else service.stop()
            service.wait()
        service.path("password").unlink()
        outputs += service.log + service.stdout + [p.read_text(errors="replace") for p in service.folder.rglob("*") if p.is_file()]
        self.assertIn("librdkafka: ", "\n".join(service.log))
        for text in outputs:
            self.assertNotIn(SECRET, text)


if __name__ == "__main__":
    unittest.main()
