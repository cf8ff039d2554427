# SPDX-License-Identifier: Apache-2.0
"""time_to_epoch and parse_time held against java.time: time/TimeCases.java makes patterns and instants of a fixed seed and says what
Java makes of them; one process of `sluice eval` answers them all.

Where Java's own time zone data differs from the system's at the instant that a case was made of (Python's zoneinfo reads the system's),
a difference says nothing and is passed over; that must stay rare.
"""
import datetime
import json
import pathlib
import subprocess
import unittest
import zoneinfo

from sluice_fixture import PATIENCE, SLUICE

PROGRAM = pathlib.Path(__file__).resolve().parent / "time/TimeCases.java"
SEED, COUNT = 20160323, 5000  # of each kind
SQL = "SELECT CASE kind WHEN 'parse' THEN time_to_epoch(text, pattern) ELSE parse_time(pattern, at, zone) END AS r FROM 'test'"


def java_cases():
    made = subprocess.run(["java", PROGRAM, str(SEED), str(COUNT)], capture_output=True, text=True, check=True, timeout=5 * PATIENCE)
    return [json.loads(line) for line in made.stdout.splitlines()]


def our_answers(cases):
    payloads = "".join(json.dumps(case) + "\n" for case in cases)
    result = subprocess.run([SLUICE, "eval", SQL, "--topic", "test"], input=payloads, capture_output=True, text=True, check=True, timeout=5 * PATIENCE)
    return [json.loads(line).get("r") for line in result.stdout.splitlines()]


def expected(case):
    return case["millis"] if case["kind"] == "parse" else case["text"]


def zones_agree(case):
    """Is Java's offset at the instant the system's as well? Years that Python does not have are taken to be so."""
    try:
        at = datetime.datetime.fromtimestamp(case["second"], zoneinfo.ZoneInfo(case["zone"]))
    except (OverflowError, ValueError):
        return True
    return at.utcoffset().total_seconds() == case["offset"]


class Time(unittest.TestCase):
    def test_as_java(self):
        cases = java_cases()
        answers = our_answers(cases)
        self.assertEqual((len(cases), len(answers)), (2 * COUNT, 2 * COUNT))
        self.assertGreater(sum(case.get("millis") is not None for case in cases), COUNT // 3, "most texts match their pattern no more")
        other = [(case, answer) for case, answer in zip(cases, answers) if answer != expected(case)]
        wrong = [f"{case} but {answer}" for case, answer in other if zones_agree(case)]
        self.assertEqual(wrong, [], f"{len(wrong)} of {len(cases)} differ from Java")
        self.assertLess(len(other), COUNT // 100, "the time zone data of Java and of the system are too far apart to compare")
        print(f"{len(cases)} cases as in Java, {len(other)} of other time zone data")


if __name__ == "__main__":
    unittest.main()
