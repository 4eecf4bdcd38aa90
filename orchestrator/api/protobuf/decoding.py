"""From a protobuf message to the JSON-shaped object it stands for.

A message's reader is compiled from the table when it is first needed: a dictionary from the tags
that may come to one closure each. What Go's JSON encoder would leave out of the same struct is left
out; what it writes although it is zero is there even when the sender did not write it.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from orchestrator.api.protobuf.tables import Field, message
from orchestrator.api.protobuf.values import ABSENT, READERS, scalars, text
from orchestrator.api.protobuf.wire import (
    BYTES,
    FIXED64,
    SIGN,
    VARINT,
    WRAP,
    ProtobufError,
    read_varint,
    skip,
)

Fields = dict[str, Any]
Take = Callable[[Fields, Any], None]
"""Puts what a field's data (bytes, or an integer) stands for into the object."""

Read = Callable[[bytes], Any]
"""From a field's bytes to JSON."""

_DOUBLE: Final = struct.Struct("<d")
_ZEROS: Final[dict[str, Any]] = {"s": "", "i": 0, "t": False, "d": 0}


@cache
def decoder(name: str) -> Read:
    """Return the reader of a message.

    Raises:
        KeyError: The table does not have it.
    """
    choice = _CHOICES.get(name.rpartition(".")[2])
    if choice is not None and name.startswith("apiextensions."):
        return choice(name)
    takes: dict[int, Take] = {}
    numbers: dict[int, str] = {}
    always: dict[str, Callable[[], Any]] = {}
    for field in message(name):
        numbers[field.number] = field.name
        for wire in _wires(field):
            tag = field.number << 3 | wire
            takes[tag] = _first(takes, tag, field)
        if field.shown and field.type != "b":
            always[field.name] = _zero(field.type)

    def decode(data: bytes) -> Fields:
        found: Fields = {}
        at, end = 0, len(data)
        try:
            while at < end:
                tag = data[at]
                at += 1
                if tag > 0x7F:
                    tag, at = read_varint(data, at - 1)
                take = takes.get(tag)
                if take is None:
                    if tag >> 3 in numbers:
                        raise ProtobufError(
                            f"proto: wrong wireType = {tag & 7} for field {numbers[tag >> 3]}"
                        )
                    at = skip(data, at, tag)
                    continue
                wire = tag & 7
                if wire == BYTES:
                    length = data[at]
                    at += 1
                    if length > 0x7F:
                        length, at = read_varint(data, at - 1)
                    stop = at + length
                    if stop > end:
                        raise ProtobufError("unexpected EOF")
                    take(found, data[at:stop])
                    at = stop
                elif wire == VARINT:
                    value = data[at]
                    at += 1
                    if value > 0x7F:
                        value, at = read_varint(data, at - 1)
                    take(found, value)
                else:
                    take(found, data[at : at + 8])
                    at += 8
        except IndexError:
            raise ProtobufError("unexpected EOF") from None
        if at > end:
            raise ProtobufError("unexpected EOF")
        if always and not always.keys() <= found.keys():
            for field, zero in always.items():
                if field not in found and (value := zero()) is not ABSENT:
                    found[field] = value
        return found

    return decode


def _zero(type_: str) -> Callable[[], Any]:
    if type_ in _ZEROS:
        zero = _ZEROS[type_]
        return lambda: zero
    reader = READERS.get(type_)
    if reader is not None:
        return lambda: reader(b"")
    return lambda: decoder(type_)(b"")


def _wires(field: Field) -> tuple[int, ...]:
    """Return the wire types that a field may have."""
    if field.form in ("map", "inline"):
        return (BYTES,)
    if field.type in "it":
        return (VARINT, BYTES) if field.form == "list" else (VARINT,)
    return (FIXED64,) if field.type == "d" else (BYTES,)


def _first(takes: dict[int, Take], tag: int, field: Field) -> Take:
    """Return what makes the real taker of a field, and gives way to it, when it is needed.

    Types refer to one another in circles, and most of them are never met.
    """

    def take(found: Fields, data: Any) -> None:
        made = takes[tag] = _takes(field)[tag & 7]
        made(found, data)

    return take


def _takes(field: Field) -> dict[int, Take]:
    """Return what takes a field, by wire type."""
    name = field.name
    if field.form == "map":
        return {BYTES: _take_entry(name, field.type)}
    if field.form == "inline":
        read = _reader(field.type)
        return {BYTES: lambda found, data: found.update(read(data))}
    match field.type:
        case "i" | "t":
            number = _boolean if field.type == "t" else _integer
            if field.form == "list":
                return {
                    VARINT: lambda found, value: found.setdefault(name, []).append(number(value)),
                    BYTES: _take_packed(name, number),
                }
            return {VARINT: _take_number(name, number, keep=field.shown or field.form != "one")}
        case "d":
            return {FIXED64: _take_double(name, keep=field.shown or field.form != "one")}
        case type_:
            read = _reader(type_)
            if field.form == "list":
                return {BYTES: _take_item(name, read)}
            if field.shown or field.form == "optional":
                return {BYTES: _take_value(name, read)}
            return {BYTES: _take_nonzero(name, read, "" if type_ in "sb" else None)}


def _reader(type_: str) -> Read:
    if type_ == "s":
        return text
    if type_ == "b":
        return lambda data: base64.b64encode(data).decode()
    if type_ in READERS:
        return READERS[type_]
    if type_.endswith("*"):
        return _strings
    return decoder(type_)


def _integer(value: int) -> int:
    return value - WRAP if value & SIGN else value


def _boolean(value: int) -> bool:
    return value != 0


def _strings(data: bytes) -> list[str]:
    """Read a message that stands for a list of strings."""
    return [text(item) for item in _repeated(data, 1)]


def _repeated(data: bytes, number: int) -> list[bytes]:
    found = []
    at, end = 0, len(data)
    while at < end:
        tag, at = read_varint(data, at)
        if tag == number << 3 | BYTES:
            length, at = read_varint(data, at)
            found.append(data[at : at + length])
            at += length
        else:
            at = skip(data, at, tag)
    if at > end:
        raise ProtobufError("unexpected EOF")
    return found


def _take_number(name: str, read: Callable[[int], Any], *, keep: bool) -> Take:
    def take(found: Fields, value: int) -> None:
        if value or keep:
            found[name] = read(value)

    return take


def _take_packed(name: str, read: Callable[[int], Any]) -> Take:
    def take(found: Fields, data: bytes) -> None:
        items = found.setdefault(name, [])
        at, end = 0, len(data)
        while at < end:
            value, at = read_varint(data, at)
            items.append(read(value))

    return take


def _take_double(name: str, *, keep: bool) -> Take:
    def take(found: Fields, data: bytes) -> None:
        try:
            (value,) = _DOUBLE.unpack(data)
        except struct.error:
            raise ProtobufError("unexpected EOF") from None
        if value or keep:
            found[name] = int(value) if value.is_integer() else value

    return take


def _take_value(name: str, read: Read) -> Take:
    def take(found: Fields, data: bytes) -> None:
        value = read(data)
        if value is not ABSENT:
            found[name] = value

    return take


def _take_nonzero(name: str, read: Read, zero: Any) -> Take:
    def take(found: Fields, data: bytes) -> None:
        if not data:
            return
        value = read(data)
        if value is not ABSENT and (value != zero if zero is not None else value != read(b"")):
            found[name] = value

    return take


def _take_item(name: str, read: Read) -> Take:
    def take(found: Fields, data: bytes) -> None:
        value = read(data)
        if value is not ABSENT:
            found.setdefault(name, []).append(value)

    return take


def _take_entry(name: str, type_: str) -> Take:
    if type_ in ("i", "t"):
        raise ValueError("no published map has numbers as values")
    read = _reader(type_)

    def take(found: Fields, data: bytes) -> None:
        fields = scalars(data)
        key, value = fields.get(1, b""), fields.get(2, b"")
        if isinstance(key, int) or isinstance(value, int):
            raise ProtobufError(f"proto: wrong wireType for field {name}")
        item = read(value)
        if item is not ABSENT:
            found.setdefault(name, {})[text(key)] = item

    return take


def _schema_or_bool(name: str) -> Read:
    schema = _lazy_schema(name)

    def decode(data: bytes) -> Any:
        fields = scalars(data)
        return schema(fields[2]) if 2 in fields else bool(fields.get(1))

    return decode


def _schema_or_list(item: Callable[[str], Read]) -> Callable[[str], Read]:
    def choice(name: str) -> Read:
        schema = _lazy_schema(name)
        read = item(name)

        def decode(data: bytes) -> Any:
            fields = scalars(data)
            if 1 in fields:
                return schema(fields[1])
            return [read(part) for part in _repeated(data, 2)]

        return decode

    return choice


def _lazy_schema(name: str) -> Callable[[Any], Any]:
    message_name = f"{name.rpartition('.')[0]}.JSONSchemaProps"

    def decode(data: Any) -> Any:
        if not isinstance(data, bytes):
            raise ProtobufError("proto: wrong wireType for a schema")
        return decoder(message_name)(data)

    return decode


_CHOICES: Final[dict[str, Callable[[str], Read]]] = {
    "JSONSchemaPropsOrBool": _schema_or_bool,
    "JSONSchemaPropsOrArray": _schema_or_list(_lazy_schema),
    "JSONSchemaPropsOrStringArray": _schema_or_list(lambda _: text),
}
"""Messages that hold one of several things, whose JSON is just that thing."""
