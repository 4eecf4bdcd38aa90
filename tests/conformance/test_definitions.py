"""CustomResourceDefinitions as objects: discovery, lists, status, watches of their instances."""

from __future__ import annotations

from typing import Any

from actors.testing import virtual
from tests.conformance.cluster import Api, served

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "e2e.example.com"


def definition(number: int) -> dict[str, Any]:
    """A definition with a label."""
    return {
        "metadata": {"name": f"tests{number}.{GROUP}", "labels": {"e2e": "yes"}},
        "spec": {
            "group": GROUP,
            "scope": "Cluster",
            "names": {"plural": f"tests{number}", "kind": f"Test{number}"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "x-kubernetes-preserve-unknown-fields": True,
                        }
                    },
                }
            ],
        },
    }


async def defined(api: Api, number: int) -> str:
    """Create a definition and wait until it is served; returns its path."""
    path = f"{CRDS}/tests{number}.{GROUP}"
    await api.create(CRDS, definition(number))
    await api.until(
        path,
        lambda found: any(
            (one["type"], one["status"]) == ("Established", "True")
            for one in found.get("status", {}).get("conditions") or []
        ),
    )
    return path


@virtual
async def test_definitions_are_found_by_label_and_deleted_by_it() -> None:
    """Upstream: Custom Resource Definition, list; create; discovery."""
    async with served(nodes=0) as api:
        listed = (await api.get("/apis/apiextensions.k8s.io/v1"))["resources"]
        assert "customresourcedefinitions/status" in [one["name"] for one in listed]
        for number in range(3):
            await defined(api, number)
        assert len(await api.items(f"{CRDS}?labelSelector=e2e=yes")) == 3
        await api.delete(f"{CRDS}?labelSelector=e2e=yes")
        await api.until(f"{CRDS}?labelSelector=e2e=yes", lambda found: not found["items"])


@virtual
async def test_the_status_of_a_definition_is_read_replaced_and_patched() -> None:
    """Upstream: Custom Resource Definition, status sub-resource."""
    async with served(nodes=0) as api:
        path = await defined(api, 1)
        found = await api.get(f"{path}/status")
        condition = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "m"}
        found["status"]["conditions"].append(condition)
        updated = await api.put(f"{path}/status", found)
        assert "StatusUpdate" in [one["type"] for one in updated["status"]["conditions"]]
        conditions = [*updated["status"]["conditions"], {**condition, "type": "StatusPatched"}]
        patched = await api.patch(f"{path}/status", {"status": {"conditions": conditions}})
        assert "StatusPatched" in [one["type"] for one in patched["status"]["conditions"]]


@virtual
async def test_instances_are_watched_from_creation_to_deletion() -> None:
    """Upstream: Custom Resource Definition, watch."""
    async with served(nodes=0) as api:
        await defined(api, 1)
        objects = f"/apis/{GROUP}/v1/tests1"
        async with api.watching(objects) as watch:
            body = {"apiVersion": f"{GROUP}/v1", "kind": "Test1", "metadata": {"name": "a"}}
            await api.create(objects, body)
            await api.patch(f"{objects}/a", {"metadata": {"labels": {"x": "y"}}})
            await api.delete(f"{objects}/a")
            await watch.count(3)
            assert watch.types == ["ADDED", "MODIFIED", "DELETED"]
