# SPDX-License-Identifier: Apache-2.0
"""The lambda action against an endpoint that speaks the Invoke operation and computes every signature again with botocore."""
import os
import pathlib
import subprocess
import tempfile
import threading
import unittest

from driver_fixture import BUILD, PATIENCE, Driver, item
from http_fixture import ACCEPTED, Answer, LambdaServer
from mosquitto_fixture import Certificates, free_port

CONTRACT = BUILD / "tests/contract/contract_lambda"
KEY_ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
KEYS = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
NO_KEYS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_REGION": "", "AWS_DEFAULT_REGION": ""}
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:"


class Numbers(LambdaServer):
    """The server of the contract."""

    def answer(self, request):
        if request.path != "/numbers":
            return super().answer(request)
        if request.method == "DELETE":
            self.invoked.clear()
        return Answer(body="".join(f"{event['n']}\n" for _, _, event in self.invoked).encode())


class Case(unittest.TestCase):
    def server(self, key_id=KEY_ID, secret=SECRET, kind=LambdaServer, **functions):
        server = self.enterContext(kind(key_id, secret))
        server.functions = functions
        return server

    def driver(self, server, *actions, target="region: eu-west-1", environment=KEYS):
        driver = self.enterContext(Driver("lambda", f"endpoint: {server.url}\n{target}", {**NO_KEYS, **environment}))
        for yaml in actions:
            driver.action(yaml)
        return driver

    def assert_results(self, results, expected):
        self.assertEqual(len(results), len(expected), results)
        for i, (result, begin) in enumerate(zip(results, expected)):
            self.assertTrue(result == begin or (begin != "done" and result.startswith(begin)), f"item {i}: {result!r}, not {begin!r}")


class ContractTest(Case):
    def test_contract(self):
        server = self.server(kind=Numbers, good=ACCEPTED)
        result = subprocess.run([CONTRACT], env={**os.environ, **NO_KEYS, **KEYS, "SLUICE_TEST_LAMBDA": server.url}, capture_output=True, text=True,
                                check=False, timeout=PATIENCE * 5)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertEqual(server.differences, [])


class InvokeTest(Case):
    def test_names_and_qualifiers(self):
        server = self.server(hello=ACCEPTED, other=ACCEPTED)
        driver = self.driver(server, f"functionArn: {ARN}hello", f"functionArn: {ARN}hello:prod", "functionArn: 'hello:$LATEST'",
                             "functionArn: 123456789012:function:other:7", f"functionArn: {ARN}${{name}}")
        results = driver.send(*(item({"n": n}, action=n, key=1, name="other:beta") for n in range(5)))
        self.assert_results(results, ["done"] * 5)
        self.assertEqual(server.invoked, [("hello", None, {"n": 0}), ("hello", "prod", {"n": 1}), ("hello", "$LATEST", {"n": 2}), ("other", "7", {"n": 3}),
                                          ("other", "beta", {"n": 4})])
        self.assertEqual(server.differences, [])
        for request in server.requests:
            self.assertEqual((request.headers["X-Amz-Invocation-Type"], request.headers["Content-Type"]), ("Event", "application/json"))
            self.assertIn("/eu-west-1/lambda/aws4_request", request.headers["Authorization"])

    def test_bad_names_and_events_are_rejected_alone(self):
        server = self.server(hello=ACCEPTED)
        driver = self.driver(server, "functionArn: '${f}'")
        results = driver.send(item({"n": 1}, f="hello"), item({}, f="../hello"), item({}, f=""), item({}, f="hello?x=1"), item({}, f="gone"),
                              item(text="\x01", json_body=False, f="hello"), item(text="{", f="hello"), item({"n": 2}, f="hello"))
        self.assert_results(results, ["done"] + ["rejected: the function's name must have"] * 3 + ["rejected: the server answered 404", "rejected: the event of a function is JSON",
                                      "rejected: the server answered 400", "done"])
        self.assertEqual(sorted(event["n"] for _, _, event in server.invoked), [1, 2])

    def test_status(self):
        server = self.server(**{f"f{status}": Answer(status, b"" if status == 204 else b'{"message":"why"}') for status in (200, 202, 204, 400, 404, 409, 413, 415, 429, 500, 502, 503, 302)},
                             ok=ACCEPTED)
        driver = self.driver(server, "functionArn: 'f${status}'")
        expected = {200: "done", 202: "done", 204: "done", 302: "rejected", 400: "rejected", 404: "rejected", 409: "later", 413: "rejected", 415: "rejected",
                    429: "later", 500: "later", 502: "later", 503: "later"}
        self.assert_results(driver.send(*(item({}, status=str(s)) for s in expected)),
                            [v if v == "done" else f"{v}: the server answered {s}: {{\"message\":\"why\"}}" for s, v in expected.items()])

    def test_throttled_with_retry_after(self):
        server = self.server(f=Answer(429, headers={"Retry-After": "3"}))
        driver = self.driver(server, "functionArn: f")
        self.assert_results(driver.send(item({}, key=1), item({}, key=1)), ["later: the server answered 429", "later: an earlier message"])
        self.assertEqual(driver.waits[0], 3000)
        self.assertEqual(len(server.requests), 1)

    def test_order_per_key(self):
        server = self.server(f=ACCEPTED)
        driver = self.driver(server, "functionArn: f")
        self.assert_results(driver.send(*(item({"k": n % 5, "n": n}, key=n % 5 + 1) for n in range(200))), ["done"] * 200)
        for k in range(5):
            self.assertEqual([event["n"] for _, _, event in server.invoked if event["k"] == k], list(range(k, 200, 5)))

    def test_nobody_there(self):
        server = LambdaServer()
        driver = self.driver(server, "functionArn: f")
        self.assert_results(driver.send(item({}), item({})), ["later: Failed to connect"] * 2)
        self.assertIn("Failed to connect", driver.error)
        with server:
            server.functions["f"] = ACCEPTED
            self.assert_results(driver.send(item({}), item({})), ["done"] * 2)


class StopTest(Case):
    def test_a_stopped_send_ends_at_once(self):
        hang = threading.Event()
        self.addCleanup(hang.set)
        server = self.server(f=lambda request: Answer(202, wait=hang) if request.json["n"] == 1 else ACCEPTED)
        driver = self.driver(server, "functionArn: f", target="timeout: 60s")
        driver.begin(*(item({"n": n}, key=1) for n in range(3)))
        server.wait(2)
        with driver.stopped():
            self.assert_results(driver.finish(), ["done"] + ["later: stopped before the server answered"] * 2)
        self.assertEqual(driver.rc, -1)
        self.assertEqual(len(server.requests), 2)


class CredentialsTest(Case):
    def test_none_and_nobody_asks(self):
        server = self.server(None, None, f=ACCEPTED)
        driver = self.driver(server, "functionArn: f", environment={})
        self.assert_results(driver.send(item({})), ["done"])
        self.assertNotIn("Authorization", server.requests[0].headers)

    def test_none_but_asked(self):
        server = self.server(f=ACCEPTED)
        driver = self.driver(server, "functionArn: f", environment={})
        self.assert_results(driver.send(item({})), ["later: refused: the server answered 403"])
        self.assertIn("403", driver.error)

    def test_wrong_key_is_misconfigured_and_mended_by_the_file(self):
        server = self.server(f=ACCEPTED)
        shared = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "credentials"
        profile = "[default]\naws_access_key_id=" + KEY_ID + "\naws_secret_access_key=%s\naws_session_token=token\n"
        shared.write_text(profile % "wrong", encoding="utf-8")
        driver = self.driver(server, "functionArn: f", environment={"AWS_SHARED_CREDENTIALS_FILE": str(shared)})
        self.assert_results(driver.send(item({"n": 1}, key=1), item({"n": 2}, key=1)), ["later: refused: the server answered 403"] * 2)
        self.assertEqual(len(server.differences), 1)
        shared.write_text(profile % SECRET, encoding="utf-8")  # the lane was made anew, and looks again
        self.assert_results(driver.send(item({"n": 1}, key=1), item({"n": 2}, key=1)), ["done"] * 2)
        self.assertEqual(server.requests[-1].headers["x-amz-security-token"], "token")
        for secret in SECRET, "wrong":
            self.assertNotIn(secret, driver.said)

    def test_forbidden_for_one_function_only(self):
        server = self.server(f=ACCEPTED, closed=Answer(403, b'{"Message":"not authorized"}'))
        driver = self.driver(server, "functionArn: '${f}'")
        results = driver.send(item({}, f="f"), item({}, f="closed"), item({}, f="f"))
        self.assert_results(results, ["done", "later: misconfigured: the server answered 403", "done"])

    def test_region(self):
        server = self.server(f=ACCEPTED)
        for target, environment, region in (("region: ap-south-1", {"AWS_REGION": "x"}, "ap-south-1"), ("", {"AWS_REGION": "eu-north-1"}, "eu-north-1"),
                                            ("", {"AWS_DEFAULT_REGION": "eu-south-1"}, "eu-south-1"), ("", {}, "us-east-1")):
            driver = self.driver(server, "functionArn: f", target=target, environment=KEYS | environment)
            self.assert_results(driver.send(item({})), ["done"])
            self.assertIn(f"/{region}/lambda/", server.requests[-1].headers["Authorization"])
        self.assertEqual(server.differences, [])

    def test_tls(self):
        certificates = Certificates(self.enterContext(tempfile.TemporaryDirectory()))
        server = self.enterContext(LambdaServer(KEY_ID, SECRET, tls=certificates))
        server.functions["f"] = ACCEPTED
        self.assert_results(self.driver(server, "functionArn: f", target=f"caFile: {certificates.ca}").send(item({})), ["done"])
        self.assert_results(self.driver(server, "functionArn: f", target=f"caFile: {certificates.wrong_ca}").send(item({})), ["later: refused: SSL"])
        self.assertEqual(len(server.invoked), 1)


if __name__ == "__main__":
    unittest.main()
