# SPDX-License-Identifier: Apache-2.0
"""The kafka action against a real Apache Kafka: the contract of all actions, then what only this one does.

Every test has topics of its own in one server, and drives the action without rules (tests/contract/action_driver.c). What no
server does on demand is tested against librdkafka's mock cluster (tests/contract/kafka_errors.c).
"""
import json
import os
import subprocess
import time
import unittest

from driver_fixture import BUILD, PATIENCE, STALL_MS, Driver, item
from kafka_fixture import Kafka
from sluice_fixture import wait_until

CONTRACT = BUILD / "tests/contract/contract_kafka"


class Case(unittest.TestCase):
    kafka = None

    def setUp(self):
        self.topic = self.id().rsplit(".", 1)[1]

    def driver(self, *actions, options="", servers=None):
        driver = self.enterContext(Driver("kafka", f"bootstrap.servers: \"{servers or self.kafka.servers}\"\n{options}"))
        for yaml in actions:
            driver.action(yaml)
        return driver

    def payloads(self, topic=None):
        return [message["payload"] for message in self.kafka.read(topic or self.topic)]

    def numbers(self, topic=None):
        return [json.loads(payload)["n"] for payload in self.payloads(topic)]

    def assert_results(self, results, expected):
        """expected: "done", or the beginning of a result."""
        self.assertEqual(len(results), len(expected), results)
        for i, (result, begin) in enumerate(zip(results, expected)):
            self.assertTrue(result == begin or (begin != "done" and result.startswith(begin)), f"item {i}: {result!r}, not {begin!r}")

    def assert_in_order(self, numbers, last):
        """1 to last, each at least once, and the first ones of each in order."""
        self.assertEqual(list(dict.fromkeys(numbers)), list(range(1, last + 1)))


def setUpModule():
    # Starting a server takes longer than most tests. Those that stop it start it again.
    Case.kafka = unittest.enterModuleContext(Kafka("connections.max.idle.ms=2000", tls="server", users={"sluice": "right-password"}))


class ContractTest(Case):
    def test_contract(self):
        self.kafka.create("contract-good")
        result = subprocess.run([CONTRACT], env={**os.environ, "SLUICE_TEST_KAFKA": self.kafka.servers}, capture_output=True, text=True,
                                check=False, timeout=PATIENCE * 3)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


class DeliveryTest(Case):
    def test_keys_headers_and_values(self):
        self.kafka.create(self.topic)
        driver = self.driver(f"topic: {self.topic}\nkey: '${{k}}'\nheaders: [{{ key: site, value: '${{s}}' }}, {{ key: 'x-${{s}}', value: fixed }}]")
        results = driver.send(item({"n": 1}, k="a", s="7"), item({"n": 2}, s="\u00e9 \n"), item(text="", k="", s="1"))
        self.assert_results(results, ["done"] * 3)
        messages = self.kafka.read(self.topic)
        self.assertEqual([m["key"] for m in messages], ["a", None, ""])
        self.assertEqual([m["payload"] for m in messages], ['{"n": 1}', '{"n": 2}', ""])
        self.assertEqual([m["headers"] for m in messages], [["site", "7", "x-7", "fixed"], ["site", "\u00e9 \n", "x-\u00e9 \n", "fixed"], ["site", "1", "x-1", "fixed"]])

    def test_the_name_of_a_header_must_not_be_empty(self):
        self.kafka.create(self.topic)
        driver = self.driver(f"topic: {self.topic}\nheaders: [{{ key: '${{k}}', value: '${{v}}' }}]")
        self.assert_results(driver.send(item({"n": 1}, k="a"), item({"n": 2}, v="b")), ["done", "rejected: the name of a header is empty"])

    def test_partitions_by_number_and_by_key(self):
        self.kafka.create(self.topic, partitions=3)
        driver = self.driver(f"topic: {self.topic}\npartition: '${{p}}'", f"topic: {self.topic}\nkey: '${{k}}'")
        self.assert_results(driver.send(*(item({"n": n}, p=str(n % 3)) for n in range(30))), ["done"] * 30)
        self.assertEqual([(m["partition"], json.loads(m["payload"])["n"]) for m in self.kafka.read(self.topic)], [(p, n) for p in range(3) for n in range(p, 30, 3)])
        self.assert_results(driver.send(*(item({"n": 100 + n}, 1, k=f"k{n % 10}") for n in range(100))), ["done"] * 100)
        place = {}
        for message in self.kafka.read(self.topic):
            if message["key"]:
                self.assertEqual(place.setdefault(message["key"], message["partition"]), message["partition"])
        self.assertEqual(len(place), 10)
        self.assertGreater(len(set(place.values())), 1)

    def test_topics_out_of_messages(self):
        for name in "a", "b":
            self.kafka.create(f"{self.topic}-{name}")
        driver = self.driver(f"topic: '{self.topic}-${{t}}'")
        results = driver.send(*(item({"n": n}, t="ab"[n % 2]) for n in range(20)), item({}, t="a/b"), item({}, t="x" * 250), item({}, t=""), item({}, t="\u00e9"))
        self.assert_results(results, ["done"] * 20 + ["rejected: a topic of Kafka has only", "rejected: the topic has", f"later: topic \"{self.topic}-\": UNKNOWN_TOPIC", "rejected: a topic of Kafka has only"])
        self.assertEqual(self.numbers(f"{self.topic}-a"), list(range(0, 20, 2)))
        self.assertEqual(self.numbers(f"{self.topic}-b"), list(range(1, 20, 2)))

    def test_compression(self):
        for codec in "none", "gzip", "snappy", "lz4", "zstd":
            self.kafka.create(f"{self.topic}-{codec}")
            driver = self.driver(f"topic: {self.topic}-{codec}\nclientProperties: {{ compression.type: {codec} }}")
            self.assert_results(driver.send(*(item({"n": n, "text": "x" * 100}) for n in range(100))), ["done"] * 100)
            self.assertEqual(self.kafka.compression(f"{self.topic}-{codec}"), codec)
            self.assertEqual(self.numbers(f"{self.topic}-{codec}"), list(range(100)))

    def test_actions_with_properties_of_their_own(self):
        self.kafka.create(f"{self.topic}-0")
        self.kafka.create(f"{self.topic}-1")
        driver = self.driver(options="compression.type: gzip")
        driver.action(f"topic: {self.topic}-0")
        self.assertEqual(driver.warnings, "")
        driver.action(f"topic: {self.topic}-1\nclientProperties: {{ compression.type: zstd, acks: \"1\" }}")
        self.assertIn("test.yaml:2:51: warning: \"acks\" has a value with which the producer is not idempotent: messages may come twice, and be lost", driver.warnings)
        self.assert_results(driver.send(*(item({"n": n, "text": "x" * 100}, n % 2) for n in range(100))), ["done"] * 100)
        self.assertEqual([self.kafka.compression(f"{self.topic}-{i}") for i in range(2)], ["gzip", "zstd"])
        self.assertEqual([len(self.numbers(f"{self.topic}-{i}")) for i in range(2)], [50, 50])

    def test_a_send_larger_than_a_request(self):
        self.kafka.create(self.topic)
        driver = self.driver(f"topic: {self.topic}")
        self.assert_results(driver.send(*(item({"n": n, "text": "x" * 100_000}) for n in range(50))), ["done"] * 50)
        self.assertEqual(self.numbers(), list(range(50)))

    def test_an_aws_rule(self):
        self.kafka.create(self.topic)
        driver = self.driver()
        driver.action(f"""
destinationArn: arn:aws:iot:eu-west-1:123456789012:ruledestination/vpc/x
topic: {self.topic}
key: "${{k}}"
partition: "0"
headers: [{{ key: h, value: v }}]
clientProperties:
  bootstrap.servers: b-1.example.com:9094
  acks: all
  compression.type: snappy
  key.serializer: org.apache.kafka.common.serialization.StringSerializer
  value.serializer: ByteBufferSerializer
""")
        self.assertIn("the servers of the connection are used, not these", driver.warnings)
        self.assert_results(driver.send(item({"n": 1}, k="a")), ["done"])
        self.assertEqual(self.kafka.read(self.topic)[0]["headers"], ["h", "v"])

    def test_acks_of_nobody(self):
        self.kafka.create(self.topic)
        driver = self.driver(options="acks: 0")
        self.assertIn("and be lost if a broker fails", driver.warnings)
        driver.action(f"topic: {self.topic}")
        self.assert_results(driver.send(*(item({"n": n}) for n in range(100))), ["done"] * 100)
        self.assertEqual(self.numbers(), list(range(100)))


class BadMessageTest(Case):
    def test_too_large_for_the_client(self):
        self.kafka.create(self.topic)
        driver = self.driver(f"topic: {self.topic}")
        items = [item({"n": n}, key=1) for n in range(10)]
        items[4] = item({"n": 4, "text": "x" * 1_100_000}, key=1)
        self.assert_results(driver.send(*items), ["done"] * 4 + ["rejected: MSG_SIZE_TOO_LARGE"] + ["done"] * 5)
        self.assertEqual(self.numbers(), [0, 1, 2, 3, 5, 6, 7, 8, 9])

    def test_too_large_for_the_topic(self):
        """The server refuses whole batches: the good ones among them get through, in order."""
        self.kafka.create(self.topic, max_message_bytes=20_000)
        driver = self.driver(f"topic: {self.topic}")
        bad = {5, 6, 77, 199}
        items = [item({"n": n, "text": "x" * (30_000 if n in bad else 100)}, key=n % 3) for n in range(200)]
        self.assert_results(driver.send(*items), ["rejected: MSG_SIZE_TOO_LARGE" if n in bad else "done" for n in range(200)])
        self.assertEqual(self.numbers(), [n for n in range(200) if n not in bad])

    def test_a_refused_request_is_not_overtaken_by_the_next(self):
        """What does not fit into one request goes out when the one before is settled, even if that has to be taken apart."""
        self.kafka.create(self.topic, max_message_bytes=200_000)
        driver = self.driver(f"topic: {self.topic}")
        self.assert_results(driver.send(*(item({"n": n, "text": "x" * 4000}, key=1) for n in range(270))), ["done"] * 270)
        self.assertEqual(self.numbers(), list(range(270)))

    def test_no_key_where_compaction_needs_one(self):
        self.kafka.create(self.topic, cleanup_policy="compact")
        driver = self.driver(f"topic: {self.topic}\nkey: '${{k}}'")
        items = [item({"n": n}, **({} if n == 30 else {"k": str(n)})) for n in range(100)]
        self.assert_results(driver.send(*items), ["done"] * 30 + ["rejected: INVALID_RECORD"] + ["done"] * 69)
        self.assertEqual(self.numbers(), [n for n in range(100) if n != 30])

    def test_topics_that_are_missing(self):
        self.kafka.create(self.topic)
        driver = self.driver(f"topic: {self.topic}-nowhere", f"topic: '{self.topic}${{t}}'")
        results = driver.send(item({"n": 1}, key=1), item({"n": 2}, 1, key=2, t="-gone"), item({"n": 3}, 1, key=3, t=""), item({"n": 4}, 1, key=1, t=""))
        self.assert_results(results, [f"later: misconfigured: topic \"{self.topic}-nowhere\": UNKNOWN_TOPIC_OR_PART", f"later: topic \"{self.topic}-gone\"", "done", "later: waits for an earlier message of its key"])
        driver.ask(advance=2000)
        results = driver.send(item({"n": 1}, key=1), item({"n": 2}, 1, key=2, t="-gone"))
        self.assert_results(results, ["later: misconfigured: ", f"rejected: topic \"{self.topic}-gone\": UNKNOWN_TOPIC_OR_PART"])
        self.kafka.create(f"{self.topic}-nowhere")
        self.assert_results(driver.send(item({"n": 1}, key=1), item({"n": 4}, 1, key=1, t="")), ["done"] * 2)
        self.assertEqual(self.numbers(), [3, 4])
        self.assertEqual(self.numbers(f"{self.topic}-nowhere"), [1])

    def test_a_topic_that_is_deleted(self):
        self.kafka.create(self.topic)
        driver = self.driver(f"topic: {self.topic}", options="topic.metadata.propagation.max.ms: 500\nsendTimeout: 10s")
        self.assert_results(driver.send(item({"n": 1})), ["done"])
        self.kafka.delete(self.topic)
        self.assert_results(driver.send(item({"n": 1})), ["later: "])
        self.assert_results(driver.send(item({"n": 1})), ["later: misconfigured: topic"])
        self.kafka.create(self.topic)
        driver.send_until_done(item({"n": 2}))
        self.assertEqual(self.numbers(), [2])


class ServerTest(Case):
    def test_server_down_then_back(self):
        self.kafka.create(self.topic)
        driver = self.driver(f"topic: {self.topic}\nkey: k")
        self.assert_results(driver.send(item({"n": 1})), ["done"])
        self.kafka.stop()
        try:
            for _ in range(2):
                self.assert_results(driver.send(item({"n": 2}), item({"n": 3})), ["later: "] * 2)
                self.assertEqual(driver.rc, -1)
                self.assertLess(driver.ms, 28_000)  # connectTimeout at most if it was under way already, and never sendTimeout
        finally:
            self.kafka.start()
        driver.send_until_done(item({"n": 2}), item({"n": 3}))
        self.assertEqual(self.numbers(), [1, 2, 3])

    def test_a_restart_while_idle_goes_unnoticed(self):
        self.kafka.create(self.topic)
        driver = self.driver(f"topic: {self.topic}")
        self.assert_results(driver.send(item({"n": 0})), ["done"])
        self.kafka.restart()
        self.assert_results(driver.send(item({"n": 1})), ["done"])
        self.assertEqual(self.numbers(), [0, 1])

    def test_a_connection_that_was_idle_too_long_goes_unnoticed(self):
        self.kafka.create(self.topic)
        driver = self.driver(f"topic: {self.topic}")
        self.assert_results(driver.send(item({"n": 0})), ["done"])
        time.sleep(5)  # the server closes what is idle for two seconds
        self.assert_results(driver.send(item({"n": 1})), ["done"])
        self.assertEqual(self.numbers(), [0, 1])

    def test_a_server_that_is_killed_midway(self):
        """While a send is in its rounds: all that has no report comes again, in order."""
        self.kafka.create(self.topic)
        for options in "", "acks: 1":
            driver = self.driver(f"topic: {self.topic}\nkey: k", options=options)
            before = len(self.kafka.read(self.topic))
            self.assert_results(driver.send(item({"n": 1})), ["done"])
            items = [item({"n": n, "text": "x" * 50_000}, key=1) for n in range(2, 402)]
            driver.begin(*items)
            log = self.kafka.folder / "data" / f"{self.topic}-0" / f"{0:020}.log"
            size = log.stat().st_size
            while log.stat().st_size == size:  # the first round is there
                time.sleep(0.001)
            self.kafka.kill()
            results = driver.finish()
            self.kafka.start()
            self.assertTrue(any(result.startswith("later") for result in results), results)
            driver.send_until_done(*(i for i, result in zip(items, results) if result != "done"))
            self.assert_in_order(self.numbers()[before:], 401)

    def test_a_server_that_hangs_costs_the_time_out_only(self):
        self.kafka.create(self.topic)
        driver = self.driver(f"topic: {self.topic}\nkey: k", options="sendTimeout: 500ms\nconnectTimeout: 700ms")
        driver.send_until_done(item({"n": 1}))
        with self.kafka.paused():
            self.assert_results(driver.send(item({"n": 2}), item({"n": 3})), ["later: no answer from the servers in time"] * 2)
            self.assertLess(driver.ms, 500 + 1000 + STALL_MS)
            self.assert_results(driver.send(item({"n": 2}), item({"n": 3})), ["later: "] * 2)
            self.assertEqual(driver.rc, -1)
            self.assertLess(driver.ms, 700 + STALL_MS)
        driver.send_until_done(item({"n": 2}), item({"n": 3}))
        driver.send_until_done(item({"n": 4}))
        self.assert_in_order(self.numbers(), 4)

    def stop(self, driver, *items):
        """Send while the server is paused, and stop once it has been sent something."""
        driver.begin(*items)
        wait_until(self.kafka.unread, "a request")
        begin = time.monotonic()
        with driver.stopped():
            results = driver.finish()
        self.assertLess(time.monotonic() - begin, PATIENCE / 4)
        self.assertEqual(driver.rc, -1)
        self.assert_results(results, ["later: stopped before the servers answered"] * len(items))

    def test_a_stopped_send_does_not_wait_for_a_server_that_hangs(self):
        """Neither for its reports, nor for what is known of a topic, nor for it to answer at all; with TLS too."""
        other = f"{self.topic}-other"
        self.kafka.create(self.topic)
        self.kafka.create(other)
        far = "sendTimeout: 60s\nconnectTimeout: 60s\n"
        ways = [("", self.kafka.servers), ("enable.idempotence: false", self.kafka.servers),
                (f"security.protocol: SSL\nssl.ca.location: {self.kafka.certificates.ca}", self.kafka.tls_servers)]
        for options, servers in ways:
            with self.subTest(options):
                before = len(self.numbers()), len(self.numbers(other))
                driver = self.driver(f"topic: {self.topic}\nkey: k", f"topic: {other}\nkey: k", options=far + options, servers=servers)
                driver.send_until_done(item({"n": 1}, key=1))
                with self.kafka.paused():
                    self.stop(driver, item({"n": 2}, key=1), item({"n": 3}, key=1))
                    self.stop(driver, item({"n": 2}, key=1))
                driver.send_until_done(item({"n": 2}, key=1), item({"n": 3}, key=1))
                with self.kafka.paused():
                    self.stop(driver, item({"n": 1}, 1))
                driver.send_until_done(item({"n": 1}, 1))
                self.assert_in_order(self.numbers()[before[0]:], 3)
                self.assert_in_order(self.numbers(other)[before[1]:], 1)

    def test_nobody_there(self):
        driver = self.driver("topic: t", servers="127.0.0.1:1")
        self.assert_results(driver.send(item({})), ["later: 127.0.0.1:1/bootstrap: Connect to"])
        self.assertEqual(driver.rc, -1)


class SecurityTest(Case):
    def test_tls(self):
        self.kafka.create(self.topic)
        certificates = self.kafka.certificates
        ours = f"security.protocol: SSL\nssl.ca.location: {certificates.ca}"
        driver = self.driver(f"topic: {self.topic}", options=ours, servers=self.kafka.tls_servers)
        self.assert_results(driver.send(item({"n": 1})), ["done"])
        wrong = f"security.protocol: SSL\nssl.ca.location: {certificates.wrong_ca}"
        driver = self.driver(f"topic: {self.topic}", options=wrong, servers=self.kafka.tls_servers)
        result = driver.send(item({"n": 2}))
        self.assert_results(result, ["later: refused: "])
        self.assertIn("certificate verify failed", result[0])
        self.assertEqual(driver.rc, -1)
        driver = self.driver(f"topic: {self.topic}", options="security.protocol: SSL", servers=self.kafka.servers)
        self.assert_results(driver.send(item({"n": 3})), ["later: "])  # an end of file, which may be a server that goes down
        self.assertEqual(driver.rc, -1)
        self.assertEqual(self.numbers(), [1])

    def test_a_certificate_of_another_host(self):
        with Kafka(tls="client", certificate="elsewhere") as kafka:
            kafka.create("t")
            certificates = kafka.certificates
            common = (f"security.protocol: SSL\nssl.ca.location: {certificates.ca}\nssl.certificate.location: {certificates.client}\n"
                      f"ssl.key.location: {certificates.client_key}\n")
            driver = self.driver("topic: t", options=common, servers=kafka.tls_servers)
            self.assert_results(driver.send(item({"n": 1})), ["later: refused: "])
            driver = self.driver("topic: t", options=common + "ssl.endpoint.identification.algorithm: none", servers=kafka.tls_servers)
            self.assert_results(driver.send(item({"n": 2})), ["done"])
            nobody = f"security.protocol: SSL\nssl.ca.location: {certificates.ca}\nssl.endpoint.identification.algorithm: none\nconnectTimeout: 3s"
            driver = self.driver("topic: t", options=nobody, servers=kafka.tls_servers)
            self.assert_results(driver.send(item({"n": 3})), ["later: "])
            self.assertEqual(driver.rc, -1)
            self.assertEqual([m["payload"] for m in kafka.read("t")], ['{"n": 2}'])

    def test_passwords(self):
        self.kafka.create(self.topic)
        for password, expected in ("right-password", "done"), ("wrong-password", "later: refused: "):
            options = f"security.protocol: SASL_PLAINTEXT\nsasl.mechanism: PLAIN\nsasl.username: sluice\nsasl.password: {password}\ndebug: all"
            with Driver("kafka", f"bootstrap.servers: \"{self.kafka.sasl_servers}\"\n{options}") as driver:
                driver.action(f"topic: {self.topic}")
                result = driver.send(item({"n": 1}))
                self.assert_results(result, [expected])
                self.assertNotIn(password, result[0])
            self.assertNotIn(password, driver.said)

    def test_passwords_of_a_rule(self):
        self.kafka.create(self.topic)
        driver = self.driver(servers=self.kafka.sasl_servers)
        driver.action(f"topic: {self.topic}\nclientProperties: {{ security.protocol: SASL_PLAINTEXT, sasl.mechanism: PLAIN, sasl.plain.username: sluice, sasl.plain.password: right-password }}")
        self.assert_results(driver.send(item({"n": 1})), ["done"])


if __name__ == "__main__":
    unittest.main()
