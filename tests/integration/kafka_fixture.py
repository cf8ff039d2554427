# SPDX-License-Identifier: Apache-2.0
"""An Apache Kafka of its own for each test: one node (KRaft) on free loopback ports, data in a temporary folder.

    with Kafka() as kafka:
        kafka.create("readings", partitions=3)
        kafka.servers                      # -> "127.0.0.1:…"
        kafka.read("readings")             # -> [{"partition": 0, "offset": 0, "key": …, "payload": …, "headers": [name, value, …]}]
        kafka.stop(); kafka.start()        # the same ports and data
        kafka.kill()                       # as a power cut of the service
        with kafka.paused(): ...           # there, but answers nobody, and kafka.unread() tells what it was sent

The jars are those of deploy/kafka/pom.xml in build/kafka (SLUICE_KAFKA names another folder): deploy/get-kafka gets them.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from mosquitto_fixture import Certificates, free_port
from server_fixture import Server
from sluice_fixture import BUILD, PATIENCE, ROOT, is_stopped, wait_until

JARS = pathlib.Path(os.environ.get("SLUICE_KAFKA", ROOT / "build/kafka"))
ADMIN = BUILD / "tests/integration/driver/kafka_admin"
CLUSTER_ID = "c2x1aWNlLXRlc3RzLTAwMQ"  # sixteen bytes as base64

PROPERTIES = (ROOT / "deploy/kafka/server.properties").read_text(encoding="utf-8") + "auto.create.topics.enable=false\n"


class Kafka(Server):
    """tls: a further listener with the certificate `server` of self.certificates, and if tls is "client" one that wants a client's.
    users: {name: password}, a further listener with SASL PLAIN. properties: further lines of server.properties."""

    def __init__(self, properties="", tls=None, users=None, certificate="server"):
        if not list(JARS.glob("kafka_2.13-*.jar")):
            raise AssertionError(f"no Kafka in {JARS}: deploy/get-kafka gets it")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-kafka-"))
        self.process = None
        self.port, controller = free_port(), free_port()
        self.tls_port = self.sasl_port = None
        listeners = {"PLAIN": (self.port, "PLAINTEXT"), "CONTROLLER": (controller, "PLAINTEXT")}
        lines = [PROPERTIES, f"controller.quorum.voters=1@127.0.0.1:{controller}", f"log.dirs={self.folder}/data"]
        if tls:
            self.tls_port = free_port()
            listeners["TLS"] = (self.tls_port, "SSL")
            lines += self._tls(tls, certificate)
        if users:
            self.sasl_port = free_port()
            listeners["SASL"] = (self.sasl_port, "SASL_PLAINTEXT")
            lines += self._sasl(users)
        lines.append("listeners=" + ",".join(f"{name}://127.0.0.1:{port}" for name, (port, _) in listeners.items()))
        lines.append("advertised.listeners=" + ",".join(f"{name}://127.0.0.1:{port}" for name, (port, _) in listeners.items() if name != "CONTROLLER"))
        lines.append("listener.security.protocol.map=" + ",".join(f"{name}:{protocol}" for name, (_, protocol) in listeners.items()))
        self.config = self.folder / "server.properties"
        self.config.write_text("\n".join([*lines, properties]) + "\n", encoding="utf-8")
        try:
            self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", self.config)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def _tls(self, tls, certificate):
        self.certificates = Certificates(self.folder)
        key, chain = getattr(self.certificates, certificate + "_key"), getattr(self.certificates, certificate)
        store = self.folder / "store.pem"
        store.write_text(key.read_text(encoding="ascii") + chain.read_text(encoding="ascii"), encoding="ascii")
        return ["listener.name.tls.ssl.keystore.type=PEM", f"listener.name.tls.ssl.keystore.location={store}",
                "listener.name.tls.ssl.truststore.type=PEM", f"listener.name.tls.ssl.truststore.location={self.certificates.ca}",
                f"listener.name.tls.ssl.client.auth={'required' if tls == 'client' else 'none'}"]

    @staticmethod
    def _sasl(users):
        names = " ".join(f'user_{name}="{password}"' for name, password in users.items())
        return ["listener.name.sasl.sasl.enabled.mechanisms=PLAIN",
                f"listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required {names};"]

    def _command(self, *arguments):
        return ["java", "-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-cp", f"{JARS}/*", *map(str, arguments)]

    def _java(self, *arguments):
        subprocess.run(self._command(*arguments), check=True, capture_output=True, timeout=PATIENCE * 2)

    def __exit__(self, *exc):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def servers(self):
        return f"127.0.0.1:{self.port}"

    @property
    def tls_servers(self):
        return f"127.0.0.1:{self.tls_port}"

    @property
    def sasl_servers(self):
        return f"127.0.0.1:{self.sasl_port}"

    def log(self):
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _is_ready(self):
        """The broker is in its own list: it takes requests."""
        if self.process.poll() is not None:
            raise AssertionError(f"Kafka ended:\n{self.log()[-5000:]}")
        result = subprocess.run(["kcat", "-b", self.servers, "-L", "-J", "-m", "5"], capture_output=True, text=True, check=False)
        return result.returncode == 0 and len(json.loads(result.stdout)["brokers"]) == 1

    def _metadata(self, *arguments):
        result = subprocess.run(["kcat", "-b", self.servers, "-L", "-J", "-m", str(PATIENCE), *arguments], capture_output=True, text=True, check=True,
                                timeout=2 * PATIENCE)
        return json.loads(result.stdout)

    def topics(self):
        """Names of all topics but Kafka's own."""
        return [topic["topic"] for topic in self._metadata()["topics"] if not topic["topic"].startswith("__")]

    def _leaders(self, topic):
        """How many of its partitions have one."""
        return sum(partition["leader"] > 0 for found in self._metadata()["topics"] if found["topic"] == topic for partition in found["partitions"])

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self._command("kafka.Kafka", self.config), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        deadline = time.monotonic() + PATIENCE * 2
        while not self._is_ready():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited for Kafka to be ready:\n{self.log()[-5000:]}")
            time.sleep(0.05)

    def _end(self, how):
        self.process.send_signal(how)
        self.process.wait(PATIENCE)

    def stop(self):
        self._end(signal.SIGTERM)

    def kill(self):
        self._end(signal.SIGKILL)

    def restart(self):
        self.stop()
        self.start()

    @contextlib.contextmanager
    def paused(self):
        self.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: is_stopped(self.process.pid), "a Kafka that does nothing")
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def unread(self):
        """Bytes that clients have sent and that it has not read yet: paused, it does not."""
        ports = [f":{port:04X}" for port in (self.port, self.tls_port, self.sasl_port) if port]
        total = 0
        for table in "tcp", "tcp6":
            for line in pathlib.Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[1][-5:] in ports and fields[3] == "01":
                    total += int(fields[4].split(":")[1], 16)
        return total

    def _admin(self, *arguments):
        result = subprocess.run([ADMIN, self.servers, *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE * 2)
        if result.returncode != 0:
            raise AssertionError(result.stderr)

    def create(self, topic, partitions=1, **config):
        """config: of the topic, with "_" for "."."""
        self._admin("create", topic, str(partitions), *(f"{name.replace('_', '.')}={value}" for name, value in config.items()))
        wait_until(lambda: self._leaders(topic) == partitions, f"leaders for {topic}")  # the admin's answer says only that it has been decided

    def delete(self, topic):
        self._admin("delete", topic)
        wait_until(lambda: topic not in self.topics(), f"{topic} to go")

    def read(self, topic):
        """All messages of a topic, by partition and offset. A new topic, or one of a server that has just started, may not be known yet."""
        command = ["kcat", "-b", self.servers, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J", "-X", "fetch.wait.max.ms=20"]
        deadline = time.monotonic() + PATIENCE
        while (result := subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)).returncode != 0:
            if time.monotonic() > deadline:
                raise AssertionError(result.stderr)
            time.sleep(0.05)
        return sorted(map(json.loads, result.stdout.splitlines()), key=lambda m: (m["partition"], m["offset"]))

    def compression(self, topic, partition=0):
        """Of the first batch, from its attributes on the disk."""
        first = (self.folder / "data" / f"{topic}-{partition}" / f"{0:020}.log").read_bytes()
        return ["none", "gzip", "snappy", "lz4", "zstd"][first[22] & 7]
