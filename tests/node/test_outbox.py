"""The outbox: coalescing, one write at a time, and what is repeated."""

from __future__ import annotations

from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.node import simulated_node
from orchestrator.node.outbox import BATCH, Outbox, Proposal, failed_for_now, plan_write
from orchestrator.resources.errors import (
    StatusError,
    not_found,
    service_unavailable,
    too_many_requests,
)
from orchestrator.store import Delete, Modify


def proposal(uid: str, *, delete: bool = False, mark: str = "") -> Proposal:
    """Propose a status for a pod."""
    return Proposal(uid, "default", f"pod-{uid}", {"phase": mark}, None, delete)


def test_the_newest_proposal_of_a_pod_replaces_the_one_that_waits() -> None:
    """Written in the order in which the pods first spoke."""
    told: list[int] = []
    outbox = Outbox(lambda: told.append(1))
    for uid, mark in (("a", "1"), ("b", "1"), ("a", "2")):
        outbox.put(proposal(uid, mark=mark))
    assert told == [1]
    assert outbox.take() == [proposal("a", mark="2"), proposal("b", mark="1")]


def test_one_write_is_under_way_at_a_time() -> None:
    """What comes meanwhile waits for its end."""
    outbox = Outbox(lambda: None)
    outbox.put(proposal("a"))
    assert len(outbox.take()) == 1
    outbox.put(proposal("b"))
    assert outbox.take() == []
    assert outbox.is_pending("a")
    assert outbox.done()
    assert not outbox.is_pending("a")
    assert outbox.take() == [proposal("b")]
    assert not outbox.done()


def test_a_failed_proposal_gives_way_to_a_newer_one() -> None:
    """An old status must not overwrite a new one."""
    outbox = Outbox(lambda: None)
    outbox.put(proposal("a", mark="old"))
    flying = outbox.take()
    outbox.put(proposal("a", mark="new"))
    assert outbox.done(flying)
    assert outbox.take() == [proposal("a", mark="new")]


def test_batches_are_bounded() -> None:
    """The rest is the next write."""
    outbox = Outbox(lambda: None)
    for number in range(BATCH + 3):
        outbox.put(proposal(str(number)))
    assert len(outbox.take()) == BATCH
    outbox.done()
    assert len(outbox.take()) == 3


def test_the_status_is_written_before_the_pod_is_removed() -> None:
    """Watchers see how it ended."""
    operations = plan_write([proposal("a", delete=True), proposal("b")])
    assert [type(item) for item in operations] == [Modify, Delete, Modify]
    removal = operations[1]
    assert isinstance(removal, Delete)
    assert (removal.options.grace_period_seconds, removal.options.uid) == (0, "a")


@pytest.mark.parametrize(
    ("error", "repeated"),
    [
        (not_found("pods", "x"), False),
        (too_many_requests("later"), True),
        (service_unavailable("later"), True),
    ],
)
def test_only_passing_failures_are_repeated(error: StatusError, repeated: bool) -> None:
    """A pod that is gone needs no status."""
    proposals = [proposal("a"), proposal("b", delete=True), proposal("c")]
    results: list[Any] = [{}, {}, error, {}]
    assert failed_for_now(proposals, results) == ([proposals[1]] if repeated else [])


def test_statuses_survive_a_store_that_fails_for_a_while(clusters: Any, simulated: Any) -> None:
    """They are written when it works again."""

    @virtual
    async def scenario() -> None:
        async with clusters(simulated(), [simulated_node(1)]) as cluster:
            write, failures = cluster.store.write, [3]

            async def failing(operations: Any, **options: Any) -> Any:
                if failures[0]:
                    failures[0] -= 1
                    raise service_unavailable("the disk is full")
                return await write(operations, **options)

            cluster.store.write = failing
            await cluster.run("web")
            await cluster.until_running("web")
            assert failures == [0]

    scenario()
