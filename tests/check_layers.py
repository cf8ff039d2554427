#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check every #include of the product against the table of folders in docs/architecture.md.

  check_layers.py              check this repository; prints each breach as file:line, ends with 1 if there is any
  check_layers.py --self-test  break every rule in a made-up tree and see that each breach is found

The rules:
  - a folder includes itself, include/ and what its row of the table lists, nothing else;
  - own headers are named in quotes, by their path from the root (or "sluice/..." in include/), and exist;
  - a header that ends in _int.h stays in its folder;
  - a third-party library is included by at most two files (OpenSSL by five), and by one more in bench/ that does without ours
    what is measured; every library is known here;
  - sql/ has no thread, socket, file or clock of its own.
"""
import argparse
import pathlib
import re
import sys
import tempfile

ROOTS = ("include", "engine", "sql", "actions", "lookups", "bench/pipeline")
SUFFIXES = (".c", ".h", ".def", ".cpp", ".inc")
TABLE = "docs/architecture.md"
FILES_PER_LIBRARY = 2
# OpenSSL does several things that have nothing in common but the library: TLS, hashes of passwords, seals, certificates. A file for each.
FILES_OF_LIBRARY = {"OpenSSL": 5}
BENCH_FILES_PER_LIBRARY = 1

# Third-party libraries by their headers.
LIBRARIES = {
    "libyaml": r"yaml\.h",
    "PCRE2": r"pcre2\w*\.h",
    "libpq": r"(libpq-fe|postgres_ext|libpq/.*)\.h",
    "paho.mqtt.c": r"MQTT\w+\.h",
    "Intel decimal library": r"(bid_\w+|dfp754|decimal)\.h",
    "libunistring": r"uni\w+\.h",
    "nettle": r"nettle/.*",
    "OpenSSL": r"openssl/.*",
    "librdkafka": r"librdkafka/.*",
    "libcurl": r"curl/.*",
    "libmicrohttpd": r"microhttpd\.h",
    "SQLite": r"sqlite3\w*\.h",
    "jansson": r"jansson\w*\.h",
    "Mosquitto plugin": r"mosquitto\w*\.h",
    "libsystemd": r"systemd/sd-\w+\.h",
    "zlib": r"zlib\.h",
    "zstd": r"zstd\w*\.h",
}

# The C library, POSIX, Linux and the compiler: free for all but sql/.
SYSTEM = re.compile(
    r"(assert|complex|ctype|dirent|dlfcn|endian|errno|fcntl|fenv|float|fnmatch|ftw|getopt|glob|grp|ifaddrs|inttypes|limits|locale"
    r"|malloc|math|netdb|poll|pthread|pwd|regex|sched|search|semaphore|setjmp|signal|spawn|stdalign|stdarg|stdatomic|stdbool|stddef"
    r"|stdint|stdio|stdlib|stdnoreturn|string|strings|syslog|termios|tgmath|threads|time|uchar|unistd|wchar|wctype"
    r"|[a-z]mmintrin|immintrin|(arpa|linux|net|netinet|sanitizer|sys)/\w+)\.h"
)

# What sql/ must not include, and the parts of <stdio.h> that reach outside.
SQL_BANNED = re.compile(
    r"(pthread|threads|semaphore|sched|signal|poll|netdb|ifaddrs|time|fcntl|unistd|dirent|spawn|dlfcn|syslog"
    r"|(arpa|linux|net|netinet|sys)/\w+)\.h"
)
SQL_BANNED_STDIO = re.compile(
    r"\b(FILE|stdin|stdout|stderr)\b"
    r"|\b(fopen|fdopen|freopen|popen|tmpfile|open_memstream|v?f?printf|vprintf|v?dprintf|f?puts|f?putc|putchar|fwrite|fread"
    r"|f?getc|getchar|fgets|getline|f?scanf|perror)\s*\("
)

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>|(\S.*))')


class Layers:
    """Which folder may include which, read from the table."""

    def __init__(self, text):
        self.uses = {}
        rows = re.findall(r"^\| `((?:include|engine|sql|actions|lookups|bench/pipeline)[\w/]*)/` \|.*\| ([^|]*) \|$", text, re.MULTILINE)
        if not any(folder.startswith("include") for folder, _ in rows):
            raise ValueError(f"{TABLE} has no table of folders")
        folders = [folder for folder, _ in rows]
        named = {"include" if f.startswith("include") else f.rsplit("/", 1)[-1]: f for f in folders}
        for folder, cell in rows:
            names = set(named) if cell.strip() == "all" else set(re.findall(r"`(\w+)`", cell))
            if not names and cell.strip() != "libc":
                raise ValueError(f"{TABLE}: cannot read what {folder}/ may use: {cell}")
            for name in names - set(named):
                raise ValueError(f"{TABLE}: {folder}/ may use {name}, which has no row")
            self.uses[folder] = {named[name] for name in names | {"include"}}

    def folder_of(self, path):
        fitting = [f for f in self.uses if path == f or path.startswith(f + "/")]
        return max(fitting, key=len) if fitting else None


def without_comments(text):
    """Comments and the contents of strings blanked, line ends kept."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


class Checker:
    def __init__(self, root):
        self.root = root
        self.layers = Layers((root / TABLE).read_text(encoding="utf-8"))
        self.breaches = []
        self.library_users = {}
        self.files = self.includes = 0

    def breach(self, path, line, text):
        self.breaches.append((path, line, text))

    def check_own(self, path, line, header, folder):
        target = "include/" + header if header.startswith("sluice/") else header
        if not target.startswith(tuple(root + "/" for root in ROOTS)):
            self.breach(path, line, f'"{header}" is not a path from the root')
            return
        if not (self.root / target).is_file():
            self.breach(path, line, f'"{header}" does not exist')
            return
        there = self.layers.folder_of(target)
        if there is None:
            self.breach(path, line, f'"{header}" lies in a folder without a row in {TABLE}')
        elif there != folder and there not in self.layers.uses[folder]:
            self.breach(path, line, f"{folder}/ may not use {there}/")
        elif there != folder and header.endswith("_int.h"):
            self.breach(path, line, f'"{header}" is internal to {there}/')

    def check_foreign(self, path, line, header, folder):
        if folder == "sql" and SQL_BANNED.fullmatch(header):
            self.breach(path, line, f"sql/ may not use <{header}>: no thread, socket, file or clock of its own")
        if SYSTEM.fullmatch(header):
            return
        for library, pattern in LIBRARIES.items():
            if re.fullmatch(pattern, header):
                self.library_users.setdefault(library, {}).setdefault(path, line)
                return
        self.breach(path, line, f"<{header}> is neither a system header nor of a known library (tests/check_layers.py)")

    def check_file(self, path):
        folder = self.layers.folder_of(path)
        if folder is None:
            self.breach(path, 1, f"lies in a folder without a row in {TABLE}")
            return
        self.files += 1
        text = (self.root / path).read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            self.includes += 1
            own, foreign, computed = found.groups()
            if own:
                self.check_own(path, number, own, folder)
            elif foreign:
                self.check_foreign(path, number, foreign, folder)
            else:
                self.breach(path, number, f"an include that cannot be checked: {computed}")
        if folder == "sql":
            for number, line in enumerate(without_comments(text).splitlines(), 1):
                found = SQL_BANNED_STDIO.search(line)
                if found:
                    self.breach(path, number, f"sql/ may not use {found.group().rstrip('( ')}: it has no file of its own")

    def check_libraries(self):
        for library, users in self.library_users.items():
            bench = {path: line for path, line in users.items() if path.startswith("bench/")}
            others = {path: line for path, line in users.items() if path not in bench}
            for part, most in ((others, FILES_OF_LIBRARY.get(library, FILES_PER_LIBRARY)), (bench, BENCH_FILES_PER_LIBRARY)):
                for path, line in sorted(part.items())[most:]:
                    self.breach(path, line, f"{library} is already included by {most} other files")

    def run(self):
        for root in ROOTS:
            for path in sorted((self.root / root).rglob("*")):
                if path.is_file() and path.suffix in SUFFIXES:
                    self.check_file(path.relative_to(self.root).as_posix())
        self.check_libraries()
        return sorted(self.breaches)


SELF_TEST_TABLE = """
| folder | job | may use |
| --- | --- | --- |
| `include/sluice/` | seams | libc |
| `engine/base/` | ground | `include` |
| `engine/mqtt/` | packets | `base` |
| `sql/` | language | `base` |
| `engine/flow/` | flow | `base`, `sql`, `mqtt` |
| `actions/` | actions | `base` |
| `engine/devices/` | devices | `base` |
| `bench/pipeline/` | a bench | `base` |
| `engine/apps/sluice/` | server | all |
| `tests/` `bench/` | as named | all |
"""

GOOD = {
    "include/sluice/port.h": "#include <stdint.h>\n",
    "engine/base/buf.h": "",
    "engine/base/json_int.h": "",
    "engine/base/buf.c": '#include "engine/base/buf.h"\n#include <stdio.h>\n#include <yaml.h>\n#include "engine/base/json_int.h"\n',
    "engine/base/more.c": "#include <yaml.h>\n",
    "engine/mqtt/packet.h": "",
    "engine/devices/shadow.h": "",
    "sql/sql.h": '#include "engine/base/buf.h"\n',
    "sql/lex.c": '#include <stdio.h>\n/* no FILE here, no fopen() */\nsnprintf("stderr fputs(");\n',
    "sql/token.def": "",
    "actions/act.h": '#include "sluice/port.h"\n#include "engine/base/buf.h"\n',
    "engine/flow/flow.h": '#include "engine/mqtt/packet.h"\n#include "sql/sql.h"\n',
    "bench/pipeline/third.c": '#include "engine/base/buf.h"\n#include <yaml.h>\n',
    "engine/apps/sluice/wire.c": '#include "engine/flow/flow.h"\n#include "actions/act.h"\n#include <pthread.h>\n',
}

# What is added to the good tree, and where a breach must be found: (file, text, line).
BAD = [
    ("engine/base/up.c", '\n#include "sql/sql.h"\n', 2),
    ("engine/base/up2.c", '#include "engine/flow/flow.h"\n', 1),
    ("include/sluice/up.h", '#include "engine/base/buf.h"\n', 1),
    ("sql/up.c", '#include "engine/flow/flow.h"\n', 1),
    ("sql/sideways.c", '#include "actions/act.h"\n', 1),
    ("engine/mqtt/up.c", '#include "sql/sql.h"\n', 1),
    ("actions/sideways.c", '#include "engine/flow/flow.h"\n', 1),
    ("actions/sideways2.c", '#include "engine/devices/shadow.h"\n', 1),
    ("actions/language.c", '#include "sql/sql.h"\n', 1),
    ("engine/flow/sideways.c", '# include "actions/act.h"\n', 1),
    ("engine/flow/sideways2.c", '#include "engine/devices/shadow.h"\n', 1),
    ("engine/devices/sideways.c", '#include "engine/flow/flow.h"\n', 1),
    ("engine/flow/up.c", '#include "engine/apps/sluice/wire.h"\n', 1),
    ("engine/base/short.c", '#include "buf.h"\n', 1),
    ("engine/base/gone.c", '#include "engine/base/gone.h"\n', 1),
    ("engine/base/macro.c", "#include HEADER\n", 1),
    ("engine/base/angle.c", "#include <engine/base/buf.h>\n", 1),
    ("engine/base/unknown.c", "#include <frobnicate.h>\n", 1),
    ("engine/flow/internal.c", '#include "engine/base/json_int.h"\n', 1),
    ("engine/base/third.c", "#include <string.h>\n#include <yaml.h>\n", 2),
    ("bench/pipeline/unused.c", "#include <yaml.h>\n", 1),
    ("bench/pipeline/up.c", '#include "engine/flow/flow.h"\n', 1),
    ("engine/nowhere/x.c", "#include <string.h>\n", 1),
    ("sql/thread.c", "#include <pthread.h>\n", 1),
    ("sql/socket.c", "#include <sys/socket.h>\n", 1),
    ("sql/clock.c", "#include <time.h>\n", 1),
    ("sql/file.c", "#include <stdio.h>\n/*\n*/ FILE *f;\n", 3),
    ("sql/file2.c", '#include <stdio.h>\nvoid f(void) { printf("x"); }\n', 2),
    ("sql/file3.h", "#include <stdio.h>\nint x = fputs (s, t);\n", 2),
    ("sql/token2.def", "#include <unistd.h>\n", 1),
]


def check_tree(files):
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        for path, text in {TABLE: SELF_TEST_TABLE, "engine/apps/sluice/wire.h": "", **files}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        return Checker(root).run()


def self_test():
    wrong = [f"a good tree is refused: {breach}" for breach in check_tree(GOOD)]
    for path, text, line in BAD:
        found = check_tree({**GOOD, path: text})
        if not any(breach[:2] == (path, line) for breach in found):
            wrong.append(f"not found: {path}:{line}: {text!r}; found {found}")
    try:
        Layers("no table at all")
        wrong.append("a page without a table is accepted")
    except ValueError:
        pass
    for text in wrong:
        print(text, file=sys.stderr)
    print(f"self-test: {len(BAD) + 2 - len(wrong)} of {len(BAD) + 2} as expected")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description="check the includes between folders")
    parser.add_argument("--self-test", action="store_true", help="see that every kind of breach is found")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    checker = Checker(arguments.root)
    breaches = checker.run()
    for path, line, text in breaches:
        print(f"{path}:{line}: {text}")
    if not checker.includes:
        print("no includes found", file=sys.stderr)
        return 1
    print(f"{checker.files} files, {checker.includes} includes, {len(breaches)} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
