"""Patches of stored objects: only what a patch touches is read again."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from orchestrator.store import Store

PODS = "/api/v1/namespaces/default/pods"
TYPES = ("application/merge-patch+json", "application/strategic-merge-patch+json")


def _pod() -> dict[str, Any]:
    return {
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    }


@pytest.mark.parametrize("form", TYPES)
async def test_a_status_patch_shares_the_spec_with_the_object_before(
    client: httpx.AsyncClient, store: Store, form: str
) -> None:
    """It is neither decoded, nor copied, nor written to the log again."""
    await client.post(PODS, json=_pod())
    before = store.get("pods", "default", "web") or {}
    answer = await client.patch(
        f"{PODS}/web/status",
        json={"status": {"phase": "Running"}},
        headers={"content-type": form},
    )
    after = store.get("pods", "default", "web") or {}
    assert answer.json()["status"]["phase"] == after["status"]["phase"] == "Running"
    assert after["spec"] is before["spec"]
    assert list(after) == list(before)
    managers = {entry.get("subresource", "") for entry in after["metadata"]["managedFields"]}
    assert managers == {"", "status"}


@pytest.mark.parametrize("form", TYPES)
async def test_unknown_fields_of_a_patch_are_told_and_dropped(
    client: httpx.AsyncClient, store: Store, form: str
) -> None:
    """Beside parts that are kept and inside those that are touched."""
    await client.post(PODS, json=_pod())
    answer = await client.patch(
        f"{PODS}/web",
        json={"colour": "green", "metadata": {"labels": {"app": "db"}, "shade": "dark"}},
        headers={"content-type": form},
    )
    assert answer.status_code == 200, answer.text
    assert set(answer.headers.get_list("warning", split_commas=True)) == {
        '299 - "unknown field \\"colour\\""',
        '299 - "unknown field \\"metadata.shade\\""',
    }
    stored = store.get("pods", "default", "web") or {}
    assert "colour" not in stored
    assert "shade" not in stored["metadata"]
    assert stored["metadata"]["labels"] == {"app": "db"}


@pytest.mark.parametrize("form", TYPES)
async def test_a_bad_label_in_a_patch_is_refused(client: httpx.AsyncClient, form: str) -> None:
    """Metadata is validated although the spec is as it was."""
    await client.post(PODS, json=_pod())
    answer = await client.patch(
        f"{PODS}/web",
        json={"metadata": {"labels": {"app": "not a label"}}},
        headers={"content-type": form},
    )
    assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")


DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
APPLY = {"content-type": "application/apply-patch+yaml"}
MERGE = {"content-type": "application/merge-patch+json"}
JSON = {"content-type": "application/json-patch+json"}
STRATEGIC = {"content-type": "application/strategic-merge-patch+json"}


def _deployment(**spec: Any) -> dict[str, Any]:
    labels = {"app": "web"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
            **spec,
        },
    }


def _managers(obj: dict[str, Any]) -> dict[tuple[str, str, str], Any]:
    return {
        (entry["manager"], entry["operation"], entry.get("subresource", "")): entry["fieldsV1"]
        for entry in obj["metadata"].get("managedFields", ())
    }


@pytest.mark.parametrize(
    ("headers", "body", "query", "message"),
    [
        (
            JSON,
            b"{}",
            "",
            (
                "error decoding patch: json: cannot unmarshal object into Go value of type "
                "[]handlers.jsonPatchOp"
            ),
        ),
        (
            JSON,
            b"{}",
            "?fieldValidation=Ignore",
            "json: cannot unmarshal object into Go value of type jsonpatch.Patch",
        ),
        (
            JSON,
            b"[1]",
            "",
            (
                "error decoding patch: json: cannot unmarshal number into Go value of type "
                "handlers.jsonPatchOp"
            ),
        ),
        (MERGE, b"", "", "error decoding patch: unexpected end of JSON input"),
        (
            MERGE,
            b"[]",
            "",
            (
                "error decoding patch: json: cannot unmarshal array into Go value of type "
                "map[string]interface {}"
            ),
        ),
        (
            STRATEGIC,
            b"[]",
            "",
            "json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
        (
            APPLY,
            b"[]",
            "?fieldManager=me",
            (
                "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot "
                "unmarshal array into Go value of type map[string]interface {}"
            ),
        ),
        (
            APPLY,
            b"apiVersion: apps/v1beta1\nkind: Deployment\n",
            "?fieldManager=me",
            (
                "Incorrect version specified in apply patch. Specified patch version: "
                "apps/v1beta1, expected: apps/v1"
            ),
        ),
        (
            APPLY,
            b"apiVersion: apps/v1\nkind: Deployment\nmetadata: {managedFields: []}\n",
            "?fieldManager=me",
            "metadata.managedFields must be nil",
        ),
    ],
)
async def test_bodies_that_are_no_patch(
    client: httpx.AsyncClient, headers: dict[str, str], body: bytes, query: str, message: str
) -> None:
    """400 in upstream's words, which differ by form and validation."""
    await client.post(DEPLOYMENTS, json=_deployment())
    answer = await client.patch(f"{DEPLOYMENTS}/web{query}", content=body, headers=headers)
    assert (answer.status_code, answer.json()["message"]) == (400, message)


@pytest.mark.parametrize(
    ("headers", "body", "problem"),
    [
        (
            JSON,
            b'[{"op":"add","path":"/metadata/labels","value":{},"x":1}]',
            'json patch unknown field "[0].x"',
        ),
        (JSON, b'[{"op":"add","path":"/spec/color","value":1}]', 'unknown field "spec.color"'),
        (MERGE, b'{"spec":{"replicas":1,"replicas":2}}', 'duplicate field "spec.replicas"'),
        (STRATEGIC, b'{"spec":{"color":1}}', 'unknown field "spec.color"'),
    ],
)
async def test_strict_validation_refuses_what_warn_tells(
    client: httpx.AsyncClient, headers: dict[str, str], body: bytes, problem: str
) -> None:
    """Problems of the patch itself, and of what it makes."""
    await client.post(DEPLOYMENTS, json=_deployment())
    strict = await client.patch(
        f"{DEPLOYMENTS}/web?fieldValidation=Strict", content=body, headers=headers
    )
    assert strict.status_code == 422
    assert strict.json()["message"].endswith(f": strict decoding error: {problem}")
    assert strict.json()["details"]["causes"][0]["field"] == "patch"
    told = await client.patch(f"{DEPLOYMENTS}/web", content=body, headers=headers)
    assert told.status_code == 200
    warning = f'299 - "{problem}"'.replace('"', '\\"').replace('\\"', '"', 1)
    assert warning[:-2] in told.headers["warning"]


async def test_applied_yaml_with_keys_twice(client: httpx.AsyncClient) -> None:
    """The last one holds; Warn tells, Strict refuses."""
    body = b"apiVersion: v1\nkind: ConfigMap\ndata:\n  a: x\n  a: y\n"
    path = "/api/v1/namespaces/default/configmaps/m?fieldManager=me"
    strict = await client.patch(f"{path}&fieldValidation=Strict", content=body, headers=APPLY)
    assert strict.status_code == 400
    assert strict.json()["message"] == (
        "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n"
        '  line 5: key "a" already set in map'
    )
    told = await client.patch(path, content=body, headers=APPLY)
    assert told.status_code == 201
    assert told.json()["data"] == {"a": "y"}
    assert told.headers["warning"] == '299 - "line 5: key \\"a\\" already set in map"'


async def test_conflicts_name_manager_version_and_field(client: httpx.AsyncClient) -> None:
    """As upstream: one cause for each field, and force takes them over."""
    await client.post(
        f"{DEPLOYMENTS}?fieldManager=kubectl-client-side-apply", json=_deployment(replicas=3)
    )
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 5}}
    path = f"{DEPLOYMENTS}/web?fieldManager=me"
    refused = await client.patch(path, json=body, headers=APPLY)
    assert refused.status_code == 409
    status = refused.json()
    assert status["message"] == (
        'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: '
        ".spec.replicas"
    )
    assert status["details"]["causes"] == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl-client-side-apply" using apps/v1',
            "field": ".spec.replicas",
        }
    ]
    tried = await client.patch(f"{path}&force=true&dryRun=All", json=body, headers=APPLY)
    assert tried.json()["spec"]["replicas"] == 5
    assert (await client.get(f"{DEPLOYMENTS}/web")).json()["spec"]["replicas"] == 3
    forced = (await client.patch(f"{path}&force=true", json=body, headers=APPLY)).json()
    assert forced["spec"]["replicas"] == 5
    assert _managers(forced)[("me", "Apply", "")] == {"f:spec": {"f:replicas": {}}}
    again = (await client.patch(path, json=body, headers=APPLY)).json()
    assert again == forced


async def test_scaling_is_tracked_on_the_object(client: httpx.AsyncClient) -> None:
    """Under the subresource, in the object's version; whoever set the replicas before lost them."""
    await client.post(f"{DEPLOYMENTS}?fieldManager=creator", json=_deployment(replicas=1))
    path = f"{DEPLOYMENTS}/web/scale"
    scale = (await client.get(path)).json()
    scale["spec"]["replicas"] = 4
    answer = await client.put(f"{path}?fieldManager=scaler", json=scale)
    assert answer.status_code == 200, answer.text
    obj = (await client.get(f"{DEPLOYMENTS}/web")).json()
    assert obj["spec"]["replicas"] == 4
    managers = _managers(obj)
    assert managers[("scaler", "Update", "scale")] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in managers[("creator", "Update", "")]["f:spec"]
    [entry] = [e for e in obj["metadata"]["managedFields"] if e["manager"] == "scaler"]
    assert entry["apiVersion"] == "apps/v1"
    unchanged = await client.patch(f"{path}?fieldManager=x", json={}, headers=MERGE)
    assert unchanged.json()["metadata"]["resourceVersion"] == obj["metadata"]["resourceVersion"]


async def test_scales_are_applied_with_conflicts(client: httpx.AsyncClient) -> None:
    """With those who own the replicas of the object, by whatever way they set them."""
    await client.post(f"{DEPLOYMENTS}?fieldManager=creator", json=_deployment(replicas=1))
    path = f"{DEPLOYMENTS}/web/scale?fieldManager=me"
    body = {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 2}}
    refused = await client.patch(path, json=body, headers=APPLY)
    assert refused.status_code == 409
    assert refused.json()["message"] == (
        'Apply failed with 1 conflict: conflict with "creator" using apps/v1: .spec.replicas'
    )
    forced = await client.patch(f"{path}&force=true", json=body, headers=APPLY)
    assert forced.json()["spec"]["replicas"] == 2
    obj = (await client.get(f"{DEPLOYMENTS}/web")).json()
    assert _managers(obj)[("me", "Apply", "scale")] == {"f:spec": {"f:replicas": {}}}
    applied = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3}}
    other = await client.patch(f"{DEPLOYMENTS}/web?fieldManager=other", json=applied, headers=APPLY)
    assert other.json()["message"].startswith(
        'Apply failed with 1 conflict: conflict with "me" with subresource "scale"'
    )
    wrong = await client.patch(path, json={**body, "apiVersion": "v1"}, headers=APPLY)
    assert wrong.status_code == 400


async def test_managed_fields_are_stripped_on_request_only(client: httpx.AsyncClient) -> None:
    """One empty entry strips them; an empty list, which old clients send, does not."""
    await client.post(DEPLOYMENTS, json=_deployment())
    path = f"{DEPLOYMENTS}/web"
    kept = await client.patch(path, json={"metadata": {"managedFields": []}}, headers=MERGE)
    assert kept.json()["metadata"]["managedFields"]
    gone = await client.patch(path, json={"metadata": {"managedFields": [{}]}}, headers=MERGE)
    assert "managedFields" not in gone.json()["metadata"]
    still = await client.patch(path, json={"spec": {"replicas": 2}}, headers=MERGE)
    assert "managedFields" not in still.json()["metadata"]
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"labels": {"a": "b"}}}
    applied = await client.patch(f"{path}?fieldManager=me", json=body, headers=APPLY)
    assert {manager for manager, _, _ in _managers(applied.json())} == {"me", "before-first-apply"}


async def test_a_patch_that_changes_nothing_is_not_written(client: httpx.AsyncClient) -> None:
    """Not even a timestamp, in any form."""
    created = (await client.post(DEPLOYMENTS, json=_deployment(replicas=2))).json()
    version = created["metadata"]["resourceVersion"]
    operation = [{"op": "replace", "path": "/spec/replicas", "value": 2}]
    for headers, body in (
        (MERGE, {"spec": {"replicas": 2}}),
        (STRATEGIC, {"spec": {"template": {"spec": {"containers": [{"name": "web"}]}}}}),
        (JSON, operation),
    ):
        answer = await client.patch(f"{DEPLOYMENTS}/web", json=body, headers=headers)
        assert answer.json()["metadata"]["resourceVersion"] == version, headers


async def test_json_patches_are_bounded(client: httpx.AsyncClient) -> None:
    """10,000 operations, as upstream."""
    await client.post(DEPLOYMENTS, json=_deployment())
    operations = [{"op": "test", "path": "/spec/replicas", "value": 1}] * 10_001
    answer = await client.patch(f"{DEPLOYMENTS}/web", json=operations, headers=JSON)
    assert answer.status_code == 413
    assert answer.json()["message"] == (
        "Request entity is too large: The allowed maximum operations in a JSON patch is 10000, got "
        "10001"
    )
    for path in ("", "spec", "/spec/none/here"):
        body: list[dict[str, Any]] = [{"op": "replace", "path": path, "value": {}}]
        answer = await client.patch(f"{DEPLOYMENTS}/web", json=body, headers=JSON)
        assert (answer.status_code, answer.json()["message"]) == (
            422,
            "the server rejected our request due to an error in our request",
        )


SCALERS = "namespaces/default/horizontalpodautoscalers/web"


def _scaler(version: str, **spec: Any) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {
        "apiVersion": f"autoscaling/{version}",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 3, **spec},
    }


def _cpu(percent: int) -> list[dict[str, Any]]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


async def test_managers_are_compared_in_their_own_version(client: httpx.AsyncClient) -> None:
    """What one version calls a number is a list in another: it is the same setting."""
    applied = await client.patch(
        f"/apis/autoscaling/v2/{SCALERS}?fieldManager=two",
        json=_scaler("v2", metrics=_cpu(50)),
        headers=APPLY,
    )
    assert applied.status_code == 201, applied.text
    one = f"/apis/autoscaling/v1/{SCALERS}?fieldManager=one"
    body = _scaler("v1", targetCPUUtilizationPercentage=80)
    refused = await client.patch(one, json=body, headers=APPLY)
    assert refused.status_code == 409
    assert refused.json()["message"] == (
        'Apply failed with 1 conflict: conflict with "two": .spec.metrics'
    )
    forced = await client.patch(f"{one}&force=true", json=body, headers=APPLY)
    assert forced.status_code == 200, forced.text
    owned = _managers(forced.json())
    assert "f:metrics" not in owned[("two", "Apply", "")]["f:spec"]
    assert owned[("one", "Apply", "")]["f:spec"]["f:targetCPUUtilizationPercentage"] == {}
    versions = {e["manager"]: e["apiVersion"] for e in forced.json()["metadata"]["managedFields"]}
    assert versions == {"one": "autoscaling/v1", "two": "autoscaling/v2"}
    same = await client.patch(
        f"/apis/autoscaling/v1/{SCALERS}?fieldManager=two", json=_scaler("v1"), headers=APPLY
    )
    assert same.status_code == 200, same.text
    assert same.json()["spec"]["targetCPUUtilizationPercentage"] == 80


async def test_what_was_applied_in_another_version_is_removed(client: httpx.AsyncClient) -> None:
    """Once it is not applied any more, in whatever version that is said."""
    path = f"{SCALERS}?fieldManager=me"
    body = _scaler("v2", minReplicas=2, metrics=_cpu(50))
    await client.patch(f"/apis/autoscaling/v2/{path}", json=body, headers=APPLY)
    await client.patch(
        f"/apis/autoscaling/v1/{path}",
        json=_scaler("v1", targetCPUUtilizationPercentage=50),
        headers=APPLY,
    )
    spec = (await client.get(f"/apis/autoscaling/v2/{SCALERS}")).json()["spec"]
    assert spec.get("minReplicas", 1) == 1
    assert spec["metrics"] == _cpu(50)


async def test_managers_of_versions_that_are_gone_own_nothing(
    client: httpx.AsyncClient, store: Store
) -> None:
    """Nobody could say what their fields are."""
    body = _scaler("v2", minReplicas=2)
    await client.post(f"/apis/autoscaling/v2/{SCALERS.rpartition('/')[0]}", json=body)
    obj = store.get("horizontalpodautoscalers.autoscaling", "default", "web") or {}
    entry = {**obj["metadata"]["managedFields"][0], "apiVersion": "autoscaling/v2beta1"}
    path = f"/apis/autoscaling/v2/{SCALERS}"
    await client.patch(path, json={"metadata": {"managedFields": [entry]}}, headers=MERGE)
    answer = await client.patch(
        f"{path}?fieldManager=me", json=_scaler("v2", minReplicas=3), headers=APPLY
    )
    assert answer.status_code == 200, answer.text
    assert [manager for manager, _, _ in _managers(answer.json())] == ["me"]


async def test_owners_are_named_once(client: httpx.AsyncClient) -> None:
    """What is the same twice is kept once, with upstream's warning, however it is written."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u-1"}
    other = {**owner, "name": "m"}
    path = "/api/v1/namespaces/default/configmaps"
    body = {"metadata": {"name": "m", "ownerReferences": [owner, owner, other]}}
    created = await client.post(path, json=body)
    assert created.status_code == 201, created.text
    assert created.json()["metadata"]["ownerReferences"] == [owner, other]
    assert created.headers["warning"].endswith('duplicate UID(s) observed: u-1"')
    replaced = await client.put(f"{path}/m", json=body)
    assert replaced.json()["metadata"]["ownerReferences"] == [owner, other]
    patch = [{"op": "add", "path": "/metadata/ownerReferences/-", "value": other}]
    patched = await client.patch(f"{path}/m", json=patch, headers=JSON)
    assert patched.json()["metadata"]["ownerReferences"] == [owner, other]
    assert "after mutating admission happens" in patched.headers["warning"]
