#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the C tables of src/config/schema.h from protoc's descriptor set, the list of extensions and that
of values that ask for nothing.

protobuf-c's descriptors leave out options, reserved names and map entries; they are read here from
the binary descriptor set, with a small decoder so that the build needs no Python package.

usage: tables.py DESCRIPTOR_SET EXTENSIONS DEFAULTS OUTPUT
"""
import json
import struct
import sys
from pathlib import Path

PB_C_FILE, VALIDATE, NUNCIO, SENSITIVE = 1019, 1071, 51700, 51701  # option numbers
TYPE_STRING, GEN_INIT_HELPERS = 9, 3
NOT_COMPILED = {"google/protobuf/descriptor.proto"}
RULES = {2: "double", 5: "uint32", 6: "uint64", 13: "bool", 14: "string", 15: "bytes", 16: "enum",
         17: "message", 18: "repeated", 19: "map", 20: "any", 21: "duration"}


class Message:
    """A decoded protobuf message: field number -> raw values."""

    def __init__(self, data):
        self.fields, at = {}, 0
        while at < len(data):
            key, at = self.varint(data, at)
            number, wire = key >> 3, key & 7
            if wire == 0:
                value, at = self.varint(data, at)
            elif wire == 1:
                value, at = struct.unpack_from("<d", data, at)[0], at + 8
            elif wire == 2:
                size, at = self.varint(data, at)
                value, at = data[at:at + size], at + size
            else:
                sys.exit(f"wire type {wire} in the descriptor set")
            self.fields.setdefault(number, []).append(value)

    @staticmethod
    def varint(data, at):
        value = shift = 0
        while True:
            byte = data[at]
            value |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                return value, at

    def has(self, number):
        return number in self.fields

    def number(self, number, default=0):
        return self.fields.get(number, [default])[-1]

    def text(self, number):
        return self.number(number, b"").decode()

    def texts(self, number):
        return [value.decode() for value in self.fields.get(number, [])]

    def message(self, number):
        return Message(b"".join(self.fields.get(number, [])))

    def messages(self, number):
        return [Message(value) for value in self.fields.get(number, [])]


def symbol(name):
    """protoc-c's name for the descriptor of a message or an enum."""
    parts = []
    for part in name.split("."):
        lower, after_upper = "", True
        for c in part:
            lower += "_" if c.isupper() and not after_upper else ""
            after_upper = c.isupper()
            lower += c.lower()
        parts.append(lower)
    return "__".join(parts) + "__descriptor"


def c_bool(value):
    return "true" if value else "false"


def range_rule(rules, to_number):
    """lt, lte, gt, gte of a rules message as one range, or None."""
    lt, lte, gt, gte = (3, 4, 5, 6) if to_number is nanoseconds else (2, 3, 4, 5)
    low = next((n for n in (gt, gte) if rules.has(n)), None)
    high = next((n for n in (lt, lte) if rules.has(n)), None)
    if low is None and high is None:
        return None
    words = []
    if low is not None:
        words += [f".low = {to_number(rules, low)}", ".has_low = true",
                  f".low_open = {c_bool(low == gt)}"]
    if high is not None:
        words += [f".high = {to_number(rules, high)}", ".has_high = true",
                  f".high_open = {c_bool(high == lt)}"]
    return f".kind = NU_RULE_RANGE, .range = {{{', '.join(words)}}}"


def plain_number(rules, number):
    return repr(float(rules.number(number)))


def nanoseconds(rules, number):
    duration = rules.message(number)
    return repr(float(duration.number(1) * 1000000000 + duration.number(2)))


def string_rules(rules):
    skip = ", .skip_empty = true" if rules.number(26) else ""
    if rules.has(2):
        yield f".kind = NU_RULE_MIN_LEN, .count = {rules.number(2)}{skip}"
    if rules.has(5):
        yield f".kind = NU_RULE_MAX_BYTES, .count = {rules.number(5)}{skip}"
    if rules.has(6):
        yield f".kind = NU_RULE_PATTERN, .pattern = {json.dumps(rules.text(6))}{skip}"
    if rules.has(10):
        texts = ", ".join(json.dumps(text) for text in rules.texts(10))
        yield (f".kind = NU_RULE_IN, .count = {len(rules.texts(10))}, "
               f".texts = (const char *const[]){{{texts}}}{skip}")
    if rules.has(24):
        strict = ("NAME", "VALUE")[rules.number(24) - 1]
        yield f".kind = NU_RULE_HEADER_{strict if rules.number(25, 1) else 'STRING'}{skip}"


def field_rules(rules, scope="FIELD"):
    """The initialisers of struct nu_rule for one FieldRules message."""
    found = []
    for number, kind in RULES.items():
        if not rules.has(number):
            continue
        part = rules.message(number)
        if kind in ("double", "uint32", "uint64"):
            skip = ", .skip_empty = true" if part.number(8) else ""
            found.append(range_rule(part, plain_number) + skip)
        elif kind == "duration":
            found += [".kind = NU_RULE_REQUIRED"] if part.number(1) else []
            found += [rule for rule in [range_rule(part, nanoseconds)] if rule]
        elif kind == "bool":
            found.append(".kind = NU_RULE_TRUE")
        elif kind == "string":
            found += string_rules(part)
        elif kind == "bytes":
            found.append(f".kind = NU_RULE_MAX_BYTES, .count = {part.number(3)}")
        elif kind == "enum":
            found.append(".kind = NU_RULE_DEFINED")
        elif kind in ("message", "any"):
            found.append(".kind = NU_RULE_REQUIRED")
        elif kind == "repeated":
            found += [f".kind = NU_RULE_{name}, .count = {part.number(n)}"
                      for n, name in ((1, "MIN_ITEMS"), (2, "MAX_ITEMS")) if part.has(n)]
            yield from field_rules(part.message(4), "ITEM")
        elif kind == "map":
            yield from field_rules(part.message(4), "KEY")
    for rule in found:
        yield f"{{.scope = NU_RULE_ON_{scope}, {rule}}}"


def array(out, name, kind, rows):
    if rows:
        out.append(f"static const {kind} {name}[] = {{\n    " + ",\n    ".join(rows) + "};")
    return name if rows else "NULL"


def write_fields(out, name, fields):
    rows, worth = [], False
    for field in fields:
        options = field.message(8)
        rules = array(out, f"{name}_{field.text(1)}_rules", "struct nu_rule",
                      list(field_rules(options.message(VALIDATE))))
        count = "0" if rules == "NULL" else f"sizeof({rules}) / sizeof({rules}[0])"
        ignored = json.dumps(options.text(NUNCIO)) if options.has(NUNCIO) else "NULL"
        deprecated, sensitive = options.number(3), options.number(SENSITIVE)
        worth = worth or rules != "NULL" or options.has(NUNCIO) or deprecated or sensitive
        rows.append(f"{{{rules}, {count}, {ignored}, {c_bool(deprecated)}, {c_bool(sensitive)}}}")
    return array(out, f"{name}_fields", "struct nu_field_meta", rows if worth else [])


def read_table(path):
    return [line.split("\t") for line in Path(path).read_text().splitlines()
            if line and not line.startswith("#")]


def write_reserved(out, full_name, message, defaults):
    """Writes the fields that are not implemented; takes what it uses out of `defaults`."""
    numbers = [n for r in message.messages(9) for n in range(r.number(1), r.number(2))]
    names = message.texts(10)
    if len(numbers) != len(names):
        sys.exit(f"{full_name}: {len(numbers)} reserved numbers, but {len(names)} reserved names")
    rows = []
    for number, name in sorted(zip(numbers, names)):
        value = defaults.pop((full_name.lstrip("."), name), None)
        rows.append(f'{{{number}, "{name}", {json.dumps(value) if value else "NULL"}}}')
    table_name = symbol(full_name).replace("__descriptor", "_reserved")
    return array(out, table_name, "struct nu_reserved_field", rows), len(rows)


def write_message(out, full_name, message, defaults):
    """Writes what belongs to one message; returns its row of the table."""
    name = symbol(full_name).replace("__descriptor", "")
    fields = sorted(message.messages(2), key=lambda field: field.number(3))
    is_map_entry = message.message(7).number(7)
    if is_map_entry and fields[0].number(5) != TYPE_STRING:
        sys.exit(f"{full_name}: the loader only knows maps whose keys are strings")
    fields_name = write_fields(out, name, fields)
    reserved, reserved_count = write_reserved(out, full_name, message, defaults)
    oneofs = []
    for index, oneof in enumerate(message.messages(8)):
        members = [f.number(3) for f in fields if f.has(9) and f.number(9) == index]
        required = c_bool(oneof.message(2).number(VALIDATE))
        oneofs.append(f'{{"{oneof.text(1)}", {members[0]}, {required}}}')
    oneofs_name = array(out, f"{name}_oneofs", "struct nu_oneof_meta", oneofs)
    return (f"{{&{symbol(full_name)}, {fields_name}, {reserved}, {reserved_count}, {oneofs_name}, "
            f"{len(oneofs)}, {c_bool(is_map_entry)}}}")


def write_enum(out, full_name, enum):
    missing = [str(v.number(2)) for v in enum.messages(2) if v.message(3).number(NUNCIO)]
    if not missing:
        return None
    name = symbol(full_name).replace("__descriptor", "_missing")
    array(out, name, "int", missing)
    return f"{{&{symbol(full_name)}, {name}, {len(missing)}}}"


def check_init_helpers(file):
    """protobuf-c 1.4 unpacks a oneof of strings and messages only after a generated init."""
    messages = [item for _, item, is_message in walk("", file.messages(4), []) if is_message]
    has_helpers = file.message(8).message(PB_C_FILE).number(GEN_INIT_HELPERS, 1)
    if not has_helpers and any(message.has(8) for message in messages):
        sys.exit(f"{file.text(1)}: gen_init_helpers may not be false in a file with a oneof")


def walk(prefix, messages, enums):
    """All messages and enums below, as (full name, decoded descriptor, is a message)."""
    for enum in enums:
        yield f"{prefix}.{enum.text(1)}", enum, False
    for message in messages:
        name = f"{prefix}.{message.text(1)}"
        yield name, message, True
        yield from walk(name, message.messages(3), message.messages(4))


def table(kind, name, count_name, rows):
    return [f"const struct {kind} {name}[] = {{", *(f"    {row}," for row in rows), "};",
            f"const size_t {count_name} = {len(rows)};"]


def main():
    files = [f for f in Message(Path(sys.argv[1]).read_bytes()).messages(1)
             if f.text(1) not in NOT_COMPILED and not f.message(8).message(PB_C_FILE).number(1)]
    for file in files:
        check_init_helpers(file)
    out = ["/* Written by proto/tables.py. */", '#include "config/schema.h"', ""]
    out += [f'#include "{f.text(1).replace(".proto", ".pb-c.h")}"' for f in files]
    items = sorted((item for f in files for item in walk(f.text(2), f.messages(4), f.messages(5))),
                   key=lambda item: item[0].encode())
    defaults = {(message, field): value for message, field, value in read_table(sys.argv[3])}
    messages = [write_message(out, name, item, defaults)
                for name, item, is_message in items if is_message]
    if defaults:
        sys.exit(f"{sys.argv[3]}: implemented, or no such field: {sorted(defaults)}")
    enums = [write_enum(out, name, item) for name, item, is_message in items if not is_message]
    extensions = ["{" + ", ".join("NULL" if word == "-" else json.dumps(word) for word in line) + "}"
                  for line in read_table(sys.argv[2])]
    out += table("nu_message_meta", "nu_schema_messages", "nu_schema_message_count", messages)
    out += table("nu_enum_meta", "nu_schema_enums", "nu_schema_enum_count",
                 [row for row in enums if row])
    out += table("nu_extension_info", "nu_schema_extensions", "nu_schema_extension_count", extensions)
    Path(sys.argv[4]).write_text("\n".join(out) + "\n")


main()
