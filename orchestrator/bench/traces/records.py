"""What a trace consists of, and what can be wrong with one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from typing import TypeAlias

from orchestrator.bench.failures import UserError
from orchestrator.resources.objects import Object


class TraceError(UserError):
    """A trace that cannot be read; the message says which file, which line and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeComes:
    """A node is there from now on.

    Attributes:
        time: Seconds since the trace's beginning.
        node: The Node object.
    """

    time: float
    node: Object


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGoes:
    """A node is gone from now on, and its pods with it.

    Attributes:
        time: Seconds since the trace's beginning.
        name: The node's name.
    """

    time: float
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodComes:
    """A pod is created.

    Attributes:
        time: Seconds since the trace's beginning.
        pod: The Pod object.
        duration: Seconds it runs once it has a node; None: until the end.
        until: Time at which it leaves, whether it has a node by then or not; None: never.
        node: The node that it is on already; None for a pod to be scheduled. Trace files have no
            such pods, real clusters do.
    """

    time: float
    pod: Object
    duration: float | None = None
    until: float | None = None
    node: str | None = None


Record: TypeAlias = NodeComes | NodeGoes | PodComes

_ORDER = {NodeComes: 0, NodeGoes: 1, PodComes: 2}


def order_of(record: Record) -> tuple[float, int]:
    """Return what records are sorted by: their time; at one time nodes stand before pods."""
    return record.time, _ORDER[type(record)]


def sort_records(records: Iterable[Record]) -> list[Record]:
    """Sort records by time; those of one time keep their order, nodes first."""
    return sorted(records, key=order_of)


def merge_records(streams: Iterable[Iterable[Record]]) -> Iterator[Record]:
    """Merge streams that are each sorted by time, without reading them whole."""
    return merge(*streams, key=order_of)


class Place:
    """A line of a file, for complaints."""

    __slots__ = ("line", "path")

    def __init__(self, path: Path, line: int = 0) -> None:
        self.path = path
        self.line = line

    def complain(self, what: str) -> TraceError:
        """Return the error to raise: where, and what is wrong there."""
        where = f"{self.path}:{self.line}" if self.line else f"{self.path}"
        return TraceError(f"{where}: {what}")


def read_seconds(text: object, field: str, place: Place) -> float:
    """Return a finite number of seconds, not negative.

    Raises:
        TraceError: It is something else.
    """
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise place.complain(f"{field}: {text!r} is no number of seconds")
    try:
        value = float(text)
    except ValueError:
        raise place.complain(f"{field}: {text!r} is no number of seconds") from None
    if not math.isfinite(value) or value < 0:
        raise place.complain(f"{field}: {text!r} must be a number of seconds from 0 on")
    return value
