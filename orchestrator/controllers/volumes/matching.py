"""Which volumes would do for a claim. Pure.

Rules: ``checkVolumeSatisfyClaim`` and ``FindMatchingVolume`` of Kubernetes' persistent volume
controller. https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from orchestrator.controllers.volumes.facts import (
    attributes_class,
    class_of,
    is_meant_for,
    modes_of,
    reference_of,
    requested,
    size_of,
    volume_mode,
)
from orchestrator.resources.objects import (
    Object,
    is_deleting,
    labels_of,
    name_of,
    spec_of,
    status_of,
)
from orchestrator.resources.quantities import parse
from orchestrator.resources.selectors import SelectorError, label_selector


def why_not(volume: Object, claim: Object) -> str | None:
    """Say why a volume that a claim names is not for it, in upstream's words; None if it is."""
    if size_of(volume) < parse(requested(claim)).nano:
        return "requested PV is too small"
    if class_of(volume) != class_of(claim):
        return "storageClassName does not match"
    if attributes_class(volume) != attributes_class(claim):
        return "volumeAttributesClassName does not match"
    if volume_mode(volume) != volume_mode(claim):
        return "incompatible volumeMode"
    if not modes_of(claim) <= modes_of(volume):
        return "incompatible accessMode"
    return None


def reserved_fits(volume: Object, claim: Object) -> bool:
    """Tell whether a volume that is meant for a claim can be given to it."""
    return (
        is_meant_for(volume, claim)
        and not is_deleting(volume)
        and size_of(volume) >= parse(requested(claim)).nano
        and volume_mode(volume) == volume_mode(claim)
        and attributes_class(volume) == attributes_class(claim)
        and modes_of(claim) <= modes_of(volume)
    )


def is_free(volume: Object) -> bool:
    """Tell whether a volume may go to whoever fits."""
    return (
        reference_of(volume) is None
        and not is_deleting(volume)
        and status_of(volume).get("phase") == "Available"
    )


def free_fits(volume: Object, claim: Object) -> bool:
    """Tell whether a volume is free, and would do for a claim."""
    if not is_free(volume) or why_not(volume, claim) is not None:
        return False
    form = spec_of(claim).get("selector")
    if form is None:
        return True
    try:
        return label_selector(form).matches(labels_of(volume))
    except SelectorError:  # validation lets none through
        return False


class _Place(NamedTuple):
    storage_class: str
    modes: frozenset[str]
    entry: tuple[int, str]


class Shelves:
    """The free volumes, by class and access modes, the smallest first.

    A claim looks first where volumes have just the modes it asks for, then where they have more,
    so that a volume which can do much is not spent on who needs little.
    """

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}
        self._shelves: dict[str, dict[frozenset[str], list[tuple[int, str]]]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def put(self, volume: Object) -> None:
        """Take in a volume, as it is now; one that is not free is taken out."""
        name = name_of(volume)
        self.remove(name)
        if not is_free(volume):
            return
        place = _Place(class_of(volume), modes_of(volume), (size_of(volume), name))
        self._places[name] = place
        shelves = self._shelves.setdefault(place.storage_class, {})
        insort(shelves.setdefault(place.modes, []), place.entry)

    def remove(self, name: str) -> None:
        """Take out a volume, if it is there."""
        place = self._places.pop(name, None)
        if place is None:
            return
        shelves = self._shelves[place.storage_class]
        shelf = shelves[place.modes]
        del shelf[bisect_left(shelf, place.entry)]
        if not shelf:
            del shelves[place.modes]
            if not shelves:
                del self._shelves[place.storage_class]

    def candidates(self, claim: Object) -> Iterator[str]:
        """Return the names of volumes that are large enough for a claim, the best first."""
        shelves = self._shelves.get(class_of(claim))
        if not shelves:
            return
        wanted = modes_of(claim)
        least = (parse(requested(claim)).nano, "")
        enough = [modes for modes in shelves if wanted <= modes]
        for modes in sorted(enough, key=lambda each: (len(each), sorted(each))):
            shelf = shelves[modes]
            for _, name in shelf[bisect_left(shelf, least) :]:
                yield name


def choose(
    claim: Object,
    reserved: Iterable[Object],
    shelves: Shelves,
    look: Callable[[str], Object | None],
    *,
    delayed: bool,
) -> Object | None:
    """Return the volume that a claim without one should get.

    Args:
        claim: As committed.
        reserved: Volumes that name it.
        shelves: The free ones.
        look: Finds a volume by its name; None also for one that is spoken for.
        delayed: The scheduler chooses among free volumes, not this controller.
    """
    for volume in sorted(reserved, key=lambda each: (size_of(each), name_of(each))):
        if reserved_fits(volume, claim):
            return volume
    if delayed:
        return None
    for name in shelves.candidates(claim):
        found = look(name)
        if found is not None and free_fits(found, claim):
            return found
    return None
