"""Sessions with ``lightkube``, synchronous and asynchronous."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml
from lightkube import ApiError, AsyncClient, Client, KubeConfig
from lightkube import operators as op
from lightkube.codecs import load_all_yaml
from lightkube.core.exceptions import ObjectDeleted
from lightkube.generic_resource import (
    create_namespaced_resource,
    get_generic_resource,
    load_in_cluster_generic_resources,
)
from lightkube.models.apps_v1 import DeploymentStatus
from lightkube.models.core_v1 import ServicePort, ServiceSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace, Node, Pod, Service
from lightkube.types import CascadeType, PatchType

from tests.clients.manifests import GROUP, config_map, custom, custom_kind, pod, sleeper

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("untidy"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@pytest.fixture
def api(kubeconfig: str, namespace: str) -> Iterator[Client]:
    """A client whose default namespace is the test's, which is made."""
    config = KubeConfig.from_file(kubeconfig).get()
    with Client(config=config, namespace=namespace, field_manager="lightkube") as made:
        made.create(Namespace(metadata=ObjectMeta(name=namespace)))
        yield made
        made.delete(Namespace, name=namespace)


def test_a_pod(api: Client) -> None:
    """Created, waited for, read from as it writes, deleted with grace."""
    made = api.create(Pod.from_dict(pod("worker", "echo one; echo two; sleep 3600", app="w")))
    assert made.status is not None
    assert made.status.phase == "Pending"
    ready = api.wait(Pod, "worker", for_conditions=["Ready"])
    assert ready.status is not None
    assert ready.status.podIP
    lines = api.log("worker", follow=True)
    assert [next(lines), next(lines)] == ["one\n", "two\n"]
    assert list(api.log("worker", tail_lines=1)) == ["two\n"]
    api.delete(Pod, "worker", grace_period=1)
    for kind, _ in api.watch(Pod, labels={"app": "w"}):
        if kind == "DELETED":
            break
    with pytest.raises(ApiError) as missing:
        api.get(Pod, "worker")
    status = missing.value.status
    assert (status.code, status.reason, status.details.name) == (404, "NotFound", "worker")


def test_patches(api: Client) -> None:
    """Strategic by port, merge, JSON, apply; a Service's ports are merged by their number."""
    ports = [ServicePort(name="a", port=80, targetPort=8080)]
    api.create(
        Service(
            metadata=ObjectMeta(name="s"), spec=ServiceSpec(ports=ports, selector={"app": "none"})
        )
    )
    more = {"spec": {"ports": [{"name": "b", "port": 81, "targetPort": 8081}]}}
    strategic = api.patch(Service, "s", more)
    assert {port.name for port in strategic.spec.ports} == {"a", "b"}
    more["spec"]["ports"][0]["targetPort"] = 8082
    strategic = api.patch(Service, "s", more)
    assert {(port.port, port.targetPort) for port in strategic.spec.ports} == {
        (80, 8080),
        (81, 8082),
    }
    merged = api.patch(Service, "s", more, patch_type=PatchType.MERGE)
    assert [port.port for port in merged.spec.ports] == [81]
    operations = [
        {"op": "add", "path": "/spec/ports/-", "value": {"name": "a", "port": 80}},
        {"op": "remove", "path": "/spec/ports/0"},
    ]
    changed = api.patch(Service, "s", operations, patch_type=PatchType.JSON)
    assert [port.port for port in changed.spec.ports] == [80]
    refused = [{"op": "remove", "path": "/spec/ports/9"}]
    with pytest.raises(ApiError):
        api.patch(Service, "s", refused, patch_type=PatchType.JSON)
    applied = api.patch(
        Service,
        "s",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "s"},
            "spec": {"ports": [{"port": 82, "protocol": "TCP", "name": "c"}]},
        },
        patch_type=PatchType.APPLY,
    )
    assert [port.port for port in applied.spec.ports] == [80, 82]


def test_apply(api: Client) -> None:
    """What is left out goes, what another one set stays, conflicts are told."""
    body = ConfigMap.from_dict(config_map("c", a="1", b="2"))
    body.apiVersion, body.kind = "v1", "ConfigMap"
    assert api.apply(body).data == {"a": "1", "b": "2"}
    assert body.data is not None
    del body.data["a"]
    body.data["c"] = "3"
    assert api.apply(body).data == {"b": "2", "c": "3"}
    other = ConfigMap.from_dict(config_map("c", b="9"))
    with pytest.raises(ApiError) as conflict:
        api.apply(other, field_manager="other")
    assert conflict.value.status.code == 409
    assert api.apply(other, field_manager="other", force=True).data == {"b": "9", "c": "3"}
    body.data.clear()
    assert api.apply(body, force=True).data == {"b": "9"}
    owned = api.get(ConfigMap, "c").metadata.managedFields
    assert {entry.manager for entry in owned} >= {"other"}


def test_dry_runs_and_collections(api: Client) -> None:
    """Nothing is kept of a dry run of any verb; collections go at once."""
    body = ConfigMap.from_dict(config_map("c", a="1"))
    api.create(body, dry_run=True)
    with pytest.raises(ApiError):
        api.get(ConfigMap, "c")
    api.create(body)
    api.patch(ConfigMap, "c", {"metadata": {"labels": {"x": "1"}}}, dry_run=True)
    kept = api.get(ConfigMap, "c")
    assert kept.metadata.labels is None
    kept.data["a"] = "2"
    api.replace(kept, dry_run=True)
    api.delete(ConfigMap, "c", dry_run=True)
    api.deletecollection(ConfigMap, dry_run=True)
    assert api.get(ConfigMap, "c").data == {"a": "1"}
    assert api.replace(kept).data == {"a": "2"}
    kept.data["a"] = "3"
    with pytest.raises(ApiError) as conflict:
        api.replace(kept)
    assert conflict.value.status.reason == "Conflict"
    for number in range(3):
        labelled = ConfigMap.from_dict(config_map(f"n{number}"))
        labelled.metadata.labels = {"rank": str(number)}
        api.create(labelled)
    by = {
        ("0", "1"): op.in_(["0", "1"]),
        ("2",): op.not_in(["0", "1"]),
        ("0", "1", "2"): op.exists(),
        ("1", "2"): op.not_equal("0"),
    }
    for ranks, selector in by.items():
        labels = {"rank": selector, "x": op.not_exists()}
        found = api.list(ConfigMap, labels=labels, chunk_size=1)
        names = [item.metadata.name for item in found if item.metadata.labels]
        assert names == [f"n{rank}" for rank in ranks]
    fields = api.list(ConfigMap, fields={"metadata.name": op.not_equal("n0")})
    assert "n0" not in {item.metadata.name for item in fields}
    api.deletecollection(ConfigMap)
    left = {item.metadata.name for item in api.list(ConfigMap)}
    assert left & {"n0", "n1", "n2"} == set()
    everywhere = {item.metadata.namespace for item in api.list(ConfigMap, namespace="*")}
    assert {"default", "kube-system"} <= everywhere


def test_a_deployment(api: Client) -> None:
    """Scaled by its subresource, its status written and read, deleted in the foreground."""
    api.create(Deployment.from_dict(sleeper("web", replicas=1)))
    api.wait(Deployment, "web", for_conditions=["Available"])
    scale = api.get(Deployment.Scale, "web")
    assert scale.spec.replicas == 1
    api.patch(Deployment.Scale, "web", {"spec": {"replicas": 2}})
    status = api.get(Deployment.Status, "web")
    assert isinstance(status.status, DeploymentStatus)
    assert status.spec.replicas == 2
    api.delete(Deployment, "web", cascade=CascadeType.FOREGROUND)
    with pytest.raises(ObjectDeleted):
        api.wait(Deployment, "web", for_conditions=["Nothing"])


def test_generic_resources(api: Client) -> None:
    """A custom kind, without a class for it and found in the cluster."""
    (definition,) = load_all_yaml(yaml.safe_dump(custom_kind("bolts", "Bolt")))
    api.create(definition)
    api.wait(CustomResourceDefinition, f"bolts.{GROUP}", for_conditions=["Established"])
    try:
        bolt = create_namespaced_resource(GROUP, "v1", "Bolt", "bolts")
        made = api.create(bolt(metadata=ObjectMeta(name="b"), spec={"size": 1}))
        assert made.spec == {"size": 1, "limit": 10}
        status = bolt.Status(metadata=ObjectMeta(name="b"), status={"phase": "Ready"})
        status.metadata.resourceVersion = made.metadata.resourceVersion
        status.spec = made.spec
        assert api.replace(status).status == {"phase": "Ready"}
        patched = api.patch(bolt, "b", {"spec": {"color": "red"}}, patch_type=PatchType.MERGE)
        assert patched.status == {"phase": "Ready"}
        applied = api.apply(bolt.from_dict(custom("Bolt", "c", size=2)))
        assert applied.metadata.managedFields[0].operation == "Apply"
        assert {item.metadata.name for item in api.list(bolt)} == {"b", "c"}
        with pytest.raises(ApiError, match="size must not exceed limit"):
            api.patch(bolt, "b", {"spec": {"size": 99}}, patch_type=PatchType.MERGE)
        load_in_cluster_generic_resources(api)
        assert get_generic_resource(f"{GROUP}/v1", "Bolt") is not None
    finally:
        api.delete(CustomResourceDefinition, f"bolts.{GROUP}")


async def test_the_asynchronous_side(kubeconfig: str, namespace: str) -> None:
    """The same calls, awaited."""
    config = KubeConfig.from_file(kubeconfig).get()
    api = AsyncClient(config=config, namespace=namespace, field_manager="lightkube")
    await api.create(Namespace(metadata=ObjectMeta(name=namespace)))
    async for node in api.list(Node):
        await api.wait(Node, node.metadata.name, for_conditions=["Ready"])
    made = await api.create(ConfigMap.from_dict(config_map("c", a="1")))
    await api.patch(ConfigMap, "c", {"data": {"b": "2"}})
    body = ConfigMap.from_dict(config_map("d", a="1"))
    body.apiVersion, body.kind = "v1", "ConfigMap"
    await api.apply(body)
    await api.delete(ConfigMap, "c")
    seen = []
    async for kind, item in api.watch(
        ConfigMap,
        resource_version=made.metadata.resourceVersion,
        fields={"metadata.name": op.not_equal("kube-root-ca.crt")},
    ):
        seen.append((kind, item.metadata.name))
        if kind == "DELETED":
            break
    assert seen == [("MODIFIED", "c"), ("ADDED", "d"), ("DELETED", "c")]
    await api.delete(Namespace, namespace)
    await api.close()
