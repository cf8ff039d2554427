# SPDX-License-Identifier: Apache-2.0
"""A RabbitMQ of its own with the MQTT plugin (3.1.1), on free loopback ports, with an Erlang name server of its own.

    with RabbitMq() as broker:
        broker.url, broker.tls_url (tls=True)
        broker.kill(); broker.start()      # the same ports and data
"""
import os
import pathlib
import subprocess
import tempfile

from mosquitto_fixture import PATIENCE, Broker, Certificates, Lines, free_port

SERVER = pathlib.Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class RabbitMq(Broker):
    """Clients are let in as the user guest."""

    def __init__(self, tls=False):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-rabbitmq-"))
        self.port, self.tls_port, self.epmd_port = free_port(), None, free_port()
        self.process = self.log = None
        lines = [f"listeners.tcp.1 = 127.0.0.1:{free_port()}", f"mqtt.listeners.tcp.1 = 127.0.0.1:{self.port}", "mqtt.allow_anonymous = true",
                 "mqtt.subscription_ttl = 86400000", "log.console = true", "log.console.level = info", "log.file = false"]
        if tls:
            self.certificates = Certificates(self.folder)
            self.tls_port = free_port()
            lines += [f"mqtt.listeners.ssl.1 = 127.0.0.1:{self.tls_port}", f"ssl_options.cacertfile = {self.certificates.ca}",
                      f"ssl_options.certfile = {self.certificates.server}", f"ssl_options.keyfile = {self.certificates.server_key}",
                      "ssl_options.verify = verify_peer", "ssl_options.fail_if_no_peer_cert = true"]
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (self.folder / "enabled_plugins").write_text("[rabbitmq_mqtt].\n", encoding="utf-8")
        self.environment = {
            **os.environ, "HOME": str(self.folder), "ERL_EPMD_PORT": str(self.epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"sluice{self.port}@localhost", "RABBITMQ_MNESIA_BASE": str(self.folder / "data"), "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"), "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_DIST_PORT": str(free_port()), "RABBITMQ_PID_FILE": str(self.folder / "pid"), "LANG": "C.UTF-8",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }

    def client_arguments(self):
        return [*super().client_arguments(), "-V", "mqttv311"]

    def start(self):
        self.process = subprocess.Popen([SERVER], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                        start_new_session=True)
        self.log = Lines(self.process.stdout)
        self.log.wait_text("Server startup complete", patience=PATIENCE * 2)

    def __exit__(self, *exc):
        super().__exit__(*exc)
        subprocess.run(["epmd", "-port", str(self.epmd_port), "-kill"], capture_output=True, check=False)

    def _signal_until_gone(self, how):
        os.killpg(self.process.pid, how)  # the server is a child of its script
        self.process.wait(PATIENCE)
