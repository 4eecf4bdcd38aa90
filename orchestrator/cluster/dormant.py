"""Parts of a cluster that sleep until there is something for them.

A test has objects of a few kinds; the controllers of all others would only be loaded, started and
stopped for it. An actor that sleeps is there under its name, can be crashed and restarted, and
turns into the one that it stands for at the first object that concerns it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import Any

from actors import Actor
from orchestrator.controllers.awaiting import Awaited
from orchestrator.resources.objects import Object
from orchestrator.store import Expired, Follower, Store


class Waking(enum.Enum):
    """Why a sleeper looks up."""

    PRESENT = "there was something at its start"
    CHANGED = "something of the awaited kinds has changed"


class Dormant(Actor[Waking]):
    """Stands for an actor until one of the awaited objects is there.

    Its mailbox holds one message at most: it follows only where it found nothing, and is told once
    until it has looked.
    """

    def __init__(self, store: Store, awaited: Awaited, factory: Callable[[], Actor[Any]]) -> None:
        """Prepare.

        Args:
            store: Where the objects are.
            awaited: What to wait for.
            factory: Makes the actor, which lists what there is when it starts.
        """
        self._store = store
        self._awaited = awaited
        self._factory = factory
        self._follower: Follower | None = None

    def started(self) -> None:
        """Look at what there is, or follow what comes."""
        if any(self._concerned(name, self._store.each(name)) for name in self._awaited):
            self.context.ref.tell(Waking.PRESENT)
        else:
            self._follower = self._store.follow(self._awaited, self._notify)

    def receive(self, message: Waking) -> None:
        """Become the other one, if there is something for it.

        What a life before this one was still to be told, this one's or the other's, says nothing:
        what there is was looked at since, at the start.
        """
        if message is Waking.PRESENT or self._has_come():
            self.stopped()
            self.context.become(self._factory())

    def stopped(self) -> None:
        """Stop following."""
        if self._follower is not None:
            self._follower.close()

    def _notify(self) -> None:
        self.context.ref.tell(Waking.CHANGED)

    def _has_come(self) -> bool:
        if self._follower is None:
            return False  # PRESENT is on its way
        try:
            events = self._follower.take()
        except Expired:
            return True  # nobody knows what has passed
        return any(self._concerned(event.key.resource, (event.object,)) for event in events)

    def _concerned(self, resource: str, objects: Iterable[Object]) -> bool:
        concerns = self._awaited[resource]
        return any(concerns(obj) for obj in objects)
