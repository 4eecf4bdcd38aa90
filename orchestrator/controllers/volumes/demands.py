"""Waiting claims by what they ask for, so that a volume finds those that it would do for. Pure.

Claims that ask alike stand together by size. So a thousand volumes that are too small for a
thousand claims are a thousand looks, and none of all by all.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from orchestrator.controllers.volumes.facts import (
    ClaimKey,
    attributes_class,
    class_of,
    modes_of,
    requested,
    size_of,
    volume_mode,
)
from orchestrator.resources.objects import Object, labels_of, spec_of
from orchestrator.resources.quantities import parse
from orchestrator.resources.selectors import SelectorError, label_selector


class Shape(NamedTuple):
    """What a claim asks for beside a class and a size.

    Attributes:
        modes: Access modes.
        volume_mode: ``Filesystem`` or ``Block``.
        attributes_class: Name of its VolumeAttributesClass, empty for none.
        selector: Its selector as JSON, empty for none.
    """

    modes: frozenset[str]
    volume_mode: str
    attributes_class: str
    selector: bytes


class Demand(NamedTuple):
    """All that a claim asks for; ``size`` is in units of 10^-9 bytes."""

    storage_class: str
    shape: Shape
    size: int

    @staticmethod
    def of(claim: Object) -> Demand:
        """Read a claim."""
        form = spec_of(claim).get("selector")
        selector = b"" if form is None else orjson.dumps(form, option=orjson.OPT_SORT_KEYS)
        shape = Shape(modes_of(claim), volume_mode(claim), attributes_class(claim), selector)
        return Demand(class_of(claim), shape, parse(requested(claim)).nano)


class _Queue:
    """Claims of one shape, by size."""

    __slots__ = ("by_size", "sizes")

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.by_size: dict[int, dict[ClaimKey, None]] = {}

    def add(self, size: int, key: ClaimKey) -> None:
        if size not in self.by_size:
            self.by_size[size] = {}
            insort(self.sizes, size)
        self.by_size[size][key] = None

    def discard(self, size: int, key: ClaimKey) -> None:
        claims = self.by_size.get(size)
        if claims is None:
            return
        claims.pop(key, None)
        if not claims:
            del self.by_size[size]
            del self.sizes[bisect_left(self.sizes, size)]

    def up_to(self, size: int) -> Iterator[ClaimKey]:
        for at in range(bisect_right(self.sizes, size) - 1, -1, -1):
            yield from self.by_size[self.sizes[at]]


class Demands:
    """A set of claims with their demands."""

    def __init__(self) -> None:
        self._classes: dict[str, dict[Shape, _Queue]] = {}

    def add(self, key: ClaimKey, demand: Demand) -> None:
        """Put in a claim behind those that ask for the same; it stays where it stands."""
        shapes = self._classes.setdefault(demand.storage_class, {})
        shapes.setdefault(demand.shape, _Queue()).add(demand.size, key)

    def discard(self, key: ClaimKey, demand: Demand) -> None:
        """Take out a claim, if it is there."""
        shapes = self._classes.get(demand.storage_class, {})
        queue = shapes.get(demand.shape)
        if queue is None:
            return
        queue.discard(demand.size, key)
        if not queue.sizes:
            del shapes[demand.shape]
            if not shapes:
                del self._classes[demand.storage_class]

    def of(self, storage_class: str) -> list[ClaimKey]:
        """Return the claims of a class."""
        return [
            key
            for queue in self._classes.get(storage_class, {}).values()
            for claims in queue.by_size.values()
            for key in claims
        ]

    def met_by(self, volume: Object) -> Iterator[ClaimKey]:
        """Return the claims that a volume would do for, as large ones as it can serve first."""
        modes, mode, attributes = modes_of(volume), volume_mode(volume), attributes_class(volume)
        size, labels = size_of(volume), labels_of(volume)
        for shape, queue in self._classes.get(class_of(volume), {}).items():
            if (
                shape.modes <= modes
                and shape.volume_mode == mode
                and shape.attributes_class == attributes
                and (not shape.selector or _selects(orjson.loads(shape.selector), labels))
            ):
                yield from queue.up_to(size)


def _selects(form: Any, labels: dict[str, str]) -> bool:
    try:
        return label_selector(form).matches(labels)
    except SelectorError:  # validation lets none through
        return False
