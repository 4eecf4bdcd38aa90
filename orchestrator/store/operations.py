"""Proposals: what can be asked of the sequencer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from orchestrator.records import dataclass
from orchestrator.resources.objects import Key, Object

Change: TypeAlias = Callable[[Object], Object | None]
"""From the current object to the wanted one; None or the same object means: leave it."""


class Changed(NamedTuple):
    """What a `Modify.change` may return: the object, and where it differs from the one before.

    To find that out by comparing takes as long as all else about such a write.

    Attributes:
        object: The wanted object, which has the metadata of the one before.
        fields: Part -> field -> value for every field that was set; some may be as they were, but
            nothing else may be different, and no field gone. Used up by whoever gets it.
    """

    object: Object
    fields: dict[str, dict[str, Any]]


KnownChange: TypeAlias = Callable[[Object], Object | Changed | None]
"""A `Change` that may know what it changed; for those who write by the thousand."""


class DeleteOptions(NamedTuple):
    """What ``DeleteOptions`` of the API asks for.

    Attributes:
        grace_period_seconds: None takes the object's own; 0 removes at once.
        propagation_policy: ``Background``, ``Foreground``, ``Orphan`` or None for the default.
        orphan_dependents: The deprecated spelling of the policy.
        uid: Refuse unless the object has this uid.
        resource_version: Refuse unless the object is at this version.
    """

    grace_period_seconds: int | None = None
    propagation_policy: str | None = None
    orphan_dependents: bool | None = None
    uid: str | None = None
    resource_version: str | None = None

    @classmethod
    def parse(cls, body: dict[str, Any] | None) -> DeleteOptions:
        """Read the body of a DELETE request; None and an empty body mean all defaults."""
        body = body or {}
        preconditions = body.get("preconditions") or {}
        return cls(
            grace_period_seconds=body.get("gracePeriodSeconds"),
            propagation_policy=body.get("propagationPolicy"),
            orphan_dependents=body.get("orphanDependents"),
            uid=preconditions.get("uid"),
            resource_version=preconditions.get("resourceVersion"),
        )


NO_OPTIONS = DeleteOptions()


class Create(NamedTuple):
    """Make a new object.

    Operations are tuples: a burst makes several for each pod, and a frozen dataclass takes three
    times as long to make.

    Attributes:
        resource: ``pods``, ``deployments.apps``.
        object: Whole; ``metadata.namespace`` says where. Without a name, ``generateName`` is used.
    """

    resource: str
    object: Object


class Modify(NamedTuple):
    """Change an object that exists, with a function run by the sequencer on its latest state.

    Attributes:
        change: Pure and quick: it runs while every other write waits.
        subresource: ``status`` keeps to the status part; empty for the whole object.
        uid: Refuse (409) unless the object still is the one with this uid.
    """

    resource: str
    namespace: str
    name: str
    change: KnownChange
    subresource: str = ""
    uid: str | None = None


class Delete(NamedTuple):
    """Ask for an object's removal; finalizers and grace decide when it happens.

    Attributes:
        seen: What hooks agreed to the removal of; another object or revision ends as `Raced`.
    """

    resource: str
    namespace: str
    name: str
    options: DeleteOptions = NO_OPTIONS
    seen: Object | None = None


Operation: TypeAlias = Create | Modify | Delete


class Raced(Exception):  # noqa: N818 - it says what happened
    """Another object was found than the one that a `Change` or a `Delete` was made for."""


class Rewind:
    """Put back a state of all objects, at new versions.

    Attributes:
        objects: How they were, by key: all there is to be.
        known: Objects that are known to be as in ``objects``, by key; the sequencer adds those
            that it puts back.
        anew: Uids of pods that have done something since, whatever is stored of them.
    """

    __slots__ = ("anew", "known", "objects")

    def __init__(
        self,
        objects: Mapping[Key, Object],
        known: dict[Key, Object],
        anew: frozenset[str] = frozenset(),
    ) -> None:
        """Ask for a state."""
        self.anew = anew
        self.objects = objects
        self.known = known


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The sequencer's one command: decide these in order and make them durable together.

    Attributes:
        operations: In order; a later one sees what an earlier one did.
        dry_run: Decide and answer, but write nothing.
        by: Who proposes them: a user, or a component of the cluster; empty where nobody says.
        rewind: Put back an earlier state, before the operations.
    """

    operations: tuple[Operation, ...]
    dry_run: bool = False
    by: str = ""
    rewind: Rewind | None = None
