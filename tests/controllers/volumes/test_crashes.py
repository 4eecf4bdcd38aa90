"""No volume is ever two claims', no claim's data are ever two volumes, whatever crashes when.

A PVC to PV binding is a one-to-one mapping:
https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

from actors.testing import run_virtual
from orchestrator.controllers.config import ControllerConfig
from orchestrator.controllers.localpath import LocalPathProvisioner
from orchestrator.controllers.protection import ProtectionController
from orchestrator.controllers.volumes import VolumeBindingController
from orchestrator.controllers.volumes.binding import given
from orchestrator.resources.errors import StatusError
from orchestrator.store import Modify, ObjectEvent, Operation
from tests.controllers.volumes.storage import (
    CLAIMS,
    VOLUMES,
    Storage,
    claim,
    node,
    storage_class,
    volume,
)

NAME = "orchestrator.io/local-path"


class Unreliable:
    """A store for a controller that crashes: some of its writes are the last it does."""

    def __init__(self, store: Any, dice: random.Random) -> None:
        self._store = store
        self._dice = dice
        self.faulty = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def write(self, operations: Sequence[Operation], **_: Any) -> Any:
        """Write all, or only the first few and then fail, or all and fail nevertheless.

        Now and then the scheduler is quicker with a volume than what was just decided.
        """
        if self.faulty and self._dice.random() < 0.6:
            await bind_as_scheduler(self._store, self._dice)
        if not self.faulty or self._dice.random() < 0.5:
            return await self._store.write(operations)
        done = self._dice.randrange(len(operations) + 1)
        if done:
            await self._store.write(operations[:done])
        raise RuntimeError("crashed between two writes")


def one_to_one(store: Any) -> Any:
    """Return a check of each event: bindings that were completed are never taken over."""
    owners: dict[str, str] = {}

    def check(event: ObjectEvent) -> None:
        claims = {each["metadata"]["uid"]: each for each in store.list(CLAIMS)}
        named: dict[str, str] = {}
        for uid, found in claims.items():
            name = found["spec"].get("volumeName")
            if not name:
                continue
            assert named.setdefault(name, uid) == uid, f"{name} has two claims"
            assert owners.setdefault(uid, name) == name, f"{uid} had another volume"
            volume = store.get(VOLUMES, "", name)
            assert volume is None or volume["spec"]["claimRef"]["uid"] == uid

    return check


@pytest.mark.parametrize("seed", range(12))
def test_bindings_survive_crashes_between_writes(seed: int, worlds: Any) -> None:
    """Controllers die at any write, a scheduler binds meanwhile, claims go; in the end all fit."""

    async def live() -> None:
        dice = random.Random(seed)
        async with worlds.world() as world:
            store = Unreliable(world.store, dice)
            config = ControllerConfig()
            makers = (
                lambda: VolumeBindingController(store, world.recorded),  # type: ignore[arg-type] # a stand-in
                lambda: ProtectionController(store, world.recorded),  # type: ignore[arg-type] # a stand-in
                lambda: LocalPathProvisioner(store, world.recorded, config),  # type: ignore[arg-type] # a stand-in
            )
            running = [world.system.spawn(maker, f"c{at}-0") for at, maker in enumerate(makers)]
            watching = worlds.Watching(world.store, [CLAIMS, VOLUMES], one_to_one(world.store))
            s = Storage(world)
            await s.make(node("n1"), storage_class("now", NAME))
            for at in range(8):
                made = [claim(f"d{at}", storageClassName="now")]
                for each in range(at * 2, at * 2 + 2):
                    made.append(volume(f"v{each}", f"{dice.randrange(1, 3)}Gi"))
                    size = f"{dice.randrange(1, 3)}Gi"
                    made.append(claim(f"c{each}", size, storageClassName=""))
                await asyncio.gather(*(s.make(each) for each in made))
                if dice.random() < 0.3:
                    await s.delete(CLAIMS, f"{dice.choice('cd')}{at}")
                await world.settle(dice.random())
                at_actor = dice.randrange(3)
                await world.system.stop(running[at_actor])
                running[at_actor] = world.system.spawn(makers[at_actor], f"c{at_actor}-{at + 1}")
            store.faulty = False
            await world.settle(3000)
            watching.verify()
            for found in world.store.list(CLAIMS):
                if found["spec"]["storageClassName"] == "now":
                    assert s.bound_to(found["metadata"]["name"])
            free = [v for v in world.store.list(VOLUMES) if v["status"]["phase"] == "Available"]
            waiting = [c for c in world.store.list(CLAIMS) if c["status"]["phase"] == "Pending"]
            for wanted in waiting:
                assert all(too_small(each, wanted) for each in free)

    run_virtual(live(), seed=seed)


def too_small(volume: Any, claim: Any) -> bool:
    """Tell whether a volume has less than a claim asks for."""
    asked = claim["spec"]["resources"]["requests"]["storage"]
    return int(volume["spec"]["capacity"]["storage"][:-2]) < int(asked[:-2])


async def bind_as_scheduler(store: Any, dice: random.Random) -> None:
    """Give some free volume to some claim, as the scheduler does beside the controller."""
    claims = [
        each
        for each in store.list(CLAIMS)
        if not each["spec"].get("volumeName") and not each["spec"]["storageClassName"]
    ]
    volumes = [v for v in store.list(VOLUMES) if not v["spec"].get("claimRef")]
    if not claims or not volumes:
        return
    wanted, chosen = dice.choice(claims), dice.choice(volumes)
    if too_small(chosen, wanted):
        return

    def change(now: Any) -> Any:
        return None if now["spec"].get("claimRef") else given(now, wanted)

    (answer,) = await store.write([Modify(VOLUMES, "", chosen["metadata"]["name"], change)])
    assert not isinstance(answer, StatusError)
