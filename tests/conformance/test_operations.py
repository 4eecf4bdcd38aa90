"""Every kind with its whole set of operations, as the suite's tests «API operations» ask for them.

Upstream has one test for each kind, which all do the same: discovery, create, get, list in one and
all namespaces, watch, patch, update, the status, delete, deletecollection.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.testing import virtual
from tests.conformance.cluster import JSON_PATCH, STRATEGIC_PATCH, Api, served
from tests.conformance.kinds import SAMPLES, Sample

VERBS = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
ONE, ALL = "test=one", "suite=yes"


def named(sample: Sample, number: int, namespace: str = "ops") -> dict[str, Any]:
    """Return the sample's object of that number."""
    name = f"10.96.77.{number}" if sample.resource == "ipaddresses" else f"object-{number}"
    body = json.dumps(sample.body).replace("NAMESPACE", namespace)
    body = body.replace("NETWORK", f"10.1.{number}.0")
    labels = {"suite": "yes", "test": "one" if number == 1 else "others"}
    if sample.resource == "ipaddresses":
        labels |= {
            "ipaddress.kubernetes.io/ip-family": "IPv4",
            "ipaddress.kubernetes.io/managed-by": "e2e",
        }
    return {"metadata": {"name": name, "labels": labels}, **json.loads(body)}


def holds(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Tell whether a status has what was written; controllers may have added conditions."""
    for key, value in wanted.items():
        if key == "conditions":
            if any(one not in found[key] for one in value):
                return False
        elif found.get(key) != value:
            return False
    return True


async def discovered(api: Api, sample: Sample) -> None:
    """Find the kind in the discovery documents."""
    if sample.group:
        groups = (await api.get("/apis"))["groups"]
        (group,) = [one for one in groups if one["name"] == sample.group]
        assert sample.version in [one["groupVersion"] for one in group["versions"]]
        alone = await api.get(f"/apis/{sample.group}")
        assert alone == {"kind": "APIGroup", "apiVersion": "v1", **group}
    resources = await api.get(sample.prefix)
    assert resources["groupVersion"] == sample.version
    found = {one["name"]: one for one in resources["resources"]}
    assert set(found[sample.resource]["verbs"]) == VERBS
    assert found[sample.resource]["namespaced"] is sample.namespaced
    if sample.status is not None:
        assert set(found[f"{sample.resource}/status"]["verbs"]) == {"get", "patch", "update"}


async def status_written(api: Api, sample: Sample, path: str) -> None:
    """Read, patch and replace the status; the rest is left alone."""
    before = await api.get(f"{path}/status")
    patch = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": sample.status}
    patched = await api.patch(f"{path}/status", patch)
    assert sample.status is not None
    assert holds(patched["status"], sample.status)
    annotations = patched["metadata"]["annotations"]
    assert annotations.get("patchedstatus") == (None if sample.status_only else "true")
    assert patched.get("spec") == before.get("spec")
    annotations["updatedstatus"] = "true"
    await api.put(f"{path}/status", patched)
    read = await api.get(f"{path}/status")
    annotations = read["metadata"]["annotations"]
    assert annotations.get("updatedstatus") == (None if sample.status_only else "true")
    assert holds(read["status"], sample.status)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.path.split("/", 2)[2])
@virtual
async def test_a_kind_has_all_operations(sample: Sample) -> None:
    """Upstream: «should support API operations», «lifecycle», «delete a collection», «status»."""
    async with served(nodes=0) as api:
        await discovered(api, sample)
        for namespace in ("ops", "other"):
            await api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
        here = sample.collection("ops")
        everywhere = f"{sample.prefix}/{sample.resource}?labelSelector={ALL}"
        async with api.watching(f"{here}?labelSelector={ALL}") as watch:
            made = [await api.create(here, named(sample, number)) for number in (1, 2, 3)]
            assert len({one["metadata"]["uid"] for one in made}) == 3
            assert all(one["apiVersion"] == sample.version for one in made)
            await watch.until(lambda _: watch.types.count("ADDED") == 3)

            name = made[0]["metadata"]["name"]
            path = f"{here}/{name}"
            read = await api.get(path)
            assert read["metadata"]["uid"] == made[0]["metadata"]["uid"]
            assert await api.names(f"{here}?labelSelector={ONE}") == [name]
            assert await api.names(f"{here}?fieldSelector=metadata.name={name}") == [name]
            assert len(await api.items(everywhere)) == 3
            if sample.namespaced:
                await api.create(sample.collection("other"), named(sample, 4, "other"))
                assert len(await api.items(everywhere)) == 4
                assert len(await api.items(f"{here}?labelSelector={ALL}")) == 3

            for form, patch in (
                ("application/merge-patch+json", {"metadata": {"annotations": {"a": "1"}}}),
                (STRATEGIC_PATCH, {"metadata": {"annotations": {"b": "2"}}}),
                (JSON_PATCH, [{"op": "add", "path": "/metadata/annotations/c", "value": "3"}]),
            ):
                patched = await api.patch(path, patch, form=form)
            assert {"a": "1", "b": "2", "c": "3"}.items() <= patched["metadata"][
                "annotations"
            ].items()
            current = await api.get(path)
            current["metadata"]["annotations"]["updated"] = "true"
            updated = await api.put(path, current)
            assert updated["metadata"]["annotations"]["updated"] == "true"
            if sample.status is not None:
                await status_written(api, sample, path)
            await watch.until(
                lambda events: any(
                    event["type"] == "MODIFIED"
                    and event["object"]["metadata"].get("annotations", {}).get("updated") == "true"
                    for event in events
                )
            )

            await api.delete(path)
            if sample.resource in ("persistentvolumes", "servicecidrs", "persistentvolumeclaims"):
                for number in (1, 2, 3):  # finalizers protect these; nobody uses them
                    await api.client.patch(
                        f"{here}/object-{number}",
                        json={"metadata": {"finalizers": None}},
                        headers={"content-type": "application/merge-patch+json"},
                    )
            await api.gone(path)
            missing = await api.get(path, 404)
            assert missing["reason"] == "NotFound"
            assert missing["details"]["name"] == name
            assert sorted(await api.names(f"{here}?labelSelector={ALL}")) == sorted(
                one["metadata"]["name"] for one in made[1:]
            )
            await api.delete(f"{here}?labelSelector={ALL}")
            await api.until(f"{here}?labelSelector={ALL}", lambda found: not found["items"])
            await watch.until(lambda events: watch.types.count("DELETED") == 3)
            assert watch.versions == sorted(watch.versions, key=int)
        if sample.namespaced:
            assert len(await api.items(everywhere)) == 1
