"""Columns of a Table, and what printers have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final, TypeAlias

from orchestrator.records import dataclass
from orchestrator.resources.definitions import DEFAULT_VERSION, published_definitions
from orchestrator.resources.objects import Object, meta, name_of
from orchestrator.resources.printing.durations import since

NONE: Final = "<none>"
UNSET: Final = "<unset>"

Cells: TypeAlias = Callable[[Object, float], list[Any]]
"""Computes a row's cells from an object and the wall seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: Heading as upstream has it.
        text: Description; or the field whose published description it is, as
            ``core.v1.PodStatus/podIP``.
        type: ``string``, ``integer`` or ``boolean``: what the cells hold.
        wide: Shown by ``-o wide`` only.
        format: ``name`` for the object's name.
    """

    name: str
    text: str = ""
    type: str = "string"
    wide: bool = False
    format: str = ""

    def definition(self) -> dict[str, Any]:
        """Return the column as a Table describes it."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": description(self.text),
            "priority": 1 if self.wide else 0,
        }


@dataclass(frozen=True, slots=True)
class Printer:
    """How objects of a kind become rows.

    Attributes:
        columns: In order; ``cells`` yields one value for each.
        cells: Computes a row.
        conditions: Returns a row's conditions, for kinds that can be completed.
    """

    columns: tuple[Column, ...]
    cells: Cells
    conditions: Callable[[Object], list[dict[str, Any]]] | None = None


NAME: Final = Column("Name", "meta/name", format="name")
AGE: Final = Column("Age", "meta/creationTimestamp")
CREATED_AT: Final = Column("Created At", "meta/creationTimestamp")
CONTAINERS: Final = Column("Containers", "Names of each container in the template.", wide=True)
IMAGES: Final = Column("Images", "Images referenced by each container in the template.", wide=True)


def integer(name: str, text: str) -> Column:
    """Return a column of whole numbers."""
    return Column(name, text, "integer")


def boolean(name: str, text: str) -> Column:
    """Return a column of truth values."""
    return Column(name, text, "boolean")


def wide(name: str, text: str) -> Column:
    """Return a column of text that only ``-o wide`` shows."""
    return Column(name, text, wide=True)


@cache
def _published() -> Mapping[str, dict[str, Any]]:
    return {
        name: found.get("properties", {})
        for name, found in published_definitions(DEFAULT_VERSION).items()
    }


@cache
def description(text: str) -> str:
    """Return a description: the text itself, or the published one of the field it names."""
    definition, slash, field = text.partition("/")
    if not slash or " " in text:
        return text
    name = (
        "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
        if definition == "meta"
        else f"io.k8s.api.{definition}"
    )
    found: str = _published().get(name, {}).get(field, {}).get("description", "")
    return found


def age(obj: Object, now: float) -> str:
    """Return the time since the object was created."""
    return since(meta(obj).get("creationTimestamp"), now)


def created_at(obj: Object) -> str:
    """Return the creation time, for kinds printed with it instead of an age."""
    return meta(obj).get("creationTimestamp") or ""


def named(*cells: Callable[[Object, float], Any]) -> Cells:
    """Return cells that begin with the object's name."""
    return lambda obj, now: [name_of(obj), *(cell(obj, now) for cell in cells)]


def shortened(items: Iterable[str], limit: int = 3) -> str:
    """Join a few items by commas and say how many more there are."""
    found = list(items)
    text = ",".join(found[:limit])
    return f"{text} + {len(found) - limit} more..." if len(found) > limit else text


def labels_text(labels: Mapping[str, Any] | None) -> str:
    """Return labels as ``a=b,c=d``, or ``<none>``."""
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels)) if labels else NONE


def selector_text(selector: Mapping[str, Any] | None) -> str:
    """Return a label selector as kubectl takes it, or ``<none>``."""
    if not selector:
        return NONE
    terms = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        key = expression.get("key") or ""
        values = ",".join(sorted(expression.get("values") or ()))
        text = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }.get(expression.get("operator", ""), key)
        terms.append((key, text))
    return ",".join(text for _, text in sorted(terms)) or NONE


def containers_of(template: Mapping[str, Any] | None) -> list[str]:
    """Return the two cells of a pod template: container names and images."""
    containers = ((template or {}).get("spec") or {}).get("containers") or ()
    return [
        ",".join(container.get("name", "") for container in containers),
        ",".join(container.get("image", "") for container in containers),
    ]
