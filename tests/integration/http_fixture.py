# SPDX-License-Identifier: Apache-2.0
"""HTTP servers for the integration tests, on free loopback ports, each stopped by its own test.

    with HttpServer() as server:
        server.answer = lambda request: Answer(500)
        server.requests                     # what came, in the order in which it had come whole
        server.stop(); server.start()       # the same port; connections are cut
    with LambdaServer("AKIA…", "secret") as functions: ...   # refuses requests whose signature botocore computes differently
    with Nginx(tls=certificates) as server: ...              # HTTP/2
"""
import contextlib
import dataclasses
import http.server
import json
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from mosquitto_fixture import free_port

try:
    import botocore.auth
except ImportError:  # another python3 than Debian's stands first in PATH
    sys.path.append("/usr/lib/python3/dist-packages")
    import botocore.auth
import botocore.awsrequest
import botocore.credentials

PATIENCE = 60  # seconds: how long a condition may take before the test fails


@dataclasses.dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict = dataclasses.field(default_factory=dict)
    wait: object = None  # an Event to wait for, or seconds
    cut: str = ""  # "before": the connection ends without an answer; "midway": in the middle of the body


@dataclasses.dataclass
class Request:
    method: str
    path: str
    headers: object
    body: bytes
    connection: int
    at: float

    @property
    def json(self):
        return json.loads(self.body)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def handle_one_request(self):
        with contextlib.suppress(ConnectionError, ssl.SSLError, ValueError):
            super().handle_one_request()
            return
        self.close_connection = True

    def take(self):
        fixture = self.server.fixture
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(self.command, self.path, self.headers, body, self.client_address[1], time.monotonic())
        with fixture.changed:
            fixture.requests.append(request)
            fixture.changed.notify_all()
        self.give(fixture.answer(request))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = take

    def give(self, answer):
        if isinstance(answer.wait, threading.Event):
            answer.wait.wait(PATIENCE)
        elif answer.wait:
            time.sleep(answer.wait)
        if answer.cut == "before":
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        body = b"" if answer.status in (204, 304) else answer.body  # HTTP gives these none: it would be read as the next answer
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if answer.cut else body)
        self.close_connection = self.close_connection or bool(answer.cut)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, fixture, address):
        self.fixture, self.connections, self.lock = fixture, set(), threading.Lock()
        super().__init__(address, Handler)

    def get_request(self):
        connection, address = super().get_request()
        with self.lock:
            self.connections.add(connection)
        return connection, address

    def finish_request(self, request, client_address):
        with contextlib.suppress(OSError):  # a client that does not like our certificate
            if self.fixture.context:
                request = self.fixture.context.wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)
            if self.fixture.context:
                request.close()

    def shutdown_request(self, request):
        with self.lock:
            self.connections.discard(request)
        super().shutdown_request(request)

    def cut(self):
        with self.lock:
            for connection in self.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request, client_address):
        pass


class HttpServer:
    """tls: a Certificates; certificate: which of its certificates to show; client_certificate: ask for one."""

    def __init__(self, answer=None, tls=None, certificate="server", client_certificate=False):
        self.port = free_port()
        self.requests, self.changed = [], threading.Condition()
        self.server = self.thread = self.context = None
        if answer:
            self.answer = answer
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(getattr(tls, certificate), getattr(tls, certificate + "_key"))
            if client_certificate:
                self.context.verify_mode = ssl.CERT_REQUIRED
                self.context.load_verify_locations(tls.ca)

    def answer(self, request):  # replaced by tests
        return Answer()

    @property
    def url(self):
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        if self.server:
            self.stop()

    def start(self):
        self.server = Server(self, ("127.0.0.1", self.port))
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.server.cut()
        self.thread.join()
        self.server = None

    def wait(self, count, patience=PATIENCE):
        """Wait for so many requests; returns all that are there."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.requests) >= count, patience):
                raise AssertionError(f"waited for {count} requests, there are {len(self.requests)}")
            return list(self.requests)

    def bodies(self):
        return [request.json for request in list(self.requests)]


def signature_differs(request, host, key_id, secret):
    """What botocore signs otherwise than the request is signed, or None. Looks at signed headers only, as AWS does."""
    given = request.headers.get("Authorization", "")
    if not given.startswith("AWS4-HMAC-SHA256 "):
        return "no signature"
    parts = dict(part.strip().split("=", 1) for part in given.split(" ", 1)[1].split(","))
    _, _, region, service, _ = parts["Credential"].split("/")
    names = parts["SignedHeaders"].split(";")
    must = {"host", "x-amz-date"} | {name.lower() for name in request.headers if name.lower().startswith("x-amz-")}
    if not must <= set(names):
        return f"not signed: {must - set(names)}"
    headers = {name: ",".join(request.headers.get_all(name)) for name in names if name not in ("host", "x-amz-date")}
    made = botocore.awsrequest.AWSRequest(request.method, f"http://{host}{request.path}", headers=headers, data=request.body)
    made.context["timestamp"] = request.headers["X-Amz-Date"]
    signer = (botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth)(botocore.credentials.Credentials(key_id, secret), service, region)
    made.headers["X-Amz-Date"] = request.headers["X-Amz-Date"]
    made.headers["Host"] = request.headers["Host"]
    canonical = signer.canonical_request(made)
    expected = signer.signature(signer.string_to_sign(made, canonical), made)
    if parts["Credential"].split("/")[0] != key_id:
        return "another key id"
    return None if parts["Signature"] == expected else f"signature differs; canonical request:\n{canonical}"


class LambdaServer(HttpServer):
    """The Invoke operation. functions: name to what a call gives (an Answer, or a function of the request); others are 404. Without keys
    nothing is verified."""

    def __init__(self, key_id=None, secret=None, **more):
        super().__init__(**more)
        self.key_id, self.secret, self.functions, self.invoked, self.differences = key_id, secret, {}, [], []

    def answer(self, request):
        url = urllib.parse.urlsplit(request.path)
        parts = url.path.split("/")
        if request.method != "POST" or parts[1:3] != ["2015-03-31", "functions"] or parts[4:] != ["invocations"]:
            return self.refuse(404, "UnknownOperationException", "no such operation")
        if self.key_id:
            difference = signature_differs(request, f"127.0.0.1:{self.port}", self.key_id, self.secret)
            if difference:
                self.differences.append(difference)
                return self.refuse(403, "InvalidSignatureException", "The request signature we calculated does not match")
        if request.headers.get("X-Amz-Invocation-Type") != "Event":
            return self.refuse(400, "InvalidParameterValueException", "not an event")
        if parts[3] not in self.functions:
            return self.refuse(404, "ResourceNotFoundException", f"Function not found: {parts[3]}")
        try:
            event = json.loads(request.body)
        except ValueError:
            return self.refuse(400, "InvalidRequestContentException", "Could not parse request body into json")
        result = self.functions[parts[3]]
        result = result(request) if callable(result) else result
        if result.status == 202:
            self.invoked.append((parts[3], urllib.parse.parse_qs(url.query).get("Qualifier", [None])[0], event))
        return result

    @staticmethod
    def refuse(status, kind, message):
        return Answer(status, json.dumps({"Type": "User", "message": message}).encode(), {"x-amzn-ErrorType": kind})


ACCEPTED = Answer(202)

NGINX = """
daemon off;
pid {folder}/pid;
error_log stderr;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    log_format line '$request_method $uri $server_protocol $status $connection $request_length';
    access_log {access_log};
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} {tls}
        location /ok {{ return 204; }}
        location /busy {{ return 503; }}
        location / {{ return 404; }}
    }}
}}
"""


class Nginx:
    """Started and stopped by the test. tls: a Certificates, then with TLS and HTTP/2. log: each request is written down."""

    def __init__(self, tls=None, log=True):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-nginx-"))
        self.port, self.process, self.tls = free_port(), None, tls
        tls_lines = f"ssl http2; ssl_certificate {tls.server}; ssl_certificate_key {tls.server_key};" if tls else ";"
        access_log = f"{self.folder}/access.log line" if log else "off"
        (self.folder / "conf").write_text(NGINX.format(folder=self.folder, port=self.port, tls=tls_lines, access_log=access_log), encoding="utf-8")

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self):
        binary = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        if not binary:
            raise AssertionError("nginx is not installed: deploy/packages.txt names the packages")
        self.process = subprocess.Popen([binary, "-p", self.folder, "-c", self.folder / "conf", "-e", "stderr"], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return self
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"nginx did not start: {self.process.communicate()[0]}")
            time.sleep(0.02)

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate(timeout=PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        """Each request as [method, path, protocol, status, connection, length]."""
        path = self.folder / "access.log"
        return [line.split() for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
