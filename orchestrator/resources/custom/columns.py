"""Printer columns of custom kinds.

Source of the rules: k8s.io/apiextensions-apiserver pkg/registry/customresource/tableconvertor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.resources.custom.jsonpath import JSONPathError, compile_path, text_of
from orchestrator.resources.objects import Object, name_of
from orchestrator.resources.printing.columns import NAME, Column, Printer, description
from orchestrator.resources.printing.durations import human_duration
from orchestrator.resources.timestamps import parse_time

Definition = Mapping[str, Any]

_AGE: Final[Definition] = {
    "name": "Age",
    "type": "date",
    "description": "meta/creationTimestamp",
    "jsonPath": ".metadata.creationTimestamp",
}


@dataclass(frozen=True, slots=True)
class CustomColumn(Column):
    """A column as a definition describes it.

    Attributes:
        priority: 0 is always shown, greater ones by ``-o wide`` only.
    """

    priority: int = 0

    def definition(self) -> dict[str, Any]:
        """Return the column as a Table describes it."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.text,
            "priority": self.priority,
        }


def custom_printer(columns: Sequence[Definition]) -> Printer:
    """Return how objects are printed; by name and age where no columns are given.

    A path that makes no sense leaves only the name, as upstream does.
    """
    shown: list[Column] = [NAME]
    cells: list[Callable[[Object, float], Any]] = []
    given = columns or (_AGE,)
    try:
        for column in given:
            cells.append(_cell(column))
            shown.append(_column(column))
    except JSONPathError:
        shown, cells = [NAME], []
    return Printer(
        tuple(shown), lambda obj, now: [name_of(obj), *(cell(obj, now) for cell in cells)]
    )


def _column(column: Definition) -> CustomColumn:
    path = column["jsonPath"]
    text = column.get("description")
    if column is _AGE:
        text = description(_AGE["description"])
    return CustomColumn(
        name=column["name"],
        text=text or f"Custom resource definition column (in JSONPath format): {path}",
        type=column["type"],
        format=column.get("format") or "",
        priority=column.get("priority") or 0,
    )


def _cell(column: Definition) -> Callable[[Object, float], Any]:
    find, type_ = compile_path(column["jsonPath"]), column["type"]

    def cell(obj: Object, now: float) -> Any:
        found = find(obj)
        if not found or found[0] is None:
            return None
        return cell_value(type_, found[0], now)

    return cell


def cell_value(type_: str, value: Any, now: float) -> Any:
    """Return a cell for a value; None where the value is not of the column's type."""
    match type_:
        case "string":
            return text_of(value)
        case "integer" if isinstance(value, (int, float)) and not isinstance(value, bool):
            return int(value)
        case "number" if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        case "boolean" if isinstance(value, bool):
            return value
        case "date" if isinstance(value, str):
            return _age(value, now)
        case _:
            return None


def _age(text: str, now: float) -> str:
    try:
        return human_duration(now - parse_time(text))
    except (ValueError, OverflowError):
        return "<invalid>"
