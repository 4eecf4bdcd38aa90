"""Namespaces: their own operations, and what becomes of their contents."""

from __future__ import annotations

from actors.testing import virtual
from tests.conformance.cluster import STRATEGIC_PATCH, served
from tests.conformance.kinds import TEMPLATE

SPACES = "/api/v1/namespaces"


@virtual
async def test_a_namespace_takes_its_pods_and_services_along() -> None:
    """Upstream: namespace-deletion-removes-pods, namespace-deletion-removes-services."""
    async with served() as api:
        space = {"metadata": {"name": "nsdeletetest"}}
        await api.create(SPACES, space)
        here = f"{SPACES}/nsdeletetest"
        await api.until(f"{here}/serviceaccounts/default", lambda found: "metadata" in found)
        pod = {"metadata": {"name": "test-pod"}, "spec": TEMPLATE["spec"]}
        await api.create(f"{here}/pods", pod)
        await api.until(
            f"{here}/pods/test-pod", lambda found: found["status"].get("phase") == "Running"
        )
        service = {"metadata": {"name": "test-service"}, "spec": {"ports": [{"port": 80}]}}
        await api.create(f"{here}/services", service)
        answer = await api.delete(here)
        assert answer["status"]["phase"] == "Terminating"
        refused = await api.create(f"{here}/services", {**service, "metadata": {"name": "b"}}, 403)
        assert refused["details"]["causes"][0]["reason"] == "NamespaceTerminating"
        await api.gone(here)
        await api.create(SPACES, space)
        assert await api.items(f"{here}/pods") == []
        assert await api.items(f"{here}/services") == []


@virtual
async def test_a_namespace_is_patched_and_updated() -> None:
    """Upstream: Namespace patching; Namespace, apply update to a namespace."""
    async with served(nodes=0) as api:
        made = await api.create(SPACES, {"metadata": {"generateName": "nspatch-"}})
        here = f"{SPACES}/{made['metadata']['name']}"
        patch = {"metadata": {"labels": {"testLabel": "testValue"}}}
        await api.patch(here, patch, form=STRATEGIC_PATCH)
        found = await api.get(here)
        assert found["metadata"]["labels"]["testLabel"] == "testValue"
        assert (
            found["metadata"]["labels"]["kubernetes.io/metadata.name"] == found["metadata"]["name"]
        )
        found["metadata"]["labels"]["updated"] = "yes"
        assert (await api.put(here, found))["metadata"]["labels"]["updated"] == "yes"


@virtual
async def test_the_status_of_a_namespace_is_read_patched_and_replaced() -> None:
    """Upstream: Namespace, apply changes to a namespace status."""
    async with served(nodes=0) as api:
        await api.create(SPACES, {"metadata": {"name": "a"}})
        read = await api.get(f"{SPACES}/a/status")
        assert read["status"] == {"phase": "Active"}
        condition = {"type": "StatusPatch", "status": "True", "reason": "E2E", "message": "Patched"}
        patched = await api.patch(
            f"{SPACES}/a/status",
            {"metadata": {"annotations": {"e2e": "x"}}, "status": {"conditions": [condition]}},
        )
        assert patched["metadata"]["annotations"]["e2e"] == "x"
        assert patched["status"]["conditions"][0]["type"] == "StatusPatch"
        patched["status"]["conditions"].append({**condition, "type": "StatusUpdate"})
        updated = await api.put(f"{SPACES}/a/status", patched)
        assert [one["type"] for one in updated["status"]["conditions"]] == [
            "StatusPatch",
            "StatusUpdate",
        ]


@virtual
async def test_a_finalizer_is_put_on_a_namespace_and_taken_off() -> None:
    """Upstream: Namespace, apply finalizer to a namespace."""
    async with served(nodes=0) as api:
        made = await api.create(SPACES, {"metadata": {"name": "a"}})
        assert made["spec"]["finalizers"] == ["kubernetes"]
        made["spec"]["finalizers"].append("e2e.example.com/fakeFinalizer")
        found = await api.put(f"{SPACES}/a/finalize", made)
        assert found["spec"]["finalizers"] == ["kubernetes", "e2e.example.com/fakeFinalizer"]
        found["spec"]["finalizers"].pop()
        await api.put(f"{SPACES}/a/finalize", found)
        assert (await api.get(f"{SPACES}/a"))["spec"]["finalizers"] == ["kubernetes"]
        await api.delete(f"{SPACES}/a")
        await api.gone(f"{SPACES}/a")


@virtual
async def test_a_collection_of_namespaces_cannot_be_deleted() -> None:
    """Upstream: Namespace lists, and no deletecollection in discovery."""
    async with served(nodes=0) as api:
        listed = await api.get("/api/v1")
        (kind,) = [one for one in listed["resources"] if one["name"] == "namespaces"]
        assert "deletecollection" not in kind["verbs"]
        await api.delete(SPACES, code=405)
