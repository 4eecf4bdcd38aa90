"""Clients that watch: each keeps a copy of what it selected, through whatever happens."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.resources.objects import Object
from orchestrator.resources.selectors import FieldSelector, LabelSelector
from orchestrator.store import Store
from orchestrator.store.events import WatchEvent

if TYPE_CHECKING:
    from tests.simulation.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a watcher asks for."""

    resource: str
    namespace: str | None = None
    labels: LabelSelector | None = None
    fields: FieldSelector | None = None


class Watcher:
    """Lists once, then lives on events; lists again only when it is told to."""

    def __init__(self, world: World, selection: Selection, chance: random.Random) -> None:
        self.selection = selection
        self.relists = 0
        self.events = 0
        self._world = world
        self._chance = chance
        self._version = 0
        self._copy: dict[tuple[str, str], Object] = {}

    async def run(self, store: Store) -> None:
        """Watch one life of the store."""
        picked = self.selection
        while True:
            if not self._version:
                self.relists += 1
                self._copy = self._listed(store)
                self._version = store.sequence
            watch = store.watch(
                picked.resource,
                picked.namespace,
                after=self._version,
                labels=picked.labels,
                fields=picked.fields,
                bookmarks=self._chance.random() < 0.5,
                timeout=self._chance.choice([None, 30.0, 300.0]),
                send_initial_events=False,
            )
            try:
                while batch := await watch.batch():
                    for event in batch:
                        self._see(event)
                    if self._chance.random() < 0.3:
                        await asyncio.sleep(self._chance.expovariate(1 / 3))
            finally:
                watch.close()

    def _listed(self, store: Store) -> dict[tuple[str, str], Object]:
        picked = self.selection
        found = store.list(
            picked.resource, picked.namespace, labels=picked.labels, fields=picked.fields
        )
        return {_name(obj): obj for obj in found}

    def _see(self, event: WatchEvent) -> None:
        require = self._world.witness.require
        if event.type == "ERROR":
            require(event.object["code"] == 410, f"a watch ended with {event.object}")
            self._version = 0
            return
        version = int(event.object["metadata"]["resourceVersion"])
        if event.type == "BOOKMARK":
            require(version >= self._version, f"{self.selection}: bookmark {version} of the past")
            self._version = version
            return
        self.events += 1
        name = _name(event.object)
        what = f"{self.selection.resource} {name} {event.type} at {version}"
        require(version > self._version, f"watcher at {self._version}: {what} comes again")
        known = name in self._copy
        require(known == (event.type != "ADDED"), f"watcher with {known=}: {what}")
        if event.type == "DELETED":
            self._copy.pop(name, None)
        else:
            self._copy[name] = event.object
        self._version = version

    def verify(self, store: Store) -> None:
        """Require the copy to be what a list gives."""
        listed = self._listed(store)
        for name in listed.keys() | self._copy.keys():
            self._world.witness.require(
                listed.get(name) == self._copy.get(name),
                f"{self.selection}: the watcher of {self._version} has another {name} than a list",
            )


def _name(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
