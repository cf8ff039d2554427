#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print the longest functions of the C sources, and fail when one that is not named here passes 60 lines.

A function's length is counted from its opening brace in column one to its closing brace in column one, which is how
the layout of the sources puts every function.
"""
import pathlib
import subprocess
import sys

LIMIT = 60
# Long because splitting would hide the flow.
ALLOWED = {("sql/vm.c", "sql_vm_run")}


def functions(path):
    name, start, previous = None, 0, ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line == "{":
            name, start = previous.split("(")[0].split()[-1].lstrip("*") if "(" in previous else None, number
        elif line == "}" and name:
            yield name, number - start - 1, start
            name = None
        if line and not line[0].isspace() and line not in "{}":
            previous = line


def main():
    listed = subprocess.run(["git", "ls-files", "*.c"], capture_output=True, text=True, check=True).stdout.split()
    found = sorted(
        ((length, path, name, start) for path in listed for name, length, start in functions(pathlib.Path(path))),
        reverse=True,
    )
    if not found:
        print("no functions found", file=sys.stderr)
        return 1
    print(f"{len(found)} functions; the longest:")
    for length, path, name, start in found[:5]:
        print(f"  {length:4} lines  {path}:{start} {name}")
    bad = [f for f in found if f[0] > LIMIT and (f[1], f[2]) not in ALLOWED and not f[1].startswith("tests/")]
    for length, path, name, start in bad:
        print(f"{path}:{start}: {name} has {length} lines, more than {LIMIT}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
