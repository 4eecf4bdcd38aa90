"""ValidatingAdmissionPolicies through the API: what they let in, what they deny, in which words."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object
from orchestrator.store import Create, Store

MAPS = "/api/v1/namespaces/default/configmaps"
GROUP = "/apis/admissionregistration.k8s.io/v1"
RULE = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "operations": ["CREATE", "UPDATE"],
    "resources": ["configmaps"],
}


def policy(name: str = "p", **spec: Any) -> Object:
    """A policy about ConfigMaps."""
    return {
        "metadata": {"name": name},
        "spec": {"matchConstraints": {"resourceRules": [RULE]}, **spec},
    }


def says(expression: str, **more: Any) -> dict[str, Any]:
    """A spec with one validation."""
    return {"validations": [{"expression": expression, **more}]}


async def enforce(client: httpx.AsyncClient, made: Object, *actions: str, **binding: Any) -> None:
    """Create a policy and a binding of it."""
    answer = await client.post(f"{GROUP}/validatingadmissionpolicies", json=made)
    assert answer.status_code == 201, answer.text
    name = made["metadata"]["name"]
    body = {
        "metadata": {"name": f"{name}-binding"},
        "spec": {"policyName": name, "validationActions": list(actions or ["Deny"]), **binding},
    }
    answer = await client.post(f"{GROUP}/validatingadmissionpolicybindings", json=body)
    assert answer.status_code == 201, answer.text


async def replace(client: httpx.AsyncClient, made: Object) -> None:
    """Replace a policy by another of its name."""
    path = f"{GROUP}/validatingadmissionpolicies/{made['metadata']['name']}"
    present = (await client.get(path)).json()["metadata"]["resourceVersion"]
    made["metadata"]["resourceVersion"] = present
    answer = await client.put(path, json=made)
    assert answer.status_code == 200, answer.text


def config_map(name: str = "a", labels: dict[str, str] | None = None, **data: str) -> Object:
    """A ConfigMap."""
    return {"metadata": {"name": name, "labels": labels or {}}, "data": data}


async def create(client: httpx.AsyncClient, obj: Object) -> httpx.Response:
    """Create a ConfigMap."""
    return await client.post(MAPS, json=obj)


async def test_a_denial_has_upstreams_words(client: httpx.AsyncClient) -> None:
    """Code, reason, message and details are those that clients of upstream see."""
    await enforce(client, policy(**says("object.data.size() < 2")))
    assert (await create(client, config_map(x="1"))).status_code == 201
    refused = await create(client, config_map("b", x="1", y="2"))
    assert refused.status_code == 422
    told = (
        "ValidatingAdmissionPolicy 'p' with binding 'p-binding' denied request: failed expression: "
        "object.data.size() < 2"
    )
    assert refused.json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f'configmaps "b" is forbidden: {told}',
        "reason": "Invalid",
        "details": {"name": "b", "kind": "configmaps", "causes": [{"message": told}]},
        "code": 422,
    }


@pytest.mark.parametrize(
    ("validation", "code", "reason", "told"),
    [
        ({"message": " no "}, 422, "Invalid", "no"),
        ({"messageExpression": "'got ' + string(object.data.x)"}, 422, "Invalid", "got 1"),
        ({"messageExpression": "string(object.data.y)", "message": "m"}, 422, "Invalid", "m"),
        ({"messageExpression": "''", "message": "m"}, 422, "Invalid", "m"),
        ({"reason": "Forbidden", "message": "m"}, 403, "Forbidden", "m"),
        (
            {"reason": "RequestEntityTooLarge", "message": "m"},
            413,
            "RequestEntityTooLarge",
            "m",
        ),
    ],
)
async def test_a_validation_says_how_it_denies(
    client: httpx.AsyncClient, validation: dict[str, Any], code: int, reason: str, told: str
) -> None:
    """Message, message expression and reason come from the validation."""
    await enforce(client, policy(**says("object.data.x != '1'", **validation)))
    refused = await create(client, config_map(x="1"))
    assert (refused.status_code, refused.json()["reason"]) == (code, reason)
    assert refused.json()["message"].endswith(f"denied request: {told}")


async def test_a_policy_without_a_binding_does_nothing(client: httpx.AsyncClient) -> None:
    """And one whose binding is deleted does nothing any more, at once."""
    made = policy(**says("false"))
    answer = await client.post(f"{GROUP}/validatingadmissionpolicies", json=made)
    assert answer.status_code == 201
    assert (await create(client, config_map())).status_code == 201
    body = {
        "metadata": {"name": "b"},
        "spec": {"policyName": "p", "validationActions": ["Deny"]},
    }
    await client.post(f"{GROUP}/validatingadmissionpolicybindings", json=body)
    assert (await create(client, config_map("b"))).status_code == 422
    await client.delete(f"{GROUP}/validatingadmissionpolicybindings/b")
    assert (await create(client, config_map("b"))).status_code == 201


async def test_a_changed_policy_takes_effect_at_once(client: httpx.AsyncClient) -> None:
    """The next request is held to the new spec."""
    await enforce(client, policy(**says("false")))
    changed = policy(**says("true"))
    await replace(client, changed)
    assert (await create(client, config_map())).status_code == 201


async def test_warn_lets_in_with_a_warning(client: httpx.AsyncClient) -> None:
    """And audit alone is silent."""
    await enforce(client, policy(**says("false", message="careful")), "Warn", "Audit")
    made = await create(client, config_map())
    assert made.status_code == 201
    assert (
        "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p-binding': careful"
        in made.headers["warning"]
    )


async def test_updates_see_the_old_object(client: httpx.AsyncClient) -> None:
    """Both operations of the rule are held to it, others are not."""
    expression = "oldObject == null || object.data.x == oldObject.data.x"
    await enforce(client, policy(**says(expression, message="x is fixed")))
    assert (await create(client, config_map(x="1"))).status_code == 201
    patch = {"data": {"x": "2"}}
    headers = {"content-type": "application/merge-patch+json"}
    refused = await client.patch(f"{MAPS}/a", json=patch, headers=headers)
    assert refused.status_code == 422
    assert refused.json()["message"].endswith("x is fixed")
    assert (await client.delete(f"{MAPS}/a")).status_code == 200


async def test_a_delete_has_only_an_old_object(client: httpx.AsyncClient) -> None:
    """Policies may keep objects from being deleted."""
    spec = says("object == null && !has(oldObject.data.keep)", message="kept")
    made = policy(**spec)
    made["spec"]["matchConstraints"] = {"resourceRules": [{**RULE, "operations": ["DELETE"]}]}
    await enforce(client, made)
    await create(client, config_map(keep="1"))
    await create(client, config_map("b", x="1"))
    assert (await client.delete(f"{MAPS}/a")).status_code == 422
    assert (await client.delete(f"{MAPS}/b")).status_code == 200


@pytest.mark.parametrize(
    ("constraints", "denied"),
    [
        ({"objectSelector": {"matchLabels": {"app": "x"}}}, False),
        ({"objectSelector": {"matchLabels": {"app": "a"}}}, True),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}, True),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}, False),
        ({"excludeResourceRules": [RULE]}, False),
        ({"excludeResourceRules": [{**RULE, "resourceNames": ["other"]}]}, True),
        ({"resourceRules": [{**RULE, "resourceNames": ["a"]}]}, True),
        ({"resourceRules": [{**RULE, "resourceNames": ["b"]}]}, False),
        ({"resourceRules": [{**RULE, "resources": ["*"], "apiGroups": ["*"]}]}, True),
        ({"resourceRules": [{**RULE, "scope": "Cluster"}]}, False),
        ({"resourceRules": [{**RULE, "operations": ["UPDATE"]}]}, False),
    ],
)
@pytest.mark.parametrize("where", ["policy", "binding"])
async def test_constraints_choose_the_requests(
    client: httpx.AsyncClient, constraints: dict[str, Any], denied: bool, where: str
) -> None:
    """Selectors, names, exclusions and scopes count in the policy and in its binding alike."""
    made = policy(**says("false"))
    binding: dict[str, Any] = {}
    if where == "policy":
        made["spec"]["matchConstraints"].update(constraints)
    else:
        binding = {"matchResources": constraints}
    await enforce(client, made, **binding)
    answer = await create(client, config_map(labels={"app": "a"}))
    assert answer.status_code == (422 if denied else 201), answer.text


async def test_an_equivalent_version_is_looked_at_as_the_rule_wants_it(
    client: httpx.AsyncClient,
) -> None:
    """A rule for autoscaling/v1 sees an object of v2 as v1; one that is Exact does not see it."""
    rule = {
        "apiGroups": ["autoscaling"],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["horizontalpodautoscalers"],
    }
    expression = "object.apiVersion != 'autoscaling/v1' || request.requestKind.version != 'v2'"
    made = policy(**says(expression))
    made["spec"]["matchConstraints"] = {"resourceRules": [rule]}
    await enforce(client, made)
    scaler = {
        "metadata": {"name": "a"},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "x", "apiVersion": "apps/v1"},
            "maxReplicas": 3,
        },
    }
    path = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
    assert (await client.post(path, json=scaler)).status_code == 422
    made["spec"]["matchConstraints"]["matchPolicy"] = "Exact"
    await replace(client, made)
    assert (await client.post(path, json=scaler)).status_code == 201


async def test_conditions_and_variables_come_first(client: httpx.AsyncClient) -> None:
    """A false condition skips the policy; variables are computed when they are used."""
    spec: dict[str, Any] = {
        "matchConditions": [
            {"name": "skip", "expression": "!request.userInfo.username.startsWith('nobody')"},
            {"name": "labelled", "expression": "has(object.metadata.labels)"},
        ],
        "variables": [
            {"name": "size", "expression": "object.data.size()"},
            {"name": "double", "expression": "variables.size * 2"},
            {"name": "broken", "expression": "object.spec.nothing"},
        ],
        "validations": [
            {
                "expression": "variables.double < 4 || variables.broken == 1",
                "messageExpression": "'size ' + string(variables.size)",
            }
        ],
    }
    await enforce(client, policy(**spec))
    assert (await create(client, config_map(x="1"))).status_code == 201
    refused = await create(client, config_map("b", x="1", y="2"))
    assert (
        'composited variable "broken" fails to evaluate: no such key: spec'
        in refused.json()["message"]
    )


@pytest.mark.parametrize(("failure_policy", "code"), [("Fail", 422), ("Ignore", 201)])
async def test_what_fails_denies_unless_it_is_to_be_ignored(
    client: httpx.AsyncClient, failure_policy: str, code: int
) -> None:
    """Errors of expressions are told with the expression."""
    await enforce(client, policy(failurePolicy=failure_policy, **says("object.gone == 1")))
    answer = await create(client, config_map())
    assert answer.status_code == code
    if code == 422:
        assert answer.json()["message"].endswith(
            "denied request: expression 'object.gone == 1' resulted in error: no such key: gone"
        )


async def test_an_expression_that_takes_too_long_is_broken_off(
    client: httpx.AsyncClient,
) -> None:
    """The request is denied in upstream's words."""
    ones = "[1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"
    expression = "true"
    for name in "abcdefg":
        expression = f"{ones}.all({name}, {expression})"
    await enforce(client, policy(**says(expression)))
    refused = await create(client, config_map())
    assert refused.status_code == 422
    assert "resulted in error: operation cancelled: actual cost limit exceeded" in refused.text


PARAMS = {"apiVersion": "v1", "kind": "ConfigMap"}


@pytest.mark.parametrize(
    ("ref", "denied"),
    [
        ({"name": "limit", "namespace": "default", "parameterNotFoundAction": "Deny"}, True),
        ({"name": "limit", "parameterNotFoundAction": "Deny"}, True),
        (
            {
                "selector": {"matchLabels": {"kind": "limit"}},
                "parameterNotFoundAction": "Deny",
            },
            True,
        ),
        ({"name": "gone", "parameterNotFoundAction": "Allow"}, False),
    ],
)
async def test_parameters_come_from_the_binding(
    client: httpx.AsyncClient, ref: dict[str, Any], denied: bool
) -> None:
    """By name or selector, in the request's namespace unless the binding says where."""
    await create(client, config_map("limit", {"kind": "limit"}, most="1"))
    expression = "object.data.size() <= int(params.data.most)"
    await enforce(client, policy(paramKind=PARAMS, **says(expression)), paramRef=ref)
    answer = await create(client, config_map(x="1", y="2"))
    assert answer.status_code == (422 if denied else 201), answer.text


async def test_missing_parameters_deny_if_they_are_to(client: httpx.AsyncClient) -> None:
    """With the words of a binding that can't be configured."""
    ref = {"name": "gone", "parameterNotFoundAction": "Deny"}
    await enforce(client, policy(paramKind=PARAMS, **says("true")), paramRef=ref)
    refused = await create(client, config_map())
    assert refused.json()["message"].endswith(
        "denied request: failed to configure binding: no params found for policy binding with "
        "`Deny` parameterNotFoundAction"
    )


async def test_expressions_ask_what_somebody_may_do(client: httpx.AsyncClient) -> None:
    """The authorizer is the cluster's own, for users and for accounts."""
    expression = (
        "authorizer.group('').resource('secrets').namespace('default').check('get').allowed() && "
        "!authorizer.serviceAccount('default', 'x').path('/secret').check('get').allowed()"
    )
    await enforce(client, policy(**says(expression)))
    assert (await create(client, config_map())).status_code == 201


async def test_expressions_see_request_and_namespace(client: httpx.AsyncClient) -> None:
    """With upstream's fields."""
    expression = (
        "request.operation == 'CREATE' && request.kind.kind == 'ConfigMap' && "
        "request.resource.resource == 'configmaps' && request.name == 'a' && !request.dryRun && "
        "request.namespace == 'default' && namespaceObject.metadata.name == 'default' && "
        "namespaceObject.metadata.creationTimestamp < timestamp('2900-01-01T00:00:00Z') && "
        "'system:authenticated' in request.userInfo.groups"
    )
    await enforce(client, policy(**says(expression)))
    answer = await create(client, config_map())
    assert answer.status_code == 201, answer.text


async def test_the_clusters_own_writes_are_held_to_policies(
    client: httpx.AsyncClient, store: Store
) -> None:
    """A controller's object is denied as a user's is."""
    await enforce(client, policy(**says("request.userInfo.username == 'me'")))
    made: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "default"},
    }
    (result,) = await store.write([Create("configmaps", made)])
    assert isinstance(result, StatusError)
    assert "denied request" in result.message


async def test_a_dry_run_is_held_to_policies_too(client: httpx.AsyncClient) -> None:
    """Nothing has side effects here."""
    await enforce(client, policy(**says("request.dryRun == false")))
    refused = await client.post(f"{MAPS}?dryRun=All", json=config_map())
    assert refused.status_code == 422


async def test_policies_themselves_are_exempt(client: httpx.AsyncClient) -> None:
    """Nobody can lock himself out."""
    everything = {
        "apiGroups": ["*"],
        "apiVersions": ["*"],
        "operations": ["*"],
        "resources": ["*"],
    }
    made = policy(**says("false"))
    made["spec"]["matchConstraints"] = {"resourceRules": [everything]}
    await enforce(client, made)
    assert (await create(client, config_map())).status_code == 422
    assert (await client.delete(f"{GROUP}/validatingadmissionpolicies/p")).status_code == 200


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            says("object.x +"),
            [
                (
                    'spec.validations[0].expression: Invalid value: "object.x +": '
                    "compilation failed: ERROR: <input>:1:11: Syntax error: mismatched"
                )
            ],
        ),
        (
            says("1 + 1"),
            ['spec.validations[0].expression: Invalid value: "1 + 1": must evaluate to bool'],
        ),
        (says(""), ["spec.validations[0].expression: Required value: expression is not specified"]),
        (
            says("true", messageExpression="1"),
            ['spec.validations[0].messageExpression: Invalid value: "1": must evaluate to string'],
        ),
        (
            says("params == null"),
            [
                (
                    'spec.validations[0].expression: Invalid value: "params == null": compilation '
                    "failed: ERROR: <input>:1:1: undeclared reference to 'params' (in container '')"
                )
            ],
        ),
        (
            {},
            [
                (
                    "spec.validations: Required value: validations or auditAnnotations must "
                    "contain at least one item"
                ),
                (
                    "spec.auditAnnotations: Required value: validations or auditAnnotations must "
                    "contain at least one item"
                ),
            ],
        ),
        (
            {"variables": [{"name": "a b", "expression": "1"}], **says("true")},
            ['spec.variables[0].name: Invalid value: "a b": name is not a valid CEL identifier'],
        ),
        (
            {
                "variables": [{"name": "a", "expression": "1"}],
                **says("variables.b == 1"),
            },
            ["compilation failed: ERROR: <input>:1:10: undefined field 'b'"],
        ),
        (
            {"auditAnnotations": [{"key": "k", "valueExpression": "1"}]},
            [
                (
                    'spec.auditAnnotations[0].valueExpression: Invalid value: "1": must evaluate '
                    "to one of [string null_type]"
                )
            ],
        ),
        (
            {"matchConditions": [{"name": "c", "expression": "2"}], **says("true")},
            ['spec.matchConditions[0].expression: Invalid value: "2": must evaluate to bool'],
        ),
        (
            {"failurePolicy": "Maybe", **says("true")},
            ['spec.failurePolicy: Unsupported value: "Maybe": supported values: "Fail", "Ignore"'],
        ),
        (
            {"matchConstraints": {"resourceRules": []}, **says("true")},
            ["spec.matchConstraints.resourceRules: Required value"],
        ),
        (
            {
                "matchConstraints": {
                    "resourceRules": [{**RULE, "operations": ["*", "CREATE"], "apiGroups": []}]
                },
                **says("true"),
            },
            [
                (
                    'resourceRules[0].operations: Invalid value: ["*","CREATE"]: if \'*\' is '
                    "present, must not specify other operations"
                ),
                "resourceRules[0].apiGroups: Required value",
            ],
        ),
    ],
)
async def test_a_wrong_policy_is_refused_when_it_is_written(
    client: httpx.AsyncClient, spec: dict[str, Any], expected: list[str]
) -> None:
    """Every mistake is told with its place."""
    answer = await client.post(f"{GROUP}/validatingadmissionpolicies", json=policy(**spec))
    assert answer.status_code == 422
    for text in expected:
        assert text in answer.json()["message"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ["spec.policyName: Required value", "spec.validationActions: Required value"]),
        (
            {"policyName": "p", "validationActions": ["Deny", "Warn"]},
            ['spec.validationActions: Invalid value: ["Deny","Warn"]: must not contain both'],
        ),
        (
            {"policyName": "p", "validationActions": ["No"]},
            ['spec.validationActions[0]: Unsupported value: "No": supported values: "Audit"'],
        ),
        (
            {"policyName": "p", "validationActions": ["Deny"], "paramRef": {}},
            [
                "spec.paramRef: Required value: one of name or selector must be specified",
                "spec.paramRef.parameterNotFoundAction: Required value",
            ],
        ),
    ],
)
async def test_a_wrong_binding_is_refused(
    client: httpx.AsyncClient, spec: dict[str, Any], expected: list[str]
) -> None:
    """Every mistake is told with its place."""
    body = {"metadata": {"name": "b"}, "spec": spec}
    answer = await client.post(f"{GROUP}/validatingadmissionpolicybindings", json=body)
    assert answer.status_code == 422
    for text in expected:
        assert text in answer.json()["message"]
