# SPDX-License-Identifier: Apache-2.0
"""moto's server (https://docs.getmoto.org), an implementation of AWS's APIs that is not ours, in a virtual environment under build/.

    with Moto() as moto:
        moto.call("dynamodb", "DynamoDB_20120810.PutItem", {...})     # as an administrator would
        with Front(moto, key_id, secret) as front: ...                # refuses requests whose signature botocore computes differently

moto does not look at signatures: the front does, and hands on what is signed right.
"""
import contextlib
import fcntl
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from http_fixture import PATIENCE, Answer, HttpServer, signature_differs
from mosquitto_fixture import free_port
from sluice_fixture import ROOT

PACKAGE = "moto[server]==5.2.1"
FOLDER = ROOT / "build/moto"
INSTALL_SECONDS = 600


def install():
    """The environment's bin folder, made if it is not there; one process makes it, others wait."""
    FOLDER.parent.mkdir(exist_ok=True)
    with open(FOLDER.with_suffix(".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = FOLDER / PACKAGE.replace("[server]", "")
        if not done.exists():
            shutil.rmtree(FOLDER, ignore_errors=True)
            subprocess.run(["/usr/bin/python3", "-m", "venv", FOLDER], check=True, timeout=INSTALL_SECONDS)
            subprocess.run([FOLDER / "bin/pip", "install", "--quiet", PACKAGE], check=True, timeout=INSTALL_SECONDS)
            done.touch()
    return FOLDER / "bin"


def post(url, headers, body):
    """Status and body, whatever the status."""
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


class Moto:
    def __enter__(self):
        self.port = free_port()
        self.output = tempfile.TemporaryFile()
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen([install() / "moto_server", "-H", "127.0.0.1", "-p", str(self.port)], stdout=self.output, stderr=self.output,
                                        env=environment)
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return self
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.output.seek(0)
                raise AssertionError(f"moto did not start: {self.output.read().decode()}")
            time.sleep(0.05)

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.output.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def call(self, service, target, members):
        """An operation of the JSON protocol, by an administrator of the region eu-west-1."""
        authorization = f"AWS4-HMAC-SHA256 Credential=admin/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1", "Authorization": authorization}
        status, body = post(self.url, headers, json.dumps(members).encode())
        if status != 200:
            raise AssertionError(f"{target}: {status} {body.decode()}")
        return json.loads(body)


class Front(HttpServer):
    """What comes to moto. refused: what was wrong with signatures; hook: may answer by itself."""

    def __init__(self, moto, key_id, secret, **more):
        super().__init__(**more)
        self.moto, self.key_id, self.secret, self.refused, self.hook = moto, key_id, secret, [], lambda request: None

    def answer(self, request):
        difference = signature_differs(request, f"127.0.0.1:{self.port}", self.key_id, self.secret)
        if difference:
            self.refused.append(difference)
            return Answer(403, b'{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"The request signature differs\\nCanonical"}')
        answer = self.hook(request)
        if answer:
            return answer
        kept = ("X-Amz-Target", "Content-Type", "Authorization", "X-Amz-Date")
        status, body = post(self.moto.url + request.path, {name: request.headers[name] for name in kept if name in request.headers}, request.body)
        return Answer(status, body, {"Content-Type": "application/x-amz-json-1.1"})
