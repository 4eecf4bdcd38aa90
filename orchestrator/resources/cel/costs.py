"""What evaluating costs, in upstream's units, as it happens.

A unit is about one field looked at or one scalar compared. The figures for functions are those of
cel-go's cost tracker and of Kubernetes' library.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any, TypeAlias

Measure: TypeAlias = Callable[[tuple[Any, ...], Any], int]

LIST_COST, MAP_COST, STRUCT_COST = 10, 30, 40
PER_CALL_LIMIT = 1_000_000
"""For one expression at a time."""
RULES_BUDGET = 10_000_000
"""For all rules of one object, or all expressions of one policy in one request."""
CONDITIONS_BUDGET = 2_500_000
"""For all match conditions of one webhook or policy in one request."""
EXPRESSION_LIMIT = 10_000_000
"""For one rule, as estimated when it is written."""
SCHEMA_LIMIT = 100_000_000
"""For all rules of a schema, as estimated when it is written."""
_LARGE = 4096
"""Elements and characters of results from where on they cost, although upstream's do not: what is
copied here is only referred to there, and doubling would have no price."""


def size(value: Any) -> int:
    """Return the length of what has one; other values count 1."""
    kind = type(value)
    if kind is int or kind is float or kind is bool or value is None:
        return 1
    try:
        return len(value)
    except TypeError:
        return 1


def _traversal(factor: float, *places: int) -> Measure:
    return lambda arguments, _result: ceil(sum(size(arguments[at]) for at in places) * factor)


def _result(arguments: tuple[Any, ...], result: Any) -> int:
    del arguments
    return ceil(size(result) * 0.2)


def _with_result(measure: Measure) -> Measure:
    def total(arguments: tuple[Any, ...], result: Any) -> int:
        made = size(result)
        return measure(arguments, result) + (made // 16 if made > _LARGE else 0)

    return total


def _shorter(arguments: tuple[Any, ...], _result: Any) -> int:
    return ceil(min(size(arguments[0]), size(arguments[1])) * 0.1)


def _sum(arguments: tuple[Any, ...], result: Any) -> int:
    first = arguments[0]
    if isinstance(first, str | bytes):
        return ceil((len(first) + size(arguments[1])) * 0.1)
    made = size(result)
    return 1 + (made // 16 if made > _LARGE else 0)


def _in(arguments: tuple[Any, ...], _result: Any) -> int:
    return size(arguments[1]) if isinstance(arguments[1], list | tuple) else 1


def _elements(arguments: tuple[Any, ...], _result: Any) -> int:
    items = arguments[0]
    return ceil(len(items) * 0.1) if isinstance(items, str) else size(items)


def _pattern(arguments: tuple[Any, ...], _result: Any) -> int:
    return ceil((1 + size(arguments[0])) * 0.1) * ceil(size(arguments[1]) * 0.25)


def _contained(arguments: tuple[Any, ...], _result: Any) -> int:
    return ceil(size(arguments[0]) * 0.1) * ceil(size(arguments[1]) * 0.1)


def _product(factor: int) -> Measure:
    return lambda arguments, _result: 1 + factor * size(arguments[0]) * size(arguments[1])


def selecting(length: int) -> int:
    """Return what it costs to parse a selector of so many characters."""
    return 10 + ceil(length / 2) * 50 + ceil(length * 0.1)


def _selector(arguments: tuple[Any, ...], _result: Any) -> int:
    return selecting(size(arguments[1]))


def _validated(arguments: tuple[Any, ...], _result: Any) -> int:
    return ceil(size(arguments[1]) * 0.1) * ceil(int(arguments[0].pattern_size) * 0.25)


def _masked(parsed: str) -> Measure:
    def measure(arguments: tuple[Any, ...], _result: Any) -> int:
        base = size(arguments[0])
        cost = ceil(2 * base * 0.1)
        if parsed == "cidr":
            cost += ceil(base * 0.1) + 1
        if isinstance(arguments[1], str):
            cost += ceil(len(arguments[1]) * 0.1)
        return cost

    return measure


def _address(arguments: tuple[Any, ...], _result: Any) -> int:
    return ceil(len(arguments[0]) * 0.1) if isinstance(arguments[0], str) else 1


def _conversion(arguments: tuple[Any, ...], _result: Any) -> int:
    given = arguments[0]
    return ceil(len(given) * 0.1) if isinstance(given, str | bytes) else 1


_LINE = _traversal(0.1, 0)
_TWICE = _traversal(0.2, 0)
CALLS: dict[str, int | Measure] = {
    "_==_": _shorter,
    "_!=_": _shorter,
    "_<_": _shorter,
    "_<=_": _shorter,
    "_>_": _shorter,
    "_>=_": _shorter,
    "_+_": _sum,
    "@in": _in,
    "startsWith": _traversal(0.1, 1),
    "endsWith": _traversal(0.1, 1),
    "matches": _pattern,
    "find": _pattern,
    "findAll": _pattern,
    "contains": _contained,
    "bytes": _conversion,
    "string": _conversion,
    "strings.quote": _LINE,
    "format": _with_result(_LINE),
    "check": 350_000,
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _elements),
    **dict.fromkeys(
        ("url", "isURL", "lowerAscii", "upperAscii", "substring", "trim", "cidr", "isIP", "isCIDR"),
        _LINE,
    ),
    **dict.fromkeys(("quantity", "isQuantity", "semver", "isSemver"), _LINE),
    "replace": _with_result(_TWICE),
    "split": _with_result(_TWICE),
    "join": _result,
    "ip": _address,
    "ip.isCanonical": _TWICE,
    "containsIP": _masked("ip"),
    "containsCIDR": _masked("cidr"),
    "validate": _validated,
    "fieldSelector": _selector,
    "labelSelector": _selector,
    "jsonpatch.escapeKey": _LINE,
    "sets.contains": _product(1),
    "sets.intersects": _product(1),
    "sets.equivalent": _product(2),
    "flatten": lambda arguments, result: 1 + size(arguments[0]) + size(result),
    "slice": lambda _arguments, result: 1 + size(result),
}
"""By function; those that are not here cost 1."""
