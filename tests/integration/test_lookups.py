# SPDX-License-Identifier: Apache-2.0
"""What functions ask the outside world, in a running service: DynamoDB and Secrets Manager by moto behind a front that computes every
signature again, Lambda and Machine Learning by a server of the test with the same front, files."""
import base64
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import unittest
import unittest.mock

from http_fixture import Answer, HttpServer, signature_differs
from moto_fixture import Front, Moto
from sluice_fixture import PATIENCE, Service, read_ndjson, wait_until

KEY_ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:"
ROLE = "arn:aws:iam::123456789012:role/any"


def configuration(lookups, sources="messages.ndjson", more=""):
    return f"""
sources: [ {{ replay: {{ path: {sources} }} }} ]
rules: [rules/]
statsFile: stats.json
drainTimeout: 30s
deadLetters: {{ path: dead.ndjson }}
lookups:
  region: eu-west-1
  credentials: {{ accessKeyId: {KEY_ID}, secretAccessKey: "{SECRET}" }}
{lookups}
{more}
"""


def rule(name, sql):
    return f"""
ruleName: {name}
awsIotSqlVersion: 2016-03-23
sql: |
  {sql}
actions: [ {{ file: {{ path: out/{name}.ndjson }} }} ]
errorAction: {{ file: {{ path: out/{name}.errors.ndjson }} }}
"""


class Case(unittest.TestCase):
    def setUp(self):
        self.enterContext(unittest.mock.patch.dict(os.environ, {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}))

    def service(self, lookups, rules, messages, more=""):
        files = {"sluice.yaml": configuration(lookups, more=more), "messages.ndjson": "".join(json.dumps(m) + "\n" for m in messages)}
        files |= {f"rules/{name}.yaml": rule(name, sql) for name, sql in rules.items()}
        return self.enterContext(Service(files))

    def outputs(self, lookups, rules, messages, files=None):
        """Of each rule, in a service of its own: its outputs, why it was aborted (as far as the log tells), and how often."""
        got, self.service_log = {}, ""
        for name, sql in rules.items():
            service = self.service(lookups, {name: sql}, messages)
            for path, content in (files or {}).items():
                service.path(path).parent.mkdir(parents=True, exist_ok=True)
                service.path(path).write_bytes(content if isinstance(content, bytes) else content.encode())
            service.start()
            service.wait()
            self.service_log += "\n".join(service.log)
            failed = service.stats()["rules"][0]["failed"]
            reasons = [line.get("reason") for line in map(json.loads, service.log) if line["message"].startswith("rule was aborted")]
            got[name] = (read_ndjson(service.path(f"out/{name}.ndjson")), reasons, failed)
            self.assertEqual(read_ndjson(service.path(f"out/{name}.errors.ndjson")), [], "the error action is for failed actions")
        self.assertNotIn(SECRET, self.service_log)
        return got

    def assert_failed(self, got, text, count=1):
        outputs, reasons, failed = got
        self.assertEqual((outputs, failed), ([], count), got)
        self.assertIn(text, reasons[0])


def message(payload, topic="plant/7/telemetry"):
    return {"topic": topic, "payload": payload}


class AwsTest(Case):
    @classmethod
    def setUpClass(cls):
        cls.moto = cls.enterClassContext(Moto())
        call = cls.moto.call
        keys = [{"AttributeName": "site", "KeyType": "HASH"}, {"AttributeName": "number", "KeyType": "RANGE"}]
        types = [{"AttributeName": "site", "AttributeType": "S"}, {"AttributeName": "number", "AttributeType": "N"}]
        call("dynamodb", "DynamoDB_20120810.CreateTable", {"TableName": "machines", "KeySchema": keys, "AttributeDefinitions": types, "BillingMode": "PAY_PER_REQUEST"})
        call("dynamodb", "DynamoDB_20120810.CreateTable", {"TableName": "sites", "KeySchema": keys[:1], "AttributeDefinitions": types[:1], "BillingMode": "PAY_PER_REQUEST"})
        item = {"site": {"S": "7"}, "number": {"N": "12"}, "limit": {"N": "80.50"}, "name": {"S": "press \"A\"\n"}, "on": {"BOOL": True}, "none": {"NULL": True},
                "map": {"M": {"a": {"L": [{"N": "1"}, {"S": "x"}]}}}, "names": {"SS": ["a"]}, "numbers": {"NS": ["3.5"]}, "raw": {"B": "AAE="}}
        call("dynamodb", "DynamoDB_20120810.PutItem", {"TableName": "machines", "Item": item})
        call("dynamodb", "DynamoDB_20120810.PutItem", {"TableName": "sites", "Item": {"site": {"S": "7"}, "city": {"S": "Graz"}}})
        call("dynamodb", "DynamoDB_20120810.PutItem", {"TableName": "sites", "Item": {"site": {"S": "large"}, "text": {"S": "x" * 9000}}})
        call("secretsmanager", "secretsmanager.CreateSecret", {"Name": "api", "SecretString": '{"token":"t-0815","n":1}'})
        call("secretsmanager", "secretsmanager.CreateSecret", {"Name": "plain", "SecretString": "p-4711"})
        call("secretsmanager", "secretsmanager.CreateSecret", {"Name": "binary", "SecretBinary": "AAECAw=="})

    def front(self):
        front = self.enterContext(Front(self.moto, KEY_ID, SECRET))
        self.addCleanup(lambda: self.assertEqual(front.refused, []))
        return front

    def aws(self, front, timeout="60s"):
        return f"  dynamodb: {{ endpoint: {front.url} }}\n  secretsmanager: {{ endpoint: {front.url} }}\n  timeout: {timeout}\n  connectTimeout: 60s\n"

    def test_items(self):
        front = self.front()
        rules = {
            "both": f"SELECT get_dynamodb('machines', 'site', topic(2), 'number', n, '{ROLE}') AS m FROM 'plant/+/telemetry' WHERE n = 12",
            "one": f"SELECT get_dynamodb('sites', 'site', topic(2), '{ROLE}').city AS city FROM 'plant/7/telemetry' WHERE n = 12",
            "missing": f"SELECT get_dynamodb('machines', 'site', '8', 'number', n, '{ROLE}') AS m, n FROM 'plant/+/telemetry' WHERE n = 12",
            "filter": f"SELECT n FROM 'plant/+/telemetry' WHERE n > get_dynamodb('machines', 'site', '7', 'number', 12, '{ROLE}').limit",
        }
        got = self.outputs(self.aws(front), rules, [message({"n": 12}), message({"n": 81})])
        machine = {"site": "7", "number": 12, "limit": 80.5, "name": "press \"A\"\n", "on": True, "none": None, "map": {"a": [1, "x"]}, "names": ["a"],
                   "numbers": [3.5], "raw": "AAE="}
        self.assertEqual(got["both"], ([{"m": machine}], [], 0))
        self.assertEqual(got["one"], ([{"city": "Graz"}], [], 0))
        self.assertEqual(got["missing"], ([{"n": 12}], [], 0))
        self.assertEqual(got["filter"], ([{"n": 81}], [], 0))

    def test_items_that_fail(self):
        front = self.front()
        rules = {
            "table": f"SELECT get_dynamodb('nowhere', 'site', '7', '{ROLE}') AS m FROM '#'",
            "large": f"SELECT get_dynamodb('sites', 'site', 'large', '{ROLE}') AS m FROM '#'",
            "key": f"SELECT get_dynamodb('sites', 'wrong', '7', '{ROLE}') AS m FROM '#'",
            "absorbed": f"SELECT get_or_default(get_dynamodb('nowhere', 'site', '7', '{ROLE}').city, 'unknown') AS city FROM '#'",
        }
        got = self.outputs(self.aws(front), rules, [message({})])
        self.assert_failed(got["table"], "the server answered 400, ResourceNotFoundException")
        self.assert_failed(got["large"], "the item has more than 8192 bytes")
        self.assert_failed(got["key"], "the server answered 400, ValidationException")
        self.assertEqual(got["absorbed"], ([{"city": "unknown"}], [], 0))

    def test_secrets(self):
        front = self.front()
        rules = {
            "member": f"SELECT get_secret('api', 'SecretString', 'token', '{ROLE}') AS s FROM '#'",
            "whole": f"SELECT get_secret('api', 'SecretString', '{ROLE}').n AS n FROM '#'",
            "plain": f"SELECT get_secret('plain', 'SecretString', '{ROLE}') AS s FROM '#'",
            "binary": f"SELECT get_secret('binary', 'SecretBinary', '{ROLE}') AS s FROM '#'",
            "wrong": f"SELECT get_secret('plain', 'SecretString', 'token', '{ROLE}') AS s FROM '#'",
            "nowhere": f"SELECT get_secret('nowhere', 'SecretString', '{ROLE}') AS s FROM '#'",
        }
        got = self.outputs(self.aws(front), rules, [message({"i": i}) for i in range(50)])
        self.assertEqual(got["member"][0], [{"s": "t-0815"}] * 50)
        self.assertEqual(got["whole"][0], [{"n": 1}] * 50)
        self.assertEqual(got["plain"][0], [{"s": "p-4711"}] * 50)
        self.assertEqual(got["binary"][0], [{"s": "AAECAw=="}] * 50)
        self.assert_failed(got["wrong"], "the secret is no JSON object", 50)
        self.assert_failed(got["nowhere"], "ResourceNotFoundException", 50)
        for secret in ("t-0815", "p-4711"):
            self.assertNotIn(secret, self.service_log)
        asked = [request.json["SecretId"] for request in front.requests]
        self.assertEqual(asked.count("plain"), 2, "each of two services asks once, and keeps it")
        self.assertGreater(asked.count("nowhere"), 1, "a failure is not kept")

    def test_wrong_credentials(self):
        front = self.enterContext(Front(self.moto, KEY_ID, "another secret"))
        rules = {"one": f"SELECT get_dynamodb('sites', 'site', '7', '{ROLE}').city AS city FROM '#'"}
        got = self.outputs(self.aws(front), rules, [message({})])
        self.assertTrue(front.refused)
        self.assert_failed(got["one"], "the server answered 403, InvalidSignatureException")
        self.assertNotIn("signature differs", self.service_log)

    def test_servers_that_do_not_answer(self):
        front = self.front()
        answers = {"slow": Answer(wait=3), "cut": Answer(body=b'{"Item":', cut="midway"), "long": Answer(body=b"x" * (2 << 20)), "text": Answer(body=b"hello"),
                   "busy": Answer(503, b"<html>"), "list": Answer(body=b"[1]"), "untyped": Answer(body=b'{"Item":{"a":{"Q":1}}}'), "number": Answer(body=b'{"Item":{"a":{"N":"x"}}}')}
        front.hook = lambda request: answers.get(request.json["TableName"])
        rules = {name: f"SELECT get_dynamodb('{name}', 'site', '7', '{ROLE}') AS m FROM '#'" for name in answers}
        got = self.outputs(self.aws(front, timeout="1s"), {"slow": rules.pop("slow")}, [message({})]) | self.outputs(self.aws(front), rules, [message({})])
        reasons = {"slow": "there was no answer in time", "cut": "the server could not be asked", "long": "the answer has more than 1048576 bytes",
                   "text": "the reply is no JSON object", "busy": "the server answered 503", "list": "the reply is no JSON object",
                   "untyped": "the reply holds a value of no type that is known", "number": "the reply holds a value of no type that is known"}
        for name, reason in reasons.items():
            with self.subTest(name):
                self.assert_failed(got[name], reason)

    def test_a_server_that_is_down_and_comes_back(self):
        front = self.front()
        sql = f"SELECT get_or_default(get_dynamodb('sites', 'site', '7', '{ROLE}').city, 'unknown') AS city, n FROM 'x'"
        service = self.service(self.aws(front), {"r": sql}, [])
        os.mkfifo(service.path("input"))
        service.write("sluice.yaml", configuration(self.aws(front), "input"))
        front.stop()
        service.start()
        with open(service.path("input"), "w", encoding="utf-8", buffering=1) as pipe:
            print(json.dumps(message({"n": 1}, "x")), file=pipe)
            wait_until(lambda: read_ndjson(service.path("out/r.ndjson")) == [{"city": "unknown", "n": 1}], "the answer while it is down")
            front.start()
            print(json.dumps(message({"n": 2}, "x")), file=pipe)
            wait_until(lambda: read_ndjson(service.path("out/r.ndjson"))[1:] == [{"city": "Graz", "n": 2}], "the answer once it is back")
        self.assertEqual(service.wait(), 0)


class LambdaServer(HttpServer):
    """Invoke as request and response, and Predict; signatures are computed again."""

    def __init__(self):
        super().__init__()
        self.functions, self.refused = {}, []

    def answer(self, request):
        difference = signature_differs(request, f"127.0.0.1:{self.port}", KEY_ID, SECRET)
        if difference:
            self.refused.append(difference)
            return Answer(403)
        if request.headers.get("X-Amz-Target") == "AmazonML_20141212.Predict":
            return Answer(body=json.dumps({"Prediction": {"predictedValue": 0.5, "details": {"asked": request.json}}}).encode())
        if request.headers.get("X-Amz-Invocation-Type") != "RequestResponse":
            return Answer(400)
        function = self.functions[request.path.split("/")[3]]
        return function(request) if callable(function) else function


class LambdaTest(Case):
    def server(self, **functions):
        server = self.enterContext(LambdaServer())
        self.addCleanup(lambda: self.assertEqual(server.refused, []))
        server.functions = functions
        return server

    def test_functions(self):
        server = self.server(
            double=lambda request: Answer(body=json.dumps(request.json["n"] * 2).encode()), nothing=Answer(body=b"null"), empty=Answer(),
            thrown=Answer(body=b'{"errorMessage":"boom","errorType":"ValueError"}', headers={"X-Amz-Function-Error": "Unhandled"}),
            slow=Answer(body=b"1", wait=4), missing=Answer(404, b'{"Type":"User","Message":"Function not found"}'))
        rules = {name: f"SELECT aws_lambda('{ARN}{name}', *) AS r, n FROM '#'" for name in server.functions}
        rules["literal"] = f"SELECT aws_lambda('{ARN}double:prod', {{'n': n + 1}}) AS r FROM '#'"
        got = self.outputs(f"  lambda: {{ endpoint: {server.url} }}", rules, [message({"n": 4})])
        self.assertEqual(got["double"], ([{"r": 8, "n": 4}], [], 0))
        self.assertEqual(got["literal"], ([{"r": 10}], [], 0))
        self.assertEqual(got["nothing"], ([{"r": None, "n": 4}], [], 0))
        self.assert_failed(got["empty"], "what the function returned is no JSON")
        self.assert_failed(got["thrown"], "the function failed, ValueError")
        self.assert_failed(got["slow"], "there was no answer in time")
        self.assert_failed(got["missing"], "the server answered 404")
        self.assertIn("Qualifier=prod", " ".join(request.path for request in server.requests))

    def test_a_burst_passes(self):
        """Together the calls take longer than one may: each has its time from its turn on."""
        server = self.server(slow=Answer(body=b"1", wait=0.1))
        got = self.outputs(f"  maxRequests: 2\n  lambda: {{ endpoint: {server.url} }}", {"r": f"SELECT aws_lambda('{ARN}slow', n) AS r FROM 'key/+'"},
                           [message({"n": n}, f"key/{n}") for n in range(60)])
        self.assertEqual(got["r"], ([{"r": 1}] * 60, [], 0))

    def test_predictions(self):
        server = self.server()
        rules = {"p": f"SELECT machinelearning_predict('m-1', '{ROLE}', {{'a': 1, 'b': {{'c': 2}}}}) AS p FROM '#'"}
        got = self.outputs(f"  machinelearning: {{ endpoint: {server.url} }}", rules, [message({})])
        asked = {"MLModelId": "m-1", "Record": {"a": "1", "b": '{"c":2}'}, "PredictEndpoint": server.url}
        self.assertEqual(got["p"], ([{"p": {"predictedValue": 0.5, "details": {"asked": asked}}}], [], 0))

    def test_a_slow_item_delays_its_own_key_alone(self):
        """The answer to one message is held back until all others are through; then it, and what came behind it on its topic, follow."""
        count = 10000
        asked, all_others = threading.Event(), threading.Event()

        def hold(request):
            asked.set()
            all_others.wait(PATIENCE)
            return Answer(body=b'{"Item":{"r":{"S":"held"}}}', wait=0.1)

        items = self.enterContext(HttpServer(hold))
        sql = f"SELECT CASE slow WHEN true THEN get_dynamodb('t', 'k', n, '{ROLE}').r ELSE 'at once' END AS r, n, topic() AS topic FROM 'plant/+/telemetry'"
        messages = [message({"n": 0, "slow": True}, "plant/slow/telemetry")]
        messages += [message({"n": n, "slow": False}, f"plant/{n % 100}/telemetry") for n in range(1, count + 1)]
        messages.insert(5000, message({"n": -1, "slow": False}, "plant/slow/telemetry"))
        service = self.service(f"  timeout: 60s\n  dynamodb: {{ endpoint: {items.url} }}", {"r": sql}, messages)
        service.start()
        self.assertTrue(asked.wait(PATIENCE))
        out = service.path("out/r.ndjson")
        before = wait_until(lambda: (lines := read_ndjson(out)) and len(lines) >= count and lines, "all other messages")
        all_others.set()
        self.assertEqual(service.wait(), 0)
        after = read_ndjson(out)
        self.assertEqual(len(before), count)
        self.assertNotIn("plant/slow/telemetry", {line["topic"] for line in before})
        self.assertEqual(after[count:], [{"r": "held", "n": 0, "topic": "plant/slow/telemetry"}, {"r": "at once", "n": -1, "topic": "plant/slow/telemetry"}])
        for key in range(100):
            numbers = [line["n"] for line in before if line["topic"] == f"plant/{key}/telemetry"]
            self.assertEqual(numbers, sorted(numbers))


    def test_a_slow_service_takes_no_turns_of_another(self):
        """As many items as may be under way are held for good; a function is called all the same."""
        asked, through = threading.Semaphore(0), threading.Event()

        def hold(request):
            asked.release()
            through.wait(PATIENCE)
            return Answer(body=b'{"Item":{"n":{"N":"5"}}}')

        server = self.server(double=lambda request: Answer(body=json.dumps(request.json * 2).encode()))
        items = self.enterContext(HttpServer(hold))
        self.addCleanup(through.set)
        rules = {"held": f"SELECT get_dynamodb('t', 'k', n, '{ROLE}').n AS n FROM 'slow/+'", "fast": f"SELECT aws_lambda('{ARN}double', n) AS r FROM 'fast/+'"}
        messages = [message({"n": n}, f"slow/{n}") for n in range(5)] + [message({"n": n}, f"fast/{n}") for n in range(20)]
        lookups = f"  timeout: 60s\n  maxRequests: 2\n  lambda: {{ endpoint: {server.url} }}\n  dynamodb: {{ endpoint: {items.url} }}"
        service = self.service(lookups, rules, messages)
        service.start()
        for _ in range(2):
            self.assertTrue(asked.acquire(timeout=PATIENCE))
        wait_until(lambda: len(read_ndjson(service.path("out/fast.ndjson"))) == 20, "what the function returned")
        self.assertEqual(read_ndjson(service.path("out/held.ndjson")), [])
        through.set()
        self.assertEqual(service.wait(), 0)
        self.assertEqual(read_ndjson(service.path("out/held.ndjson")), [{"n": 5}] * 5)


class FileTest(Case):
    FILES = {
        "things/shadows/press.json": '{"state":{"reported":{"site":"hall 3"}}}',
        "things/shadows/broken.json": '{"state":',
        "things/shadows/press/cfg.json": '{"v":5}',
        "things/DescribeThing/press.json": '{"thingName":"press","thingTypeName":"machine"}',
        "sets/reading.proto": 'syntax = "proto3"; message Reading { float value = 1; string unit = 2; }',
    }
    LOOKUPS = "  documents: things/\n  descriptors: sets/\n"

    def test_documents(self):
        rules = {
            "shadow": f"SELECT get_thing_shadow(thing, '{ROLE}').state.reported.site AS site FROM '#'",
            "named": f"SELECT get_thing_shadow('press', 'cfg', '{ROLE}').v AS v FROM '#'",
            "registry": f"SELECT get_registry_data('DescribeThing', thing, '{ROLE}').thingTypeName AS t FROM '#'",
        }
        got = self.outputs(self.LOOKUPS, rules, [message({"thing": "press"})], self.FILES)
        self.assertEqual(got["shadow"], ([{"site": "hall 3"}], [], 0))
        self.assertEqual(got["named"], ([{"v": 5}], [], 0))
        self.assertEqual(got["registry"], ([{"t": "machine"}], [], 0))

    def test_documents_that_are_not_there(self):
        rules = {"r": f"SELECT get_thing_shadow(thing, '{ROLE}') AS r FROM '#'"}
        for thing, reason in {"nowhere": "there is no such shadow", "broken": "the shadow is no JSON object", "": "this is no name of a thing",
                              "../press": "this is no name of a thing", "press/cfg": "this is no name of a thing", "x" * 200: "this is no name of a thing"}.items():
            with self.subTest(thing):
                self.assert_failed(self.outputs(self.LOOKUPS, rules, [message({"thing": thing})], self.FILES)["r"], reason)

    def test_descriptor_sets(self):
        calls = {"right": "'protos', 'v1/reading.desc'", "bucket": "'..', 'sluice.yaml'", "key": "'protos', 'v1/../../sluice.yaml'", "empty": "'protos', 'v1//reading.desc'",
                 "nowhere": "'protos', 'v2/reading.desc'", "folder": "'protos', 'v1'", "large": "'protos', 'large'"}
        rules = {name: f"SELECT decode(data, 'proto', {call}, 'reading', 'Reading') AS r FROM '#'" for name, call in calls.items()}
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "reading.proto").write_text(self.FILES["sets/reading.proto"], encoding="utf-8")
            subprocess.run(["protoc", f"-I{folder}", f"--descriptor_set_out={folder}/set", f"{folder}/reading.proto"], check=True)
            made = pathlib.Path(folder, "set").read_bytes()
        data = base64.b64encode(b"\x0d\x00\x00\xa4\x41\x12\x01C").decode()
        files = self.FILES | {"sets/protos/v1/reading.desc": made, "sets/protos/large": "x" * 33000}
        got = self.outputs(self.LOOKUPS, rules, [message({"data": data})], files)
        self.assertEqual(got["right"], ([{"r": {"value": 20.5, "unit": "C"}}], [], 0))
        reasons = {"bucket": "this is no name of a bucket and key", "key": "this is no name of a bucket and key", "empty": "this is no name of a bucket and key",
                   "nowhere": "there is no such descriptor set", "folder": "the descriptor set could not be read", "large": "the descriptor set has more than 32768 bytes"}
        for name, reason in reasons.items():
            with self.subTest(name):
                self.assert_failed(got[name], reason)


class LogTest(Case):
    def test_each_rule_says_why_it_was_aborted(self):
        """Also beside one that fails with every message."""
        rules = {"often": f"SELECT get_thing_shadow('nowhere', '{ROLE}') AS s FROM '#'", "seldom": f"SELECT get_registry_data('DescribeThing', '/', '{ROLE}') AS s FROM '#' WHERE n = 50"}
        service = self.service("  documents: .", rules, [message({"n": n}) for n in range(100)])
        service.start()
        service.wait()
        reasons = {line.get("rule"): line.get("reason") for line in map(json.loads, service.log) if line["message"] == "rule was aborted"}
        self.assertEqual(reasons, {"often": "get_thing_shadow(): there is no such shadow", "seldom": "get_registry_data(): this is no name of a thing"})


class ConfigurationTest(Case):
    def check(self, lookups, sql="SELECT * FROM 'x'"):
        service = self.service(lookups, {"r": sql}, [])
        result = service.run("check", "-c", "sluice.yaml")
        self.assertNotIn(SECRET, result.stderr)
        return result

    def test_what_nobody_answers(self):
        result = self.check("", f"SELECT get_thing_shadow('a', '{ROLE}') AS s, decode(x, 'base64') AS d FROM 'x'")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn('nobody answers get_thing_shadow(): sluice.yaml has no "documents" under "lookups", so it fails', result.stderr)
        self.assertIn("^^^^", result.stderr)
        self.assertNotIn("decode", result.stderr.replace("decode(x", ""))

    def test_errors(self):
        for lookups, text in {
            "  dynamo: { endpoint: \"http://127.0.0.1\" }": 'did you mean "dynamodb"?',
            "  dynamodb: {}": 'endpoint',
            "  dynamodb: { endpoint: \"ftp://127.0.0.1\" }": "the url",
            "  dynamodb: { endpoint: \"http://127.0.0.1/?a=1\" }": "an endpoint cannot have a query",
            "  dynamodb: { endpoint: \"http://127.0.0.1\", keepFor: 5m }": 'unknown option "keepFor"',
            "  documents: nowhere/": '"documents" is no folder that can be read',
            "  timeout: 0s": "timeout",
            "  caFile: nowhere.pem": '"caFile" could not be read',
        }.items():
            with self.subTest(lookups):
                result = self.check(lookups)
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertIn(text, result.stderr)
                self.assertRegex(result.stderr, r"sluice\.yaml:\d+:\d+: error")


if __name__ == "__main__":
    unittest.main()
