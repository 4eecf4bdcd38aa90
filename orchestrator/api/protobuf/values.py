"""Types whose JSON is not an object of their fields: times, quantities, free-form JSON and others.

For each there is a reader, from the bytes of its message to JSON data (`ABSENT` for none), and a
writer, from JSON data to the bytes of its message.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeVar

import orjson

from orchestrator.api.protobuf.wire import SIGN, WRAP, ProtobufError, read_varint, skip, varint
from orchestrator.resources.timestamps import format_micro, format_time, parse_time

ABSENT: Final = object()
"""What a reader returns for a value that JSON leaves out."""

_Short = TypeVar("_Short")
_Result = TypeVar("_Result")
Reader = Callable[[bytes], Any]
Writer = Callable[[Any], bytes]

_UNITS: Final = (("h", 3_600_000_000_000), ("m", 60_000_000_000))
_DURATION_UNITS: Final = {
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ns": 1,
}


def scalars(data: bytes) -> dict[int, int | bytes]:
    """Read a small message of numbers and bytes; the last of a repeated field counts."""
    found: dict[int, int | bytes] = {}
    at, end = 0, len(data)
    while at < end:
        tag, at = read_varint(data, at)
        wire = tag & 7
        if wire == 0:
            found[tag >> 3], at = read_varint(data, at)
        elif wire == 2:
            length, at = read_varint(data, at)
            found[tag >> 3] = data[at : at + length]
            at += length
        else:
            at = skip(data, at, tag)
    if at > end:
        raise ProtobufError("unexpected EOF")
    return found


def signed(value: int | bytes | None) -> int:
    """Return the number that stands for a signed one on the wire; 0 for none."""
    if not isinstance(value, int):
        return 0
    return value - WRAP if value & SIGN else value


def text(value: bytes) -> str:
    """Decode a string.

    Raises:
        ProtobufError: Not UTF-8.
    """
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ProtobufError("proto: invalid UTF-8 in a string") from error


def _text_field(fields: dict[int, int | bytes], number: int) -> str:
    value = fields.get(number, b"")
    if not isinstance(value, bytes):
        raise ProtobufError("proto: wrong wireType for a string")
    return text(value)


_KEPT_BYTES: Final = 64
"""Longer forms of a time or a quantity are read and written without being remembered."""


def _remembered(function: Callable[[_Short], _Result]) -> Callable[[_Short], _Result]:
    """Remember the results for short arguments only: clients choose them."""
    kept = lru_cache(maxsize=1024)(function)

    def call(value: _Short) -> _Result:
        if isinstance(value, bytes | str) and len(value) > _KEPT_BYTES:
            return function(value)
        return kept(value)

    return call


@_remembered
def _read_time(data: bytes) -> Any:
    # Go's decoder drops the nanoseconds of a Time, since its JSON has none.
    return _moment(data, lambda seconds, _: format_time(seconds))


@_remembered
def _read_micro(data: bytes) -> Any:
    return _moment(data, lambda seconds, nanos: format_micro(seconds + nanos // 1000 / 1e6))


def _moment(data: bytes, form: Callable[[int, int], str]) -> Any:
    fields = scalars(data)
    if not fields:
        return ABSENT
    seconds, nanos = signed(fields.get(1)), signed(fields.get(2))
    if seconds == _GO_ZERO and not nanos:
        return ABSENT
    try:
        return form(seconds, nanos)
    except (ValueError, OverflowError, OSError) as error:
        raise ProtobufError(f"proto: time out of range: {seconds}") from error


_GO_ZERO: Final = -62_135_596_800
"""Seconds of Go's zero time, the year 1."""


@_remembered
def _write_time(value: str) -> bytes:
    if not value:
        return b""
    return b"\x08" + varint(int(parse_time(value) // 1)) + b"\x10\x00"


@_remembered
def _write_micro(value: str) -> bytes:
    micros = round(parse_time(value) * 1_000_000)
    seconds, rest = divmod(micros, 1_000_000)
    return b"\x08" + varint(seconds) + b"\x10" + varint(rest * 1000)


def _read_int_or_string(data: bytes) -> Any:
    fields = scalars(data)
    if signed(fields.get(1)) == 1:
        return _text_field(fields, 3)
    return signed(fields.get(2))


def _write_int_or_string(value: int | str) -> bytes:
    if isinstance(value, str):
        data = value.encode()
        return b"\x08\x01\x10\x00\x1a" + varint(len(data)) + data
    return b"\x08\x00\x10" + varint(value) + b"\x1a\x00"


def _read_json(data: bytes) -> Any:
    raw = scalars(data).get(1)
    if not isinstance(raw, bytes) or not raw:
        return ABSENT
    try:
        return orjson.loads(raw)
    except ValueError as error:
        raise ProtobufError(f"invalid JSON in an embedded object: {error}") from error


def _write_json(value: Any) -> bytes:
    raw = orjson.dumps(value)
    return b"\x0a" + varint(len(raw)) + raw


def _read_quantity(data: bytes) -> str:
    return _text_field(scalars(data), 1) or "0"


@_remembered
def _write_quantity(value: str | float) -> bytes:
    data = str(value).encode()
    return b"\x0a" + varint(len(data)) + data


def _read_duration(data: bytes) -> str:
    return format_duration(signed(scalars(data).get(1)))


def _write_duration(value: str) -> bytes:
    return b"\x08" + varint(parse_duration(value))


def format_duration(nanoseconds: int) -> str:
    """Write a duration as Go does: ``1h0m0s``, ``1m30s``, ``1.5s``, ``250ms``, ``0s``."""
    sign = "-" if nanoseconds < 0 else ""
    rest = abs(nanoseconds)
    if rest == 0:
        return "0s"
    if rest < _DURATION_UNITS["s"]:
        for unit in ("ms", "µs", "ns"):
            if rest >= _DURATION_UNITS[unit]:
                return f"{sign}{_decimal(rest, _DURATION_UNITS[unit])}{unit}"
    out = ""
    for unit, size in _UNITS:
        whole, rest = divmod(rest, size)
        if whole or out:
            out += f"{whole}{unit}"
    return f"{sign}{out}{_decimal(rest, _DURATION_UNITS['s'])}s"


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    if not rest:
        return str(whole)
    return f"{whole}.{rest:0{len(str(unit)) - 1}d}".rstrip("0")


def parse_duration(value: str) -> int:
    """Read a duration in Go's notation into nanoseconds.

    Raises:
        ValueError: Not one.
    """
    sign, rest = (-1, value[1:]) if value.startswith("-") else (1, value.removeprefix("+"))
    if rest == "0":
        return 0
    total = 0
    while rest:
        number = rest[: len(rest) - len(rest.lstrip("0123456789."))]
        rest = rest[len(number) :]
        unit = rest[: len(rest) - len(rest.lstrip("hmsnuµμ"))]
        # "1h30m" ends a unit at a digit, so that what is left of it is the unit itself.
        if unit not in _DURATION_UNITS or not number:
            raise ValueError(f'time: invalid duration "{value}"')
        rest = rest[len(unit) :]
        whole, _, fraction = number.partition(".")
        size = _DURATION_UNITS[unit]
        total += int(whole or "0") * size
        if fraction:
            total += int(fraction) * size // 10 ** len(fraction)
    return sign * total


READERS: Final[dict[str, Reader]] = {
    "meta.v1.Time": _read_time,
    "meta.v1.MicroTime": _read_micro,
    "meta.v1.Duration": _read_duration,
    "meta.v1.FieldsV1": _read_json,
    "runtime.RawExtension": _read_json,
    "apiextensions.v1.JSON": _read_json,
    "resource.Quantity": _read_quantity,
    "intstr.IntOrString": _read_int_or_string,
}
"""From a message's bytes to JSON, by the message's name."""

WRITERS: Final[dict[str, Writer]] = {
    "meta.v1.Time": _write_time,
    "meta.v1.MicroTime": _write_micro,
    "meta.v1.Duration": _write_duration,
    "meta.v1.FieldsV1": _write_json,
    "runtime.RawExtension": _write_json,
    "apiextensions.v1.JSON": _write_json,
    "resource.Quantity": _write_quantity,
    "intstr.IntOrString": _write_int_or_string,
}
"""From JSON to a message's bytes."""

ZEROS: Final[dict[str, bytes]] = {
    "meta.v1.Duration": _write_duration("0s"),
    "resource.Quantity": _write_quantity("0"),
    "intstr.IntOrString": _write_int_or_string(0),
}
"""What Go writes for one that is not set; nothing for those that are not here."""
