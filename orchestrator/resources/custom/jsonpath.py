"""JSONPath as printer columns use it: ``.status.conditions[?(@.type=="Ready")].status``.

The language is that of k8s.io/client-go/util/jsonpath without ``range`` and text outside of braces,
which a column has no use for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

import orjson

Step = Callable[[Any, Any], Iterator[Any]]
"""``(value, root)`` to the values one step further."""

_NAME: Final = re.compile(r"(?:\\.|[^\s.\[\]'\"\\(){}])+")
_NUMBER: Final = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")


class JSONPathError(ValueError):
    """Text that is no path."""


@lru_cache(maxsize=1024)
def compile_path(text: str) -> Callable[[Any], list[Any]]:
    """Compile a path, without braces, into a function that finds the values it leads to.

    Raises:
        JSONPathError: It is no path.
    """
    steps = _Parser(text).steps()

    def find(root: Any) -> list[Any]:
        values = [root]
        for step in steps:
            values = [found for value in values for found in step(value, root)]
        return values

    return find


def text_of(value: Any) -> str:
    """Write a value as upstream's JSONPath printer does."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return "<no value>" if value is None else str(value)


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    return bool(left == right)


def _ordered(left: Any, right: Any) -> bool:
    numbers = (int, float)
    if isinstance(left, numbers) and isinstance(right, numbers):
        return True
    return isinstance(left, str) and isinstance(right, str)


_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<=": lambda left, right: _ordered(left, right) and left <= right,
    ">=": lambda left, right: _ordered(left, right) and left >= right,
    "<": lambda left, right: _ordered(left, right) and left < right,
    ">": lambda left, right: _ordered(left, right) and left > right,
}


class _Parser:
    """Reads one path from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def steps(self) -> list[Step]:
        """Read all steps.

        Raises:
            JSONPathError: Something is no step.
        """
        found: list[Step] = []
        if self._peek("$") or self._peek("@"):
            self.at += 1
        while self.at < len(self.text):
            found.append(self._step())
        return found

    def _peek(self, what: str) -> bool:
        return self.text.startswith(what, self.at)

    def _step(self) -> Step:
        if self._peek(".."):
            self.at += 2
            if self._peek("["):
                return _then(_everything, self._bracket())
            name = self._name()
            return _then(_everything, _wild if name == "*" else _field(name))
        if self._peek("["):
            return self._bracket()
        if self._peek("."):
            self.at += 1
            if self.at == len(self.text):
                return _same
            if self._peek("["):
                return self._bracket()
        elif self.at:
            raise JSONPathError(f"unexpected text at {self.text[self.at :]!r}")
        name = self._name()
        return _wild if name == "*" else _field(name)

    def _name(self) -> str:
        found = _NAME.match(self.text, self.at)
        if found is None:
            raise JSONPathError(f"a name is missing in {self.text!r} at {self.at}")
        self.at = found.end()
        return re.sub(r"\\(.)", r"\1", found[0])

    def _bracket(self) -> Step:
        end = self._closing()
        inside = self.text[self.at + 1 : end].strip()
        self.at = end + 1
        if inside.startswith("?"):
            return _filter(inside)
        parts = [part.strip() for part in _split(inside, ",")]
        return _union([_element(part) for part in parts])

    def _closing(self) -> int:
        depth, quote = 0, ""
        for index in range(self.at, len(self.text)):
            char = self.text[index]
            if quote:
                if char == quote and self.text[index - 1] != "\\":
                    quote = ""
            elif char in "'\"":
                quote = char
            elif char == "[":
                depth += 1
            elif char == "]":
                depth -= 1
                if not depth:
                    return index
        raise JSONPathError("unterminated array")


def _split(text: str, separator: str) -> list[str]:
    """Split where the separator stands outside of quotes."""
    parts, quote, start = [], "", 0
    for index, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == separator:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def _element(text: str) -> Step:
    if text == "*":
        return _wild
    if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]:
        return _field(text[1:-1].replace("\\'", "'"))
    if re.fullmatch(r"-?\d+", text):
        return _index(int(text))
    if re.fullmatch(r"(-?\d*):(-?\d*)(:(-?\d*))?", text):
        bounds = [int(part) if part else None for part in text.split(":")]
        return _slice(slice(*bounds))
    raise JSONPathError(f"invalid array index {text}")


def _filter(text: str) -> Step:
    inside = text[1:].strip()
    if not (inside.startswith("(") and inside.endswith(")")):
        raise JSONPathError("unterminated filter")
    inside = inside[1:-1]
    quote = ""
    for index, char in enumerate(inside):
        if quote:
            quote = "" if char == quote else quote
            continue
        if char in "'\"":
            quote = char
        operator = inside[index : index + 2]
        if operator not in _OPERATORS:
            operator = char
        if operator in _OPERATORS:
            left = _operand(inside[:index].strip())
            right = _operand(inside[index + len(operator) :].strip())
            return _matching(left, _OPERATORS[operator], right)
    return _existing(_operand(inside.strip()))


def _operand(text: str) -> Callable[[Any, Any], list[Any]]:
    if text.startswith(("@", "$")):
        find = compile_path(text)
        from_root = text[0] == "$"
        return lambda value, root: find(root if from_root else value)
    if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]:
        literal: Any = text[1:-1]
    elif _NUMBER.fullmatch(text):
        literal = json.loads(text.lstrip("+"))
    elif text in {"true", "false"}:
        literal = text == "true"
    else:
        raise JSONPathError(f"unrecognized operand {text!r}")
    return lambda _value, _root: [literal]


def _matching(
    left: Callable[[Any, Any], list[Any]],
    operator: Callable[[Any, Any], bool],
    right: Callable[[Any, Any], list[Any]],
) -> Step:
    def step(value: Any, root: Any) -> Iterator[Any]:
        for item in value if isinstance(value, list) else ():
            lefts, rights = left(item, root), right(item, root)
            if lefts and rights and operator(lefts[0], rights[0]):
                yield item

    return step


def _existing(operand: Callable[[Any, Any], list[Any]]) -> Step:
    def step(value: Any, root: Any) -> Iterator[Any]:
        for item in value if isinstance(value, list) else ():
            if operand(item, root):
                yield item

    return step


def _same(value: Any, _root: Any) -> Iterator[Any]:
    yield value


def _field(name: str) -> Step:
    def step(value: Any, _root: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _wild(value: Any, _root: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _everything(value: Any, root: Any) -> Iterator[Any]:
    yield value
    for below in _wild(value, root):
        yield from _everything(below, root)


def _index(index: int) -> Step:
    def step(value: Any, _root: Any) -> Iterator[Any]:
        if isinstance(value, list) and -len(value) <= index < len(value):
            yield value[index]

    return step


def _slice(bounds: slice) -> Step:
    def step(value: Any, _root: Any) -> Iterator[Any]:
        if isinstance(value, list):
            yield from value[bounds]

    return step


def _union(steps: list[Step]) -> Step:
    if len(steps) == 1:
        return steps[0]

    def step(value: Any, root: Any) -> Iterator[Any]:
        for one in steps:
            yield from one(value, root)

    return step


def _then(first: Step, second: Step) -> Step:
    def step(value: Any, root: Any) -> Iterator[Any]:
        for found in first(value, root):
            yield from second(found, root)

    return step
