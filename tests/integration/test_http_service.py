# SPDX-License-Identifier: Apache-2.0
"""The whole service between a real Mosquitto and HTTP servers: fan-out, servers that are away, slow or wrong, error actions, secrets."""
import base64
import json
import os
import signal
import threading
import time
import unittest
import unittest.mock

from http_fixture import ACCEPTED, Answer, HttpServer, LambdaServer
from mosquitto_fixture import LOSSLESS, Mosquitto, free_port
from sluice_fixture import Service, read_ndjson, wait_until

SECRET = "s3cr3t-that-must-not-show"
KEY_ID, KEY = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
AWAY_S = 10  # how long a server is away

RULE = """
ruleName: {name}
sql: SELECT topic(2) AS site, n FROM 'plant/+/t'
actions:
{actions}
"""


class Case(unittest.TestCase):
    def setUp(self):
        self.broker = self.enterContext(Mosquitto(LOSSLESS))
        self.enterContext(unittest.mock.patch.dict(os.environ, {"AWS_ACCESS_KEY_ID": "", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}))

    def server(self, answer=None, kind=HttpServer, **how):
        return self.enterContext(kind(answer, **how) if kind is HttpServer else kind(**how))

    def files(self, rules, connections=""):
        conf = f"""
sources: [ {{ mqtt: {{ url: "mqtt://127.0.0.1:{self.broker.port}", clientId: sluice-test }} }} ]
connections: {{ {connections} }}
rules: [rules/]
retry: {{ min: 50ms, max: 500ms }}
drainTimeout: 30s
deadLetters: {{ path: dead.ndjson }}
statsFile: stats.json
"""
        return {"sluice.yaml": conf, **{f"rules/{name}.yaml": RULE.format(name=name, actions=actions) for name, actions in rules.items()}}

    def started(self, rules, connections=""):
        service = self.enterContext(Service(self.files(rules, connections)))
        service.start()
        service.wait_log("subscribed to")
        return service

    def publish(self, sites, numbers):
        """Each number to each site, in order."""
        for site in sites:
            self.broker.publish_lines(f"plant/{site}/t", [json.dumps({"n": n}) for n in numbers])


    def assert_all_in_order(self, bodies, sites, numbers):
        """At least once each, and in order per site (the key)."""
        for site in sites:
            got = [body["n"] for body in bodies if body["site"] == site]
            self.assertEqual(list(dict.fromkeys(got)), list(numbers), site)


class FanOutTest(Case):
    def test_http_lambda_and_error_action(self):
        api, errors = self.server(lambda request: Answer(422, b"no") if request.json["n"] == 2 else Answer()), self.server()
        functions = self.server(kind=LambdaServer, key_id=KEY_ID, secret=KEY)
        functions.functions["hello"] = ACCEPTED
        service = self.started({
            "api": f"""
  - http: {{ url: "/things/${{topic(2)}}", connection: api, headers: [ {{ key: x-topic, value: "${{topic()}}" }} ] }}
errorAction:
  http: {{ url: "{errors.url}/errors/${{topic(2)}}" }}
""",
            "fn": """
  - lambda: { functionArn: "arn:aws:lambda:eu-west-1:123456789012:function:${f}" }
errorAction:
  lambda: { functionArn: hello:errors }
""",
        }, f"""api: {{ http: {{ url: "{api.url}/v1", auth: {{ bearer: {{ token: "{SECRET}" }} }} }} }},
                fn: {{ lambda: {{ endpoint: "{functions.url}", region: eu-west-1, credentials: {{ accessKeyId: {KEY_ID}, secretAccessKey: "{KEY}" }} }} }}""")
        for n, function in enumerate(("hello", "hello:7", "gone", "a/b")):
            self.broker.publish("plant/7/t", json.dumps({"n": n, "f": function}), qos=1)
        wait_until(lambda: len(api.requests) == 4 and len(errors.requests) == 1 and len(functions.invoked) == 4, "all requests")
        self.assertEqual(service.stop(), 0, "\n".join(service.log))
        self.assertEqual([(r.path, r.headers["x-topic"], r.json) for r in api.requests],
                         [("/v1/things/7", "plant/7/t", {"site": "7", "n": n}) for n in range(4)])
        document = errors.requests[0].json
        self.assertEqual((errors.requests[0].path, document["ruleName"], document["topic"]), ("/errors/7", "api", "plant/7/t"))
        self.assertEqual(json.loads(base64.b64decode(document["base64OriginalPayload"])), {"n": 2, "f": "gone"})
        self.assertEqual(document["failures"], [{"failedAction": "HttpAction", "failedResource": f"{api.url}/v1/things/7",
                                                 "errorMessage": "the server answered 422: no"}])
        self.assertEqual([(name, qualifier) for name, qualifier, _ in functions.invoked][:2], [("hello", None), ("hello", "7")])
        failures = [event["failures"][0] for _, qualifier, event in functions.invoked if qualifier == "errors"]
        self.assertEqual([f["failedAction"] for f in failures], ["LambdaAction"] * 2)
        self.assertIn("Function not found: gone", failures[0]["errorMessage"])
        self.assertTrue(failures[1]["failedResource"].endswith(":function:a/b"))
        self.assertEqual(functions.differences, [])
        rules = {rule["name"]: rule for rule in service.stats()["rules"]}
        self.assertEqual((rules["api"]["delivered"], rules["fn"]["delivered"]), (4, 4))
        self.assert_no_secret(service, SECRET, KEY)

    def assert_no_secret(self, service, *secrets):
        texts = {"log": "\n".join(service.log), "stdout": "\n".join(service.stdout)}
        texts |= {path.name: path.read_text(encoding="utf-8", errors="replace") for path in service.folder.iterdir() if path.is_file() and path.name != "sluice.yaml"}
        for name, text in texts.items():
            for secret in secrets:
                self.assertNotIn(secret, text, name)

    def test_secrets_of_the_environment_show_nowhere(self):
        """Also when everything goes wrong, and the server sends back what it was sent."""
        api = self.server(lambda request: Answer(400 if request.json["n"] % 2 else 503, str(request.headers).encode()))
        files = self.files({"api": "  - http: { url: '/x', connection: api }\nerrorAction:\n  file: { path: errors.ndjson }"},
                           f'api: {{ http: {{ url: "{api.url}", auth: {{ bearer: {{ token: "${{env:SLUICE_TEST_SECRET}}" }} }}, headers: {{ x-key: "${{env:SLUICE_TEST_SECRET}}" }} }} }}')
        with unittest.mock.patch.dict(os.environ, {"SLUICE_TEST_SECRET": SECRET}):
            service = self.enterContext(Service(files))
            for command in (["check"], ["explain", "SELECT * FROM 'a'"]):
                result = service.run(*command)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertNotIn(SECRET, result.stdout + result.stderr)
            service.write("bad.yaml", files["sluice.yaml"].replace("rules/", "bad/"))
            service.write("bad/a.yaml", RULE.format(name="a", actions="  - http: { url: 'http://${topic(2)}/', connection: api }"))
            result = service.run("check", "-c", "bad.yaml")
            self.assertEqual(result.returncode, 1)
            self.assertNotIn(SECRET, result.stdout + result.stderr)
            service.start()
            service.wait_log("subscribed to")
            self.publish("ab", range(4))
            wait_until(lambda: len(api.requests) > 10, "requests")
            api.stop()
            service.wait_log("is down")
            api.answer = lambda request: Answer(400, str(request.headers).encode())
            api.start()
            wait_until(lambda: len(read_ndjson(service.path("errors.ndjson"))) == 8, "error documents")
            self.assertEqual(service.stop(), 0)
        self.assertTrue(any(r.headers["Authorization"] == f"Bearer {SECRET}" and r.headers["x-key"] == SECRET for r in api.requests))
        self.assert_no_secret(service, SECRET)

    def test_a_secret_in_the_path_of_a_connections_url(self):
        """As those of chat services have one. What comes from the environment may be a secret, also when the server sends it back."""
        hook = self.server(lambda request: Answer(422, request.path.encode()))
        with unittest.mock.patch.dict(os.environ, {"SLUICE_TEST_SECRET": SECRET}):
            service = self.started({"r": "  - http: { connection: hook, url: '/${topic(2)}' }\nerrorAction:\n  file: { path: errors.ndjson }"},
                                   f'hook: {{ http: {{ url: "{hook.url}/services/${{env:SLUICE_TEST_SECRET}}" }} }}')
            self.publish("a", [1])
            wait_until(lambda: read_ndjson(service.path("errors.ndjson")), "the error document")
            self.assertEqual(service.stop(), 0)
        self.assertEqual(hook.requests[0].path, f"/services/{SECRET}/a")
        failure = read_ndjson(service.path("errors.ndjson"))[0]["failures"][0]
        self.assertEqual(failure["failedResource"], f"{hook.url}/***/a")
        self.assertIn("the server answered 422: ***", failure["errorMessage"])
        self.assert_no_secret(service, SECRET)


class TroubleTest(Case):
    def test_a_server_that_is_away_for_a_while(self):
        sites, numbers = [str(s) for s in range(8)], range(40)
        for kind in "http", "lambda":
            with self.subTest(kind):
                if kind == "http":
                    server = self.server()
                    action, connections, got = f"  - http: {{ url: \"{server.url}/${{topic(2)}}\" }}", "", server.bodies
                else:
                    server = self.server(kind=LambdaServer, key_id=KEY_ID, secret=KEY)
                    server.functions["f"] = ACCEPTED
                    action = "  - lambda: { functionArn: f }"
                    connections = f'fn: {{ lambda: {{ endpoint: "{server.url}", credentials: {{ accessKeyId: {KEY_ID}, secretAccessKey: "{KEY}" }} }} }}'
                    got = lambda: [event for _, _, event in list(server.invoked)]
                service = self.started({"r": action}, connections)
                self.publish(sites, numbers[:10])
                wait_until(lambda: len(got()) == 80, "the first messages")
                server.stop()
                self.publish(sites, numbers[10:20])
                service.wait_log("is down")
                time.sleep(AWAY_S)
                self.publish(sites, numbers[20:30])
                server.start()
                self.publish(sites, numbers[30:])
                wait_until(lambda: len({(b["site"], b["n"]) for b in got()}) == 320, "all messages")
                self.assertEqual(service.stop(), 0)
                self.assert_all_in_order(got(), sites, numbers)
                self.assertEqual(read_ndjson(service.path("dead.ndjson")), [])
                rule = service.stats()["rules"][0]
                self.assertEqual((rule["matched"], rule["delivered"], rule["inFlight"]), (320, 320, 0))
                self.assertLess(sum("is down" in line for line in service.log), 10)
                with self.subTest("one pause for all"):
                    self.assertLess(len(service.log), 60)

    def test_a_stop_does_not_wait_for_a_server_that_hangs(self):
        """Neither a second SIGTERM nor the end of drainTimeout does, although the requests have much longer."""
        hang = threading.Event()
        self.addCleanup(hang.set)
        for kind in "http", "lambda":
            if kind == "http":
                server = self.server(lambda request: Answer(wait=hang) if request.json["n"] else Answer())
                action, connections = "  - http: { url: /, connection: c }", f'c: {{ http: {{ url: "{server.url}", timeout: 5m }} }}'
            else:
                server = self.server(kind=LambdaServer)
                server.functions["f"] = lambda request: Answer(202, wait=hang if request.json["n"] else None)
                action, connections = "  - lambda: { functionArn: f }", f'c: {{ lambda: {{ endpoint: "{server.url}", timeout: 5m }} }}'
            for ending in "second SIGTERM", "drainTimeout":
                with self.subTest(f"{kind}, {ending}"):
                    files = self.files({"r": action}, connections)
                    # A session of its own: what is not delivered here comes again.
                    files["sluice.yaml"] = files["sluice.yaml"].replace("clientId: sluice-test", f"clientId: {kind}-{ending[0]}")
                    if ending == "drainTimeout":
                        files["sluice.yaml"] = files["sluice.yaml"].replace("drainTimeout: 30s", "drainTimeout: 300ms")
                    with Service(files) as service:
                        self.stop_while_a_server_hangs(service, server, ending)

    def stop_while_a_server_hangs(self, service, server, ending):
        asked = len(server.requests)
        service.start()
        service.wait_log("subscribed to")
        self.publish("a", range(3))
        server.wait(asked + 2)  # the first is answered, the second hangs
        wait_until(lambda: service.stats()["rules"][0]["matched"] == 3, "all to be taken")
        if ending == "second SIGTERM":
            service.process.send_signal(signal.SIGTERM)
            service.wait_log("SIGTERM: stopping")
        self.assertEqual(service.stop(patience=25), 1)
        log = "\n".join(service.log)
        self.assertEqual("stopping at once" in log, ending == "second SIGTERM", log)
        self.assertIn("2 messages were not delivered to the end, nor acknowledged: the broker sends them again", log)
        self.assertEqual((len(server.requests), service.stats()["rules"][0]["delivered"]), (asked + 2, 1))

    def test_a_storm_of_errors(self):
        """500 for two of three requests, cut connections and 429 in between: nothing is lost, order holds."""
        count, lock = [0], threading.Lock()

        def answer(request):
            with lock:
                count[0] += 1
                n = count[0]
            if n > 600:
                return Answer()
            return (Answer(500), Answer(503), Answer(), Answer(429, headers={"Retry-After": "0"}), Answer(cut="before"), Answer(body=b"xx", cut="midway"))[n % 6]

        server = self.server(answer)
        service = self.started({"r": f"  - http: {{ url: \"{server.url}/${{topic(2)}}\", enableBatching: false }}"})
        sites, numbers = [str(s) for s in range(6)], range(30)
        accepted = []
        inner = server.answer

        def recording(request):
            result = inner(request)
            if result.status == 200 and not result.cut:
                with lock:
                    accepted.append(request.json)
            return result

        server.answer = recording
        self.publish(sites, numbers)
        wait_until(lambda: len({(b["site"], b["n"]) for b in list(accepted)}) == 180, "all messages")
        self.assertEqual(service.stop(), 0)
        self.assert_all_in_order(accepted, sites, numbers)
        self.assertEqual(read_ndjson(service.path("dead.ndjson")), [])

    def test_a_slow_host_holds_up_nobody_else(self):
        patience = threading.Event()
        slow = self.server(lambda request: Answer(wait=patience))
        away = free_port()
        fast = self.server()
        service = self.started({
            "slow": f"  - http: {{ url: \"{slow.url}/\" }}",
            "away": f"  - http: {{ url: \"http://127.0.0.1:{away}/\" }}",
            "fast": f"  - http: {{ url: \"{fast.url}/\" }}",
            "file": "  - file: { path: lines.ndjson }",
        })
        self.publish("abc", range(50))
        fast.wait(150)
        wait_until(lambda: len(read_ndjson(service.path("lines.ndjson"))) == 150, "lines")
        slow.wait(3)
        self.assertEqual({b["n"] for b in slow.bodies()}, {0})  # it has answered nothing yet: one a key was sent
        self.assert_all_in_order(fast.bodies(), "abc", range(50))
        stats = service.stats()
        self.assertEqual({t["name"] for t in stats["targets"] if t["type"] == "http"}, {slow.url, fast.url, f"http://127.0.0.1:{away}"})
        patience.set()
        wait_until(lambda: len({(b["site"], b["n"]) for b in slow.bodies()}) == 150, "the slow ones")
        self.assert_all_in_order(slow.bodies(), "abc", range(50))
        service.kill()

    def test_batches(self):
        server = self.server()
        service = self.started({"r": f"  - http: {{ url: \"{server.url}/\", enableBatching: true, batchConfig: {{ maxBatchSize: 10 }} }}"})
        self.publish("ab", range(200))
        wait_until(lambda: sum(len(r.json) for r in list(server.requests)) == 400, "all messages")
        self.assertEqual(service.stop(), 0)
        for request in server.requests:
            self.assertEqual(len({b["site"] for b in request.json}), 1)  # topics do not mix
            self.assertLessEqual(len(request.json), 10)
        self.assert_all_in_order([b for r in server.requests for b in r.json], "ab", range(200))


    def test_a_bad_one_of_a_batch_alone_goes_to_the_error_action(self):
        def refuse_bad(request):
            return Answer(422, b"no") if any(body["n"] % 50 == 7 for body in request.json) else Answer()

        for across, at_top in (("false", True), ("true", False)):
            with self.subTest(batchAcrossTopics=across):
                server, errors = self.server(refuse_bad), self.server()
                service = self.started({
                    "r": f"""
  - http: {{ url: "{server.url}/", enableBatching: true, batchConfig: {{ batchAcrossTopics: {across} }} }}
errorAction:
  http: {{ url: "{errors.url}/${{topic(2)}}" }}
"""})
                self.publish("ab", range(200))
                wait_until(lambda: len(errors.requests) == 8, "error documents")
                self.assertEqual(service.stop(), 0)
                for request in errors.requests:
                    document = request.json
                    (entry,) = document["payloadsWithMetadata"]
                    self.assertEqual((document if at_top else entry)["topic"], f"plant{request.path}/t")
                    self.assertNotIn("topic", entry if at_top else document)
                    self.assertEqual(json.loads(base64.b64decode(entry["base64OriginalPayload"]))["n"] % 50, 7)
                    self.assertEqual([(f["affectedIds"], f["failedAction"]) for f in document["failures"]], [([1], "HttpAction")])


class CheckTest(Case):
    def check(self, rules, connections=""):
        service = self.enterContext(Service(self.files(rules, connections)))
        result = service.run("check", "-c", "sluice.yaml")
        return result.returncode, result.stdout + result.stderr

    def test_carets(self):
        cases = {
            "  - http: { url: 'htps://h/' }": ("the url does not begin with http:// or https://", "'htps://h/'"),
            "  - http: { url: 'http://h/', headers: [ { key: x, value: \"a\\nb\" } ] }": ("has a line break", '"a\\nb"'),
            "  - http: { url: 'http://h/', auth: { sigv4: { serviceName: s, signingRegion: r } } }": ("no AWS credentials", "{ sigv4"),
            "  - http: { url: 'http://h/', auth: { bearer: { token: t } } }": ('"bearer" cannot stand in a rule', "bearer"),
            "  - http: { url: 'http://h/', connection: no }": ('unknown connection "no"', "no }"),
            "  - http: { url: 'http://h/', batchConfg: {} }": ('did you mean "batchConfig"?', "batchConfg"),
            "  - http: { url: '/', connection: own, auth: { sigv4: { serviceName: s, signingRegion: r } } }": ('has a header "Authorization" already', "{ sigv4"),
            "  - lambda: { functionArn: f }": ('lambda needs the option "connection"', "{ functionArn"),
            "  - stdout: {}\nerrorAction:\n  http: { url: 'http://h/', batchConfig: { maxBatchSize: 5 } }": ("not allowed in an error action", "{ maxBatchSize"),
        }
        for actions, (text, place) in cases.items():
            with self.subTest(actions):
                code, said = self.check({"r": actions}, "own: { http: { url: 'http://h', headers: { authorization: x } } }")
                self.assertEqual(code, 1, said)
                self.assertIn(text, said)
                lines = said.splitlines()
                caret = next(i for i, line in enumerate(lines) if set(line.replace("|", "").strip()) == {"^"})
                self.assertTrue(lines[caret - 1][lines[caret].index("^"):].startswith(place), said)

    def test_a_rule_of_aws(self):
        payload = {"sql": "SELECT * FROM 'a/#'", "awsIotSqlVersion": "2016-03-23", "actions": [{"http": {
            "url": "https://www.example.com/${topic()}/subpath", "confirmationUrl": "https://www.example.com", "enableBatching": True,
            "batchConfig": {"maxBatchOpenMs": 20, "maxBatchSize": 10, "maxBatchSizeBytes": 5120, "batchAcrossTopics": False},
            "headers": [{"key": "static_header_key", "value": "static_header_value"}, {"key": "substitutable_header_key", "value": "${topic(2)}"}],
            "auth": {"sigv4": {"serviceName": "execute-api", "signingRegion": "us-east-1", "roleArn": "arn:aws:iam::123456789012:role/r"}}}},
            {"lambda": {"functionArn": "arn:aws:lambda:us-east-2:123456789012:function:myLambdaFunction"}}]}
        files = self.files({}, "fn: { lambda: { endpoint: 'http://127.0.0.1:9001' } }") | {"rules/aws.json": json.dumps(payload)}
        with unittest.mock.patch.dict(os.environ, {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": KEY}):
            result = self.enterContext(Service(files)).run("check", "-c", "sluice.yaml")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("no errors, 2 warnings", result.stdout)
        self.assertEqual(result.stderr.count("warning: of a payload that is not JSON"), 2, result.stderr)  # a batch and a function take JSON alone


if __name__ == "__main__":
    unittest.main()
