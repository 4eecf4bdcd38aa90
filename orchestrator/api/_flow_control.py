"""A real limit on requests in flight: each priority level has its seats, each flow its turn.

Whoever finds no seat waits in one of the level's queues, which are served in turn, so that a client
with a thousand requests does not keep out one with a single one. A queue that is full, or a wait
that is too long, is answered with 429. The administrator's requests (``system:masters``) never
come here.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from orchestrator.resources.errors import StatusError, too_many_requests
from orchestrator.resources.flowcontrol import (
    FlowRequest,
    Level,
    default_flow_control,
    flow_of,
    levels_of,
    schema_matches,
)
from orchestrator.resources.flowcontrol.defaults import LEVELS, SCHEMAS
from orchestrator.resources.objects import Object, name_of, spec_of
from orchestrator.store.changes import Changes

if TYPE_CHECKING:
    from orchestrator.resources.users import User
    from orchestrator.store import Store

SEATS: Final = 600
"""Requests at once of all levels together: upstream's ``--max-requests-inflight`` and
``--max-mutating-requests-inflight``."""

WAIT_SECONDS: Final = 15.0
"""How long a request waits for a seat: a quarter of its deadline, as upstream."""

CATCH_ALL: Final = "catch-all"


class Seat:
    """A request's permission to be answered; `leave` gives it back.

    Attributes:
        headers: What tells the client under which rules it was answered.
    """

    __slots__ = ("_room", "headers")

    def __init__(self, room: Room, headers: list[tuple[bytes, bytes]]) -> None:
        self._room = room
        self.headers = headers

    def leave(self) -> None:
        """Give the seat to whoever waits next."""
        self._room.left()


class Room:
    """The seats and queues of one level.

    Attributes:
        level: Its numbers; replaced when the object changes.
        seated: Requests that are being answered.
        waiting: Requests that wait.
        refused: Requests that were answered with 429, ever.
        served: Requests that got a seat, ever.
    """

    def __init__(self, level: Level, house: FlowControl) -> None:
        self.level = level
        self.seated = 0
        self.waiting = 0
        self.refused = 0
        self.served = 0
        self._house = house
        self._queues: dict[int, deque[asyncio.Future[None]]] = {}

    def has_seat(self) -> bool:
        """Tell whether one more request may be answered now."""
        level = self.level
        if level.exempt or self.seated < level.seats:
            return True
        if level.borrowed is not None and self.seated >= level.seats + level.borrowed:
            return False
        return self._house.seated < self._house.seats

    def sit(self) -> None:
        """Take a seat."""
        self.seated += 1
        self.served += 1
        self._house.seated += 1

    def left(self) -> None:
        """Take a seat back, and give it to whoever waits next."""
        self.seated -= 1
        self._house.seated -= 1
        self._house.call_next(self)

    def refuse(self) -> StatusError:
        """Count a refusal."""
        self.refused += 1
        return too_many_requests("Too many requests, please try again later.", 1)

    async def wait(self, flow: str) -> None:
        """Wait for a seat; returns with it.

        Raises:
            StatusError: 429, the queue is full or it took too long.
        """
        level = self.level
        if not level.queues:
            raise self.refuse()
        hand = hand_of(f"{level.name}/{flow}", level.queues, level.hand_size)
        number = min(hand, key=lambda at: len(self._queues.get(at, ())))
        queue = self._queues.setdefault(number, deque())
        if len(queue) >= level.queue_length:
            raise self.refuse()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        self.waiting += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await turn
        except TimeoutError:
            self._give_up(number, turn)
            raise self.refuse() from None
        except asyncio.CancelledError:
            self._give_up(number, turn)
            raise
        finally:
            self.waiting -= 1

    def _give_up(self, number: int, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():
            self.left()  # the seat came too late
            return
        queue = self._queues.get(number)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._queues[number]

    def call_next(self) -> bool:
        """Give a free seat to the next in turn; tell whether somebody got one."""
        while self._queues and self.has_seat():
            number, queue = next(iter(self._queues.items()))
            # The queue goes to the end of the line: all of them have their turn.
            del self._queues[number]
            turn = queue.popleft()
            if queue:
                self._queues[number] = queue
            if not turn.done():
                self.sit()
                turn.set_result(None)
                return True
        return False


class FlowControl:
    """Gives requests their seats.

    Attributes:
        seats: Of all levels together.
        seated: Taken of them.
    """

    def __init__(self, store: Store, seats: int = SEATS) -> None:
        """Take schemas and levels from ``store``, or the defaults where it has none."""
        self.seats = seats
        self.seated = 0
        self._store = store
        self._changes = Changes(store, (LEVELS, SCHEMAS))
        self._schemas: list[Object] = []
        self._rooms: dict[str, Room] = {}

    def close(self) -> None:
        """Stop following the store."""
        self._changes.close()

    def rooms(self) -> list[Room]:
        """Return every level's room, for metrics."""
        return list(self._rooms.values())

    async def enter(self, user: User, request: FlowRequest) -> Seat:
        """Get a seat for a request, at once or after a wait.

        Raises:
            StatusError: 429.
        """
        if self._changes.seen():
            self._refresh()
        schema = self._schema_of(user, request)
        room = self._rooms[spec_of(schema)["priorityLevelConfiguration"]["name"]]
        if not room.waiting and room.has_seat():
            room.sit()
        else:
            await room.wait(flow_of(schema, user, request))
        return Seat(room, _headers(schema, room.level))

    def call_next(self, first: Room) -> None:
        """Give a seat that became free to its own level's next, or to one that borrows."""
        if not first.call_next():
            for room in self._rooms.values():
                if room.waiting and room.call_next():
                    return

    def _schema_of(self, user: User, request: FlowRequest) -> Object:
        for schema in self._schemas:
            if schema_matches(schema, user, request):
                return schema
        return self._schemas[-1]

    def _refresh(self) -> None:
        schemas, levels = self._store.list(SCHEMAS), self._store.list(LEVELS)
        bare = not schemas and not levels
        for key, obj in default_flow_control():
            found = levels if key.resource == LEVELS else schemas
            # What every request falls back to has to be there.
            lost = key.name == CATCH_ALL and all(name_of(one) != CATCH_ALL for one in found)
            if bare or lost:
                found.append(obj)
        numbers = levels_of(levels, self.seats)
        for name, level in numbers.items():
            room = self._rooms.get(name)
            if room is None:
                self._rooms[name] = Room(level, self)
            else:
                room.level = level
        for name in [name for name, room in self._rooms.items() if name not in numbers]:
            if not self._rooms[name].seated and not self._rooms[name].waiting:
                del self._rooms[name]
        known = [
            schema
            for schema in schemas
            if spec_of(schema)["priorityLevelConfiguration"]["name"] in self._rooms
        ]
        self._schemas = sorted(
            known, key=lambda one: (spec_of(one).get("matchingPrecedence", 1000), name_of(one))
        )


def _headers(schema: Object, level: Level) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-kubernetes-pf-flowschema-uid", (schema["metadata"].get("uid") or "").encode()),
        (b"x-kubernetes-pf-prioritylevel-uid", level.uid.encode()),
    ]


@lru_cache(maxsize=4096)
def hand_of(flow: str, queues: int, size: int) -> tuple[int, ...]:
    """Deal a flow its queues: always the same ones, few of them another flow's too."""
    digest = hashlib.blake2b(flow.encode(), digest_size=32).digest()
    dealt = random.Random(digest)  # noqa: S311 - not a secret, only spread out
    return tuple(dealt.sample(range(queues), min(size, queues)))
