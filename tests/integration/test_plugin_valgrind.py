# SPDX-License-Identifier: Apache-2.0
"""Mosquitto with sluice_mosquitto.so under valgrind: no leak that the plugin's frames are in, no error that Mosquitto has not by itself."""
import os
import pathlib
import signal
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

from mosquitto_fixture import PATIENCE, Mosquitto
from plugin_fixture import IDENTITY, PLUGIN, MqttClient, PluginBroker, Refused, sanitizer_environment
from sluice_fixture import wait_until
from test_plugin import ALLOW_ALL, CONNECT, EVENTS, allow, policies

LEAKS = ("Leak_DefinitelyLost", "Leak_IndirectlyLost", "Leak_PossiblyLost")


def valgrind(report):
    # The plugin is unloaded before the leaks are looked for: its names are to be kept.
    return ("valgrind", "--quiet", "--vgdb=no", "--leak-check=full", "--keep-debuginfo=yes", "--num-callers=40", "--xml=yes", f"--xml-file={report}")


class Finding:
    def __init__(self, error):
        self.kind = error.findtext("kind")
        frames = error.findall("stack/frame")
        self.frames = [(f.findtext("fn") or "?", f.findtext("file") or os.path.basename(f.findtext("obj") or "?")) for f in frames]
        self.objects = {os.path.basename(f.findtext("obj") or "") for f in frames}

    @property
    def is_ours(self):
        return PLUGIN.name in self.objects

    @property
    def signature(self):
        return (self.kind, *(fn for fn, _ in self.frames))

    def __str__(self):
        return self.kind + "\n" + "\n".join(f"    {fn} ({file})" for fn, file in self.frames)


def findings(report):
    return [Finding(error) for error in ElementTree.parse(report).getroot().findall("error")]


def clients_of(broker, connect):
    """What every broker gets: clients that come, publish, subscribe, leave and are taken over."""
    reader = connect("reader")
    reader.subscribe("#", EVENTS)
    for level in (4, 5):
        p = connect("p", level=level)
        for qos in (0, 1, 2):
            p.publish("a/b", b"x", qos=qos, retain=qos == 1)
        if level == 5:
            p.publish("a/b", b"x", user=[(IDENTITY, "forged"), ("a", "b"), (IDENTITY, "")], more=b"\x01\x01\x03\x00\x01t\x09\x00\x01c\x08\x00\x01r")
        p.subscribe("c/#", "d")
        p.unsubscribe("d")
        taken = connect("p", level=level, will=("w", "x"))
        p.close()
        taken.close()
    away = connect("away", clean=False, expiry=100)
    away.subscribe("a/#")
    away.disconnect()
    broker.process.send_signal(signal.SIGHUP)
    broker.log.wait_text("Reloading config")
    connect("y" * 60000).publish("z" * 65535)
    back = connect("away", clean=False, expiry=100)
    back.disconnect()


@unittest.skipIf(sanitizer_environment(), "valgrind cannot run what has the address sanitizer in it")
class ValgrindTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.report = pathlib.Path(folder.name) / "report.xml"

    def baseline(self):
        with Mosquitto(command=valgrind(self.report)) as broker:
            clients = []

            def connect(client_id, **how):
                clients.append(MqttClient(broker.port, client_id, **how))
                return clients[-1]

            clients_of(broker, connect)
            for client in clients:
                client.close()
            broker.stop()
        return findings(self.report)

    def with_plugin(self):
        document = policies(ALLOW_ALL, allow("iot:Connect", "client/evil", effect="Deny"))
        options = {"policies": "{folder}/policies"}
        with PluginBroker(options, {"policies/p.yaml": document}, tls="client", command=valgrind(self.report)) as broker:
            lamp = broker.connect("lamp", certificate="lamp", will=("w", "x"), will_delay=1, expiry=60)
            lamp.publish("a", b"x")
            clients_of(broker, broker.connect)
            with self.assertRaises(Refused):
                broker.connect("evil")
            lamp.close()
            broker.write("policies/p.yaml", "policies: [ { policyName: 1\n")
            broker.log.wait_text("the ones before stay")
            broker.write("policies/p.yaml", policies(CONNECT, allow("iot:Publish", "topic/now")))
            p = broker.connect("q")
            wait_until(lambda: p.publish("later") != 0, "the new policies")
            self.assertEqual(p.publish("now"), 0)
            p.disconnect()
            broker.stop()
            self.assertEqual(broker.process.returncode, 0)
        return findings(self.report)

    def test_no_leak_and_no_error(self):
        known = {f.signature for f in self.baseline()}
        found = self.with_plugin()
        leaks = [f for f in found if f.kind in LEAKS and f.is_ours]
        errors = [f for f in found if not f.kind.startswith("Leak_") and f.signature not in known]
        self.assertEqual([], list(map(str, leaks + errors)))


class FindingTest(unittest.TestCase):
    """The test above sees what it looks for."""

    def test_a_leak_is_seen(self):
        program = """
#include <stdlib.h>
#include <string.h>
char *volatile lost;
int main(void) { lost = malloc(10); lost = NULL; char *p = malloc(1); int bad = p[1]; free(p); return bad == 77; }
"""
        with tempfile.TemporaryDirectory() as name:
            report = os.path.join(name, "report.xml")
            subprocess.run(["gcc", "-g", "-O0", "-x", "c", "-", "-o", os.path.join(name, "leaky")], input=program, text=True, check=True)
            subprocess.run([*valgrind(report), os.path.join(name, "leaky")], check=False, timeout=PATIENCE)
            kinds = {f.kind for f in findings(report)}
            self.assertIn("Leak_DefinitelyLost", kinds)
            self.assertIn("InvalidRead", kinds)
            self.assertTrue(all("leaky" in f.objects for f in findings(report)))


if __name__ == "__main__":
    unittest.main()
