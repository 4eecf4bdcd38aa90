"""The log is the cluster: what a restart finds, also in the middle of things."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from actors.log import MemoryLog, SqliteLog
from actors.testing import virtual
from orchestrator.store import CompactionPolicy, Create, Delete, Expired, Modify, Store


def state(store: Store) -> dict[Any, Any]:
    """Every object by resource and name."""
    return {
        (resource, obj["metadata"].get("namespace"), obj["metadata"]["name"]): obj
        for resource in ("namespaces", "configmaps", "pods", "services")
        for obj in store.list(resource)
    }


def numbered(n: int, obj: Any) -> Any:
    """Another change each time."""
    return {**obj, "data": {"n": str(n)}}


async def fill(store: Store, kit: Any) -> None:
    """Creates, changes and deletions."""
    await store.write([Create("pods", kit.pod(f"p{n}")) for n in range(20)])
    await store.write([Create("configmaps", kit.config_map(f"c{n}", v="1")) for n in range(20)])
    await store.write([Create("services", kit.service("s"))])
    await store.write(
        [
            Modify("configmaps", "default", "c1", lambda obj: {**obj, "data": {"w": "2"}}),
            Modify(
                "pods", "default", "p1", lambda o: {**o, "status": {"phase": "Running"}}, "status"
            ),
            Delete("configmaps", "default", "c2"),
            Delete("configmaps", "default", "c3"),
            Create("configmaps", kit.config_map("c3", again="yes")),
        ]
    )


async def test_a_restart_finds_everything_as_it_was(kit: Any, tmp_path: Path) -> None:
    """Objects, versions, uids; and pods of one template share their spec again."""
    log = await SqliteLog.open(tmp_path / "log")
    async with kit.opened(log) as store:
        await fill(store, kit)
        before, sequence = state(store), store.sequence
    await log.close()
    log = await SqliteLog.open(tmp_path / "log")
    async with kit.opened(log) as store:
        assert state(store) == before
        assert store.sequence == sequence
        first, second = (store.get("pods", "default", name) for name in ("p1", "p2"))
        assert first["spec"] is second["spec"]
    await log.close()


async def test_a_watch_goes_on_across_a_restart(kit: Any, tmp_path: Path) -> None:
    """Every later event, once, in order, with the objects as they were told before."""
    log = await SqliteLog.open(tmp_path / "log")
    async with kit.opened(log) as store:
        since = store.sequence
        follower = store.follow(["configmaps", "pods"], lambda: None)
        await fill(store, kit)
        told = follower.take()
    await log.close()
    log = await SqliteLog.open(tmp_path / "log")
    async with kit.opened(log) as store:
        again = store.follow(["configmaps", "pods"], lambda: None, after=since).take()
    await log.close()
    assert [(e.sequence, e.type, e.key, e.object, e.previous) for e in again] == [
        (e.sequence, e.type, e.key, e.object, e.previous) for e in told
    ]


async def test_compaction_keeps_the_state_and_bounds_the_log(kit: Any, tmp_path: Path) -> None:
    """A restart from snapshot and tail finds the same; versions before the snapshot are gone."""
    log = await SqliteLog.open(tmp_path / "log")
    async with kit.opened(log) as store:
        await fill(store, kit)
        since = store.sequence
        await asyncio.gather(
            store.compact(),
            *(store.write([Create("configmaps", kit.config_map(f"d{n}"))]) for n in range(20)),
        )
        await store.write([Delete("pods", "default", "p3")])
        # What was in memory stays for those who watch now.
        assert store.follow(["configmaps"], lambda: None, after=5).take()
        before = state(store)
        assert log.first_sequence > 1
    await log.close()
    log = await SqliteLog.open(tmp_path / "log")
    async with kit.opened(log) as store:
        assert state(store) == before
        with pytest.raises(Expired):
            store.follow(["configmaps"], lambda: None, after=5)
        assert store.statistics().oldest >= since
        await store.write([Create("configmaps", kit.config_map("after"))])
    await log.close()


@virtual
async def test_the_log_is_compacted_when_it_has_grown(kit: Any) -> None:
    """By the housekeeper, while nobody asks."""
    log = MemoryLog()
    async with kit.opened(log, compaction=CompactionPolicy(records=100, factor=2)) as store:
        await store.write([Create("configmaps", kit.config_map("a"))])
        for n in range(150):
            await store.modify("configmaps", "default", "a", partial(numbered, n))
        assert log.first_sequence == 1
        await asyncio.sleep(61)
        assert log.first_sequence == store.sequence + 1
        assert store.statistics().snapshot == store.sequence
    async with kit.opened(log) as store:
        assert store.get("configmaps", "default", "a")["data"] == {"n": "149"}


@virtual
async def test_a_few_large_records_are_compacted_too(kit: Any) -> None:
    """The file is bounded by its bytes; a restart counts those it finds."""
    log = MemoryLog()
    policy = CompactionPolicy(size=100_000, factor=2)
    async with kit.opened(log, compaction=policy) as store:
        await store.write([Create("configmaps", kit.config_map("a", text="x" * 30_000))])
        for n in range(2):
            await store.modify("configmaps", "default", "a", partial(numbered, n))
        large = [Create("configmaps", kit.config_map(f"b{n}", text="x" * 30_000)) for n in range(2)]
        await store.write(large)
        await asyncio.sleep(61)
        assert log.first_sequence == 1
    async with kit.opened(log, compaction=policy) as store:
        await store.write([Create("configmaps", kit.config_map("c", text="x" * 30_000))])
        await asyncio.sleep(61)
        assert log.first_sequence == store.sequence + 1
        await store.write([Create("configmaps", kit.config_map("d", text="x" * 110_000))])
        await asyncio.sleep(61)
        assert log.first_sequence <= store.sequence, "the snapshot has as much"


@virtual
async def test_a_write_that_failed_is_not_there_after_a_restart(kit: Any) -> None:
    """Nor anything that was built on it."""
    log = kit.FaultyLog()
    async with kit.opened(log) as store:
        log.refuse = 1
        results = await asyncio.gather(
            store.write([Create("configmaps", kit.config_map("a"))]),
            store.write([Create("configmaps", kit.config_map("b"))]),
            return_exceptions=True,
        )
        assert all(isinstance(result, Exception) for result in results)
        await store.write([Create("configmaps", kit.config_map("c"))])
    async with kit.opened(log.inner) as store:
        assert [obj["metadata"]["name"] for obj in store.list("configmaps")] == ["c"]
