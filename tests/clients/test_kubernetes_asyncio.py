"""Sessions with ``kubernetes_asyncio``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_asyncio import client, config, utils, watch
from kubernetes_asyncio.client.exceptions import ApiException
from kubernetes_asyncio.dynamic import DynamicClient
from kubernetes_asyncio.leaderelection import electionconfig, leaderelection
from kubernetes_asyncio.leaderelection.resourcelock.leaselock import LeaseLock

from tests.clients.manifests import GROUP, config_map, custom, custom_kind, pod, sleeper

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("untidy"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

DEADLINE = 30


@pytest.fixture
async def api(kubeconfig: str) -> AsyncIterator[client.ApiClient]:
    """A client of the cluster."""
    settings = client.Configuration()
    await config.load_kube_config(kubeconfig, client_configuration=settings)
    async with client.ApiClient(settings) as made:
        yield made


@pytest.fixture
async def core(api: client.ApiClient, namespace: str) -> client.CoreV1Api:
    """The core API, with the test's namespace made."""
    made = client.CoreV1Api(api)
    await made.create_namespace({"metadata": {"name": namespace}})
    return made


async def test_a_pod_from_start_to_end(core: client.CoreV1Api, namespace: str) -> None:
    """Created, watched, read from, evicted, gone."""
    script = "echo one; echo two; sleep 3600"
    made = await core.create_namespaced_pod(namespace, pod("worker", script, app="worker"))
    phases = []
    async with asyncio.timeout(DEADLINE), watch.Watch() as follower:
        async for event in follower.stream(
            core.list_namespaced_pod,
            namespace,
            resource_version=made.metadata.resource_version,
            label_selector="app=worker",
        ):
            phases.append(event["object"].status.phase)
            if phases[-1] == "Running":
                break
    assert phases[0] == "Pending"
    log = ""
    async with asyncio.timeout(DEADLINE):
        while "two" not in log:
            log = await core.read_namespaced_pod_log("worker", namespace)
    assert log == "one\ntwo\n"
    follow = await core.read_namespaced_pod_log(
        "worker", namespace, follow=True, _preload_content=False
    )
    assert await follow.content.readline() == b"one\n"
    follow.close()
    await core.patch_namespaced_pod("worker", namespace, {"metadata": {"labels": {"app": "x"}}})
    changed = await core.read_namespaced_pod("worker", namespace)
    assert changed.metadata.labels == {"app": "x"}
    with pytest.raises(ApiException) as invalid:
        await core.patch_namespaced_pod(
            "worker", namespace, {"spec": {"containers": [{"name": "main", "command": ["x"]}]}}
        )
    assert "pod updates may not change fields other than" in str(invalid.value.body)
    await core.delete_namespaced_pod("worker", namespace, grace_period_seconds=0)
    with pytest.raises(ApiException) as missing:
        await core.read_namespaced_pod("worker", namespace)
    assert json.loads(str(missing.value.body))["details"] == {"name": "worker", "kind": "pods"}


async def test_many_watches_at_once(core: client.CoreV1Api, namespace: str) -> None:
    """Twenty watchers see the same fifty changes in the same order."""
    start = await core.list_namespaced_config_map(namespace)
    version = start.metadata.resource_version
    names = [f"c{number}" for number in range(50)]

    async def follow() -> list[str]:
        seen = []
        async with watch.Watch() as follower:
            async for event in follower.stream(
                core.list_namespaced_config_map,
                namespace,
                resource_version=version,
                field_selector="metadata.name!=kube-root-ca.crt",
            ):
                seen.append(event["object"].metadata.name)
                if len(seen) == len(names):
                    break
        return seen

    async with asyncio.timeout(DEADLINE):
        followers = [asyncio.create_task(follow()) for _ in range(20)]
        for name in names:
            await core.create_namespaced_config_map(namespace, config_map(name))
        assert await asyncio.gather(*followers) == [names] * 20


async def test_apply_patches(api: client.ApiClient, core: client.CoreV1Api, namespace: str) -> None:
    """Apply by content type: created, owned, in conflict, forced, given up."""
    apply: dict[str, Any] = {"_content_type": "application/apply-patch+yaml"}
    apps = client.AppsV1Api(api)
    web = sleeper("web", replicas=1)
    made = await apps.patch_namespaced_deployment(
        "web", namespace, web, field_manager="one", **apply
    )
    assert made.metadata.managed_fields[0].manager == "one"
    again = await apps.patch_namespaced_deployment(
        "web", namespace, web, field_manager="one", **apply
    )
    assert again.metadata.generation == 1
    replicas = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 0},
    }
    with pytest.raises(ApiException) as conflict:
        await apps.patch_namespaced_deployment(
            "web", namespace, replicas, field_manager="two", **apply
        )
    assert conflict.value.status == 409
    assert 'conflict with \\"one\\"' in str(conflict.value.body)
    await apps.patch_namespaced_deployment(
        "web", namespace, replicas, field_manager="two", force=True, **apply
    )
    del web["spec"]["replicas"]
    kept = await apps.patch_namespaced_deployment(
        "web", namespace, web, field_manager="one", **apply
    )
    assert kept.spec.replicas == 0
    with pytest.raises(ApiException) as required:
        await core.patch_namespaced_config_map("x", namespace, config_map("x"), **apply)
    assert "fieldManager: Required value: is required for apply patch" in str(required.value.body)


async def test_other_patches(core: client.CoreV1Api, namespace: str) -> None:
    """The client picks the type by the body; a type that is not known is refused with the list."""
    await core.create_namespaced_config_map(namespace, config_map("one", a="1", b="2"))
    merged = await core.patch_namespaced_config_map("one", namespace, {"data": {"a": None}})
    assert merged.data == {"b": "2"}
    operations = [{"op": "move", "from": "/data/b", "path": "/data/c"}]
    moved = await core.patch_namespaced_config_map("one", namespace, operations)
    assert moved.data == {"c": "2"}
    with pytest.raises(ApiException) as unsupported:
        await core.patch_namespaced_config_map(
            "one", namespace, {"data": {}}, _content_type="application/json"
        )
    assert unsupported.value.status == 415
    assert "application/merge-patch+json" in str(unsupported.value.body)


async def test_files_and_dictionaries(
    api: client.ApiClient, core: client.CoreV1Api, namespace: str, tmp_path: Path
) -> None:
    """``create_from_yaml`` and ``create_from_dict``."""
    path = tmp_path / "many.yaml"
    path.write_text(yaml.safe_dump_all([config_map("one", a="1"), sleeper("web", replicas=0)]))
    await utils.create_from_yaml(api, str(path), namespace=namespace)
    with pytest.raises(utils.FailToCreateError) as failure:
        await utils.create_from_yaml(api, str(path), namespace=namespace)
    assert failure.value.api_exceptions
    await utils.create_from_dict(api, config_map("two", a="1"), namespace=namespace)
    listed = await core.list_namespaced_config_map(namespace)
    assert {item.metadata.name for item in listed.items} >= {"one", "two"}


async def test_the_dynamic_client(api: client.ApiClient, namespace: str) -> None:
    """A custom kind from its definition to its end."""
    dynamic = await DynamicClient(api)
    namespaces = await dynamic.resources.get(api_version="v1", kind="Namespace")
    await namespaces.create(body={"metadata": {"name": namespace}})
    definitions = await dynamic.resources.get(
        api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition"
    )
    await definitions.create(body=custom_kind("sprockets", "Sprocket"))
    async with asyncio.timeout(DEADLINE):
        established = False
        while not established:
            found = await definitions.get(name=f"sprockets.{GROUP}")
            status = found.to_dict().get("status", {})
            established = {"Established"} <= {
                c["type"] for c in status.get("conditions", []) if c["status"] == "True"
            }
    await dynamic.resources.invalidate_cache()
    sprockets = await dynamic.resources.get(api_version=f"{GROUP}/v1", kind="Sprocket")
    made = await sprockets.create(body=custom("Sprocket", "s", size=2), namespace=namespace)
    assert made.spec.limit == 10
    patched = await sprockets.patch(
        body={"spec": {"color": "green"}},
        name="s",
        namespace=namespace,
        content_type="application/merge-patch+json",
    )
    assert patched.spec.color == "green"
    green = await sprockets.get(namespace=namespace, field_selector="spec.color=green")
    assert [item.metadata.name for item in green.items] == ["s"]
    applied = await sprockets.server_side_apply(
        body=custom("Sprocket", "t", size=1), namespace=namespace, field_manager="me"
    )
    assert applied.metadata.managedFields[0].operation == "Apply"
    await sprockets.delete(name="s", namespace=namespace)
    await definitions.delete(name=f"sprockets.{GROUP}")


async def test_leader_election(
    api: client.ApiClient, core: client.CoreV1Api, namespace: str
) -> None:
    """Leads at once, keeps its Lease renewed, and lets a second one wait."""
    leading = asyncio.Event()

    async def lead() -> None:
        leading.set()

    async def stop() -> None:
        return

    def candidate(name: str) -> leaderelection.LeaderElection:
        settings = electionconfig.Config(
            LeaseLock("leader", namespace, name, api),
            lease_duration=3,
            renew_deadline=2,
            retry_period=1,
            onstarted_leading=lead,
            onstopped_leading=stop,
        )
        return leaderelection.LeaderElection(settings)

    first = asyncio.create_task(candidate("first").run())
    async with asyncio.timeout(DEADLINE):
        await leading.wait()
    assert not await candidate("second").try_acquire_or_renew()
    leases = client.CoordinationV1Api(api)
    lease = await leases.read_namespaced_lease("leader", namespace)
    assert lease.spec.holder_identity == "first"
    async with asyncio.timeout(DEADLINE):
        renewed = lease
        while renewed.spec.renew_time == lease.spec.renew_time:
            renewed = await leases.read_namespaced_lease("leader", namespace)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
