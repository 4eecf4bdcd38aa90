"""Rules of webhook configurations, admission policies and their bindings."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.resources.strategies import _expressions
from orchestrator.resources.strategies._expressions import Purpose, Surroundings
from tests.resources.judging import Object, creation, defaulted, merged, told, update

GROUP = "admissionregistration.k8s.io/v1"
RULE = {
    "operations": ["CREATE"],
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "resources": ["pods"],
}
HOOK = {
    "name": "a.example.com",
    "clientConfig": {"url": "https://example.com/hook"},
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
    "rules": [RULE],
}


def registered(kind: str, **parts: Any) -> Object:
    """Return an object of the group."""
    return {"apiVersion": GROUP, "kind": kind, "metadata": {"name": "web"}, **parts}


def hooks(*changes: Object, kind: str = "Validating") -> Object:
    """Return a configuration of webhooks, each the example with changes."""
    made = [merged(HOOK, change) for change in changes]
    return registered(f"{kind}WebhookConfiguration", webhooks=made)


def policy(**spec: Any) -> Object:
    """Return a ValidatingAdmissionPolicy, the example with other fields."""
    whole = {
        "matchConstraints": {"resourceRules": [RULE]},
        "validations": [{"expression": "true"}],
        **spec,
    }
    return registered("ValidatingAdmissionPolicy", spec=whole)


def mutating(**spec: Any) -> Object:
    """Return a MutatingAdmissionPolicy, the example with other fields."""
    whole = {
        "matchConstraints": {"resourceRules": [RULE]},
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}}],
        **spec,
    }
    return registered("MutatingAdmissionPolicy", spec=whole)


def bound(**spec: Any) -> Object:
    """Return a ValidatingAdmissionPolicyBinding, the example with other fields."""
    whole = {"policyName": "web", "validationActions": ["Deny"], **spec}
    return registered("ValidatingAdmissionPolicyBinding", spec=whole)


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (hooks({}, {"name": "b.example.com"}), ""),
        (hooks({}, kind="Mutating"), ""),
        (policy(), ""),
        (policy(validations=[{"expression": "true &&\nfalse"}]), ""),
        (bound(), ""),
        (bound(paramRef={"name": "p", "parameterNotFoundAction": "Allow"}), ""),
        (
            hooks(
                {
                    "name": "short",
                    "failurePolicy": "Maybe",
                    "matchPolicy": "Loose",
                    "sideEffects": "Some",
                    "timeoutSeconds": 31,
                    "reinvocationPolicy": "Always",
                    "namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "X"}]},
                    "clientConfig": {"url": None},
                    "matchConditions": [{"expression": " "}, {"name": "_", "expression": "true"}],
                    "admissionReviewVersions": ["V", "v2", "v2"],
                },
                kind="Mutating",
            ),
            """
            - webhooks[0].name: Invalid value: "short": should be a domain with at least three
              segments separated by dots
            - webhooks[0].failurePolicy: Unsupported value: "Maybe": supported values: "Fail",
              "Ignore"
            - webhooks[0].matchPolicy: Unsupported value: "Loose": supported values: "Equivalent",
              "Exact"
            - webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None",
              "NoneOnDryRun"
            - webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1
              and 30 seconds
            - webhooks[0].namespaceSelector.matchExpressions[0].operator: Invalid value: "X": not a
              valid selector operator
            - webhooks[0].reinvocationPolicy: Unsupported value: "Always": supported values:
              "IfNeeded", "Never"
            - webhooks[0].clientConfig: Required value: exactly one of url or service is required
            - webhooks[0].matchConditions[0].expression: Required value
            - webhooks[0].matchConditions[0].name: Required value
            - webhooks[0].matchConditions[1].name: Invalid value: "_": name part <qualified>
            - webhooks[0].admissionReviewVersions[0]: Invalid value: "V": <label-1035>
            - webhooks[0].admissionReviewVersions[2]: Invalid value: "v2": duplicate version
            - webhooks[0].admissionReviewVersions: Invalid value: ["V","v2","v2"]: must include at
              least one of v1, v1beta1
            """,
        ),
        (
            hooks({"name": "", "sideEffects": None, "admissionReviewVersions": []}, {}, {}),
            """
            - webhooks[0].name: Required value
            - webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun
            - webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1
            - webhooks[2].name: Duplicate value: "a.example.com"
            """,
        ),
        (
            hooks({"clientConfig": {"url": "http://me@:80/a?b#c"}}),
            """
            - webhooks[0].clientConfig.url: Invalid value: "http": 'https' is the only allowed URL
              scheme; desired format: https://host[/path]
            - webhooks[0].clientConfig.url: Invalid value: "me": user information is not permitted
              in the URL
            - webhooks[0].clientConfig.url: Invalid value: "c": fragments are not permitted in the
              URL
            - webhooks[0].clientConfig.url: Invalid value: "b": query parameters are not permitted
              in the URL
            """,
        ),
        (
            hooks({"clientConfig": {"url": None, "service": {"port": 0, "path": "a//B"}}}),
            """
            - webhooks[0].clientConfig.service.name: Required value: service name is required
            - webhooks[0].clientConfig.service.namespace: Required value: service namespace is
              required
            - webhooks[0].clientConfig.service.port: Invalid value: 0: port is not valid: must be
              between 1 and 65535, inclusive
            - webhooks[0].clientConfig.service.path: Invalid value: "a//B": must start with a '/'
            - webhooks[0].clientConfig.service.path: Invalid value: "a//B": segment[0] may not be
              empty
            - webhooks[0].clientConfig.service.path: Invalid value: "a//B": segment[1] may not be
              empty
            - webhooks[0].clientConfig.service.path: Invalid value: "a//B": segment[2]: <subdomain>
            """,
        ),
        (
            hooks(
                {
                    "rules": [
                        {},
                        {
                            "operations": ["*", "READ"],
                            "apiGroups": ["*", ""],
                            "apiVersions": ["*", ""],
                            "resources": ["pods/*", "pods/log", "*/log", "a/log", "", "*", "x"],
                            "scope": "Some",
                        },
                        {**RULE, "resources": ["*/*", "pods"]},
                    ]
                }
            ),
            """
            - webhooks[0].rules[0].operations: Required value
            - webhooks[0].rules[0].apiGroups: Required value
            - webhooks[0].rules[0].apiVersions: Required value
            - webhooks[0].rules[0].resources: Required value
            - webhooks[0].rules[1].operations: Invalid value: ["*","READ"]: if '*' is present, must
              not specify other operations
            - webhooks[0].rules[1].operations[1]: Unsupported value: "READ": supported values: "*",
              "CONNECT", "CREATE", "DELETE", "UPDATE"
            - webhooks[0].rules[1].apiGroups: Invalid value: ["*",""]: if '*' is present, must not
              specify other API groups
            - webhooks[0].rules[1].apiVersions: Invalid value: ["*",""]: if '*' is present, must
              not specify other API versions
            - webhooks[0].rules[1].apiVersions[1]: Required value
            - webhooks[0].rules[1].resources[1]: Invalid value: "pods/log": if 'pods/*' is present,
              must not specify pods/log
            - webhooks[0].rules[1].resources[3]: Invalid value: "a/log": if '*/log' is present, must
              not specify a/log
            - webhooks[0].rules[1].resources[4]: Required value
            - webhooks[0].rules[1].resources: Invalid value:
              ["pods/*","pods/log","*/log","a/log","","*","x"]: if '*' is present, must not specify
              other resources without subresources
            - webhooks[0].rules[1].scope: Unsupported value: "Some": supported values: "*",
              "Cluster", "Namespaced"
            - webhooks[0].rules[2].resources: Invalid value: ["*/*","pods"]: if '*/*' is present,
              must not specify other resources
            """,
        ),
        (
            policy(matchConstraints=None, validations=[], failurePolicy="Maybe"),
            """
            - spec.failurePolicy: Unsupported value: "Maybe": supported values: "Fail", "Ignore"
            - spec.matchConstraints: Required value
            - spec.validations: Required value: validations or auditAnnotations must contain at
              least one item
            - spec.auditAnnotations: Required value: validations or auditAnnotations must contain
              at least one item
            """,
        ),
        (
            policy(
                paramKind={"apiVersion": "A/b/c", "kind": "a_b"},
                matchConstraints={
                    "matchPolicy": "Loose",
                    "resourceRules": [{**RULE, "resourceNames": ["a", "a", "b/c"]}],
                    "excludeResourceRules": [{}],
                },
                variables=[{"name": "for", "expression": "1"}, {"name": " "}],
                validations=[
                    {"expression": "", "messageExpression": " ", "message": " ", "reason": "No"},
                    {"expression": "true", "message": "a\nb"},
                ],
                auditAnnotations=[
                    {"key": "a", "valueExpression": ""},
                    {"key": "a", "valueExpression": "x" * 5121},
                    {"key": "_", "valueExpression": "'x'"},
                ],
            ),
            """
            - spec.paramKind.apiVersion: Invalid value: "A/b/c": unexpected GroupVersion string:
              A/b/c
            - spec.paramKind.kind: Invalid value: "a_b": may have mixed case, but should otherwise
              match: <label-1035>
            - spec.matchConstraints.matchPolicy: Unsupported value: "Loose": supported values:
              "Equivalent", "Exact"
            - spec.matchConstraints.resourceRules[0].resourceNames[1]: Duplicate value: "a"
            - spec.matchConstraints.resourceRules[0].resourceNames[2]: Invalid value: "b/c": may
              not contain '/'
            - spec.matchConstraints.excludeResourceRules[0].operations: Required value
            - spec.matchConstraints.excludeResourceRules[0].apiGroups: Required value
            - spec.matchConstraints.excludeResourceRules[0].apiVersions: Required value
            - spec.matchConstraints.excludeResourceRules[0].resources: Required value
            - spec.variables[0].name: Invalid value: "for": name is not a valid CEL identifier
            - spec.variables[1].name: Required value: name is not specified
            - spec.variables[1].expression: Required value: expression is not specified
            - spec.validations[0].expression: Required value: expression is not specified
            - spec.validations[0].messageExpression: Invalid value: " ": must be non-empty if
              specified
            - spec.validations[0].message: Invalid value: " ": message must be non-empty if
              specified
            - spec.validations[0].reason: Unsupported value: "No": supported values: "Forbidden",
              "Invalid", "RequestEntityTooLarge"
            - spec.validations[1].message: Invalid value: "a\\nb": message must not contain line
              breaks
            - spec.auditAnnotations[0].valueExpression: Required value: valueExpression is not
              specified
            - spec.auditAnnotations[1].valueExpression: Required value: must not exceed 5120 bytes
              in length
            - spec.auditAnnotations[1].key: Duplicate value: "a"
            - spec.auditAnnotations[2].key: Invalid value: "web/_": name part <qualified>
            """,
        ),
        (
            policy(paramKind={"apiVersion": "a.b/", "kind": ""}),
            """
            - spec.paramKind.apiVersion: Invalid value: "a.b/": version must be specified
            - spec.paramKind.kind: Required value
            """,
        ),
        (
            bound(
                policyName="",
                paramRef={"name": "a/b", "selector": {}},
                matchResources={"resourceRules": [{**RULE, "operations": []}]},
                validationActions=["Deny", "Warn", "Deny", "Shout"],
            ),
            """
            - spec.policyName: Required value
            - spec.paramRef.name: Invalid value: "a/b": may not contain '/'
            - spec.paramRef.name: Forbidden: name and selector are mutually exclusive
            - spec.paramRef.selector: Forbidden: name and selector are mutually exclusive
            - spec.paramRef.parameterNotFoundAction: Required value
            - spec.matchResouces.resourceRules[0].operations: Required value
            - spec.validationActions[2]: Duplicate value: "Deny"
            - spec.validationActions[3]: Unsupported value: "Shout": supported values: "Audit",
              "Deny", "Warn"
            - spec.validationActions: Invalid value: ["Deny","Warn","Deny","Shout"]: must not
              contain both Deny and Warn (repeating the same validation failure information in the
              API response and headers serves no purpose)
            """,
        ),
        (
            bound(paramRef={"parameterNotFoundAction": "Ask"}, validationActions=[]),
            """
            - spec.paramRef: Required value: one of name or selector must be specified
            - spec.paramRef.parameterNotFoundAction: Unsupported value: "Ask": supported values:
              "Deny", "Allow"
            - spec.validationActions: Required value: at least one validation action is required
            """,
        ),
    ],
)
def test_every_complaint_about_a_new_object(obj: Object, expected: str) -> None:
    """All at once, in upstream's order."""
    assert creation(obj) == told(expected)


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (mutating(), ""),
        (
            mutating(mutations=[], reinvocationPolicy="Often"),
            """
            - spec.mutations: Required value: mutations must contain at least one item
            - spec.reinvocationPolicy: Unsupported value: "Often": supported values: "IfNeeded",
              "Never"
            """,
        ),
        (
            mutating(
                mutations=[
                    {"patchType": "ApplyConfiguration", "jsonPatch": {"expression": "[]"}},
                    {"patchType": "JSONPatch", "jsonPatch": {}},
                    {"patchType": "Magic"},
                    {},
                ]
            ),
            """
            - spec.mutations[0].applyConfiguration: Required value: must be specified when
              patchType is ApplyConfiguration
            - spec.mutations[0].jsonPatch: Forbidden: must not be specified when patchType is
              ApplyConfiguration
            - spec.mutations[1].jsonPatch.expression: Required value: expression is not specified
            - spec.mutations[2].patchType: Unsupported value: "Magic": supported values:
              "ApplyConfiguration", "JSONPatch"
            - spec.mutations[3].patchType: Required value
            """,
        ),
    ],
)
def test_every_complaint_about_a_mutating_policy(obj: Object, expected: str) -> None:
    """A kind of 1.36."""
    assert creation(obj, "1.36") == told(expected)


def test_webhooks_have_upstreams_defaults() -> None:
    """Both kinds; reinvocation is a matter of those that mutate."""
    given = hooks({"clientConfig": {"url": None, "service": {"name": "a", "namespace": "b"}}})
    full = {
        **HOOK,
        "clientConfig": {"service": {"name": "a", "namespace": "b", "port": 443}},
        "rules": [{**RULE, "scope": "*"}],
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "timeoutSeconds": 10,
    }
    assert defaulted(given)["webhooks"] == [full]
    mutates = {**given, "kind": "MutatingWebhookConfiguration"}
    assert defaulted(mutates)["webhooks"] == [{**full, "reinvocationPolicy": "Never"}]


def test_policies_and_bindings_have_upstreams_defaults() -> None:
    """What is matched, and what happens when a policy fails."""
    match = {
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "resourceRules": [{**RULE, "scope": "*"}],
    }
    made = defaulted(policy())["spec"]
    assert (made["failurePolicy"], made["matchConstraints"]) == ("Fail", match)
    made = defaulted(mutating(), "1.36")["spec"]
    assert (made["failurePolicy"], made["reinvocationPolicy"]) == ("Fail", "Never")
    made = defaulted(bound(matchResources={"resourceRules": [RULE]}))["spec"]
    assert made["matchResources"] == match


def test_a_policys_status_is_checked() -> None:
    """Conditions have the shape that newer kinds share."""
    conditions = [
        {"type": "A", "status": "Maybe", "reason": "-", "observedGeneration": -1},
        {"type": "A", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"},
    ]
    checking = {"expressionWarnings": [{"warning": "", "fieldRef": "spec"}]}
    new = {**policy(), "status": {"conditions": conditions, "typeChecking": checking}}
    assert update(new, policy(), "status") == told(
        """
        - status.typeChecking.expressionWarnings[0].warning: Required value
        - status.conditions[0].status: Unsupported value: "Maybe": supported values: "False",
          "True", "Unknown"
        - status.conditions[0].observedGeneration: Invalid value: -1: must be greater than or equal
          to zero
        - status.conditions[0].lastTransitionTime: Required value: must be set
        - status.conditions[0].reason: Invalid value: "-": a condition reason must start with
          alphabetic character, optionally followed by a string of alphanumeric characters or
          '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',
          or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is
          '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')
        - status.conditions[1].type: Duplicate value: "A"
        - status.conditions[1].reason: Required value: must be set
        """.replace("'MY_NAME',\n          or", "'MY_NAME',  or")
    )


def test_expressions_are_shown_to_whoever_compiles_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what each can name; what is wrong becomes a complaint about its field."""
    seen: list[tuple[str, Purpose, Surroundings]] = []

    def refuse(expression: str, purpose: Purpose, around: Surroundings) -> str:
        seen.append((expression, purpose, around))
        return "compilation failed: no"

    monkeypatch.setattr(_expressions, "compile_expression", refuse)
    given = policy(
        paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
        matchConditions=[{"name": "c", "expression": "c"}],
        variables=[{"name": "a", "expression": "1"}, {"name": "b", "expression": "2"}],
        validations=[{"expression": "v", "messageExpression": "m"}],
        auditAnnotations=[{"key": "k", "valueExpression": "s"}],
    )
    assert creation(given) == told("""
        - spec.matchConditions[0].expression: Invalid value: "c": compilation failed: no
        - spec.variables[0].expression: Invalid value: "1": compilation failed: no
        - spec.variables[1].expression: Invalid value: "2": compilation failed: no
        - spec.validations[0].expression: Invalid value: "v": compilation failed: no
        - spec.validations[0].messageExpression: Invalid value: "m": compilation failed: no
        - spec.auditAnnotations[0].valueExpression: Invalid value: "s": compilation failed: no
        """)
    both = (("a", "1"), ("b", "2"))
    assert seen == [
        ("c", "condition", Surroundings(params=True)),
        ("1", "variable", Surroundings(params=True)),
        ("2", "variable", Surroundings(params=True, variables=both[:1])),
        ("v", "condition", Surroundings(params=True, variables=both)),
        ("m", "message", Surroundings(params=True, variables=both)),
        ("s", "audit", Surroundings(params=True, variables=both)),
    ]
