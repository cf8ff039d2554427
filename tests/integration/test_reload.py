# SPDX-License-Identifier: Apache-2.0
"""New rules while the service runs: by SIGHUP, by changed files, under load, and when they are wrong."""
import json
import os
import signal
import socket
import threading
import unittest

from sluice_fixture import read_ndjson, wait_until
from test_service import Servers


def rule(name, sql, path="out.ndjson"):
    return f"ruleName: {name}\nsql: {sql}\nactions: [ {{ file: {{ path: {path} }} }} ]\n"


KEEP = rule("keep", "SELECT seq FROM 'a/#'", "keep.ndjson")


class Reload(Servers):
    needs_pg = False

    def replace(self, service, name, text):
        """As an editor does it: a new file takes the old one's place."""
        service.write("draft", text)
        os.replace(service.path("draft"), service.path(name))

    def reloads(self, service):
        return sum("reloaded: running" in line for line in service.log)

    def reload(self, service):
        """SIGHUP, and wait until the new rules are in force."""
        before = self.reloads(service)
        service.process.send_signal(signal.SIGHUP)
        service.wait_log("reloaded: running", before + 1)

    def publish(self, topic, **payload):
        self.broker.publish(topic, json.dumps(payload), qos=1)

    def wait_lines(self, service, name, expected):
        wait_until(lambda: read_ndjson(service.path(name)) == expected, f"{name} to be {expected}")

    def test_changed_files_are_noticed(self):
        service = self.started({"keep": KEEP})
        self.replace(service, "rules/keep.yaml", KEEP.replace("seq", "seq * 10 AS seq"))
        service.wait_log("reloaded: running 1 rule")
        self.publish("a/1", seq=1)
        self.wait_lines(service, "keep.ndjson", [{"seq": 10}])
        service.write("rules/more.yaml", rule("more", "SELECT seq, 'b' AS b FROM 'b/#'"))
        service.wait_log("reloaded: running 2 rules")
        self.publish("b/1", seq=2)
        self.wait_lines(service, "out.ndjson", [{"seq": 2, "b": "b"}])
        service.path("rules/more.yaml").unlink()
        service.wait_log("reloaded: running 1 rule", 2)
        self.publish("b/1", seq=3)
        self.publish("a/1", seq=4)
        self.wait_lines(service, "keep.ndjson", [{"seq": 10}, {"seq": 40}])
        self.assertEqual(service.stop(), 0)
        self.assertEqual(read_ndjson(service.path("out.ndjson")), [{"seq": 2, "b": "b"}])

    def test_a_folder_that_goes_and_comes(self):
        service = self.started({"keep": KEEP})
        service.path("rules").rename(service.path("elsewhere"))
        service.wait_log("not reloaded")
        self.publish("a/1", seq=1)
        self.wait_lines(service, "keep.ndjson", [{"seq": 1}])
        service.path("elsewhere").rename(service.path("rules"))
        service.wait_log("reloaded: running 1 rule")
        service.write("rules/more.yaml", rule("more", "SELECT seq FROM 'b/#'"))
        service.wait_log("reloaded: running 2 rules")
        self.assertEqual(service.stop(), 0)

    def test_a_service_manager_is_told(self):
        service = self.service({"keep": KEEP})
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(service.path("notify")))
            manager.settimeout(60)
            os.environ["NOTIFY_SOCKET"] = str(service.path("notify"))
            self.addCleanup(os.environ.pop, "NOTIFY_SOCKET", None)
            service.start()
            told = []
            while "WATCHDOG=1" not in told:
                told += manager.recv(1000).decode().split("\n")
            self.assertIn("READY=1", told)
            self.assertIn("STATUS=Running 1 rule", told)
            service.process.send_signal(signal.SIGTERM)
            while "STOPPING=1" not in told:
                told += manager.recv(1000).decode().split("\n")
            self.assertEqual(service.wait(), 0)

    def test_broken_rules_leave_the_old_ones(self):
        service = self.started({"keep": KEEP})
        self.replace(service, "rules/keep.yaml", rule("keep", "SELECT clientident() FROM 'a/#'"))
        service.wait_log("not reloaded for 1 error: the 1 rule from before go on")
        error = next(json.loads(line) for line in service.log if "unknown function" in line)
        self.assertEqual((error["logLevel"], error["at"]), ("ERROR", "rules/keep.yaml:2:13"))
        self.assertIn("|             ^^^^^^^^^^^\n", error["shown"])
        self.assertIn('did you mean \\"clientid\\"?', json.dumps(error["shown"]))
        self.publish("a/1", seq=1)
        self.wait_lines(service, "keep.ndjson", [{"seq": 1}])
        self.replace(service, "rules/keep.yaml", KEEP)
        service.wait_log("reloaded: running 1 rule")
        self.assertEqual(service.stop(), 0)

    def test_one_broken_file_of_several(self):
        service = self.started({"keep": KEEP, "other": rule("other", "SELECT seq FROM 'b/#'")})
        self.replace(service, "rules/other.yaml", "ruleName: [")
        service.wait_log("the 2 rules from before go on")
        self.publish("b/1", seq=1)
        self.wait_lines(service, "out.ndjson", [{"seq": 1}])
        self.assertEqual(service.stop(), 0)

    def test_a_file_that_was_emptied_leaves_the_old_ones(self):
        """A disk that is full, or somebody who writes in place: it does not mean that there are no rules."""
        service = self.started({"keep": KEEP})
        self.replace(service, "rules/keep.yaml", "")
        service.wait_log("not reloaded for 1 error: the 1 rule from before go on")
        self.publish("a/1", seq=1)
        self.wait_lines(service, "keep.ndjson", [{"seq": 1}])
        self.assertEqual(service.stop(), 0)

    def test_lines_of_sluice_yaml_are_not_logged(self):
        """It may hold secrets."""
        service = self.started({"keep": KEEP})
        text = service.path("sluice.yaml").read_text(encoding="utf-8")
        self.replace(service, "sluice.yaml", text + "connections: { db: { postgres: { conninfo: \"password=hunter2secret\" } } }, [\n")
        service.wait_log("not reloaded")
        self.assertEqual(service.stop(), 0)
        self.assertTrue(any('"at":"sluice.yaml:' in line for line in service.log))
        self.assertNotIn("hunter2secret", "\n".join(service.log))

    def test_sigusr1_does_not_end_the_service(self):
        service = self.started({"keep": KEEP})
        service.process.send_signal(signal.SIGUSR1)
        service.wait_log("SIGUSR1 has no meaning here and is ignored")
        self.reload(service)
        self.assertEqual(service.stop(), 0)

    def test_sluice_yaml(self):
        """Its rules are taken over, anything else waits for the next start."""
        service = self.started({"keep": KEEP})
        service.write("more/b.yaml", rule("more", "SELECT seq FROM 'b/#'"))
        text = service.path("sluice.yaml").read_text(encoding="utf-8")
        self.replace(service, "sluice.yaml", text.replace("rules: [rules/]", "rules: [rules/, more/b.yaml]"))
        service.wait_log("reloaded: running 2 rules")
        self.assertFalse(any("at the next start" in line for line in service.log))
        self.publish("b/1", seq=1)
        self.wait_lines(service, "out.ndjson", [{"seq": 1}])
        service.write("more/b.yaml", rule("more", "SELECT seq, 1 AS one FROM 'b/#'"))
        service.wait_log("reloaded: running 2 rules", 2)
        self.replace(service, "sluice.yaml", text + "inFlight: 5\n")
        service.wait_log("at the next start")
        service.wait_log("reloaded: running 1 rule")
        self.replace(service, "sluice.yaml", text + "inFlight: many\n")
        service.wait_log("not reloaded")
        self.assertEqual(service.stop(), 0)

    def test_another_filter(self):
        for version in ("5", "3.1.1"):
            with self.subTest(version):
                service = self.started({"keep": KEEP}, mqtt=f", version: '{version}'")
                for round_, topic_filter in enumerate(("a/+", "+/1", "a/#", "b/1", "a/1")):
                    self.replace(service, "rules/keep.yaml", KEEP.replace("a/#", topic_filter))
                    service.wait_log("reloaded: running 1 rule", round_ + 1)
                    self.publish("b/1" if topic_filter == "b/1" else "a/1", seq=round_)
                    self.wait_lines(service, "keep.ndjson", [{"seq": i} for i in range(round_ + 1)])
                self.assertEqual(service.stop(), 0)

    def test_under_load_nothing_is_lost_or_doubled(self):
        """A rule that stays, one that changes, and others that come and go with overlapping filters."""
        count = 6000
        for version in ("5", "3.1.1"):
            with self.subTest(version):
                service = self.started(
                    {"keep": KEEP, "change": rule("change", "SELECT seq, 0 AS v FROM 'a/+'", "change.ndjson")},
                    mqtt=f", version: '{version}'",
                )
                lines = [json.dumps({"seq": i}) for i in range(count)]
                sender = threading.Thread(target=self.broker.publish_lines, args=("a/1", lines), kwargs={"qos": 1})
                sender.start()
                rounds = 0
                while sender.is_alive() or rounds < 5:
                    rounds += 1
                    service.write("rules/change.yaml", rule("change", f"SELECT seq, {rounds} AS v FROM 'a/+'", "change.ndjson"))
                    service.write("rules/other.yaml", rule("other", "SELECT seq FROM " + ("'a/1'", "'+/1'", "'#'")[rounds % 3], "other.ndjson"))
                    self.reload(service)
                    service.path("rules/other.yaml").unlink()
                    self.reload(service)
                sender.join()
                for name in ("keep.ndjson", "change.ndjson"):
                    wait_until(lambda name=name: len(read_ndjson(service.path(name))) >= count, f"{count} lines in {name}")
                self.assertEqual(service.stop(), 0)
                self.assertEqual([line["seq"] for line in read_ndjson(service.path("keep.ndjson"))], list(range(count)))
                changed = read_ndjson(service.path("change.ndjson"))
                self.assertEqual([line["seq"] for line in changed], list(range(count)))
                versions = [line["v"] for line in changed]
                self.assertEqual(versions, sorted(versions), "an older form of the rule came after a newer one")
                rules = {r["name"]: r for r in service.stats()["rules"]}
                self.assertEqual(rules["keep"]["delivered"], count)


if __name__ == "__main__":
    unittest.main()
