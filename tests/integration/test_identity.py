# SPDX-License-Identifier: Apache-2.0
"""Who published, by what a broker's plugin seals: opened, refused, hidden. The seals here are made by identity_sealer; that plugin has tests of its own."""
import json
import pathlib
import subprocess
import tempfile
import unittest

from mosquitto_fixture import PATIENCE, Mosquitto, free_port
from sluice_fixture import BUILD, Service, read_ndjson, wait_until

PROPERTY = "sluice-identity"
TRACE = "0b5c1b0a-0000-4000-8000-000000000001"
LAMP = {"client": "lamp-1", "principal": "5f1c", "address": "192.0.2.7", "trace": TRACE}
WHO = "clientid() AS client, principal() AS principal, sourceip() AS address, traceid() AS trace"
ALL = f"SELECT {WHO}, get_user_properties() AS users, * FROM 'a/#'"


def rule(name, sql, actions=None):
    return f"ruleName: {name}\nsql: {json.dumps(sql)}\nactions: [ {actions or f'{{ file: {{ path: {name}.ndjson }} }}'} ]\n"


class Sealer:
    """A process that seals with one key, as a broker's plugin between two starts."""

    def __init__(self, key):
        self.process = subprocess.Popen([BUILD / "tests/integration/driver/identity_sealer", key], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seal(self, topic, payload, who=None):
        who = LAMP if who is None else who
        fields = [who.get(name, "") for name in ("client", "principal", "address", "trace")] + [topic, payload]
        self.process.stdin.write("\t".join(fields) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


def properties(of, *pairs):
    return [word for name, value in pairs for word in ("-D", of, "user-property", name, value)]


class IdentityTest(unittest.TestCase):
    def begin(self, url, options="identity: { keyFile: new.key }", rules=None, keys=("new.key",)):
        """A service that is subscribed, and in self.sealers a sealer for each key."""
        conf = f'sources: [ {{ mqtt: {{ url: "{url}", clientId: s, {options} }} }} ]\nrules: [rules/]\nstatsFile: stats.json\nstatsInterval: 100ms\n'
        rules = rules or {"out": rule("out", ALL)}
        service = self.enterContext(Service({"sluice.yaml": conf, **{f"rules/{name}.yaml": text for name, text in rules.items()}}))
        for key in keys:
            subprocess.run(f"openssl rand -hex 32 > {key}; chmod 640 {key}", shell=True, cwd=service.folder, check=True)
        self.sealers = [self.enterContext(Sealer(service.path(key))) for key in keys]
        service.start()
        service.wait_log("subscribed to")
        service.wait_log("running ")  # now the rules' files are watched, too
        return service

    def restart(self, service, old="", new=""):
        conf = service.path("sluice.yaml").read_text(encoding="utf-8")
        self.assertIn(old, conf)
        self.assertEqual(service.stop(), 0)
        service.write("sluice.yaml", conf.replace(old, new))
        service.log.clear()
        service.start()
        service.wait_log("subscribed to")

    def publish(self, broker, topic, payload, *pairs, qos=1, arguments=()):
        """With these user properties."""
        broker.publish(topic, payload, qos=qos, arguments=[*arguments, *properties("publish", *pairs)])

    def publish_sealed(self, broker, topic, payload, sealer=0, **more):
        seal = self.sealers[sealer].seal(topic, payload)
        self.publish(broker, topic, payload, (PROPERTY, seal), **more)
        return seal

    def outputs(self, service, count, name="out"):
        path = service.path(f"{name}.ndjson")
        wait_until(lambda: len(read_ndjson(path)) >= count, f"{count} outputs of {name}")
        found = read_ndjson(path)
        self.assertEqual(len(found), count, found)
        return found

    def assert_unknown(self, output, **members):
        """Nobody knows the publisher, and the trace id is drawn."""
        self.assertRegex(output.pop("trace"), "^[0-9a-f-]{36}$")
        self.assertEqual(output, {"client": "n/a", **members})

    def wait_identity(self, service, **expected):
        """Wait until the counters of the source say so."""
        expected = {"opened": 0, "absent": 0, "forged": 0, "replayed": 0, **expected}
        wait_until(lambda: service.path("stats.json").exists() and service.stats()["sources"][0]["identity"] == expected, f"the counters {expected}")


class SealTest(IdentityTest):
    def test_it_is_opened_and_hidden(self):
        for over in "mqtt", "ws":
            with self.subTest(over), Mosquitto(websocket=True) as broker:
                service = self.begin(broker.url if over == "mqtt" else broker.ws_url)
                for qos in 0, 1, 2:
                    seal = self.sealers[0].seal("a/1", f'{{"x":{qos}}}')
                    self.publish(broker, "a/1", f'{{"x":{qos}}}', ("k", "v"), (PROPERTY, seal), ("l", "w"), qos=qos)
                found = sorted(self.outputs(service, 3), key=lambda output: output["x"])
                self.assertEqual(found, [{**LAMP, "users": [{"k": "v"}, {"l": "w"}], "x": qos} for qos in (0, 1, 2)])
                self.wait_identity(service, opened=3)
                self.assertEqual(service.stop(), 0)

    def test_what_is_forged_absent_or_replayed_names_nobody(self):
        for over in "mqtt", "ws":
            with self.subTest(over), Mosquitto(websocket=True) as broker:
                service = self.begin(broker.url if over == "mqtt" else broker.ws_url)
                seal = self.publish_sealed(broker, "a/1", '{"x":0}')
                tried = [("a/1", '{"x":0}', seal), ("a/2", '{"x":0}', seal), ("a/1", '{"x":1}', seal), ("a/1", '{"x":0}', "lamp-1"), ("a/1", '{"x":0}', "")]
                for topic, payload, text in tried:
                    self.publish(broker, topic, payload, (PROPERTY, text))
                broker.publish("a/1", '{"x":9}', qos=1)
                broker.publish("a/1", '{"x":9}', qos=1, version="mqttv311")
                found = sorted(self.outputs(service, 8), key=lambda output: (output["client"] == "n/a", output["x"]))
                self.assertEqual(found[0], {**LAMP, "x": 0})
                for output, x in zip(found[1:], (0, 0, 0, 0, 1, 9, 9)):
                    self.assert_unknown(output, x=x)
                self.wait_identity(service, opened=1, absent=2, forged=4, replayed=1)
                service.wait_log("the identity of a message was used before")
                service.wait_log("the identity of a message is forged")
                self.assertLess(sum("is forged" in line for line in service.log), 4)  # some are passed over in silence
                self.assertEqual(service.stop(), 0)

    def test_without_a_key_it_is_hidden_all_the_same(self):
        with Mosquitto() as broker:
            service = self.begin(broker.url, options="qos: 1")
            self.publish_sealed(broker, "a/1", '{"x":1}')
            self.assert_unknown(self.outputs(service, 1)[0], x=1)
            self.wait_identity(service)

    def test_copies_for_several_subscriptions(self):
        """Mosquitto sends a message once for each filter that it matches."""
        with Mosquitto() as broker:
            rules = {name: rule(name, f"SELECT clientid() AS client, x FROM '{f}'") for name, f in (("one", "a/#"), ("two", "a/+/c"), ("three", "+/b/#"))}
            service = self.begin(broker.url, rules=rules)
            seals = [self.publish_sealed(broker, "a/b/c", f'{{"x":{x}}}') for x in range(20)]
            self.publish(broker, "a/b/c", '{"x":5}', (PROPERTY, seals[5]))
            for name in rules:
                expected = [{"client": "lamp-1", "x": x} for x in range(20)] + [{"client": "n/a", "x": 5}]
                self.assertEqual(self.outputs(service, 21, name), expected)
            self.wait_identity(service, opened=60, replayed=3)

    def test_a_retained_message_opens_again(self):
        """The broker sends it again to each new subscription, marked as retained."""
        with Mosquitto() as broker:
            service = self.begin(broker.url, "retained: evaluate, identity: { keyFile: new.key }")
            self.publish_sealed(broker, "a/1", '{"x":1}', arguments=["-r"])
            self.outputs(service, 1)
            service.write("rules/again.yaml", rule("again", f"SELECT {WHO} FROM 'a/+'"))
            self.wait_identity(service, opened=2)

    def test_after_a_broker_restart(self):
        """A new salt, and the session with what came meanwhile."""
        with Mosquitto("persistence true") as broker:
            service = self.begin(broker.url)
            self.publish_sealed(broker, "a/1", '{"x":1}')
            self.outputs(service, 1)
            self.assertEqual(service.stop(), 0)
            with Sealer(service.path("new.key")) as after:
                self.sealers.append(after)
                self.publish_sealed(broker, "a/1", '{"x":2}')
                broker.restart()
                self.publish_sealed(broker, "a/1", '{"x":3}', sealer=1)
                service.start()
                self.assertEqual([output["client"] for output in self.outputs(service, 3)], ["lamp-1"] * 3)

    def test_rotation(self):
        with Mosquitto() as broker:
            service = self.begin(broker.url, "identity: { keyFile: old.key }", keys=("old.key", "new.key"))
            old, new = 0, 1
            self.publish_sealed(broker, "a/1", '{"x":1}', sealer=old)
            self.outputs(service, 1)
            self.restart(service, "keyFile: old.key", "keyFile: new.key, previousKeyFile: old.key")
            self.publish_sealed(broker, "a/1", '{"x":2}', sealer=old)
            self.publish_sealed(broker, "a/1", '{"x":3}', sealer=new)
            self.outputs(service, 3)
            self.restart(service, ", previousKeyFile: old.key")
            self.publish_sealed(broker, "a/1", '{"x":4}', sealer=new)
            self.publish_sealed(broker, "a/1", '{"x":5}', sealer=old)
            self.assertEqual([output["client"] for output in self.outputs(service, 5)], ["lamp-1"] * 4 + ["n/a"])

    def test_a_will_does_not_open(self):
        """It carries what its client gave it: a text of its own, or a seal that it saw."""
        with Mosquitto() as broker:
            service = self.begin(broker.url)
            seen = self.publish_sealed(broker, "a/1", '{"x":1}')
            self.outputs(service, 1)
            for count, (text, state) in enumerate((("lamp-1", "forged"), (seen, "replayed")), 2):
                will = ["--will-topic", "a/1", "--will-payload", '{"x":1}', "--will-qos", "1", *properties("will", (PROPERTY, text))]
                with broker.subscribe("elsewhere", arguments=will) as client:
                    client.process.kill()
                self.assert_unknown(self.outputs(service, count)[-1], x=1)
            self.wait_identity(service, opened=1, forged=1, replayed=1)

    def test_it_is_not_published_again(self):
        rules = {
            "alarm": rule("alarm", f"SELECT {WHO} FROM 'a/#'", "{ republish: { topic: 'alarm/${topic(2)}', qos: 1 } }"),
            "lost": rule("lost", "SELECT * FROM 'a/#'", "{ file: { path: '${topic(2)}/../x' } }"),
            "told": rule("told", "SELECT * FROM 'a/#'", "{ file: { path: '${topic(2)}/../x' } }") + "errorAction: { file: { path: told.ndjson } }\n",
        }
        with Mosquitto() as broker, broker.subscribe("alarm/#") as alarms:
            service = self.begin(broker.url, rules=rules)
            seal = self.sealers[0].seal("a/1", '{"x":1}')
            self.publish(broker, "a/1", '{"x":1}', ("k", "v"), (PROPERTY, seal))
            message = alarms.wait(1)[0]
            self.assertEqual(json.loads(message["payload"]), LAMP)
            self.assertNotIn(PROPERTY, json.dumps(message))
            error = self.outputs(service, 1, "told")[0]
            self.assertEqual((error["clientId"], error["sourceIp"], error["cloudwatchTraceId"]), ("lamp-1", "192.0.2.7", TRACE))
            dead = self.outputs(service, 1, "dead-letters")[0]
            self.assertEqual([dead[name] for name in ("clientid", "principal", "sourceip", "traceid")], list(LAMP.values()))
            self.assertEqual(dead["mqtt5"]["user_properties"], [["k", "v"]])
            for document in error, dead:
                self.assertNotIn(seal, json.dumps(document))
                self.assertNotIn(PROPERTY, json.dumps(document))

    def test_the_listener_hides_it(self):
        """A bridge hands on what its broker sealed; here the session says who published."""
        port = free_port()
        conf = f'sources: [ {{ listen: {{ address: "127.0.0.1:{port}", allowAnonymous: true }} }} ]\nrules: [out.yaml]\n'
        with Service({"sluice.yaml": conf, "out.yaml": rule("out", ALL)}) as service:
            service.start()
            service.wait_log("listening for")
            subprocess.run(["mosquitto_pub", "-V", "mqttv5", "-h", "127.0.0.1", "-p", str(port), "-i", "bridge", "-t", "a/1", "-q", "1", "-m", '{"x":1}',
                            *properties("publish", (PROPERTY, "sealed"), ("k", "v"))], check=True, timeout=PATIENCE)
            output = self.outputs(service, 1)[0]
            self.assertEqual((output["client"], output["users"]), ("bridge", [{"k": "v"}]))


class ClientIdFromTest(IdentityTest):
    def clients(self, service, count):
        return [output["client"] for output in self.outputs(service, count)]

    def test_a_level_of_the_topic(self):
        with Mosquitto() as broker:
            service = self.begin(broker.url, "clientIdFrom: { topicLevel: 2 }")
            for topic in "a/gw-7", "a/gw-7/x", "a//x", "a":
                broker.publish(topic, "{}", qos=1)
            broker.publish("$aws/rules/out/a/gw-8", "{}", qos=1, version="mqttv311")
            self.assertCountEqual(self.clients(service, 4), ["gw-7", "gw-7", "n/a", "gw-8"])  # `a/#` does not match `a`

    def with_access_rules(self, config="", users=None):
        """A broker where a client may write below devices/ and its own id only, and a service that takes the second level for the client id."""
        rules = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "acl"
        rules.write_text("pattern write devices/%c/#\ntopic read #\npattern read #\n", encoding="ascii")
        broker = self.enterContext(Mosquitto(config=f"acl_file {rules}\n{config}", users=users))
        login = "userName: s, password: s, " if users else ""
        return broker, self.begin(broker.url, f"{login}clientIdFrom: {{ topicLevel: 2 }}", {"out": rule("out", "SELECT clientid() AS client, x FROM 'devices/#'")})

    def publish_as(self, broker, client, topic, number, *arguments):
        broker.publish(topic, f'{{"x":{number}}}', qos=1, arguments=["-i", client, *arguments])

    def test_access_rules_do_not_bind_a_level_to_a_client_id_with_a_slash(self):
        """What docs/beside-your-broker.md warns of: lamp-1/x writes below devices/lamp-1/x/, and passes for lamp-1."""
        broker, service = self.with_access_rules()
        for number, (client, topic) in enumerate([("lamp-2", "devices/lamp-1/a"), ("lamp-1/x", "devices/lamp-1/a"),
                                                  ("lamp-1/x", "devices/lamp-1/x/a"), ("lamp-1", "devices/lamp-1/a")]):
            self.publish_as(broker, client, topic, number)
        self.assertCountEqual([(output["client"], output["x"]) for output in self.outputs(service, 2)], [("lamp-1", 2), ("lamp-1", 3)])

    def test_user_names_as_client_ids_bind_a_level(self):
        users = {"s": "s", "lamp-1": "one", "lamp-2": "two"}
        broker, service = self.with_access_rules("use_username_as_clientid true", users)
        for number, (client, user) in enumerate([("lamp-1", "lamp-2"), ("lamp-1/x", "lamp-2"), ("lamp-2", "lamp-1")]):
            for topic in f"devices/{client}/a", "devices/lamp-1/a":
                self.publish_as(broker, client, topic, number, "-u", user, "-P", users[user])
        found = self.outputs(service, 1)
        self.assertEqual([(output["client"], output["x"]) for output in found], [("lamp-1", 2)])

    def test_a_user_property(self):
        with Mosquitto() as broker:
            service = self.begin(broker.url, "clientIdFrom: { userProperty: device }")
            self.publish(broker, "a/1", "{}", ("k", "v"), ("device", "gw-7"), ("device", "gw-8"))
            self.publish(broker, "a/1", "{}", ("device", ""))
            broker.publish("a/1", "{}", qos=1, version="mqttv311")
            self.assertEqual(self.clients(service, 3), ["gw-7", "n/a", "n/a"])

    def test_the_seal_comes_first_and_clients_are_ordered(self):
        with Mosquitto() as broker:
            service = self.begin(broker.url, "ordering: client, identity: { keyFile: new.key }, clientIdFrom: { topicLevel: 2 }")
            self.publish_sealed(broker, "a/gw-7", "{}")
            self.publish(broker, "a/gw-7", "{}", (PROPERTY, "forged"))
            broker.publish("a/gw-8", "{}", qos=1)
            self.assertEqual(sorted(self.clients(service, 3)), ["gw-7", "gw-8", "lamp-1"])

    def test_check(self):
        """What depends on a key file that is there: the rest has golden texts."""
        files = {"sluice.yaml": "sources:\n  - mqtt: { url: mqtt://127.0.0.1:1, ordering: client, identity: { keyFile: a.key } }\nrules: [out.yaml]\n",
                 "out.yaml": rule("out", ALL), "a.key": "0123456789abcdef" * 4 + "\n"}
        with Service(files) as service:
            service.path("a.key").chmod(0o640)
            result = service.run("check")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            service.path("a.key").chmod(0o644)
            result = service.run("check")
            self.assertEqual(result.returncode, 0)
            self.assertIn("sluice.yaml:2:77: warning: everybody on this machine can read the key, and forge identities with it\n", result.stderr)
            self.assertIn("\n    |" + " " * 77 + "^^^^^\n  hint: chmod 640 a.key, with a group for the broker and sluice.\n", result.stderr)
            service.path("a.key").unlink()
            result = service.run("run")
            self.assertEqual(result.returncode, 1)
            self.assertIn('sluice.yaml:2:77: error: could not read the key file "a.key"', result.stderr)


if __name__ == "__main__":
    unittest.main()
