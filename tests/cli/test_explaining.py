"""``orchestrator explain-scheduling`` on a dump."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from orchestrator.api.serving import ServedCluster, ServingConfig
from orchestrator.cli import app as commands
from orchestrator.cluster import BareCluster, ClusterConfig
from tests.bench.clusters import dump, node, pod


def explain(*words: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(commands.app, ["explain-scheduling", *words])


@pytest.fixture
def cluster(tmp_path: Path) -> str:
    """Three nodes: one nearly full, one tainted, one free."""
    taints = [{"key": "gpu", "effect": "NoSchedule"}]
    path = dump(
        tmp_path,
        node("full"), node("tainted", taints=taints), node("free"),
        pod("old", "full", cpu="3500m"), pod("new"),
    )  # fmt: skip
    return str(path)


def test_every_node_gets_a_verdict_and_every_plugin_a_score(cluster: str) -> None:
    """In tables that are aligned."""
    result = explain("new", "-n", "team", "--kubeconfig", cluster)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == (
        "team/new (default-scheduler): 1 of 3 nodes are feasible; it would go to free"
    )
    assert lines[2].split()[:4] == ["NODE", "TOTAL", "TaintToleration*3", "NodeAffinity*2"]
    assert lines[3].split()[0] == "free"
    assert "0 > 100" in lines[3]
    assert lines[5:] == [
        "NODE     PLUGIN            REASON",
        "full     NodeResourcesFit  Insufficient cpu",
        "tainted  TaintToleration   node(s) had untolerated taint(s)",
    ]


def test_pods_of_one_service_are_seen_to_belong_together(tmp_path: Path) -> None:
    """The default spread constraints count them, as they do in the scheduler."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "team", "uid": "service"},
        "spec": {"selector": {"app": "web"}},
    }
    old, new, other = pod("old", "one"), pod("new"), pod("other", "two")
    for each in (old, new):
        each["metadata"]["labels"] = {"app": "web"}
    path = dump(tmp_path, node("one"), node("two"), old, new, other, service)
    told = json.loads(explain("new", "-n", "team", "--kubeconfig", str(path), "--json").stdout)
    assert told["best"] == ["two"]


def test_json_has_it_all(cluster: str) -> None:
    """For programs."""
    result = explain("new", "-n", "team", "--kubeconfig", cluster, "--json")
    told = json.loads(result.stdout)
    assert told["pod"] == "team/new"
    assert told["best"] == ["free"]
    assert [one["name"] for one in told["nodes"]] == ["free", "full", "tainted"]
    assert told["nodes"][0]["total"] == sum(one["weighted"] for one in told["nodes"][0]["scores"])


def test_a_pod_that_runs_is_explained_as_if_it_did_not(cluster: str) -> None:
    """It takes no room from itself."""
    result = explain("old", "-n", "team", "--kubeconfig", cluster)
    assert result.stdout.startswith(
        "team/old (default-scheduler), which is on full: 2 of 3 nodes are feasible; it would go to "
        "one of 2 at random: free, full"
    )


def test_a_pod_that_fits_nowhere_gets_its_message(tmp_path: Path) -> None:
    """That of the event."""
    path = dump(tmp_path, node("a"), pod("big", cpu="9"))
    result = explain("big", "-n", "team", "--kubeconfig", str(path))
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "team/big (default-scheduler): 0/1 nodes are available: 1 Insufficient cpu."
    )


def test_pods_of_one_service_are_spread_by_default(tmp_path: Path) -> None:
    """So the Services count in the scores, as they do for the scheduler."""
    labelled = pod("new")
    labelled["metadata"]["labels"] = {"app": "web"}
    other = pod("other", "a", cpu="100m")
    other["metadata"]["labels"] = {"app": "web"}
    balance = pod("balance", "b", cpu="100m")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "team"},
        "spec": {"selector": {"app": "web"}},
    }
    path = str(dump(tmp_path, node("a"), node("b"), labelled, other, balance, service))
    result = explain("new", "-n", "team", "--kubeconfig", path, "--json")
    told = json.loads(result.stdout)
    assert told["best"] == ["b"]
    spread = [
        one["normalised"]
        for each in told["nodes"]
        for one in each["scores"]
        if one["plugin"] == "PodTopologySpread"
    ]
    assert spread[0] == 100 > spread[1]


def configuration(directory: Path, profiles: list[Any]) -> str:
    """Write a scheduler's configuration."""
    path = directory / "scheduler.yaml"
    head = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}
    path.write_text(json.dumps({**head, "profiles": profiles}))
    return str(path)


def test_the_schedulers_own_configuration_counts(cluster: str, tmp_path: Path) -> None:
    """One that packs, and minds no taints."""
    strategy = {"scoringStrategy": {"type": "MostAllocated"}}
    args = [{"name": "NodeResourcesFit", "args": strategy}]
    disabled = {"disabled": [{"name": "TaintToleration"}]}
    path = configuration(tmp_path, [{"plugins": {"multiPoint": disabled}, "pluginConfig": args}])
    result = explain("new", "-n", "team", "--kubeconfig", cluster, "--scheduler-config", path)
    assert "2 of 3 nodes are feasible" in result.stdout
    assert "TaintToleration" not in result.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nobody"], "pod default/nobody is not there (-n gives another namespace)"),
        (["new", "-n", "team", "--context", "x"], "is no kubeconfig, so it has no context x"),
    ],
)
def test_what_cannot_be_explained_is_told(words: list[str], message: str, cluster: str) -> None:
    """On standard error, with a code."""
    result = explain(*words, "--kubeconfig", cluster)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_a_pod_of_another_scheduler_is_not_guessed_at(cluster: str, tmp_path: Path) -> None:
    """Its rules are not known here."""
    path = configuration(tmp_path, [{"schedulerName": "other"}])
    result = explain("new", "-n", "team", "--kubeconfig", cluster, "--scheduler-config", path)
    assert result.exit_code == 2
    assert "is of the scheduler default-scheduler" in result.stderr
    assert "it has other (--scheduler-config)" in result.stderr


def test_without_a_kubeconfig_its_usual_places_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where kubectl would look."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    result = explain("new")
    assert result.exit_code == 2
    assert f"no kubeconfig at {tmp_path / 'none'}: give one (--kubeconfig)" in result.stderr


async def test_a_running_cluster_is_asked_through_its_kubeconfig(tmp_path: Path) -> None:
    """Over HTTPS with its certificates, while it schedules."""
    kubeconfig = tmp_path / "kubeconfig"
    cluster = BareCluster(ClusterConfig(nodes=2, runtime="simulated", node_capacity={"cpu": "2"}))
    served = ServedCluster(cluster, ServingConfig(port=0, kubeconfig=kubeconfig))
    await served.start()
    try:
        container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": "3"}}}
        body = {"metadata": {"name": "big"}, "spec": {"containers": [container]}}
        manifest = {"apiVersion": "v1", "kind": "Pod", **body}
        await cluster.store.create(manifest, resource="pods", namespace="default")
        words = ("big", "--kubeconfig", str(kubeconfig), "--json")
        result = await asyncio.to_thread(explain, *words)
        assert result.exit_code == 0, result.output
        told = json.loads(result.stdout)
        assert told["message"].startswith("0/2 nodes are available: 2 Insufficient cpu.")
        assert [one["name"] for one in told["nodes"]] == ["node-1", "node-2"]
    finally:
        await served.stop()
