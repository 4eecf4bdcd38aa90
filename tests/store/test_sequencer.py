"""Group commit: what is seen when, and what a failed commit takes with it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.log import MemoryLog
from actors.testing import virtual
from orchestrator.resources.errors import StatusError
from orchestrator.store import Create, Modify
from orchestrator.store.sequencer import Sequencer


@virtual
async def test_readers_see_only_what_is_durable(kit: Any) -> None:
    """While the log writes, the object is not there; nor is it announced."""
    log = kit.FaultyLog()
    async with kit.opened(log) as store:
        log.gate = asyncio.Event()
        told = []
        store.follow(["configmaps"], lambda: told.append(True))
        writing = asyncio.create_task(
            store.create(kit.config_map("a"), resource="configmaps", namespace="default")
        )
        await asyncio.sleep(1)
        assert store.get("configmaps", "default", "a") is None
        assert not told
        assert store.statistics().pending == 1
        log.gate.set()
        await writing
        assert store.get("configmaps", "default", "a") is not None
        assert told
        assert store.statistics().pending == 0


@virtual
async def test_a_later_proposal_sees_an_earlier_one_that_is_not_durable_yet(kit: Any) -> None:
    """It builds on it; a second create of the name is refused, but only once the first is in."""
    log = kit.FaultyLog()
    async with kit.opened(log) as store:
        log.gate = asyncio.Event()
        first = asyncio.create_task(store.write([Create("configmaps", kit.config_map("a", n="1"))]))
        await asyncio.sleep(1)
        change = Modify(
            "configmaps", "default", "a", lambda o: {**o, "data": {"n": o["data"]["n"] + "2"}}
        )
        second = asyncio.create_task(store.write([change]))
        third = asyncio.create_task(store.write([Create("configmaps", kit.config_map("a"))]))
        await asyncio.sleep(1)
        assert not any(task.done() for task in (first, second, third))
        log.gate.set()
        await asyncio.gather(first, second, third)
        assert store.get("configmaps", "default", "a")["data"] == {"n": "12"}
        assert third.result()[0].reason == "AlreadyExists"


@virtual
async def test_concurrent_proposals_share_a_commit(kit: Any) -> None:
    """What queued while the log was writing goes out together."""
    log = kit.FaultyLog()
    async with kit.opened(log) as store:
        before = len(log.appends)
        log.gate = asyncio.Event()
        tasks = [
            asyncio.create_task(store.write([Create("configmaps", kit.config_map(f"c{n}"))]))
            for n in range(50)
        ]
        await asyncio.sleep(1)
        log.gate.set()
        await asyncio.gather(*tasks)
        assert sum(log.appends[before:]) == 50
        assert len(log.appends) - before <= 3


@virtual
async def test_what_comes_while_one_commit_is_written_waits_for_one_flush_only(kit: Any) -> None:
    """However many turns it comes in, it goes out as the next commit."""
    log = kit.FaultyLog()
    async with kit.opened(log) as store:
        before = len(log.appends)
        log.gate = asyncio.Event()
        tasks = []
        for n in range(5):
            creation = store.create(
                kit.config_map(f"c{n}"), resource="configmaps", namespace="default"
            )
            tasks.append(asyncio.create_task(creation))
            await asyncio.sleep(1)
        assert store.statistics().mailbox.queue_length == 0
        log.gate.set()
        await asyncio.gather(*tasks)
        assert log.appends[before:] == [1, 4]


@virtual
async def test_a_failed_commit_fails_all_that_was_built_on_it(kit: Any) -> None:
    """Nothing of it remains, and the next write starts from what is durable."""
    log = kit.FaultyLog()
    async with kit.opened(log) as store:
        before = store.sequence
        log.gate, log.refuse = asyncio.Event(), 1
        first = asyncio.create_task(store.write([Create("services", kit.service("a"))]))
        await asyncio.sleep(1)
        change = Modify("services", "default", "a", lambda o: {**o, "status": {"x": 1}}, "status")
        second = asyncio.create_task(store.write([change]))
        await asyncio.sleep(1)
        log.gate.set()
        failed = await asyncio.gather(first, second, return_exceptions=True)
        assert [error.code for error in failed if isinstance(error, StatusError)] == [503, 503]
        assert store.sequence == before
        assert store.list("services") == []
        made = await store.create(kit.service("b"), resource="services", namespace="default")
        assert int(made["metadata"]["resourceVersion"]) == before + 1
        assert made["spec"]["clusterIP"].startswith("127.96.")


@virtual
async def test_a_write_after_a_failed_commit_is_not_failed_with_it(kit: Any) -> None:
    """Only what was decided before the failure is void."""
    log = kit.FaultyLog()
    async with kit.opened(log) as store:
        log.refuse = 1
        with pytest.raises(StatusError) as refused:
            await store.create(kit.config_map("a"), resource="configmaps", namespace="default")
        assert refused.value.code == 503
        await store.create(kit.config_map("a"), resource="configmaps", namespace="default")


@virtual
async def test_a_full_sequencer_answers_429(kit: Any) -> None:
    """With the seconds after which to try again."""
    log = kit.FaultyLog()
    async with kit.opened(log) as store:
        log.gate = asyncio.Event()
        tasks = [
            asyncio.create_task(store.write([Create("configmaps", kit.config_map(f"c{n}"))]))
            for n in range(6000)
        ]
        await asyncio.sleep(1)
        refused = [task for task in tasks if task.done()]
        assert refused
        error = refused[0].exception()
        assert isinstance(error, StatusError)
        assert (error.code, error.reason) == (429, "TooManyRequests")
        assert error.details == {"retryAfterSeconds": 1}
        log.gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        written = [result for result in results if isinstance(result, list)]
        assert len(store.list("configmaps", "default")) == len(written) == 6000 - len(refused)


@virtual
async def test_a_change_that_raises_fails_alone(kit: Any) -> None:
    """A bug in one proposal is that proposal's 500."""
    async with kit.opened() as store:
        await store.create(kit.config_map("a"), resource="configmaps", namespace="default")
        results = await store.write(
            [
                Modify("configmaps", "default", "a", lambda obj: obj["no such part"]),
                Create("configmaps", kit.config_map("b")),
            ]
        )
        assert isinstance(results[0], StatusError)
        assert results[0].code == 500
        assert store.get("configmaps", "default", "b") is not None


@virtual
async def test_many_racing_changes_all_count(kit: Any) -> None:
    """A user's change that lost a race is applied again to the newer object."""
    async with kit.opened() as store:
        await store.create(kit.config_map("a", n="0"), resource="configmaps", namespace="default")

        def increment(obj: Any) -> Any:
            return {**obj, "data": {"n": str(int(obj["data"]["n"]) + 1)}}

        await asyncio.gather(
            *(store.modify("configmaps", "default", "a", increment) for _ in range(50))
        )
        assert store.get("configmaps", "default", "a")["data"] == {"n": "50"}


def test_more_writes_than_fit_are_told_to_come_again(
    kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """429 with the seconds to wait; what was accepted is done, and the store goes on."""

    @virtual
    async def scenario() -> None:
        monkeypatch.setattr(Sequencer, "mailbox_limit", 16)
        async with kit.opened(MemoryLog()) as store:
            results = await asyncio.gather(
                *(store.write([Create("configmaps", kit.config_map(f"c{n}"))]) for n in range(100)),
                return_exceptions=True,
            )
            refused = [result for result in results if isinstance(result, StatusError)]
            assert {(error.code, error.reason) for error in refused} == {(429, "TooManyRequests")}
            assert refused[0].status()["details"] == {"retryAfterSeconds": 1}
            assert len(store.list("configmaps")) == 100 - len(refused) > 0
            await store.write([Create("configmaps", kit.config_map("later"))])

    scenario()


@virtual
async def test_a_store_that_has_stopped_says_that_a_write_may_have_happened(kit: Any) -> None:
    """503: whoever writes then is a client of a server that is going away."""
    async with kit.opened() as store:
        pass
    with pytest.raises(StatusError, match="the store has stopped; the write may have") as caught:
        await store.create(kit.config_map("a"), resource="configmaps", namespace="default")
    assert caught.value.code == 503
