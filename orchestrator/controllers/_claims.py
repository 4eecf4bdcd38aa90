"""Adoption and release: which objects are an owner's, and what to write so that they say so.

Rules: k8s.io/kubernetes/pkg/controller/controller_ref_manager.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from orchestrator.controllers._owners import adopted, controller_uid, released
from orchestrator.controllers.plans import Update
from orchestrator.resources.objects import Object, is_deleting, labels_of, uid_of
from orchestrator.resources.selectors import LabelSelector


class Claimed(NamedTuple):
    """What came of a claim.

    Attributes:
        mine: Objects the owner controls and whose labels match, in the order given.
        updates: Adoptions and releases to write; what they concern is not in ``mine`` yet.
    """

    mine: list[Object]
    updates: list[Update]


def claim(
    owner: Object, candidates: Iterable[Object], selector: LabelSelector, resource: str
) -> Claimed:
    """Sort out whose ``candidates`` are.

    An owner that is being deleted neither adopts nor releases; an object that is being deleted is
    not adopted.

    Args:
        owner: As committed.
        candidates: Objects of its namespace that it controls or that nobody controls.
        selector: Its parsed ``spec.selector``.
        resource: Of the candidates: ``pods``.
    """
    mine: list[Object] = []
    updates: list[Update] = []
    uid = uid_of(owner)
    ending = is_deleting(owner)
    for obj in candidates:
        controller = controller_uid(obj)
        matches = selector.matches(labels_of(obj))
        if controller == uid:
            if matches:
                mine.append(obj)
            elif not ending:
                updates.append(release(obj, owner, resource))
        elif controller is None and matches and not ending and not is_deleting(obj):
            updates.append(adoption(obj, owner, resource))
    return Claimed(mine, updates)


def adoption(obj: Object, owner: Object, resource: str) -> Update:
    """Return the write that makes ``owner`` the controller of an object.

    It is dropped when the object changed at all in the meantime: another controller may have been
    quicker.
    """
    return Update(resource, obj, adopted(obj, owner), strict=True)


def release(obj: Object, owner: Object, resource: str) -> Update:
    """Return the write that takes an object from ``owner``; dropped like an `adoption`."""
    return Update(resource, obj, released(obj, owner), strict=True)
