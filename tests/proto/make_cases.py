#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Messages of the schemas in this folder, and what they are as JSON in the opinion of Google's Python library.

  make_cases.py COUNT SET.desc=FILE...   writes lines to standard output: FILE MESSAGE HEX JSON

FILE is the .proto file without extension; JSON is `-` for what the library refuses. Messages are put together record by
record rather than by the library, so that they hold what no sender writes but every reader must take: fields twice and
out of order, packed and not, wrong wire types, unknown fields and groups, numbers longer than necessary, default values
in full; some are cut off or damaged. The same COUNT gives the same lines.

The library's mapping is changed in three points: 64-bit integers are numbers, well-known types are messages like others,
and floats have the shortest digits that read back the same, also below the smallest normal one.
"""
import contextlib
import json
import os
import random
import struct
import sys
import warnings

sys.path.append("/usr/lib/python3/dist-packages")
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory  # noqa: E402
from google.protobuf.descriptor import FieldDescriptor as F  # noqa: E402
from google.protobuf.message import DecodeError  # noqa: E402

SEED = 20160323
VARINT, FIXED64, BYTES, GROUP, END, FIXED32 = range(6)
WIRE = {
    F.TYPE_DOUBLE: FIXED64, F.TYPE_FIXED64: FIXED64, F.TYPE_SFIXED64: FIXED64,
    F.TYPE_FLOAT: FIXED32, F.TYPE_FIXED32: FIXED32, F.TYPE_SFIXED32: FIXED32,
    F.TYPE_STRING: BYTES, F.TYPE_BYTES: BYTES, F.TYPE_MESSAGE: BYTES, F.TYPE_GROUP: GROUP,
}  # fmt: skip


class Printer(json_format._Printer):
    def _MessageToJsonObject(self, message):
        return self._RegularMessageToJsonObject(message, {})

    def _FieldToJsonObject(self, field, value):
        made = super()._FieldToJsonObject(field, value)
        if field.cpp_type in (F.CPPTYPE_INT64, F.CPPTYPE_UINT64):
            return int(made)
        if field.cpp_type == F.CPPTYPE_FLOAT and isinstance(made, float):
            return shortest_float(value)
        return made


def shortest_float(value):
    bits = struct.pack("<f", value)
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        if abs(short) < 3.5e38 and packs_to(short, bits):
            return short
    return value


def packs_to(value, bits):
    try:
        return struct.pack("<f", value) == bits
    except OverflowError:
        return False


class Writer:
    def __init__(self, random):
        self.random = random

    def varint(self, value):
        out = b""
        value &= (1 << 64) - 1
        while value >= 0x80:
            out += bytes([value & 0x7F | 0x80])
            value >>= 7
        out += bytes([value])
        if len(out) < 5 and self.random.random() < 0.02:  # longer than necessary
            out = out[:-1] + bytes([out[-1] | 0x80, 0x80, 0])
        return out[:10]

    def tag(self, number, wire):
        return self.varint(number << 3 | wire)

    def delimited(self, data):
        return self.varint(len(data)) + data

    def integer(self):
        pick = self.random.randrange(6)
        if pick == 0:
            return 0
        if pick == 1:
            return self.random.randrange(128)
        if pick == 2:
            return self.random.choice([1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1])
        return self.random.getrandbits(self.random.randrange(1, 65))

    def real(self):
        pick = self.random.randrange(8)
        if pick == 0:
            return self.random.choice([0.0, -0.0, float("nan"), float("inf"), float("-inf"), 1e300, 5e-324, 1.5, -0.1])
        if pick < 4:
            return round(self.random.uniform(-1000, 1000), self.random.randrange(5))
        if pick == 4:
            return float(self.random.randrange(-10**17, 10**17))
        return self.random.uniform(-1, 1) * 10 ** self.random.randrange(-30, 30)

    def scalar(self, field):
        """Bytes of a value as it stands alone or in a packed field."""
        if field.type == F.TYPE_DOUBLE:
            return struct.pack("<d", self.real())
        if field.type == F.TYPE_FLOAT:
            bits = self.random.getrandbits(32)
            return struct.pack("<f", self.real() % 1e30) if self.random.random() < 0.7 else struct.pack("<I", bits)
        if WIRE.get(field.type) == FIXED64:
            return struct.pack("<Q", self.integer())
        if WIRE.get(field.type) == FIXED32:
            return struct.pack("<I", self.integer() & 0xFFFFFFFF)
        if field.type == F.TYPE_ENUM:
            known = [v.number for v in field.enum_type.values]
            if field.file.syntax == "proto3" and self.random.random() < 0.2:
                return self.varint(self.integer())
            return self.varint(self.random.choice(known))
        return self.varint(self.integer())

    def text(self, field):
        alphabet = "abc \"\\\n\x00\x1fäß€😀/\u2028"
        s = "".join(self.random.choice(alphabet) for _ in range(self.random.randrange(8))).encode()
        return s if self.random.random() < 0.995 or field.file.syntax == "proto2" else s + self.random.choice([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80"])

    def bytes_of(self, field, depth):
        if field.type == F.TYPE_STRING:
            return self.text(field)
        if field.type == F.TYPE_BYTES:
            return self.random.randbytes(self.random.randrange(6))
        return self.message(field.message_type, depth + 1)

    def unknown(self, depth):
        number, pick = self.random.choice([11, 30, 999, 15000, 536870910]), self.random.randrange(5)
        if pick == 0:
            return self.tag(number, VARINT) + self.varint(self.integer())
        if pick == 1:
            return self.tag(number, FIXED32) + self.random.randbytes(4)
        if pick == 2:
            return self.tag(number, FIXED64) + self.random.randbytes(8)
        if pick == 3 or depth > 4:
            return self.tag(number, BYTES) + self.delimited(self.random.randbytes(self.random.randrange(9)))
        inner = b"".join(self.unknown(depth + 1) for _ in range(self.random.randrange(3)))
        return self.tag(number, GROUP) + inner + self.tag(number, END)

    def record(self, field, depth):
        wire = WIRE.get(field.type, VARINT)
        if self.random.random() < 0.01:  # of another type than the schema's
            other = self.random.choice([w for w in (VARINT, FIXED64, FIXED32) if w != wire])
            body = {VARINT: b"\x05", FIXED64: b"12345678", FIXED32: b"1234"}[other]
            return self.tag(field.number, other) + body
        if wire == GROUP:
            return self.tag(field.number, GROUP) + self.message(field.message_type, depth + 1) + self.tag(field.number, END)
        if wire == BYTES:
            return self.tag(field.number, BYTES) + self.delimited(self.bytes_of(field, depth))
        if field.label == F.LABEL_REPEATED and self.random.random() < 0.6:
            return self.tag(field.number, BYTES) + self.delimited(b"".join(self.scalar(field) for _ in range(self.random.randrange(5))))
        return self.tag(field.number, wire) + self.scalar(field)

    def message(self, kind, depth=0):
        fields = list(kind.fields)
        if depth > 3:
            fields = [f for f in fields if f.type not in (F.TYPE_MESSAGE, F.TYPE_GROUP)]
        out = [self.record(f, depth) for f in fields if f.label == F.LABEL_REQUIRED and self.random.random() < 0.97]
        for _ in range(self.random.randrange(7 if depth else 12)):
            out.append(self.record(self.random.choice(fields), depth) if fields and self.random.random() < 0.95 else self.unknown(0))
        if self.random.random() < 0.3:
            self.random.shuffle(out)
        return b"".join(out)

    def damage(self, data):
        data = bytearray(data)
        for _ in range(self.random.randrange(1, 4)):
            pick, at = self.random.randrange(4), self.random.randrange(len(data) or 1)
            if pick == 0:
                del data[at:]
            elif pick == 1 and data:
                data[at] ^= 1 << self.random.randrange(8)
            elif pick == 2 and data:
                data[at] = self.random.randrange(256)
            else:
                data[at:at] = self.random.randbytes(self.random.randrange(1, 3))
        return bytes(data)


@contextlib.contextmanager
def quiet():
    """The library writes to standard error by itself, and warns of an END too many, which is as good as an error."""
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            yield said
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


def as_json(kind, data):
    """JSON text, or - if the library refuses the bytes."""
    message = kind()
    try:
        with quiet() as said:
            message.ParseFromString(data)
        if said or not message.IsInitialized():
            return "-"
        made = Printer(preserving_proto_field_name=True)._MessageToJsonObject(message)
        return json.dumps(made, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (DecodeError, UnicodeDecodeError, json_format.Error, ValueError, TypeError):
        return "-"


def nested(kind, number, levels):
    """Messages in messages, so many levels below the outermost."""
    data = b""
    for _ in range(levels):
        data = Writer(random.Random(0)).tag(number, BYTES) + Writer(random.Random(0)).delimited(data)
    return data


def load(path):
    with open(path, "rb") as f:
        files = descriptor_pb2.FileDescriptorSet.FromString(f.read()).file
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    name = files[-1].name
    return name.removesuffix(".proto"), [
        (kind.full_name, factory.GetPrototype(kind)) for kind in pool.FindFileByName(name).message_types_by_name.values() if kind.name != "Board"
    ]


def is_lenient(kind, seen=None):
    """In proto2 the library keeps unknown numbers of enums among the unknown fields (sluice gives them as numbers), and looks
    at text only where it stays (sluice wherever it is)."""
    seen = seen if seen is not None else set()
    if kind.full_name in seen:
        return False
    seen.add(kind.full_name)
    return any(
        (f.type in (F.TYPE_ENUM, F.TYPE_STRING) and f.file.syntax == "proto2") or (f.message_type and is_lenient(f.message_type, seen))
        for f in kind.fields
    )


def show(file, name, kind, data):
    print(file, name, data.hex() or "-", as_json(kind, data))


def main(count, paths):
    generator = random.Random(SEED)
    writer = Writer(generator)
    kinds = [(file, name, kind) for path in paths for file, messages in [load(path)] for name, kind in messages]
    for file, name, kind in kinds:
        show(file, name, kind, b"")
    for number in range(count):
        file, name, kind = kinds[number % len(kinds)]
        data = writer.message(kind.DESCRIPTOR)
        if generator.random() < 0.1:
            data += writer.message(kind.DESCRIPTOR)
        if generator.random() < 0.2 and not is_lenient(kind.DESCRIPTOR):
            data = writer.damage(data)
        show(file, name, kind, data)
    for file, name, kind in kinds:
        for number in [f.number for f in kind.DESCRIPTOR.fields if f.message_type == kind.DESCRIPTOR and f.type == F.TYPE_MESSAGE]:
            for levels in (50, 99, 100, 101, 130):
                show(file, name, kind, nested(kind, number, levels))


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    main(int(sys.argv[1]), sys.argv[2:])
