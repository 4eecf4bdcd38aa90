"""Unknown and duplicate fields, in built-in and custom objects, in upstream's words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.testing import virtual
from tests.conformance.cluster import APPLY_PATCH, Api, served

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
OBJECTS = "/apis/mygroup.example.com/v1beta1/namespaces/default/noxus"
STRICT = "fieldValidation=Strict"

DEPLOYMENT = """{
  "apiVersion": "apps/v1",
  "kind": "Deployment",
  "metadata": {"name": "my-dep", "labels": {"app": "nginx"}},
  "spec": {
    "unknown1": "val1",
    "unknownDupe": "valDupe",
    "unknownDupe": "valDupe2",
    "paused": true,
    "paused": false,
    "selector": {"matchLabels": {"app": "nginx"}},
    "template": {
      "metadata": {"labels": {"app": "nginx"}},
      "spec": {"containers": [{
        "name": "nginx", "image": "nginx:latest",
        "unknownNested": "val1",
        "imagePullPolicy": "Always", "imagePullPolicy": "Never"
      }]}
    }
  }
}"""
WITH_METADATA = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: my-dep
  unknownMeta: "val"
  labels: {app: nginx}
spec:
  selector: {matchLabels: {app: nginx}}
  template:
    metadata: {labels: {app: nginx}}
    spec: {containers: [{name: nginx, image: nginx}]}
"""
CRON = r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "foo": {"type": "string"},
                "cronSpec": {
                    "type": "string",
                    "pattern": r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$",
                },
                "ports": {
                    "type": "array",
                    "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
                    "x-kubernetes-list-type": "map",
                    "items": {
                        "type": "object",
                        "required": ["containerPort", "protocol"],
                        "properties": {
                            "containerPort": {"type": "integer"},
                            "hostIP": {"type": "string"},
                            "hostPort": {"type": "integer"},
                            "name": {"type": "string"},
                            "protocol": {"type": "string"},
                        },
                    },
                },
                "embeddedObj": {
                    "type": "object",
                    "x-kubernetes-embedded-resource": True,
                    "properties": {
                        "apiVersion": {"type": "string"},
                        "kind": {"type": "string"},
                        "metadata": {"type": "object"},
                    },
                },
            },
        }
    },
}
OPEN: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


async def define(api: Api, schema: dict[str, Any]) -> None:
    """Create the definition of Noxus."""
    crd = {
        "metadata": {"name": "noxus.mygroup.example.com"},
        "spec": {
            "group": "mygroup.example.com",
            "scope": "Namespaced",
            "names": {
                "plural": "noxus",
                "singular": "nonenglishnoxu",
                "kind": "WishIHadChosenNoxu",
            },
            "versions": [
                {
                    "name": "v1beta1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }
    await api.create(CRDS, crd)
    await api.until(
        f"{CRDS}/noxus.mygroup.example.com",
        lambda found: any(
            (one["type"], one["status"]) == ("Established", "True")
            for one in found.get("status", {}).get("conditions") or []
        ),
    )


def noxu(spec: str, metadata: str = "") -> bytes:
    """A custom object with a spec written out."""
    return (
        '{"apiVersion":"mygroup.example.com/v1beta1","kind":"WishIHadChosenNoxu",'
        f'"metadata":{{"name":"mytest","finalizers":["test/finalizer"]{metadata}}},"spec":{spec}}}'
    ).encode()


async def applied(api: Api, body: bytes, code: int, query: str = STRICT) -> Any:
    """Apply a custom object."""
    return await api.call(
        "PATCH",
        f"{OBJECTS}/mytest?{query}&fieldManager=apply_test",
        body,
        code,
        {"content-type": APPLY_PATCH},
    )


@virtual
async def test_unknown_and_duplicate_fields_of_a_typed_object_are_refused() -> None:
    """Upstream: Server side field validation, typed object."""
    async with served(nodes=0) as api:
        refused = await api.create(f"{DEPLOYMENTS}?{STRICT}", DEPLOYMENT.encode(), 400)
        assert refused["message"] == (
            'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
            'unknown field "spec.unknown1", unknown field "spec.unknownDupe", duplicate field '
            '"spec.paused", unknown field "spec.template.spec.containers[0].unknownNested", '
            'duplicate field "spec.template.spec.containers[0].imagePullPolicy"'
        )


@virtual
async def test_unknown_metadata_of_a_typed_object_is_refused() -> None:
    """Upstream: Server side field validation, typed unknown metadata."""
    async with served(nodes=0) as api:
        refused = await api.call(
            "POST",
            f"{DEPLOYMENTS}?{STRICT}",
            WITH_METADATA.encode(),
            400,
            {"content-type": "application/yaml"},
        )
        assert 'strict decoding error: unknown field "metadata.unknownMeta"' in refused["message"]


@virtual
async def test_a_custom_object_that_fits_its_schema_is_applied() -> None:
    """Upstream: Server side field validation, valid CR with validation schema."""
    async with served(nodes=0) as api:
        await define(api, SCHEMA)
        ports = '[{"containerPort":8080,"protocol":"TCP"}]'
        spec = f'{{"foo":"foo1","cronSpec":"* * * * */5","ports":{ports}}}'
        await applied(api, noxu(spec), 201)


@virtual
async def test_a_custom_object_without_a_schema_may_hold_anything() -> None:
    """Upstream: Server side field validation, unknown fields CR no validation schema."""
    async with served(nodes=0) as api:
        await define(api, OPEN)
        made = await applied(api, noxu('{"foo":"foo1","knownField1":"val1"}'), 201)
        assert made["spec"]["knownField1"] == "val1"


@virtual
async def test_unknown_fields_of_a_custom_object_with_a_schema_are_refused() -> None:
    """Upstream: Server side field validation, unknown fields CR fails validation."""
    async with served(nodes=0) as api:
        await define(api, SCHEMA)
        body = noxu('{"foo":"foo1","unknown1":"v","ports":[{"containerPort":8,"protocol":"TCP"}]}')
        refused = await applied(api, body, 400)
        assert "spec.unknown1" in refused["message"]
        assert await api.call("POST", f"{OBJECTS}?{STRICT}", body, 400) == {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": 'WishIHadChosenNoxu in version "v1beta1" cannot be handled as a '
            'WishIHadChosenNoxu: strict decoding error: unknown field "spec.unknown1"',
            "reason": "BadRequest",
            "code": 400,
        }


@virtual
async def test_duplicates_in_a_custom_object_are_refused_whatever_it_may_hold() -> None:
    """Upstream: Server side field validation, CR duplicates."""
    async with served(nodes=0) as api:
        await define(api, OPEN)
        refused = await applied(api, noxu('{"foo":"foo1","foo":"foo2","unknown":"v"}'), 400)
        assert 'line 1: key "foo" already set in map' in refused["message"] or (
            'duplicate field "spec.foo"' in refused["message"]
        ), refused


@pytest.mark.parametrize("path", ["metadata.unknownField", "spec.embeddedObj.metadata.unknownSub"])
def test_unknown_metadata_of_a_custom_object_is_refused(path: str) -> None:
    """Upstream: Server side field validation, unknown metadata (root and embedded object)."""

    @virtual
    async def refused() -> None:
        async with served(nodes=0) as api:
            await define(api, SCHEMA)
            embedded = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"%s}}'
            root = ',"unknownField":"v"' if path.startswith("metadata") else ""
            inner = "" if root else ',"unknownSub":"v"'
            body = noxu('{"embeddedObj":%s}' % (embedded % inner), root)
            answer = await api.call("POST", f"{OBJECTS}?{STRICT}", body, 400)
            assert f'strict decoding error: unknown field "{path}"' in answer["message"]

    refused()


def test_the_bodies_are_what_they_say() -> None:
    """The duplicates are in the text, which a parser would have lost."""
    assert DEPLOYMENT.count("unknownDupe") == 2
    assert json.loads(DEPLOYMENT)["spec"]["paused"] is False
