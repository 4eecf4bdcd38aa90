"""Back to an earlier state: which objects to remove, to make anew, and to change. Pure.

A return never lowers a version: it is one commit of ordinary records, after which all objects are
as they were, with their old uids and at new versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import filterfalse
from typing import Any, Final, NamedTuple, TypeAlias

from orchestrator.resources.custom.kinds import DEFINITIONS
from orchestrator.resources.objects import Key, Object, uid_of
from orchestrator.store.codec import Stamp
from orchestrator.store.events import ObjectEvent
from orchestrator.store.operations import Rewind

_FIRST: Final = ("namespaces", DEFINITIONS)
"""What others live in or are defined by: made before them, removed after them."""
_Items: TypeAlias = list[tuple[Key, Object]]

_COURSE: Final = ("phase", "containerStatuses", "initContainerStatuses", "podIP")
"""What a pod's status says of its containers."""


class RewindPlan(NamedTuple):
    """What has to be done, in this order.

    Attributes:
        remove: Objects to remove, as they are.
        create: Objects to make, as they were.
        change: Objects to change, as they are.
    """

    remove: list[tuple[Key, Object]]
    create: list[tuple[Key, Object]]
    change: list[tuple[Key, Object]]


def plan_rewind(present: Mapping[Key, Object], rewind: Rewind) -> RewindPlan:
    """Return what turns the present state into the wanted one.

    What has the same identity is the same. An object that has become another one, and a pod that
    went on to do something else, is removed and made: for whoever follows, a pod that is no longer
    bound or runs again is nothing that a pod can come to.

    Args:
        present: All objects by key.
        rewind: The wanted state.
    """
    known, wanted, anew = rewind.known, rewind.objects, rewind.anew
    remove: list[tuple[Key, Object]] = []
    create: list[tuple[Key, Object]] = []
    change: list[tuple[Key, Object]] = []
    for key, current in present.items():
        goes_on = bool(anew) and key[0] == "pods" and uid_of(current) in anew
        if known.get(key) is current and not goes_on:
            continue
        before = wanted.get(key)
        if before is None:
            remove.append((key, current))
        elif goes_on:
            remove.append((key, current))
            create.append((key, before))
        elif before is current:
            continue
        elif _is_another(key, current, before):
            remove.append((key, current))
            create.append((key, before))
        else:
            change.append((key, current))
    if len(present) - len(remove) + len(create) != len(wanted):
        create += [item for item in wanted.items() if item[0] not in present]
    if first := _first(remove):
        remove = [*filterfalse(_is_first, remove), *first]
    if first := _first(create):
        create = [*first, *filterfalse(_is_first, create)]
    return RewindPlan(remove, create, change)


def _is_first(item: tuple[Key, Object]) -> bool:
    return item[0][0] in _FIRST


def _first(items: _Items) -> _Items:
    return [item for item in items if item[0][0] in _FIRST]


def removals(items: _Items, sequence: int, stamp: Stamp) -> list[ObjectEvent]:
    """Return the events by which objects go, from behind ``sequence`` on."""
    return [
        ObjectEvent(at, "DELETED", key, _at_version(current, at), current, stamp, True)
        for at, (key, current) in enumerate(items, sequence + 1)
    ]


def creations(items: _Items, sequence: int, stamp: Stamp) -> list[ObjectEvent]:
    """Return the events by which objects come back, from behind ``sequence`` on."""
    return [
        ObjectEvent(at, "ADDED", key, _at_version(wanted, at), None, stamp, True)
        for at, (key, wanted) in enumerate(items, sequence + 1)
    ]


def _at_version(obj: Object, sequence: int) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(sequence)}}


def _is_another(key: Key, current: Object, before: Object) -> bool:
    now, then = current["metadata"], before["metadata"]
    if now.get("uid") != then.get("uid"):
        return True
    if key[0] != "pods":
        return False
    if now.get("deletionTimestamp") != then.get("deletionTimestamp"):
        return True
    if not _same(current.get("spec"), before.get("spec")):
        return True
    is_now, was = current.get("status") or {}, before.get("status") or {}
    return any(not _same(is_now.get(field), was.get(field)) for field in _COURSE)


def _same(one: Any, other: Any) -> bool:
    return one is other or bool(one == other)
