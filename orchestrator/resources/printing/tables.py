"""Tables and partial objects: what kubectl asks for to print a list."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Final, Literal

from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, meta, name_of
from orchestrator.resources.printing import (
    administration,
    basics,
    metrics,
    networking,
    pods,
    workloads,
)
from orchestrator.resources.printing.columns import AGE, NAME, Printer, age

Include = Literal["Metadata", "Object", "None"]

GENERIC: Final = Printer((NAME, AGE), lambda obj, now: [name_of(obj), age(obj, now)])
"""For built-in kinds that upstream prints without columns of their own."""

PRINTERS: Final[dict[str, Printer]] = {
    **pods.PRINTERS,
    **workloads.PRINTERS,
    **networking.PRINTERS,
    **basics.PRINTERS,
    **administration.PRINTERS,
    **metrics.PRINTERS,
}
"""Printers by resource, ``deployments.apps``."""


def printer_of(kind: Kind) -> Printer:
    """Return how a kind is printed."""
    if kind.kind == "Scale":
        return administration.SCALE
    if kind.custom is not None:
        return kind.custom.printer
    return PRINTERS.get(kind.resource, GENERIC)


def table(
    kind: Kind,
    objects: Iterable[Object],
    *,
    now: float,
    include_object: Include | str = "Metadata",
    resource_version: str = "",
    columns: bool = True,
) -> Object:
    """Return objects as a ``meta.k8s.io/v1`` Table with upstream's columns.

    Args:
        kind: What the objects are.
        objects: In the order of the rows.
        now: Wall seconds since the epoch; ages are counted up to it.
        include_object: What each row carries beside its cells: its metadata, the whole object
            or nothing.
        resource_version: For the Table's own metadata; that of a single object by default.
        columns: Whether to describe the columns; in a watch only the first Table does.
    """
    printer = printer_of(kind)
    found = list(objects)
    metadata: dict[str, Any] = {}
    if not resource_version and len(found) == 1:
        resource_version = meta(found[0]).get("resourceVersion", "")
    if resource_version:
        metadata["resourceVersion"] = resource_version
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": _definitions(printer) if columns else None,
        "rows": [_row(printer, obj, now, include_object) for obj in found],
    }


@cache
def _definitions(printer: Printer) -> list[dict[str, Any]]:
    return [column.definition() for column in printer.columns]


def _row(printer: Printer, obj: Object, now: float, include: str) -> dict[str, Any]:
    row: dict[str, Any] = {"cells": printer.cells(obj, now)}
    if printer.conditions is not None and (conditions := printer.conditions(obj)):
        row["conditions"] = conditions
    if include == "Metadata":
        row["object"] = partial_object_metadata(obj)
    elif include == "Object":
        row["object"] = obj
    else:
        row["object"] = None  # upstream's field is there, and empty
    return row


def partial_object_metadata(obj: Object) -> Object:
    """Return an object's metadata alone, as a ``PartialObjectMetadata``."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta(obj),
    }
