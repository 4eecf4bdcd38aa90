"""Whole clusters under a workload and faults, each drawn from one seed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.scheduler.core import class_index
from orchestrator.scheduler.core.demands import Demands
from orchestrator.scheduler.core.judging import INFEASIBLE
from tests.simulation import world
from tests.simulation.disks import Disk, Mount
from tests.simulation.faults import Profile
from tests.simulation.world import simulate, verify

CALM = Profile(disruptions=False, kinds=())
FEW = 40
"""Steps where the point is not in the events."""


@pytest.mark.simulation
def test_a_cluster_keeps_its_promises_whatever_happens(seeds: list[int], steps: int) -> None:
    """Invariants hold at every event, and the desired state is reached when faults end."""
    for seed in seeds:
        verify(simulate(seed, steps))


def test_one_seed_gives_one_history() -> None:
    """Every event with all its content repeats, crashes and restarts included."""
    everything = Profile(disruptions=True, kinds=("actor", "crash", "disk", "node", "slow"))
    first, second = (simulate(5, FEW, everything) for _ in range(2))
    assert first.history == second.history
    assert first.acknowledged == second.acknowledged


def test_different_seeds_give_different_histories() -> None:
    """Otherwise thousands of seeds would try one thing."""
    assert simulate(1, FEW, CALM).history != simulate(2, FEW, CALM).history


def test_a_history_does_not_depend_on_the_process() -> None:
    """Neither on the seed of string hashes nor on addresses of objects."""
    command = [sys.executable, "-m", "tests.simulation.run", "--seed", "16", "--steps", str(FEW)]
    root = Path(__file__).parents[2]
    told = [
        subprocess.run(
            command,
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for salt in ("1", "2")
    ]
    assert told[0] == told[1]
    assert simulate(16, FEW).trace in told[0]


def failures_of_few(steps: int) -> Iterator[str]:
    """Yield what goes wrong in some calm lives; not each has all that a fault takes."""
    for seed in range(3, 13):  # in the second a pod that is refused for ever makes a storm
        yield from simulate(seed, steps, CALM).failures


def test_a_scheduler_that_overcommits_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks bite: a broken filter does not go unseen."""
    monkeypatch.setattr(
        class_index, "make_rating", lambda *_: lambda node: 0 if node.index == 0 else INFEASIBLE
    )
    monkeypatch.setattr(world, "CAPACITY", {"cpu": "500m", "memory": "8Gi", "pods": "3"})
    monkeypatch.setattr(world, "CONVERGES_WITHIN", 0.0)
    assert any("bound, room for" in failure for failure in failures_of_few(FEW))


def test_a_scheduler_that_puts_pods_together_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Required anti-affinity that nobody heeds does not go unseen."""
    monkeypatch.setattr(Demands, "admits", lambda *_: True)
    monkeypatch.setattr(Demands, "locate", Demands.place_of)
    monkeypatch.setattr(
        class_index, "make_rating", lambda *_: lambda node: 0 if node.index == 0 else INFEASIBLE
    )
    monkeypatch.setattr(world, "CONVERGES_WITHIN", 0.0)
    assert any("was bound to" in failure for failure in failures_of_few(2 * FEW))


def test_a_disk_that_forgets_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """An acknowledged write that a crash loses is missed after the restart."""
    cut = Mount.cut

    def forget(mount: Mount) -> None:
        cut(mount)
        disk: Any = mount.disk
        assert isinstance(disk, Disk)
        disk._keys.pop()
        disk._data.pop()
        disk._last -= 1

    monkeypatch.setattr(Mount, "cut", forget)
    report = simulate(1, FEW, Profile(disruptions=False, kinds=("crash",)))
    assert report.lives > 1
    assert any("after a restart" in failure for failure in report.failures)
