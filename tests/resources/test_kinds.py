"""The kinds each version serves, and the structure behind them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from orchestrator.resources.definitions import (
    Definitions,
    available_versions,
    definitions,
    published_definitions,
)
from orchestrator.resources.kinds import Kind, registry, subresource

VERSIONS = ["1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37"]


@pytest.mark.parametrize("version", [v for v in VERSIONS if v in available_versions()])
def test_every_stable_kind_of_the_definitions_is_served(version: str) -> None:
    """A type with a v1 or v2 of its own is in the table, unless it is only a request's body."""
    bodies = {"APIGroup", "APIVersions", "Eviction", "Scale", "Status", "TokenRequest"}
    stable = {
        entry
        for entry in definitions(version).kinds
        if entry[1] in {"v1", "v2"} and not entry[2].endswith("List") and entry[2] not in bodies
    }
    served = {(kind.group, kind.version, kind.kind) for kind in registry(version).kinds()}
    old = {entry for entry in served if entry[1] == "v1beta3"}
    assert served - old == stable
    flow = "flowcontrol.apiserver.k8s.io"
    kept = {(flow, "v1beta3", "FlowSchema"), (flow, "v1beta3", "PriorityLevelConfiguration")}
    assert old == (kept if version == "1.31" else set())


@pytest.mark.parametrize("version", available_versions())
def test_kinds_are_found_as_if_all_was_read(version: str) -> None:
    """In the order of the document, though it is only searched for where they are named."""
    read = [
        ((kinds[0]["group"], kinds[0]["version"], kinds[0]["kind"]), name)
        for name, definition in published_definitions(version).items()
        if len(kinds := definition.get("x-kubernetes-group-version-kind", ())) == 1
    ]
    assert list(definitions(version).kinds.items()) == read


def test_a_document_that_cannot_be_searched_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be set in another way one day."""
    monkeypatch.setattr("orchestrator.resources.definitions.find_kinds", lambda _: {})
    read = Definitions("1.35")
    assert read.kinds == definitions("1.35").kinds


@pytest.mark.parametrize(
    ("version", "resource", "expected"),
    [
        ("1.32", "servicecidrs.networking.k8s.io", False),
        ("1.33", "servicecidrs.networking.k8s.io", True),
        ("1.33", "resourceclaims.resource.k8s.io", False),
        ("1.34", "resourceclaims.resource.k8s.io", True),
    ],
)
def test_a_kind_is_served_since_its_version(version: str, resource: str, expected: bool) -> None:
    """New kinds appear with the version that made them stable."""
    assert (resource in {kind.resource for kind in registry(version).kinds()}) is expected


def test_deployments_are_what_discovery_says() -> None:
    """One row in full."""
    assert registry("1.35").by_resource("apps", "v1", "deployments") == Kind(
        group="apps",
        version="v1",
        kind="Deployment",
        plural="deployments",
        singular="deployment",
        namespaced=True,
        short_names=("deploy",),
        categories=("all",),
        verbs=(
            "create",
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "update",
            "watch",
        ),
        subresources=("scale", "status"),
        definition="io.k8s.api.apps.v1.Deployment",
        release="1.35",
    )


def test_lookups_agree() -> None:
    """By path, by the object's own words and by the store's name."""
    kinds = registry()
    for kind in kinds.kinds():
        assert kinds.by_resource(kind.group, kind.version, kind.plural) is kind
        assert kinds.by_kind(kind.api_version, kind.kind) is kind
        assert kinds.by_key(kind.resource).kind == kind.kind
    assert kinds.by_resource("apps", "v1", "nothing") is None
    assert kinds.by_kind("v1", "Nothing") is None
    with pytest.raises(KeyError):
        kinds.by_key("nothing")


def test_the_preferred_version_comes_first() -> None:
    """HorizontalPodAutoscalers are served in two versions and stored in the newer."""
    kinds = registry()
    assert kinds.groups()["autoscaling"] == ("v2", "v1")
    assert kinds.by_key("horizontalpodautoscalers.autoscaling").version == "v2"


def test_short_names_are_unique_but_for_events() -> None:
    """A short name leads kubectl to one kind; both Event kinds share theirs upstream too."""
    found: dict[str, set[str]] = {}
    for kind in registry().kinds():
        for name in kind.short_names:
            found.setdefault(name, set()).add(kind.plural)
    assert all(len(plurals) == 1 for plurals in found.values())


def test_every_subresource_is_described() -> None:
    """What a kind lists has a kind and verbs of its own."""
    for kind in registry().kinds():
        for name in kind.subresources:
            described = subresource(kind, name)
            assert described.kind
            assert described.verbs
    pods = registry().by_key("pods")
    assert subresource(pods, "eviction").group == "policy"
    assert subresource(pods, "proxy").kind == "PodProxyOptions"
    assert subresource(pods, "status").kind == "Pod"


def test_further_kinds_can_be_added() -> None:
    """Custom kinds make a new registry and leave the old one alone."""
    custom = Kind("example.com", "v1", "Widget", "widgets", "widget", namespaced=True)
    extended = registry().extended([custom])
    assert extended.by_key("widgets.example.com") is custom
    assert registry().by_kind("example.com/v1", "Widget") is None


def test_structure_follows_references() -> None:
    """The facts that patches and decoding live on."""
    schema = definitions().schema_of(registry().by_key("pods"))
    pod = schema.fields["spec"].fields
    containers = pod["containers"]
    assert (containers.type, containers.merge_key, containers.map_keys) == (
        "array",
        "name",
        ("name",),
    )
    assert containers.items is not None
    ports = containers.items.fields["ports"]
    assert ports.map_keys == ("containerPort", "protocol")
    limits = containers.items.fields["resources"].fields["limits"]
    assert limits.additional is not None
    assert limits.additional.is_quantity
    assert pod["nodeSelector"].map_type == "atomic"
    assert pod["volumes"].patch_strategy == "merge,retainKeys"
    service = definitions().schema_of(registry().by_key("services")).fields["spec"].fields
    assert service["ports"].items is not None
    assert service["ports"].items.fields["targetPort"].is_int_or_string
    assert "selector" in definitions().definition("io.k8s.api.apps.v1.DeploymentSpec").required


def test_recursive_types_are_finite() -> None:
    """A schema that contains itself is one node."""
    crd = definitions().schema_of(
        registry().by_key("customresourcedefinitions.apiextensions.k8s.io")
    )
    versions = crd.fields["spec"].fields["versions"].items
    assert versions is not None
    schema = versions.fields["schema"].fields["openAPIV3Schema"]
    inner = schema.fields["not"]
    assert inner.fields["not"] is inner
    assert schema.fields["default"].is_free_form


def test_an_unknown_version_says_which_there_are() -> None:
    """The error names what this installation has."""
    with pytest.raises(ValueError, match=r"no definitions for Kubernetes 9\.9; .* 1\.35"):
        published_definitions("9.9")


def test_importing_reads_nothing() -> None:
    """Start-up pays for definitions only when they are asked for."""
    code = (
        "import sys\n"
        "from orchestrator.resources import decoding, kinds, strategies\n"
        "from orchestrator.resources.definitions import definitions\n"
        "assert definitions.cache_info().currsize == 0\n"
        "kinds.registry()\n"
        "assert 'kubernetes_validate' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
