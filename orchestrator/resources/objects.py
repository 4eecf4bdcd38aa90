"""API objects: JSON-shaped dictionaries, and the accessors everyone uses on them.

An object is frozen once it is committed. Whoever wants a change builds a new dictionary that
shares the parts that stay; nothing in this module changes its argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeAlias

Object: TypeAlias = dict[str, Any]
"""One API object as JSON data: ``apiVersion``, ``kind``, ``metadata`` and the kind's own parts."""


class Key(NamedTuple):
    """The identity of an object in the store.

    Attributes:
        resource: Plural name, with ``.group`` for all but the core group: ``pods``,
            ``deployments.apps``. Independent of the API version.
        namespace: Empty for cluster-scoped objects.
        name: ``metadata.name``.
    """

    resource: str
    namespace: str
    name: str

    def __str__(self) -> str:
        if self.namespace:
            return f"{self.resource}/{self.namespace}/{self.name}"
        return f"{self.resource}/{self.name}"


make_key: Callable[[tuple[str, str, str]], Key] = partial(tuple.__new__, Key)
"""What ``Key(...)`` does, in half the time: each write of a burst needs one."""


def meta(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``metadata``, or an empty dictionary where there is none."""
    return obj.get("metadata") or {}


def name_of(obj: Mapping[str, Any]) -> str:
    """Return ``metadata.name``, or ``""``."""
    return meta(obj).get("name") or ""


def namespace_of(obj: Mapping[str, Any]) -> str:
    """Return ``metadata.namespace``, or ``""`` for cluster-scoped objects."""
    return meta(obj).get("namespace") or ""


def uid_of(obj: Mapping[str, Any]) -> str:
    """Return ``metadata.uid``, or ``""`` before the object was created."""
    return meta(obj).get("uid") or ""


def labels_of(obj: Mapping[str, Any]) -> dict[str, str]:
    """Return ``metadata.labels``, or an empty dictionary."""
    return meta(obj).get("labels") or {}


def annotations_of(obj: Mapping[str, Any]) -> dict[str, str]:
    """Return ``metadata.annotations``, or an empty dictionary."""
    return meta(obj).get("annotations") or {}


def spec_of(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``spec``, or an empty dictionary."""
    return obj.get("spec") or {}


def status_of(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``status``, or an empty dictionary."""
    return obj.get("status") or {}


def is_deleting(obj: Mapping[str, Any]) -> bool:
    """Tell whether deletion was asked for and has not finished."""
    return meta(obj).get("deletionTimestamp") is not None


def controller_of(obj: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the owner reference with ``controller: true``, if there is one."""
    for reference in meta(obj).get("ownerReferences") or ():
        if reference.get("controller"):
            return dict(reference)
    return None


def with_meta(obj: Object, **changes: Any) -> Object:
    """Return ``obj`` with ``metadata`` fields set; a value of None removes the field."""
    metadata = {**meta(obj), **changes}
    for field, value in changes.items():
        if value is None:
            metadata.pop(field, None)
    return {**obj, "metadata": metadata}


def with_status(obj: Object, **changes: Any) -> Object:
    """Return ``obj`` with ``status`` fields set; a value of None removes the field."""
    status = {**status_of(obj), **changes}
    for field, value in changes.items():
        if value is None:
            status.pop(field, None)
    return {**obj, "status": status}
