# SPDX-License-Identifier: Apache-2.0
"""The postgres action against a real PostgreSQL: the contract of all actions, then what only this one does.

Every test has a database of its own in one server, and drives the action without rules (tests/contract/action_driver.c).
"""
import json
import os
import subprocess
import unittest

from driver_fixture import BUILD, STALL_MS, Driver, item
from pg_fixture import PATIENCE, PgServer, binary

CONTRACT = BUILD / "tests/contract/contract_postgres"
GRACE_MS = 1000  # PG_LINK_GRACE_MS: after the statement time-out the connection is dropped


def setUpModule():
    # Starting a server takes longer than most tests. Those that stop it start it again.
    Case.pg = unittest.enterModuleContext(PgServer(hba="local all stranger scram-sha-256\nlocal all all trust\n"))


class Case(unittest.TestCase):
    pg = None

    def setUp(self):
        self.dbname = self.id().rsplit(".", 1)[1].lower()[:60]
        self.pg.psql(f'CREATE DATABASE "{self.dbname}"')

    def sql(self, text):
        return self.pg.psql(text, dbname=self.dbname)

    def rows(self, text):
        return self.sql(text).splitlines()

    def value(self, text):
        """The one value that a query gives, whatever is in it."""
        return json.loads(self.sql(f"SELECT to_json(x.*) FROM ({text}) x").strip())

    def driver(self, *actions, options="", user="postgres", more=""):
        driver = self.enterContext(Driver("postgres", f"conninfo: \"{self.pg.conninfo(dbname=self.dbname, user=user, more=more)}\"\n{options}"))
        for yaml in actions:
            driver.action(yaml)
        return driver

    def assert_results(self, results, expected):
        """expected: "done", or the beginning of a result."""
        self.assertEqual(len(results), len(expected), results)
        for i, (result, begin) in enumerate(zip(results, expected)):
            self.assertTrue(result == begin or (begin != "done" and result.startswith(begin)), f"item {i}: {result!r}, not {begin!r}")


MODES = {
    "error": "onConflict: error",
    "ignore": "onConflict: ignore",
    "update": "onConflict: update\nkey: [id]",
}


class ContractTest(Case):
    def test_contract(self):
        result = subprocess.run([CONTRACT], env={**os.environ, "SLUICE_TEST_PG": self.pg.conninfo()}, capture_output=True, text=True,
                                check=False, timeout=PATIENCE * 5)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


class ValueTest(Case):
    def test_members_become_columns_of_any_type(self):
        self.sql("CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN percent AS numeric CHECK (VALUE BETWEEN 0 AND 100)")
        columns = ("id int PRIMARY KEY, big bigint, num numeric, d double precision, t text, v varchar(5), c char(3), b boolean, ts timestamptz,"
                   " day date, u uuid, j json, jb jsonb, list text[], ints int[], raw bytea, m mood, p percent, bits bit(4), ip inet, iv interval")
        number = "123456789012345678901234567890.123456789"
        text = ('{"id":7,"big":9223372036854775807,"num":' + number + ',"d":0.1,"t":"Grüße \\"x\\"","v":"abcde","c":"ab","b":true,'
                '"ts":"2026-01-31T12:00:00.5Z","day":"2026-01-31","u":"7e146a2c-95b5-4caf-98b9-50e3969734c7","j":{"a": [1, 2.50]},'
                '"jb":{"k":"v"},"list":"{a,\\"b c\\",NULL}","ints":"{1,2}","raw":"\\\\x00ff5c","m":"happy","p":99.5,"bits":"1010",'
                '"ip":"192.0.2.1/24","iv":"1 day 02:00"}')
        for mode, yaml in MODES.items():
            with self.subTest(mode):
                self.sql(f"CREATE TABLE {mode} ({columns})")
                driver = self.driver(f"table: {mode}\n{yaml}")
                self.assert_results(driver.send(item(text=text)), ["done"])
                self.assertEqual(
                    self.sql(f"SELECT id, big, num, d, t, v, c, b, ts AT TIME ZONE 'UTC', day, u, j, jb, list, ints, raw, m, p, bits, ip, iv FROM {mode}"),
                    f'7|9223372036854775807|{number}|0.1|Grüße "x"|abcde|ab |t|2026-01-31 12:00:00.5|2026-01-31|7e146a2c-95b5-4caf-98b9-50e3969734c7|'
                    '{"a":[1,2.50]}|{"k": "v"}|{a,"b c",NULL}|{1,2}|\\x00ff5c|happy|99.5|1010|192.0.2.1/24|1 day 02:00:00\n')

    def test_a_value_that_does_not_fit_is_never_cut(self):
        bad = [{"v": "abcdef"}, {"c": "abcd"}, {"bits": "10101"}, {"num": 1234.5}, {"p": 101}, {"m": "angry"}, {"i": 1.5}, {"i": 3000000000},
               {"b": "maybe"}, {"jb": None, "i": "x"}, {"ts": "yesterdayish"}]
        self.sql("CREATE TYPE mood AS ENUM ('sad'); CREATE DOMAIN percent AS int CHECK (VALUE <= 100)")
        for mode, yaml in MODES.items():
            with self.subTest(mode):
                self.sql(f"CREATE TABLE {mode} (id int PRIMARY KEY, v varchar(5), c char(3), bits bit(4), num numeric(4,1), p percent, m mood,"
                         " i int, b boolean, jb jsonb, ts timestamptz)")
                driver = self.driver(f"table: {mode}\n{yaml}")
                items = []
                for i, members in enumerate(bad):
                    items += [item({"id": 2 * i}), item({"id": 2 * i + 1} | members)]
                self.assert_results(driver.send(*items), ["done", "rejected: 2"] * len(bad))
                self.assertEqual(self.rows(f"SELECT count(*), sum(id) FROM {mode}"), [f"{len(bad)}|{len(bad) * (len(bad) - 1)}"])

    def test_null_and_absent(self):
        for mode, yaml in MODES.items():
            with self.subTest(mode):
                self.sql(f"CREATE TABLE {mode} (id int PRIMARY KEY, a text, b text DEFAULT 'standard')")
                driver = self.driver(f"table: {mode}\n{yaml}")
                items = [{"id": 1}, {"id": 2, "a": None}, {"id": 3, "b": None}, {"id": 4, "a": "", "b": ""}, {"id": 5, "b": "x"}, {"id": 6}]
                self.assert_results(driver.send(*map(item, items)), ["done"] * 6)
                self.assertEqual(self.rows(f"SELECT id, coalesce(a, '-'), coalesce(b, '-') FROM {mode} ORDER BY id"),
                                 ["1|-|standard", "2|-|standard", "3|-|-", "4||", "5|-|x", "6|-|standard"])

    def test_json_columns_take_the_json_of_everything(self):
        self.sql("CREATE TABLE t (id serial, j json, jb jsonb)")
        driver = self.driver("table: t")
        values = ["text", '{"a":1}', 1.50, True, [1, {"a": None}], {"x": "\u20ac\n"}, None]
        self.assert_results(driver.send(*(item({"j": value, "jb": value}) for value in values)), ["done"] * 7)
        self.assertEqual([json.loads(row) if row else None for row in self.rows("SELECT jb FROM t ORDER BY id")], values)
        self.assertEqual(self.rows("SELECT j FROM t ORDER BY id")[:3], ['"text"', '"{\\"a\\":1}"', "1.5"])

    def test_strange_text(self):
        texts = ["it's", 'say "x"', "back\\slash", "tab\tnew\nline\rend\r\n", "\\N", "\\.", "\\", "\\n", "", " ", "NULL", "{}", "{a,b}",
                 "$1 $$ %s ${x}", "'); DROP TABLE t; --", "\u20ac \U0001f600 \u00e9 e\u0301", "\u2028\ufeff", "\x01\x1f\x7f", "x" * 1_000_000,
                 "\\\t\n" * 100_000, "\u20ac" * 300_000]
        for mode, yaml in MODES.items():
            with self.subTest(mode):
                self.sql(f"CREATE TABLE {mode} (id int PRIMARY KEY, v text)")
                by_member = self.driver(f"table: {mode}\n{yaml}")
                self.assert_results(by_member.send(*(item({"id": i, "v": v}) for i, v in enumerate(texts))), ["done"] * len(texts))
                by_template = self.driver(f"table: {mode}\n{yaml}\ncolumns: {{ id: '${{id}}', v: '${{v}}' }}")
                self.assert_results(by_template.send(*(item({}, id=str(100 + i), v=v) for i, v in enumerate(texts))), ["done"] * len(texts))
                for first in (0, 100):
                    stored = self.value(f"SELECT json_agg(v ORDER BY id) AS v FROM {mode} WHERE id >= {first} AND id < {first + 100}")["v"]
                    for expected, found in zip(texts, stored):
                        self.assertEqual(expected, found)

    def test_what_is_no_text_is_rejected(self):
        self.sql("CREATE TABLE t (v text, j jsonb)")
        driver = self.driver("table: t", "table: t\ncolumns: { v: '${v}' }")
        results = driver.send(item({"v": "a"}), item({"v": "nul\0byte"}), item({"v": "b"}), item({"j": {"x": "nul\0byte"}}),
                              item(text="{}", action=1, v="nul\0byte"), item(text='{"v":"\\ud800"}'))
        self.assert_results(results, ["done", "rejected: the value of column \"v\" holds the character NUL", "done", "rejected: 22P05", "done", "done"])
        self.assertEqual(self.rows("SELECT v FROM t"), ["a", "b", "\ufffd", "nul"])  # the driver's templates end at a NUL

    def test_outputs_that_are_no_rows(self):
        self.sql("CREATE TABLE t (a int)")
        driver = self.driver("table: t")
        results = driver.send(item([1]), item("text"), item(5), item({}), item(text=""), item(text="\x00\x01", json_body=False), item({"a": 1}),
                              item(text='{"a":1', json_body=True))
        self.assert_results(results, ["rejected: the output is no JSON object"] * 3 + ["rejected: the output has no members"]
                            + ["rejected: the output is no JSON object"] * 2 + ["done", "rejected: the output is no JSON object"])

    def test_column_templates(self):
        self.sql('CREATE TABLE t (device text, "Wert 1" numeric, body jsonb, note text)')
        driver = self.driver("table: t\ncolumns: { device: 'dev-${d}', 'Wert 1': '${v}', body: '${b}', note: '${n}' }")
        results = driver.send(item(text="not JSON", json_body=False, d="7", v="1.50", b='{"a": 1}'), item({}, d="8", n=""), item({}, v="x"))
        self.assert_results(results, ["done", "done", "rejected: 22P02: invalid input syntax for type numeric: \"x\" (COPY t, line 1, column Wert 1"])
        self.assertEqual(self.rows("SELECT *, note IS NULL FROM t"), ['dev-7|1.50|{"a": 1}||t', "dev-8||||f"])


class RowTest(Case):
    def test_copy_rejects_the_bad_row_alone(self):
        self.sql("CREATE TABLE t (at serial, n int UNIQUE CHECK (n <> 13))")
        driver = self.driver("table: t")
        bodies = [{"n": n} for n in range(1000)]
        bodies[17] = {"n": "x"}
        bodies[500] = {"n": 499}
        bodies[999] = {"n": 1.5}
        results = driver.send(*map(item, bodies))
        bad = {13: "rejected: 23514: ", 17: 'rejected: 22P02: invalid input syntax for type integer: "x"', 500: "rejected: 23505: ", 999: "rejected: 22P02: "}
        self.assert_results(results, [bad.get(i, "done") for i in range(1000)])
        self.assertIn("Key (n)=(499) already exists", results[500])
        self.assertEqual([int(n) for n in self.rows("SELECT n FROM t ORDER BY at")], [n for n in range(1000) if n not in bad])

    def test_unnest_rejects_the_bad_row_alone(self):
        for mode, yaml in list(MODES.items())[1:]:
            with self.subTest(mode):
                self.sql(f"CREATE TABLE {mode} (at serial, id int PRIMARY KEY, n int CHECK (n <> 13))")
                driver = self.driver(f"table: {mode}\n{yaml}")
                bodies = [{"id": n, "n": n} for n in range(1000)]
                for i in (0, 500, 501, 999):
                    bodies[i]["n"] = "x"
                results = driver.send(*map(item, bodies))
                bad = {0, 13, 500, 501, 999}
                self.assert_results(results, ["rejected: 2" if i in bad else "done" for i in range(1000)])
                self.assertEqual([int(n) for n in self.rows(f"SELECT n FROM {mode} ORDER BY at")], [n for n in range(1000) if n not in bad])

    def test_errors_that_name_no_row_are_found_by_halving(self):
        self.sql("CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(1, 100);"
                 "CREATE TABLE child (at serial, id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
        driver = self.driver("table: child")
        results = driver.send(*(item({"id": n}) for n in [5, 6, 101, 7, 200, 201, 8, 9]))
        self.assert_results(results, ["done", "done", "rejected: 23503", "done", "rejected: 23503", "rejected: 23503", "done", "done"])
        self.assertEqual(self.rows("SELECT id FROM child ORDER BY at"), ["5", "6", "7", "8", "9"])

    def test_a_trigger_that_raises_rejects_its_row(self):
        self.sql("CREATE TABLE t (n int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.n = 2 THEN RAISE EXCEPTION E'no\\nCOPY t, line 1'; END IF;"
                 " RETURN NEW; END$$; CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()")
        driver = self.driver("table: t")
        self.assert_results(driver.send(*(item({"n": n}) for n in (1, 2, 3))), ["done", "rejected: P0001: no COPY t, line 1", "done"])

    def test_mostly_bad_rows(self):
        self.sql("CREATE TABLE t (n int)")
        driver = self.driver("table: t")
        results = driver.send(*(item({"n": n if n % 10 == 0 else "x"}) for n in range(1000)))
        self.assert_results(results, ["done" if n % 10 == 0 else "rejected: 22P02" for n in range(1000)])
        self.assertEqual(self.rows("SELECT count(*) FROM t"), ["100"])

    def test_an_unknown_member_rejects_its_row(self):
        self.sql("CREATE TABLE t (a int)")
        for yaml in MODES["error"], MODES["ignore"]:
            driver = self.driver(f"table: t\n{yaml}")
            results = driver.send(item({"a": 1}), item({"a": 2, 'b" int)': 3}), item({"A": 4}), item({"a": 5, "ctid": "x"}), item({"a": 6}))
            self.assert_results(results, ["done", 'rejected: the table has no column "b" int)"', 'rejected: the table has no column "A"',
                                          'rejected: the table has no column "ctid"', "done"])

    def test_columns_that_the_database_fills(self):
        self.sql("CREATE TABLE t (a int, twice int GENERATED ALWAYS AS (a * 2) STORED, id int GENERATED ALWAYS AS IDENTITY, d int GENERATED BY DEFAULT AS IDENTITY)")
        driver = self.driver("table: t", "table: t\nonConflict: ignore")
        for action in (0, 1):
            results = driver.send(*(item(body, action) for body in ({"a": 1}, {"a": 1, "twice": 3}, {"a": 1, "id": 9}, {"a": 2, "d": 40})))
            self.assert_results(results, ["done", 'rejected: column "twice" is generated', 'rejected: column "id" is generated', "done"])

    def test_names_are_meant_as_written(self):
        self.sql('CREATE SCHEMA "My.Schema"; CREATE TABLE "My.Schema"."a.b" ("Two Words" int, "q""q" int, "select" int)')
        driver = self.driver('schema: My.Schema\ntable: a.b', "schema: '${s}'\ntable: '${t}'\nonConflict: ignore")
        body = {"Two Words": 1, 'q"q': 2, "select": 3}
        self.assert_results(driver.send(item(body)), ["done"])
        self.assert_results(driver.send(item(body, 1, s="My.Schema", t="a.b")), ["done"])
        self.assertEqual(self.rows('SELECT * FROM "My.Schema"."a.b"'), ["1|2|3"] * 2)

    def test_a_table_that_the_message_names(self):
        self.sql("CREATE SCHEMA s; CREATE TABLE s.t_1 (a int); CREATE TABLE s.t_2 (a int); CREATE TABLE t_1 (a int); CREATE SEQUENCE s.t_seq")
        driver = self.driver("table: 's.t_${x}'", "table: '${x}'")
        names = ["1", "2", "3", '1"; DROP TABLE s.t_1; --', "x" * 64, "1", "", "seq"]
        self.assert_results(driver.send(*(item({"a": 1}, x=x) for x in names)),
                            ["done", "done", 'rejected: 42P01: relation "s.t_3" does not exist', "rejected: the name of the table holds a double quote",
                             "rejected: the name of the table has 66 bytes", "done", "rejected: 42P01", 'rejected: the table has no column "a"'])
        self.assert_results(driver.send(item({"a": 1}, 1, x="t_1"), item({"a": 1}, 1, x="s.t_1"), item({"a": 1}, 1, x=""), item({"a": 1}, 1)),
                            ["done", 'rejected: 42P01: relation "s.t_1" does not exist', "rejected: the name of the table is empty",
                             "rejected: the name of the table is empty"])
        self.assertEqual(self.rows("SELECT (SELECT count(*) FROM s.t_1), (SELECT count(*) FROM s.t_2), (SELECT count(*) FROM t_1)"), ["2|1|1"])

    def test_a_view_takes_rows(self):
        self.sql("CREATE TABLE t (a int, b text); CREATE VIEW v AS SELECT a, b FROM t WHERE a < 10 WITH CHECK OPTION")
        driver = self.driver("table: v", "table: v\nonConflict: ignore")
        for action in (0, 1):
            self.assert_results(driver.send(item({"a": 1}, action), item({"a": 10}, action), item({"a": 2}, action)), ["done", "rejected: 44000", "done"])

    def test_a_table_with_row_level_security_takes_rows(self):
        self.sql("CREATE ROLE owner_of_rows LOGIN; CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT INSERT ON t TO owner_of_rows;"
                 " CREATE POLICY p ON t FOR INSERT WITH CHECK (a < 10)")
        driver = self.driver("table: t", user="owner_of_rows")
        self.assert_results(driver.send(item({"a": 1}), item({"a": "x"}), item({"a": 2})), ["done", "rejected: 22P02", "done"])
        self.assert_results(driver.send(item({"a": 11})), ["later: misconfigured: 42501: new row violates row-level security policy"])
        self.assertEqual(self.rows("SELECT a FROM t"), ["1", "2"])


class ConflictTest(Case):
    def test_ignore_keeps_the_first(self):
        self.sql("CREATE TABLE t (id int PRIMARY KEY, v text)")
        driver = self.driver("table: t\nonConflict: ignore", "table: t\nonConflict: ignore\nkey: [id]")
        for action in (0, 1):
            self.assert_results(driver.send(*(item({"id": i, "v": v}, action) for i, v in [(1, "a"), (2, "b"), (1, "c"), (1, "d")])), ["done"] * 4)
            self.assertEqual(self.rows("SELECT * FROM t ORDER BY id"), ["1|a", "2|b"])

    def test_ignore_with_a_key_rejects_other_conflicts(self):
        self.sql("CREATE TABLE t (id int PRIMARY KEY, v text UNIQUE)")
        driver = self.driver("table: t\nonConflict: ignore\nkey: [id]")
        self.assert_results(driver.send(item({"id": 1, "v": "a"}), item({"id": 1, "v": "b"}), item({"id": 2, "v": "a"})), ["done", "done", "rejected: 23505"])

    def test_update_keeps_the_last(self):
        self.sql("CREATE TABLE t (site text, device text, v int, n int, note text DEFAULT 'none', PRIMARY KEY (device, site))")
        driver = self.driver("table: t\nonConflict: update\nkey: [site, device]")
        items = [item({"v": n, "site": f"s{n % 2}", "device": f"d{n % 3}", "n": n}) for n in range(600)]
        self.assert_results(driver.send(*items), ["done"] * 600)
        self.assertEqual(self.rows("SELECT site, device, v, n, note FROM t ORDER BY 1, 2"),
                         [f"s{s}|d{d}|{n}|{n}|none" for s in (0, 1) for d in (0, 1, 2) for n in [max(i for i in range(600) if (i % 2, i % 3) == (s, d))]])
        self.assert_results(driver.send(item({"site": "s0", "device": "d0", "note": "x"}), item({"site": "s0", "device": "d0", "v": -1})), ["done"] * 2)
        self.assertEqual(self.rows("SELECT v, n, note FROM t WHERE site = 's0' AND device = 'd0'"), ["-1|594|x"])

    def test_update_needs_its_key_in_every_row(self):
        self.sql("CREATE TABLE t (id int UNIQUE, v int)")
        driver = self.driver("table: t\nonConflict: update\nkey: [id]")
        results = driver.send(item({"id": 1, "v": 1}), item({"v": 2}), item({"id": None, "v": 3}), item({"id": None, "v": 4}), item({"id": 1}))
        self.assert_results(results, ["done", 'rejected: the output lacks "id" of the key', "done", "done", "done"])
        self.assertEqual(self.rows("SELECT id, v FROM t ORDER BY v"), ["1|1", "|3", "|4"])

    def test_texts_that_are_one_key_to_the_database_stay_in_order(self):
        self.sql("CREATE TABLE t (k numeric PRIMARY KEY, v text)")
        driver = self.driver("table: t\nonConflict: update\nkey: [k]\ncolumns: { k: '${k}', v: '${v}' }")
        keys = ["1", "2", "1.0", "2.00", "3", "1.00", "1", "01"]
        self.assert_results(driver.send(*(item({}, k=k, v=f"{i}") for i, k in enumerate(keys))), ["done"] * 8)
        self.assertEqual(self.rows("SELECT trunc(k), v FROM t ORDER BY k"), ["1|7", "2|3", "3|4"])

    def test_redelivery_with_ignore_and_update_changes_nothing(self):
        self.sql("CREATE TABLE ignore (id int PRIMARY KEY, v int); CREATE TABLE update (id int PRIMARY KEY, v int)")
        for mode in ("ignore", "update"):
            driver = self.driver(f"table: {mode}\n{MODES[mode]}")
            for _ in range(2):
                self.assert_results(driver.send(*(item({"id": n, "v": n}) for n in range(50))), ["done"] * 50)
            self.assertEqual(self.rows(f"SELECT count(*), sum(v) FROM {mode}"), ["50|1225"])


class ServerTest(Case):
    def test_server_down_then_back(self):
        self.sql("CREATE TABLE t (n int)")
        driver = self.driver("table: t")
        self.assert_results(driver.send(item({"n": 1})), ["done"])
        for end in (self.pg.stop, self.pg.kill):
            end()
            try:
                self.assert_results(driver.send(item({"n": 2}), item({"n": 3})), ["later: connection to server on socket"] * 2)
            finally:
                self.pg.start()
            self.assert_results(driver.send(item({"n": 2}), item({"n": 3})), ["done"] * 2)
        self.assertEqual(self.rows("SELECT n FROM t"), ["1", "2", "3", "2", "3"])

    def test_a_restart_while_idle_goes_unnoticed(self):
        self.sql("CREATE TABLE t (n int)")
        driver = self.driver("table: t")
        for n in range(3):
            self.assert_results(driver.send(item({"n": n})), ["done"])
            self.pg.restart()
        self.assertEqual(self.rows("SELECT n FROM t"), ["0", "1", "2"])

    def test_the_server_ends_the_session_in_a_statement(self):
        self.sql("CREATE TABLE t (n int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.n = 2 THEN PERFORM"
                 " pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); END IF; RETURN NEW; END$$; CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();"
                 " CREATE TABLE u (n int)")
        for yaml in MODES["error"], MODES["ignore"]:
            driver = self.driver(f"table: t\n{yaml}", "table: u")
            self.assert_results(driver.send(item({"n": 1}), item({"n": 2}), item({"n": 3}), item({"n": 4}, 1)), ["later: 57P01"] * 4)
            self.assert_results(driver.send(item({"n": 1}), item({"n": 3}), item({"n": 4}, 1)), ["done"] * 3)

    def test_a_server_that_hangs_costs_the_time_out_only(self):
        self.sql("CREATE TABLE t (n int)")
        driver = self.driver("table: t", options="statementTimeout: 300ms\nconnectTimeout: 400ms")
        driver.send_until_done(item({"n": 1}))
        with self.pg.paused():
            self.assert_results(driver.send(item({"n": 2}), item({"n": 3})), ["later: no answer from the server in time"] * 2)
            self.assertGreaterEqual(driver.ms, 300 + GRACE_MS)
            self.assertLess(driver.ms, 300 + GRACE_MS + STALL_MS)
            self.assert_results(driver.send(item({"n": 2})), ["later: could not connect within 400 ms"])
            self.assertGreaterEqual(driver.ms, 400)
            self.assertLess(driver.ms, 400 + STALL_MS)
        driver.send_until_done(item({"n": 3}))
        self.assertEqual(self.rows("SELECT DISTINCT n FROM t WHERE n <> 2 ORDER BY n"), ["1", "3"])

    def test_a_hanging_server_with_much_to_send(self):
        self.sql("CREATE TABLE t (v text)")
        for yaml in MODES["error"], MODES["ignore"]:
            driver = self.driver(f"table: t\n{yaml}", options="statementTimeout: 300ms")
            driver.send_until_done(item({"v": "x"}))
            with self.pg.paused():
                self.assert_results(driver.send(*(item({"v": "x" * 1_000_000}) for _ in range(20))), ["later: no answer"] * 20)
                self.assertLess(driver.ms, 300 + GRACE_MS + STALL_MS)

    def test_a_locked_table_is_waited_for(self):
        self.sql("CREATE TABLE t (n int); CREATE TABLE u (n int)")
        driver = self.driver("table: t", "table: u", options="statementTimeout: 300ms")
        driver.send_until_done(item({"n": 0}))
        from_other = subprocess.Popen([binary("psql"), "-X", "-q", "-A", "-t", "-d", self.pg.conninfo(dbname=self.dbname)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        with from_other:
            from_other.stdin.write("BEGIN; LOCK t; SELECT 'locked';\n")
            from_other.stdin.flush()
            self.assertEqual(from_other.stdout.readline(), "locked\n")
            self.assert_results(driver.send(item({"n": 1}), item({"n": 2})), ["later: 57014: canceling statement due to statement timeout"] * 2)
            self.assertLess(driver.ms, 300 + STALL_MS)
            from_other.stdin.close()
        driver.send_until_done(item({"n": 1}), item({"n": 2}))
        self.assertEqual(self.rows("SELECT DISTINCT n FROM t ORDER BY n"), ["0", "1", "2"])

    def test_later_holds_up_its_own_table_only(self):
        self.sql("CREATE TABLE t (n int); CREATE TABLE u (n int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
                 " $$BEGIN IF NEW.n = 2 THEN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END IF; RETURN NEW; END$$;"
                 " CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()")
        driver = self.driver("table: t", "table: u")
        results = driver.send(item({"n": 1}), item({"n": 1}, 1), item({"n": 2}), item({"n": 2}, 1), item({"n": 3}))
        self.assert_results(results, ["later: 40001: again", "done", "later: 40001: again", "done", "later: 40001: again"])

    def test_a_send_takes_no_longer_than_the_time_out(self):
        self.sql("CREATE TABLE t (n int CHECK (n > 0)); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END$$;"
                 " CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()")
        driver = self.driver("table: t", options="statementTimeout: 500ms")
        pending = [{"n": n} for n in range(1, 41)]
        done = []
        for _ in range(60):  # a batch that is too slow as a whole gets through in parts
            results = driver.send(*map(item, pending))
            self.assertLess(driver.ms, 500 + GRACE_MS + STALL_MS)
            done += [body for body, result in zip(pending, results) if result == "done"]
            pending = [body for body, result in zip(pending, results) if result != "done"]
            self.assertEqual(set(result[:5] for result in results) - {"done", "later"}, set())
            if not pending:
                break
        self.assertEqual(pending, [])
        self.assertEqual(len(done), 40)

    def test_a_read_only_server_is_left(self):
        self.sql("CREATE TABLE t (n int)")
        driver = self.driver("table: t", more="options='-c default_transaction_read_only=on'")
        self.assert_results(driver.send(item({"n": 1})), ["later: 25006"])

    def test_the_application_has_a_name(self):
        self.sql("CREATE TABLE t (v text)")
        self.sql("ALTER TABLE t ALTER v SET DEFAULT current_setting('application_name'), ADD n int")
        for options, more, name in [("", "", "sluice-test"), ("", "application_name=mine", "mine"), ("applicationName: ours", "application_name=mine", "ours")]:
            self.assert_results(self.driver("table: t", options=options, more=more).send(item({"n": 1})), ["done"])
            self.assertEqual(self.rows("SELECT v FROM t"), [name])
            self.sql("TRUNCATE t")


class MisconfiguredTest(Case):
    def test_a_constant_table_that_is_missing(self):
        self.sql("CREATE TABLE other (n int)")
        driver = self.driver("table: t", "table: nowhere.t", "table: other")
        results = driver.send(item({"n": 1}), item({"n": 1}, 1), item({"n": 1}, 2))
        self.assert_results(results, ['later: misconfigured: 42P01: relation "t" does not exist', "later: misconfigured: 3F000: schema \"nowhere\" does not exist", "done"])
        self.sql("CREATE TABLE t (n int)")
        self.assert_results(driver.send(item({"n": 1})), ["done"])

    def test_a_configured_column_that_is_missing(self):
        self.sql("CREATE TABLE t (n int UNIQUE)")
        driver = self.driver("table: t\ncolumns: { n: '${n}', m: '${n}' }", "table: t\nonConflict: update\nkey: [m]")
        expected = 'later: misconfigured: table "t" has no column "m"'
        self.assert_results(driver.send(item({}, n="1"), item({"n": 1, "m": 2}, 1)), [expected] * 2)
        self.sql("ALTER TABLE t ADD m int UNIQUE")
        self.assert_results(driver.send(item({}, n="1"), item({"n": 2, "m": 2}, 1)), ["done"] * 2)

    def test_update_without_a_unique_index(self):
        self.sql("CREATE TABLE t (n int)")
        driver = self.driver("table: t\nonConflict: update\nkey: [n]")
        self.assert_results(driver.send(item({"n": 1})), ["later: misconfigured: 42P10"])
        self.sql("CREATE UNIQUE INDEX ON t (n)")
        self.assert_results(driver.send(item({"n": 1})), ["done"])

    def test_no_permission(self):
        self.sql("CREATE TABLE t (n int); CREATE ROLE guest LOGIN")
        driver = self.driver("table: t", user="guest")
        self.assert_results(driver.send(item({"n": 1}), item({"n": "x"})), ["later: misconfigured: 42501: permission denied for table t"] * 2)
        self.sql("GRANT INSERT ON t TO guest")
        self.assert_results(driver.send(item({"n": 1}), item({"n": "x"})), ["done", "rejected: 22P02"])
        self.sql("DROP OWNED BY guest; DROP ROLE guest")

    def test_no_such_database_or_user_or_password(self):
        self.sql("CREATE TABLE t (n int)")
        with Driver("postgres", f"conninfo: \"{self.pg.conninfo(dbname='nowhere')}\"") as driver:
            driver.action("table: t")
            result = driver.send(item({"n": 1}))
            self.assert_results(result, ["later: refused: connection to server"])
            self.assertIn('3D000: database "nowhere" does not exist', result[0])
        result = self.driver("table: t", user="nobody").send(item({"n": 1}))
        self.assert_results(result, ["later: refused: connection to server"])
        self.assertIn("28000", result[0])
        self.pg.psql("CREATE ROLE stranger LOGIN PASSWORD 'right'")
        result = self.driver("table: t", user="stranger", more="password=wrong-secret").send(item({"n": 1}))
        self.assertIn("28P01: password authentication failed", result[0])
        self.assertNotIn("wrong-secret", result[0])
        self.assert_results(self.driver("table: t", user="stranger", more="password=right").send(item({"n": 1})), ["later: misconfigured: 42501"])

    def test_too_many_connections_pass(self):
        self.sql("CREATE TABLE t (n int); CREATE ROLE few LOGIN CONNECTION LIMIT 0; GRANT INSERT ON t TO few")
        driver = self.driver("table: t", user="few")
        result = driver.send(item({"n": 1}))
        self.assertTrue(result[0].startswith("later: connection to server") and "53300" in result[0], result)
        self.sql("ALTER ROLE few CONNECTION LIMIT 1")
        self.assert_results(driver.send(item({"n": 1})), ["done"])

    def test_a_conninfo_that_sets_nonsense(self):
        self.sql("CREATE TABLE t (n int)")
        result = self.driver("table: t", more="options='-c role=nobody_at_all'").send(item({"n": 1}))
        self.assert_results(result, ["later: refused: connection to server"])


class ChangeTest(Case):
    """The table changes while the lane knows it."""

    def test_a_new_column_is_found(self):
        self.sql("CREATE TABLE t (a int)")
        driver = self.driver("table: t")
        self.assert_results(driver.send(item({"a": 1}), item({"b": 2})), ["done", "rejected"])
        self.sql("ALTER TABLE t ADD b int")
        self.assert_results(driver.send(item({"b": 2})), ["rejected"])
        driver.ask(advance=5000)
        self.assert_results(driver.send(item({"a": 3}), item({"b": 4}), item({"c": 5})), ["done", "done", "rejected"])
        self.assertEqual(self.rows("SELECT a, b FROM t"), ["1|", "3|", "|4"])

    def test_a_dropped_or_renamed_column_is_noticed(self):
        self.sql("CREATE TABLE t (a int, b int)")
        driver = self.driver("table: t", "table: t\nonConflict: ignore")
        self.assert_results(driver.send(item({"a": 1, "b": 1}), item({"a": 1, "b": 1}, 1)), ["done"] * 2)
        driver.ask(advance=1)
        self.sql("ALTER TABLE t RENAME b TO c")
        self.assert_results(driver.send(item({"a": 2, "b": 2}), item({"a": 3}), item({"a": 4, "c": 4}, 1)), ['rejected: the table has no column "b"', "done", "done"])

    def test_a_changed_type_is_noticed(self):
        self.sql("CREATE TABLE t (id int PRIMARY KEY, v int)")
        driver = self.driver("table: t\nonConflict: update\nkey: [id]")
        self.assert_results(driver.send(item({"id": 1, "v": 1}), item({"id": 2, "v": "x"})), ["done", "rejected: 22P02"])
        self.sql("ALTER TABLE t ALTER v TYPE text")
        driver.ask(advance=5000)
        self.assert_results(driver.send(item({"id": 1, "v": 1}), item({"id": 2, "v": "x"})), ["done", "done"])
        driver.ask(advance=1)
        self.sql("ALTER TABLE t ALTER v TYPE jsonb USING to_jsonb(v)")
        self.assert_results(driver.send(item({"id": 1, "v": [1]})), ["done"])
        self.assertEqual(self.rows("SELECT id, v FROM t ORDER BY id"), ["1|[1]", '2|"x"'])

    def test_a_table_that_is_made_anew(self):
        self.sql("CREATE TABLE t (a int)")
        driver = self.driver("table: t")
        self.assert_results(driver.send(item({"a": 1})), ["done"])
        self.sql("DROP TABLE t")
        driver.ask(advance=1)
        self.assert_results(driver.send(item({"a": 1})), ["later: misconfigured: 42P01"])
        self.sql("CREATE TABLE t (b text, a text)")
        self.assert_results(driver.send(item({"a": "x", "b": "y"})), ["done"])


class EncodingTest(Case):
    def setUp(self):
        self.dbname = "latin1"
        self.pg.psql(f"CREATE DATABASE {self.dbname} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")

    def test_what_the_database_cannot_hold_is_rejected(self):
        self.sql("CREATE TABLE t (v text)")
        for yaml in MODES["error"], MODES["ignore"]:
            driver = self.driver(f"table: t\n{yaml}")
            self.assert_results(driver.send(item({"v": "\u00e9"}), item({"v": "\u20ac"}), item({"v": "x"})), ["done", "rejected: 22P05", "done"])
        self.assertEqual(self.rows("SELECT v FROM t"), ["\u00e9", "x"] * 2)


if __name__ == "__main__":
    unittest.main()
