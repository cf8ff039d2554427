# SPDX-License-Identifier: Apache-2.0
"""A Mosquitto with sluice_mosquitto.so, and clients that speak MQTT byte by byte, over TCP or TLS.

    with PluginBroker({"policies": "p.yaml"}, {"p.yaml": "..."}, tls="client") as broker:
        lamp = broker.connect("lamp1", certificate="lamp1")
        lamp.publish("a/b", b"x", qos=1)         # -> reason code
"""
import pathlib
import socket
import ssl
import subprocess

from mosquitto_fixture import PATIENCE, Mosquitto
from sluice_fixture import BUILD

PLUGIN = BUILD / "lib/sluice_mosquitto.so"
SEAL_OPENER = BUILD / "tests/integration/driver/seal_opener"
IDENTITY = "sluice-identity"
NO_SUBSCRIBERS = 0x10


def sanitizer_environment():
    """A plugin with the address sanitizer needs its library in front of all others. Mosquitto's own leaks are not looked at."""
    symbols = subprocess.run(["nm", "-D", PLUGIN], capture_output=True, text=True, check=True).stdout
    if "__asan_init" not in symbols:
        return {}
    library = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True).stdout.strip()
    return {"LD_PRELOAD": library, "ASAN_OPTIONS": "detect_leaks=0"}


def text(s):
    raw = s if isinstance(s, bytes) else s.encode()
    return len(raw).to_bytes(2, "big") + raw


def varint(n):
    out = bytearray()
    while True:
        out.append(n & 127 | (128 if n > 127 else 0))
        n >>= 7
        if not n:
            return bytes(out)


def packet(first, body):
    return bytes([first]) + varint(len(body)) + body


def user_properties(pairs):
    return b"".join(b"\x26" + text(name) + text(value) for name, value in pairs)


class Refused(Exception):
    """The broker said no to a CONNECT; args[0] is its code."""


class Message:
    def __init__(self, first, body, level):
        self.qos, self.retain = first >> 1 & 3, bool(first & 1)
        at = 2 + int.from_bytes(body[:2], "big")
        self.topic = body[2:at].decode()
        if self.qos:
            self.mid, at = int.from_bytes(body[at:at + 2], "big"), at + 2
        self.user, self.properties = [], b""
        if level == 5:
            length, at = self._varint(body, at)
            self.properties, at = body[at:at + length], at + length
            self._read_properties()
        self.payload = body[at:]

    @staticmethod
    def _varint(body, at):
        value, shift = 0, 0
        while True:
            value |= (body[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if not body[at - 1] & 128:
                return value, at

    def _read_properties(self):
        """User properties as pairs into self.user, others by their identifiers into self.others."""
        raw, at, self.others = self.properties, 0, {}

        def string():
            nonlocal at
            length = int.from_bytes(raw[at:at + 2], "big")
            at += 2 + length
            return raw[at - length:at]

        while at < len(raw):
            kind, at = raw[at], at + 1
            if kind == 0x26:
                self.user.append((string().decode(), string().decode()))
            elif kind in (0x03, 0x08, 0x09):
                self.others[kind] = string()
            elif kind == 0x01:
                self.others[kind], at = raw[at], at + 1
            elif kind == 0x02:
                self.others[kind], at = int.from_bytes(raw[at:at + 4], "big"), at + 4
            elif kind == 0x0B:
                self.others[kind], at = self._varint(raw, at)
            else:
                raise AssertionError(f"property {kind}")

    @property
    def seals(self):
        return [value for name, value in self.user if name == IDENTITY]


class MqttClient:
    """level 4: MQTT 3.1.1. will: (topic, payload), will_user: user properties of it. answer: wait for CONNACK."""

    def __init__(self, port, client_id, level=5, clean=True, keep_alive=0, expiry=0, user=None, password=None, will=None, will_user=(),
                 will_delay=0, tls=None, answer=True):
        self.level, self.mid, self.received = level, 0, []
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.stream, self.is_closed = self.socket.makefile("rb"), False
        flags = (2 if clean else 0) | (4 if will else 0) | (0x80 if user is not None else 0) | (0x40 if password is not None else 0)
        body = text("MQTT") + bytes([level, flags]) + keep_alive.to_bytes(2, "big")
        if level == 5:
            properties = b"\x11" + expiry.to_bytes(4, "big") if expiry else b""
            body += varint(len(properties)) + properties
        body += text(client_id)
        if will:
            if level == 5:
                properties = (b"\x18" + will_delay.to_bytes(4, "big") if will_delay else b"") + user_properties(will_user)
                body += varint(len(properties)) + properties
            body += text(will[0]) + text(will[1])
        body += (text(user) if user is not None else b"") + (text(password) if password is not None else b"")
        self.send(packet(0x10, body))
        if answer:
            self.wait_connack()

    def wait_connack(self):
        kind, body = self.read()
        assert kind == 0x20, kind
        if body[1]:
            self.close()
            raise Refused(body[1])

    def send(self, raw):
        self.socket.sendall(raw)

    def read(self):
        """The next packet: first byte and body. EOFError when the broker has closed."""
        first = self.stream.read(1)
        if not first:
            raise EOFError("the broker closed the connection")
        length, shift = 0, 0
        while True:
            byte = self.stream.read(1)[0]
            length |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                break
        return first[0], self.stream.read(length)

    def _read_other(self, kind):
        """The next packet of this kind; messages before it are kept and acknowledged."""
        while True:
            first, body = self.read()
            if first >> 4 == 3:
                self._take(first, body)
            elif first >> 4 == kind:
                return body
            elif first >> 4 == 14:
                raise EOFError(f"DISCONNECT {body.hex()}")

    def _take(self, first, body):
        message = Message(first, body, self.level)
        self.received.append(message)
        if message.qos == 1:
            self.send(packet(0x40, message.mid.to_bytes(2, "big")))

    def next_message(self):
        while not self.received:
            first, body = self.read()
            if first >> 4 == 3:
                self._take(first, body)
            elif first >> 4 == 14:
                raise EOFError(f"DISCONNECT {body.hex()}")
        return self.received.pop(0)

    def _next_mid(self):
        self.mid = self.mid % 65535 + 1
        return self.mid.to_bytes(2, "big")

    def publish(self, topic, payload=b"", qos=1, retain=False, user=(), more=b"", dup=False):
        """Returns the reason code of the acknowledgement, 0 for any success (always with MQTT 3.1.1), None with QoS 0."""
        mid = self._next_mid() if qos else b""
        properties = more + user_properties(user)
        body = text(topic) + mid + (varint(len(properties)) + properties if self.level == 5 else b"") + payload
        self.send(packet(0x30 | qos << 1 | retain | dup << 3, body))
        if not qos:
            return None
        if qos == 1:
            answer = self._read_other(4)
            return answer[2] if len(answer) > 2 and answer[2] != NO_SUBSCRIBERS else 0
        answer = self._read_other(5)
        if len(answer) > 2 and answer[2] >= 0x80:
            return answer[2]
        self.send(packet(0x62, mid))
        self._read_other(7)
        return 0

    def subscribe(self, *filters, qos=1):
        """Returns the reason codes, one a filter."""
        body = self._next_mid() + (b"\x00" if self.level == 5 else b"")
        self.send(packet(0x82, body + b"".join(text(f) + bytes([qos]) for f in filters)))
        return list(self._read_other(9)[3 if self.level == 5 else 2:])

    def unsubscribe(self, *filters):
        body = self._next_mid() + (b"\x00" if self.level == 5 else b"")
        self.send(packet(0xA2, body + b"".join(map(text, filters))))
        return list(self._read_other(11)[3 if self.level == 5 else 2:])

    def disconnect(self):
        self.send(b"\xe0\x00")
        self.close()

    def close(self):
        """Without DISCONNECT."""
        if self.is_closed:
            return
        self.is_closed = True
        self.stream.close()
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


class PluginBroker(Mosquitto):
    """options: of the plugin, without plugin_opt_; a value may be a list. files: written beside mosquitto.conf, whose paths may be given in
    options as {folder}. A key is made unless options name one."""

    def __init__(self, options=None, files=None, config="", **more):
        self.clients = []
        self.options, self.more_config = {"key_file": "{folder}/identity.key", **(options or {})}, config
        super().__init__(environment=sanitizer_environment(), **more)
        self.key = self.folder / "identity.key"
        self.key.write_text("0f" * 32 + "\n", encoding="ascii")
        for name, content in (files or {}).items():
            self.write(name, content)
        self.write_config()

    def write(self, name, content):
        """By renaming, as an editor does."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        fresh = path.with_name("." + path.name)
        fresh.write_text(content, encoding="utf-8")
        fresh.rename(path)

    def write_config(self):
        lines = [f"plugin {PLUGIN}"]
        for name, values in self.options.items():
            for value in values if isinstance(values, list) else [values]:
                if value is not None:
                    lines.append(f"plugin_opt_{name} {value}".replace("{folder}", str(self.folder)))
        self.config.write_text(self.config.read_text(encoding="utf-8") + self.more_config.replace("{folder}", str(self.folder))
                               + "\n" + "\n".join(lines) + "\n", encoding="utf-8")

    def client_context(self, name):
        """A TLS context with a client certificate of this common name, made when first asked for."""
        certificate, key = self.certificates._paths(name)
        if not certificate.exists():
            self.certificates._signed(name, "extendedKeyUsage=clientAuth")
        context = ssl.create_default_context(cafile=self.certificates.ca)
        context.load_cert_chain(certificate, key)
        return context

    def fingerprint(self, name):
        self.client_context(name)
        output = subprocess.run(["openssl", "x509", "-in", self.certificates._paths(name)[0], "-noout", "-fingerprint", "-sha256"],
                                capture_output=True, text=True, check=True).stdout
        return output.split("=")[1].strip().replace(":", "").lower()

    def connect(self, client_id, certificate=None, **more):
        """The client is closed with the broker, if it has not been by then."""
        how = {"tls": self.client_context(certificate)} if certificate else {}
        client = MqttClient(self.tls_port if certificate else self.port, client_id, **how, **more)
        self.clients.append(client)
        return client

    def __exit__(self, *exc):
        for client in self.clients:
            client.close()
        super().__exit__(*exc)


class SealOpener:
    """Opens seals as sluice does; it remembers what it has seen."""

    def __init__(self, key):
        self.process = subprocess.Popen([SEAL_OPENER, key], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def open(self, message, topic=None, payload=None, seal=None, repeat=False):
        """"forged", "replayed", or (client id, principal, address, trace id)."""
        topic = message.topic if topic is None else topic
        payload = message.payload if payload is None else payload
        seal = message.seals[0] if seal is None else seal
        words = [value.hex() or "-" for value in (topic.encode(), payload, seal.encode())]
        self.process.stdin.write(" ".join([*words, "repeat" if repeat else "new"]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if answer[0] != "opened":
            return answer[0]
        return tuple(None if word == "-" else bytes.fromhex(word).decode() for word in answer[1:])

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        assert self.process.wait(PATIENCE) == 0
        self.process.stdout.close()
