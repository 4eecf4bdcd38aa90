"""A table of what is wrong with a definition, in upstream's paths and words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies import strategy_of

STRATEGY = strategy_of(registry("1.35").by_key("customresourcedefinitions.apiextensions.k8s.io"))
ROOT = "spec.validation.openAPIV3Schema.properties[spec]"
LABEL = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)


def _problems(crd: Object) -> list[str]:
    full = STRATEGY.prepare_create(STRATEGY.default(crd))
    return [str(problem) for problem in STRATEGY.validate_create(full)]


def _spec(**changes: Any) -> Callable[[Object], None]:
    return lambda crd: crd["spec"].update(changes)


def _version(**changes: Any) -> Callable[[Object], None]:
    return lambda crd: crd["spec"]["versions"][0].update(changes)


def _annotated(value: str) -> Callable[[Object], None]:
    def change(crd: Object) -> None:
        crd["spec"]["group"] = "a.k8s.io"
        crd["metadata"] = {
            "name": "crontabs.a.k8s.io",
            "annotations": {"api-approved.kubernetes.io": value},
        }

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_spec(scope=""), "spec.scope: Required value"),
        (
            _spec(scope="Galaxy"),
            'spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"',
        ),
        (
            _spec(names={"plural": "crontabs", "kind": "CronTab", "listKind": "CronTab"}),
            'spec.names.listKind: Invalid value: "CronTab": kind and listKind may not be the same',
        ),
        (
            _spec(names={"plural": "crontabs", "kind": "CronTab", "shortNames": ["C"]}),
            f'spec.names.shortNames[0]: Invalid value: "C": {LABEL}',
        ),
        (_version(name="V1"), f'spec.versions[0].name: Invalid value: "V1": {LABEL}'),
        (
            _version(schema=None),
            "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required",
        ),
        (
            _version(deprecationWarning="old"),
            (
                'spec.versions[0].deprecationWarning: Invalid value: "old": can only be set for '
                "deprecated versions"
            ),
        ),
        (
            _version(
                subresources={
                    "scale": {"specReplicasPath": ".status.a", "statusReplicasPath": ".status.b"}
                }
            ),
            (
                'spec.subresources.scale.specReplicasPath: Invalid value: ".status.a": should be a '
                "json path under .spec"
            ),
        ),
        (
            _version(additionalPrinterColumns=[{"name": "a", "type": "string", "jsonPath": "x"}]),
            (
                'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "x": must be a simple '
                "json path starting with ."
            ),
        ),
        (
            _version(selectableFields=[{"jsonPath": ".spec"}]),
            (
                'spec.selectableFields[0].jsonPath: Invalid value: ".spec": must point to a field '
                "of type string, boolean or integer. Enum string fields and strings with formats "
                "are allowed."
            ),
        ),
        (
            _spec(conversion={"strategy": "Magic"}),
            (
                'spec.conversion.strategy: Unsupported value: "Magic": supported values: "None", '
                '"Webhook"'
            ),
        ),
        (_annotated("https://github.com/kubernetes/kubernetes/pull/1"), ""),
        (_annotated("unapproved, for tests"), ""),
        (
            _annotated("yes"),
            (
                "metadata.annotations[api-approved.kubernetes.io]: Invalid value: "
                '"yes": protected groups must have approval annotation '
                '"api-approved.kubernetes.io" with either a URL or a reason starting with '
                '"unapproved", see https://github.com/kubernetes/enhancements/pull/1111'
            ),
        ),
    ],
)
def test_a_definition_is_held_to_the_rules(
    made: Any, change: Callable[[Object], None], said: str
) -> None:
    """One thing is wrong with each."""
    crd = made.definition()
    change(crd)
    assert _problems(crd) == ([said] if said else [])


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({}, f"{ROOT}.type: Required value: must not be empty for specified object fields"),
        ({"type": "array"}, f"{ROOT}.items: Required value: must be specified"),
        (
            {"type": "array", "items": {}},
            f"{ROOT}.items.type: Required value: must not be empty for specified array items",
        ),
        (
            {"type": "object", "not": {"type": "object"}},
            f"{ROOT}.not.type: Forbidden: must be empty to be structural",
        ),
        (
            {"type": "object", "x-kubernetes-embedded-resource": True},
            (
                f"{ROOT}.properties: Required value: must not be empty if "
                "x-kubernetes-embedded-resource is true without "
                "x-kubernetes-preserve-unknown-fields"
            ),
        ),
        (
            {
                "x-kubernetes-int-or-string": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            (
                f"{ROOT}.x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false "
                "if x-kubernetes-int-or-string is true"
            ),
        ),
        (
            {
                "x-kubernetes-int-or-string": True,
                "anyOf": [{"type": "integer"}, {"type": "string"}],
            },
            "",
        ),
        (
            {"type": "array", "uniqueItems": True, "items": {"type": "string"}},
            (
                f"{ROOT}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the "
                "runtime complexity becomes quadratic"
            ),
        ),
        (
            {"type": "array", "x-kubernetes-list-type": "map", "items": {"type": "object"}},
            (
                f"{ROOT}.x-kubernetes-list-map-keys: Required value: must not be empty if "
                "x-kubernetes-list-type is map"
            ),
        ),
        (
            {"type": "object", "x-kubernetes-list-type": "set"},
            (
                f'{ROOT}.type: Invalid value: "object": must be array if x-kubernetes-list-type is '
                "specified"
            ),
        ),
        (
            {"type": "object", "x-kubernetes-map-type": "loose"},
            (
                f'{ROOT}.x-kubernetes-map-type: Unsupported value: "loose": supported values: '
                '"atomic", "granular"'
            ),
        ),
        (
            {"type": "string", "default": 1},
            f'{ROOT}.default: Invalid value: "integer":  in body must be of type string: "integer"',
        ),
        (
            {"type": "object", "default": {"a": 1}},
            f'{ROOT}.default: Invalid value: {{"a":1}}: must not have unknown fields',
        ),
        (
            {"type": "object", "properties": {"a": {"$ref": "#/x"}}},
            f"{ROOT}.properties[a].$ref: Forbidden: $ref is not supported",
        ),
        (
            {"type": "object", "x-kubernetes-validations": [{"rule": "self.size()"}]},
            (
                f"{ROOT}.x-kubernetes-validations[0].rule: Invalid value: "
                '"self.size()": compilation failed: ERROR: <input>:1:10: found no matching '
                "overload for 'size' applied to 'selfType5.()'\n | self.size()\n | .........^"
            ),
        ),
    ],
)
def test_a_schema_is_held_to_the_rules(made: Any, schema: dict[str, Any], said: str) -> None:
    """Structure, extensions, defaults and expressions."""
    found = _problems(made.definition(schema))
    if "compilation failed" in said:
        assert found[0].startswith(said.partition(" ERROR")[0])
        return
    assert found == ([said] if said else [])


def test_alternatives_restrict_only_what_is_specified(made: Any) -> None:
    """At the root, where upstream looks."""
    crd = made.definition()
    root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    root["anyOf"] = [{"properties": {"a": {"minimum": 1}}}]
    at = "spec.validation.openAPIV3Schema"
    assert _problems(crd) == [
        f"{at}.properties[a]: Required value: because it is defined in {at}.anyOf[0].properties[a]"
    ]


def test_a_change_keeps_what_objects_depend_on(made: Any) -> None:
    """Group, plural, and of an established kind scope and kind; stored versions stay known."""
    old = STRATEGY.prepare_create(STRATEGY.default(made.definition()))
    old["metadata"] |= {"uid": "1", "resourceVersion": "1"}
    established = {"type": "Established", "status": "True"}
    old["status"] = {**old["status"], "conditions": [established]}
    new = STRATEGY.default(made.definition(scope="Cluster", kind="Other"))
    new["spec"]["versions"][0]["name"] = "v2"
    new["metadata"] |= {"uid": "1", "resourceVersion": "1"}
    prepared = STRATEGY.prepare_update(new, old)
    assert prepared["status"]["storedVersions"] == ["v1", "v2"]
    assert [str(problem) for problem in STRATEGY.validate_update(prepared, old)] == [
        'spec.scope: Invalid value: "Cluster": field is immutable',
        'spec.names.kind: Invalid value: "Other": field is immutable',
        (
            'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was '
            "previously a storage version, and must remain in spec.versions until a storage "
            "migration ensures no data remains persisted in v1 and removes v1 from "
            "status.storedVersions"
        ),
    ]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "array", "items": {"properties": "x"}}, "cannot unmarshal string"),
        ({"type": "array", "items": "x"}, "cannot unmarshal string"),
        ({"type": "object", "additionalProperties": 1}, "boolean or JSON schema expected"),
        ({"type": "object", "additionalProperties": {"required": {}}}, "cannot unmarshal object"),
    ],
)
async def test_what_is_no_schema_is_refused_wherever_one_stands(
    api: Any, made: Any, schema: dict[str, Any], said: str
) -> None:
    """Also inside of items and maps, which may be something else than a schema."""
    answer = await api.client.post(made.CRDS, json=made.definition(schema))
    assert answer.status_code == 400, answer.text
    assert said in answer.json()["message"]


async def test_unknown_fields_inside_of_items_are_dropped(api: Any, made: Any) -> None:
    """Without a word, as upstream's decoder of such places has it."""
    schema = {"type": "array", "items": {"type": "string", "unknown": 1}}
    answer = await api.client.post(
        made.CRDS, json=made.definition(schema), params={"fieldValidation": "Strict"}
    )
    assert answer.status_code == 201, answer.text
    version = answer.json()["spec"]["versions"][0]
    stored = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert stored == {"type": "array", "items": {"type": "string"}}


async def test_a_format_that_nobody_knows_is_warned_of(api: Any, made: Any) -> None:
    """Of strings only: those of numbers have a meaning elsewhere."""
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "format": "colour"},
            "b": {"type": "integer", "format": "int32"},
            "c": {"type": "string", "format": "date-time"},
        },
    }
    answer = await api.client.post(made.CRDS, json=made.definition(schema))
    assert answer.headers.get_list("warning") == ['299 - "unrecognized format \\"colour\\""']
