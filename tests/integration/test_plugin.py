# SPDX-License-Identifier: Apache-2.0
"""sluice_mosquitto.so inside a real Mosquitto: who published, lifecycle events, policies."""
import collections
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import unittest

from mosquitto_fixture import LOSSLESS, MOSQUITTO, PATIENCE, free_port
from plugin_fixture import IDENTITY, MqttClient, PluginBroker, Refused, SealOpener, packet, sanitizer_environment, text
from sluice_fixture import Service, read_ndjson, wait_until

EVENTS = "$aws/events/#"
NOT_AUTHORIZED = 0x87
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")


class Events:
    """Lifecycle events as a subscriber gets them."""

    def __init__(self, broker, *more, **how):
        self.client = broker.connect("observer", **how)
        codes = self.client.subscribe(EVENTS, *more)
        assert all(code <= 2 for code in codes), codes
        self.list = []

    def next(self, of=None):
        """The next event that is not about the observer itself (or only of this client id), as (topic, payload)."""
        while True:
            message = self.client.next_message()
            if not message.topic.startswith("$aws/events/"):
                continue
            event = json.loads(message.payload)
            assert message.topic == f"$aws/events/{'subscriptions' if 'sub' in event['eventType'] else 'presence'}/{event['eventType']}/{event['clientId']}"
            assert message.qos == 1 and not message.retain
            assert not message.user, message.user  # what the broker's side publishes has no seal
            if event["clientId"] != "observer" and of in (None, event["clientId"]):
                return event

    def fence(self, broker):
        """All events that were published before this, until those of a client that comes now."""
        broker.connect("fence").disconnect()
        events = []
        while True:
            event = self.next()
            if event["clientId"] == "fence":
                if event["eventType"] == "disconnected":
                    return events
            else:
                events.append(event)


class IdentityTest(unittest.TestCase):
    def exchange(self, broker, publisher, topic="a/b", payload=b"hello", **how):
        """Publish one message; what a subscriber gets."""
        with contextlib.closing(broker.connect("reader")) as reader:
            reader.subscribe("a/#")
            self.assertEqual(publisher.publish(topic, payload, **how), 0)
            return reader.next_message()

    def test_certificates_and_versions(self):
        with PluginBroker(tls="client") as broker, SealOpener(broker.key) as opener:
            seen = set()
            for level in (4, 5):
                for qos in (1, 2):
                    lamp = broker.connect("lamp1", certificate="lamp", level=level)
                    message = self.exchange(broker, lamp, qos=qos)
                    self.assertEqual(message.payload, b"hello")
                    client, principal, address, trace = opener.open(message)
                    self.assertEqual((client, principal, address), ("lamp1", broker.fingerprint("lamp"), "127.0.0.1"))
                    self.assertRegex(trace, UUID)
                    seen.add(trace)
                    lamp.disconnect()
            self.assertEqual(len(seen), 4)

    def test_bound_and_once(self):
        with PluginBroker() as broker, SealOpener(broker.key) as opener:
            message = self.exchange(broker, broker.connect("p"))
            self.assertEqual(opener.open(message, topic="a/c"), "forged")
            self.assertEqual(opener.open(message, payload=b"hell0"), "forged")
            self.assertEqual(opener.open(message)[0], "p")
            self.assertEqual(opener.open(message), "replayed")
            self.assertEqual(opener.open(message, repeat=True)[0], "p")
            self.assertNotIn("127.0.0.1", message.seals[0])

    def test_forged_property_is_removed(self):
        """Ours is taken away wherever and however often it stands; all else stays, in order."""
        with PluginBroker() as broker, SealOpener(broker.key) as opener:
            p = broker.connect("p")
            old = self.exchange(broker, p).seals[0]
            others = b"\x01\x01" + b"\x03" + text("text/plain") + b"\x08" + text("answer/here") + b"\x09" + text(b"\x00\x01\xff")
            user = [(IDENTITY, old), ("a", "1"), (IDENTITY, ""), ("b", ""), ("", "c"), ("a", "2"), (IDENTITY, "x" * 1000)]
            message = self.exchange(broker, p, user=user, more=others)
            self.assertEqual(message.user[:-1], [("a", "1"), ("b", ""), ("", "c"), ("a", "2")])
            self.assertEqual(message.others, {1: 1, 3: b"text/plain", 8: b"answer/here", 9: b"\x00\x01\xff"})
            self.assertEqual(len(message.seals), 1)
            self.assertEqual(opener.open(message)[0], "p")

    def test_names_that_differ_stay(self):
        with PluginBroker() as broker:
            user = [(IDENTITY + "2", "x"), (IDENTITY.upper(), "y"), (IDENTITY[:-1], "z")]
            self.assertEqual(self.exchange(broker, broker.connect("p"), user=user).user[:-1], user)

    def test_retained_and_queued(self):
        with PluginBroker() as broker, SealOpener(broker.key) as opener:
            away = broker.connect("away", clean=False, expiry=100)
            away.subscribe("q/#")
            away.disconnect()
            p = broker.connect("p")
            p.publish("q/1", b"one", retain=True)
            away = broker.connect("away", clean=False, expiry=100)
            self.assertEqual(opener.open(away.next_message())[0], "p")
            late = broker.connect("late")
            late.subscribe("q/#")
            message = late.next_message()
            self.assertTrue(message.retain)
            self.assertEqual(opener.open(message, repeat=True)[0], "p")

    def test_user_names(self):
        """A user name is a principal if somebody checked it."""
        with PluginBroker(users={"anna": "secret"}) as broker, SealOpener(broker.key) as opener:
            with contextlib.closing(broker.connect("reader", user="anna", password="secret")) as reader:
                reader.subscribe("a")
                broker.connect("p", user="anna", password="secret").publish("a")
                self.assertEqual(opener.open(reader.next_message())[:2], ("p", "anna"))
            with self.assertRaises(Refused):
                broker.connect("p", user="anna", password="wrong")
            with self.assertRaises(Refused):
                broker.connect("p")
        with PluginBroker() as broker, SealOpener(broker.key) as opener:
            message = self.exchange(broker, broker.connect("p", user="anna", password="whatever"))
            self.assertEqual(opener.open(message)[:2], ("p", None))

    def test_wills_carry_no_seal(self):
        with PluginBroker() as broker, SealOpener(broker.key) as opener:
            p = broker.connect("p")
            stolen = self.exchange(broker, p).seals[0]
            reader = broker.connect("reader")
            reader.subscribe("will/#")
            broker.connect("w", will=("will/w", "gone")).close()
            self.assertEqual(reader.next_message().user, [])
            broker.connect("w", will=("will/w", "gone"), will_user=[(IDENTITY, stolen), ("a", "b")]).close()
            message = reader.next_message()
            self.assertEqual(opener.open(message), "forged")

    def test_a_key_that_all_may_read(self):
        with PluginBroker() as broker:
            broker.log.wait_text("may read the key file")
            broker.key.chmod(0o600)
            broker.restart()
            broker.log.wait_text("sluice: identity on")
            self.assertFalse([line for line in broker.log.list if "may read the key file" in line])

    def test_off(self):
        with PluginBroker({"identity": "off", "key_file": None}) as broker:
            message = self.exchange(broker, broker.connect("p"), user=[(IDENTITY, "mine")])
            self.assertEqual(message.user, [(IDENTITY, "mine")])


class LifecycleTest(unittest.TestCase):
    def kinds(self, events):
        return [(e["clientId"], e["eventType"], e.get("disconnectReason")) for e in events]

    def test_members(self):
        with PluginBroker(users={"anna": "secret"}) as broker:
            how = {"user": "anna", "password": "secret"}
            events = Events(broker, **how)
            lamp = broker.connect("lamp1", **how)
            lamp.subscribe("a/b", "dog/+")
            lamp.unsubscribe("a/b", "c")
            lamp.disconnect()
            connected, subscribed, unsubscribed, disconnected = (events.next() for _ in range(4))
            session = connected["sessionIdentifier"]
            self.assertRegex(session, r"\A[0-9a-f]{32}\Z")
            common = {"clientId": "lamp1", "sessionIdentifier": session, "principalIdentifier": "anna"}
            for event in (connected, subscribed, unsubscribed, disconnected):
                self.assertAlmostEqual(event.pop("timestamp"), time.time() * 1000, delta=60000)
            self.assertEqual(connected, {**common, "eventType": "connected", "ipAddress": "127.0.0.1", "versionNumber": 0})
            self.assertEqual(subscribed, {**common, "eventType": "subscribed", "topics": ["a/b", "dog/+"]})
            self.assertEqual(unsubscribed, {**common, "eventType": "unsubscribed", "topics": ["a/b", "c"]})
            self.assertEqual(disconnected, {**common, "eventType": "disconnected", "clientInitiatedDisconnect": True,
                                            "disconnectReason": "CLIENT_INITIATED_DISCONNECT", "versionNumber": 0})

    def test_takeover(self):
        """Each level over each level, with a will and without, with a session and without."""
        with PluginBroker() as broker:
            events = Events(broker)
            version = 0
            old = broker.connect("same", level=4)
            for level, clean, will in ((5, True, None), (4, True, ("w", "x")), (5, False, ("w", "x")), (4, False, None), (4, True, None)):
                new = broker.connect("same", level=level, clean=clean, will=will)
                connected, disconnected = events.next(), events.next()
                self.assertEqual(self.kinds([connected, disconnected]), [("same", "connected", None), ("same", "disconnected", "DUPLICATE_CLIENTID")])
                self.assertEqual((connected["versionNumber"], disconnected["versionNumber"]), (version, version))
                self.assertEqual(connected["sessionIdentifier"], disconnected["sessionIdentifier"])
                with self.assertRaises(EOFError):
                    old.next_message()
                old.close()
                old, version = new, version + 1
            old.disconnect()
            self.assertEqual(self.kinds([events.next(), events.next()]),
                             [("same", "connected", None), ("same", "disconnected", "CLIENT_INITIATED_DISCONNECT")])
            self.assertEqual(events.fence(broker), [])

    def test_refused_takeover(self):
        with PluginBroker(users={"anna": "secret"}) as broker:
            how = {"user": "anna", "password": "secret"}
            events = Events(broker, **how)
            holder = broker.connect("same", **how)
            with self.assertRaises(Refused):
                broker.connect("same", user="anna", password="wrong")
            holder.disconnect()
            self.assertEqual(self.kinds([events.next(), events.next()]),
                             [("same", "connected", None), ("same", "disconnected", "CLIENT_INITIATED_DISCONNECT")])

    def test_a_session_that_comes_back(self):
        with PluginBroker() as broker:
            events = Events(broker)
            for level in (4, 5, 4):
                client = broker.connect("per", level=level, clean=False, expiry=100)
                client.subscribe("q")
                broker.connect("p").publish("q", b"x")
                client.next_message()
                client.disconnect()
                kinds = [e["eventType"] for e in (events.next("per") for _ in range(3))]
                self.assertEqual(kinds, ["connected", "subscribed", "disconnected"])

    def test_reasons(self):
        """From the broker's log, where somebody subscribes to it."""
        with PluginBroker(config="log_dest topic") as broker:
            events = Events(broker, "$SYS/broker/log/#")
            silent = broker.connect("silent", keep_alive=1)
            self.assertEqual(events.next()["eventType"], "connected")
            self.assertEqual(events.next()["disconnectReason"], "MQTT_KEEP_ALIVE_TIMEOUT")
            silent.close()
            broker.connect("lost").close()
            self.assertEqual(events.next()["eventType"], "connected")
            lost = events.next()
            self.assertEqual((lost["disconnectReason"], lost["clientInitiatedDisconnect"]), ("CONNECTION_LOST", False))
            wrong = broker.connect("wrong", level=4)
            wrong.send(packet(0x10, b""))
            self.assertEqual(events.next()["eventType"], "connected")
            self.assertEqual(events.next()["disconnectReason"], "CLIENT_ERROR")
            wrong.close()
            broker.connect("bye").disconnect()
            self.assertEqual(events.next()["eventType"], "connected")
            self.assertEqual(events.next()["disconnectReason"], "CLIENT_INITIATED_DISCONNECT")

    def test_reasons_without_the_log(self):
        with PluginBroker() as broker:
            events = Events(broker)
            silent = broker.connect("silent", keep_alive=1)
            self.assertEqual(events.next()["eventType"], "connected")
            self.assertEqual(events.next()["disconnectReason"], "CONNECTION_LOST")
            silent.close()
            broker.connect("will", will=("w", "x")).close()
            self.assertEqual(events.next()["eventType"], "connected")
            self.assertEqual(events.next()["disconnectReason"], "CONNECTION_LOST")
            with_will = broker.connect("bye", will=("w", "x"))
            with_will.send(packet(0xE0, b"\x04\x00"))  # "disconnect with will message": the client's own doing
            with_will.close()
            self.assertEqual(events.next()["eventType"], "connected")
            self.assertEqual(events.next()["disconnectReason"], "CLIENT_INITIATED_DISCONNECT")

    def test_who_gets_none(self):
        with PluginBroker(users={"anna": "secret"}) as broker:
            how = {"user": "anna", "password": "secret"}
            events = Events(broker, **how)
            for client_id in ("a#b", "+", "x/+/y"):
                client = broker.connect(client_id, **how)
                client.subscribe("f")
                client.disconnect()
            for wrong in ({}, {"user": "anna", "password": "wrong"}, {"user": "nobody", "password": "x"}):
                with self.assertRaises(Refused):
                    broker.connect("refused", **wrong)
            broker.connect("last", **how).disconnect()
            self.assertEqual(self.kinds([events.next(), events.next()]),
                             [("last", "connected", None), ("last", "disconnected", "CLIENT_INITIATED_DISCONNECT")])

    def test_reload_is_no_connect(self):
        """SIGHUP: Mosquitto authenticates everybody again, sessions too whose client is not there."""
        with PluginBroker(users={"anna": "secret"}) as broker:
            how = {"user": "anna", "password": "secret"}
            events = Events(broker, **how)
            gone = broker.connect("gone", clean=False, expiry=100, **how)
            gone.subscribe("x")
            gone.disconnect()
            there = broker.connect("there", **how)
            self.assertEqual([e["eventType"] for e in (events.next() for _ in range(4))], ["connected", "subscribed", "disconnected", "connected"])
            broker.process.send_signal(signal.SIGHUP)
            broker.log.wait_text("Reloading config")
            there.publish("y")
            there.disconnect()
            self.assertEqual(self.kinds([events.next()]), [("there", "disconnected", "CLIENT_INITIATED_DISCONNECT")])

    def test_nobody_else_publishes_events(self):
        with PluginBroker() as broker:
            events = Events(broker)
            liar = broker.connect("liar", will=("$aws/events/presence/connected/will", "{}"))
            self.assertEqual(liar.publish("$aws/events/presence/connected/lamp1", b"{}"), NOT_AUTHORIZED)
            self.assertEqual(liar.publish("$aws/events", b"{}"), 0)
            liar.close()
            self.assertEqual(self.kinds(events.fence(broker)), [("liar", "connected", None), ("liar", "disconnected", "CONNECTION_LOST")])

    def test_off(self):
        with PluginBroker({"lifecycle": "off"}) as broker:
            reader = broker.connect("reader")
            reader.subscribe("#", EVENTS)
            broker.connect("p").publish("last")
            self.assertEqual(reader.next_message().topic, "last")

    def test_a_thousand_clients(self):
        """Every event exactly once, in order for each client, whatever the way they leave."""
        clients, batch = 1000, 100
        with PluginBroker(config=LOSSLESS + "log_type error") as broker:
            events = Events(broker)
            seen, ended = collections.defaultdict(list), threading.Event()

            def watch():
                while True:
                    event = events.next()
                    if event["clientId"] == "last" and event["eventType"] == "disconnected":
                        return ended.set()
                    seen[event["clientId"]].append(event)

            watcher = threading.Thread(target=watch, daemon=True)
            watcher.start()
            for first in range(0, clients, batch):
                group = [broker.connect(f"c{n}", level=4 + n % 2, answer=False) for n in range(first, first + batch)]
                for client in group:
                    client.wait_connack()
                again = [broker.connect(f"c{n}", answer=False) for n in range(first, first + batch, 2)]  # half of them are taken over
                for client in again:
                    client.wait_connack()
                for n, client in enumerate(group[1::2] + again):
                    client.disconnect() if n % 3 else client.close()
                for client in group[::2]:
                    client.close()
            wait_until(lambda: sum(map(len, seen.values())) >= clients * 3, "the events")
            broker.connect("last").disconnect()
            self.assertTrue(ended.wait(PATIENCE))
            del seen["last"]
            self.assertEqual(len(seen), clients)
            for client_id, list_of in seen.items():
                taken_over = int(client_id[1:]) % 2 == 0
                self.assertEqual([(e["eventType"], e["versionNumber"]) for e in list_of],
                                 [(kind, version) for version in range(2 if taken_over else 1) for kind in ("connected", "disconnected")], client_id)
                self.assertEqual(len({e["sessionIdentifier"] for e in list_of}), 2 if taken_over else 1)
                if taken_over:
                    self.assertEqual(list_of[1]["disconnectReason"], "DUPLICATE_CLIENTID")


ALLOW_ALL = '{ Effect: Allow, Action: "iot:*", Resource: "*" }'


def policies(*statements, attached="clientId: \"*\"", version="2012-10-17", more=""):
    lines = "\n".join(f"        - {s}" for s in statements)
    return f"""policies:
  - policyName: test
    policyDocument:
      Version: "{version}"
      Statement:
{lines}
    attachedTo:
      - {attached}
{more}"""


def allow(actions, *resources, effect="Allow"):
    return json.dumps({"Effect": effect, "Action": actions, "Resource": [f"arn:aws:iot:*:*:{r}" for r in resources]})


CONNECT = allow("iot:Connect", "client/*")


class PolicyTest(unittest.TestCase):
    def broker(self, document, options=None, **more):
        return PluginBroker({"policies": "{folder}/policies", **(options or {})}, {"policies/p.yaml": document}, **more)

    def test_without_a_policy_nothing_is_allowed(self):
        with self.broker(policies(ALLOW_ALL, attached="clientId: known")) as broker:
            with self.assertRaises(Refused) as refused:
                broker.connect("unknown")
            self.assertEqual(refused.exception.args[0], NOT_AUTHORIZED)
            with self.assertRaises(Refused):
                broker.connect("unknown", level=4)
            broker.connect("known").disconnect()
            broker.log.wait_text('client "unknown" is refused iot:Connect "unknown": IMPLICIT_DENY')

    def test_client_id(self):
        rules = [allow("iot:Connect", "client/${iot:ClientId}"), allow("iot:Publish", "topic/of/${iot:ClientId}/*"),
                 allow("iot:Subscribe", "topicfilter/of/${iot:ClientId}/*"), allow("iot:Receive", "topic/of/${iot:ClientId}/*")]
        with self.broker(policies(*rules)) as broker:
            a, b = broker.connect("a"), broker.connect("b")
            self.assertEqual(a.subscribe("of/a/x", "of/b/x", "#"), [1, NOT_AUTHORIZED, NOT_AUTHORIZED])
            self.assertEqual(b.publish("of/a/x"), NOT_AUTHORIZED)
            self.assertEqual(a.publish("of/a/x", b"mine"), 0)
            self.assertEqual(a.next_message().payload, b"mine")
            old = broker.connect("c", level=4)
            self.assertEqual(old.subscribe("of/c/x", "of/a/x"), [1, 0x80])

    def test_retain_needs_a_right_of_its_own(self):
        rules = [CONNECT, allow(["iot:Publish", "iot:Subscribe", "iot:Receive"], "*"), allow("iot:RetainPublish", "topic/keep/*")]
        with self.broker(policies(*rules)) as broker:
            p = broker.connect("p")
            self.assertEqual(p.publish("other/1", b"x", retain=True), NOT_AUTHORIZED)
            self.assertEqual(p.publish("other/1", b"x"), 0)
            self.assertEqual(p.publish("keep/1", b"x", retain=True), 0)

    def test_receive(self):
        rules = [CONNECT, allow(["iot:Publish"], "*"), allow("iot:Subscribe", "topicfilter/#"), allow("iot:Receive", "topic/ok/*")]
        with self.broker(policies(*rules)) as broker:
            reader, p = broker.connect("r"), broker.connect("p")
            self.assertEqual(reader.subscribe("#"), [1])
            p.publish("secret/1", b"x")
            p.publish("ok/1", b"y")
            self.assertEqual(reader.next_message().topic, "ok/1")

    def test_wildcards_of_filters_are_text(self):
        rules = [CONNECT, allow("iot:Subscribe", "topicfilter/a/+/b", "topicfilter/c/#", "topicfilter/d/*")]
        with self.broker(policies(*rules)) as broker:
            wishes = {"a/+/b": True, "a/x/b": False, "c/#": True, "c/d": False, "d/+/x": True, "d/#": True, "#": False}
            codes = broker.connect("c").subscribe(*wishes)
            self.assertEqual({f: code <= 2 for f, code in zip(wishes, codes)}, wishes)

    def test_deny_over_allow(self):
        rules = [ALLOW_ALL, allow(["iot:Publish", "iot:Connect"], "topic/no/*", "client/evil", effect="Deny")]
        with self.broker(policies(*rules)) as broker:
            p = broker.connect("p")
            self.assertEqual((p.publish("yes/1"), p.publish("no/1")), (0, NOT_AUTHORIZED))
            with self.assertRaises(Refused):
                broker.connect("evil")
            broker.log.wait_text("EXPLICIT_DENY")

    def test_certificates_and_things(self):
        rules = [CONNECT, allow("iot:Publish", "topic/thing/${iot:Connection.Thing.ThingName}", "topic/cn/${iot:Certificate.Subject.CommonName}")]
        document = policies(*rules)
        with PluginBroker({"policies": "{folder}/p.yaml"}, {"p.yaml": document}, tls="client") as broker:
            more = f"things:\n  - {{ thingName: lamp1, principals: [{broker.fingerprint('lamp')}] }}\n"
            broker.write("p.yaml", policies(*rules, attached=f"principal: {broker.fingerprint('lamp')}", more=more))
            broker.log.wait_text("read again and in force")
            lamp = broker.connect("lamp1", certificate="lamp")
            wishes = {"thing/lamp1": 0, "thing/lamp2": NOT_AUTHORIZED, "cn/lamp": 0, "cn/lamp1": NOT_AUTHORIZED}
            self.assertEqual({topic: lamp.publish(topic) for topic in wishes}, wishes)
            other = broker.connect("lamp2", certificate="lamp")  # not the thing's name
            self.assertEqual(other.publish("thing/lamp2"), NOT_AUTHORIZED)
            for how in ({"certificate": "stranger"}, {}):
                with self.assertRaises(Refused):
                    broker.connect("lamp1", **how)

    def test_wills(self):
        """Judged when they are published: then the connection, and its certificate, are gone."""
        rules = [CONNECT, allow(["iot:Subscribe", "iot:Receive"], "*"), allow("iot:Publish", "topic/will/${iot:Certificate.Subject.CommonName}")]
        with self.broker(policies(*rules), tls="client") as broker:
            reader = broker.connect("reader")
            reader.subscribe("will/#")
            broker.connect("w", certificate="lamp", will=("will/other", "no")).close()
            broker.connect("w", certificate="lamp", will=("will/lamp", "now")).close()
            self.assertEqual(reader.next_message().payload, b"now")
            broker.connect("w", certificate="lamp", will=("will/lamp", "later"), will_delay=1, expiry=60).close()
            self.assertEqual(reader.next_message().payload, b"later")

    def test_audit(self):
        with self.broker(policies(allow("iot:Connect", "client/a*")), {"mode": "audit"}) as broker:
            broker.log.wait_text("policies in audit mode")
            b = broker.connect("b")
            broker.log.wait_text('client "b" would be refused iot:Connect "b": IMPLICIT_DENY')
            self.assertEqual(b.subscribe("x/#"), [1])
            broker.log.wait_text('client "b" would be refused iot:Subscribe "x/#": IMPLICIT_DENY')
            self.assertEqual(b.publish("x/1", b"y"), 0)
            broker.log.wait_text('client "b" would be refused iot:Publish "x/1": IMPLICIT_DENY')
            self.assertEqual(b.next_message().payload, b"y")
            self.assertEqual(b.publish("$aws/events/x"), NOT_AUTHORIZED)  # not a matter of policies

    def test_trusted_clients(self):
        trusted = "trustedClients:\n  - { clientId: engine, principal: anna }\n"
        with self.broker(policies(CONNECT, attached="clientId: nobody", more=trusted), users={"anna": "x", "bob": "x"}) as broker:
            engine = broker.connect("engine", user="anna", password="x")
            self.assertEqual(engine.subscribe("#", EVENTS), [1, 1])
            self.assertEqual(engine.publish("$aws/events/presence/connected/x", b"{}"), 0)
            self.assertEqual(engine.publish("a", b"x", retain=True), 0)
            for client_id, user in (("engine", "bob"), ("engine2", "anna")):
                with self.assertRaises(Refused):
                    broker.connect(client_id, user=user, password="x")
            with self.assertRaises(Refused):
                broker.connect("engine", user="anna", password="wrong")

    def test_several_files(self):
        files = {f"{name}.yaml": policies(allow("iot:Connect", f"client/{name}")).replace("policyName: test", f"policyName: {name}") for name in "abcd"}
        with PluginBroker({"policies": ["{folder}/a.yaml, {folder}/b.yaml", "{folder}/c.yaml"]}, files) as broker:
            for name in "abc":
                broker.connect(name)
            with self.assertRaises(Refused):
                broker.connect("d")

    def test_passwords_and_acl_file_still_decide(self):
        files = {"p.yaml": policies(ALLOW_ALL), "acl": "user anna\ntopic readwrite ok/#\n"}
        with PluginBroker({"policies": "{folder}/p.yaml"}, files, config="acl_file {folder}/acl", users={"anna": "secret"}) as broker:
            anna = broker.connect("a", user="anna", password="secret")
            self.assertEqual((anna.publish("ok/1"), anna.publish("no/1")), (0, NOT_AUTHORIZED))
            with self.assertRaises(Refused):
                broker.connect("a", user="anna", password="wrong")
            with self.assertRaises(Refused):
                broker.connect("a")

    def test_offline_sessions_are_judged_when_they_come_back(self):
        rules = [CONNECT, allow(["iot:Publish", "iot:Subscribe"], "*"), allow("iot:Receive", "topic/ok/*")]
        with self.broker(policies(*rules), config="persistence true\n") as broker:
            away = broker.connect("away", clean=False, expiry=1000)
            away.subscribe("#")
            away.disconnect()
            broker.restart()  # nobody has authenticated since
            p = broker.connect("p")
            p.publish("secret/1", b"x")
            p.publish("ok/1", b"y")
            away = broker.connect("away", clean=False, expiry=1000)
            self.assertEqual(away.next_message().topic, "ok/1")
            p.publish("ok/2", b"z")
            self.assertEqual(away.next_message().topic, "ok/2")

    def test_changes_while_it_runs(self):
        with self.broker(policies(CONNECT)) as broker:
            p = broker.connect("p")
            self.assertEqual(p.publish("a"), NOT_AUTHORIZED)
            broker.write("policies/q.yaml", policies(allow("iot:Publish", "topic/a")).replace("policyName: test", "policyName: more"))
            wait_until(lambda: p.publish("a") == 0, "the new policy")
            broker.write("policies/q.yaml", "policies:\n  - policyName: more\n    policyDocument:\n      Statement: { Effect: Alow }\n")
            lines = broker.log.wait_text("the ones before stay in force")
            self.assertEqual(len(lines), 1)
            told = "\n".join(broker.log.list)
            self.assertRegex(told, r"policies/q\.yaml:4:\d+: error: ")
            self.assertIn("sluice:     |", told)
            self.assertIn("^", told)
            self.assertEqual(p.publish("a"), 0)
            (broker.folder / "policies/q.yaml").unlink()
            wait_until(lambda: p.publish("a") == NOT_AUTHORIZED, "the policy to go")
            broker.write("policies/q.yaml", policies(allow("iot:Publish", "topic/a")).replace("policyName: test", "policyName: more"))
            wait_until(lambda: p.publish("a") == 0, "the policy to come back")

    def test_sighup_reads_policies_and_judges_connections(self):
        with self.broker(policies(ALLOW_ALL)) as broker:
            p = broker.connect("p")
            broker.write("policies/p.yaml", policies(CONNECT, allow("iot:Connect", "client/p", effect="Deny")))
            broker.log.wait_text("read again and in force")
            self.assertEqual(p.publish("a"), NOT_AUTHORIZED)
            broker.process.send_signal(signal.SIGHUP)
            with self.assertRaises(EOFError):
                p.next_message()
            with self.assertRaises(Refused):
                broker.connect("p")

    def test_reload_under_load(self):
        """Policies change all the time, publishers publish: what every version allows is never refused, what none allows never passes."""
        always = allow(["iot:Publish", "iot:Subscribe", "iot:Receive"], "topic/always", "topicfilter/*")
        with self.broker(policies(CONNECT, always)) as broker:
            ended, failures, counts = threading.Event(), [], []

            def publish(n):
                client, count = broker.connect(f"p{n}"), 0
                while not ended.is_set() or not count:
                    for topic, expected in (("always", 0), ("never", NOT_AUTHORIZED)):
                        code = client.publish(topic, b"x")
                        if code != expected:
                            failures.append((topic, code))
                    count += 1
                counts.append(count)

            threads = [threading.Thread(target=publish, args=(n,)) for n in range(4)]
            for thread in threads:
                thread.start()
            for version in range(10):
                broker.write("policies/p.yaml", policies(CONNECT, always, allow("iot:Publish", f"topic/{version}")))
                broker.log.wait_text("read again and in force", count=version + 1)
            ended.set()
            for thread in threads:
                thread.join()
            self.assertEqual(failures, [])
            self.assertEqual(len(counts), 4)


class StartTest(unittest.TestCase):
    """What the plugin cannot work with stops the broker, with a message that says what to do."""

    def refuses(self, *expected, options=None, config="", files=None, **more):
        broker = PluginBroker(options, files, config=config, **more)
        try:
            process = subprocess.run([MOSQUITTO, "-c", broker.config], capture_output=True, text=True, timeout=PATIENCE, check=False,
                                     env={**os.environ, **sanitizer_environment()})
            output = process.stdout + process.stderr
            self.assertNotEqual(process.returncode, 0, output)
            self.assertNotIn(" running", output)
            for part in expected:
                self.assertIn(part, output)
            return output
        finally:
            broker.__exit__()

    def test_options(self):
        self.refuses('unknown option "polices"', 'did you mean "policies"?', options={"polices": "x"})
        self.refuses('"mode" must be one of "enforce" or "audit"', options={"mode": "maybe"})
        self.refuses("plugin_opt_key_file is missing", "openssl rand -hex 32", options={"key_file": None})
        self.refuses("mode audit without policies", options={"mode": "audit"})

    def test_keys(self):
        self.refuses("/nowhere/identity.key", options={"key_file": "/nowhere/identity.key"})
        self.refuses("short.key", options={"key_file": "{folder}/short.key"}, files={"short.key": "0f0f\n"})

    def test_listeners_that_skip_authentication(self):
        for option in ("use_identity_as_username", "use_subject_as_username"):
            with self.subTest(option):
                output = self.refuses(f"error: {option}:", "Use require_certificate alone", config=f"{option} true", tls="client")
                self.assertRegex(output, r"mosquitto\.conf:\d+:1: error")
                self.assertIn("^" * len(option), output)

    def test_per_listener_settings(self):
        broker = PluginBroker()
        self.addCleanup(broker.__exit__)
        broker.config.write_text("per_listener_settings true\n" + broker.config.read_text(encoding="utf-8"), encoding="utf-8")
        process = subprocess.run([MOSQUITTO, "-c", broker.config], capture_output=True, text=True, timeout=PATIENCE, check=False,
                                 env={**os.environ, **sanitizer_environment()})
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("error: per_listener_settings:", process.stdout + process.stderr)

    def test_broken_policies(self):
        output = self.refuses("p.yaml:", options={"policies": "{folder}/p.yaml"}, files={"p.yaml": policies('{ Effect: Allow, Action: "iot:Publsh", Resource: "*" }')})
        self.assertRegex(output, r"p\.yaml:6:\d+: error: ")
        self.assertIn("^^^", output)
        self.refuses("missing.yaml", options={"policies": "{folder}/missing.yaml"})


class HostileTest(unittest.TestCase):
    def test_sizes(self):
        document = policies(ALLOW_ALL)
        with PluginBroker({"policies": "{folder}/p.yaml"}, {"p.yaml": document}, config=LOSSLESS) as broker, SealOpener(broker.key) as opener:
            events = Events(broker)
            reader = broker.connect("reader")
            reader.subscribe("#")
            events.next("reader"), events.next("reader")
            # A client id with which no topic has room, nor the seal.
            longest = broker.connect("x" * 65535)
            self.assertEqual(longest.publish("a", b"1"), 0)
            self.assertEqual(reader.next_message().seals, [])
            longest.disconnect()
            # One that fits into a seal, but no topic of an event.
            long = broker.connect("y" * 48000)
            self.assertEqual(long.publish("a", b"2"), 0)
            self.assertEqual(opener.open(reader.next_message())[0], "y" * 48000)
            long.disconnect()
            p = broker.connect("p")
            for topic in ("z" * 65535, "l/" * 100):
                self.assertEqual(p.publish(topic, b"3"), 0)
                message = reader.next_message()
                self.assertEqual(message.topic, topic)
                self.assertEqual(opener.open(message)[0], "p")
            # A thousand user properties, some of them ours.
            user = [(IDENTITY if n % 7 == 0 else f"name{n}", "value" * 10) for n in range(1000)]
            self.assertEqual(p.publish("a", b"4", user=user), 0)
            message = reader.next_message()
            self.assertEqual(message.user[:-1], [pair for pair in user if pair[0] != IDENTITY])
            self.assertEqual(opener.open(message)[0], "p")
            self.assertEqual(p.publish("a", b"5" * 1000000), 0)
            self.assertEqual(opener.open(reader.next_message())[0], "p")
            # Filters of 64 kB, and many in one packet.
            self.assertEqual(p.subscribe("f" * 65535), [1])
            self.assertEqual(p.subscribe(*[f"f/{n}" for n in range(2000)]), [1] * 2000)
            names = [e for e in (events.next("p") for _ in range(3))]
            self.assertEqual([len(e.get("topics", [])) for e in names], [0, 1, 2000])

    def test_a_very_long_list_of_properties_is_quick(self):
        with PluginBroker() as broker, SealOpener(broker.key) as opener:
            reader = broker.connect("reader")
            reader.subscribe("a")
            p = broker.connect("p")
            self.assertEqual(p.publish("a", b"x", user=[(IDENTITY, "")] + [("", "")] * 100000 + [(IDENTITY, "")]), 0)
            message = reader.next_message()
            self.assertEqual(len(message.user), 100001)
            self.assertEqual(opener.open(message)[0], "p")

    def test_rubbish(self):
        """Connections that say nothing, half a CONNECT, wrong UTF-8, CONNECT and DISCONNECT at once."""
        with PluginBroker(config=LOSSLESS) as broker:
            events = Events(broker)
            connect = packet(0x10, text("MQTT") + b"\x04\x02\x00\x00" + text("brief"))
            for raw in (b"", b"\x10", connect[:10], packet(0x10, text("MQTT") + b"\x04\x02\x00\x00" + text(b"\xff\xfe")), b"\x30\x02\x00\x00",
                        packet(0x10, text("MQTT") + b"\x05\x02\x00\x00" + b"\x08\x15" + text("SCRAM") + text("enhanced"))):
                with contextlib.closing(socket.create_connection(("127.0.0.1", broker.port), PATIENCE)) as s:
                    s.sendall(raw)
            with contextlib.closing(socket.create_connection(("127.0.0.1", broker.port), PATIENCE)) as s:
                s.sendall(connect + b"\xe0\x00")
                self.assertEqual(s.recv(4), b"\x20\x02\x00\x00")
                self.assertEqual(s.recv(4), b"")
            kinds = [(e["clientId"], e["eventType"]) for e in events.fence(broker)]
            self.assertEqual(kinds, [("brief", "connected"), ("brief", "disconnected")])

    def test_tls_connect_and_disconnect_at_once(self):
        """In one TLS record: the broker handles both within one round of its loop."""
        with PluginBroker(tls="client") as broker:
            events = Events(broker)
            with socket.create_connection(("127.0.0.1", broker.tls_port), PATIENCE) as plain:
                with broker.client_context("lamp").wrap_socket(plain, server_hostname="127.0.0.1") as s:
                    s.sendall(packet(0x10, text("MQTT") + b"\x04\x02\x00\x00" + text("brief")) + b"\xe0\x00")
                    while s.recv(100):
                        pass
            self.assertEqual([(e["clientId"], e["eventType"]) for e in events.fence(broker)], [("brief", "connected"), ("brief", "disconnected")])


WHO = """
ruleName: who
sql: SELECT clientid() AS client, principal() AS principal, sourceip() AS address, traceid() AS trace, get_user_properties() AS user, * FROM 'plant/#'
actions: [ { file: { path: who.ndjson } } ]
"""
PRESENCE = """
ruleName: presence
sql: SELECT clientId, eventType, disconnectReason, versionNumber FROM '$aws/events/presence/+/lamp1'
actions: [ { file: { path: presence.ndjson } } ]
"""


class RuleTest(unittest.TestCase):
    """From a device with a certificate to what a rule knows of it."""

    def test_who_published(self):
        engine = policies(ALLOW_ALL, attached="clientId: sluice-1")
        device = policies(CONNECT, allow("iot:Publish", "topic/plant/${iot:ClientId}/*", "topic/plant/will"), attached="clientId: lamp*").replace("policyName: test", "policyName: lamp")
        with PluginBroker({"policies": "{folder}/policies"}, {"policies/e.yaml": engine, "policies/l.yaml": device}, tls="client") as broker:
            conf = f"sources: [ {{ mqtt: {{ url: {broker.url}, clientId: sluice-1, identity: {{ keyFile: {broker.key} }} }} }} ]\nrules: [rules/]\n"
            with Service({"sluice.yaml": conf, "rules/who.yaml": WHO, "rules/presence.yaml": PRESENCE}) as service:
                service.start()
                service.wait_log("subscribed")
                for level in (4, 5):
                    lamp = broker.connect("lamp1", certificate="lamp", level=level, will=("plant/will", '{"n": 9}'))
                    stolen = [(IDENTITY, "x" * 300), ("a", "b")] if level == 5 else []
                    self.assertEqual(lamp.publish(f"plant/lamp1/{level}", b'{"n": %d}' % level, user=stolen), 0)
                    self.assertEqual(lamp.publish("plant/lamp2/x", b"{}"), 0 if level == 4 else NOT_AUTHORIZED)  # 3.1.1 has no way to tell
                    lamp.close()
                wait_until(lambda: len(read_ndjson(service.path("who.ndjson"))) == 4, "what was published")
                rows = sorted(read_ndjson(service.path("who.ndjson")), key=lambda row: row["n"])
                traces = [row.pop("trace") for row in rows]
                known = {"client": "lamp1", "principal": broker.fingerprint("lamp"), "address": "127.0.0.1"}
                self.assertEqual(rows[0], {**known, "n": 4})
                self.assertEqual(rows[1], {**known, "user": [{"a": "b"}], "n": 5})
                self.assertEqual([row["client"] for row in rows[2:]], ["n/a", "n/a"])  # the wills
                self.assertRegex(traces[0], UUID)
                self.assertNotEqual(traces[0], traces[1])
                wait_until(lambda: len(read_ndjson(service.path("presence.ndjson"))) == 4, "lifecycle events")
                events = sorted(read_ndjson(service.path("presence.ndjson")), key=lambda event: (event["versionNumber"], event["eventType"]))  # two topics
                self.assertEqual(events,
                                 [{"clientId": "lamp1", "eventType": kind, **({"disconnectReason": "CONNECTION_LOST"} if kind == "disconnected" else {}),
                                   "versionNumber": version} for version in (0, 1) for kind in ("connected", "disconnected")])


class BridgeTest(unittest.TestCase):
    def test_what_a_bridge_brings(self):
        """It skips access checks, so policies do not judge it; its messages are sealed as its own."""
        with PluginBroker({"lifecycle": "off"}, config="") as far:
            bridge = f"connection far\naddress 127.0.0.1:{far.port}\nbridge_protocol_version mqttv50\ntopic a/# in 1\nlocal_clientid bridge-far\n"
            with PluginBroker({"policies": "{folder}/p.yaml"}, {"p.yaml": policies(ALLOW_ALL)}, config=bridge) as near, SealOpener(near.key) as opener:
                reader = near.connect("reader")
                reader.subscribe("a/#")
                wait_until(lambda: any("a/#" in line for line in far.log.list), "the bridge's subscription")
                far.connect("p").publish("a/1", b"x")
                message = reader.next_message()
                self.assertEqual(len(message.seals), 1)
                self.assertEqual(opener.open(message)[:3], ("bridge-far", None, None))


if __name__ == "__main__":
    unittest.main()
