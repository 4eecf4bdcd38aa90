"""Discovery documents, beside what upstream publishes for the same kinds."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from orchestrator.api._discovery import Discovery
from orchestrator.resources.kinds import registry

GROUPS = [
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "flowcontrol.apiserver.k8s.io",
]


def document(path: str, version: str = "1.35", aggregated: str = "") -> Any:
    """Return a document of a server of one version."""
    found = Discovery(registry(version)).find(path, aggregated)
    assert found is not None
    return orjson.loads(found[0])


@pytest.mark.parametrize("version", ["1.31", "1.33", "1.34", "1.35", "1.36"])
def test_groups_stand_in_the_order_of_their_priority(version: str) -> None:
    """As upstream's aggregator sorts them; resource.k8s.io came with 1.34."""
    names = [group["name"] for group in document("/apis", version)["groups"]]
    assert names == [*GROUPS, *(["resource.k8s.io"] if version >= "1.34" else [])]


def test_autoscaling_prefers_its_second_version() -> None:
    """The one group of two versions."""
    assert document("/apis/autoscaling") == {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": "autoscaling",
        "versions": [
            {"groupVersion": "autoscaling/v2", "version": "v2"},
            {"groupVersion": "autoscaling/v1", "version": "v1"},
        ],
        "preferredVersion": {"groupVersion": "autoscaling/v2", "version": "v2"},
    }


def test_the_one_beta_of_1_31_is_served_there_only() -> None:
    """Flow control's v1beta3 was on by default until it was removed."""
    group = document("/apis/flowcontrol.apiserver.k8s.io", "1.31")
    assert [one["version"] for one in group["versions"]] == ["v1", "v1beta3"]
    group = document("/apis/flowcontrol.apiserver.k8s.io", "1.32")
    assert [one["version"] for one in group["versions"]] == ["v1"]


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("/api/v1", "pods", "xPOwRZ+Yhw8="),
        ("/api/v1", "events", "r2yiGXH7wu8="),
        ("/api/v1", "namespaces", "Q3oi5N2YM8M="),
        ("/api/v1", "componentstatuses", None),
        ("/api/v1", "bindings", None),
        ("/apis/autoscaling/v1", "horizontalpodautoscalers", "qwQve8ut294="),
        ("/apis/autoscaling/v2", "horizontalpodautoscalers", "qwQve8ut294="),
        (
            "/apis/certificates.k8s.io/v1",
            "certificatesigningrequests",
            "95fRKMXA+00=",
        ),
    ],
)
def test_hashes_of_the_storage_version_are_upstreams(
    path: str, name: str, expected: str | None
) -> None:
    """Taken from upstream's published discovery documents."""
    entry = next(one for one in document(path)["resources"] if one["name"] == name)
    assert entry.get("storageVersionHash") == expected


def test_the_core_groups_list_has_no_api_version() -> None:
    """An oddity of upstream's that other groups do not share."""
    core = document("/api/v1")
    assert list(core) == ["kind", "groupVersion", "resources"]
    assert core["groupVersion"] == "v1"
    assert document("/apis/apps/v1")["apiVersion"] == "v1"


def test_resources_and_subresources_of_signing_requests() -> None:
    """One whole list, as upstream publishes it."""
    every = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    name, kind = "certificatesigningrequests", "CertificateSigningRequest"
    part = {
        "singularName": "",
        "namespaced": False,
        "kind": kind,
        "verbs": ["get", "patch", "update"],
    }
    assert document("/apis/certificates.k8s.io/v1")["resources"] == [
        {
            "name": name,
            "singularName": "certificatesigningrequest",
            "namespaced": False,
            "kind": kind,
            "verbs": every,
            "shortNames": ["csr"],
            "storageVersionHash": "95fRKMXA+00=",
        },
        {"name": f"{name}/approval", **part},
        {"name": f"{name}/status", **part},
    ]


def test_aggregated_discovery_describes_subresources_of_other_groups() -> None:
    """A scale is another group's object."""
    apps = document("/apis", aggregated="v2")["items"][1]
    deployment = apps["versions"][0]["resources"][2]
    version = {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert deployment == {
        "resource": "deployments",
        "responseKind": version,
        "scope": "Namespaced",
        "singularResource": "deployment",
        "verbs": [
            "create",
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "update",
            "watch",
        ],
        "shortNames": ["deploy"],
        "categories": ["all"],
        "subresources": [
            {
                "subresource": "scale",
                "responseKind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
                "verbs": ["get", "patch", "update"],
            },
            {
                "subresource": "status",
                "responseKind": version,
                "verbs": ["get", "patch", "update"],
            },
        ],
    }
