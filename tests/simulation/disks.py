"""What survives a crash: a log whose content outlives its process, and whose writes may fail."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from actors.log import Append, Appended, Conflict, LogError, MemoryLog, Record, Snapshot


@dataclass(slots=True, kw_only=True)
class Weather:
    """How badly a disk behaves at the moment; all zero is a good disk.

    Attributes:
        latency: The longest an append takes, seconds.
        fails: Probability that an append writes nothing and says so.
        lies: Probability that an append is written and reported as failed.
        stalls: Probability that an append takes `stall` seconds.
        stall: Seconds; longer than proposers wait for an answer.
    """

    latency: float = 0.002
    fails: float = 0.0
    lies: float = 0.0
    stalls: float = 0.0
    stall: float = 45.0


class Disk(MemoryLog):
    """The content of a log. One process at a time has it open, through a `Mount`."""

    def mount(self, chance: random.Random, weather: Weather) -> Mount:
        """Open the log, as a process that starts does."""
        return Mount(self, chance, weather)


class Mount:
    """An `EventLog` over a disk, for one life of the cluster."""

    def __init__(self, disk: Disk, chance: random.Random, weather: Weather) -> None:
        self.disk = disk
        self.weather = weather
        self._chance = chance
        self._pending: list[Sequence[Append]] = []
        self._off = False

    @property
    def last_sequence(self) -> int:
        return self.disk.last_sequence

    @property
    def first_sequence(self) -> int:
        return self.disk.first_sequence

    async def append(self, batch: Sequence[Append]) -> list[Appended | Conflict]:
        """Append after a while, or not, as the weather has it."""
        weather, chance = self.weather, self._chance
        self._pending.append(batch)
        stalls = chance.random() < weather.stalls
        await asyncio.sleep(weather.stall if stalls else chance.random() * weather.latency)
        await self._live()
        self._pending.remove(batch)
        if chance.random() < weather.fails:
            raise LogError("simulated: the disk refused the write")
        results = await self.disk.append(batch)
        if chance.random() < weather.lies:
            raise LogError("simulated: the disk wrote and failed to say so")
        return results

    async def _live(self) -> None:
        if self._off:
            await asyncio.get_running_loop().create_future()  # a dead process hears nothing

    def cut(self) -> None:
        """Lose power: what is being written is on the disk or not, and nobody learns which."""
        self._off = True
        for batch in self._pending:
            if self._chance.random() < 0.5:
                try:
                    self.disk.append(batch).send(None)
                except StopIteration:
                    continue

    def read(self, after: int = 0, *, limit: int | None = None) -> AsyncIterator[list[Record]]:
        return self.disk.read(after, limit=limit)

    def subscribe(self, after: int) -> AsyncIterator[list[Record]]:
        return self.disk.subscribe(after)

    async def snapshot(self, sequence: int, entries: Iterable[tuple[str, int, bytes]]) -> None:
        await self._live()
        await self.disk.snapshot(sequence, entries)

    async def load_snapshot(self) -> Snapshot | None:
        return await self.disk.load_snapshot()

    async def compact(self, before: int) -> None:
        await self._live()
        await self.disk.compact(before)

    async def close(self) -> None:
        """The disk stays as it is."""
        self._off = True
