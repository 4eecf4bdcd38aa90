"""An idle cluster: time passes, and nothing has to be done for it."""

from __future__ import annotations

from typing import Any

import pytest

from actors import VirtualClock
from orchestrator import Cluster
from tests.embedded.kit import deployment, on_a_real_loop

YEAR = 365 * 86_400


@on_a_real_loop
async def test_a_year_in_which_nothing_happens_takes_a_few_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Heartbeats of simulated nodes are computed, and who sweeps rests until there is dust."""
    fired = []
    call_later = VirtualClock.call_later

    def counted(clock: VirtualClock, seconds: float, callback: Any, *args: Any) -> Any:
        def fire() -> None:
            fired.append(callback)
            callback(*args)

        return call_later(clock, seconds, fire)

    monkeypatch.setattr(VirtualClock, "call_later", counted)
    async with Cluster(nodes=20, listen=None) as cluster:
        await cluster.apply(deployment())
        await cluster.wait("deployment/web", "Available")
        await cluster.clock.advance(hours=3)
        assert await cluster.api.list("events") == []
        fired.clear()
        before = cluster.version
        await cluster.clock.advance(YEAR)
        assert len(fired) < 10
        assert cluster.version == before
        assert all(cluster.nodes[name].ready for name in cluster.nodes)


@on_a_real_loop
async def test_what_happens_after_a_long_rest_is_noticed_in_time() -> None:
    """Nodes that die or are cut off, Events that are old, also by a controller that began anew."""
    async with Cluster(nodes=3, listen=None) as cluster:
        await cluster.clock.advance(YEAR)
        await cluster.nodes["node-1"].crash()
        await cluster.clock.advance(45)
        assert "not ready" not in repr(cluster.nodes["node-1"])
        await cluster.clock.advance(10)
        assert "not ready" in repr(cluster.nodes["node-1"])
        cluster.faults.crash_controller("node-lifecycle")
        await cluster.clock.advance(minutes=30)
        await cluster.nodes["node-2"].partition()
        await cluster.clock.advance(55)
        assert "not ready" in repr(cluster.nodes["node-2"])
        await cluster.nodes["node-2"].heal()
        await cluster.nodes["node-1"].recover()
        await cluster.clock.advance(YEAR)
        assert all(cluster.nodes[name].ready for name in cluster.nodes)
        assert await cluster.api.list("events") == []
        await cluster.apply(deployment())
        await cluster.clock.advance(minutes=58)
        assert len(await cluster.api.list("events")) > 3
        await cluster.clock.advance(minutes=4)
        assert await cluster.api.list("events") == []
