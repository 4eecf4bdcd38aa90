"""The lightkube reconciler of `docs/examples/operators/charm`, by the library without asyncio.

A hook is run by hand, as charms' own test harnesses do; between two of them time passes. What is
expected of server-side apply: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from lightkube import Client, KubeConfig

from orchestrator import Cluster
from orchestrator.embedded.sync import SyncCluster
from tests.operators.kit import EPOCH, example

MADE = "charms.example.com/made-by=web"


class Application:
    """The charm of one application, before a cluster."""

    def __init__(self, cluster: SyncCluster, program: ModuleType, client: Client) -> None:
        self.cluster = cluster
        self.program = program
        self.charm = program.Charm(client, "web")

    def configure(self, **config: Any) -> str:
        """Run the hook ``config-changed``; returns the status and its message."""
        self.charm.config = self.program.Config(**config)
        return self.hook()

    def hook(self) -> str:
        """Run a hook; returns the status and its message."""
        status = self.charm.reconcile()
        return f"{status.name} {status.message}".strip()

    def hook_after(self, seconds: float) -> str:
        """Run a hook so much later."""
        self.cluster.clock.advance(seconds)
        return self.hook()


@pytest.fixture
def application() -> Iterator[Application]:
    """An application whose pods take ten seconds to be ready."""
    with contextlib.ExitStack() as exits:
        program = exits.enter_context(example("charm", "charm"))
        cluster = exits.enter_context(Cluster.sync(epoch=EPOCH, seed=1))
        cluster.image("busybox:1.36", ready_seconds=10)
        config = KubeConfig.from_file(cluster.kubeconfig).get()
        yield Application(cluster, program, exits.enter_context(Client(config=config)))


def test_it_waits_for_its_pods_and_is_active_then(application: Application) -> None:
    """The first hook does not wait; the next one after ten seconds finds all ready."""
    assert application.configure(replicas=2).startswith("waiting web")
    assert application.hook_after(9) == "waiting web: 0 of 2 are ready"
    assert application.hook_after(1) == "active"
    assert application.configure(replicas=3).startswith("waiting web")
    assert application.hook_after(5) == "waiting web: 2 of 3 are ready"
    assert application.hook_after(5) == "active"


def test_a_hook_with_nothing_to_do_writes_nothing(application: Application) -> None:
    """Applying the same again is no new version."""
    application.configure(cache=True)
    application.hook_after(60)
    before = application.cluster.version
    assert application.hook() == "active"
    assert application.cluster.version == before


def test_drift_is_taken_back_with_the_next_hook(application: Application) -> None:
    """What others did to its fields and to what it made; what is only theirs stays."""
    cluster = application.cluster
    application.configure(replicas=2)
    assert application.hook_after(300) == "active"
    cluster.api.scale("deployment", "web", 5)
    cluster.api.patch("deployment", "web", {"metadata": {"annotations": {"note": "mine"}}})
    cluster.api.patch("configmap", "web", {"data": {"greeting": "changed", "other": "mine"}})
    cluster.api.delete("service", "web")
    application.hook_after(300)
    assert application.hook_after(300) == "active"
    found = cluster.api.get("deployment", "web")
    assert found["spec"]["replicas"] == 2
    assert found["metadata"]["annotations"]["note"] == "mine"
    assert cluster.api.get("configmap", "web")["data"] == {"greeting": "hello", "other": "mine"}
    assert cluster.api.find("service", "web") is not None
    owners = {each["manager"] for each in found["metadata"]["managedFields"]}
    assert "charm-web" in owners


def test_what_is_no_longer_wanted_is_removed(application: Application) -> None:
    """And only that: others' objects have not got its label."""
    cluster = application.cluster
    cluster.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "others"}, "data": {}}
    )
    application.configure(cache=True)
    assert application.hook_after(60) == "active"
    names = {obj["metadata"]["name"] for obj in cluster.api.list("deployments", labels=MADE)}
    assert names == {"web", "web-cache"}
    application.configure(cache=False)
    assert application.hook_after(60) == "active"
    for kind in ("deployments", "services"):
        (left,) = cluster.api.list(kind, labels=MADE)
        assert left["metadata"]["name"] == "web"
    assert cluster.api.find("configmap", "others") is not None


def test_it_says_what_the_user_has_to_do(application: Application) -> None:
    """Of a configuration that the API refuses, and of a rollout past its deadline."""
    assert application.configure(replicas=-1) == (
        'blocked Deployment.apps "web" is invalid: spec.replicas: Invalid value: -1: must be '
        "greater than or equal to 0"
    )
    application.cluster.image("broken:*", refuse="ErrImagePull: not found")
    application.configure(image="broken:1")
    assert application.hook_after(119).startswith("waiting")
    said = application.hook_after(2)
    assert said.startswith("blocked ReplicaSet ")
    assert said.endswith("has timed out progressing.")
    application.configure()
    assert application.hook_after(30) == "active"


@pytest.mark.parametrize("error", [409, 429, 500, "reset", "timeout-after-write"])
def test_what_is_only_trouble_is_gone_with_the_next_hook(
    application: Application, error: int | str
) -> None:
    """It is told as maintenance, and nothing is left half done."""
    with application.cluster.faults.api(
        verb="apply", kind="deployments", error=error, times=1
    ) as fault:
        assert application.configure().startswith("maintenance")
    assert fault.hits == 1
    application.hook()
    assert application.hook_after(60) == "active"


def test_a_node_that_dies_is_told_and_got_over(application: Application) -> None:
    """Its pods are away for the five minutes that they tolerate it, then elsewhere."""
    cluster = application.cluster
    application.configure(replicas=1)
    assert application.hook_after(60) == "active"
    (pod,) = cluster.api.list("pods", labels="app=web")
    cluster.nodes[pod["spec"]["nodeName"]].crash()
    assert application.hook_after(60) == "waiting web: 0 of 1 are ready"
    assert application.hook_after(240).startswith("waiting")
    assert application.hook_after(300) == "active"
    (moved,) = [p for p in cluster.api.list("pods", labels="app=web") if is_ready(p)]
    assert moved["spec"]["nodeName"] != pod["spec"]["nodeName"]


def is_ready(pod: Any) -> bool:
    """Tell whether a pod is ready."""
    return {"True"} == {c["status"] for c in pod["status"]["conditions"] if c["type"] == "Ready"}
