"""A store to test with, objects to put into it, and a log that fails on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from actors import ActorSystem
from actors.log import Append, Appended, Conflict, EventLog, LogFull, MemoryLog, Record, Snapshot
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Object
from orchestrator.store import Store


@asynccontextmanager
async def opened(log: EventLog | None = None, **options: Any) -> AsyncIterator[Store]:
    """Open a store on a log, in memory unless told otherwise."""
    async with ActorSystem("test", seed=1) as system:
        yield await Store.open(system, log or MemoryLog(), registry("1.35"), **options)


def config_map(name: str, namespace: str = "default", **data: str) -> Object:
    """A ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


SPEC: dict[str, Any] = {"containers": [{"name": "web", "image": "web:1", "command": ["web"]}]}


def pod(name: str = "", *, labels: dict[str, str] | None = None, **spec: Any) -> Object:
    """A pod; without further fields its spec is one object for all."""
    metadata: dict[str, Any] = {"namespace": "default"}
    metadata |= {"name": name} if name else {"generateName": "web-"}
    if labels:
        metadata["labels"] = labels
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {**SPEC, **spec} if spec else SPEC,
    }


def service(name: str, **spec: Any) -> Object:
    """A Service with one port."""
    ports = spec.pop("ports", [{"port": 80}])
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"app": name}, "ports": ports, **spec},
    }


class FaultyLog:
    """A log in memory that can hold its appends back and refuse them."""

    def __init__(self) -> None:
        self.inner = MemoryLog()
        self.refuse = 0
        self.gate: asyncio.Event | None = None
        self.appends: list[int] = []

    @property
    def last_sequence(self) -> int:
        return self.inner.last_sequence

    @property
    def first_sequence(self) -> int:
        return self.inner.first_sequence

    async def append(self, batch: Sequence[Append]) -> list[Appended | Conflict]:
        self.appends.append(len(batch))
        if self.gate is not None:
            await self.gate.wait()
        if self.refuse:
            self.refuse -= 1
            raise LogFull("the disk is full")
        return await self.inner.append(batch)

    def read(self, after: int = 0, *, limit: int | None = None) -> AsyncIterator[list[Record]]:
        return self.inner.read(after, limit=limit)

    def subscribe(self, after: int) -> AsyncIterator[list[Record]]:
        return self.inner.subscribe(after)

    async def snapshot(self, sequence: int, entries: Iterable[tuple[str, int, bytes]]) -> None:
        await self.inner.snapshot(sequence, entries)

    async def load_snapshot(self) -> Snapshot | None:
        return await self.inner.load_snapshot()

    async def compact(self, before: int) -> None:
        await self.inner.compact(before)

    async def close(self) -> None:
        await self.inner.close()


class Kit:
    """What tests make things with."""

    opened = staticmethod(opened)
    config_map = staticmethod(config_map)
    pod = staticmethod(pod)
    service = staticmethod(service)
    FaultyLog = FaultyLog


@pytest.fixture
def kit() -> type[Kit]:
    """Builders, the store and the faulty log."""
    return Kit
