"""What clients read when something is deprecated, unsupported or does not fit: upstream's words."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from orchestrator.api._deprecations import deprecation_warning
from orchestrator.resources.kinds import registry

DEFAULT = "/api/v1/namespaces/default"
STRATEGIC = {"content-type": "application/strategic-merge-patch+json"}
MERGE = {"content-type": "application/merge-patch+json"}


def deployment() -> dict[str, Any]:
    """A Deployment that is accepted."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "x"}]},
            },
        },
    }


@pytest.fixture
async def deployed(client: httpx.AsyncClient) -> str:
    """The path of a Deployment."""
    collection = "/apis/apps/v1/namespaces/default/deployments"
    assert (await client.post(collection, json=deployment())).status_code == 201
    return f"{collection}/web"


async def test_deprecated_kinds_come_with_a_warning(client: httpx.AsyncClient) -> None:
    """Endpoints and ComponentStatus warn on every verb, errors included; Services do not."""
    listed = await client.get(f"{DEFAULT}/endpoints")
    warning = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
    assert listed.headers["warning"] == f'299 - "{warning}"'
    missing = await client.get(f"{DEFAULT}/endpoints/none")
    assert missing.status_code == 404
    assert warning in missing.headers["warning"]
    statuses = await client.get("/api/v1/componentstatuses")
    assert "v1 ComponentStatus is deprecated in v1.19+" in statuses.headers["warning"]
    assert "warning" not in (await client.get(f"{DEFAULT}/services")).headers


def test_a_kind_is_not_deprecated_before_its_time() -> None:
    """Endpoints were fine in 1.32."""
    kind = registry("1.35").by_key("endpoints")
    assert deprecation_warning(kind, "1.32") == ""


@pytest.mark.parametrize(
    ("patch", "query", "expected"),
    [
        (
            {"spec": {"replicas": "x"}},
            "",
            '"map[spec:map[replicas:x]]": unrecognized type: int32',
        ),
        (
            {"metadata": {"labels": {"a": 1}}},
            "",
            '"map[metadata:map[labels:map[a:1]]]": unrecognized type: string',
        ),
        (
            {"spec": {"template": "x"}},
            "",
            '"map[spec:map[template:x]]": cannot restore struct from: string',
        ),
        (
            {"spec": {"nope": [1, None]}},
            "?fieldValidation=Strict",
            '"map[spec:map[nope:[1 <nil>]]]": strict decoding error: unknown field "spec.nope"',
        ),
    ],
)
async def test_a_strategic_patch_that_does_not_fit_is_an_invalid_patch(
    client: httpx.AsyncClient, deployed: str, patch: dict[str, Any], query: str, expected: str
) -> None:
    """422 with the patch as Go prints it, so that kubectl says "The request is invalid: patch"."""
    answer = await client.patch(f"{deployed}{query}", json=patch, headers=STRATEGIC)
    assert answer.status_code == 422
    body = answer.json()
    assert body["message"] == f' "" is invalid: patch: Invalid value: {expected}'
    assert body["details"]["causes"][0]["field"] == "patch"


async def test_a_merge_patch_that_does_not_fit_shows_the_object_it_made(
    client: httpx.AsyncClient, deployed: str
) -> None:
    """422, in the decoder's words."""
    answer = await client.patch(deployed, json={"spec": {"replicas": "x"}}, headers=MERGE)
    assert answer.status_code == 422
    message = answer.json()["message"]
    assert message.startswith(' "" is invalid: patch: Invalid value: "{\\"apiVersion\\":')
    assert message.endswith(
        ": json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type "
        "int32"
    )


async def test_a_patch_of_another_json_type_names_that_type(
    client: httpx.AsyncClient, deployed: str
) -> None:
    """A string is no patch."""
    answer = await client.patch(deployed, json="text", headers=STRATEGIC)
    assert answer.status_code == 400
    assert "cannot unmarshal string into Go value of type map[string]" in answer.json()["message"]
