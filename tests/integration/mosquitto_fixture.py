# SPDX-License-Identifier: Apache-2.0
"""A Mosquitto of its own for each test, on free loopback ports, and mosquitto_pub and mosquitto_sub to talk to it.

    with Mosquitto() as broker:
        with broker.subscribe("alarm/#") as alarms:
            broker.publish("plant/1", "{}", qos=1)
            alarms.wait(1)                 # -> [{"topic": …, "payload": …, "qos": …}]
        broker.kill()
        broker.start()                     # the same ports; the data too with persistence

Nothing here sleeps: everything waits for a log line or a message, and fails after PATIENCE seconds.
"""
import contextlib
import itertools
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from server_fixture import Server

PATIENCE = 60  # seconds: how long a condition may take before the test fails
MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")

# Enough to see clients come and go; add "log_type all" to a broker's configuration to see every packet.
LOG_TYPES = "error", "warning", "notice", "information", "subscribe", "unsubscribe"

# Nothing that was acknowledged is dropped: the broker's own bounds are the settings to raise.
LOSSLESS = "max_queued_messages 0\nmax_queued_bytes 0\n"


def _shuffled_ports():
    """Below those that the kernel gives to outgoing connections: one of these could take a port between the choice and a server's start. Where it gives
    nearly all, any will do (0)."""
    end = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    return random.sample(range(end // 2, end), end - end // 2) if end >= 16384 else [0]


_ports = itertools.cycle(_shuffled_ports())  # a process is given none twice
_claims = []  # sockets; they go with the process


def _claim(port):
    """From now on no other process that runs tests is given this port, whether a server listens on it or not. OSError: another one has it."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0sluice-test-port-{port}")
    except OSError:
        claim.close()
        raise
    _claims.append(claim)


def free_port():
    """A loopback port that nobody has now, and no other test will get while this process runs."""
    while True:
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", next(_ports)))
            port = s.getsockname()[1]
            _claim(port)
            return port


class Lines:
    """The lines of a process's output, collected by a thread; tests wait for what they need."""

    def __init__(self, stream):
        self.list, self.changed, self.ended = [], threading.Condition(), False
        self.thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self.thread.start()

    def _read(self, stream):
        for line in stream:
            with self.changed:
                self.list.append(line.rstrip("\n"))
                self.changed.notify_all()
        stream.close()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait(self, condition, what, patience=PATIENCE):
        """Wait until condition(list of lines) is true; its value is returned."""
        with self.changed:
            self.changed.wait_for(lambda: condition(self.list) or self.ended, patience)
            value = condition(self.list)
            if not value:
                raise AssertionError(f"waited for {what}; there is:\n" + "\n".join(self.list[-50:]))
            return value

    def wait_for_each(self, accept, count, what, patience=PATIENCE):
        """Wait until `count` lines are accepted, looking at each line once; returns these lines."""
        found, looked_at = [], 0

        def enough(lines):
            nonlocal looked_at
            found.extend(filter(accept, lines[looked_at:]))
            looked_at = len(lines)
            return found if len(found) >= count else None

        return self.wait(enough, what, patience)

    def wait_text(self, text, count=1, patience=PATIENCE):
        """Wait until `count` lines hold the text; returns these lines."""
        return self.wait_for_each(lambda line: text in line, count, f"{count} lines with {text!r}", patience)


class Certificates:
    """An authority, a server and a client certificate signed by it, and an authority that signed nothing (wrong_ca)."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.ca, self.ca_key = self._authority("ca")
        self.wrong_ca, _ = self._authority("wrong-ca")
        self.server, self.server_key = self._signed("server", "subjectAltName=IP:127.0.0.1,DNS:localhost")
        self.client, self.client_key = self._signed("client", "extendedKeyUsage=clientAuth")
        self.elsewhere, self.elsewhere_key = self._signed("elsewhere", "subjectAltName=DNS:broker.example")

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def _paths(self, name):
        return self.folder / f"{name}.crt", self.folder / f"{name}.key"

    def _authority(self, name):
        certificate, key = self._paths(name)
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                      "-subj", f"/CN=test {name}", "-keyout", key, "-out", certificate)
        return certificate, key

    def _signed(self, name, extension):
        certificate, key = self._paths(name)
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(extension + "\n", encoding="ascii")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                      "-keyout", key, "-out", request)
        self._openssl("x509", "-req", "-days", "2", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial",
                      "-extfile", extensions, "-out", certificate)
        return certificate, key


class Subscription:
    """A running mosquitto_sub. self.messages: dictionaries as its format %j writes them, payload as text."""

    def __init__(self, broker, filters, qos, version, arguments):
        command = ["stdbuf", "-oL", "mosquitto_sub", "-d", "-F", "%j", "-V", version, "-q", str(qos), *broker.client_arguments(), *arguments]
        for topic_filter in filters:
            command += ["-t", topic_filter]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        self.lines = Lines(self.process.stdout)
        self.lines.wait_text("Subscribed (mid")

    @property
    def messages(self):
        return [json.loads(line) for line in list(self.lines.list) if line.startswith("{")]

    def wait(self, count, patience=PATIENCE):
        """Wait for so many messages; returns all that are there."""
        self.lines.wait_for_each(lambda line: line.startswith("{"), count, f"{count} messages", patience)
        return self.messages

    def wait_payloads(self, payloads, patience=PATIENCE):
        """Wait until each of these payloads has come, in whatever order and however often."""
        missing = set(payloads)

        def complete(line):
            if line.startswith("{"):
                missing.discard(json.loads(line)["payload"])
            return not missing

        self.lines.wait_for_each(complete, 1, f"{len(missing)} payloads", patience)
        return self.messages

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(PATIENCE)
        self.lines.thread.join()


class Broker(Server):
    """What tests want of any broker: killed and its folder gone at the block's end. Whoever derives from it has folder, port, tls_port, process,
    log, start() and _signal_until_gone()."""

    def __exit__(self, *exc):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self):
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def tls_url(self):
        return f"mqtts://127.0.0.1:{self.tls_port}"

    def _end(self, how):
        if self.process and self.process.poll() is None:
            self._signal_until_gone(how)
        if self.log:
            self.log.thread.join()

    def stop(self):
        self._end(signal.SIGTERM)

    def kill(self):
        self._end(signal.SIGKILL)

    def restart(self):
        self.stop()
        self.start()

    def client_arguments(self):
        return ["-h", "127.0.0.1", "-p", str(self.port)]

    def publish(self, topic, payload, qos=0, version="mqttv5", arguments=()):
        """One message by mosquitto_pub; arguments: further ones, such as "-r" or "-D publish content-type x"."""
        subprocess.run(["mosquitto_pub", "-V", version, *self.client_arguments(), "-t", topic, "-q", str(qos), *arguments, "-s"],
                       input=payload if isinstance(payload, bytes) else payload.encode(), check=True, timeout=PATIENCE)

    def publish_lines(self, topic, lines, qos=1, arguments=()):
        """Each line as a message, over one connection. Returns when all are acknowledged (QoS 1)."""
        subprocess.run(["mosquitto_pub", *self.client_arguments(), "-t", topic, "-q", str(qos), *arguments, "-l"],
                       input="".join(line + "\n" for line in lines).encode(), check=True, timeout=PATIENCE * 5)

    def subscribe(self, *filters, qos=1, version="mqttv5", arguments=()):
        """Start a subscriber; returns when the broker has acknowledged the subscription."""
        return Subscription(self, filters, qos, version, arguments)


class Mosquitto(Broker):
    """config: further lines of mosquitto.conf. users: {name: password}, then nobody else is let in. tls: None, "server" (the broker has a
    certificate) or "client" (it wants one too), with a TLS listener on tls_port beside the plain one; certificate: of Certificates, by name.
    websocket: a further listener on ws_port. environment: more of it for the broker. command: what runs it (valgrind, say)."""

    def __init__(self, config="", users=None, tls=None, certificate="server", websocket=False, environment=None, command=()):
        self.environment, self.command = environment, command
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-mosquitto-"))
        self.port, self.tls_port, self.ws_port = free_port(), None, None
        self.users, self.process, self.log = users, None, None
        # Without this, a broker's acknowledgements of a small batch wait 40 ms for each other (Nagle against delayed ACK).
        lines = ["set_tcp_nodelay true", f"listener {self.port} 127.0.0.1"]
        if tls:
            self.certificates = Certificates(self.folder)
            self.tls_port = free_port()
            lines += [f"listener {self.tls_port} 127.0.0.1", f"cafile {self.certificates.ca}",
                      f"certfile {getattr(self.certificates, certificate)}", f"keyfile {getattr(self.certificates, certificate + '_key')}",
                      f"require_certificate {'true' if tls == 'client' else 'false'}"]
        if websocket:
            self.ws_port = free_port()
            lines += [f"listener {self.ws_port} 127.0.0.1", "protocol websockets"]
        if users:
            lines += [f"password_file {self._password_file(users)}"]
        lines += [f"allow_anonymous {'false' if users else 'true'}", "log_dest stderr", *[f"log_type {kind}" for kind in LOG_TYPES], "persistence_location "
                  f"{self.folder}/", *(["user root"] if os.geteuid() == 0 else []), config]
        self.config = self.folder / "mosquitto.conf"
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _password_file(self, users):
        path = self.folder / "passwords"
        path.touch(mode=0o600)
        for name, password in users.items():
            subprocess.run(["mosquitto_passwd", "-b", path, name, password], check=True, capture_output=True)
        return path

    @property
    def ws_url(self):
        return f"ws://127.0.0.1:{self.ws_port}"

    def start(self):
        self.process = subprocess.Popen([*self.command, MOSQUITTO, "-c", self.config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, errors="replace", env={**os.environ, **self.environment} if self.environment else None)
        self.log = Lines(self.process.stdout)
        self.log.wait_text(" running")

    def _signal_until_gone(self, how):
        """A SIGTERM right after "running" is lost: Mosquitto 2.0 sets its flag to run once more before its loop begins."""
        deadline = time.monotonic() + PATIENCE
        while True:
            self.process.send_signal(how)
            try:
                return self.process.wait(1)
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    raise

    def client_arguments(self):
        arguments = super().client_arguments()
        if self.users:
            name, password = next(iter(self.users.items()))
            arguments += ["-u", name, "-P", password]
        return arguments
