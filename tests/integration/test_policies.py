# SPDX-License-Identifier: Apache-2.0
"""Policies on a listen source: who may connect and publish what; variables of thing and certificate; audit; a change while it runs."""
import hashlib
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import unittest

from mosquitto_fixture import Certificates
from sluice_fixture import SLUICE
from test_listen import Client, Listening

NOT_AUTHORIZED = 0x87

POLICIES = """
policies:
  - policyName: lamps
    policyDocument:
      Version: "2012-10-17"
      Statement:
        - { Effect: Allow, Action: "iot:Connect", Resource: "arn:aws:iot:*:*:client/${iot:ClientId}" }
        - { Effect: Allow, Action: "iot:Publish", Resource: "arn:aws:iot:*:*:topic/lamp/${iot:ClientId}/*" }
        - { Effect: Allow, Action: "iot:RetainPublish", Resource: "arn:aws:iot:*:*:topic/lamp/*/kept" }
        - { Effect: Deny, Action: "iot:Publish", Resource: "arn:aws:iot:*:*:topic/lamp/*/secret" }
        - { Effect: Allow, Action: "iot:Publish", Resource: "arn:aws:iot:*:*:topic/$aws/rules/all/lamp" }
    attachedTo: { clientId: "lamp-*" }
"""
SITE = """
policies:
  - policyName: sites
    policyDocument:
      Version: "2012-10-17"
      Statement:
        - { Effect: Allow, Action: "iot:Connect", Resource: "*" }
        - Effect: Allow
          Action: "iot:Publish"
          Resource:
            - "arn:aws:iot:*:*:topic/site/${iot:Connection.Thing.Attributes[site]}"
            - "arn:aws:iot:*:*:topic/name/${iot:Certificate.Subject.CommonName}"
    attachedTo: { principal: %s }
things:
  - { thingName: fan, attributes: { site: north }, principals: [ %s ] }
"""


class PoliciesTest(Listening):
    def started_with(self, policies, options="allowAnonymous: true", mode="enforce", files=None):
        return self.started(options, more=f"policies: {{ files: [policies/], mode: {mode} }}", files={"policies/p.yaml": policies, **(files or {})})

    def folder(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-policies-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def assert_refused(self, client, qos):
        """AWS IoT drops the connection of who publishes what it may not; MQTT 5 says why."""
        answer = client.read()
        if client.level == 5:
            self.assertEqual((answer[0], answer[1][0]), (0xE0, NOT_AUTHORIZED))
            answer = client.read()
        self.assertIsNone(answer, qos)

    def test_connect_and_publish(self):
        self.started_with(POLICIES)
        for level, code in (4, 5), (5, NOT_AUTHORIZED):
            with Client(self.port, "fan", level=level) as fan:
                self.assertEqual(fan.code, code)
        for level in 4, 5:
            for qos in 0, 1, 2:
                for topic in "lamp/lamp-2/a", "lamp/lamp-1/secret":
                    with self.subTest(level=level, qos=qos, topic=topic), Client(self.port, "lamp-1", level=level) as lamp:
                        lamp.publish(topic, "{}", qos=qos)
                        self.assert_refused(lamp, qos)
        with Client(self.port, "lamp-1") as lamp:
            for n, topic in enumerate(("lamp/lamp-1/a", "$aws/rules/all/lamp")):
                lamp.publish(topic, '{"x":%d}' % n, packet_id=n + 1)
                self.assertEqual(lamp.read()[0], 0x40)
        self.assertEqual([o["topic"] for o in self.outputs(2)], ["lamp/lamp-1/a", "lamp"])

    def test_what_was_refused_is_not_acknowledged_later(self):
        self.started_with(POLICIES)
        for _ in range(2):
            with Client(self.port, "lamp-1", clean=False, expiry=600) as lamp:
                lamp.publish("elsewhere", "{}", packet_id=7)
                self.assert_refused(lamp, 1)
        with Client(self.port, "lamp-1", clean=False, expiry=600) as lamp:
            lamp.publish("lamp/lamp-1/a", '{"x":1}', packet_id=7)
            self.assertEqual(lamp.read(), (0x40, b"\x00\x07"))
        self.assertEqual(len(self.outputs(1)), 1)

    def test_retain_and_will(self):
        self.started_with(POLICIES)
        self.pub("-i", "lamp-1", "-q", 1, "-r", "-t", "lamp/lamp-1/kept", "-m", '{"x":1}')
        self.assertNotEqual(self.pub("-V", "mqttv5", "-i", "lamp-1", "-q", 1, "-r", "-t", "lamp/lamp-1/other", "-m", '{"x":2}', check=False).returncode, 0)
        for topic in "elsewhere", "lamp/lamp-1/will":
            Client(self.port, "lamp-1", will=(topic, '{"x":3}')).close()
        self.assertEqual([o["topic"] for o in self.outputs(2)], ["lamp/lamp-1/kept", "lamp/lamp-1/will"])

    def test_things_and_certificates(self):
        certificates = Certificates(self.folder())
        options = (f'certFile: "{certificates.server}", keyFile: "{certificates.server_key}", caFile: "{certificates.ca}", requireCertificate: true')
        fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificates.client.read_text())).hexdigest()
        self.started_with(SITE % (fingerprint, fingerprint), options)
        tls = ["--cafile", certificates.ca, "--cert", certificates.client, "--key", certificates.client_key]
        allowed = ("fan", "site/north"), ("fan", "name/client"), ("other", "name/client")
        refused = ("other", "site/north"), ("fan", "site/south"), ("fan", "name/fan")
        for client, topic in allowed:
            self.pub(*tls, "-V", "mqttv5", "-i", client, "-q", 1, "-t", topic, "-m", '{"x":1}')
        for client, topic in refused:
            self.assertNotEqual(self.pub(*tls, "-V", "mqttv5", "-i", client, "-q", 1, "-t", topic, "-m", "{}", check=False).returncode, 0, (client, topic))
        self.assertEqual([(o["client"], o["topic"]) for o in self.outputs(3)], list(allowed))

    def test_audit(self):
        self.started_with(POLICIES, mode="audit")
        self.pub("-i", "fan", "-q", 1, "-t", "elsewhere", "-m", '{"x":1}')
        self.assertEqual(self.outputs(1)[0]["client"], "fan")
        self.service.wait_log("would refuse", 2)

    def test_a_change_while_it_runs(self):
        service = self.started_with(POLICIES)
        with Client(self.port, "lamp-1") as lamp:
            lamp.publish("lamp/lamp-1/a", '{"x":1}')
            self.assertEqual(lamp.read()[0], 0x40)
            service.write("policies/p.yaml", POLICIES.replace("Effect: Allow, Action: \"iot:Publish\"", "Efect: Allow, Action: \"iot:Publish\""))
            service.wait_log("policies not reloaded")
            self.assertIn('unknown member \\"Efect\\" of a statement', "\n".join(service.log))
            self.assertIn("policies/p.yaml:8:13", "\n".join(service.log))
            lamp.publish("lamp/lamp-1/a", '{"x":2}', packet_id=2)
            self.assertEqual(lamp.read()[0], 0x40)
            service.write("policies/p.yaml", POLICIES.replace("topic/lamp/${iot:ClientId}/*", "topic/other/*"))
            service.wait_log("policies reloaded")
            lamp.publish("lamp/lamp-1/a", '{"x":3}', packet_id=3)
            self.assert_refused(lamp, 1)
        self.assertEqual([o["x"] for o in self.outputs(2)], [1, 2])

    def test_trusted_clients(self):
        users = self.folder() / "users"
        subprocess.run([SLUICE, "passwd", users, "anna"], input="secret\n", text=True, check=True)
        self.started_with(POLICIES + "trustedClients:\n  - { clientId: engine, principal: anna }\n", f"passwordFile: {users}")
        self.pub("-i", "engine", "-u", "anna", "-P", "secret", "-q", 1, "-t", "anything", "-m", '{"x":1}')
        self.assertNotEqual(self.pub("-i", "engine-2", "-u", "anna", "-P", "secret", "-t", "anything", "-m", "{}", check=False).returncode, 0)
        self.assertEqual(len(self.outputs(1)), 1)


if __name__ == "__main__":
    unittest.main()
