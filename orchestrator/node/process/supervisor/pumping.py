"""What containers write goes to their logs and to those who attached, as fast as both take it."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING

from .attaching import STALLED, Tee

if TYPE_CHECKING:
    from .containers import Container


class Pumps:
    """The pipes of all containers: those that are read, and those that wait for an asker."""

    def __init__(self, poll: select.epoll) -> None:
        """Begin without any.

        Args:
            poll: Tells when there is something to `serve`.
        """
        self._poll = poll
        self._readers: dict[int, Container] = {}
        self._held: dict[int, Container] = {}
        self._tees: dict[int, Tee] = {}

    def serve(self, descriptor: int, events: int) -> bool:
        """Do what the poll found; False: the descriptor is none of these."""
        if descriptor in self._readers:
            self._pump(descriptor)
        elif descriptor in self._tees:
            self._copy(self._tees[descriptor], events)
        else:
            return False
        return True

    def add(self, container: Container) -> None:
        """Read the pipes of a container that has started."""
        for descriptor in container.pipes:
            self._readers[descriptor] = container
            self._poll.register(descriptor, select.EPOLLIN)

    def finish(self, container: Container) -> None:
        """Read the rest of a container that has ended; its askers may still take it."""
        for descriptor in container.pipes:
            if self._readers.pop(descriptor, None):
                self._poll.unregister(descriptor)
            self._held.pop(descriptor, None)
        container.finish(time.monotonic())
        self._end(container.tees)

    def attach(self, tees: list[Tee]) -> None:
        """Watch the tees of one who has attached."""
        for tee in tees:
            self._tees[tee.descriptor] = tee
            self._poll.register(tee.descriptor, 0)  # tells of its reader's end

    def detach(self, container: Container, tees: list[Tee]) -> None:
        """Let go of the tees of one who has left."""
        for tee in tees:
            self._drop(tee)
            if tee in container.tees:
                container.tees.remove(tee)
        self._release(container)

    def enforce(self, now: float) -> None:
        """Let go of those who have taken nothing for too long."""
        for tee in list(self._tees.values()):
            if tee.stalled_at is not None and now >= tee.stalled_at + STALLED:
                self._drop(tee)
                self._settle(tee)

    def _pump(self, descriptor: int) -> None:
        container = self._readers[descriptor]
        if not container.pump(descriptor, time.monotonic()):
            # Its process may close stdout and run on: the pipe is only no longer watched.
            del self._readers[descriptor]
            self._poll.unregister(descriptor)
            self._end([tee for tee in container.tees if tee.source == descriptor])
        elif container.tees:
            for tee in container.tees:
                if tee in self._tees.values():
                    self._settle(tee)
            if container.is_held(descriptor):
                self._hold(descriptor)

    def _end(self, tees: list[Tee]) -> None:
        for tee in tees:
            tee.ending = True
            if tee in self._tees.values():
                self._settle(tee)

    def _copy(self, tee: Tee, events: int) -> None:
        """Write on to someone who attached and takes bytes again, or has left."""
        if events & select.EPOLLOUT:
            tee.flush(time.monotonic())
        else:
            self._drop(tee)
        self._settle(tee)

    def _settle(self, tee: Tee) -> None:
        """Watch a tee as its state has it, and let its pipe go on that waited for it."""
        if tee.descriptor < 0 or (tee.ending and not tee.rest):
            self._drop(tee)
        else:
            self._poll.modify(tee.descriptor, select.EPOLLOUT if tee.rest else 0)
        container = self._held.get(tee.source)
        if container is not None:
            self._release(container)

    def _drop(self, tee: Tee) -> None:
        """Let go of a tee; the kernel forgets a descriptor that is closed."""
        for descriptor, known in list(self._tees.items()):
            if known is tee:
                del self._tees[descriptor]
        tee.close()

    def _hold(self, descriptor: int) -> None:
        """Read no more from a pipe until all who attached have taken what it gave."""
        self._held[descriptor] = self._readers.pop(descriptor)
        self._poll.unregister(descriptor)

    def _release(self, container: Container) -> None:
        for descriptor in [one for one, whose in self._held.items() if whose is container]:
            if not container.is_held(descriptor):
                self._readers[descriptor] = self._held.pop(descriptor)
                self._poll.register(descriptor, select.EPOLLIN)
