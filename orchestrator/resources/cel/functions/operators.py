"""Operators, and the functions of the language's standard definition."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from orchestrator.resources.cel.declarations import Library
from orchestrator.resources.cel.errors import EvaluationError, NoSuchOverload
from orchestrator.resources.cel.times import (
    GETTERS,
    SECOND,
    Duration,
    Timestamp,
    checked_duration,
    checked_timestamp,
    duration,
    part,
    timestamp,
)
from orchestrator.resources.cel.values import (
    INT_MAX,
    INT_MIN,
    NONE,
    UINT_MAX,
    MapList,
    OptionalValue,
    SetList,
    TypeValue,
    Uint,
    contains,
    equal,
    kind_of,
    to_key,
    to_text,
)

OPERATORS = Library()
_F = TypeVar("_F", bound=Callable[..., Any])


def _generic(call: _F) -> _F:
    """Mark what looks at its arguments' types itself."""
    call.generic = True  # type: ignore[attr-defined]  # read back by the compiler
    return call


@_generic
def _not_equal(one: Any, other: Any) -> bool:
    return not equal(one, other)


_generic(equal)
OPERATORS.add("_==_", ["(A, A) bool"], equal)
OPERATORS.add("_!=_", ["(A, A) bool"], _not_equal)
OPERATORS.add("!_", ["(bool) bool"], operator.not_)
OPERATORS.add("_&&_", ["(bool, bool) bool"], lambda one, other: one and other)
OPERATORS.add("_||_", ["(bool, bool) bool"], lambda one, other: one or other)
OPERATORS.add("_?_:_", ["(bool, A, A) A"], lambda test, then, other: then if test else other)


@_generic
def _in(value: Any, items: Any) -> bool:
    if isinstance(items, list | tuple | Mapping):
        return contains(items, value)
    raise NoSuchOverload


OPERATORS.add("@in", ["(A, list<A>) bool", "(A, map<A, B>) bool"], _in)
_NUMBERS = ("int", "uint", "double")
_ORDERED = (
    *((one, other) for one in _NUMBERS for other in _NUMBERS),
    *((one, one) for one in ("bool", "string", "bytes", "timestamp", "duration")),
)


def _as_floats(test: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Compare as the language does, which loses the last digits of large numbers."""
    return lambda one, other: test(float(one), float(other))


for _name, _test in (
    ("_<_", operator.lt),
    ("_<=_", operator.le),
    ("_>_", operator.gt),
    ("_>=_", operator.ge),
):
    for _one, _other in _ORDERED:
        _mixed = (_one == "double") is not (_other == "double")
        OPERATORS.add(_name, [f"({_one}, {_other}) bool"], _as_floats(_test) if _mixed else _test)


@_generic
def _index(container: Any, key: Any) -> Any:
    if isinstance(container, Mapping):
        try:
            return container[to_key(key)]
        except KeyError:
            shown = key if not isinstance(key, bool) else str(key).lower()
            raise EvaluationError(f"no such key: {shown}") from None
    if isinstance(container, list | tuple):
        place = _place(key)
        if not 0 <= place < len(container):
            raise EvaluationError(f"index out of bounds: {place}")
        return container[place]
    if type(container) is OptionalValue:
        return _optional_index(container, key)
    raise NoSuchOverload


def _place(key: Any) -> int:
    kind = type(key)
    if kind is int or kind is Uint or (kind is float and key.is_integer()):
        return int(key)
    raise EvaluationError(f"unsupported index type '{kind_of(key)}' in list")


@_generic
def _optional_index(container: Any, key: Any) -> OptionalValue:
    if type(container) is OptionalValue:
        if not container.full:
            return NONE
        container = container.value
    if isinstance(container, Mapping):
        key = to_key(key)
        return OptionalValue(container[key]) if key in container else NONE
    if isinstance(container, list | tuple):
        place = _place(key)
        return OptionalValue(container[place]) if 0 <= place < len(container) else NONE
    raise NoSuchOverload


OPERATORS.add("_[_]", ["(list<A>, int) A", "(map<A, B>, A) B"], _index)
OPERATORS.add(
    "_[?_]", ["(list<A>, int) optional<A>", "(map<A, B>, A) optional<B>"], _optional_index
)


def _int(value: int) -> int:
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationError("integer overflow")


def _uint(value: int) -> Uint:
    if 0 <= value <= UINT_MAX:
        return Uint(value)
    raise EvaluationError("unsigned integer overflow")


def _quotient(one: int, other: int) -> int:
    if not other:
        raise EvaluationError("division by zero")
    quotient = abs(one) // abs(other)
    return _int(quotient if (one < 0) == (other < 0) else -quotient)


def _remainder(one: int, other: int) -> int:
    if not other:
        raise EvaluationError("modulus by zero")
    if one == INT_MIN and other == -1:
        raise EvaluationError("integer overflow")
    remainder = abs(one) % abs(other)
    return -remainder if one < 0 else remainder


def _float_quotient(one: float, other: float) -> float:
    if other:
        return one / other
    if one == 0 or math.isnan(one):
        return math.nan
    return math.copysign(math.inf, one) * math.copysign(1.0, other)


for _name, _compute in (("_+_", operator.add), ("_-_", operator.sub), ("_*_", operator.mul)):
    OPERATORS.add(_name, ["(uint, uint) uint"], lambda a, b, c=_compute: _uint(c(int(a), int(b))))
    OPERATORS.add(_name, ["(double, double) double"], _compute)


@OPERATORS.function("_+_", "(int, int) int")
def _plus(one: int, other: int) -> int:
    value = one + other
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationError("integer overflow")


@OPERATORS.function("_-_", "(int, int) int")
def _minus(one: int, other: int) -> int:
    value = one - other
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationError("integer overflow")


@OPERATORS.function("_*_", "(int, int) int")
def _times(one: int, other: int) -> int:
    value = one * other
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationError("integer overflow")


OPERATORS.add("_/_", ["(int, int) int"], _quotient)
OPERATORS.add("_/_", ["(uint, uint) uint"], lambda a, b: Uint(_quotient(a, b)))
OPERATORS.add("_/_", ["(double, double) double"], _float_quotient)
OPERATORS.add("_%_", ["(int, int) int"], _remainder)
OPERATORS.add("_%_", ["(uint, uint) uint"], lambda a, b: Uint(_remainder(a, b)))
OPERATORS.add("-_", ["(int) int"], lambda value: _int(-value))
OPERATORS.add("-_", ["(double) double"], operator.neg)
OPERATORS.add("_+_", ["(string, string) string", "(bytes, bytes) bytes"], operator.add)


def _added_lists(one: Any, other: Any) -> list[Any]:
    if isinstance(one, SetList):
        # The union: what is there stays in its order, then what is new.
        return SetList([*one, *(item for item in other if not contains(one, item))])
    if isinstance(one, MapList):
        newer = {one.key(item): item for item in other}
        kept = [newer.pop(one.key(item), item) for item in one]
        return MapList([*kept, *newer.values()], one.keys)
    return [*one, *other]


OPERATORS.add("_+_", ["(list<A>, list<A>) list<A>"], _added_lists)


def _moved(by: int) -> Callable[[Any, Any], Any]:
    def move(one: Any, other: Any) -> Any:
        total = one.nanoseconds + by * other.nanoseconds
        if type(one) is Timestamp and type(other) is Duration:
            return checked_timestamp(total)
        if type(one) is Duration and type(other) is Timestamp:
            return checked_timestamp(total)
        return checked_duration(total)

    return move


OPERATORS.add(
    "_+_",
    [
        "(timestamp, duration) timestamp",
        "(duration, timestamp) timestamp",
        "(duration, duration) duration",
    ],
    _moved(1),
)
OPERATORS.add(
    "_-_",
    [
        "(timestamp, duration) timestamp",
        "(timestamp, timestamp) duration",
        "(duration, duration) duration",
    ],
    _moved(-1),
)

OPERATORS.add(
    "size",
    [
        signature
        for kind in ("string", "bytes", "list<A>", "map<A, B>")
        for signature in (f"({kind}) int", f"{kind}.() int")
    ],
    len,
)
OPERATORS.add("startsWith", ["string.(string) bool"], str.startswith)
OPERATORS.add("endsWith", ["string.(string) bool"], str.endswith)
OPERATORS.add("contains", ["string.(string) bool"], str.__contains__)
for _getter in GETTERS:

    def _get(moment: Timestamp, zone: str | None = None, _getter: str = _getter) -> int:
        return part(_getter, moment, zone)

    OPERATORS.add(_getter, ["timestamp.() int", "timestamp.(string) int"], _get)

_SPANS = {"getHours": 3600 * SECOND, "getMinutes": 60 * SECOND, "getSeconds": SECOND}
for _getter, _unit in _SPANS.items():
    OPERATORS.add(
        _getter,
        ["duration.() int"],
        lambda span, unit=_unit: (
            int(math.copysign(1, span.nanoseconds)) * (abs(span.nanoseconds) // unit)
        ),
    )


def _milliseconds(value: Any, zone: str | None = None) -> int:
    if type(value) is Duration:
        sign = -1 if value.nanoseconds < 0 else 1
        return int(sign * (abs(value.nanoseconds) // 1_000_000))
    if zone:
        value.at(zone)
    return int(value.nanoseconds % SECOND // 1_000_000)


OPERATORS.add(
    "getMilliseconds",
    ["timestamp.() int", "timestamp.(string) int", "duration.() int"],
    _milliseconds,
)


def _to_int(value: Any) -> int:
    kind = type(value)
    if kind is int:
        return int(value)
    if kind is Uint:
        return _int(int(value))
    if kind is float:
        if not math.isfinite(value) or not INT_MIN < value < INT_MAX:
            raise EvaluationError("integer overflow")
        return int(value)
    if kind is Timestamp:
        return int(value.nanoseconds // SECOND)
    if kind is Duration:
        return int(value.nanoseconds)
    text = str(value)
    if _is_digits(text.removeprefix("-").removeprefix("+")) and len(text) < 30:
        number = int(text)
        if INT_MIN <= number <= INT_MAX:
            return number
    raise EvaluationError("type conversion error from 'string' to 'int'")


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _to_uint(value: Any) -> Uint:
    kind = type(value)
    if kind is str:
        if _is_digits(value) and len(value) < 30 and int(value) <= UINT_MAX:
            return Uint(int(value))
        raise EvaluationError("type conversion error from 'string' to 'uint'")
    if kind is float and (not math.isfinite(value) or not 0 <= value < float(UINT_MAX)):
        raise EvaluationError("unsigned integer overflow")
    return _uint(int(value))


def _to_double(value: Any) -> float:
    if not isinstance(value, str):
        return float(value)
    try:
        return float("" if "_" in value or value != value.strip() else value)
    except ValueError:
        raise EvaluationError("type conversion error from 'string' to 'double'") from None


def _to_string(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is float:
        return to_text(value)
    if kind is bytes:
        try:
            return str(value, "utf-8")
        except UnicodeDecodeError:
            raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None
    text = getattr(value, "text", None)
    return str(text()) if text is not None else str(int(value))


def _to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in {"1", "t", "T", "TRUE", "true", "True"}:
        return True
    if value in {"0", "f", "F", "FALSE", "false", "False"}:
        return False
    raise EvaluationError("type conversion error from 'string' to 'bool'")


def _to_timestamp(value: Any) -> Timestamp:
    if isinstance(value, Timestamp):
        return value
    return timestamp(value) if isinstance(value, str) else checked_timestamp(value * SECOND)


def _to_duration(value: Any) -> Duration:
    if isinstance(value, Duration):
        return value
    return duration(value) if isinstance(value, str) else checked_duration(value)


def _type(value: Any) -> TypeValue:
    name = kind_of(value)
    names = {
        "null": "null_type",
        "timestamp": "google.protobuf.Timestamp",
        "duration": "google.protobuf.Duration",
        "optional": "optional_type",
    }
    return TypeValue(
        getattr(value, "type_name", "")
        if name == "map" and hasattr(value, "type_name")
        else names.get(name, name)
    )


for _name, _from, _call in (
    ("int", "int uint double string timestamp duration", _to_int),
    ("uint", "int uint double string", _to_uint),
    ("double", "int uint double string", _to_double),
    ("string", "string int uint double bool bytes timestamp duration", _to_string),
    ("bool", "bool string", _to_bool),
    ("bytes", "bytes string", lambda v: v if isinstance(v, bytes) else v.encode()),
    ("timestamp", "timestamp string int", _to_timestamp),
    ("duration", "duration string int", _to_duration),
):
    OPERATORS.add(_name, [f"({kind}) {_name}" for kind in _from.split()], _call)
OPERATORS.add("dyn", ["(A) dyn"], lambda value: value)
OPERATORS.add("type", ["(A) type<A>"], _type)

OPERATORS.add("optional.of", ["(A) optional<A>"], OptionalValue)
OPERATORS.add("optional.none", ["() optional<A>"], lambda: NONE)
OPERATORS.add("hasValue", ["optional<A>.() bool"], lambda found: found.full)
OPERATORS.add(
    "or", ["optional<A>.(optional<A>) optional<A>"], lambda one, other: one if one.full else other
)
OPERATORS.add(
    "orValue", ["optional<A>.(A) A"], lambda found, other: found.value if found.full else other
)


@OPERATORS.function("value", "optional<A>.() A")
def _value(found: OptionalValue) -> Any:
    if not found.full:
        raise EvaluationError("optional.none() dereference")
    return found.value
