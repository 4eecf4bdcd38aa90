"""The published OpenAPI documents: what clients look up in them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from orchestrator.resources.kinds import registry
from orchestrator.resources.openapi import openapi_v2, openapi_v3, openapi_v3_index

Document = dict[str, Any]


@pytest.fixture(scope="module")
def apps() -> Document:
    """The document of apps/v1."""
    return openapi_v3(registry(), "apps/v1")


@pytest.fixture(scope="module")
def swagger() -> Document:
    """The document of everything."""
    return openapi_v2(registry())


def test_the_index_names_every_group_and_version() -> None:
    """Core under api, the others under apis, each with a URL that changes with its content."""
    paths = openapi_v3_index(registry())["paths"]
    served = {
        f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"
        for kind in registry().kinds()
    }
    assert set(paths) == served
    url = paths["apis/apps/v1"]["serverRelativeURL"]
    assert re.fullmatch(r"/openapi/v3/apis/apps/v1\?hash=[0-9A-F]{64}", url)
    assert openapi_v3_index(registry("1.31"))["paths"]["apis/apps/v1"]["serverRelativeURL"] != url


def test_an_unserved_group_has_no_document() -> None:
    """KeyError, for the API to make a 404 of."""
    with pytest.raises(KeyError):
        openapi_v3(registry(), "nothing/v1")


def test_kubectl_finds_server_side_validation(apps: Document) -> None:
    """By fieldValidation and dryRun among the parameters of the kind's PATCH."""
    patch = apps["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == {
        "group": "apps",
        "kind": "Deployment",
        "version": "v1",
    }
    names = {parameter["name"] for parameter in patch["parameters"]}
    assert {"dryRun", "fieldManager", "fieldValidation", "force"} <= names
    assert "application/apply-patch+yaml" in patch["requestBody"]["content"]


@pytest.mark.parametrize("group_version", ["v1", "apps/v1", "apiextensions.k8s.io/v1"])
def test_every_reference_leads_somewhere(group_version: str) -> None:
    """A document holds all it refers to."""
    document = openapi_v3(registry(), group_version)
    found = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert found <= set(document["components"]["schemas"])


def test_every_reference_of_swagger_leads_somewhere(swagger: Document) -> None:
    """Likewise for the whole document."""
    found = set(re.findall(r'"#/definitions/([^"]+)"', json.dumps(swagger)))
    assert found <= set(swagger["definitions"])


def test_types_are_plain(apps: Document, swagger: Document) -> None:
    """No null beside a type, no pinned apiVersion or kind."""
    for text in (json.dumps(apps), json.dumps(swagger)):
        assert '"null"' not in text
        assert "$defs" not in text
    kind = swagger["definitions"]["io.k8s.api.apps.v1.Deployment"]["properties"]["kind"]
    assert kind["type"] == "string"
    assert "enum" not in kind


def test_quantities_and_int_or_string_have_their_published_form(
    apps: Document, swagger: Document
) -> None:
    """Each dialect's own."""
    quantity = "io.k8s.apimachinery.pkg.api.resource.Quantity"
    either = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
    assert swagger["definitions"][quantity]["type"] == "string"
    assert swagger["definitions"][either]["format"] == "int-or-string"
    assert apps["components"]["schemas"][quantity]["oneOf"] == [
        {"type": "string"},
        {"type": "number"},
    ]
    assert apps["components"]["schemas"][either]["format"] == "int-or-string"


def test_descriptions_are_there_for_explain(apps: Document) -> None:
    """Fields that refer to a type keep their own description beside the reference."""
    spec = apps["components"]["schemas"]["io.k8s.api.apps.v1.DeploymentSpec"]["properties"]
    assert spec["strategy"]["description"].startswith("The deployment strategy")
    assert spec["strategy"]["allOf"] == [
        {"$ref": "#/components/schemas/io.k8s.api.apps.v1.DeploymentStrategy"}
    ]


def test_operations_are_those_of_the_verbs(swagger: Document) -> None:
    """A kind has the paths and methods that discovery promises."""
    paths = swagger["paths"]
    for kind in registry().kinds():
        root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
        scope = "/namespaces/{namespace}" if kind.namespaced else ""
        collection = paths.get(f"{root}{scope}/{kind.plural}", {})
        item = paths.get(f"{root}{scope}/{kind.plural}/{{name}}", {})
        assert ("get" in collection) == ("list" in kind.verbs)
        assert ("post" in collection) == ("create" in kind.verbs)
        assert ("patch" in item) == ("patch" in kind.verbs)
        for name in kind.subresources:
            assert f"{root}{scope}/{kind.plural}/{{name}}/{name}" in paths


def test_operation_ids_are_unique(swagger: Document) -> None:
    """Code generators make one method of each."""
    found = [
        operation["operationId"]
        for path in swagger["paths"].values()
        for method, operation in path.items()
        if method != "parameters" and operation["x-kubernetes-action"] != "connect"
    ]
    assert len(found) == len(set(found))
