# SPDX-License-Identifier: Apache-2.0
"""The admin interface of a running service: health, what brokers ask, token, odd requests, many at once."""
import concurrent.futures
import http.client
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import unittest
import urllib.parse

from sluice_fixture import SLUICE, Service
from test_listen import RULE, free_port

POLICIES = """
policies:
  - policyName: lamps
    policyDocument:
      Version: "2012-10-17"
      Statement:
        - { Effect: Allow, Action: "iot:Connect", Resource: "arn:aws:iot:*:*:client/${iot:ClientId}" }
        - { Effect: Allow, Action: "iot:Publish", Resource: "arn:aws:iot:*:*:topic/lamp/${iot:ClientId}/*" }
        - { Effect: Allow, Action: "iot:RetainPublish", Resource: "arn:aws:iot:*:*:topic/lamp/*/kept" }
        - { Effect: Allow, Action: "iot:Subscribe", Resource: "arn:aws:iot:*:*:topicfilter/all/#" }
        - { Effect: Allow, Action: "iot:Receive", Resource: "arn:aws:iot:*:*:topic/all/*" }
    attachedTo: { clientId: "lamp-*" }
  - policyName: annas
    policyDocument:
      Version: "2012-10-17"
      Statement: { Effect: Allow, Action: "iot:Publish", Resource: "arn:aws:iot:*:*:topic/anna" }
    attachedTo: { userName: anna }
  - policyName: office
    policyDocument:
      Version: "2012-10-17"
      Statement:
        Effect: Allow
        Action: "iot:Connect"
        Resource: "*"
        Condition: { IpAddress: { "aws:SourceIp": "192.0.2.0/24" } }
    attachedTo: { clientId: "desk" }
"""
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
EMQX = "/auth/emqx/"
GO = "/auth/mosquitto-go-auth/"


class Administered(unittest.TestCase):
    def started(self, options="", policies=POLICIES, host="127.0.0.1"):
        self.port = free_port()
        self.host = host
        more = "policies: { files: [p.yaml] }\n" if policies else ""
        conf = (f'sources: [ {{ listen: {{ address: "127.0.0.1:{free_port()}", allowAnonymous: true }} }} ]\nrules: [r.yaml]\n{more}'
                f'admin: {{ listen: "{host}:{self.port}" {options} }}\n')
        self.service = self.enterContext(Service({"sluice.yaml": conf, "r.yaml": RULE, "p.yaml": policies or ""}))
        self.service.start()
        self.service.wait_log("running 1 rule")
        return self.service

    def passwords(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-admin-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        subprocess.run([SLUICE, "passwd", folder / "users", "anna"], input="secret\n", text=True, check=True)
        return folder / "users"

    def request(self, method, path, body=None, headers=None):
        """Status, headers, body read as JSON."""
        connection = http.client.HTTPConnection(self.host.strip("[]"), self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            text = response.read()
            self.assertEqual(response.headers["Content-Type"], JSON)
            return response.status, response.headers, json.loads(text) if text else None
        finally:
            connection.close()

    def ask(self, path, as_form=False, **members):
        body = urllib.parse.urlencode(members) if as_form else json.dumps(members)
        status, _, answer = self.request("POST", path, body, {"Content-Type": FORM if as_form else JSON})
        return status, answer


class AdminTest(Administered):
    def assert_emqx(self, allowed, path, **members):
        for as_form in False, True:
            with self.subTest(path=path, as_form=as_form, **members):
                status, answer = self.ask(EMQX + path, as_form, **members)
                self.assertEqual((status, answer["result"], answer["is_superuser"]), (200, "allow" if allowed else "deny", False))

    def assert_go(self, allowed, path, **members):
        for as_form in False, True:
            with self.subTest(path=path, as_form=as_form, **members):
                status, answer = self.ask(GO + path, as_form, **members)
                self.assertEqual((status, answer["ok"], answer["error"] == ""), (200 if allowed else 403, allowed, allowed))

    def test_health(self):
        service = self.started(policies=None)
        status, headers, body = self.request("GET", "/health")
        self.assertEqual((status, body, headers["Cache-Control"]), (200, {"status": "running"}, "no-store"))
        self.assertEqual(self.request("HEAD", "/health")[0], 200)
        lamp = {"clientid": "lamp-1", "topic": "a", "action": "publish", "acc": 1}
        for path in EMQX + "authenticate", EMQX + "authorize":
            self.assertEqual(self.ask(path, **lamp), (200, {"result": "deny", "is_superuser": False, "reason": "no policies are configured"}))
        for path in GO + "user", GO + "acl":
            self.assertEqual(self.ask(path, **lamp), (403, {"ok": False, "error": "no policies are configured"}))
        self.assertEqual(service.stop(), 0)

    def test_ipv6(self):
        self.started(host="[::1]")
        self.assertEqual(self.request("GET", "/health")[0], 200)

    def test_emqx_authenticate(self):
        self.started()
        client = {"username": "", "password": "", "peerhost": "198.51.100.1"}
        self.assert_emqx(True, "authenticate", clientid="lamp-1", **client)
        self.assert_emqx(False, "authenticate", clientid="fan", **client)
        self.assert_emqx(False, "authenticate", clientid="desk", **client)
        self.assert_emqx(True, "authenticate", clientid="desk", **client | {"peerhost": "192.0.2.7"})

    def test_emqx_authorize(self):
        self.started()
        lamp = {"clientid": "lamp-1", "username": "", "peerhost": "192.0.2.7", "qos": "1"}
        for allowed, action, topic, retain in (
            (True, "publish", "lamp/lamp-1/a", "false"), (False, "publish", "lamp/lamp-2/a", "false"), (False, "publish", "lamp/lamp-1/a", "true"),
            (True, "publish", "lamp/lamp-1/kept", "true"), (True, "subscribe", "all/#", "false"), (False, "subscribe", "#", "false"),
            (False, "publish", "anna", "false"), (False, "unsubscribe", "all/#", "false"), (False, "publish", "lamp/lamp-1/a", "perhaps"),
        ):
            self.assert_emqx(allowed, "authorize", **lamp, action=action, topic=topic, retain=retain)
        self.assert_emqx(True, "authorize", **lamp | {"username": "anna"}, action="publish", topic="anna", retain="false")

    def test_mosquitto_go_auth(self):
        self.started()
        self.assert_go(True, "user", username="", password="", clientid="lamp-1")
        self.assert_go(False, "user", username="", password="", clientid="fan")
        self.assert_go(False, "superuser", username="anna")
        for allowed, topic, acc in ((True, "all/a", 1), (False, "other", 1), (True, "lamp/lamp-1/a", 2), (False, "lamp/lamp-2/a", 2),
                                    (False, "all/a", 3), (True, "all/#", 4), (False, "#", 4), (False, "all/#", 8), (False, "all/a", -1)):
            self.assert_go(allowed, "acl", username="", clientid="lamp-1", topic=topic, acc=acc)
        self.assert_go(True, "acl", username="anna", clientid="fan", topic="anna", acc=2)

    def test_passwords(self):
        self.started(f", passwordFile: {self.passwords()}")
        for allowed, user, password in (True, "anna", "secret"), (False, "anna", "Secret"), (False, "bert", "secret"), (False, "", ""):
            self.assert_go(allowed, "user", username=user, password=password, clientid="lamp-1")
            self.assert_emqx(allowed, "authenticate", username=user, password=password, clientid="lamp-1", peerhost="192.0.2.7")
        self.assert_go(False, "user", username="anna", password="secret", clientid="fan")
        self.assertNotIn("secret", "\n".join(self.service.log))

    def test_changed_policies(self):
        service = self.started()
        self.assert_go(False, "acl", username="", clientid="lamp-1", topic="new", acc=2)
        service.write("p.yaml", POLICIES.replace("topic/lamp/${iot:ClientId}/*", "topic/new"))
        service.wait_log("policies reloaded")
        self.assert_go(True, "acl", username="", clientid="lamp-1", topic="new", acc=2)

    def test_odd_bodies(self):
        self.started()
        deep = "[" * 1000
        for content_type, body in ((JSON, ""), (JSON, "{"), (JSON, "[]"), (JSON, '{"clientid":"lamp-1"} x'), (JSON, '{"clientid":["lamp-1"]}'),
                                   (JSON, '{"clientid":"fan","clientid":"lamp-1"}'), (JSON, '{"clientid":"lamp-1\\u0000"}'), (JSON, b'{"clientid":"\xff"}'),
                                   (JSON, '{"x":' + deep), (FORM, "clientid=%"), (FORM, "clientid=lamp-1&clientid=lamp-1"), (FORM, "clientid=lamp-1%00"),
                                   (FORM, '{"clientid":"lamp-1"}'), (JSON, "clientid=lamp-1")):
            with self.subTest(body=body[:60]):
                status, _, answer = self.request("POST", EMQX + "authenticate", body, {"Content-Type": content_type})
                self.assertEqual((status, answer["result"]), (200, "deny"))
                status, _, answer = self.request("POST", GO + "user", body, {"Content-Type": content_type})
                self.assertIn(status, (400, 403))
                self.assertIs(answer["ok"], False)

    def test_odd_requests(self):
        self.started()
        self.assertEqual(self.request("GET", "/")[0], 404)
        self.assertEqual(self.request("POST", "/auth/emqx/../../health", "{}")[0], 404)
        for method, path, allow in ("POST", "/health", "GET, HEAD"), ("PUT", EMQX + "authorize", "GET, HEAD, POST"), ("PATCH", GO + "acl", "GET, HEAD, POST, PUT"):
            status, headers, _ = self.request(method, path)
            self.assertEqual((status, headers["Allow"]), (405, allow))
        for content_type in "text/plain", "application/xml", "multipart/form-data":
            self.assertEqual(self.request("POST", GO + "user", "{}", {"Content-Type": content_type})[0], 415)
        self.assertEqual(self.request("POST", GO + "user", "{}")[0], 415)
        self.assertEqual(self.request("POST", GO + "user", b"{}" + b" " * 65534, {"Content-Type": JSON})[0], 403)
        for body in b" " * 65537, b" " * 1000000, iter([b" " * 40000, b" " * 40000]):  # the last one chunked
            self.assertEqual(self.request("POST", GO + "user", body, {"Content-Type": JSON})[0], 413)
        status, _, answer = self.request("POST", EMQX + "authorize", b" " * 65537, {"Content-Type": JSON})
        self.assertEqual((status, answer["result"]), (200, "deny"))
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as raw:
            raw.sendall(b"POST /auth/mosquitto-go-auth/user HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 999999999\r\n\r\n")
            self.assertTrue(raw.recv(4096).startswith(b"HTTP/1.1 413 "))
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as raw:
            raw.sendall(b"\x16\x03\x01\x00\x05hello\r\n\r\n")
            raw.recv(4096)
        self.assertEqual(self.request("GET", "/health")[0], 200)

    def test_token(self):
        service = self.started(", token: a-secret")
        for headers in {}, {"Authorization": "Bearer a-secreT"}, {"Authorization": "Bearer a-secre"}, {"Authorization": "Basic a-secret"}:
            for method, path in ("GET", "/health"), ("GET", "/nothing"), ("POST", GO + "user"):
                status, answer, _ = self.request(method, path, headers=headers)
                self.assertEqual((status, answer.get_all("WWW-Authenticate")), (401, ["Bearer", 'Basic realm="sluice"']))
        self.assertEqual(self.request("GET", "/health", headers={"Authorization": "Bearer a-secret"})[0], 200)
        self.assertNotIn("a-secret", "\n".join(service.log))

    def test_taken_port(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            conf = f'sources: [ {{ mqtt: {{ url: "mqtt://127.0.0.1:1" }} }} ]\nrules: [r.yaml]\nadmin: {{ listen: "127.0.0.1:{other.getsockname()[1]}" }}\n'
            with Service({"sluice.yaml": conf, "r.yaml": RULE}) as service:
                service.start()
                self.assertNotEqual(service.wait(), 0)
                log = "\n".join(service.log)
                self.assertIn("sluice.yaml:3:18: error: could not listen on 127.0.0.1, port ", log)
                self.assertIn("Address already in use", log)
                self.assertNotIn("running 1 rule", log)

    def test_many_at_once(self):
        service = self.started(f", passwordFile: {self.passwords()}")

        def one(n):
            if n % 2:
                return self.ask(GO + "acl", n % 4 == 1, username="anna", clientid=f"lamp-{n}", topic=f"lamp/lamp-{n - n % 3 // 2}/a", acc=2)[0]
            return self.ask(GO + "user", username="anna", password="secret", clientid=f"lamp-{n}" if n % 3 < 2 else f"fan-{n}")[0]

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            codes = list(pool.map(one, range(500)))
        self.assertEqual(codes, [403 if n % 3 == 2 else 200 for n in range(500)])
        self.assertEqual(service.stop(), 0)


if __name__ == "__main__":
    unittest.main()
