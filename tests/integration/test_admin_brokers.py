# SPDX-License-Identifier: Apache-2.0
"""The admin interface as EMQX and mosquitto-go-auth document that they ask it; many clients at once, slow ones, slow passwords; start and end of the service."""
import base64
import hashlib
import http.client
import json
import os
import selectors
import signal
import socket
import unittest
import urllib.parse

from mosquitto_fixture import PATIENCE, free_port
from sluice_fixture import Service, wait_until
from test_listen import Client

POLICIES = """
policies:
  - policyName: lamps
    policyDocument:
      Version: "2012-10-17"
      Statement:
        - { Effect: Allow, Action: "iot:Connect", Resource: "arn:aws:iot:*:*:client/lamp-*" }
        - { Effect: Allow, Action: ["iot:Publish", "iot:Receive"], Resource: "arn:aws:iot:*:*:topic/lamp/${iot:ClientId}/*" }
        - { Effect: Deny, Action: "iot:Receive", Resource: "arn:aws:iot:*:*:topic/lamp/*/secret" }
        - { Effect: Allow, Action: "iot:Publish", Resource: "arn:aws:iot:*:*:topic/name/${iot:Certificate.Subject.CommonName}" }
        - { Effect: Allow, Action: "iot:RetainPublish", Resource: "arn:aws:iot:*:*:topic/lamp/*/kept" }
        - { Effect: Allow, Action: "iot:Subscribe", Resource: "arn:aws:iot:*:*:topicfilter/lamp/${iot:ClientId}/#" }
    attachedTo: { userName: anna }
"""
RULE = """
ruleName: stuck
sql: SELECT * FROM 'a'
actions: [ { http: { url: "http://127.0.0.1:%d/" } } ]
"""
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
EMQX = "/auth/emqx/"
GO = "/auth/mosquitto-go-auth/"
ALLOW = {"result": "allow", "is_superuser": False}
SLOW = 100000  # iterations: the most that a password file may ask


def password_line(name, password, iterations):
    salt = b"0123456789ab"
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations)
    return f"{name}:$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n"


USERS = password_line("anna", "secret", 101) + password_line("slow", "secret", SLOW)


def deny(reason="refused by policies"):
    return {"result": "deny", "is_superuser": False, "reason": reason}


class Asked(unittest.TestCase):
    def started(self, admin="", more="", files=None, rule_port=1, mode="enforce"):
        self.port, self.mqtt_port = free_port(), free_port()
        conf = (f'sources: [ {{ listen: {{ address: "127.0.0.1:{self.mqtt_port}", allowAnonymous: true }} }} ]\nrules: [r.yaml]\n{more}\n'
                f'admin: {{ listen: "127.0.0.1:{self.port}"{admin} }}\npolicies: {{ files: [p.yaml], mode: {mode} }}\n')
        self.service = self.enterContext(Service({"sluice.yaml": conf, "r.yaml": RULE % rule_port, "p.yaml": POLICIES, "users": USERS, **(files or {})}))
        self.service.start()
        self.service.wait_log("running 1 rule")

    def ask(self, method, path, body=None, content_type=JSON, headers=None):
        """(status, fields, body) of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        self.addCleanup(connection.close)
        fields = {"Content-Type": content_type} if body is not None else {}
        connection.request(method, path, body if isinstance(body, str) or body is None else json.dumps(body), {**fields, **(headers or {})})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, answer.headers, text

    def json(self, *arguments, **more):
        status, fields, text = self.ask(*arguments, **more)
        self.assertEqual(fields["Content-Type"], JSON)
        return status, json.loads(text)


class DocumentedTest(Asked):
    def test_emqx_authentication(self):
        """docs.emqx.com, "Use HTTP Service" of authentication: a POST whose url names the client, and a GET whose query says all."""
        self.started(", passwordFile: users")
        source = {"X-Request-Source": "EMQX"}
        good = {"username": "anna", "password": "secret"}
        self.assertEqual(self.json("POST", EMQX + "authenticate?clientid=lamp-1", good, headers=source), (200, ALLOW))
        query = urllib.parse.urlencode({"clientid": "lamp-1", **good})
        self.assertEqual(self.json("GET", f"{EMQX}authenticate?{query}", headers=source), (200, ALLOW))
        whole = {**good, "clientid": "lamp-1", "peerhost": "127.0.0.1", "cert_subject": "", "cert_common_name": "", "zone": "default"}
        self.assertEqual(self.json("POST", EMQX + "authenticate", whole), (200, ALLOW))
        for change, reason in (({"password": "wrong"}, "user name or password do not fit"), ({"username": "nobody"}, "user name or password do not fit"),
                               ({"username": ""}, "user name or password do not fit"), ({"password": None}, "user name or password do not fit"),
                               ({"clientid": "fan"}, "refused by policies"), ({"clientid": ""}, '"clientid" is missing')):
            with self.subTest(change):
                self.assertEqual(self.json("POST", EMQX + "authenticate", {**whole, **change}), (200, deny(reason)))

    def test_emqx_authorization(self):
        """docs.emqx.com, "Use HTTP Service" of authorization; every placeholder comes as text."""
        self.started()
        path = EMQX + "authorize"
        asked = {"username": "anna", "topic": "lamp/lamp-1/t", "action": "publish"}
        self.assertEqual(self.json("POST", path + "?clientid=lamp-1", asked, headers={"X-Request-Source": "EMQX"}), (200, ALLOW))
        self.assertEqual(self.json("POST", path + "?clientid=lamp-2", asked), (200, deny()))
        self.assertEqual(self.json("POST", path + "?clientid=lamp-1", {**asked, "clientid": "lamp-1"}), (200, deny('"clientid" is given twice')))
        whole = {**asked, "clientid": "lamp-1", "peerhost": "127.0.0.1", "proto_name": "MQTT", "mountpoint": "", "access": "2", "qos": "1", "retain": "false"}
        for change, expected in (({}, ALLOW), ({"retain": "true"}, deny()), ({"retain": "true", "topic": "lamp/lamp-1/kept"}, ALLOW),
                                 ({"action": "subscribe", "topic": "lamp/lamp-1/#"}, ALLOW), ({"action": "subscribe", "topic": "lamp/+/t"}, deny()),
                                 ({"topic": "lamp/lamp-1/ä ß+&=#%"}, ALLOW), ({"username": "bert"}, deny()), ({"topic": "name/x"}, deny()),
                                 ({"topic": "name/x", "cert_common_name": "x"}, ALLOW), ({"topic": "name/undefined", "cert_common_name": "undefined"}, deny())):
            with self.subTest(change):
                self.assertEqual(self.json("POST", path, {**whole, **change}), (200, expected))
                self.assertEqual(self.json("POST", path, urllib.parse.urlencode({**whole, **change}), FORM), (200, expected))
                self.assertEqual(self.json("GET", f"{path}?" + urllib.parse.urlencode({**whole, **change}, quote_via=urllib.parse.quote)), (200, expected))

    def test_mosquitto_go_auth(self):
        """README of mosquitto-go-auth, "HTTP": params modes json and form, response modes status, json and text; backends/http.go: GET and PUT."""
        self.started(", passwordFile: users")
        user = {"username": "anna", "password": "secret", "clientid": "lamp-1"}
        acl = {"username": "anna", "clientid": "lamp-1", "topic": "lamp/lamp-1/t", "acc": 1}
        cases = [("user", user, True), ("user", {**user, "password": "wrong"}, False), ("user", {**user, "clientid": "fan"}, False),
                 ("superuser", {"username": "anna"}, False)]
        cases += [("acl", {**acl, "acc": acc}, True) for acc in (1, 2, 3)]
        cases += [("acl", {**acl, "acc": 4, "topic": "lamp/lamp-1/#"}, True), ("acl", {**acl, "acc": 4}, False), ("acl", {**acl, "acc": 4, "topic": "#"}, False),
                  ("acl", {**acl, "acc": 2, "topic": "lamp/lamp-1/secret"}, True), ("acl", {**acl, "acc": 1, "topic": "lamp/lamp-1/secret"}, False),
                  ("acl", {**acl, "acc": 3, "topic": "lamp/lamp-1/secret"}, False), ("acl", {**acl, "username": ""}, False)]
        for path, asked, ok in cases:
            for method, body, kind in (("POST", asked, JSON), ("POST", urllib.parse.urlencode(asked), FORM), ("PUT", asked, JSON), ("GET", asked, JSON)):
                with self.subTest(path=path, asked=asked, method=method, kind=kind):
                    status, answer = self.json(method, GO + path, body, kind)
                    self.assertEqual((status, answer["ok"], bool(answer["error"])), (200 if ok else 403, ok, not ok))
                    status, fields, text = self.ask(method, GO + path + "?response=text", body, kind)
                    self.assertEqual((status, text == b"ok"), (200 if ok else 403, ok))
                    self.assertEqual(fields["Content-Type"], "text/plain; charset=utf-8")

    def test_nanomq(self):
        """src/sp/protocol/mqtt/auth_http.c of NanoNNG: the status decides, and a form holds names as they are. So docs/beside-your-broker.md says JSON."""
        self.started()
        for client, user, status in (("lamp-1", "anna", 200), ("fan", "anna", 403), ("lamp-1", "bert", 403), ("lamp-1&username=anna", "bert", 403),
                                     ("lamp-1&username=anna", None, 403)):
            with self.subTest(client=client, user=user):
                asked = {"clientid": client, "password": "", "peerhost": "192.0.2.7", **({"username": user} if user else {})}
                self.assertEqual(self.ask("POST", GO + "user", asked)[0], status)
                self.assertEqual(self.ask("POST", EMQX + "authenticate", asked)[0], 200)  # whatever the answer: it is no place for NanoMQ
        for body, status in (("clientid=lamp-1&username=anna&username=bert&password=", 400), ("clientid=lamp-1&username=anna&password=", 200)):
            self.assertEqual(self.ask("POST", GO + "user", body, FORM)[0], status)

    def test_audit(self):
        self.started(", passwordFile: users", mode="audit")
        asked = {"clientid": "lamp-1", "username": "anna", "topic": "other", "action": "publish"}
        self.assertEqual(self.json("POST", EMQX + "authorize", asked), (200, ALLOW))
        self.service.wait_log("policies would refuse this")
        self.assertEqual(self.json("POST", EMQX + "authenticate", {**asked, "password": "x"}), (200, deny("user name or password do not fit")))

    def test_basic_token(self):
        self.started(", token: \"${file:token}\"", files={"token": "0123456789abcdef\n"})
        path, asked = EMQX + "authorize?clientid=lamp-1", {"username": "anna", "topic": "lamp/lamp-1/t", "action": "publish"}
        basic = lambda text: "Basic " + base64.b64encode(text.encode()).decode()
        for given in basic("0123456789abcdef"), basic("x:"), basic("x:0123456789abcdeF"), basic("0123456789abcdef:x"), "Basic !!", "Digest 0123456789abcdef":
            self.assertEqual(self.ask("POST", path, asked, headers={"Authorization": given})[0], 401)
        for given in basic("emqx:0123456789abcdef"), basic(":0123456789abcdef"), "Bearer 0123456789abcdef":
            self.assertEqual(self.json("POST", path, asked, headers={"Authorization": given, "Host": "sluice.example"}), (200, ALLOW))

    def test_names_of_strangers(self):
        """A page of a browser on this machine gives its own name our address."""
        self.started()
        self.assertEqual(self.json("GET", "/health", headers={"Host": f"evil.example:{self.port}"})[0], 421)
        for host in "localhost:80", "127.0.0.1", "[::1]:80":
            self.assertEqual(self.json("GET", "/health", headers={"Host": host})[0], 200)

    def test_what_is_no_http(self):
        self.started()
        for sent in (b"\x10\x10\x00\x04MQTT\x05\x02\x00\x00\x00", b"GET\r\n\r\n", b"GET /" + b"x" * 70000, b"GET /health HTTP/1.1\r\n" + b"A: b\r\n" * 20000,
                     b"POST /auth/emqx/authorize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n", os.urandom(2000)):
            with self.subTest(sent[:20]), socket.create_connection(("127.0.0.1", self.port), PATIENCE) as s:
                try:
                    s.sendall(sent)
                    s.shutdown(socket.SHUT_WR)
                    answer = s.recv(100)
                except OSError:
                    answer = b""
                self.assertNotIn(b" 200 ", answer)
            self.assertEqual(self.json("GET", "/health")[0], 200)
        many = "&".join(f"x{i}=1" for i in range(100))
        self.assertEqual(self.json("GET", f"{EMQX}authorize?{many}")[1]["result"], "deny")
        self.assertEqual(self.json("GET", f"{GO}acl?{many}")[0], 413)

    def test_endless_body(self):
        """Past what is refused anyway, the connection is closed."""
        self.started()
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as s:
            s.sendall(b"POST /auth/emqx/authorize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
            with self.assertRaises((ConnectionResetError, BrokenPipeError)):
                for _ in range(100000):
                    s.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        self.assertEqual(self.json("GET", "/health")[0], 200)


class LoadTest(Asked):
    def send(self, request, count):
        """`count` connections that have sent the request, in a selector."""
        selector = selectors.DefaultSelector()
        self.addCleanup(selector.close)
        for i in range(count):
            s = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
            self.addCleanup(s.close)
            s.sendall(request(i))
            selector.register(s, selectors.EVENT_READ, [b"", i])
        return selector

    def post(self, path, body):
        text = json.dumps(body).encode()
        return (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n"
                "Connection: close\r\n\r\n").encode() + text

    def receive(self, selector, until=0):
        """Read until all but `until` connections have ended. {number: answer}"""
        answers = {}
        while len(selector.get_map()) > until:
            ready = selector.select(PATIENCE)
            self.assertTrue(ready, f"{len(selector.get_map())} were not answered")
            for key, _ in ready:
                try:
                    data = key.fileobj.recv(65536)
                except ConnectionResetError:
                    data = b""
                key.data[0] += data
                if not data:
                    answers[key.data[1]] = key.data[0]
                    selector.unregister(key.fileobj)
        return answers

    def slow_login(self, password="secret", client="lamp-1"):
        return self.post(EMQX + "authenticate", {"clientid": client, "username": "slow", "password": password})

    def test_a_thousand_at_once(self):
        self.started(", passwordFile: users")

        def request(i):
            if i % 10 == 0:
                return self.post(EMQX + "authenticate", {"clientid": f"lamp-{i}", "username": "anna", "password": "secret" if i % 20 else "wrong"})
            return self.post(EMQX + "authorize", {"clientid": f"lamp-{i}", "username": "anna", "topic": f"lamp/lamp-{i if i % 2 else 0}/t", "action": "publish"})

        answers = self.receive(self.send(request, 1000))
        self.assertEqual(len(answers), 1000)
        for i, answer in answers.items():
            head, _, body = answer.partition(b"\r\n\r\n")
            self.assertTrue(head.startswith(b"HTTP/1.1 200 "), answer)
            ok = bool(i % 20) if i % 10 == 0 else bool(i % 2)
            self.assertEqual(json.loads(body)["result"], "allow" if ok else "deny", (i, answer))
        self.assertEqual(self.service.stop(), 0)

    def test_one_connection_kept(self):
        self.started(", passwordFile: users")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        self.addCleanup(connection.close)
        for i in range(2000):
            who = {"clientid": "lamp-1", "username": "anna"}
            asked = {**who, "password": "secret" if i % 2 else "x"} if i % 3 else {**who, "topic": f"lamp/lamp-{i % 2}/t", "action": "publish"}
            connection.request("POST", EMQX + ("authenticate" if i % 3 else "authorize"), json.dumps(asked), {"Content-Type": JSON})
            self.assertEqual(json.loads(connection.getresponse().read())["result"], "allow" if i % 2 else "deny")

    def test_slow_clients(self):
        """Half a request hinders nobody and is cut off; with every connection taken, the next one waits for that."""
        self.started()
        half = lambda i: b"POST /auth/emqx/authorize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"[: 40 + i % 70]
        selector = self.send(half, 300)
        self.assertEqual(self.json("GET", "/health")[0], 200)
        self.assertFalse(any(b" 200 " in answer for answer in self.receive(selector).values()))

    def test_slow_passwords_hold_nobody_up(self):
        self.started(", passwordFile: users")
        count = 30
        selector = self.send(lambda i: self.slow_login("secret" if i % 2 else "wrong"), count)
        answers = self.receive(selector, until=count - 1)
        passed = 0
        for _ in range(20):
            self.assertEqual(self.json("POST", EMQX + "authorize?clientid=lamp-1", {"username": "anna", "topic": "lamp/lamp-1/t", "action": "publish"}), (200, ALLOW))
            passed += len(selector.get_map()) > len(selector.select(0))
        self.assertGreater(passed, 0, "the others were answered only after all passwords")
        answers |= self.receive(selector)
        results = [json.loads(answers[i].partition(b"\r\n\r\n")[2])["reason"] for i in range(count)]
        self.assertEqual(results, ["user name or password do not fit", "refused by policies"] * (count // 2))

    def test_clients_that_go_while_passwords_wait(self):
        self.started(", passwordFile: users")
        selector = self.send(lambda i: self.slow_login(), 10)
        for key in list(selector.get_map().values()):
            key.fileobj.close()
        self.assertEqual(self.json("GET", "/health")[0], 200)
        self.assertEqual(self.json("POST", EMQX + "authenticate", {"clientid": "lamp-1", "username": "anna", "password": "secret"}), (200, ALLOW))
        self.assertEqual(self.service.stop(), 0)

    def test_end_while_passwords_wait(self):
        self.started(", passwordFile: users")
        selector = self.send(lambda i: self.slow_login(), 40)
        self.receive(selector, until=39)
        self.assertEqual(self.service.stop(), 0)
        self.assertFalse(any(b'"allow"' in answer for answer in self.receive(selector).values()))


class LifeTest(Asked):
    def test_restart_on_the_same_port(self):
        self.started()
        for count in 2, 3, 4:
            self.assertEqual(self.json("GET", "/health")[0], 200)
            self.assertEqual(self.service.stop(), 0)
            with self.assertRaises(ConnectionRefusedError):
                self.ask("GET", "/health")
            self.service.start()
            self.service.wait_log("running 1 rule", count)

    def test_draining(self):
        """While a message is not final, /health says so and brokers are answered."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            self.started(", passwordFile: users", rule_port=silent.getsockname()[1], more="drainTimeout: 1h", mode="audit")
            with Client(self.mqtt_port, "lamp-1") as lamp:
                lamp.publish("a", "{}")
                connection, _ = silent.accept()
                with connection:
                    self.service.process.send_signal(signal.SIGTERM)
                    wait_until(lambda: self.json("GET", "/health") == (503, {"status": "draining"}), "draining")
                    self.assertEqual(self.json("POST", EMQX + "authenticate", {"clientid": "lamp-1", "username": "anna", "password": "secret"}), (200, ALLOW))
                    self.service.process.send_signal(signal.SIGTERM)
                    self.assertEqual(self.service.wait(), 1)
        with self.assertRaises(ConnectionRefusedError):
            self.ask("GET", "/health")


if __name__ == "__main__":
    unittest.main()
