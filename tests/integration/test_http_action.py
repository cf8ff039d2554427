# SPDX-License-Identifier: Apache-2.0
"""The http action against real servers on loopback: the contract of all actions, then what only this one does."""
import base64
import collections
import gzip
import json
import os
import pathlib
import random
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from driver_fixture import BUILD, PATIENCE, STALL_MS, Driver, item
from http_fixture import Answer, HttpServer, Nginx, signature_differs
from mosquitto_fixture import Certificates, free_port
from sluice_fixture import wait_until

CONTRACT = BUILD / "tests/contract/contract_http"
SECRET = "s3cr3t-that-must-not-show"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
NO_KEYS = {"AWS_ACCESS_KEY_ID": "", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}


class Numbers:
    """The server of the contract: 400 for bad items; keeps the numbers of the others."""

    def __init__(self):
        self.numbers, self.lock = [], threading.Lock()

    def __call__(self, request):
        with self.lock:
            if request.method == "DELETE":
                self.numbers.clear()
            elif request.method == "GET":
                return Answer(body="".join(f"{n}\n" for n in self.numbers).encode())
            elif request.path.endswith("bad"):
                return Answer(400)
            else:
                self.numbers.append(request.json["n"])
        return Answer()


class Case(unittest.TestCase):
    def server(self, answer=None, **how):
        return self.enterContext(HttpServer(answer, **how))

    def driver(self, *actions, target=None, environment=None):
        driver = self.enterContext(Driver("http", target, {**NO_KEYS, **(environment or {})}))
        for yaml in actions:
            driver.action(yaml)
        return driver

    def certificates(self):
        return Certificates(self.enterContext(tempfile.TemporaryDirectory()))

    def assert_results(self, results, expected):
        """expected: "done", or the beginning of a result."""
        self.assertEqual(len(results), len(expected), results)
        for i, (result, begin) in enumerate(zip(results, expected)):
            self.assertTrue(result == begin or (begin != "done" and result.startswith(begin)), f"item {i}: {result!r}, not {begin!r}")

    def refused(self, yaml, target=None, environment=None):
        with self.assertRaises(AssertionError) as caught:
            self.driver(yaml, target=target, environment=environment)
        return str(caught.exception)


class ContractTest(Case):
    def test_contract(self):
        server = self.server(Numbers())
        result = subprocess.run([CONTRACT], env={**os.environ, "SLUICE_TEST_HTTP": server.url}, capture_output=True, text=True, check=False,
                                timeout=PATIENCE * 5)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


class RequestTest(Case):
    def test_what_is_sent(self):
        server = self.server()
        driver = self.driver(f"""
url: {server.url}/things/${{thing}}?site=${{site}}
headers: [{{ key: x-site, value: "site ${{site}}" }}, {{ key: x-empty, value: "${{nothing}}" }}, {{ key: x-blank, value: " ${{nothing}} " }}, {{ key: X-Umlaut, value: "ü" }}]
""", f"url: {server.url}/put\nmethod: PUT\nheaders: {{ content-type: text/plain; charset=utf-8 }}", f"url: {server.url}/get\nmethod: GET")
        results = driver.send(item({"a": 1.50}, thing="t-1", site="7"), item(text="\x00\x01", json_body=False, thing="t-2", site="8"),
                              item({"b": 2}, action=1), item({"c": 3}, action=2))
        self.assert_results(results, ["done"] * 4)
        by_path = {request.path: request for request in server.requests}
        one, raw, put, get = (by_path[path] for path in ("/things/t-1?site=7", "/things/t-2?site=8", "/put", "/get"))
        self.assertEqual((one.method, one.body, one.headers["Content-Type"]), ("POST", b'{"a": 1.5}', "application/json"))
        self.assertEqual((one.headers["x-site"], one.headers["x-empty"], one.headers["x-blank"]), ("site 7", "", ""))
        self.assertEqual(one.headers["X-Umlaut"].encode("latin-1").decode(), "ü")
        self.assertTrue(one.headers["User-Agent"].startswith("sluice/"))
        self.assertNotIn("Expect", one.headers)
        self.assertEqual((raw.body, raw.headers["Content-Type"]), (b"\x00\x01", "application/octet-stream"))
        self.assertEqual((put.method, put.body, put.headers["Content-Type"]), ("PUT", b'{"b": 2}', "text/plain; charset=utf-8"))
        self.assertEqual((get.method, get.body, get.headers["Content-Type"]), ("GET", b"", None))

    def test_connections_are_kept(self):
        server = self.server()
        driver = self.driver(f"url: {server.url}/", target="maxConnections: 3")
        for round_ in range(10):
            self.assert_results(driver.send(*(item({"n": n}) for n in range(30))), ["done"] * 30)
        self.assertEqual(len(server.requests), 300)
        self.assertLessEqual(len({request.connection for request in server.requests}), 3)

    def test_a_connection_that_the_server_has_closed_is_made_anew(self):
        server = self.server()
        driver = self.driver(f"url: {server.url}/")
        self.assert_results(driver.send(item({})), ["done"])
        server.stop()
        server.start()
        self.assert_results(driver.send(item({})), ["done"])

    def test_large_body(self):
        server = self.server()
        driver = self.driver(f"url: {server.url}/")
        text = json.dumps({"x": "y" * 5_000_000})
        self.assert_results(driver.send(item(text=text)), ["done"])
        self.assertEqual(server.requests[0].body, text.encode())

    def test_connection_url_auth_headers(self):
        for auth, expected in ((f"basic: {{ user: u, password: {SECRET} }}", "Basic " + base64.b64encode(f"u:{SECRET}".encode()).decode()),
                               (f"bearer: {{ token: {SECRET} }}", f"Bearer {SECRET}")):
            with self.subTest(auth):
                server = self.server()
                driver = self.driver("url: /b/${v}\nheaders: [{ key: x-b, value: rule }]",
                                     target=f"url: {server.url}/a/\nauth: {{ {auth} }}\nheaders: {{ X-A: connection, X-B: connection }}")
                self.assert_results(driver.send(item({}, v="c")), ["done"])
                request = server.requests[0]
                self.assertEqual((request.path, request.headers["Authorization"]), ("/a/b/c", expected))
                driver.action("url: /x\nauth: none")
                driver.action("url: /x\nauth:")
                self.assert_results(driver.send(item({}, action=1, key=1), item({}, action=2, key=1)), ["done", "done"])
                self.assertEqual([r.headers["Authorization"] for r in server.requests[1:]], [None, expected])
                self.assertEqual((request.headers["x-a"], request.headers.get_all("x-b")), ("connection", ["rule"]))

    def test_the_environments_proxies_are_not_used(self):
        server = self.server()
        driver = self.driver(f"url: {server.url}/", environment={"http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"})
        self.assert_results(driver.send(item({})), ["done"])


class ResultTest(Case):
    def test_status(self):
        server = self.server(lambda request: Answer(int(request.path[1:]), b'{"why":\n"it"}'))
        driver = self.driver(f"url: {server.url}/${{status}}")
        expected = {200: "done", 201: "done", 202: "done", 299: "done", 300: "rejected", 302: "rejected", 304: "rejected", 400: "rejected",
                    401: "rejected", 403: "rejected", 404: "rejected", 408: "later", 409: "rejected", 413: "rejected", 422: "rejected",
                    425: "later", 429: "later", 451: "rejected", 499: "rejected", 500: "later", 501: "later", 502: "later", 503: "later",
                    504: "later", 507: "later", 599: "later"}
        results = driver.send(*(item({}, status=str(status)) for status in expected))
        self.assert_results(results, [f"{verdict}: the server answered {status}" if verdict != "done" else "done" for status, verdict in expected.items()])
        self.assertIn('rejected: the server answered 400: {"why": "it"}', results)

    def test_retry_after(self):
        date = lambda seconds: time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + seconds))
        values = {"7": 7000, "0": 0, "soon": 0, "-3": 0, "1.5": 0, "999999999999999999999": 86_400_000, date(-60): 0}
        server = self.server(lambda request: Answer(429, headers={"Retry-After": values_by_path[request.path]}))
        values_by_path = {f"/{i}": value for i, value in enumerate(values)}
        driver = self.driver(f"url: {server.url}/${{i}}")
        self.assert_results(driver.send(*(item({}, i=str(i)) for i in range(len(values)))), ["later: the server answered 429"] * len(values))
        self.assertEqual(driver.waits, list(values.values()))
        server.answer = lambda request: Answer(503, headers={"Retry-After": date(100)})
        driver.send(item({}, i="x"))
        self.assertTrue(60_000 < driver.waits[0] <= 100_000, driver.waits)

    def test_one_bad_item_is_rejected_alone(self):
        server = self.server(lambda request: Answer(400 if request.json["n"] in (0, 17, 49) else 200))
        driver = self.driver(f"url: {server.url}/")
        for key in 0, 5:
            server.requests.clear()
            results = driver.send(*(item({"n": n}, key=key) for n in range(50)))
            self.assert_results(results, ["rejected: the server answered 400" if n in (0, 17, 49) else "done" for n in range(50)])
            self.assertEqual(sorted(body["n"] for body in server.bodies()), list(range(50)))

    def test_bad_after_substitution(self):
        server = self.server()
        driver = self.driver(f"url: {server.url}/${{v}}\nheaders: [{{ key: x-v, value: '${{h}}' }}]")
        bad = {"a b": "", "a/../b": "", "..": "", "%2e%2E/x": "", "a#b": "", "a%2": "", "ü": "", "a\tb": "", "a\nb": "", "x" * 2048: "",
               "1": "a\nb", "2": "a\r\nInjected: yes", "3": "a\x01b", "4": "a\x7fb"}
        items = [item({"n": "bad"}, v=v, h=h) for v, h in bad.items()]
        results = driver.send(item({"n": 1}, v="a", h="b"), *items, item({"n": 2}, v="c.d/..e?f=/../g", h="tab\tü"))
        self.assert_results(results, ["done"] + ["rejected: the url "] * 10 + ["rejected: the value of the header \"x-v\" has a "] * 4 + ["done"])
        self.assertEqual(sorted(body["n"] for body in server.bodies()), [1, 2])

    def test_a_header_that_no_server_takes(self):
        server = self.server()
        driver = self.driver(f"url: {server.url}/\nheaders: {{ x-v: '${{v}}' }}")
        results = driver.send(item({"n": 1}, key=1, v="y" * 1_200_000), item({"n": 2}, key=1, v="y" * 60_000), item({"n": 3}, key=1, v="z"))
        self.assert_results(results, ['rejected: the value of the header "x-v" is longer than 65536 bytes', "done", "done"])

    def test_answers_that_are_too_long(self):
        server = self.server(lambda request: Answer(int(request.path[1:4]), b"x" * int(request.path[5:])))
        driver = self.driver(f"url: {server.url}/${{v}}")
        results = driver.send(*(item({}, v=v) for v in ("200/16384", "200/16385", "500/20000", "404/9000000", "200/1")))
        self.assert_results(results, ["done", "rejected: the server answered 200 with more than 16384 bytes",
                                      "later: the server answered 500 with more", "rejected: the server answered 404 with more", "done"])

    def test_headers_without_end(self):
        server = self.server(lambda request: Answer(headers={f"x-{n}": "y" * 1000 for n in range(70)}))
        driver = self.driver(f"url: {server.url}/")
        self.assert_results(driver.send(item({})), ["rejected: the server answered 200 with more than 65536 bytes"])
        server.answer = lambda request: Answer(headers={f"x-{n}": "y" * 1000 for n in range(50)})
        self.assert_results(driver.send(item({})), ["done"])

    def test_compressed_answers_are_not_unpacked(self):
        server = self.server(lambda request: Answer(400, gzip.compress(b"x" * 10_000_000), {"Content-Encoding": "gzip"}))
        driver = self.driver(f"url: {server.url}/")
        self.assert_results(driver.send(item({})), ["rejected: the server answered 400"])

    def test_server_that_closes_midway(self):
        for cut in "before", "midway":
            with self.subTest(cut):
                broken = threading.Event()
                server = self.server(lambda request: Answer(body=b"x" * 100, cut="" if broken.is_set() else cut))
                driver = self.driver(f"url: {server.url}/")
                self.assert_results(driver.send(item({"n": 1}, key=1), item({"n": 2}, key=1), item({"n": 3}, key=2)),
                                    ["later: ", "later: an earlier message of its key", "later: "])
                broken.set()
                self.assert_results(driver.send(item({"n": 1}, key=1), item({"n": 2}, key=1)), ["done", "done"])

    def test_what_is_no_http(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def speak():
                for _ in range(2):
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(10_000)
                        connection.sendall(b"220 mail.example ESMTP\r\n")
            thread = threading.Thread(target=speak)
            thread.start()
            driver = self.driver(f"url: http://127.0.0.1:{listener.getsockname()[1]}/")
            for _ in range(2):
                self.assert_results(driver.send(item({})), ["later: "])
            thread.join(PATIENCE)

    def test_nobody_there(self):
        driver = self.driver(f"url: http://127.0.0.1:{free_port()}/")
        results = driver.send(*(item({}, key=n % 3) for n in range(100)))
        self.assert_results(results, ["later: Failed to connect"] * 100)
        self.assertIn("Failed to connect", driver.error)  # the lane is broken: the outbox pauses once
        driver = self.driver("url: http://no-such-host.invalid/", target="connectTimeout: 60s")
        self.assert_results(driver.send(item({})), ["later: Could not resolve host"])
        self.assertIn("Could not resolve", driver.error)

    def test_one_host_away_is_no_matter_of_others(self):
        server = self.server()
        driver = self.driver(f"url: http://127.0.0.1:${{port}}/")
        away = str(free_port())
        results = driver.send(*(item({}, port=away if n % 2 else str(server.port)) for n in range(50)))
        self.assert_results(results, ["later: Failed to connect" if n % 2 else "done" for n in range(50)])
        self.assertEqual(driver.error, "")

    def test_several_hosts_away_are_no_broken_lane(self):
        driver = self.driver("url: http://127.0.0.1:${port}/")
        ports = [str(free_port()) for _ in range(2)]
        self.assert_results(driver.send(*(item({}, port=ports[n % 2]) for n in range(20))), ["later: Failed to connect"] * 20)
        self.assertEqual(driver.error, "")

    def test_a_hanging_server_costs_one_time_out(self):
        hang = threading.Event()
        server = self.server(lambda request: Answer(wait=hang) if request.path == "/hang" else Answer())
        driver = self.driver(f"url: {server.url}/${{v}}", f"url: http://localhost:{server.port}/ok", target="timeout: 4s\nmaxConnections: 2")
        results = driver.send(*(item({}, v="hang", key=n) for n in range(20)), *(item({}, action=1) for n in range(4)))
        hang.set()
        self.assert_results(results, ["later: Operation timed out"] * 20 + ["done"] * 4)
        self.assertTrue(3900 < driver.ms < 4000 + STALL_MS, driver.ms)

    def test_a_server_that_does_not_accept(self):
        with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
            crowd = []
            for _ in range(3):  # fill its queue: further connections hang
                s = socket.socket()
                s.setblocking(False)
                s.connect_ex(listener.getsockname())
                crowd.append(s)
            driver = self.driver(f"url: http://127.0.0.1:{listener.getsockname()[1]}/", target="connectTimeout: 300ms\ntimeout: 10s")
            results = driver.send(*(item({}, key=n) for n in range(20)))
            self.assert_results(results, ["later: "] * 20)
            self.assertNotEqual(driver.error, "")
            self.assertLess(driver.ms, 9000)
            for s in crowd:
                s.close()


class StopTest(Case):
    """A send that is to end does so at once, although its time-out is far away."""

    FAR = "timeout: 60s\nconnectTimeout: 60s\nmaxConnections: 2"

    def stop(self, driver):
        begin = time.monotonic()
        with driver.stopped():
            results = driver.finish()
        self.assertEqual((driver.rc, driver.error), (-1, "stopped before the server answered"))
        self.assertLess(time.monotonic() - begin, PATIENCE / 4)
        return results

    def test_answers_count_and_the_rest_comes_again(self):
        hang = threading.Event()
        self.addCleanup(hang.set)
        server = self.server(lambda request: Answer(wait=hang) if request.json["n"] in (1, 3) else Answer(404 if request.json["n"] == 2 else 200))
        driver = self.driver(f"url: {server.url}/", target=self.FAR)
        items = [item({"n": n}, key=1 + n // 2 % 2) for n in range(8)]  # keys 1 1 2 2 1 1 2 2
        driver.begin(*items)
        server.wait(4)
        stopped = "later: stopped before the server answered"
        self.assert_results(self.stop(driver), ["done", stopped, "rejected: the server answered 404", stopped] + [stopped] * 4)
        self.assertEqual(sorted(body["n"] for body in server.bodies()), [0, 1, 2, 3])
        hang.set()
        self.assert_results(driver.send(items[1], *items[3:]), ["done"] * 6)
        self.assertEqual([body["n"] for body in server.bodies() if body["n"] % 4 < 2], [0, 1, 1, 4, 5])

    def test_midway_through_an_answer(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            driver = self.driver(f"url: http://127.0.0.1:{listener.getsockname()[1]}/", target=self.FAR)
            driver.begin(item({}))
            connection, _ = listener.accept()
            with connection:
                connection.recv(1)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
                self.assert_results(self.stop(driver), ["later: stopped"])

    def test_in_the_middle_of_connecting(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            driver = self.driver(f"url: https://127.0.0.1:{listener.getsockname()[1]}/", target=self.FAR)
            driver.begin(item({}))
            connection, _ = listener.accept()  # and never a word of TLS
            with connection:
                connection.recv(1)
                self.assert_results(self.stop(driver), ["later: stopped"])


class OrderTest(Case):
    def test_order_per_key_and_keys_side_by_side(self):
        running, most, lock = collections.Counter(), [0, 0], threading.Lock()

        def answer(request):
            key = request.json["key"]
            with lock:
                running[key] += 1
                most[0] = max(most[0], running[key])
                most[1] = max(most[1], sum(running.values()))
            time.sleep(0.05)
            with lock:
                running[key] -= 1
            return Answer()

        server = self.server(answer)
        driver = self.driver(f"url: {server.url}/")
        self.assert_results(driver.send(*(item({"key": n % 6, "n": n}, key=n % 6 + 1) for n in range(120))), ["done"] * 120)
        for key in range(6):
            self.assertEqual([body["n"] for body in server.bodies() if body["key"] == key], list(range(key, 120, 6)))
        self.assertEqual(most[0], 1)
        self.assertGreater(most[1], 3)

    def test_later_holds_back_its_key_alone(self):
        server = self.server(lambda request: Answer(503 if request.json["n"] in (2, 11) else 200))
        driver = self.driver(f"url: {server.url}/")
        results = driver.send(*(item({"n": n}, key=1 + n % 2) for n in range(8)), item({"n": 10}), item({"n": 11}), item({"n": 12}))
        held = "later: an earlier message of its key is to be sent first"
        self.assert_results(results, ["done", "done", "later: the server answered 503", "done", held, "done", held, "done", "done",
                                      "later: the server answered 503", "done"])
        self.assertEqual(sorted(body["n"] for body in server.bodies()), [0, 1, 2, 3, 5, 7, 10, 11, 12])

    def test_a_rejected_item_does_not_hold_back_its_key(self):
        server = self.server(lambda request: Answer(404 if request.json["n"] == 1 else 200))
        driver = self.driver(f"url: {server.url}/")
        self.assert_results(driver.send(*(item({"n": n}, key=1) for n in range(4))), ["done", "rejected: ", "done", "done"])
        self.assertEqual([body["n"] for body in server.bodies()], [0, 1, 2, 3])

    def test_time_of_a_send_is_bounded(self):
        server = self.server(lambda request: Answer(wait=0.5))
        driver = self.driver(f"url: {server.url}/", target="timeout: 4s")
        results = driver.send(*(item({"n": n}, key=1) for n in range(100)))
        done = results.count("done")
        self.assertTrue(1 <= done < 50, done)
        self.assert_results(results, ["done"] * done + ["later: the time for one batch is used up"] * (100 - done))
        self.assertLess(driver.ms, 2 * 4000 + STALL_MS)
        self.assertEqual([body["n"] for body in server.bodies()], list(range(done)))


class BatchTest(Case):
    RULE = "url: %s/${url}\nenableBatching: true\nbatchConfig: { maxBatchOpenMs: 20, maxBatchSize: 4, maxBatchSizeBytes: 120 }\nheaders: [{ key: x-n, value: '${n}' }]"

    def items(self, count, **more):
        return [item({"n": n}, n=str(n), url="a", **{"topic()": "t", **more}) for n in range(count)]

    def test_batches(self):
        server = self.server()
        driver = self.driver(self.RULE % server.url)
        self.assert_results(driver.send(*self.items(10)), ["done"] * 10)
        self.assertEqual(sorted(server.bodies(), key=lambda b: b[0]["n"]), [[{"n": n} for n in range(a, b)] for a, b in ((0, 4), (4, 8), (8, 10))])
        self.assertEqual(sorted(r.headers["x-n"] for r in server.requests), ["3", "7", "9"])  # of the last one
        self.assertEqual({r.headers["Content-Type"] for r in server.requests}, {"application/json"})

    def test_limit_of_bytes(self):
        server = self.server()
        driver = self.driver(self.RULE % server.url)
        items = [item({"x": "y" * n}, n="", url="a") for n in (30, 30, 30, 200, 1)]
        self.assert_results(driver.send(*items), ["done"] * 5)
        for request in server.requests:
            self.assertTrue(len(request.body) <= 120 or len(request.json) == 1, request.body)
        self.assertLess(len(server.requests), 5)

    def test_urls_and_topics_do_not_mix(self):
        server = self.server()
        driver = self.driver(self.RULE % server.url, (self.RULE % server.url).replace("120 }", "1000, batchAcrossTopics: true }"))
        mixed = [item({"n": n}, url="ab"[n % 2], n="", **{"topic()": "tu"[n // 2 % 2]}) for n in range(16)]
        self.assert_results(driver.send(*mixed), ["done"] * 16)
        self.assertEqual(sorted((r.path, tuple(b["n"] for b in r.json)) for r in server.requests),
                         [("/a", (0, 4, 8, 12)), ("/a", (2, 6, 10, 14)), ("/b", (1, 5, 9, 13)), ("/b", (3, 7, 11, 15))])
        server.requests.clear()
        self.assert_results(driver.send(*(one | {"action": 1} for one in mixed)), ["done"] * 16)
        self.assertEqual({len(r.json) for r in server.requests}, {4})
        self.assertEqual({tuple(b["n"] for b in r.json) for r in server.requests}, {(0, 2, 4, 6), (8, 10, 12, 14), (1, 3, 5, 7), (9, 11, 13, 15)})

    def test_order_per_key(self):
        server = self.server()
        driver = self.driver(self.RULE % server.url)
        items = [item({"n": n}, url="aab"[n % 3], n="", key=1) for n in range(12)]
        self.assert_results(driver.send(*items), ["done"] * 12)
        self.assertEqual([b["n"] for r in server.requests for b in r.json], list(range(12)))

    def test_the_bad_one_of_a_batch(self):
        server = self.server(lambda request: Answer(422 if any(b["n"] == 1 for b in request.json) else 200))
        driver = self.driver(self.RULE % server.url)
        items = [one | {"key": 3} for one in self.items(6)]
        self.assert_results(driver.send(*items), ["done", "rejected: the server answered 422", "done", "done", "done", "done"])
        self.assertEqual([[b["n"] for b in r.json] for r in server.requests], [[0, 1, 2, 3], [0], [1], [2], [3], [4, 5]])
        items[2]["vars"]["n"] = items[5]["vars"]["n"] = "a\nb"  # a bad header rejects its own item
        server.requests.clear()
        self.assert_results(driver.send(*items), ["done", "rejected: the server", "rejected: the value of the header", "done", "done", "rejected: the value"])

    def test_a_batch_taken_apart_keeps_its_order(self):
        server = self.server(lambda request: Answer(422 if len(request.json) > 1 else 503 if request.json[0]["n"] == 0 else 200))
        driver = self.driver(self.RULE.replace("120 }", "1000, batchAcrossTopics: true }") % server.url)
        items = [one | {"key": key} for one, key in zip(self.items(4), (3, 3, 3, 4))]
        held = "later: an earlier message of its key"
        self.assert_results(driver.send(*items), ["later: the server answered 503", held, held, "done"])
        self.assertEqual([[b["n"] for b in r.json] for r in server.requests], [[0, 1, 2, 3], [0], [3]])

    def test_what_is_no_json_has_no_place_in_a_batch(self):
        server = self.server()
        driver = self.driver(self.RULE % server.url)
        results = driver.send(item({}, url="a"), item(text="raw", json_body=False, url="a"), item({}, url="a"))
        self.assert_results(results, ["done", "rejected: a batch is a JSON array", "done"])

    def test_a_later_batch(self):
        server = self.server(lambda request: Answer(503))
        driver = self.driver(self.RULE % server.url)
        self.assert_results(driver.send(*(one | {"key": 1} for one in self.items(6))), ["later: the server answered 503"] * 4 + ["later: an earlier message"] * 2)
        self.assertEqual(len(server.requests), 1)


class RandomTest(Case):
    """A server that fails at random, batches and single items, and what the flow does with LATER: nothing is lost, nothing overtakes."""

    def deliver(self, driver, queue, chance):
        """Send until all is final. The rejected ones."""
        rejected = set()
        while queue:
            size = chance.randint(1, 120)
            batch, rest, later, held = queue[:size], queue[size:], [], set()
            for one, result in zip(batch, driver.send(*batch)):
                body = json.loads(one["body"])
                if result.startswith("later"):
                    later.append(one)
                    held.add(one["key"])
                    continue
                self.assertFalse(one["key"] and one["key"] in held, f"{one} overtook: {result}")
                self.assertEqual(result.split(":")[0], "rejected" if body["bad"] else "done")
                if body["bad"]:
                    rejected.add(body["n"])
            queue = later + rest
        return rejected

    def test_random(self):
        for seed in range(20):
            with self.subTest(seed=seed):
                chance, luck, accepted, lock = random.Random(seed), random.Random(seed), [], threading.Lock()

                def answer(request):
                    with lock:
                        bodies = request.json if isinstance(request.json, list) else [request.json]
                        if any(body["bad"] for body in bodies):
                            return Answer(400)
                        result = luck.choice([Answer()] * 4 + [Answer(500), Answer(429), Answer(cut="before")])
                        accepted.extend(bodies if result.status == 200 and not result.cut else [])
                        return result

                server = self.server(answer)
                batching = "enableBatching: true\nbatchConfig: { maxBatchSize: %d, batchAcrossTopics: %s }"
                driver = self.driver(*(f"url: {server.url}/${{u}}\n{more}" for more in (batching % (chance.randint(2, 9), "true"),
                                                                                        batching % (chance.randint(2, 9), "false"), "")))
                queue = []
                for n in range(300):
                    key = chance.randint(0, 6)
                    body = {"n": n, "key": key, "bad": chance.random() < 0.05}
                    queue.append(item(body, action=chance.randint(0, 2), key=key, u=chance.choice("ab"), **{"topic()": str(key)}))
                rejected = self.deliver(driver, queue, chance)
                first = {}
                for body in accepted:
                    first.setdefault(body["n"], body["key"])
                self.assertEqual((set(first) | rejected, set(first) & rejected), (set(range(300)), set()))
                for key in range(1, 7):
                    numbers = [n for n, k in first.items() if k == key]
                    self.assertEqual(numbers, sorted(numbers))


class RedirectTest(Case):
    def test_not_followed_unless_said(self):
        other = self.server()
        server = self.server(lambda request: Answer(int(request.path[1:4]), headers={"Location": other.url + "/there"}))
        driver = self.driver(f"url: {server.url}/${{v}}")
        self.assert_results(driver.send(*(item({}, v=v) for v in ("301", "302", "303", "307", "308"))), [f"rejected: the server answered 3"] * 5)
        self.assertEqual(other.requests, [])

    def test_followed(self):
        other = self.server()
        server = self.server(lambda request: Answer(int(request.path[1:4]), headers={"Location": other.url + "/there"}))
        driver = self.driver(f"url: /${{v}}", target=f"followRedirects: true\nurl: {server.url}\nauth: {{ bearer: {{ token: {SECRET} }} }}")
        self.assert_results(driver.send(*(item({"n": v}, v=v) for v in ("301", "302", "307", "308"))), ["done"] * 4)
        self.assertEqual(sorted((r.method, r.json["n"], r.headers["Authorization"]) for r in other.requests),
                         [("POST", v, None) for v in ("301", "302", "307", "308")])
        self.assertEqual({r.headers["Authorization"] for r in server.requests}, {f"Bearer {SECRET}"})

    def test_where_it_must_not_lead(self):
        server = self.server(lambda request: Answer(302, headers={"Location": places[int(request.path[1:])]}))
        places = ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", f"{server.url}/3"]
        driver = self.driver(f"url: {server.url}/${{v}}", target="followRedirects: true")
        self.assert_results(driver.send(*(item({}, v=str(v)) for v in range(4))),
                            ['rejected: Protocol "file" not', 'rejected: Protocol "ftp" not', 'rejected: Protocol "gopher" not', "rejected: Maximum (5) redirects"])
        certificates = self.certificates()
        plain = self.server()
        secure = self.server(lambda request: Answer(307, headers={"Location": plain.url}), tls=certificates)
        driver = self.driver(f"url: {secure.url}/", target=f"followRedirects: true\ncaFile: {certificates.ca}")
        self.assert_results(driver.send(item({})), ['rejected: Protocol "http" not'])
        self.assertEqual(plain.requests, [])


class PrivateNetworkTest(Case):
    def test_private_addresses_are_rejected(self):
        server = self.server()
        driver = self.driver("url: http://${host}/x", target="denyPrivateNetworks: true\nconnectTimeout: 30s")
        hosts = [f"127.0.0.1:{server.port}", f"localhost:{server.port}", f"[::ffff:127.0.0.1]:{server.port}", f"2130706433:{server.port}",
                 f"0:{server.port}", "10.0.0.1", "192.168.1.1", "169.254.169.254", "[::1]", "[fe80::1]", "[fd00::1]"]
        results = driver.send(*(item({}, host=host) for host in hosts))
        self.assert_results(results, ["rejected: "] * len(hosts))
        for host, result in zip(hosts, results):
            self.assertTrue("its address is private" in result or "the url" in result, f"{host}: {result}")
        self.assertEqual(server.requests, [])

    def test_a_redirect_leads_there(self):
        server = self.server()
        driver = self.driver(f"url: {server.url}/", target="denyPrivateNetworks: true\nfollowRedirects: true")
        self.assert_results(driver.send(item({})), ["rejected: its address is private"])


class TlsTest(Case):
    def test_certificates(self):
        certificates = self.certificates()
        server = self.server(tls=certificates)
        elsewhere = self.server(tls=certificates, certificate="elsewhere")
        trusting = f"caFile: {certificates.ca}"
        for url, target, expected in ((server.url, trusting, "done"), (server.url, f"caFile: {certificates.wrong_ca}", "later: refused: "),
                                      (server.url, None, "later: refused: "), (elsewhere.url, trusting, "later: refused: ")):
            with self.subTest(url=url, target=target):
                driver = self.driver(f"url: {url}/", target=target)
                self.assert_results(driver.send(item({}, key=1), item({}, key=1)), [expected] * 2)
        self.assertEqual(len(server.requests), 2)
        self.assertEqual(elsewhere.requests, [])

    def test_a_wrong_certificate_among_others(self):
        certificates = self.certificates()
        server, elsewhere = self.server(tls=certificates), self.server(tls=certificates, certificate="elsewhere")
        driver = self.driver(f"url: {server.url}/", f"url: {elsewhere.url}/", target=f"caFile: {certificates.ca}")
        self.assert_results(driver.send(item({}), item({}, action=1), item({})), ["done", "later: misconfigured: SSL", "done"])

    def test_client_certificate(self):
        certificates = self.certificates()
        server = self.server(tls=certificates, client_certificate=True)
        mutual = f"caFile: {certificates.ca}\ncertFile: {certificates.client}\nkeyFile: {certificates.client_key}"
        self.assert_results(self.driver(f"url: {server.url}/", target=mutual).send(item({})), ["done"])
        self.assert_results(self.driver(f"url: {server.url}/", target=f"caFile: {certificates.ca}").send(item({})), ["later: "])
        self.assertEqual(len(server.requests), 1)

    def test_http2(self):
        certificates = self.certificates()
        with Nginx(certificates) as server:
            driver = self.driver(f"url: {server.url}/${{v}}", target=f"caFile: {certificates.ca}")
            items = [item({"n": n}, v=("ok", "busy", "none")[n % 3], key=n % 7 and n) for n in range(60)]
            self.assert_results(driver.send(*items), ["done", "later: the server answered 503", "rejected: the server answered 404"] * 20)
            self.assert_results(driver.send(*items[:1]), ["done"])
            wait_until(lambda: len(server.log()) >= 61, "the server's log, which it writes when it has answered")
            log = server.log()
            self.assertEqual({(line[0], line[2]) for line in log}, {("POST", "HTTP/2.0")})
            self.assertEqual(len({line[4] for line in log}), 1)  # all on one connection
            self.assertEqual(len(log), 61)
            driver = self.driver(f"url: {server.url}/ok", target=f"caFile: {certificates.ca}\nhttpVersion: '1.1'")
            self.assert_results(driver.send(item({})), ["done"])
            wait_until(lambda: len(server.log()) >= 62, "the server's log")
            self.assertEqual(server.log()[-1][2], "HTTP/1.1")


class SignatureTest(Case):
    AUTH = "auth: { sigv4: { serviceName: %s, signingRegion: eu-west-1, roleArn: arn:aws:iam::123456789012:role/r } }"

    def check(self, server, key_id=KEYS["AWS_ACCESS_KEY_ID"], secret=KEYS["AWS_SECRET_ACCESS_KEY"]):
        self.assertTrue(server.requests)
        for request in server.requests:
            self.assertIsNone(signature_differs(request, f"127.0.0.1:{server.port}", key_id, secret), request.path)

    def test_requests_are_signed(self):
        for service in "execute-api", "s3":
            with self.subTest(service):
                server = self.server()
                driver = self.driver(f"url: {server.url}/${{v}}\nconfirmationUrl: {server.url}/\nheaders:\n  - {{ key: X-Amz-Meta-A, value: '  two   words ${{v}} ' }}\n"
                                     "  - { key: x-amz-meta-b, value: '' }\n  - { key: not-signed, value: x }\n" + self.AUTH % service, environment=KEYS)
                paths = ["", "a", "a/b/", "a//b", "a%20b", "a%2Fb", "a+b", "~a-b_c.d", "a:b@c!$&'()*,;=", "x?a=1", "x?b=2&a=1", "x?a=2&a=1", "x?a", "x?a=",
                         "x?q=%20%2B&p=%E2%82%AC", "x?A=1&a=2&%41b=3"]
                self.assert_results(driver.send(*(item({"n": n}, v=path) for n, path in enumerate(paths))), ["done"] * len(paths))
                known = [request for request in server.requests if request.path != "/x?A=1&a=2&%41b=3"]  # botocore does not decode
                self.assertEqual(len(known), len(paths) - 1)
                server.requests[:] = known
                self.check(server)

    def test_the_check_can_fail(self):
        server = self.server()
        driver = self.driver(f"url: {server.url}/\n" + self.AUTH % "execute-api", environment=KEYS)
        self.assert_results(driver.send(item({})), ["done"])
        self.assertIn("differs", signature_differs(server.requests[0], f"127.0.0.1:{server.port}", KEYS["AWS_ACCESS_KEY_ID"], "another secret"))

    def test_where_credentials_come_from(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        shared = folder / "credentials"
        shared.write_text("# mine\n[default]\naws_access_key_id = AKIDDEFAULT\naws_secret_access_key = default-secret=/+\n"
                          "[ work ]\naws_secret_access_key=work-secret\r\naws_access_key_id=AKIDWORK\naws_session_token = token\ns3 =\n  aws_access_key_id = x\n",
                          encoding="utf-8")
        (folder / ".aws").mkdir()
        (folder / ".aws/credentials").write_text("[default]\naws_access_key_id=AKIDHOME\naws_secret_access_key=home-secret\n", encoding="utf-8")
        none = {"AWS_ACCESS_KEY_ID": "", "AWS_PROFILE": ""}
        in_file = {**none, "AWS_SHARED_CREDENTIALS_FILE": str(shared)}
        cases = [
            ({**none, "AWS_SHARED_CREDENTIALS_FILE": "", "HOME": str(folder)}, None, "AKIDHOME", "home-secret", None),
            (in_file, None, "AKIDDEFAULT", "default-secret=/+", None),
            ({**in_file, "AWS_PROFILE": "work"}, None, "AKIDWORK", "work-secret", "token"),
            ({**in_file, **KEYS}, None, KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"], None),
            ({**in_file, **KEYS, "AWS_SESSION_TOKEN": "env-token"}, None, KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"], "env-token"),
            ({**in_file, **KEYS}, "credentials: { profile: work }", "AKIDWORK", "work-secret", "token"),
            ({**none, **KEYS}, f"credentials: {{ file: {shared} }}", "AKIDDEFAULT", "default-secret=/+", None),
            (KEYS, "credentials: { accessKeyId: AKIDOPTION, secretAccessKey: option-secret, sessionToken: t }", "AKIDOPTION", "option-secret", "t"),
        ]
        for environment, target, key_id, secret, token in cases:
            with self.subTest(key_id=key_id, token=token):
                server = self.server()
                driver = self.driver(f"url: {server.url}/\n" + self.AUTH % "execute-api", target=target, environment=environment)
                self.assert_results(driver.send(item({})), ["done"])
                self.assertEqual(server.requests[0].headers["x-amz-security-token"], token)
                self.check(server, key_id, secret)

    def test_renewed_credentials(self):
        shared = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "credentials"
        profile = "[default]\naws_access_key_id=%s\naws_secret_access_key=secret\n"
        shared.write_text(profile % "AKIDFIRST", encoding="utf-8")
        server = self.server()
        driver = self.driver(f"url: {server.url}/\n" + self.AUTH % "execute-api", environment={"AWS_SHARED_CREDENTIALS_FILE": str(shared)})
        self.assert_results(driver.send(item({})), ["done"])
        shared.write_text(profile % "AKIDSECOND", encoding="utf-8")
        driver.ask(advance=61_000)
        self.assert_results(driver.send(item({})), ["done"])
        shared.unlink()
        driver.ask(advance=61_000)
        self.assert_results(driver.send(item({})), ["done"])  # better the old ones than none
        self.assertEqual([r.headers["Authorization"].split("/")[0].split("=")[1] for r in server.requests], ["AKIDFIRST", "AKIDSECOND", "AKIDSECOND"])

    def test_without_credentials(self):
        said = self.refused("url: http://h/\n" + self.AUTH % "execute-api")
        self.assertIn("test.yaml:2:7: error: there are no AWS credentials to sign with", said)
        self.assertIn("^", said)
        said = self.refused("url: http://h/\n" + self.AUTH % "s3", target="followRedirects: true", environment=KEYS)
        self.assertIn("exclude each other", said)


class SecretTest(Case):
    """A server that sends back all that it got, with every status: no secret may come out."""

    TARGETS = {
        "bearer": f"auth: {{ bearer: {{ token: {SECRET} }} }}",
        "basic": f"auth: {{ basic: {{ user: u, password: {SECRET} }} }}",
        "header": f"headers: {{ x-api-key: {SECRET} }}",
        "keys": f"auth: {{ sigv4: {{ serviceName: x, signingRegion: y }} }}\ncredentials: {{ accessKeyId: a, secretAccessKey: {SECRET}, sessionToken: t{SECRET} }}",
    }

    def test_no_secret_comes_out(self):
        def echo(request):
            everything = "".join(f"{name}: {value} " for name, value in sorted(request.headers.items())) + SECRET
            return Answer(int(request.path[1:]), everything[everything.lower().index("authorization" if "uthorization" in everything else "x-api"):].encode())

        server = self.server(echo)
        encoded = base64.b64encode(f"u:{SECRET}".encode()).decode()
        for name, target in self.TARGETS.items():
            with self.subTest(name):
                driver = self.driver("url: /${status}", target=f"url: {server.url}\n{target}")
                results = driver.send(*(item({}, status=s) for s in ("400", "429", "500", "301")))
                self.assert_results(results, ["rejected: the server answered 400: ", "later: the server answered 429: ", "later: ", "rejected: "])
                self.assertIn("*****" if name != "keys" else "AWS4-HMAC", results[0])
                server.stop()
                driver.send(item({}, status="400"))
                server.start()
                for secret in SECRET, encoded:
                    self.assertNotIn(secret, driver.said)

    def test_wrong_configuration_shows_none(self):
        for target in (f"auth: {{ bearer: {{ token: \"{SECRET}\\n\" }} }}", f"headers: {{ x: \"{SECRET}\\n\" }}"):
            with self.assertRaises(AssertionError) as caught:
                self.driver(target=target)
            # the caret's line shows what the file says, which in sluice.yaml is ${env:NAME}; the message itself never does
            self.assertNotIn(SECRET, str(caught.exception).split("\n")[0])

    def test_secrets_go_to_no_host_that_a_message_chose(self):
        for target in list(self.TARGETS.values())[:3]:
            said = self.refused("url: http://${host}/", target=target)
            self.assertIn("a message could choose the host that gets this connection's credentials", said)
        said = self.refused("url: http://${host}/\n" + SignatureTest.AUTH % "execute-api", environment=KEYS)
        self.assertIn("a message could choose the host", said)
        driver = self.driver()
        driver.action("url: http://${host}/")
        self.assertIn("warning: a message can choose the host", driver.warnings)
        driver.action("url: http://api.example/${host}")
        self.assertEqual(driver.warnings, "")
        driver.action("url: http://api.example${host}/")
        self.assertIn("warning", driver.warnings)


if __name__ == "__main__":
    unittest.main()
