"""Plans: what a pure decision wants done, for the controller's shell to apply.

A plan holds data only. `orchestrator.controllers.controller` turns it into operations of the
store, in this order: creations, updates, deletions, then the events; all of one plan go to the
sequencer together, and the key is not looked at again before they are answered.

What a plan holds are tuples: a burst makes several for each pod, and a frozen dataclass takes three
times as long to make.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal, NamedTuple

from orchestrator.records import dataclass
from orchestrator.resources.objects import Object

EventKind = Literal["Normal", "Warning"]


class Emit(NamedTuple):
    """An Event to record about ``involved``."""

    involved: Object
    type: EventKind
    reason: str
    message: str


class Creation(NamedTuple):
    """An object to create.

    Attributes:
        resource: Where: ``pods``, ``replicasets.apps``.
        object: Whole.
        event: Recorded when the creation succeeded.
    """

    resource: str
    object: Object
    event: Emit | None = None


class Update(NamedTuple):
    """An object to bring from the state that was seen to a new one.

    Attributes:
        resource: Where.
        base: The committed state that the decision was made from.
        new: The wanted state. Dropped by the shell where the object moved on in a part that the
            decision looked at; the event of that move makes the controller decide again.
        subresource: ``status`` or empty.
        event: Recorded when the update succeeded.
        strict: Drop it after any change at all: the object has other writers too.
    """

    resource: str
    base: Object
    new: Object
    subresource: str = ""
    event: Emit | None = None
    strict: bool = False


class Deletion(NamedTuple):
    """An object to delete, guarded by its uid.

    Attributes:
        resource: Where.
        object: The committed state that the decision was made from.
        policy: ``propagationPolicy``, or None for the default.
        grace: Seconds; None takes the object's own.
        current: Refuse also when the object changed since (``resourceVersion`` precondition).
        event: Recorded when the deletion was accepted.
    """

    resource: str
    object: Object
    policy: str | None = None
    grace: int | None = None
    current: bool = False
    event: Emit | None = None


@dataclass(slots=True)
class Plan:
    """What to do about one key; an empty one means that everything is as it should be.

    Attributes:
        create: Objects to make.
        update: Objects to change.
        delete: Objects to remove.
        events: Recorded whatever becomes of the writes.
        requeue_after: Seconds after which to look again though nothing changed; None for never.
    """

    create: list[Creation] = field(default_factory=list)
    update: list[Update] = field(default_factory=list)
    delete: list[Deletion] = field(default_factory=list)
    events: list[Emit] = field(default_factory=list)
    requeue_after: float | None = None

    def __len__(self) -> int:
        return len(self.create) + len(self.update) + len(self.delete)

    def look_again(self, seconds: float) -> None:
        """Ask to be looked at again in ``seconds``, or sooner if that was asked before."""
        if self.requeue_after is None or seconds < self.requeue_after:
            self.requeue_after = seconds
