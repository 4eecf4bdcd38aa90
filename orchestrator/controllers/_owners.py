"""Owner references: who controls what, and how to claim and release it.

Rules: k8s.io/kubernetes/pkg/controller/controller_ref_manager.go.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.resources.objects import Object, uid_of, with_meta


def controller_uid(obj: Object) -> str | None:
    """Return the uid of the object's controller, or None."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            uid: str | None = reference.get("uid")
            return uid
    return None


def controlled(objects: Iterable[Object], uid: str) -> list[Object]:
    """Return those of ``objects`` whose controller has a uid, in the order given."""
    return [obj for obj in objects if controller_uid(obj) == uid]


def controller_reference(owner: Object) -> Object:
    """Return the reference that makes ``owner`` the controller of an object."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def adopted(obj: Object, owner: Object) -> Object:
    """Return ``obj`` with ``owner`` as its controller."""
    references = [
        reference
        for reference in obj["metadata"].get("ownerReferences") or ()
        if reference.get("uid") != uid_of(owner)
    ]
    return with_meta(obj, ownerReferences=[*references, controller_reference(owner)])


def released(obj: Object, owner: Object) -> Object:
    """Return ``obj`` without any reference to ``owner``."""
    return without_owners(obj, {uid_of(owner)})


def without_owners(obj: Object, uids: set[str]) -> Object:
    """Return ``obj`` without the references to any of ``uids``."""
    references = [
        reference
        for reference in obj["metadata"].get("ownerReferences") or ()
        if reference.get("uid") not in uids
    ]
    return with_meta(obj, ownerReferences=references or None)
