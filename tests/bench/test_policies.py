"""Policies with plugins of one's own."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from orchestrator.bench.failures import UserError
from orchestrator.bench.policies import PolicyError, load_policies
from orchestrator.scheduler.extending import NodeView, Plugin, PodView, filter_plugin, score_plugin
from tests.bench.clusters import node, pod


@filter_plugin("Alone")
def alone(pod: PodView, node: NodeView) -> bool:
    """One pod of a name's first letter on a node."""
    return all(other.name[0] != pod.name[0] for other in node.pods)


@score_plugin("First")
def first(pod: PodView, node: NodeView) -> int:
    """Earlier letters are better."""
    del pod
    return ord("z") - ord(node.name)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution that brings the plugins along."""
    plugins: dict[str, type[Plugin]] = {"Alone": alone, "First": first}
    monkeypatch.setattr(EntryPoint, "load", lambda self: plugins[self.name])
    points = [EntryPoint(name, "somewhere:else", "") for name in plugins]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: points)


def policy_file(directory: Path, profile: dict[str, Any]) -> str:
    """Write a policy."""
    path = directory / "mine.yaml"
    head = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}
    path.write_text(json.dumps({**head, "profiles": [profile]}))
    return str(path)


@pytest.mark.usefixtures("installed")
def test_a_policy_may_name_installed_plugins(tmp_path: Path) -> None:
    """They decide as in a cluster, and see pods and nodes as there."""
    scores = [{"name": "First", "weight": 50}]
    plugins = {"filter": {"enabled": [{"name": "Alone"}]}, "score": {"enabled": scores}}
    (policy,) = load_policies([policy_file(tmp_path, {"plugins": plugins})])
    simulation = policy.simulate(1)
    for name in "cab":
        simulation.put_node(node(name))
    for name in ("x1", "x2", "y1", "x3", "x4"):
        simulation.submit(name, pod(name, cpu="100m"))
    placed = {change.uid: change.node for change in simulation.schedule(0.0)}
    assert placed == {"x1": "a", "x2": "b", "y1": "a", "x3": "c"}
    assert "3 node(s) didn't satisfy plugin Alone" in simulation.refusal("x4")
    simulation.withdraw("x2")
    assert [change.uid for change in simulation.schedule(10.0)] == ["x4"]


@pytest.mark.usefixtures("installed")
def test_a_plugin_that_fails_is_named(tmp_path: Path) -> None:
    """With the pod."""
    plugins = {"score": {"enabled": [{"name": "First"}]}}
    (policy,) = load_policies([policy_file(tmp_path, {"plugins": plugins})])
    simulation = policy.simulate(1)
    for name in ("node-1", "node-2"):
        simulation.put_node(node(name))
    with pytest.raises(UserError, match='pod x: running Score plugin "First": ord'):
        simulation.place_best("uid", pod("x"))


def test_what_a_simulation_does_not_play_is_refused(tmp_path: Path) -> None:
    """Gangs would wait for permits that nobody asks for."""
    plugins = {"multiPoint": {"enabled": [{"name": "Coscheduling"}]}}
    with pytest.raises(PolicyError, match="Coscheduling takes part after a node is chosen"):
        load_policies([policy_file(tmp_path, {"plugins": plugins})])
