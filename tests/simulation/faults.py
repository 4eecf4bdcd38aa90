"""What goes wrong. Which faults a run has is drawn once; when each strikes, again and again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actors import _lifecycle as lifecycle
from actors.testing import VirtualTimeLoop
from orchestrator.store import WindowLimits
from tests.simulation.disks import Weather

if TYPE_CHECKING:
    from actors._cells import Cell
    from tests.simulation.world import World

PATIENCE = 30.0
"""Seconds between two crashes of one actor: its supervisor bears five a minute."""


class InjectedError(Exception):
    """A fault of the simulation, in an actor that did nothing wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Which faults a run has; a rare path gets whole runs to itself that way.

    Attributes:
        disruptions: Users delete pods, taint nodes, roll out what does not work. Without them
            and without faults, rolling updates are held to their floor at every step.
        kinds: The faults.
    """

    disruptions: bool
    kinds: tuple[str, ...]

    @property
    def strict_floor(self) -> bool:
        """Whether nothing but rollouts and scaling takes pods away."""
        return not self.disruptions and not set(self.kinds) - {"overflow", "window", "slow"}


KINDS = (
    "node",
    "container",
    "crash",
    "disk",
    "slow",
    "window",
    "overflow",
    "actor",
    "jump",
    "compact",
)


def draw_profile(chance: random.Random) -> Profile:
    """Draw a profile: calm, one fault alone, or a mixture."""
    mood = chance.random()
    if mood < 0.15:
        return Profile(disruptions=False, kinds=())
    if mood < 0.25:
        return Profile(disruptions=False, kinds=(chance.choice(["overflow", "window", "slow"]),))
    if mood < 0.5:
        return Profile(disruptions=chance.random() < 0.5, kinds=(chance.choice(KINDS),))
    count = chance.randrange(2, len(KINDS) + 1)
    kinds = chance.sample(KINDS, count)
    return Profile(disruptions=chance.random() < 0.7, kinds=tuple(sorted(kinds)))


class Faults:
    """Strikes until it is told to stop."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world = world
        self.chance = chance
        self._crashed: dict[str, float] = {}
        self._dead: list[str] = []
        strikes: dict[str, Callable[[], Awaitable[None]]] = {
            "node": self._node,
            "container": self._container,
            "crash": self._crash,
            "disk": self._disk,
            "slow": self._slow,
            "window": self._window,
            "overflow": self._overflow,
            "actor": self._actor,
            "jump": self._jump,
            "compact": self._compact,
        }
        self._strikes = [strikes[kind] for kind in world.profile.kinds]

    @property
    def any(self) -> bool:
        """Whether this run has faults at all."""
        return bool(self._strikes)

    async def strike(self) -> None:
        """Let one thing go wrong."""
        await self.chance.choice(self._strikes)()

    async def end(self) -> None:
        """Let everything work again."""
        world = self.world
        world.weather.__init__()  # type: ignore[misc] # back to a good disk, for whoever holds it
        world.store._window._limits = WindowLimits()
        self._store_cell().limit = 4096
        while self._dead:
            await world.revive(self._dead.pop())

    # -- machines

    async def _node(self) -> None:
        if self._dead and self.chance.random() < 0.6:
            name = self._dead.pop(self.chance.randrange(len(self._dead)))
            await self.world.revive(name)
        elif len(self._dead) < 3:
            name = self.chance.choice(self.world.cluster.nodes.names)
            self._dead.append(name)
            await self.world.cluster.nodes.kill(name)

    async def _container(self) -> None:
        runtime = self.world.runtime
        running = [record for record in runtime._records if record.exited is None]
        for record in self.chance.sample(running, min(len(running), self.chance.choice([1, 1, 5]))):
            runtime.end(record.started.id, self.chance.choice([0, 1, 137]))

    async def _crash(self) -> None:
        """The whole cluster loses power; all nodes of it come back."""
        asleep, stumbles = self.chance.choice([0.0, 1.0, 90.0]), self.chance.choice([0, 0, 0, 1, 2])
        await self.world.crash(asleep=asleep, stumbles=stumbles)
        self._dead.clear()
        self._crashed.clear()

    # -- the store

    async def _disk(self) -> None:
        """A spell of bad weather."""
        bad = self.chance.choice(
            [
                Weather(fails=0.3),
                Weather(lies=0.3),
                Weather(stalls=0.1, stall=self.chance.choice([10.0, 45.0])),
                Weather(fails=1.0),
                Weather(fails=0.2, lies=0.2, stalls=0.05, latency=0.5),
            ]
        )
        await self._spell(bad, self.chance.choice([0.5, 5.0, 40.0]))

    async def _slow(self) -> None:
        await self._spell(Weather(latency=self.chance.choice([0.1, 1.0])), 20.0)

    async def _spell(self, weather: Weather, seconds: float) -> None:
        mount = self.world.mount
        mount.weather = weather
        await asyncio.sleep(seconds)
        if mount is self.world.mount:
            mount.weather = self.world.weather

    async def _window(self) -> None:
        """Keep so little of the past that everyone who is not quick has to list again."""
        window = self.world.store._window
        window._limits = WindowLimits(events=self.chance.choice([0, 3, 20]))
        await asyncio.sleep(self.chance.choice([1.0, 10.0]))
        window._limits = WindowLimits()

    def _store_cell(self) -> Cell[Any]:
        cell: Any = self.world.store._ref
        return cell  # type: ignore[no-any-return] # a local ref is its cell

    async def _overflow(self) -> None:
        cell = self._store_cell()
        cell.limit = self.chance.choice([1, 2, 5])
        await asyncio.sleep(self.chance.choice([0.5, 5.0]))
        cell.limit = 4096

    async def _compact(self) -> None:
        await self.world.store.compact()

    # -- actors and time

    async def _actor(self) -> None:
        system = self.world.cluster.system
        name = self.chance.choice(sorted(system.guardian.rare().children))
        now = self.world.now()
        if now - self._crashed.get(name, -PATIENCE) < PATIENCE:
            return
        self._crashed[name] = now
        cell = system.guardian.rare().children[name]
        if name == "nodes" and self.chance.random() < 0.8:
            below = cell.rare().children
            if below:
                cell = below[self.chance.choice(list(below))]
                pods = cell.rare().children
                if pods and self.chance.random() < 0.5:
                    cell = pods[self.chance.choice(list(pods))]
        lifecycle.fail(cell, InjectedError(f"injected into {cell.address}"))

    async def _jump(self) -> None:
        """The machine was asleep: minutes pass in which nothing happens."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        loop.jump(self.chance.choice([5.0, 60.0, 600.0]))
