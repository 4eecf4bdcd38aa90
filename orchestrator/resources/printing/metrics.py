"""Rows of metrics.

Source: metrics-server pkg/api/table.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from orchestrator.resources.objects import Object, name_of
from orchestrator.resources.printing.columns import Column, Printer
from orchestrator.resources.quantities import format_quantity, parse

_COLUMNS: Final = (
    Column("Name", "Name of the resource", format="name"),
    Column("cpu", format="quantity"),
    Column("memory", format="quantity"),
    Column("Window", format="duration"),
)


def _sum(usages: Iterable[Object], resource: str) -> str:
    parsed = [parse(usage[resource]) for usage in usages if resource in usage]
    if not parsed:
        return "0"
    return format_quantity(sum(one.nano for one in parsed), parsed[0].notation)


def _node(obj: Object, now: float) -> list[Any]:
    del now
    used = [obj.get("usage") or {}]
    return [name_of(obj), _sum(used, "cpu"), _sum(used, "memory"), obj.get("window")]


def _pod(obj: Object, now: float) -> list[Any]:
    del now
    used = [container.get("usage") or {} for container in obj.get("containers") or ()]
    return [name_of(obj), _sum(used, "cpu"), _sum(used, "memory"), obj.get("window")]


PRINTERS: Final = {
    "nodes.metrics.k8s.io": Printer(_COLUMNS, _node),
    "pods.metrics.k8s.io": Printer(_COLUMNS, _pod),
}
