"""Values: how CEL's types are kept in Python, compared, and read from and written to JSON.

JSON values stand for themselves. Types that JSON lacks are classes of their own, so that ``1``,
``1u`` and ``true`` never pass for each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from orchestrator.resources.cel.errors import EvaluationError, NoSuchOverload

INT_MIN, INT_MAX, UINT_MAX = -(2**63), 2**63 - 1, 2**64 - 1


class Uint(int):
    """An unsigned number."""

    __slots__ = ()


class TypeValue:
    """A type as a value, ``int``; equal to every other of its name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypeValue) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


class Opaque:
    """Base of values that only functions handle; subclasses name their type."""

    __slots__ = ()
    type_name = ""

    def is_zero(self) -> bool:
        """Tell whether this is the empty value of its type."""
        return False


class OptionalValue:
    """``optional.of(x)``, or ``optional.none()`` when it holds nothing."""

    __slots__ = ("full", "value")

    def __init__(self, value: Any = None, *, full: bool = True) -> None:
        self.value = value
        self.full = full


NONE = OptionalValue(full=False)


class Message(dict[str, Any]):
    """An object that an expression made: ``JSONPatch{op: "add"}``."""

    __slots__ = ("type_name",)

    def __init__(self, type_name: str, fields: dict[str, Any]) -> None:
        super().__init__(fields)
        self.type_name = type_name


class SetList(list[Any]):
    """A list whose schema says ``x-kubernetes-list-type: set``."""

    __slots__ = ()


class MapList(list[Any]):
    """A list whose schema says ``x-kubernetes-list-type: map``."""

    __slots__ = ("keys",)

    def __init__(self, items: list[Any], keys: tuple[str, ...]) -> None:
        super().__init__(items)
        self.keys = keys

    def key(self, item: Any) -> Any:
        """Return what tells an element apart."""
        return tuple(item.get(name) if isinstance(item, Mapping) else None for name in self.keys)


class BoolKey:
    """A key ``true`` or ``false``, which a Python dictionary would take for 1 or 0."""

    __slots__ = ("value",)

    def __init__(self, value: bool) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BoolKey) and other.value is self.value

    def __hash__(self) -> int:
        return hash(("bool", self.value))


KEYS = {True: BoolKey(True), False: BoolKey(False)}


def to_key(key: Any) -> Any:
    """Return how a map keeps a key.

    Raises:
        EvaluationError: It can be no key.
    """
    kind = type(key)
    if kind is str or kind is int or kind is Uint:
        return key
    if kind is bool:
        return KEYS[key]
    if kind is float:
        if key.is_integer():
            return int(key)
        raise EvaluationError(f"no such key: {to_text(key)}")
    if kind is BoolKey:
        return key
    raise EvaluationError("unsupported key type")


def from_key(key: Any) -> Any:
    """Return the key that an expression sees."""
    return key.value if type(key) is BoolKey else key


_KINDS: dict[type, str] = {
    str: "string",
    bool: "bool",
    int: "int",
    Uint: "uint",
    float: "double",
    bytes: "bytes",
    list: "list",
    tuple: "list",
    SetList: "list",
    MapList: "list",
    dict: "map",
    Message: "map",
    type(None): "null",
    TypeValue: "type",
    OptionalValue: "optional",
}


def kind_of(value: Any) -> str:
    """Return the kind of a value's type; of opaque values its name."""
    found = _KINDS.get(type(value))
    if found is not None:
        return found
    if isinstance(value, Opaque):
        return value.type_name
    if isinstance(value, str):
        return "string"
    return "map"


_NUMBERS = frozenset({int, Uint, float})


def equal(one: Any, other: Any) -> bool:
    """Tell whether two values are equal; numbers compare by what they stand for."""
    left, right = type(one), type(other)
    if left is right:
        if left is str or left is int:
            return bool(one == other)
        if left is dict or left is Message:
            return _equal_maps(one, other)
        if left is list:
            return len(one) == len(other) and all(map(equal, one, other))
        if left is SetList:
            return len(one) == len(other) and _contains_all(one, other)
        if left is MapList:
            return _equal_map_lists(one, other)
        if left is OptionalValue:
            return one.full is other.full and (not one.full or equal(one.value, other.value))
        if left is tuple:
            return len(one) == len(other) and all(map(equal, one, other))
        return bool(one == other)
    if left in _NUMBERS and right in _NUMBERS:
        if left is float or right is float:
            return float(one) == float(other)
        return bool(one == other)
    if isinstance(one, str) and isinstance(other, str):
        return str(one) == str(other)
    kind = kind_of(one)
    if kind != kind_of(other):
        return False
    if kind == "list":
        if SetList in {left, right}:
            return len(one) == len(other) and _contains_all(one, other)
        if MapList in {left, right}:
            keyed = one if left is MapList else other
            return _equal_map_lists(MapList(one, keyed.keys), MapList(other, keyed.keys))
        return len(one) == len(other) and all(map(equal, one, other))
    return kind == "map" and _equal_maps(one, other)


def _equal_maps(one: Any, other: Any) -> bool:
    if len(one) != len(other):
        return False
    return all(key in other and equal(one[key], other[key]) for key in one)


def _contains_all(one: list[Any], other: list[Any]) -> bool:
    try:
        return set(one) == set(other)
    except TypeError:
        return all(any(equal(item, found) for found in other) for item in one)


def _equal_map_lists(one: MapList, other: MapList) -> bool:
    if len(one) != len(other):
        return False
    try:
        there = {other.key(item): item for item in other}
        return all((key := one.key(item)) in there and equal(item, there[key]) for item in one)
    except TypeError:
        return all(map(equal, one, other))


def contains(items: Any, value: Any) -> bool:
    """Tell whether a list has an element, or a map a key."""
    kind = type(value)
    if isinstance(items, list | tuple):
        # What compares by identity or in C alike is looked for in C.
        if kind is str:
            return value in items
        return any(equal(value, item) for item in items)
    try:
        return to_key(value) in items
    except EvaluationError:
        return False


def compare(one: Any, other: Any) -> int:
    """Return -1, 0 or 1; 2 when they can't be ordered (NaN).

    Raises:
        NoSuchOverload: There is no order among values of these types.
    """
    left, right = type(one), type(other)
    if left is right or (left in _NUMBERS and right in _NUMBERS):
        if one == other:
            return 0
        try:
            less, more = one < other, one > other
        except TypeError:
            raise NoSuchOverload from None
        return -1 if less else 1 if more else 2
    if isinstance(one, str) and isinstance(other, str):
        return -1 if one < other else int(one != other)
    raise NoSuchOverload


def to_text(value: float) -> str:
    """Write a number as Go's ``%g`` does: the shortest that reads back, ``1e+06``, ``+Inf``."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    power = len(digits) + int(exponent) - 1
    if not value or -5 < power < 6:
        return to_plain(value)
    text = "".join(map(str, digits))
    mantissa = f"{text[0]}.{text[1:]}" if len(text) > 1 else text
    return f"{'-' * sign}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"


def to_plain(value: float) -> str:
    """Write a number without an exponent, ``1000000.5``."""
    text = f"{Decimal(repr(float(value))):f}"
    return text.rstrip("0").removesuffix(".") if "." in text else text


def to_json(value: Any) -> Any:
    """Return a value as JSON, for patches and audit annotations.

    Raises:
        EvaluationError: It has no such form.
    """
    kind = type(value)
    if kind is str or kind is bool or value is None or kind is float or kind is int:
        return value
    if kind is Uint:
        return int(value)
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {_json_key(key): to_json(item) for key, item in value.items()}
    if isinstance(value, OptionalValue):
        return to_json(value.value) if value.full else None
    text = getattr(value, "json", None)
    if text is not None:
        return text()
    raise EvaluationError(f"type conversion error from '{kind_of(value)}' to 'JSON'")


def _json_key(key: Any) -> str:
    key = from_key(key)
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key)


def is_zero(value: Any) -> bool:
    """Tell whether a value is the empty one of its type, as ``optional.ofNonZeroValue`` asks."""
    if isinstance(value, Opaque):
        return value.is_zero()
    if isinstance(value, OptionalValue):
        return not value.full
    return value is None or (not isinstance(value, TypeValue) and not value)
