# SPDX-License-Identifier: Apache-2.0
"""The mqtt source and the republish action against a real Mosquitto, driven by themselves (driver/mqtt_driver.c): what the broker,
the library and our side make of each other, without rules in between."""
import base64
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

from mosquitto_fixture import LOSSLESS, PATIENCE, Lines, Mosquitto, free_port
from sluice_fixture import wait_until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build/release"))
DRIVER = BUILD / "tests/integration/driver/mqtt_driver"
CONTRACT = BUILD / "tests/contract/contract_republish"


class Driver:
    """mqtt_driver with its configuration files. self.log: lines of standard error; self.out: of standard output."""

    def __init__(self, mode, options, action=None, *arguments):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-driver-"))
        command = [DRIVER, mode, self._write("mqtt.json", options)]
        if action is not None:
            command.append(self._write("action.json", action))
        self.process = subprocess.Popen([*command, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, errors="replace")
        self.log = Lines(self.process.stderr)
        self.out = Lines(self.process.stdout)

    def _write(self, name, tree):
        path = self.folder / name
        path.write_text(json.dumps(tree), encoding="utf-8")
        return path

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for lines in self.log, self.out:
            lines.thread.join()
        self.process.stdin.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def subscribe(self, *filters):
        """Start with these filters, or change to them; returns when they are subscribed."""
        before = sum("subscribed to" in line for line in list(self.log.list))
        self.say(" ".join(["filters", *filters]))
        return self.log.wait_text("subscribed to", before + 1)[-1]

    def messages(self, count=None, patience=PATIENCE):
        """The messages that came, at least so many."""
        self.out.wait(lambda lines: len(lines) >= (count or 0), f"{count} messages", patience)
        return [json.loads(line) for line in list(self.out.list)]

    def send(self, *items):
        """Send a batch of (topic, payload[, hops]); returns the results and the summary."""
        before = len(self.out.list)
        for item in items:
            self.say("item " + " ".join(map(str, item)))
        self.say("send")
        self.out.wait(lambda lines: len(lines) > before and '"sent":' in lines[-1], "results")
        lines = [json.loads(line) for line in self.out.list[before:]]
        return lines[:-1], lines[-1]

    def stop(self):
        self.say("stop")
        code = self.process.wait(PATIENCE)
        for lines in self.log, self.out:
            lines.thread.join()
        return code


def source(broker, **options):
    return Driver("source", {"url": broker.url, "clientId": "s", "reconnectMin": "50ms", "reconnectMax": "500ms", **options})


def publisher(broker, action, **options):
    return Driver("publish", {"url": broker.url, "clientId": "s", **options}, action)


ECHO = {"topic": "${topic}", "qos": 1}


def read_raw_packet(stream):
    """The bytes of the next MQTT packet and where its body begins, None at the end."""
    head = stream.read(1)
    length = shift = 0
    while head:
        byte = stream.read(1)
        if not byte:
            return None
        head += byte
        length |= (byte[0] & 127) << shift
        shift += 7
        if byte[0] < 128:
            return head + stream.read(length), len(head)
    return None


def read_packet(stream):
    """(first byte, body) of the next MQTT packet, None at the end."""
    packet = read_raw_packet(stream)
    return packet and (packet[0][0], packet[0][packet[1]:])


class ScriptedBroker:
    """Takes a connection with `connack` and answers each later packet with `answer`, or with the next one of a list."""

    def __init__(self, connack, answer):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"mqtt://127.0.0.1:{self.socket.getsockname()[1]}"
        self.connack, self.answer = connack, answer
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self.socket.accept()
                with contextlib.suppress(ConnectionError), connection, connection.makefile("rb") as stream:
                    self._serve(connection, stream)

    def _serve(self, connection, stream):
        answers = iter(self.answer) if isinstance(self.answer, list) else None
        while packet := read_packet(stream):
            if packet[0] >> 4 == 1:
                connection.sendall(self.connack)
            else:
                connection.sendall(next(answers, b"") if answers else self.answer)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()


class WebSocketGate:
    """MQTT over WebSocket (RFC 6455) in front of a broker that only speaks TCP."""

    def __init__(self, broker_port):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port, self.broker_port, self.requests = self.socket.getsockname()[1], broker_port, []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                threading.Thread(target=self._serve, args=(self.socket.accept()[0],), daemon=True).start()
        except OSError:
            pass

    def _serve(self, client):
        with client, client.makefile("rb") as stream, socket.create_connection(("127.0.0.1", self.broker_port)) as broker:
            lines = iter(lambda: stream.readline().strip().decode(), "")
            self.requests.append(next(lines))
            fields = dict(line.lower().split(": ", 1) if not line.lower().startswith("sec-websocket-key") else
                          ("key", line.split(": ", 1)[1]) for line in lines)
            digest = hashlib.sha1((fields["key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
            client.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: mqtt\r\n"
                           b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n")
            threading.Thread(target=self._to_client, args=(broker, client), daemon=True).start()
            while payload := self._frame(stream):
                broker.sendall(payload)

    @staticmethod
    def _frame(stream):
        """The payload of the client's next data frame, None at the end."""
        head = stream.read(2)
        if len(head) < 2 or head[0] & 15 > 2:
            return None
        length = head[1] & 127
        if length >= 126:
            length = int.from_bytes(stream.read(2 if length == 126 else 8), "big")
        mask, payload = stream.read(4), stream.read(length)
        return bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))

    @staticmethod
    def _to_client(broker, client):
        """One packet a frame, as Mosquitto does: of several in one frame paho 1.3.12 leaves the last ones lying until more comes."""
        try:
            with broker.makefile("rb") as stream:
                while packet := read_raw_packet(stream):
                    data = packet[0]
                    length = bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big")
                    client.sendall(b"\x82" + length + data)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()


class SourceTest(unittest.TestCase):
    def test_message_with_everything(self):
        with Mosquitto() as broker, source(broker) as driver:
            self.assertIn("subscribed to 2 filters", driver.subscribe("plant/#"))  # Basic Ingest too
            broker.publish("plant/1", "hello", qos=1, arguments=[
                "-D", "publish", "content-type", "text/plain", "-D", "publish", "response-topic", "answers",
                "-D", "publish", "correlation-data", "abc", "-D", "publish", "payload-format-indicator", "1",
                "-D", "publish", "user-property", "k", "v1", "-D", "publish", "user-property", "k", "v2",
                "-D", "publish", "user-property", "sluice-hops", "3"])
            message = driver.messages(1)[0]
            ids = message.pop("ids")
            self.assertNotEqual(message.pop("token"), 0)
            self.assertEqual(message, {
                "topic": "plant/1", "payload": "hello", "qos": 1, "retain": False, "hops": 3,
                "contentType": "text/plain", "responseTopic": "answers", "correlation": "YWJj", "format": 1,
                "user": [["k", "v1"], ["k", "v2"]]})
            self.assertEqual(len(ids), 1)
            self.assertEqual(driver.stop(), 0)

    def test_overlapping_filters_come_with_identifiers(self):
        with Mosquitto() as broker, source(broker) as driver:
            driver.subscribe("a/#", "a/+/c", "a/b/c")
            broker.publish("a/b/c", "x")
            ids = [message["ids"] for message in driver.messages(3)]
            self.assertEqual(len({i for one in ids for i in one}), 3)

    def test_overlapping_filters_are_merged_with_3_1_1(self):
        with Mosquitto() as broker, source(broker, version="3.1.1", basicIngest=False) as driver:
            self.assertIn("subscribed to 1 filter", driver.subscribe("a/#", "a/+/c", "a/b/c"))
            broker.publish("a/b/c", "x")
            broker.publish("a/b/d", "last")
            messages = driver.messages(2)
            self.assertEqual([m["payload"] for m in messages], ["x", "last"])
            self.assertNotIn("ids", messages[0])

    def test_basic_ingest(self):
        for version in "5", "3.1.1":
            with self.subTest(version), Mosquitto() as broker, source(broker, version=version) as driver:
                driver.subscribe("a")
                broker.publish("$aws/rules/r/x", "1")
                self.assertEqual(driver.messages(1)[0]["topic"], "$aws/rules/r/x")

    def test_filters_change(self):
        with Mosquitto("log_type all") as broker, source(broker, basicIngest=False) as driver:
            driver.subscribe("a", "b")
            driver.subscribe("b", "c")
            for topic in "a", "b", "c":
                broker.publish(topic, topic, qos=1)
            self.assertEqual([m["topic"] for m in driver.messages(2)], ["b", "c"])
            broker.log.wait_text("Received UNSUBSCRIBE from s")
            log = "\n".join(broker.log.list)
            self.assertEqual(log.count("Received SUBSCRIBE from s"), 3)  # b was not subscribed again
            self.assertEqual(log.count("Received UNSUBSCRIBE from s"), 1)
            self.assertLess(log.rindex("Received SUBSCRIBE from s"), log.index("Received UNSUBSCRIBE from s"))

    def test_many_filters(self):
        with Mosquitto() as broker, source(broker, basicIngest=False) as driver:
            self.assertIn("subscribed to 2000 filters", driver.subscribe(*(f"t/{i}" for i in range(2000))))
            broker.publish("t/1999", "x")
            driver.messages(1)

    def test_refused_filter(self):
        acl = "user u\ntopic read a\ntopic write #\n"
        with Mosquitto(users={"u": "p"}) as broker:
            (broker.folder / "acl").write_text(acl, encoding="ascii")
            with source(broker, userName="u", password="wrong") as driver:
                driver.say("filters a")
                line = driver.log.wait_text("refused the connection")[0]
                self.assertIn("Not authorized", line)
                self.assertIn("ERROR", line)
                self.assertEqual(driver.stop(), 0)
            with source(broker, userName="u", password="p") as driver:
                driver.subscribe("a")
                broker.publish("a", "1")
                driver.messages(1)

    def test_qos_2(self):
        with Mosquitto() as broker, source(broker, qos=2) as driver:
            driver.subscribe("a")
            broker.publish_lines("a", [str(i) for i in range(100)], qos=2)
            messages = driver.messages(100)
            self.assertEqual([m["payload"] for m in messages], [str(i) for i in range(100)])
            self.assertEqual({m["qos"] for m in messages}, {2})

    def test_retained_messages_are_ignored(self):
        for version in "5", "3.1.1":
            with self.subTest(version), Mosquitto("log_type all") as broker, source(broker, version=version) as driver:
                broker.publish("a", "kept", qos=1, arguments=["-r"])
                driver.subscribe("a")
                self.assertEqual(driver.messages(1), [{"ignored": True}])
                broker.log.wait_text("Received PUBACK from s ")
                broker.publish("a", "live", arguments=["-r"])  # it comes because it was published
                self.assertEqual(driver.messages(2)[1]["payload"], "live")

    def test_retained_messages_come_once(self):
        with Mosquitto() as broker, source(broker, retained="evaluate") as driver:
            broker.publish("a", "kept", arguments=["-r"])
            driver.subscribe("a")
            self.assertTrue(driver.messages(1)[0]["retain"])
            driver.subscribe("a", "b")
            broker.publish("a", "live")
            self.assertEqual([m["payload"] for m in driver.messages(2)], ["kept", "live"])

    def test_broker_down_at_start(self):
        broker = Mosquitto()
        with source(broker) as driver:
            driver.say("filters a/#")
            line = driver.log.wait_text("is not reachable")[0]
            self.assertIn("Connection refused", line)
            self.assertIn("trying again in", line)
            with broker:
                driver.log.wait_text("subscribed to")
                broker.publish("a/1", "x")
                driver.messages(1)
                self.assertLessEqual(sum("is not reachable" in line for line in driver.log.list), 3)  # at 0, 10 and 30 s
                self.assertEqual(driver.stop(), 0)

    def test_kill_of_the_broker_with_persistent_session(self):
        for version in "5", "3.1.1":
            with self.subTest(version), Mosquitto(LOSSLESS + "persistence true\nautosave_interval 1\nautosave_on_changes true\n") as broker, \
                    source(broker, version=version) as driver:
                driver.subscribe("a/#")
                broker.publish("a/1", "before", qos=1)
                driver.messages(1)
                broker.kill()
                driver.log.wait_text("was lost")
                broker.start()
                driver.log.wait_text("subscribed to", 2)
                broker.publish("a/1", "after", qos=1)
                self.assertEqual([m["payload"] for m in driver.messages(2)], ["before", "after"])
                self.assertEqual(driver.stop(), 0)

    def test_persistent_session_keeps_messages_while_we_are_away(self):
        with Mosquitto(LOSSLESS) as broker:
            with source(broker) as driver:
                driver.subscribe("a/#")
                self.assertEqual(driver.stop(), 0)
            broker.publish_lines("a/1", [str(i) for i in range(500)])
            with source(broker) as driver:
                driver.say("filters a/#")
                self.assertEqual([m["payload"] for m in driver.messages(500)], [str(i) for i in range(500)])
                driver.log.wait_text("kept the session")

    def test_clean_start_forgets_the_session(self):
        with Mosquitto(LOSSLESS) as broker:
            with source(broker) as driver:
                driver.subscribe("a/#")
                self.assertEqual(driver.stop(), 0)
            broker.publish("a/1", "missed", qos=1)
            with source(broker, cleanStart=True) as driver:
                driver.subscribe("a/#")
                broker.publish("a/1", "seen", qos=1)
                self.assertEqual(driver.messages(1)[0]["payload"], "seen")

    def test_another_client_takes_the_session_over(self):
        with Mosquitto() as broker, source(broker, reconnectMin="200ms", reconnectMax="2s") as driver:
            driver.subscribe("a")
            with broker.subscribe("b", arguments=["-i", "s"]):
                driver.log.wait_text("was lost")
            driver.log.wait_text("subscribed to", 2)
            wait_until(lambda: broker.publish("a", "x") or driver.messages(), "a message")  # the other one may come back once more

    def test_reason_of_a_disconnect_packet(self):
        with ScriptedBroker(connack=b"\x20\x03\x00\x00\x00", answer=b"\xe0\x02\x8e\x00") as broker, source(broker) as driver:
            driver.say("filters a")
            self.assertIn("Session taken over (0x8E)", driver.log.wait_text("ended:")[0])

    def test_refused_subscription(self):
        # SUBACK: the first filter ($aws/rules/#) is granted, the second is not authorized.
        subacks = [b"\x90\x04\x00\x01\x00\x01", b"\x90\x04\x00\x02\x00\x87"]
        with ScriptedBroker(connack=b"\x20\x03\x00\x00\x00", answer=subacks) as broker, source(broker) as driver:
            self.assertIn("subscribed to 1 filter ", driver.subscribe("a") + " ")
            line = driver.log.wait_text("refused the subscription")[0]
            self.assertIn('"a": Not authorized (0x87)', line)
            self.assertIn("ERROR", line)

    def test_broker_without_subscription_identifiers(self):
        suback = b"\x90\x04\x00\x01\x00\x01"
        with ScriptedBroker(connack=b"\x20\x05\x00\x00\x02\x29\x00", answer=[suback]) as broker, \
                source(broker, basicIngest=False) as driver:
            self.assertIn("subscribed to 1 filter", driver.subscribe("a/#", "a/b"))
            driver.log.wait_text("overlapping filters are merged")

    def test_message_larger_than_the_bound(self):
        with Mosquitto() as broker, source(broker, maxPacketSize="64k") as driver:
            driver.subscribe("a/#")
            broker.publish("a/1", "x" * 100000, qos=1)  # the broker keeps to our Maximum Packet Size
            broker.publish("a/1", "small", qos=1)
            self.assertEqual(driver.messages(1)[0]["payload"], "small")

    def test_large_message(self):
        with Mosquitto() as broker, source(broker) as driver:
            driver.subscribe("a/#")
            broker.publish("a/1", "y" * 10_000_000, qos=1)
            self.assertEqual(len(driver.messages(1)[0]["payload"]), 10_000_000)


def acknowledged(broker, kind="PUBACK"):
    """The packet identifiers that the source has acknowledged, in order."""
    pattern = re.compile(rf"Received {kind} from s \(Mid: (\d+)")
    return [int(found[1]) for line in list(broker.log.list) if (found := pattern.search(line))]


class AcknowledgeTest(unittest.TestCase):
    """A message is acknowledged when it is final (hold, settle N), in the order in which the broker sent it."""

    def wait_acknowledged(self, broker, count, kind="PUBACK"):
        broker.log.wait(lambda lines: sum(f"Received {kind} from s " in line for line in lines) >= count, f"{count} {kind}")
        return acknowledged(broker, kind)

    def test_in_the_order_of_arrival(self):
        for version in "5", "3.1.1":
            with self.subTest(version), Mosquitto("log_type all") as broker, source(broker, version=version) as driver:
                driver.subscribe("a/#")
                driver.say("hold")
                broker.publish_lines("a/1", "12345")
                driver.messages(5)
                for n in 3, 2, 5, 1:
                    driver.say(f"settle {n}")
                self.assertEqual(self.wait_acknowledged(broker, 3), [1, 2, 3])
                driver.say("settle 4")
                self.assertEqual(self.wait_acknowledged(broker, 5), [1, 2, 3, 4, 5])
                self.assertEqual(driver.stop(), 0)

    def test_receive_maximum_bounds_what_is_under_way(self):
        with Mosquitto(LOSSLESS + "log_type all\nmax_inflight_messages 0") as broker, source(broker, receiveMaximum=7) as driver:
            driver.subscribe("a/#")
            driver.say("hold")
            broker.publish_lines("a/1", [str(i) for i in range(30)])
            driver.messages(7)
            self.assertFalse(any("Received PUBACK from s" in line for line in broker.log.list))
            driver.say("settle 0")
            self.assertEqual([m["payload"] for m in driver.messages(30)], [str(i) for i in range(30)])

    def test_what_comes_again_is_recognised(self):
        for version in "5", "3.1.1":
            with self.subTest(version), Mosquitto(LOSSLESS + "persistence true\nlog_type all") as broker, \
                    source(broker, version=version) as driver:
                driver.subscribe("a/#")
                driver.say("hold")
                broker.publish_lines("a/1", ["same"] * 5 + ["other"])
                driver.messages(6)
                broker.restart()
                driver.log.wait_text("kept the session")
                broker.log.wait(lambda lines: sum("Sending PUBLISH to s (d1" in line for line in lines) >= 6, "6 with DUP")
                for n in range(1, 6):
                    driver.say(f"settle {n}")
                self.wait_acknowledged(broker, 5)
                driver.say("settle 6")
                self.assertEqual(len(self.wait_acknowledged(broker, 6)), 6)
                broker.publish("a/1", "new", qos=1)
                self.assertEqual([m["payload"] for m in driver.messages(7)], ["same"] * 5 + ["other", "new"])

    def test_settled_while_the_connection_was_away(self):
        with Mosquitto(LOSSLESS + "persistence true\nlog_type all") as broker, source(broker) as driver:
            driver.subscribe("a/#")
            driver.say("hold")
            broker.publish_lines("a/1", "123")
            driver.messages(3)
            broker.stop()
            driver.log.wait_text("was lost")
            driver.say("settle 0")
            broker.start()
            self.assertEqual(len(self.wait_acknowledged(broker, 3)), 3)
            self.assertEqual(len(driver.messages()), 3)

    def test_qos_2_comes_once(self):
        for version in "5", "3.1.1":
            with self.subTest(version), Mosquitto(LOSSLESS + "persistence true\nlog_type all") as broker, \
                    source(broker, version=version, qos=2) as driver:
                driver.subscribe("a/#")
                driver.say("hold")
                broker.publish_lines("a/1", "12345", qos=2)
                driver.messages(5)
                broker.restart()
                broker.log.wait(lambda lines: sum("Sending PUBLISH to s (d1, q2" in line for line in lines) >= 5, "5 with DUP")
                driver.say("settle 0")
                self.wait_acknowledged(broker, 5, "PUBCOMP")
                broker.publish("a/1", "6", qos=2)
                self.assertEqual([m["payload"] for m in driver.messages(6)], list("123456"))

    def test_what_was_not_final_at_the_stop_comes_again(self):
        with Mosquitto(LOSSLESS) as broker:
            with source(broker) as driver:
                driver.subscribe("a/#")
                driver.say("hold")
                broker.publish_lines("a/1", "12345")
                driver.messages(5)
                for n in 1, 2, 4:
                    driver.say(f"settle {n}")
                self.assertEqual(driver.stop(), 0)
                driver.log.wait_text("2 messages were not delivered to the end, nor acknowledged: the broker sends them again")
            with source(broker) as driver:
                driver.say("filters a/#")
                messages = driver.messages(3)
                self.assertEqual([(m["payload"], m["dup"]) for m in messages], [("3", True), ("4", True), ("5", True)])

    def test_full_sink_at_qos_1(self):
        """It reads no further, the connection stays, and nothing is lost."""
        with Mosquitto(LOSSLESS + "log_type all") as broker, source(broker, ackTimeout="60s") as driver:
            driver.subscribe("a/#")
            driver.say("full")
            broker.publish_lines("a/1", [str(i) for i in range(3000)])
            driver.say("later 61000")
            broker.log.wait_text("Received PINGREQ from s")
            self.assertEqual(driver.messages(), [])
            driver.say("room")
            self.assertEqual([m["payload"] for m in driver.messages(3000)], [str(i) for i in range(3000)])
            self.assertEqual(len(driver.log.list), 2, driver.log.list)  # connected, subscribed

    def test_full_sink_at_qos_0(self):
        with Mosquitto("max_queued_messages 0\nlog_type all") as broker, source(broker, qos=0, ackTimeout="60s") as driver:
            driver.subscribe("a/#")
            driver.say("full")
            broker.publish_lines("a/1", ["x" * 1000] * 2000, qos=0)
            driver.say("later 61000")
            broker.log.wait_text("Received PINGREQ from s")
            driver.say("room")
            self.assertEqual(len(driver.messages(2000)), 2000)
            self.assertEqual(len(driver.log.list), 2, driver.log.list)

    def test_lost_in_a_connection_that_ends_while_the_sink_is_full(self):
        with Mosquitto(LOSSLESS + "persistence true") as broker, source(broker) as driver:
            driver.subscribe("a/#")
            driver.say("full")
            broker.publish_lines("a/1", [str(i) for i in range(100)])
            broker.restart()
            driver.say("later 61000")  # a ping, and the connection is seen to be gone
            driver.log.wait_text("kept the session")
            driver.say("room")
            self.assertEqual([m["payload"] for m in driver.messages(100)], [str(i) for i in range(100)])

    def test_shared_subscription(self):
        with Mosquitto(LOSSLESS) as broker, source(broker, clientId="one", share="team") as one, \
                source(broker, clientId="two", share="team") as two:
            one.subscribe("a/#")
            two.subscribe("a/#")
            broker.publish_lines("a/1", [str(i) for i in range(100)])
            one.messages(50)
            two.messages(50)
            payloads = [int(m["payload"]) for m in one.messages() + two.messages()]
            self.assertEqual(sorted(payloads), list(range(100)))


@contextlib.contextmanager
def websocket_source(broker, **options):
    with WebSocketGate(broker.port) as gate, source(broker, **{"url": f"ws://127.0.0.1:{gate.port}/mqtt", **options}) as driver:
        yield driver


class WebSocketTest(unittest.TestCase):
    """ws:// is carried by paho: messages are acknowledged when they arrive, and wait in an inbox of ours."""

    def test_websocket(self):
        with Mosquitto() as broker, WebSocketGate(broker.port) as gate:
            options = {"url": f"ws://127.0.0.1:{gate.port}/mqtt"}
            with source(broker, **options) as driver, publisher(broker, ECHO, **options) as republish:
                driver.subscribe("a/#")
                self.assertEqual(republish.send(("a/1", "over-ws"))[0][0]["result"], "done")
                self.assertEqual(driver.messages(1)[0]["payload"], "over-ws")
            self.assertIn("GET /mqtt HTTP/1.1", gate.requests)

    def test_it_says_that_it_acknowledges_on_arrival(self):
        with Mosquitto() as broker, websocket_source(broker) as driver:
            driver.subscribe("a/#")
            driver.log.wait_text("acknowledged when they arrive")

    def test_full_inbox_disconnects_and_loses_nothing(self):
        count = 3000
        for version in "5", "3.1.1":
            with self.subTest(version), Mosquitto(LOSSLESS) as broker, \
                    websocket_source(broker, version=version, pendingMessages=200) as driver:
                driver.subscribe("a/#")
                driver.say("full")
                broker.publish_lines("a/1", [str(i) for i in range(count)])
                driver.log.wait_text("disconnected until half of them are worked off")
                driver.say("room")
                driver.out.wait_text(f'"payload":"{count - 1}"')
                messages = driver.messages()
                # What was not acknowledged when we disconnected comes again; nothing is missing and the order is kept.
                self.assertTrue(list(dict.fromkeys(m["payload"] for m in messages)) == [str(i) for i in range(count)])
                self.assertTrue([m["token"] for m in messages] == list(range(1, len(messages) + 1)))
                warnings = [line for line in driver.log.list if "disconnected until half of them are worked off" in line]
                self.assertLessEqual(len(warnings), 3, warnings)  # at 0, 10 and 30 s, however often it happened
                self.assertEqual(driver.stop(), 0)

    def test_full_inbox_drops_qos_0(self):
        with Mosquitto(LOSSLESS) as broker, websocket_source(broker, pendingMessages=100) as driver:
            driver.subscribe("a/#")
            driver.say("full")
            broker.publish_lines("a/1", [str(i) for i in range(5000)], qos=0)
            driver.log.wait_text("disconnected until half of them are worked off")
            driver.say("room")
            driver.log.wait_text("subscribed to", 2)
            self.assertGreaterEqual(len(driver.messages(100)), 100)
            broker.publish("a/1", "still there", qos=1)
            driver.out.wait_text("still there")

    def test_stop_hands_over_what_has_arrived(self):
        with Mosquitto(LOSSLESS + "log_type all") as broker, websocket_source(broker) as driver:
            driver.subscribe("a/#")
            driver.say("full")
            broker.publish_lines("a/1", [str(i) for i in range(100)])
            broker.log.wait(lambda lines: sum("Received PUBACK from s " in line for line in lines) >= 100, "acknowledgements")
            driver.say("room")
            self.assertEqual(driver.stop(), 0)
            self.assertEqual(len(driver.messages()), 100)

    def test_stop_just_after_a_full_inbox(self):
        with Mosquitto(LOSSLESS) as broker, websocket_source(broker, pendingMessages=10) as driver:
            driver.subscribe("a/#")
            driver.say("full")
            broker.publish_lines("a/1", [str(i) for i in range(30)])
            driver.log.wait_text("the inbox is full")
            driver.say("room")
            driver.messages(10)
            self.assertEqual(driver.stop(), 0)

    def test_stop_with_a_full_sink_tells_what_is_lost(self):
        with Mosquitto(LOSSLESS + "log_type all") as broker, websocket_source(broker) as driver:
            driver.subscribe("a/#")
            driver.say("full")
            broker.publish_lines("a/1", [str(i) for i in range(100)])
            broker.log.wait(lambda lines: sum("Received PUBACK from s " in line for line in lines) >= 100, "acknowledgements")
            self.assertEqual(driver.stop(), 0)
            driver.log.wait_text("100 messages that had arrived could not be handed over")


class TlsTest(unittest.TestCase):
    def options(self, broker, **more):
        return {"url": broker.tls_url, "caFile": str(broker.certificates.ca), **more}

    def client(self, broker):
        return {"certFile": str(broker.certificates.client), "keyFile": str(broker.certificates.client_key)}

    def test_source_and_republish_with_client_certificate(self):
        for version in "5", "3.1.1":
            with self.subTest(version), Mosquitto(tls="client") as broker:
                options = self.options(broker, version=version, **self.client(broker))
                with source(broker, **options) as driver, publisher(broker, ECHO, **options) as republish:
                    driver.subscribe("a/#")
                    results, _ = republish.send(("a/1", "over-tls"))
                    self.assertEqual(results[0]["result"], "done")
                    self.assertEqual(driver.messages(1)[0]["payload"], "over-tls")

    def test_wrong_authority_is_refused(self):
        with Mosquitto(tls="server") as broker, source(broker, **self.options(broker, caFile=str(broker.certificates.wrong_ca))) as driver:
            driver.say("filters a")
            line = driver.log.wait_text("no TLS connection")[0]
            self.assertIn("certificate verify failed", line)
            self.assertIn("ERROR", line)
            self.assertIn("caFile", line)
            self.assertEqual(driver.stop(), 0)

    def test_authorities_of_the_system_do_not_know_ours(self):
        with Mosquitto(tls="server") as broker, publisher(broker, ECHO, url=broker.tls_url) as driver:
            _, summary = driver.send(("a", "x"))
            self.assertEqual(summary["code"], "refused")
            self.assertIn("certificate verify failed", summary["error"])

    def test_missing_client_certificate(self):
        with Mosquitto(tls="client") as broker, publisher(broker, ECHO, **self.options(broker)) as driver:
            _, summary = driver.send(("a", "x"))
            self.assertEqual(summary["sent"], -1)
            self.assertIn("certFile", summary["hint"] + summary["error"])

    def test_certificate_of_another_host(self):
        with Mosquitto(tls="server", certificate="elsewhere") as broker:
            with publisher(broker, ECHO, **self.options(broker)) as driver:
                _, summary = driver.send(("a", "x"))
                self.assertEqual(summary["sent"], -1)
                self.assertIn("verifyHost", summary["hint"])
            with publisher(broker, ECHO, **self.options(broker, verifyHost=False)) as driver:
                results, _ = driver.send(("a", "x"))
                self.assertEqual(results[0]["result"], "done")


class RepublishTest(unittest.TestCase):
    def test_contract_of_all_actions(self):
        with Mosquitto(LOSSLESS) as broker:
            run = subprocess.run([CONTRACT], env={**os.environ, "SLUICE_TEST_MQTT": broker.url}, cwd=ROOT, capture_output=True,
                                 text=True, check=False, timeout=PATIENCE * 5)
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_headers(self):
        action = {"topic": "out/${topic}", "qos": 1, "headers": {
            "payloadFormatIndicator": "UTF8_DATA", "contentType": "text/${payload}", "responseTopic": "answer/${topic}",
            "correlationData": "AAECAw==", "messageExpiry": "100",
            "userProperties": [{"key": "site", "value": "${topic}"}, {"key": "site", "value": ""}]}}
        with Mosquitto() as broker, source(broker) as listener, publisher(broker, action) as driver:
            listener.subscribe("out/#")
            results, summary = driver.send(("7", "plain", 2))
            self.assertEqual((results[0]["result"], summary["sent"]), ("done", 0))
            message = listener.messages(1)[0]
            self.assertNotEqual(message.pop("token"), 0)
            del message["ids"]
            self.assertEqual(message, {
                "topic": "out/7", "payload": "plain", "qos": 1, "retain": False, "hops": 3, "contentType": "text/plain",
                "responseTopic": "answer/7", "correlation": "AAECAw==", "format": 1, "user": [["site", "7"], ["site", ""]]})
            self.assertEqual(driver.stop(), 0)

    def test_retain_and_qos_0(self):
        with Mosquitto() as broker, publisher(broker, {"topic": "${topic}", "retain": True}) as driver:
            results, _ = driver.send(("a", "1"), ("b", "2"))
            self.assertEqual([r["result"] for r in results], ["done", "done"])
            with broker.subscribe("a", "b") as subscription:
                self.assertEqual(sorted(m["payload"] for m in subscription.wait(2)), ["1", "2"])

    def test_bad_items_do_not_hinder_others(self):
        with Mosquitto() as broker, publisher(broker, ECHO) as driver, broker.subscribe("#") as subscription:
            results, summary = driver.send(("good/1", "x"), ("bad/#", "x"), ("$SYS/x", "x"), ("loop", "x", 10), ("good/2", "x"))
            self.assertEqual([r["result"] for r in results], ["done", "rejected", "rejected", "rejected", "done"])
            self.assertEqual(summary["sent"], 0)
            self.assertIn("wildcard", results[1]["reason"])
            self.assertIn("begins with", results[2]["reason"])
            self.assertIn("10 times", results[3]["reason"])
            self.assertEqual([m["topic"] for m in subscription.wait(2)], ["good/1", "good/2"])
            self.assertEqual(len([line for line in driver.log.wait_text("circle") if "ERROR" in line]), 1)

    def test_dollar_topic(self):
        with Mosquitto() as broker, publisher(broker, {"topic": "$$aws/things/${topic}/shadow/update", "qos": 1}) as driver, \
                broker.subscribe("$aws/#") as subscription:
            driver.send(("t", "x"))
            self.assertEqual(subscription.wait(1)[0]["topic"], "$aws/things/t/shadow/update")

    def test_not_authorized(self):
        broker = Mosquitto()
        (broker.folder / "acl").write_text("topic readwrite good/#\n", encoding="ascii")
        broker.config.write_text(broker.config.read_text() + f"acl_file {broker.folder}/acl\n", encoding="utf-8")
        with broker:
            with publisher(broker, ECHO) as driver:  # the message chose the topic
                results, _ = driver.send(("good/1", "x"), ("bad/1", "x"), ("good/2", "x"))
                self.assertEqual([r["result"] for r in results], ["done", "rejected", "done"])
                self.assertIn("Not authorized (0x87)", results[1]["reason"])
            with publisher(broker, {"topic": "bad/1", "qos": 1}) as driver:  # the rule did
                results, summary = driver.send(("x", "x"))
                self.assertEqual((results[0]["result"], summary["sent"]), ("later", 0))
                self.assertIn("misconfigured: ", results[0]["reason"])

    def test_too_large_for_the_broker(self):
        for limit in "max_packet_size 1000", "message_size_limit 800":
            with self.subTest(limit), Mosquitto(limit + "\n") as broker, publisher(broker, ECHO) as driver:
                results, summary = driver.send(("a", "x"), ("a", "x" * 2000), ("a", "y"))
                self.assertEqual([r["result"] for r in results], ["done", "rejected", "done"])
                self.assertIn("0x95", results[1]["reason"])
                self.assertEqual(summary["sent"], 0)

    def test_broker_down_and_back(self):
        broker = Mosquitto()
        with publisher(broker, ECHO) as driver:
            results, summary = driver.send(("a", "x"))
            self.assertEqual((results[0]["result"], summary["sent"], summary["code"]), ("pending", -1, "unreachable"))
            self.assertIn("Connection refused", summary["error"])
            with broker:
                self.assertEqual(driver.send(("a", "x"))[0][0]["result"], "done")
                broker.kill()
                self.assertEqual(driver.send(("a", "x"))[1]["sent"], -1)
                broker.start()
                self.assertEqual(driver.send(("a", "x"))[0][0]["result"], "done")

    def test_broker_that_does_not_answer(self):
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen()
            options = {"url": f"mqtt://127.0.0.1:{deaf.getsockname()[1]}", "connectTimeout": "1s"}
            with Driver("publish", options, ECHO) as driver:
                _, summary = driver.send(("a", "x"))
                self.assertRegex(summary["error"], "did not answer within 1000 ms|ended the connection before it answered")

    def test_unknown_host(self):
        with Driver("publish", {"url": "mqtt://no-such-host.invalid"}, ECHO) as driver:
            _, summary = driver.send(("a", "x"))
            self.assertIn("is not reachable", summary["error"])

    def test_3_1_1(self):
        with Mosquitto() as broker, publisher(broker, ECHO, version="3.1.1") as driver, broker.subscribe("#") as subscription:
            results, _ = driver.send(*((f"t/{i}", "x", 50) for i in range(300)))
            self.assertEqual({r["result"] for r in results}, {"done"})
            self.assertEqual([m["topic"] for m in subscription.wait(300)], [f"t/{i}" for i in range(300)])

    def test_order_is_kept(self):
        with Mosquitto(LOSSLESS) as broker, publisher(broker, ECHO) as driver, broker.subscribe("#") as subscription:
            for batch in range(10):
                results, _ = driver.send(*(("t", batch * 400 + i) for i in range(400)))
                self.assertEqual({r["result"] for r in results}, {"done"})
            self.assertTrue([int(m["payload"]) for m in subscription.wait(4000)] == list(range(4000)))


class TouchyBroker(ScriptedBroker):
    """Acknowledges QoS 1, but ends the connection when it gets a message to a topic that it does not like, as some brokers do with
    MQTT 3.1.1."""

    def __init__(self, connack=b"\x20\x02\x00\x00", farewell=b""):
        super().__init__(connack=connack, answer=b"")
        self.farewell = farewell

    def _serve(self, connection, stream):
        while packet := read_packet(stream):
            kind, body = packet
            if kind >> 4 == 1:
                connection.sendall(self.connack)
            elif kind >> 4 == 3:
                length = int.from_bytes(body[:2], "big")
                if body[2:2 + length].startswith(b"forbidden"):
                    connection.sendall(self.farewell)
                    return
                connection.sendall(b"\x40\x02" + body[2 + length:4 + length])


class IsolationTest(unittest.TestCase):
    def test_the_message_that_ends_the_connection_is_found(self):
        with TouchyBroker() as broker, publisher(broker, ECHO, version="3.1.1") as driver:
            batch = [(f"t/{i}", "x") for i in range(20)]
            batch[7] = ("forbidden", "x")
            results, summary = driver.send(*batch)
            kinds = [r["result"] for r in results]
            self.assertEqual(kinds[7], "rejected")
            self.assertIn("ends the connection", results[7]["reason"])
            self.assertEqual(set(kinds[:7]), {"done"})
            self.assertEqual(set(kinds[8:]), {"pending"})
            self.assertEqual(summary["sent"], -1)
            results, summary = driver.send(*batch[8:])
            self.assertEqual(({r["result"] for r in results}, summary["sent"]), ({"done"}, 0))


    def test_a_broker_that_says_why_does_not_hold_up_the_others(self):
        with TouchyBroker(b"\x20\x03\x00\x00\x00", b"\xe0\x02\x82\x00") as broker, publisher(broker, ECHO) as driver:
            results, summary = driver.send(*[("forbidden" if i % 5 == 2 else f"t/{i}", "x") for i in range(20)])
            self.assertEqual([r["result"] for r in results], ["rejected" if i % 5 == 2 else "done" for i in range(20)])
            self.assertEqual(summary["sent"], 0)

    def test_another_one_with_our_client_id_is_not_the_message_s_fault(self):
        with TouchyBroker(b"\x20\x03\x00\x00\x00", b"\xe0\x02\x8e\x00") as broker, publisher(broker, ECHO) as driver:
            results, summary = driver.send(("forbidden", "x"), ("t", "x"))
            self.assertEqual([r["result"] for r in results], ["pending", "pending"])
            self.assertEqual(summary["sent"], -1)


class PickyBroker(ScriptedBroker):
    """Grants subscriptions, but ends the connection when one is to a filter that it does not like, as AWS IoT Core does without a policy for
    it; the first `moody` times it likes none."""

    def __init__(self, moody=0):
        super().__init__(connack=b"\x20\x03\x00\x00\x00", answer=b"")
        self.moody, self.granted, self.connection = moody, [], None

    def _serve(self, connection, stream):
        while packet := read_packet(stream):
            kind, body = packet
            if kind >> 4 == 1:
                connection.sendall(self.connack)
            elif kind >> 4 == 8:
                self.moody -= 1
                if self.moody >= 0 or b"forbidden" in body:
                    return
                self.granted.append(body)
                self.connection = connection
                connection.sendall(b"\x90\x04" + body[:2] + b"\x00\x01")


class PickyBrokerTest(unittest.TestCase):
    SWIFT = {"basicIngest": False, "reconnectMin": "20ms", "reconnectMax": "100ms"}

    def test_the_filter_that_ends_the_connection_is_left_out(self):
        with PickyBroker() as broker, source(broker, **self.SWIFT) as driver:
            driver.say("filters a/# forbidden/# z/#")
            driver.log.wait_text('ends the connection when we subscribe to "forbidden/#": left out for 1 min')
            driver.log.wait_text("subscribed to 2 filters")
            driver.say("filters z/#")
            driver.log.wait_text("subscribed to 1 filter")
            self.assertEqual(driver.stop(), 0)
        self.assertTrue(any(b"z/#" in body for body in broker.granted))

    def test_a_filter_that_was_left_out_is_tried_again(self):
        with PickyBroker(moody=3) as broker, source(broker, **self.SWIFT) as driver:
            driver.say("filters a/# z/#")
            driver.log.wait_text('ends the connection when we subscribe to "a/#": left out for 1 min')
            driver.log.wait_text("subscribed to 1 filter")
            driver.say("later 60000")
            self.wake_until(broker, lambda: any("subscribed to 2 filters" in line for line in list(driver.log.list)))
            self.assertEqual(driver.stop(), 0)

    def wake_until(self, broker, condition):
        """A message wakes the source; it may come before the source's clock has gone forward."""
        with contextlib.suppress(OSError):  # the connection of before
            wait_until(lambda: broker.connection.sendall(b"\x30\x05\x00\x01t\x00x") or condition(), "the filters to be tried again")
        wait_until(condition, "the filters to be tried again")

    def test_a_broker_in_a_mood_is_not_the_filters_fault(self):
        with PickyBroker(moody=5) as broker, source(broker, **self.SWIFT) as driver:
            driver.say("filters a/# z/#")
            driver.log.wait_text("subscribed to 2 filters")
            self.assertEqual(driver.stop(), 0)

    def test_two_with_one_client_id(self):
        with Mosquitto() as broker, source(broker) as one, source(broker) as two:
            for driver in one, two:
                driver.say("filters a/#")
            one.log.wait_text("Does another client use the same client id?")


class LoadTest(unittest.TestCase):
    """Source and republish: neither may wait for the other."""

    def relay(self, count, under_way, broker, **options):
        action = {"topic": "out/${topic}", "qos": 1}
        options = {"url": broker.url, "clientId": "relay", "reconnectMin": "50ms", "reconnectMax": "500ms", **options}
        with Driver("relay", options, action, under_way) as driver:
            driver.subscribe("in/#")
            with broker.subscribe("out/#") as out:
                broker.publish_lines("in/1", [str(i) for i in range(count)])
                expected = [str(i) for i in range(count)]
                messages = [m["payload"] for m in out.wait_payloads(expected, PATIENCE * 3)]
                self.assertEqual(driver.stop(), 0)
                totals = json.loads(driver.out.list[-1])
                # Nothing is missing, and the order is kept; what a disconnection left unacknowledged may come again.
                self.assertTrue(list(dict.fromkeys(messages)) == expected)
                self.assertEqual(totals["rejected"], 0)
                return totals["done"]

    def test_20000_in_20000_out_with_a_small_window(self):
        for version in "5", "3.1.1":
            with self.subTest(version), Mosquitto(LOSSLESS) as broker:
                self.assertEqual(self.relay(20000, 20, broker, version=version, inFlight=10, ackTimeout="60s"), 20000)

    def test_broker_restarts_in_between(self):
        count = 2000
        config = LOSSLESS + "persistence true\n"
        options = {"clientId": "relay", "reconnectMin": "50ms", "reconnectMax": "500ms"}
        with Mosquitto(config) as broker, \
                Driver("relay", {"url": broker.url, **options}, {"topic": "out/${topic}", "qos": 1}, 50) as driver:
            driver.subscribe("in/#")
            out = broker.subscribe("out/#", arguments=["-i", "watcher", "-c", "-x", "3600"])
            for part in range(4):
                broker.publish_lines("in/1", [str(part * count + i) for i in range(count)])
                if part < 3:
                    broker.restart()  # persists; our in-flight messages come back, so some may come twice
                    driver.log.wait_text("connected to the broker", part + 2)
            with out:
                out.wait_payloads(str(i) for i in range(4 * count))
            self.assertEqual(driver.stop(), 0)


class CheckTest(unittest.TestCase):
    def check(self, options, *filters):
        with Driver("check", options, None, *filters) as driver:
            driver.process.wait(PATIENCE)
            driver.log.thread.join()
            return driver.process.returncode, "\n".join(driver.log.list)

    def test_3_1_1_tells_what_is_merged(self):
        code, text = self.check({"url": "mqtt://h", "version": "3.1.1"}, "a/#", "a/+/c", "x/+/1", "x/2/+", "alone")
        self.assertEqual(code, 0)
        self.assertIn('note: without MQTT 5, "a/#" is subscribed for all of "a/#", "a/+/c"', text)
        self.assertIn('warning: without MQTT 5, the wider "x/+/+" is subscribed for "x/+/1", "x/2/+"', text)
        self.assertNotIn("alone", text.replace('"alone"', ""))
        self.assertIn("mqtt.json:1:", text)

    def test_5_has_nothing_to_tell(self):
        self.assertEqual(self.check({"url": "mqtt://h"}, "a/#", "a/+/c"), (0, ""))

    def test_free_port_has_no_broker(self):
        self.assertGreater(free_port(), 0)


if __name__ == "__main__":
    unittest.main()
