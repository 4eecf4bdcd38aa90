"""MutatingAdmissionPolicies through the API: what they make of objects."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from orchestrator.resources.objects import Object

MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
GROUP = "/apis/admissionregistration.k8s.io/v1"


def rule(resource: str = "configmaps", group: str = "") -> Object:
    """A rule about creations."""
    return {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": [resource],
    }


def applying(expression: str) -> Object:
    """A mutation by a configuration."""
    return {
        "patchType": "ApplyConfiguration",
        "applyConfiguration": {"expression": expression},
    }


def patching(expression: str) -> Object:
    """A mutation by a JSON patch."""
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


async def mutate(
    client: httpx.AsyncClient, name: str, *mutations: Object, rules: Any = None, **spec: Any
) -> None:
    """Create a policy and a binding of it."""
    body = {
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": rules or [rule()]},
            "mutations": list(mutations),
            **spec,
        },
    }
    answer = await client.post(f"{GROUP}/mutatingadmissionpolicies", json=body)
    assert answer.status_code == 201, answer.text
    binding = {"metadata": {"name": f"{name}-binding"}, "spec": {"policyName": name}}
    answer = await client.post(f"{GROUP}/mutatingadmissionpolicybindings", json=binding)
    assert answer.status_code == 201, answer.text


async def create(client: httpx.AsyncClient, **data: str) -> Object:
    """Create a ConfigMap and return it."""
    body = {"metadata": {"name": "a", "labels": {"app": "x"}}, "data": data}
    answer = await client.post(MAPS, json=body)
    assert answer.status_code == 201, answer.text
    made: Object = answer.json()
    return made


async def test_a_configuration_is_merged_in(client: httpx.AsyncClient) -> None:
    """What the object has besides stays."""
    expression = (
        "Object{metadata: Object.metadata{labels: {'by': 'policy'}}, "
        "data: {'size': string(object.data.size())}}"
    )
    await mutate(client, "p", applying(expression))
    made = await create(client, x="1")
    assert made["metadata"]["labels"] == {"app": "x", "by": "policy"}
    assert made["data"] == {"x": "1", "size": "1"}


async def test_items_of_keyed_lists_are_merged_by_key(client: httpx.AsyncClient) -> None:
    """A container is added beside the one that is there."""
    expression = (
        "Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{"
        "containers: [Object.spec.template.spec.containers{name: 'proxy', image: 'proxy:1'}]"
        "}}}}"
    )
    await mutate(client, "p", applying(expression), rules=[rule("deployments", "apps")])
    body = {
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
        },
    }
    answer = await client.post(DEPLOYMENTS, json=body)
    assert answer.status_code == 201, answer.text
    containers = answer.json()["spec"]["template"]["spec"]["containers"]
    assert {one["name"]: one["image"] for one in containers} == {
        "web": "web:1",
        "proxy": "proxy:1",
    }
    assert all(one["imagePullPolicy"] for one in containers)


async def test_a_json_patch_is_applied(client: httpx.AsyncClient) -> None:
    """Operations are made by the expression, keys are escaped by a function."""
    expression = (
        "[JSONPatch{op: 'test', path: '/data/x', value: '1'}, "
        "JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('a/b'), value: 'c'}, "
        "JSONPatch{op: 'remove', path: '/data/x'}]"
    )
    await mutate(client, "p", patching(expression))
    made = await create(client, x="1", y="2")
    assert made["metadata"]["labels"] == {"app": "x", "a/b": "c"}
    assert made["data"] == {"y": "2"}


async def test_policies_see_what_others_did(client: httpx.AsyncClient) -> None:
    """In the order of their names; one that asks for it is called again after the others."""
    mark = "Object{{data: {{'{0}': string(object.data.size())}}}}"
    await mutate(client, "a", applying(mark.format("a")), reinvocationPolicy="IfNeeded")
    await mutate(client, "b", applying(mark.format("b")))
    made = await create(client, x="1")
    assert made["data"] == {"x": "1", "a": "3", "b": "2"}


async def test_a_false_condition_leaves_the_object_alone(client: httpx.AsyncClient) -> None:
    """Conditions are those of validating policies."""
    condition = {"name": "c", "expression": "has(object.data.y)"}
    await mutate(client, "p", applying("Object{data: {'z': '1'}}"), matchConditions=[condition])
    assert (await create(client, x="1"))["data"] == {"x": "1"}


@pytest.mark.parametrize(
    ("mutation", "told"),
    [
        (
            patching("[JSONPatch{op: 'test', path: '/data/x', value: '2'}]"),
            "policy 'p' with binding 'p-binding' denied request: ",
        ),
        (
            applying("Object{data: {'a': object.data.gone}}"),
            "resulted in error: no such key: gone",
        ),
        (
            applying("Object{metadata: Object.spec{}}"),
            'unexpected type name "Object.spec", expected "Object.metadata"',
        ),
        (
            applying("Object{binaryData: {'x': 1}, data: 3}"),
            "denied request: ",
        ),
    ],
)
async def test_a_mutation_that_fails_denies_the_request(
    client: httpx.AsyncClient, mutation: Object, told: str
) -> None:
    """Unless failures are to be ignored: then the object stays as it was."""
    await mutate(client, "p", mutation)
    body = {"metadata": {"name": "a"}, "data": {"x": "1"}}
    refused = await client.post(MAPS, json=body)
    assert refused.status_code == 422, refused.text
    assert told in refused.json()["message"]
    await client.delete(f"{GROUP}/mutatingadmissionpolicies/p")
    await client.delete(f"{GROUP}/mutatingadmissionpolicybindings/p-binding")
    await mutate(client, "p", mutation, failurePolicy="Ignore")
    assert (await create(client, x="1"))["data"] == {"x": "1"}


async def test_atomic_parts_can_not_be_applied(client: httpx.AsyncClient) -> None:
    """They can be replaced by a JSON patch only."""
    expression = (
        "Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{"
        "containers: [Object.spec.template.spec.containers{name: 'web', args: ['x']}]}}}}"
    )
    await mutate(client, "p", applying(expression), rules=[rule("deployments", "apps")])
    body = {
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
        },
    }
    refused = await client.post(DEPLOYMENTS, json=body)
    assert "may not mutate atomic arrays, maps or structs: .spec.template" in refused.text


@pytest.mark.parametrize(
    ("mutation", "expected"),
    [
        (applying("'x'"), "must evaluate to Object"),
        (patching("Object{}"), "must evaluate to list(JSONPatch)"),
        (patching("[JSONPatch{op: 1}]"), "expected type of field 'op' is 'string'"),
        (patching("[JSONPatch{opp: 'add'}]"), "undefined field 'opp'"),
        ({"patchType": "Other"}, 'spec.mutations[0].patchType: Unsupported value: "Other"'),
        ({"patchType": "JSONPatch"}, "spec.mutations[0].jsonPatch: Required value"),
    ],
)
async def test_a_wrong_mutation_is_refused_when_it_is_written(
    client: httpx.AsyncClient, mutation: Object, expected: str
) -> None:
    """Expressions have to make patches."""
    body = {
        "metadata": {"name": "p"},
        "spec": {"matchConstraints": {"resourceRules": [rule()]}, "mutations": [mutation]},
    }
    answer = await client.post(f"{GROUP}/mutatingadmissionpolicies", json=body)
    assert answer.status_code == 422
    assert expected in answer.json()["message"]
