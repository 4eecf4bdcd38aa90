"""The leader election of `docs/examples/operators/election`, on a loop of virtual time.

What is expected is client-go's contract: https://pkg.go.dev/k8s.io/client-go/tools/leaderelection
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lightkube import ApiError

from actors.testing import virtual
from orchestrator import Cluster
from tests.operators.kit import EPOCH, client_by, example, since_epoch

STARTS = 0.5
"""The second of two is started so much later."""
BEGIN = 21.25
"""When tests begin. At 20 the leader renewed its lease, at 20.5 the other one saw that, and at 21
there was the last entry in the ledger."""


class Candidate:
    """One process that stands for election: an own copy of the program, an own connection."""

    def __init__(self, cluster: Cluster, socket: Path, name: str, skew: float = 0.0) -> None:
        self.exits = contextlib.ExitStack()
        self.program = self.exits.enter_context(example("election", f"election_{name}", "election"))
        self.exits.enter_context(cluster.clock.shown_to(self.program.__name__, skew=skew))
        self.client = client_by(socket, name)
        self.elector = self.program.Elector(self.client, name, self.program.Timing())
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self.elector.run(self.stop))

    def leads(self) -> bool:
        """Whether it takes itself for the leader."""
        return self.elector.term is not None

    async def kill(self) -> None:
        """End it as SIGKILL does: it says goodbye to nobody."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
        await self.client.close()
        self.exits.close()


@contextlib.asynccontextmanager
async def election(
    directory: Path, skew: float = 0.0
) -> AsyncIterator[tuple[Cluster, Candidate, Candidate]]:
    """Start a cluster and two candidates, of whom ``a`` leads; ``skew`` is of the clock of b."""
    socket = directory / "api.sock"
    async with Cluster(time="auto", nodes=0, listen=socket, epoch=EPOCH, seed=1) as cluster:
        a = Candidate(cluster, socket, "a")
        await asyncio.sleep(STARTS)
        b = Candidate(cluster, socket, "b", skew)
        await asyncio.sleep(BEGIN - STARTS)
        assert (a.leads(), b.leads()) == (True, False)
        try:
            yield cluster, a, b
        finally:
            await a.kill()
            await b.kill()


def terms(cluster: Cluster) -> list[tuple[float, str, int]]:
    """Return who led from when in which term, by the Lease's history."""
    found: list[tuple[float, str, int]] = []
    for revision in cluster.history("lease/ledger"):
        spec = revision.object["spec"]
        term = (spec["holderIdentity"], spec["leaseTransitions"])
        if not found or found[-1][1:] != term:
            found.append((since_epoch(revision.time), *term))
    return found


async def lines(cluster: Cluster) -> list[str]:
    """Return who has written into the ledger, in order."""
    ledger = await cluster.api.get("configmap", "ledger")
    written: list[str] = ledger["data"]["lines"].split()
    return written


async def check_successor_of_the_dead(directory: Path, skew: float) -> None:
    """Kill the leader, and say when the other one has to follow."""
    async with election(directory, skew) as (cluster, a, b):
        await a.kill()
        await asyncio.sleep(36.4 - BEGIN)
        assert not b.leads()  # at 34.5 its attempt came a second too early
        await asyncio.sleep(0.2)
        assert b.leads()
        assert terms(cluster) == [(0, "a", 0), (36.5, "b", 1)]
        await asyncio.sleep(10)
        assert await lines(cluster) == ["a"] * 22 + ["b"] * 11


@virtual
async def test_the_other_one_follows_when_the_lease_of_the_dead_is_over(tmp_path: Path) -> None:
    """At its first attempt that has seen the Lease unchanged for fifteen seconds."""
    await check_successor_of_the_dead(tmp_path, skew=0.0)


@virtual
async def test_clocks_that_disagree_make_no_second_leader(tmp_path: Path) -> None:
    """One that goes ten minutes ahead takes nothing over early, nor one that goes behind late."""
    for number, skew in enumerate((600.0, -600.0)):
        (directory := tmp_path / str(number)).mkdir()
        await check_successor_of_the_dead(directory, skew)


@virtual
async def test_one_that_goes_in_peace_leaves_the_lead_at_once(tmp_path: Path) -> None:
    """It releases the Lease; the other one has it at its next attempt."""
    async with election(tmp_path) as (cluster, a, b):
        a.stop.set()
        await a.task
        await asyncio.sleep(2)
        assert b.leads()
        assert terms(cluster) == [(0, "a", 0), (BEGIN, "", 0), (22.5, "b", 1)]


@virtual
async def test_one_that_is_cut_off_gives_up_before_another_begins(tmp_path: Path) -> None:
    """After ten seconds without a renewal, where the other one waits for fifteen."""
    async with election(tmp_path) as (cluster, a, b):
        with cluster.faults.api(user_agent="a", error="reset"):
            await asyncio.sleep(29.9 - BEGIN)
            assert (a.leads(), b.leads()) == (True, False)
            await asyncio.sleep(0.2)
            assert (a.leads(), b.leads()) == (False, False)
            await asyncio.sleep(10)
            assert (a.leads(), b.leads()) == (False, True)
        await asyncio.sleep(60)
        assert (a.leads(), b.leads()) == (False, True)
        assert [term[1:] for term in terms(cluster)] == [("a", 0), ("b", 1)]


@virtual
async def test_a_conflict_costs_an_attempt_and_not_the_lead(tmp_path: Path) -> None:
    """Renewals that are refused are made again two seconds later."""
    async with election(tmp_path) as (cluster, a, b):
        with cluster.faults.api(verb="update", kind="leases", error=409, times=3) as conflict:
            await asyncio.sleep(60)
        assert conflict.hits == 3
        assert (a.leads(), b.leads()) == (True, False)
        assert terms(cluster) == [(0, "a", 0)]


@virtual
async def test_what_a_former_leader_still_has_under_way_is_fenced_off(tmp_path: Path) -> None:
    """An entry that was on its way when the next term began, and one that is made after it."""
    async with election(tmp_path) as (cluster, a, b):
        former = a.program.Ledger(a.client, term=0)
        slow = cluster.faults.api(user_agent="a", verb="update", kind="configmaps", latency=9)
        with cluster.faults.api(user_agent="a", kind="leases", error="reset"), slow:
            await asyncio.sleep(30 - BEGIN)
            late = asyncio.create_task(former.enter("late"))  # read now, written at 39
            await asyncio.sleep(20)
        assert b.leads()
        with pytest.raises(ApiError, match="the object has been modified"):
            await late
        with pytest.raises(a.program.Replaced, match="term 0 is over, 1 writes"):
            await former.enter("later")
        written = await lines(cluster)
        assert set(written[written.index("b") :]) == {"b"}
        assert "late" not in written
