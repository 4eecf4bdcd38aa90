"""PersistentVolumes that anybody may have, found by what a claim wants and a node can reach."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Container, Iterator, Mapping

from orchestrator.scheduler.core.volumes.claims import Wanted
from orchestrator.scheduler.core.volumes.persistent import Volume

_Label = tuple[str, str]
_Entry = tuple[int, str]  # capacity, name: names are unique, so that entries are in one order

_TWINS = 4


class Shelf:
    """The free volumes of one storage class, the smallest first.

    Volumes that can be reached from one node or zone stand under its label, so that a look from
    one node does not pass by all the others' disks.
    """

    def __init__(self) -> None:
        self._volumes: dict[str, Volume] = {}
        self._by_label: dict[_Label, list[_Entry]] = {}
        self._keys: dict[str, int] = {}
        self._others: list[_Entry] = []

    def __len__(self) -> int:
        return len(self._volumes)

    def add(self, volume: Volume) -> None:
        """Put a free volume on the shelf."""
        self._volumes[volume.name] = volume
        entry = (volume.capacity, volume.name)
        for label in _labels(volume):
            if label is None:
                insort(self._others, entry)
                continue
            entries = self._by_label.get(label)
            if entries is None:
                entries = self._by_label[label] = []
                self._keys[label[0]] = self._keys.get(label[0], 0) + 1
            insort(entries, entry)

    def remove(self, volume: Volume) -> None:
        """Take a volume off the shelf: exactly what was put on it."""
        del self._volumes[volume.name]
        for label in _labels(volume):
            if label is None:
                _drop(self._others, volume)
                continue
            entries = self._by_label[label]
            _drop(entries, volume)
            if not entries:
                del self._by_label[label]
                self._keys[label[0]] -= 1
                if not self._keys[label[0]]:
                    del self._keys[label[0]]

    def has_twin(self, volume: Volume) -> bool:
        """Tell whether another volume will do wherever this one, which is not on the shelf, would.

        It is looked for among those that are hardly larger; missing one does no harm.
        """
        label = next(_labels(volume))
        entries = self._others if label is None else self._by_label.get(label, [])
        start = bisect_left(entries, (volume.capacity, volume.name))
        return any(
            _is_twin(self._volumes[name], volume) for _, name in entries[start : start + _TWINS]
        ) or (
            start > 0
            and entries[start - 1][0] == volume.capacity
            and _is_twin(self._volumes[entries[start - 1][1]], volume)
        )

    def find(
        self, wanted: Wanted, labels: Mapping[str, str], taken: Container[str]
    ) -> Volume | None:
        """Return the smallest volume that satisfies a claim on a node, by name among equals.

        Args:
            wanted: What the claim asks for, of this shelf's class.
            labels: Of the node.
            taken: Names of volumes that are spoken for.
        """
        best: _Entry | None = None
        for entries in self._reachable(labels):
            for index in range(bisect_left(entries, (wanted.size or 0, "")), len(entries)):
                entry = entries[index]
                if best is not None and entry >= best:
                    break
                name = entry[1]
                if name not in taken and satisfies(self._volumes[name], wanted, labels):
                    best = entry
                    break
        return None if best is None else self._volumes[best[1]]

    def _reachable(self, labels: Mapping[str, str]) -> Iterator[list[_Entry]]:
        yield self._others
        for key in self._keys:
            value = labels.get(key)
            if value is not None and (found := self._by_label.get((key, value))) is not None:
                yield found


def satisfies(volume: Volume, wanted: Wanted, labels: Mapping[str, str]) -> bool:
    """Tell whether a free volume of the right class is what a claim asks for, on a node.

    Source: ``FindMatchingVolume`` in k8s.io/component-helpers/storage/volume.
    """
    return (
        fits(volume, wanted)
        and (wanted.selector is None or wanted.selector.matches(volume.labels))
        and wanted.modes <= volume.modes
        and (volume.affinity is None or volume.affinity.matches(labels))
    )


def fits(volume: Volume, wanted: Wanted) -> bool:
    """Tell whether a volume is large enough and of the right kind, also for whom it is meant."""
    return (
        volume.capacity >= (wanted.size or 0)
        and volume.mode == wanted.mode
        and volume.attributes_class == wanted.attributes_class
    )


def _is_twin(one: Volume, other: Volume) -> bool:
    """Tell whether whoever is satisfied by one volume is by the other, as far as it is larger."""
    return (
        one.affinity is other.affinity
        and one.modes == other.modes
        and one.mode == other.mode
        and one.attributes_class == other.attributes_class
        and one.labels == other.labels
    )


def _labels(volume: Volume) -> Iterator[_Label | None]:
    """Say where a volume stands: under these labels, or (None) among the others."""
    locality = None if volume.affinity is None else volume.affinity.locality
    if locality is None:
        yield None
    else:
        key, values = locality
        yield from ((key, value) for value in sorted(values))


def _drop(entries: list[_Entry], volume: Volume) -> None:
    index = bisect_left(entries, (volume.capacity, volume.name))
    assert entries[index][1] == volume.name
    del entries[index]
