"""Sessions with the dynamic client of ``kubernetes``, which learns everything from discovery."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import (
    ConflictError,
    NotFoundError,
    ResourceNotFoundError,
    UnprocessibleEntityError,
)

from tests.clients.manifests import GROUP, config_map, custom, custom_kind, sleeper

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("untidy"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@pytest.fixture
def dynamic(kubeconfig: str, namespace: str, tmp_path: Path) -> Iterator[DynamicClient]:
    """A dynamic client with a cache of its own; the test's namespace is made."""
    settings = client.Configuration()
    config.load_kube_config(kubeconfig, client_configuration=settings)
    with client.ApiClient(settings) as api:
        made = DynamicClient(api, cache_file=str(tmp_path / "cache.json"))
        namespaces = made.resources.get(api_version="v1", kind="Namespace")
        namespaces.create(body={"metadata": {"name": namespace}})
        yield made


def test_what_discovery_tells(dynamic: DynamicClient) -> None:
    """Kinds, their preferred versions, scopes, verbs, short names, subresources, lists of kinds."""
    deployments = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
    assert deployments.namespaced
    assert deployments.name == "deployments"
    assert "deploy" in deployments.short_names
    assert {"scale", "status"} <= deployments.subresources.keys()
    autoscalers = dynamic.resources.get(kind="HorizontalPodAutoscaler", preferred=True)
    assert autoscalers.group_version == "autoscaling/v2"  # the preferred one
    assert dynamic.resources.get(api_version="v1", kind="Pod").categories == ["all"]
    nodes = dynamic.resources.get(api_version="v1", kind="Node")
    assert not nodes.namespaced
    ready = [n for n in nodes.get().items if n.status.conditions]
    assert len(ready) == 3
    with pytest.raises(ResourceNotFoundError):
        dynamic.resources.get(api_version="example.com/v9", kind="Nothing")
    assert dynamic.version["kubernetes"]["major"] == "1"
    kinds = {resource.kind for resource in dynamic.resources.search()}
    assert {"Pod", "Secret", "SelfSubjectAccessReview", "TokenReview"} <= kinds


def test_objects_without_classes(dynamic: DynamicClient, namespace: str) -> None:
    """Created, listed, patched by each type, applied, replaced, scaled, watched, deleted."""
    maps = dynamic.resources.get(api_version="v1", kind="ConfigMap")
    made = maps.create(body=config_map("one", a="1"), namespace=namespace)
    assert made.data.a == "1"
    with pytest.raises(ConflictError):
        maps.create(body=config_map("one", a="1"), namespace=namespace)
    patches: dict[str, Any] = {
        "application/strategic-merge-patch+json": {"data": {"b": "2"}},
        "application/merge-patch+json": {"data": {"c": "3", "b": None}},
        "application/json-patch+json": [{"op": "add", "path": "/data/d", "value": "4"}],
    }
    for content_type, patch in patches.items():
        maps.patch(body=patch, name="one", namespace=namespace, content_type=content_type)
    assert maps.get(name="one", namespace=namespace).data.to_dict() == {
        "a": "1",
        "c": "3",
        "d": "4",
    }
    applied = maps.server_side_apply(
        body=config_map("applied", a="1"), namespace=namespace, field_manager="me"
    )
    assert applied.metadata.managedFields[0].manager == "me"
    applied.data.a = "2"
    applied.metadata.managedFields = None
    assert maps.replace(body=applied.to_dict(), namespace=namespace).data.a == "2"
    version = made.metadata.resourceVersion
    seen = [
        (event["type"], event["raw_object"]["metadata"]["name"])
        for event in maps.watch(
            namespace=namespace,
            resource_version=version,
            field_selector="metadata.name!=kube-root-ca.crt",
            timeout=1,
        )
    ]
    assert seen == [("MODIFIED", "one")] * 3 + [("ADDED", "applied"), ("MODIFIED", "applied")]

    deployments = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
    deployments.create(body=sleeper("web", replicas=0), namespace=namespace)
    scale = deployments.scale.get(name="web", namespace=namespace)
    assert (scale.kind, scale.spec.replicas or 0) == ("Scale", 0)
    deployments.scale.patch(
        body={"spec": {"replicas": 1}},
        name="web",
        namespace=namespace,
        content_type="application/merge-patch+json",
    )
    assert deployments.get(name="web", namespace=namespace).spec.replicas == 1
    assert maps.get(namespace=namespace, label_selector="none=x").items == []
    deleted = maps.delete(namespace=namespace, field_selector="metadata.name=applied")
    assert deleted.kind in {"ConfigMapList", "Status"}
    with pytest.raises(NotFoundError) as missing:
        maps.get(name="applied", namespace=namespace)
    assert missing.value.summary() == 'configmaps "applied" not found'


@pytest.mark.parametrize("scope", ["Namespaced", "Cluster"])
def test_custom_kinds(dynamic: DynamicClient, namespace: str, scope: str) -> None:
    """A kind is found as soon as it is established, and no longer once it is deleted."""
    plural = f"{scope.lower()}widgets"
    definitions = dynamic.resources.get(
        api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition"
    )
    name = f"{plural}.{GROUP}"
    definitions.create(body=custom_kind(plural, f"{scope}Widget", scope=scope))
    for event in definitions.watch(field_selector=f"metadata.name={name}", timeout=30):
        conditions = (event["raw_object"].get("status") or {}).get("conditions") or []
        if any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
            break
    else:
        pytest.fail("the kind was not established")
    dynamic.resources.invalidate_cache()
    widgets = dynamic.resources.get(api_version=f"{GROUP}/v1", kind=f"{scope}Widget")
    place = {"namespace": namespace} if scope == "Namespaced" else {}
    body = custom(f"{scope}Widget", "w", size=1)
    assert widgets.create(body=body, **place).spec.limit == 10
    with pytest.raises(UnprocessibleEntityError):
        widgets.create(body=custom(f"{scope}Widget", "v", size=-1), **place)
    applied = widgets.server_side_apply(
        body={**body, "spec": {"size": 2, "parts": [{"name": "a", "note": "x"}]}},
        field_manager="one",
        force_conflicts=True,
        **place,
    )
    assert applied.spec.size == 2
    more = {**body, "spec": {"parts": [{"name": "b"}]}}
    both = widgets.server_side_apply(body=more, field_manager="two", **place)
    assert [part.name for part in both.spec.parts] == ["a", "b"]
    patched = widgets.status.patch(
        body={"status": {"phase": "Ready"}},
        name="w",
        content_type="application/merge-patch+json",
        **place,
    )
    assert patched.status.phase == "Ready"
    widgets.delete(name="w", **place)
    version = definitions.get(name=name).metadata.resourceVersion
    definitions.delete(name=name)
    for event in definitions.watch(
        field_selector=f"metadata.name={name}", resource_version=version, timeout=30
    ):
        if event["type"] == "DELETED":
            break
    with pytest.raises(NotFoundError):
        widgets.get(**place)
