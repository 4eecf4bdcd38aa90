"""What the importers share: reading cells, and saying what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from orchestrator.bench.traces.files import objects_of, open_text, rows_of
from orchestrator.bench.traces.records import Place, Record, read_seconds


@dataclass(slots=True)
class Imported:
    """An imported trace.

    Attributes:
        records: Sorted by time.
        notes: How things are represented, and what was left out and how often: for the user.
    """

    records: list[Record]
    notes: list[str] = field(default_factory=list)


class Omissions:
    """Counts what an importer leaves out, by reason."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, reason: str) -> None:
        """Count one."""
        self._counts[reason] += 1

    def notes(self) -> list[str]:
        """Return a line for each reason, the most frequent first."""
        return [f"{count:,} {reason}" for reason, count in self._counts.most_common()]


Row = Mapping[str, Any]


def rows(path: Path) -> Iterator[tuple[Place, Row]]:
    """Yield the rows of a CSV file, or the objects of a file with one JSON object a line.

    Nested objects come flat, as ``outer.inner``; values of JSON come as they are.
    """
    with open_text(path) as text:
        first = text.read(1)
        text.seek(0)
        if first == "{":
            for place, value in objects_of(path, text):
                yield place, _flat(value)
        else:
            yield from rows_of(path, text)


def _flat(value: Mapping[str, Any]) -> Row:
    flat: dict[str, Any] = {}
    for key, each in value.items():
        if isinstance(each, dict):
            flat.update({f"{key}.{inner}": deep for inner, deep in each.items()})
        else:
            flat[key] = each
    return flat


def columns(path: Path) -> frozenset[str]:
    """Return what the columns of a file are called, by its first line."""
    with open_text(path) as text:
        line = text.readline().strip()
    if line.startswith("{"):
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            return frozenset()
        return frozenset(_flat(value)) if isinstance(value, dict) else frozenset()
    return frozenset(name.strip() for name in line.split(","))


def number(row: Row, column: str, place: Place, default: float | None = None) -> float:
    """Return a number that is not negative; an empty or absent cell is ``default``, if given.

    Raises:
        TraceError: It is something else.
    """
    value = row.get(column)
    if value is None or value == "":
        if default is None:
            raise place.complain(f"{column}: a number is needed here")
        return default
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise place.complain(f"{column}: {value!r} is no number") from None
    if not 0 <= found < float("inf"):
        raise place.complain(f"{column}: {value!r} must be a number from 0 on")
    return found


def seconds(row: Row, column: str, place: Place, per: float = 1.0) -> float | None:
    """Return a time in seconds, None where the cell is empty; ``per`` units are one second."""
    value = row.get(column)
    if value is None or value == "":
        return None
    return read_seconds(value, column, place) / per
