"""Functions: what they are declared for, and what computes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from orchestrator.resources.cel.types import (
    SIMPLE,
    Type,
    list_of,
    map_of,
    opaque,
    optional_of,
    param,
    type_of,
)
from orchestrator.resources.cel.values import kind_of


class Overload(NamedTuple):
    """One signature of a function.

    Attributes:
        function: Its name, ``charAt``.
        member: Whether it is called on its first parameter.
        params: Of its arguments, the one it is called on included.
        result: What it returns.
        call: Computes it.
    """

    function: str
    member: bool
    params: tuple[Type, ...]
    result: Type
    call: Callable[..., Any]

    def takes(self, arguments: tuple[Any, ...]) -> bool:
        """Tell whether values are of the types that this is declared for."""
        return all(map(accepts, self.params, arguments))


def accepts(wanted: Type, value: Any) -> bool:
    """Tell whether a value is of a type, as far as a value tells."""
    kind = wanted.kind
    if kind in {"dyn", "param"}:
        return True
    found = kind_of(value)
    if kind == "opaque":
        return found == wanted.name
    if kind == "object":
        return found == "map"
    return found == kind


class Library:
    """Functions by name."""

    def __init__(self, *others: Library) -> None:
        self.functions: dict[str, list[Overload]] = {}
        for other in others:
            for name, overloads in other.functions.items():
                self.functions.setdefault(name, []).extend(overloads)

    def function(
        self, name: str, *signatures: str
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declare what the decorated function computes.

        Args:
            name: The function's in expressions.
            signatures: ``string.(int) string`` for a method, ``(list<T>) T`` for a function.
        """

        def declare(call: Callable[..., Any]) -> Callable[..., Any]:
            self.add(name, signatures, call)
            return call

        return declare

    def add(self, name: str, signatures: Iterable[str], call: Callable[..., Any]) -> None:
        """Declare a function with several signatures."""
        overloads = self.functions.setdefault(name, [])
        for signature in signatures:
            member, params, result = _signature(signature)
            overloads.append(Overload(name, member, params, result, call))


def _signature(text: str) -> tuple[bool, tuple[Type, ...], Type]:
    before, _, rest = text.partition("(")
    member = before.endswith(".")
    receiver = before.rstrip(".")
    inside, _, result = rest.rpartition(")")
    params = [_read(receiver)] if receiver else []
    params.extend(_read(one) for one in _split(inside))
    return member, tuple(params), _read(result)


def _split(text: str) -> list[str]:
    parts: list[str] = []
    depth, start = 0, 0
    for at, char in enumerate(text):
        depth += (char == "<") - (char == ">")
        if char == "," and not depth:
            parts.append(text[start:at])
            start = at + 1
    parts.append(text[start:])
    return [part for part in parts if part.strip()]


_MAKERS: dict[str, Callable[..., Type]] = {
    "list": list_of,
    "map": map_of,
    "optional": optional_of,
    "type": type_of,
}


def _read(text: str) -> Type:
    text = text.strip()
    name, bracket, rest = text.partition("<")
    if bracket:
        return _MAKERS[name](*map(_read, _split(rest.removesuffix(">"))))
    if len(name) == 1:
        return param(name)
    return SIMPLE.get(name) or opaque(name)
