# SPDX-License-Identifier: Apache-2.0
"""The listen source: mosquitto_pub, paho.mqtt.c, a bridge of Mosquitto, and clients that do what no library lets them do."""
import contextlib
import hashlib
import json
import pathlib
import shutil
import select
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

from mosquitto_fixture import LOSSLESS, PATIENCE, Certificates, Mosquitto, free_port
from pg_fixture import PgServer
from sluice_fixture import ROOT, SLUICE, Service, read_ndjson, wait_until
from test_mqtt import Driver, read_packet

RULE = """
ruleName: all
sql: SELECT clientid() AS client, principal() AS principal, sourceip() AS address, topic() AS topic, * FROM '#'
actions: [ { file: { path: out.ndjson } } ]
"""


def text(s):
    raw = s.encode()
    return len(raw).to_bytes(2, "big") + raw


def packet(first, body):
    length, head = len(body), bytearray([first])
    while True:
        head.append(length & 127 | (128 if length > 127 else 0))
        length >>= 7
        if not length:
            return bytes(head) + body


class Client:
    """A socket that speaks MQTT 5, or 3.1.1 with level=4, byte by byte."""

    def __init__(self, port, client_id, level=5, clean=True, expiry=0, keep_alive=0, connect=True, will=None):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.stream = self.socket.makefile("rb")
        self.level = level
        if connect:
            properties = (b"\x05\x11" + expiry.to_bytes(4, "big") if expiry else b"\x00") if level == 5 else b""
            flags = (2 if clean else 0) | (4 if will else 0)
            body = text("MQTT") + bytes([level, flags]) + keep_alive.to_bytes(2, "big") + properties + text(client_id)
            if will:
                body += (b"\x00" if level == 5 else b"") + text(will[0]) + text(will[1])
            self.send(packet(0x10, body))
            kind, answer = self.read()
            self.present, self.code = answer[0] & 1, answer[1]
            assert kind == 0x20, kind

    def send(self, raw):
        self.socket.sendall(raw)

    def publish(self, topic, payload, qos=1, packet_id=1, dup=False):
        body = text(topic) + (packet_id.to_bytes(2, "big") if qos else b"") + (b"\x00" if self.level == 5 else b"") + payload.encode()
        self.send(packet(0x30 | (8 if dup else 0) | qos << 1, body))

    def read(self):
        """(first byte, body), None at the end."""
        try:
            return read_packet(self.stream)
        except ConnectionError:
            return None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.stream.close()
        self.socket.close()


class Listening(unittest.TestCase):
    def started(self, options="allowAnonymous: true", rule=RULE, more="", files=None):
        self.port = free_port()
        conf = f'sources: [ {{ listen: {{ address: "127.0.0.1:{self.port}", {options} }} }} ]\nrules: [rules/]\nstatsFile: stats.json\n{more}\n'
        self.service = self.enterContext(Service({"sluice.yaml": conf, "rules/all.yaml": rule, **(files or {})}))
        self.service.start()
        self.service.wait_log("listening for")
        self.service.wait_log("running ")  # now the files are watched, too
        return self.service

    def pub(self, *arguments, check=True):
        return subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port), *map(str, arguments)], capture_output=True, text=True,
                              check=check, timeout=PATIENCE)

    def outputs(self, count):
        path = self.service.path("out.ndjson")
        wait_until(lambda: len(read_ndjson(path)) >= count, f"{count} outputs")
        return read_ndjson(path)


class PublishersTest(Listening):
    def test_mosquitto_pub(self):
        self.started()
        expected = []
        for version in "mqttv311", "mqttv5":
            for qos in 0, 1, 2:
                client = f"{version}-{qos}"
                self.pub("-V", version, "-q", qos, "-i", client, "-t", f"a/{qos}", "-m", '{"x":1}')
                expected.append({"x": 1, "client": client, "address": "127.0.0.1", "topic": f"a/{qos}"})
        self.assertEqual(sorted(self.outputs(6), key=str), sorted(expected, key=str))
        self.assertEqual(self.service.stop(), 0)

    def test_paho(self):
        self.started()
        options = {"url": f"mqtt://127.0.0.1:{self.port}", "clientId": "p"}
        for version in "5", "3.1.1":
            for qos in 0, 1:
                with Driver("publish", {**options, "version": version}, {"topic": "${topic}", "qos": qos}) as driver:
                    results, _ = driver.send(*((f"{version}/{qos}", "{}") for _ in range(50)))
                    self.assertEqual([r["result"] for r in results], ["done"] * 50)
        outputs = self.outputs(200)
        self.assertEqual({o["client"] for o in outputs}, {"p-republish"})

    def test_many_messages_in_order(self):
        self.started()
        subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port), "-q", "1", "-i", "bulk", "-t", "a", "-l"],
                       input="".join(f'{{"n":{i}}}\n' for i in range(20000)), text=True, check=True, timeout=5 * PATIENCE)
        self.assertEqual([o["n"] for o in self.outputs(20000)], list(range(20000)))

    def test_many_clients(self):
        self.started("allowAnonymous: true, maxConnections: 300")
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(Client(self.port, f"c{i}")) for i in range(300)]
            for n in range(5):
                for client in clients:
                    client.publish(f"a/{n}", '{"n":%d}' % n, packet_id=n + 1)
            for client in clients:
                self.assertEqual([client.read()[0] for _ in range(5)], [0x40] * 5)
            with Client(self.port, "one too many") as late:
                self.assertEqual(late.code, 0x97)
        self.assertEqual(len(self.outputs(1500)), 1500)

    def test_basic_ingest(self):
        self.started(rule=RULE.replace("'#'", "'b/#'"))
        self.pub("-q", 1, "-t", "$aws/rules/all/b/1", "-m", '{"x":1}')
        self.assertEqual(self.outputs(1)[0]["topic"], "b/1")

    def test_bridge_of_mosquitto(self):
        for version in "mqttv311", "mqttv50":
            with self.subTest(version):
                self.started()
                bridge = f"""
connection to-sluice
address 127.0.0.1:{self.port}
topic plant/# out 1
bridge_protocol_version {version}
remote_clientid the-bridge
cleansession false
notifications false
restart_timeout 1
"""
                with Mosquitto(LOSSLESS + bridge) as broker:
                    broker.publish_lines("plant/1", [json.dumps({"n": i}) for i in range(1000)])
                    outputs = self.outputs(1000)
                    self.assertEqual([o["n"] for o in outputs], list(range(1000)), self.service.log)
                    self.assertEqual({o["client"] for o in outputs}, {"the-bridge"})
                    self.assertEqual(self.service.stop(), 0)
                    broker.publish_lines("plant/1", [json.dumps({"n": 1000 + i}) for i in range(100)])  # sluice is away
                    self.service.start()
                    wait_until(lambda: {o["n"] for o in read_ndjson(self.service.path("out.ndjson"))} == set(range(1100)), "what came meanwhile")
                    self.assertEqual(self.service.stop(), 0)


class IdentityTest(Listening):
    def certificates(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-listen-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return Certificates(folder)

    def test_passwords(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-listen-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        path = folder / "users"
        subprocess.run(["mosquitto_passwd", "-b", "-c", path, "theirs", "one"], check=True, capture_output=True)
        for name, password in ("ours", "first"), ("ours", "two"), ("gone", "x"):
            subprocess.run([SLUICE, "passwd", path, name], input=password + "\n", text=True, check=True)
        subprocess.run([SLUICE, "passwd", "-D", path, "gone"], check=True)
        self.assertEqual(subprocess.run([SLUICE, "passwd", "-D", path, "gone"], check=False, capture_output=True).returncode, 1)
        self.started(f"passwordFile: {path}")
        for version in "mqttv311", "mqttv5":
            for name, password in ("theirs", "one"), ("ours", "two"):
                self.pub("-V", version, "-q", 1, "-u", name, "-P", password, "-t", "a", "-m", "{}")
            for arguments in ("-u", "ours", "-P", "first"), ("-u", "gone", "-P", "x"), ("-u", "theirs"), ():
                self.assertNotEqual(self.pub("-V", version, "-q", 1, *arguments, "-t", "a", "-m", "{}", check=False).returncode, 0, arguments)
        self.assertEqual(sorted(o["principal"] for o in self.outputs(4)), ["ours", "ours", "theirs", "theirs"])
        with Client(self.port, "nobody") as client:
            self.assertEqual(client.code, 0x87)
        with Client(self.port, "nobody", level=4) as client:
            self.assertEqual(client.code, 5)
        subprocess.run([SLUICE, "passwd", path, "late"], input="three\n", text=True, check=True)
        subprocess.run([SLUICE, "passwd", "-D", path, "theirs"], check=True)
        self.pub("-q", 1, "-u", "late", "-P", "three", "-t", "a", "-m", "{}")
        self.assertNotEqual(self.pub("-q", 1, "-u", "theirs", "-P", "one", "-t", "a", "-m", "{}", check=False).returncode, 0)

    def test_client_certificates(self):
        c = self.certificates()
        self.started(f"certFile: {c.server}, keyFile: {c.server_key}, caFile: {c.ca}, requireCertificate: true")
        shown = ["--cafile", c.ca, "--cert", c.client, "--key", c.client_key]
        self.pub("-q", 1, *shown, "-t", "a", "-m", "{}")
        self.pub("-V", "mqttv5", "-q", 2, *shown, "-t", "a", "-m", "x" * 100000)
        fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(c.client.read_text())).hexdigest()
        self.assertEqual(self.outputs(1)[0]["principal"], fingerprint)
        self.assertNotEqual(self.pub("-q", 1, "--cafile", c.ca, "-t", "a", "-m", "{}", check=False).returncode, 0)
        self.service.wait_log("could not begin TLS")
        with socket.create_connection(("127.0.0.1", self.port)) as plain:
            plain.sendall(b"\x10\x10hello")
            plain.settimeout(PATIENCE)
            with contextlib.suppress(ConnectionError):
                while plain.recv(100):
                    pass
        self.pub("-q", 1, *shown, "-t", "a", "-m", "{}")
        self.assertEqual(self.service.stop(), 0)


class RulesOfTheStandardTest(Listening):
    def test_subscribe_is_refused(self):
        self.started()
        with Client(self.port, "five") as client:
            client.send(packet(0x82, b"\x00\x07\x00" + text("a/#") + b"\x01" + text("b") + b"\x00"))
            self.assertEqual(client.read(), (0x90, b"\x00\x07\x00\x87\x87"))
            client.send(packet(0xA2, b"\x00\x08\x00" + text("a/#")))
            self.assertEqual(client.read(), (0xB0, b"\x00\x08\x00\x11"))
            client.publish("a", "{}")
            self.assertEqual(client.read()[0], 0x40)
        with Client(self.port, "four", level=4) as client:
            client.send(packet(0x82, b"\x00\x07" + text("a/#") + b"\x01"))
            self.assertEqual(client.read(), (0x90, b"\x00\x07\x80"))
            client.send(packet(0xC0, b""))
            self.assertEqual(client.read(), (0xD0, b""))

    def test_a_broken_rule_ends_its_connection_alone(self):
        self.started("allowAnonymous: true, maxPacketSize: 2000")
        cases = {
            "no topic": (packet(0x30, b"\x00\x00\x00"), 0x82),
            "wildcard": (packet(0x30, text("a/#") + b"\x00"), 0x90),
            "QoS 3": (packet(0x36, text("a") + b"\x00\x01\x00"), 0x81),
            "reserved bits": (packet(0x41, b"\x00\x01\x00\x00"), 0x81),
            "a second CONNECT": (packet(0x10, text("MQTT") + b"\x05\x02\x00\x00\x00" + text("x")), 0x82),
            "CONNACK": (packet(0x20, b"\x00\x00\x00"), 0x82),
            "unknown alias": (packet(0x30, b"\x00\x00\x03\x23\x00\x01"), 0x82),
            "alias too large": (packet(0x30, text("a") + b"\x03\x23\x00\x63"), 0x94),
            "packet too large": (packet(0x30, text("a") + b"\x00" + b"x" * 2000), 0x95),
            "length without end": (b"\x30\xff\xff\xff\xff\x7f", 0x81),
        }
        with Client(self.port, "bystander") as bystander:
            for name, (raw, code) in cases.items():
                with self.subTest(name), Client(self.port, "bad") as client:
                    client.send(raw)
                    kind, body = client.read()
                    self.assertEqual((kind, hex(body[0])), (0xE0, hex(code)))
                    self.assertIsNone(client.read())
            bystander.publish("a", '{"still":"here"}')
            self.assertEqual(bystander.read()[0], 0x40)
        self.assertEqual(self.outputs(1)[0]["still"], "here")

    def test_packets_that_are_not_whole_share_a_bound(self):
        """A part of 8 MiB: two clients may hold half of a packet of 3.9 MiB, the third is sent away, and the two go on."""
        self.started("allowAnonymous: true, maxConnections: 10, maxPacketSize: 4M", more="memory: { limit: 64M }")
        raw = packet(0x32, text("a") + b"\x00\x01\x00" + b"x" * 3_900_000)
        half = len(raw) // 2
        with Client(self.port, "one") as one, Client(self.port, "two") as two, Client(self.port, "three") as three:
            clients = [one, two, three]
            for client in clients:
                with contextlib.suppress(ConnectionError):  # it may be sent away before it has sent all
                    client.send(raw[:half])
            ready, _, _ = select.select([c.socket for c in clients], [], [], PATIENCE)
            refused = [c for c in clients if c.socket in ready]
            self.assertEqual(len(refused), 1)
            kind, body = refused[0].read()
            self.assertEqual((kind, hex(body[0])), (0xE0, "0x97"))
            self.assertIsNone(refused[0].read())
            for client in clients:
                if client is not refused[0]:
                    client.send(raw[half:])
                    self.assertEqual(client.read()[0], 0x40)

    def test_unknown_version_and_no_connect(self):
        self.started("allowAnonymous: true, connectTimeout: 5s")
        with Client(self.port, "", connect=False) as client:
            client.send(packet(0x10, text("MQTT") + b"\x07\x02\x00\x00" + text("x")))
            self.assertEqual(client.read(), (0x20, b"\x00\x01"))
            self.assertIsNone(client.read())
        with Client(self.port, "", connect=False) as client:
            self.assertIsNone(client.read())  # silent for too long
        self.service.wait_log("no CONNECT came in time")

    def test_keep_alive(self):
        self.started()
        with Client(self.port, "silent", keep_alive=1) as client:
            kind, body = client.read()
            self.assertEqual((kind, body[0]), (0xE0, 0x8D))

    def test_take_over(self):
        self.started()
        with Client(self.port, "same", expiry=60, clean=False) as first:
            self.assertEqual(first.present, 0)
            with Client(self.port, "same", expiry=60, clean=False) as second:
                self.assertEqual(second.present, 1)
                self.assertEqual(first.read(), (0xE0, b"\x8e"))
                self.assertIsNone(first.read())
                second.publish("a", "{}")
                self.assertEqual(second.read()[0], 0x40)

    def test_will(self):
        self.started()
        client = Client(self.port, "mortal", will=("wills", '{"gone":true}'))
        client.close()
        self.assertEqual(self.outputs(1)[0], {"gone": True, "client": "mortal", "address": "127.0.0.1", "topic": "wills"})
        with Client(self.port, "polite", will=("wills", '{"gone":true}')) as client:
            client.send(b"\xe0\x00")
            self.assertIsNone(client.read())
        self.pub("-q", 1, "-t", "after", "-m", "{}")
        self.assertEqual([o["topic"] for o in self.outputs(2)], ["wills", "after"])


class AcknowledgeTest(Listening):
    """PUBACK and PUBREC leave when the target has the message."""

    def setUp(self):
        self.pg = self.enterContext(PgServer())
        self.pg.psql("CREATE TABLE t (id bigserial, n int)")
        rule = "ruleName: all\nsql: SELECT n FROM '#'\nactions: [ { postgres: { connection: db, table: t } } ]\n"
        self.started(options="allowAnonymous: true, receiveMaximum: 3", rule=rule,
                     more=f'connections: {{ db: {{ postgres: {{ conninfo: "{self.pg.conninfo()}" }} }} }}\nretry: {{ min: 50ms, max: 200ms }}\ninFlight: 50')

    def rows(self):
        return [int(n) for n in self.pg.psql("SELECT n FROM t ORDER BY id").split()]

    def test_what_comes_again_is_recognised(self):
        with Client(self.port, "dev", clean=False, expiry=600) as client:
            client.publish("a", '{"n":0}', qos=2, packet_id=1)  # so that the connection to the database stands
            self.assertEqual(client.read(), (0x50, b"\x00\x01"))
            client.send(packet(0x62, b"\x00\x01"))
            self.assertEqual(client.read(), (0x70, b"\x00\x01"))
            with self.pg.paused():
                client.publish("a", '{"n":1}', qos=1, packet_id=2)
                client.publish("a", '{"n":2}', qos=2, packet_id=3)
                wait_until(lambda: self.service.stats()["sources"][0]["inFlight"] == 2, "both under way")
                client.close()
                again = Client(self.port, "dev", clean=False, expiry=600)
                self.assertEqual(again.present, 1)
                again.publish("a", '{"n":1}', qos=1, packet_id=2, dup=True)
                again.publish("a", '{"n":2}', qos=2, packet_id=3, dup=True)
                again.publish("a", '{"n":3}', qos=1, packet_id=4)
                wait_until(lambda: self.service.stats()["sources"][0]["inFlight"] == 3, "the third")
            with again:
                self.assertEqual([again.read() for _ in range(3)], [(0x40, b"\x00\x02"), (0x50, b"\x00\x03"), (0x40, b"\x00\x04")])
        self.assertEqual(self.rows(), [0, 1, 2, 3])

    def test_a_session_outlives_a_kill(self):
        """Who is told that the session goes on sends again what had no answer; who is not drops it, as the standard demands."""
        Client(self.port, "brief", clean=False).close()
        Client(self.port, "gone", clean=False, expiry=600).close()
        Client(self.port, "gone", clean=True).close()
        for level in 4, 5:
            Client(self.port, f"away-{level}", level=level, clean=False, expiry=600).close()
        with Client(self.port, "dev", clean=False, expiry=600) as client, self.pg.paused():
            client.publish("a", '{"n":1}', qos=1, packet_id=1)
            wait_until(lambda: self.service.stats()["sources"][0]["inFlight"] == 1, "a message under way")
            self.service.kill()
        self.service.start()
        self.service.wait_log("listening for", 2)
        for name, level, present in ("brief", 5, 0), ("gone", 5, 0), ("away-4", 4, 1), ("away-5", 5, 1):
            with Client(self.port, name, level=level, clean=False) as client:
                self.assertEqual((name, client.present), (name, present))
        with Client(self.port, "dev", clean=False, expiry=600) as again:
            self.assertEqual(again.present, 1)
            again.publish("a", '{"n":1}', qos=1, packet_id=1, dup=True)
            self.assertEqual(again.read(), (0x40, b"\x00\x01"))
        self.assertIn(1, self.rows())

    def test_more_than_the_receive_maximum_is_held_back(self):
        for level in 4, 5:
            for qos in 1, 2:
                with self.subTest(level=level, qos=qos):
                    first = 10 * (2 * level + qos)
                    with self.pg.paused():
                        client = Client(self.port, "greedy", level=level)
                        for n in range(10):
                            client.publish("a", '{"n":%d}' % (first + n), qos=qos, packet_id=n + 1)
                    with client:
                        self.assertEqual([client.read() for _ in range(10)], [(0x40 if qos == 1 else 0x50, bytes([0, n + 1])) for n in range(10)])
                        for n in range(10 if qos == 2 else 0):
                            client.send(packet(0x62, bytes([0, n + 1])))
                            self.assertEqual(client.read(), (0x70, bytes([0, n + 1])))
                    self.assertEqual(self.rows()[-10:], list(range(first, first + 10)))

    def test_a_target_that_hangs_holds_back_and_loses_nothing(self):
        count = 2000
        with self.pg.paused():
            process = subprocess.Popen(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port), "-q", "1", "-i", "bulk", "-t", "a", "-l"],
                                       stdin=subprocess.PIPE, text=True)
            feeder = threading.Thread(target=lambda: (process.stdin.write("".join(f'{{"n":{i}}}\n' for i in range(count))), process.stdin.close()))
            feeder.start()
            wait_until(lambda: self.service.stats()["sources"][0]["inFlight"] >= 3, "messages under way")
            with Client(self.port, "other") as other:
                other.send(packet(0xC0, b""))
                self.assertEqual(other.read(), (0xD0, b""))
        feeder.join()
        self.assertEqual(process.wait(PATIENCE), 0)
        wait_until(lambda: len(self.rows()) >= count, "all rows")
        self.assertEqual(self.rows(), list(range(count)))


class ExampleTest(unittest.TestCase):
    def test_embedded(self):
        """The example as it stands, in a folder of its own and on a free port."""
        port = free_port()
        examples = ROOT / "deploy/examples"
        conf = (examples / "embedded.yaml").read_text().replace("18830", str(port))
        with Service({"embedded.yaml": conf, "embedded/overheat.yaml": (examples / "embedded/overheat.yaml").read_text()}) as service:
            self.assertEqual(service.run("check", "-c", "embedded.yaml").returncode, 0)
            service.start("-c", "embedded.yaml")
            service.wait_log("listening for")
            for topic in "plant/7/telemetry", "$aws/rules/overheat/plant/8/telemetry":
                subprocess.run(["mosquitto_pub", "-p", str(port), "-q", "1", "-i", "dev", "-t", topic, "-m", '{"temperature":90}'], check=True, timeout=PATIENCE)
            self.assertEqual(service.stop(), 0)
            self.assertEqual(sorted(o["site"] for o in read_ndjson(service.path("overheat.ndjson"))), ["7", "8"])
            service.write("embedded/republish.yaml", "ruleName: r\nsql: SELECT * FROM 'a'\nactions: [ { republish: { topic: b } } ]\n")
            check = service.run("check", "-c", "embedded.yaml")
            self.assertEqual(check.returncode, 1)
            self.assertIn("republish", check.stdout + check.stderr)
