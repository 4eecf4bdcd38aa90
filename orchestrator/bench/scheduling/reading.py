"""Reads YAML mappings field by field, and complains about each with its path."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import yaml

from orchestrator.bench.scheduling.workloads import WorkloadError

T = TypeVar("T")
_WORDS = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
    float: "a number",
}


def parse_yaml(text: str, name: str) -> Any:
    """Return what a YAML text says.

    Raises:
        WorkloadError: It is no YAML; the message says where.
    """
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe loaders
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it does not parse"
        raise WorkloadError(f"{name}: not YAML{where}: {problem}") from error


def resembling(word: str, known: Iterable[str]) -> str:
    """Return a hint at what was probably meant, or at all there is; starts with a blank."""
    candidates = sorted(known)
    by_lower = {name.lower(): name for name in candidates}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1)
    if close:
        return f" Did you mean {by_lower[close[0]]}?"
    return f" There is: {', '.join(candidates)}." if candidates else ""


class Fields:
    """The fields of one mapping. Whoever reads it ends with `finish`."""

    def __init__(self, value: Any, path: str) -> None:
        """Take a value from YAML.

        Raises:
            WorkloadError: It is no mapping.
        """
        self.path = path
        if not isinstance(value, Mapping):
            raise self.error("", f"expected a mapping, found {_shown(value)}")
        self._values = dict(value)
        self._known: list[str] = []

    def error(self, field: str, what: str) -> WorkloadError:
        """Return a complaint about a field."""
        return WorkloadError(f"{self.place(field)}: {what}")

    def place(self, field: str) -> str:
        """Return the path of a field."""
        if not field:
            return self.path
        return f"{self.path}.{field}" if self.path and self.path[-1] != " " else self.path + field

    def __contains__(self, field: str) -> bool:
        self._known.append(field)
        return self._values.get(field) is not None

    def take(self, field: str, kind: type[T], default: T | None = None) -> T:
        """Return a field of a certain type.

        Raises:
            WorkloadError: It is missing and has no default, or has another type.
        """
        self._known.append(field)
        if self._values.get(field) is None:
            if default is not None:
                return default
            raise self.error(field, f"missing; give it {_WORDS[kind]}")
        value = self._values[field]
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.error(field, f"expected {_WORDS[kind]}, found {_shown(value)}")
        return value

    def maybe(self, field: str, kind: type[T]) -> T | None:
        """Return a field of a certain type, or None when it is not there."""
        self._known.append(field)
        return None if self._values.get(field) is None else self.take(field, kind)

    def fields(self, field: str) -> Fields:
        """Return a field that is a mapping itself."""
        return Fields(self.take(field, dict), self.place(field))

    def items(self, field: str) -> Iterator[Fields]:
        """Return the members of a field that is a list of mappings."""
        for index, value in enumerate(self.take(field, list)):
            yield Fields(value, f"{self.place(field)}[{index}]")

    def texts(self, field: str) -> tuple[str, ...]:
        """Return a field that is a list of texts."""
        values = self.take(field, list)
        for index, value in enumerate(values):
            if not isinstance(value, str):
                raise self.error(f"{field}[{index}]", f"expected text, found {_shown(value)}")
        return tuple(values)

    def choice(self, field: str, choices: Iterable[str], default: str | None = None) -> str:
        """Return a field that is one of some words."""
        value = self.take(field, str, default)
        if value not in choices:
            raise self.error(field, f"{value!r} is unknown.{resembling(value, choices)}")
        return value

    def ignore(self, *fields: str) -> None:
        """Accept fields that change nothing here."""
        self._known += fields

    def finish(self) -> None:
        """Complain about fields that nobody read.

        Raises:
            WorkloadError: There is one.
        """
        for field in self._values:
            if field not in self._known:
                raise self.error(str(field), f"unknown here.{resembling(str(field), self._known)}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
