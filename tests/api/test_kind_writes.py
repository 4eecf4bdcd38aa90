"""Writes of kinds with rules of their own, over HTTP: refusals, subresources, replacements."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

STORAGE = "/apis/storage.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
MERGE = {"content-type": "application/merge-patch+json"}


def named(name: str = "a", **parts: Any) -> dict[str, Any]:
    """Return an object; its kind follows from where it is posted."""
    return {"metadata": {"name": name}, **parts}


async def test_a_refusal_names_every_cause(client: httpx.AsyncClient) -> None:
    """Code, reason, details and message as upstream's Status has them."""
    answer = await client.post(f"{STORAGE}/storageclasses", json=named(reclaimPolicy="Burn"))
    supported = 'Unsupported value: "Burn": supported values: "Delete", "Retain"'
    assert answer.json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": (
            'StorageClass.storage.k8s.io "a" is invalid: [provisioner: Required value, '
            f"reclaimPolicy: {supported}]"
        ),
        "reason": "Invalid",
        "details": {
            "name": "a",
            "group": "storage.k8s.io",
            "kind": "StorageClass",
            "causes": [
                {
                    "reason": "FieldValueRequired",
                    "message": "Required value",
                    "field": "provisioner",
                },
                {
                    "reason": "FieldValueNotSupported",
                    "message": supported,
                    "field": "reclaimPolicy",
                },
            ],
        },
        "code": 422,
    }


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{STORAGE}/csidrivers", {"spec": {}}),
        (f"{STORAGE}/csinodes", {"spec": {"drivers": []}}),
        (
            f"{STORAGE}/volumeattachments",
            {
                "spec": {
                    "attacher": "a.b",
                    "nodeName": "n1",
                    "source": {"persistentVolumeName": "v"},
                }
            },
        ),
        (f"{ADMISSION}/validatingwebhookconfigurations", {}),
        (f"{ADMISSION}/mutatingwebhookconfigurations", {}),
        (
            f"{ADMISSION}/validatingadmissionpolicybindings",
            {"spec": {"policyName": "p", "validationActions": ["Deny"]}},
        ),
        ("/apis/node.k8s.io/v1/runtimeclasses", {"handler": "h"}),
    ],
    ids=lambda one: one.rpartition("/")[2] if isinstance(one, str) else "",
)
async def test_some_replacements_must_name_a_version(
    client: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    """As upstream's strategies have it; with the version it is fine."""
    created = await client.post(path, json=named(**body))
    assert created.status_code == 201, created.text
    refused = await client.put(f"{path}/a", json=named(**body))
    assert refused.json()["details"]["causes"] == [
        {
            "reason": "FieldValueInvalid",
            "message": "Invalid value: 0: must be specified for an update",
            "field": "metadata.resourceVersion",
        }
    ]
    assert (await client.put(f"{path}/a", json=created.json())).status_code == 200


async def test_a_status_is_written_by_itself(client: httpx.AsyncClient) -> None:
    """A write to it takes no spec along, and one of the object no status."""
    path = "/apis/networking.k8s.io/v1/namespaces/default/ingresses"
    spec = {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}
    points = {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}
    created = await client.post(path, json=named(spec=spec, status=points))
    assert created.json()["status"] == {"loadBalancer": {}}
    changed = {"spec": {"ingressClassName": "x"}, "status": points}
    answer = await client.patch(f"{path}/a/status", json=changed, headers=MERGE)
    assert answer.json()["status"] == points
    assert answer.json()["spec"] == spec
    assert answer.json()["metadata"]["generation"] == 1
    answer = await client.patch(f"{path}/a", json={**changed, "status": None}, headers=MERGE)
    assert answer.json()["status"] == points
    assert answer.json()["metadata"]["generation"] == 2
    bad = {"status": {"loadBalancer": {"ingress": [{"ip": "x"}]}}}
    refused = await client.patch(f"{path}/a/status", json=bad, headers=MERGE)
    assert refused.status_code == 422


async def test_a_role_binding_keeps_its_role(client: httpx.AsyncClient) -> None:
    """Its subjects may change."""
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    role = {"kind": "ClusterRole", "name": "view"}
    await client.post(path, json=named(roleRef=role))
    subjects = {"subjects": [{"kind": "User", "name": "ann"}]}
    answer = await client.patch(f"{path}/a", json=subjects, headers=MERGE)
    assert answer.json()["subjects"][0]["apiGroup"] == "rbac.authorization.k8s.io"
    answer = await client.patch(f"{path}/a", json={"roleRef": {"name": "x"}}, headers=MERGE)
    assert answer.json()["message"].endswith(": cannot change roleRef")
