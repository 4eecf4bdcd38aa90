"""Kubernetes' list functions, and the sets extension of CEL."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from orchestrator.resources.cel.declarations import Library
from orchestrator.resources.cel.errors import EvaluationError, NoSuchOverload
from orchestrator.resources.cel.times import Duration, checked_duration
from orchestrator.resources.cel.values import (
    INT_MAX,
    INT_MIN,
    NONE,
    UINT_MAX,
    OptionalValue,
    Uint,
    compare,
    contains,
    equal,
    is_zero,
)

LISTS = Library()
_COMPARABLE = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")
_SUMMABLE = ("int", "uint", "double", "duration")


@LISTS.function("isSorted", *(f"list<{kind}>.() bool" for kind in _COMPARABLE))
def _is_sorted(items: list[Any]) -> bool:
    return all(compare(one, other) <= 0 for one, other in pairwise(items))


def _sum(zero: Any) -> Callable[[list[Any]], Any]:
    def total(items: list[Any]) -> Any:
        if not items:
            return zero
        kinds = {type(item) for item in items}
        if len(kinds) > 1:
            raise NoSuchOverload
        if kinds == {Duration}:
            return checked_duration(sum(item.nanoseconds for item in items))
        if kinds == {float}:
            return sum(items)
        if kinds == {Uint}:
            value = sum(map(int, items))
            if value > UINT_MAX:
                raise EvaluationError("unsigned integer overflow")
            return Uint(value)
        if kinds != {int}:
            raise NoSuchOverload
        value = sum(items)
        if not INT_MIN <= value <= INT_MAX:
            raise EvaluationError("integer overflow")
        return value

    return total


for _kind, _zero in zip(_SUMMABLE, (0, Uint(0), 0.0, Duration(0)), strict=True):
    LISTS.add("sum", [f"list<{_kind}>.() {_kind}"], _sum(_zero))


def _extreme(name: str, sign: int) -> Callable[[list[Any]], Any]:
    def find(items: list[Any]) -> Any:
        if not items:
            raise EvaluationError(f"{name} called on empty list")
        best = items[0]
        for item in items[1:]:
            if compare(item, best) == sign:
                best = item
        return best

    return find


LISTS.add("max", [f"list<{kind}>.() {kind}" for kind in _COMPARABLE], _extreme("max", 1))
LISTS.add("min", [f"list<{kind}>.() {kind}" for kind in _COMPARABLE], _extreme("min", -1))


@LISTS.function("indexOf", "list<A>.(A) int")
def _index_of(items: list[Any], value: Any) -> int:
    return next((at for at, item in enumerate(items) if equal(item, value)), -1)


@LISTS.function("lastIndexOf", "list<A>.(A) int")
def _last_index_of(items: list[Any], value: Any) -> int:
    return next((at for at in range(len(items) - 1, -1, -1) if equal(items[at], value)), -1)


@LISTS.function("sets.contains", "(list<A>, list<A>) bool")
def _contains(items: list[Any], others: list[Any]) -> bool:
    return all(contains(items, other) for other in others)


@LISTS.function("sets.intersects", "(list<A>, list<A>) bool")
def _intersects(items: list[Any], others: list[Any]) -> bool:
    return any(contains(items, other) for other in others)


@LISTS.function("sets.equivalent", "(list<A>, list<A>) bool")
def _equivalent(items: list[Any], others: list[Any]) -> bool:
    return bool(_contains(items, others) and _contains(others, items))


@LISTS.function("slice", "list<A>.(int, int) list<A>")
def _slice(items: list[Any], start: int, end: int) -> list[Any]:
    if start < 0 or end < 0:
        raise EvaluationError(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise EvaluationError(
            f"cannot slice({start}, {end}), start index must be less than or equal to end index"
        )
    if end > len(items):
        raise EvaluationError(f"cannot slice({start}, {end}), list is length {len(items)}")
    return items[start:end]


@LISTS.function("flatten", "list<list<A>>.() list<A>", "list<dyn>.(int) list<dyn>")
def _flatten(items: list[Any], depth: int = 1) -> list[Any]:
    if depth < 0:
        raise EvaluationError("level must be non-negative")
    flat: list[Any] = []
    for item in items:
        if isinstance(item, list | tuple) and depth:
            flat.extend(_flatten(list(item), depth - 1))
        else:
            flat.append(item)
    return flat


@LISTS.function("optional.ofNonZeroValue", "(A) optional<A>")
def _of_non_zero(value: Any) -> OptionalValue:
    return NONE if is_zero(value) else OptionalValue(value)
