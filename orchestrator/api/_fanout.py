"""One event, many watchers: encoded once, written to every connection that keeps up.

A hub follows one resource for all its watchers. Those who asked for the same thing form a group,
for which an event is selected and encoded once; the bytes are written straight to the connections.
A connection that stops taking bytes leaves its group at once and goes on alone from its own place
in the store's window (`orchestrator.api._watching.Watch`): it holds up nobody and keeps nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Final

from orchestrator.api._events import Memo, View, as_chunk, in_pieces
from orchestrator.store.events import ObjectEvent
from orchestrator.store.following import Follower
from orchestrator.store.window import Expired

ROUND_EVENTS: Final = 500
"""Events taken for one round over the watchers at most: no round holds the loop for long."""

REST_PER_MEMBER: Final = 40e-6
"""Seconds to rest after a round for each connection written to. A write takes about half of that,
so rounds leave time for the rest of the server; events that come meanwhile go out together."""

REST_LIMIT: Final = 0.1
"""Seconds to rest at most, however many watch."""

Push = Callable[[bytes], bool]
"""Writes bytes to a connection without waiting; False when it takes no more for now."""

Follow = Callable[[str, Callable[[], None]], Follower]
"""Starts following a resource, given what to call when there are events."""


class Member:
    """One connection in a group.

    Attributes:
        sequence: Where it joined, or where it left: everything up to there has been written.
        joined: False once the connection has to go on alone from ``sequence``.
    """

    __slots__ = ("joined", "leave", "push", "sequence")

    def __init__(self, push: Push, sequence: int, leave: Callable[[], None]) -> None:
        """Describe a connection; ``leave`` is called when it has to leave its group."""
        self.push = push
        self.sequence = sequence
        self.leave = leave
        self.joined = True

    def part(self, sequence: int) -> None:
        """Leave the group; the owner is told."""
        self.sequence = sequence
        self.joined = False
        self.leave()


class Group:
    """The watchers of one view."""

    __slots__ = ("members", "newcomers", "view")

    def __init__(self, view: View) -> None:
        self.view = view
        self.members: set[Member] = set()
        self.newcomers: set[Member] = set()

    def write(self, events: list[ObjectEvent], memo: Memo, sequence: int) -> int:
        """Write a round's events to everyone; returns how many were written to.

        Args:
            events: What happened since the last round.
            memo: Shared by the groups of the round.
            sequence: Where the round ends.
        """
        lines = memo.lines(self.view, events)
        written = 0
        if lines and self.members:
            self._write(self.members, lines, sequence)
            written = len(self.members)
        if self.newcomers:
            # One that had seen more than this round reaches takes part from a later one on.
            newcomers = {member for member in self.newcomers if member.sequence <= sequence}
            self.newcomers -= newcomers
            for member in newcomers:
                # What it had seen when it joined may reach into this round.
                rest = [line for line in lines if line[0] > member.sequence]
                self.members.add(member)
                if rest:
                    self._write({member}, rest, sequence)
            written += len(newcomers)
        return written

    def _write(self, members: set[Member], lines: list[tuple[int, bytes]], sequence: int) -> None:
        pieces = [(reached, as_chunk(data)) for reached, data in in_pieces(lines)]
        pieces[-1] = (sequence, pieces[-1][1])
        behind = []
        if len(pieces) == 1:
            data = pieces[0][1]
            behind = [(member, sequence) for member in members if not member.push(data)]
        else:
            for member in members:
                for reached, data in pieces:
                    if not member.push(data):
                        behind.append((member, reached))
                        break
        for member, reached in behind:
            self.members.discard(member)
            member.part(reached)


class Triggers:
    """Groups that look at one value of one field only, found by the values of an event.

    A thousand watchers of a node's pods each, or of one object each, must not all be asked about
    every event: upstream's watch cache has the same index.
    """

    __slots__ = ("_fields",)

    def __init__(self) -> None:
        self._fields: dict[str, dict[str, dict[Group, None]]] = {}

    def add(self, group: Group, trigger: tuple[str, str]) -> None:
        """Enter a group."""
        field, value = trigger
        self._fields.setdefault(field, {}).setdefault(value, {})[group] = None

    def remove(self, group: Group, trigger: tuple[str, str]) -> None:
        """Forget a group."""
        field, value = trigger
        values = self._fields[field]
        values[value].pop(group, None)
        if not values[value]:
            del values[value]
            if not values:
                del self._fields[field]

    def hit(self, events: list[ObjectEvent]) -> dict[Group, list[ObjectEvent]]:
        """Return the groups that may see something, each with the events it may see."""
        found: dict[Group, list[ObjectEvent]] = {}
        for field, groups in self._fields.items():
            fields_of = next(iter(next(iter(groups.values())))).view.fields_of
            assert fields_of is not None
            for event in events:
                value = fields_of(event.object).get(field, "")
                for group in groups.get(value, ()):
                    found.setdefault(group, []).append(event)
                if event.previous is None:
                    continue
                before = fields_of(event.previous).get(field, "")
                if before != value:
                    for group in groups.get(before, ()):
                        found.setdefault(group, []).append(event)
        return found


class Hub:
    """All groups that watch one resource."""

    def __init__(self, resource: str, follow: Follow, closed: Callable[[str], None]) -> None:
        """Follow from now on; ``closed`` is told the resource when the last watcher has left."""
        self._resource = resource
        self._loop = asyncio.get_running_loop()
        self._groups: dict[Hashable, Group] = {}
        self._asked: dict[Group, None] = {}
        self._triggers = Triggers()
        self._closed = closed
        self._due: asyncio.Handle | None = None
        self._rested = 0.0
        self._follower = follow(resource, self._wake)

    def join(self, view: View, member: Member) -> None:
        """Let a connection take part from the next round on."""
        group = self._groups.get(view.key)
        if group is None:
            group = self._groups[view.key] = Group(view)
            if view.trigger is None or view.fields_of is None:
                self._asked[group] = None
            else:
                self._triggers.add(group, view.trigger)
        group.newcomers.add(member)

    def leave(self, view: View, member: Member) -> int:
        """Take a connection out; returns up to where it has been written to."""
        group = self._groups.get(view.key)
        if group is None:
            return member.sequence
        if member in group.members:
            group.members.discard(member)
            member.sequence = self._follower.sequence
        else:
            group.newcomers.discard(member)
        member.joined = False
        self._tidy(group)
        return member.sequence

    def reached(self, member: Member) -> int:
        """Return up to where a connection that takes part has been written to."""
        if self._due is None:
            self._round()  # finds nothing, but learns how far the store has come without events
        return max(member.sequence, self._follower.sequence)

    def close(self) -> None:
        """Stop; nobody is a member any more."""
        self._follower.close()
        if self._due is not None:
            self._due.cancel()
        self._closed(self._resource)

    def _wake(self) -> None:
        if self._due is not None:
            return
        rest = self._rested - self._loop.time()
        if rest > 0:
            self._due = self._loop.call_later(rest, self._round)
        else:
            self._due = self._loop.call_soon(self._round)

    def _round(self) -> None:
        self._due = None
        before = self._follower.sequence
        try:
            events = self._follower.take(ROUND_EVENTS)
        except Expired:
            self._part_all(before)
            return
        memo = Memo()
        sequence = self._follower.sequence
        written = 0
        hit = self._triggers.hit(events) if events else {}
        for group in tuple(self._asked):
            written += group.write(events, memo, sequence)
            self._tidy(group)
        for group, found in hit.items():
            written += group.write(found, memo, sequence)
            self._tidy(group)
        self._rested = self._loop.time() + min(REST_LIMIT, written * REST_PER_MEMBER)
        self._again()

    def _again(self) -> None:
        """Put off what a round has left over until the rest after it."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
            self._wake()

    def _part_all(self, sequence: int) -> None:
        """Send everyone off to find out alone that events were lost."""
        for group in tuple(self._groups.values()):
            for member in (*group.members, *group.newcomers):
                member.part(max(member.sequence, sequence))
            group.members.clear()
            group.newcomers.clear()
        self._groups.clear()
        self._asked.clear()
        self._triggers = Triggers()
        self.close()

    def _tidy(self, group: Group) -> None:
        if group.members or group.newcomers:
            return
        if self._groups.get(group.view.key) is group:
            del self._groups[group.view.key]
            if group in self._asked:
                del self._asked[group]
            elif group.view.trigger is not None:
                self._triggers.remove(group, group.view.trigger)
            if not self._groups:
                self.close()


class Fanout:
    """The hubs, by resource; one exists as long as somebody watches."""

    def __init__(self, follow: Follow) -> None:
        """Begin with nobody; ``follow`` begins at the store's present sequence."""
        self._follow = follow
        self._hubs: dict[str, Hub] = {}

    def hub(self, resource: str) -> Hub:
        """Return a resource's hub, which follows from now on when it is new."""
        hub = self._hubs.get(resource)
        if hub is None:
            hub = self._hubs[resource] = Hub(resource, self._follow, self._forget)
        return hub

    def _forget(self, resource: str) -> None:
        self._hubs.pop(resource, None)
