"""The kr8s controller of `docs/examples/operators/nightshift`, on an ordinary loop.

It takes the time from a clock that it is given, which here is the cluster's; all else is as its
users run it, kubeconfig and connections included. Days pass as fast as it does its work.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import kr8s
import pytest
import yaml
from kr8s._api import Api

from orchestrator import Cluster
from tests.embedded.kit import on_a_real_loop
from tests.operators.kit import EPOCH, EXAMPLES, example, running, since_epoch

HOUR = 3600.0
NOON = EPOCH + 11 * HOUR
"""In Berlin, in winter."""


def shop(**annotations: str) -> Any:
    """Return the example's Deployment."""
    found = yaml.safe_load((EXAMPLES / "nightshift" / "shop.yaml").read_text())
    found["metadata"]["annotations"] |= annotations
    return found


@contextlib.asynccontextmanager
async def nightshift(epoch: float = NOON) -> AsyncIterator[Cluster]:
    """Start a cluster and the controller."""
    Api._instances.clear()  # it keeps clients by the loop's address in memory
    with example("nightshift", "nightshift") as program:
        # It acts at once on what it is told; what gathers events for a moment needs the default.
        async with Cluster(epoch=epoch, seed=1, client_grace=0.05) as cluster:
            api = await kr8s.asyncio.api(kubeconfig=str(cluster.kubeconfig))
            async with running(program.Nightshift(api, cluster.clock).run()):
                await cluster.watched("deployments")
                yield cluster
            await api._session.aclose()  # which it leaves to the collector


def scales(cluster: Cluster) -> list[tuple[float, int]]:
    """Return when the Deployment was scaled, in hours since the beginning, and to how many."""
    found: list[tuple[float, int]] = []
    for revision in cluster.history("deployment/shop"):
        replicas = revision.object["spec"]["replicas"]
        if not found or found[-1][1] != replicas:
            found.append((since_epoch(revision.time) / HOUR, replicas))
    return found


@on_a_real_loop
async def test_a_deployment_sleeps_at_night(capsys: pytest.CaptureFixture[str]) -> None:
    """From eight in the evening to eight in the morning, by Berlin's clocks, day after day."""
    async with nightshift() as cluster:
        await cluster.apply(shop())
        await cluster.wait("deployment/shop", "Available")
        await cluster.clock.advance(days=2)
        assert scales(cluster) == [(11, 3), (19, 0), (31, 3), (43, 0), (55, 3)]
        await cluster.wait("deployment/shop", lambda obj: obj["status"]["readyReplicas"] == 3)
    assert capsys.readouterr().out == ""


@on_a_real_loop
async def test_summer_time_moves_the_night(capsys: pytest.CaptureFixture[str]) -> None:
    """On 29 March 2026 Berlin's clocks go forward: the next morning is an hour earlier in UTC."""
    saturday = dt.datetime(2026, 3, 28, 12, tzinfo=dt.UTC).timestamp()
    async with nightshift(saturday) as cluster:
        await cluster.apply(shop())
        await cluster.clock.advance(days=1, hours=12)
        # 20:00 is 19:00 UTC on Saturday; 8:00 and 20:00 are 6:00 and 18:00 UTC on Sunday.
        begin = (saturday - EPOCH) / HOUR
        moments = [hours - begin for hours, _ in scales(cluster)]
        assert moments == [0, 7, 18, 30]
    assert capsys.readouterr().out == ""


@on_a_real_loop
async def test_a_refused_change_is_made_five_seconds_later(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """After a conflict it looks again before it writes."""
    async with nightshift() as cluster:
        await cluster.apply(shop())
        await cluster.wait("deployment/shop", "Available")
        with cluster.faults.api(verb="patch", kind="deployments", error=409, times=2) as conflict:
            await cluster.clock.advance(hours=9)
        assert conflict.hits == 2
        assert scales(cluster) == [(11, 3), (19 + 10 / HOUR, 0)]
    assert capsys.readouterr().out.count("shop: ") == 2


@on_a_real_loop
async def test_a_cut_watch_costs_nobody_sleep() -> None:
    """What came, changed and went meanwhile is seen to when it watches again."""
    async with nightshift() as cluster:
        await cluster.apply(shop())
        await cluster.wait("deployment/shop", "Available")
        with cluster.faults.api(kind="deployments", drop_watch=True, times=1) as cut:
            await cluster.api.patch(
                "deployment",
                "shop",
                {"metadata": {"annotations": {"nightshift.example.com/hours": "08:00-18:00"}}},
            )
            await cluster.clock.advance(hours=3)
        assert cut.hits == 1
        await cluster.clock.advance(hours=5)
        assert scales(cluster) == [(11, 3), (17, 0)]


@on_a_real_loop
async def test_who_scales_up_at_night_meant_it() -> None:
    """It stays so until morning, and in the morning is not overwritten."""
    async with nightshift() as cluster:
        await cluster.apply(shop())
        await cluster.clock.advance(hours=9)
        await cluster.api.scale("deployment", "shop", 5)
        await cluster.clock.advance(hours=24)
        assert scales(cluster) == [(11, 3), (19, 0), (20, 5), (43, 0)]


@on_a_real_loop
async def test_hours_that_cannot_be_read_are_told_and_kept_by_nobody(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And once they are corrected they count."""
    async with nightshift() as cluster:
        await cluster.apply(shop(**{"nightshift.example.com/hours": "late"}))
        await cluster.clock.advance(hours=9)
        assert scales(cluster) == [(11, 3)]
        assert "shop: cannot read its hours" in capsys.readouterr().out
        await cluster.apply(shop())
        await cluster.clock.advance(minutes=1)
        assert scales(cluster) == [(11, 3), (20, 0)]
