"""What changed between two versions, and what became of one object, revision by revision."""

from __future__ import annotations

import datetime as dt
import difflib
import json
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

from orchestrator.embedded.kinds.names import find_reference
from orchestrator.embedded.travel.past import registry_at
from orchestrator.resources.custom.kinds import DEFINITIONS, CustomKinds
from orchestrator.resources.differences import ABSENT, FieldChange, changed_fields
from orchestrator.resources.kinds import KindRegistry
from orchestrator.resources.objects import Key, Object, uid_of
from orchestrator.store.events import ObjectEvent
from orchestrator.store.history import History

_WIDTH: Final = 60
"""Characters of a value that are shown."""
_NEAR: Final = 5
"""Names that are offered where one is not known."""


class UnknownObjectError(LookupError):
    """An object that was there at no version held; the text says what was."""

    __module__ = "orchestrator"  # where users import it from, and what reports show


class ObjectChange(NamedTuple):
    """One object that is not the same at two versions.

    Attributes:
        change: What happened to it.
        kind: ``Deployment``.
        key: Which.
        fields: Where it differs, without ``resourceVersion`` and ``managedFields``.
        old: As it was, None where it was added.
        new: As it is, None where it was removed.
    """

    change: Literal["added", "removed", "changed"]
    kind: str
    key: Key
    fields: tuple[FieldChange, ...]
    old: Object | None
    new: Object | None

    @property
    def name(self) -> str:
        """``deployment/web``."""
        return f"{self.kind.lower()}/{self.key.name}"

    def __str__(self) -> str:
        sign = {"added": "+", "removed": "-", "changed": "~"}[self.change]
        where = f" ({self.key.namespace})" if self.key.namespace else ""
        lines = [f"{sign} {self.name}{where}"]
        if self.change == "changed":
            lines += [f"    {field_text(field)}" for field in self.fields]
        return "\n".join(lines)


class Difference(Sequence[ObjectChange]):
    """What is different between two versions, by kind, namespace and name.

    Print it to read it.

    Attributes:
        before: The one version.
        after: The other one.
    """

    def __init__(self, before: int, after: int, changes: Sequence[ObjectChange]) -> None:
        """Hold changes that `difference` has found."""
        self.before = before
        self.after = after
        self._changes = tuple(changes)

    @property
    def added(self) -> tuple[ObjectChange, ...]:
        """Objects that are only there at the second version."""
        return self._of("added")

    @property
    def removed(self) -> tuple[ObjectChange, ...]:
        """Objects that are only there at the first version."""
        return self._of("removed")

    @property
    def changed(self) -> tuple[ObjectChange, ...]:
        """Objects that are there at both."""
        return self._of("changed")

    def _of(self, change: str) -> tuple[ObjectChange, ...]:
        return tuple(item for item in self._changes if item.change == change)

    def __getitem__(self, index: Any) -> Any:
        return self._changes[index]

    def __len__(self) -> int:
        return len(self._changes)

    def __str__(self) -> str:
        if not self._changes:
            return f"nothing differs between versions {self.before} and {self.after}"
        return "\n".join(map(str, self._changes))

    def __repr__(self) -> str:
        return f"<{len(self)} changes between versions {self.before} and {self.after}>"


class Revision(NamedTuple):
    """One state of an object, and how it came about.

    Attributes:
        version: The ``resourceVersion``.
        time: When; None where that is not known.
        change: What happened; ``held`` is the state before all that is held.
        user: Who wrote: a user, or a component of the cluster; empty where that is not known.
        manager: The field manager that was noted with the write; empty where none was.
        fields: What changed in it.
        object: The whole object; for ``removed`` its last state.
    """

    version: int
    time: dt.datetime | None
    change: Literal["added", "changed", "removed", "held"]
    user: str
    manager: str
    fields: tuple[FieldChange, ...]
    object: Object

    @property
    def actor(self) -> str:
        """The field manager and the user, as far as they are known."""
        if self.manager and self.user:
            return f"{self.manager} ({self.user})"
        return self.manager or self.user

    def __str__(self) -> str:
        when = "" if self.time is None else f" {time_text(self.time)}"
        by = f" by {self.actor}" if self.actor else ""
        lines = [f"{self.version}{when} {self.change}{by}"]
        if self.change == "changed":
            lines += [f"    {field_text(field)}" for field in self.fields]
        return "\n".join(lines)


class Revisions(Sequence[Revision]):
    """The revisions of one object, oldest first. Print it to read it."""

    def __init__(self, revisions: Sequence[Revision]) -> None:
        """Hold revisions that `revisions` has found."""
        self._revisions = tuple(revisions)

    def __getitem__(self, index: Any) -> Any:
        return self._revisions[index]

    def __len__(self) -> int:
        return len(self._revisions)

    def __str__(self) -> str:
        return "\n".join(map(str, self._revisions))

    def __repr__(self) -> str:
        return f"<{len(self)} revisions>"


def difference(history: History, before: int, after: int) -> Difference:
    """Compare the states at two versions, in whichever order they are.

    Raises:
        VersionError: One of them is not held.
    """
    history.check(before)
    history.check(after)
    touched = {event.key for event in history.between(*sorted((before, after)))}
    changes: list[ObjectChange] = []
    for key in sorted(touched):
        old, new = history.get(key, before), history.get(key, after)
        if old is not None and new is not None and uid_of(old) == uid_of(new):
            if fields := changed_fields(old, new):
                changes.append(ObjectChange("changed", new["kind"], key, fields, old, new))
            continue
        if old is not None:
            fields = changed_fields(old, None)
            changes.append(ObjectChange("removed", old["kind"], key, fields, old, None))
        if new is not None:
            fields = changed_fields(None, new)
            changes.append(ObjectChange("added", new["kind"], key, fields, None, new))
    return Difference(before, after, changes)


def revisions(
    history: History, built_in: KindRegistry, target: str, namespace: str = "default"
) -> Revisions:
    """Return what became of an object.

    Args:
        history: What is held.
        built_in: The kinds that come with the Kubernetes version.
        target: ``deployment/web``; the kind by any of its names, also one whose definition is gone.
        namespace: Where; no matter for kinds without namespaces.

    Raises:
        StatusError: 404, there is and was no such kind.
        UnknownObjectError: There was no such object at any version held.
        ValueError: The target names no object.
    """
    reference = find_reference(_all_kinds(history, built_in), target)
    if not reference.name:
        raise ValueError(f"{target!r} names no object: write KIND/NAME, such as deployment/web")
    kind = reference.kind
    key = Key(kind.resource, namespace if kind.namespaced else "", reference.name)
    base = history.base(key)
    found = [_revision(event) for event in history.line(key)]
    if base is not None:
        version = int(base["metadata"]["resourceVersion"])
        found.insert(0, Revision(version, None, "held", "", "", (), base))
    if not found:
        raise UnknownObjectError(_near(history, kind.singular, key))
    return Revisions(found)


def _all_kinds(history: History, built_in: KindRegistry) -> KindRegistry:
    """Return all kinds that were ever served."""
    registry = registry_at(history, built_in, history.last)
    gone: list[Object] = []
    for key in sorted(history.keys(DEFINITIONS)):
        line = history.line(key)
        if line and line[-1].type == "DELETED":
            gone += [event.object for event in line if event.type != "DELETED"][-1:]
    return CustomKinds(registry).registry(gone) if gone else registry


def _revision(event: ObjectEvent) -> Revision:
    old, new = event.previous, event.object
    stamp = event.stamp
    when = dt.datetime.fromtimestamp(stamp.time, dt.UTC) if stamp.time else None
    if event.type == "DELETED":
        return Revision(event.sequence, when, "removed", stamp.by, "", (), new)
    fields = changed_fields(old, new)
    change: Literal["added", "changed"] = "added" if old is None else "changed"
    return Revision(event.sequence, when, change, stamp.by, manager_of(old, new), fields, new)


def manager_of(old: Object | None, new: Object) -> str:
    """Return the field manager that a write has made known, or changed the fields of."""
    entries = new["metadata"].get("managedFields") or ()
    known = (old["metadata"].get("managedFields") or ()) if old is not None else ()
    if entries is known:
        return ""
    names = dict.fromkeys(item.get("manager") or "" for item in entries if item not in known)
    return ", ".join(filter(None, names))


def _near(history: History, kind: str, key: Key) -> str:
    there = history.keys(key.resource)
    where = f" in namespace {key.namespace}" if key.namespace else ""
    text = f"there was no {kind} {key.name}{where} at versions {history.floor} to {history.last}"
    elsewhere = sorted(other.namespace for other in there if other.name == key.name)
    if elsewhere:
        return f"{text}; there was one in {', '.join(elsewhere[:_NEAR])}"
    names = sorted({other.name for other in there if other.namespace == key.namespace})
    if near := difflib.get_close_matches(key.name, names, _NEAR):
        return f"{text}; near it were {', '.join(near)}"
    if names:
        more = f" and {len(names) - _NEAR} more" if len(names) > _NEAR else ""
        return f"{text}; there were {', '.join(names[:_NEAR])}{more}"
    return text


def field_text(field: FieldChange) -> str:
    """Return a changed field in a line."""
    if field.old is ABSENT:
        return f"{field.path}: + {value_text(field.new)}"
    if field.new is ABSENT:
        return f"{field.path}: - {value_text(field.old)}"
    return f"{field.path}: {value_text(field.old)} -> {value_text(field.new)}"


def value_text(value: Any) -> str:
    """Return a value as JSON, shortened."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def time_text(moment: dt.datetime) -> str:
    """Return a moment as RFC 3339, with milliseconds where there are any."""
    shown = moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return shown.replace("+00:00", "Z")
