"""Sessions with ``kr8s``, synchronous and asynchronous."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kr8s
import pytest
import yaml
from kr8s._api import Api
from kr8s.asyncio import objects as aobjects
from kr8s.objects import (
    ConfigMap,
    Deployment,
    Namespace,
    Node,
    Pod,
    Service,
    new_class,
    object_from_spec,
    objects_from_files,
)

from tests.clients.manifests import GROUP, config_map, custom, custom_kind, pod, sleeper
from tests.e2e.daemon import Daemon

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("untidy"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def library_threads(daemon: Daemon) -> None:
    """Let the synchronous side start the thread that it keeps for the process's life."""
    Api._instances.clear()
    assert kr8s.api(kubeconfig=str(daemon.kubeconfig)).version()


@pytest.fixture
def api(kubeconfig: str) -> Iterator[Any]:
    """A client that no other test has used: the library keeps one for each thread and cluster."""
    Api._instances.clear()
    yield kr8s.api(kubeconfig=kubeconfig)
    Api._instances.clear()


@pytest.fixture
def place(api: Any, namespace: str) -> Iterator[str]:
    """A new namespace."""
    made = Namespace({"metadata": {"name": namespace}}, api=api)
    made.create()
    yield namespace
    made.delete()


def test_a_pod(api: Any, place: str) -> None:
    """Created, waited for, labelled, annotated, read from, deleted and waited for again."""
    worker = Pod(pod("worker", "echo hello; sleep 3600", app="worker"), place, api=api)
    worker.create()
    worker.wait("condition=Ready", timeout=30)
    assert worker.ready()
    assert worker.status.phase == "Running"
    worker.label({"tier": "a"})
    worker.annotate(note="x")
    worker.remove_label("app")
    worker.refresh()
    assert dict(worker.labels) == {"tier": "a"}
    assert worker.annotations.note == "x"
    assert next(iter(worker.logs(follow=True, timeout=10))) == "hello"
    assert worker.exists()
    with pytest.raises(kr8s.ServerError, match="already exists"):
        worker.create()
    same = Pod.get("worker", namespace=place, api=api)
    assert same == worker
    (found,) = list(api.get("pods", namespace=place, label_selector={"tier": "a"}))
    assert found.name == "worker"
    worker.delete(grace_period=1)
    worker.wait("delete", timeout=30)
    assert not worker.exists()
    with pytest.raises(kr8s.NotFoundError):
        Pod.get("worker", namespace=place, api=api, timeout=1)


def test_a_deployment_and_its_pods(api: Any, place: str) -> None:
    """Scaled, found by its pods, patched by merge and JSON, owner of what it adopts."""
    web = Deployment(sleeper("web"), place, api=api)
    web.create()
    web.wait(["condition=Available", "condition=Progressing"], mode="all", timeout=30)
    web.scale(2)
    web.wait("jsonpath='{.status.readyReplicas}'=2", timeout=30)
    assert web.ready()
    assert len(list(web.pods())) == 2
    web.patch({"spec": {"replicas": 1}})
    web.patch([{"op": "add", "path": "/spec/paused", "value": True}], type="json")
    web.refresh()
    assert (web.replicas, web.spec.paused) == (1, True)
    settings = ConfigMap(config_map("settings", a="1"), place, api=api)
    settings.create()
    web.adopt(settings)
    assert settings.metadata.ownerReferences[0].kind == "Deployment"
    front = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "front"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    }
    service = Service(front, place, api=api)
    service.create()
    there = {pod.name for pod in web.pods()}  # the one that goes may be gone at the next look
    assert {pod.name for pod in service.ready_pods()} <= there
    web.delete(propagation_policy="Foreground")
    web.wait("delete", timeout=30)
    settings.wait("delete", timeout=30)  # collected with its owner


def test_nodes(api: Any) -> None:
    """Listed, cordoned, tainted, and as before."""
    nodes = list(api.get("nodes"))
    assert len(nodes) == 3
    node = Node.get(nodes[0].name, api=api)
    node.cordon()
    assert Node.get(node.name, api=api).unschedulable
    node.uncordon()
    node.taint("k", "v", effect="NoSchedule")
    assert "k" in [taint.key for taint in node.taints]
    node.patch({"spec": {"taints": []}})
    assert not Node.get(node.name, api=api).unschedulable


def test_what_the_api_tells(api: Any, place: str) -> None:
    """Version, identity, kinds by every name, raw objects, all namespaces."""
    assert api.version()["major"] == "1"
    assert api.whoami()
    assert api.lookup_kind("deploy") == ("deployment.apps/v1", "deployments", True)
    assert api.lookup_kind("CustomResourceDefinition.apiextensions.k8s.io")[2] is False
    kinds = {kind["kind"] for kind in api.api_resources()}
    assert {"Pod", "Deployment", "CustomResourceDefinition", "Lease"} <= kinds
    assert "apps/v1" in set(api.api_versions())
    ConfigMap(config_map("one", a="1"), place, api=api).create()
    raw = list(api.get("configmaps", namespace=place, raw=True, field_selector="metadata.name=one"))
    assert raw[0]["data"] == {"a": "1"}
    everywhere = {item.namespace for item in api.get("configmaps", namespace=kr8s.ALL)}
    assert {place, "default", "kube-system"} <= everywhere


def test_a_watch(api: Any, place: str) -> None:
    """Sees what was there and each change, with the object's new state."""
    one = ConfigMap(config_map("one", a="1"), place, api=api)
    one.create()
    seen = []
    for kind, item in api.watch("configmaps", namespace=place):
        if item.name != "one":
            continue
        seen.append((kind, dict(item.raw.get("data", {}))))
        if len(seen) == 1:
            one.patch({"data": {"a": "2"}})
        elif len(seen) == 2:
            one.delete()
        else:
            break
    assert seen == [("ADDED", {"a": "1"}), ("MODIFIED", {"a": "2"}), ("DELETED", {"a": "2"})]


def test_manifests_and_custom_kinds(api: Any, place: str, tmp_path: Path) -> None:
    """Objects from files; a class for a kind that is defined just now; its status and scale."""
    path = tmp_path / "many.yaml"
    path.write_text(yaml.safe_dump_all([config_map("one", a="1"), sleeper("web", replicas=0)]))
    for item in objects_from_files(str(path), api=api):
        item.namespace = place
        item.create()
    assert Deployment.get("web", namespace=place, api=api).exists()
    definition = object_from_spec(custom_kind("cogs", "Cog"), api=api)
    definition.create()
    definition.wait("condition=Established", timeout=30)
    cog_class = new_class(
        kind="Cog",
        version=f"{GROUP}/v1",
        namespaced=True,
        asyncio=False,
        scalable=True,
        scalable_spec="size",
    )
    cog = cog_class(custom("Cog", "c", size=1, color="red"), namespace=place, api=api)
    cog.create()
    assert cog.spec.limit == 10
    cog.patch({"status": {"phase": "Ready"}}, subresource="status")
    cog.refresh()
    assert cog.status.phase == "Ready"
    cog.scale(3)
    assert cog.spec.size == 3
    with pytest.raises(kr8s.ServerError, match="size must not exceed limit"):
        cog.patch({"spec": {"size": 99}})
    red = list(api.get("cogs.example.com", namespace=place, field_selector="spec.color=red"))
    assert [item.name for item in red] == ["c"]
    cog.delete()
    definition.delete()
    definition.wait("delete", timeout=30)


@pytest.mark.leaves_tasks  # the library leaves its generators to the loop's end
async def test_the_asynchronous_side(kubeconfig: str, namespace: str) -> None:
    """The same objects, awaited: create, label, wait, list, delete."""
    Api._instances.clear()
    api = await kr8s.asyncio.api(kubeconfig=kubeconfig)
    home = await aobjects.Namespace({"metadata": {"name": namespace}}, api=api)
    await home.create()
    worker = await aobjects.Pod(pod("worker", "echo hi; sleep 3600"), namespace, api=api)
    await worker.create()
    await worker.wait("condition=Ready", timeout=30)
    lines = [line async for line in worker.logs(tail_lines=1)]
    assert lines == ["hi"]
    await worker.label({"tier": "a"})
    names = [item.name async for item in api.get("pods", namespace=namespace)]
    assert names == ["worker"]
    await worker.delete(grace_period=0)
    await worker.wait("delete", timeout=30)
    await home.delete()
    await home.wait("delete", timeout=30)
    Api._instances.clear()
