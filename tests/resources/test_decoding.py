"""Decoding: types, unknown and duplicate fields, other kinds, hostile input."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.resources.decoding import decode, duplicate_fields
from orchestrator.resources.errors import StatusError
from orchestrator.resources.kinds import Kind, registry

Object = dict[str, Any]
Examples = dict[str, Object]
KindOf = Callable[[str], Kind]

DEPLOYMENT = registry().by_key("deployments.apps")
PREFIX = 'Deployment in version "v1" cannot be handled as a Deployment: '

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["spec", "metadata", "name", "template", "containers", "env", "resources", "limits"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def put_at(obj: Object, path: str, value: Any) -> Object:
    """Return a copy with a value at a dotted path; numbers are indexes."""
    result = copy.deepcopy(obj)
    place: Any = result
    *way, last = path.split(".")
    for step in way:
        place = place[int(step)] if step.isdigit() else place.setdefault(step, {})
    place[int(last) if last.isdigit() else last] = value
    return result


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "spec.replicas",
            "3",
            (
                "json: cannot unmarshal string into Go struct field "
                "DeploymentSpec.spec.replicas of "
                "type int32"
            ),
        ),
        (
            "spec.replicas",
            1.5,
            (
                "json: cannot unmarshal number 1.5 into Go struct field "
                "DeploymentSpec.spec.replicas "
                "of type int32"
            ),
        ),
        (
            "spec.replicas",
            2**31,
            (
                "json: cannot unmarshal number 2147483648 into Go struct field "
                "DeploymentSpec.spec.replicas of type int32"
            ),
        ),
        (
            "spec.paused",
            "yes",
            (
                "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.paused of "
                "type bool"
            ),
        ),
        (
            "spec.template.spec.containers",
            {},
            (
                "json: cannot unmarshal object into Go struct field "
                "PodSpec.spec.template.spec.containers of type []v1.Container"
            ),
        ),
        (
            "spec.template.spec.containers.0",
            "x",
            (
                "json: cannot unmarshal string into Go struct field "
                "PodSpec.spec.template.spec.containers of type v1.Container"
            ),
        ),
        (
            "spec.template.spec.containers.0.env",
            [{"name": "A", "value": True}],
            (
                "json: cannot unmarshal bool into Go struct field "
                "EnvVar.spec.template.spec.containers.env.value of type string"
            ),
        ),
        (
            "metadata.labels",
            {"a": 1},
            (
                "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of "
                "type string"
            ),
        ),
        (
            "metadata.labels",
            [],
            (
                "json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of "
                "type map[string]string"
            ),
        ),
        (
            "metadata.creationTimestamp",
            "now",
            'parsing time "now" as "2006-01-02T15:04:05Z07:00": cannot parse "now" as "2006"',
        ),
        (
            "spec.template.spec.containers.0.resources.limits",
            {"cpu": "lots"},
            (
                "quantities must match the regular expression "
                "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            ),
        ),
        (
            "spec.template.spec.restartPolicy",
            1,
            (
                "json: cannot unmarshal number into Go struct field "
                "PodSpec.spec.template.spec.restartPolicy of type v1.RestartPolicy"
            ),
        ),
        (
            "spec.strategy.rollingUpdate.maxSurge",
            True,
            "json: cannot unmarshal bool into Go value of type int32",
        ),
    ],
)
def test_wrong_types_are_refused_in_gos_words(
    path: str, value: Any, message: str, examples: Examples
) -> None:
    """400 with the field and the type it has."""
    body = put_at(examples["deployments.apps"], path, value)
    with pytest.raises(StatusError) as caught:
        decode(body, DEPLOYMENT)
    assert (caught.value.code, caught.value.reason) == (400, "BadRequest")
    assert caught.value.message == PREFIX + message


@pytest.fixture
def misspelt(examples: Examples) -> Object:
    """A Deployment with two unknown fields."""
    body = put_at(examples["deployments.apps"], "spec.replica", 3)
    return put_at(body, "spec.template.spec.containers.0.limits", {})


def test_unknown_fields_are_pruned_when_ignored(misspelt: Object, examples: Examples) -> None:
    """The result is as if they were not there."""
    decoded = decode(misspelt, DEPLOYMENT, validation="Ignore")
    assert decoded.object == examples["deployments.apps"]
    assert decoded.warnings == []


def test_unknown_fields_are_warned_of(misspelt: Object, examples: Examples) -> None:
    """One warning each, with the whole path; this is the default."""
    decoded = decode(misspelt, DEPLOYMENT)
    assert decoded.object == examples["deployments.apps"]
    assert sorted(decoded.warnings) == [
        'unknown field "spec.replica"',
        'unknown field "spec.template.spec.containers[0].limits"',
    ]


def test_unknown_fields_are_refused_when_strict(misspelt: Object) -> None:
    """All of them in one sentence."""
    with pytest.raises(StatusError) as caught:
        decode(misspelt, DEPLOYMENT, validation="Strict")
    assert caught.value.code == 400
    assert caught.value.message == (
        f'{PREFIX}strict decoding error: unknown field "spec.template.spec.containers[0].limits", '
        'unknown field "spec.replica"'
    )


def test_duplicate_fields_are_found_in_the_text(examples: Examples) -> None:
    """Strict refuses them; warnings come before those of unknown fields."""
    body = examples["deployments.apps"]
    raw = json.dumps(body).replace('"spec":', '"spec": 1, "spec":', 1).encode()
    assert duplicate_fields(raw, json.loads(raw)) == ["spec"]
    with pytest.raises(StatusError) as caught:
        decode(json.loads(raw), DEPLOYMENT, validation="Strict", raw=raw)
    assert caught.value.message == f'{PREFIX}strict decoding error: duplicate field "spec"'
    clean = json.dumps(body).encode()
    assert decode(body, DEPLOYMENT, validation="Strict", raw=clean).object is body


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"a":1,"a":2}', ["a"]),
        (b'{"a":[{"b":1,"b":2}]}', ["a[0].b"]),
        (b'{"a" : 1, "a" : 2}', ["a"]),
        (b'{"a":"x\\":y"}', []),
        (b'{"a":"\\":", "b" :1}', []),
        (b'{"a":1,"b":{"a":1}}', []),
        (b"[", []),
    ],
)
def test_duplicates_are_told_from_lookalikes(raw: bytes, expected: list[str]) -> None:
    """Colons in strings and spaces before colons mislead nobody."""
    assert duplicate_fields(raw) == expected


def test_values_are_normalized(examples: Examples) -> None:
    """Quantities and times are stored as upstream stores them; nulls vanish."""
    body = examples["deployments.apps"]
    limits = {"cpu": 1, "memory": "1024Mi"}
    body = put_at(body, "spec.template.spec.containers.0.resources", {"limits": limits})
    body = put_at(body, "metadata.creationTimestamp", None)
    decoded = decode(body, DEPLOYMENT).object
    container = decoded["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "1Gi"}
    assert "creationTimestamp" not in decoded["metadata"]


def test_what_needs_no_change_is_the_same_object(examples: Examples, kind_of: KindOf) -> None:
    """Decoding what was decoded shares everything."""
    for resource, example in examples.items():
        once = decode(example, kind_of(resource)).object
        assert decode(once, kind_of(resource)).object is once, resource


def test_the_body_is_not_changed(misspelt: Object) -> None:
    """Pruning builds new dictionaries."""
    before = copy.deepcopy(misspelt)
    decode(misspelt, DEPLOYMENT)
    assert misspelt == before


def test_kind_and_version_may_be_left_out(examples: Examples) -> None:
    """The path says what it is."""
    body = examples["deployments.apps"]
    bare = {key: value for key, value in body.items() if key not in {"apiVersion", "kind"}}
    assert decode(bare, DEPLOYMENT).object == body


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"apiVersion": "v1", "kind": "Pod"},
            "the API version in the data (v1) does not match the expected API version (apps/v1)",
        ),
        (
            {"kind": "Foo"},
            (
                'Foo in version "v1" cannot be handled as a Deployment: no kind "Foo" is '
                "registered "
                'for version "apps/v1"'
            ),
        ),
        (
            {"kind": "ReplicaSet"},
            (
                'ReplicaSet in version "v1" cannot be handled as a Deployment: converting '
                "(v1.ReplicaSet) to (v1.Deployment): unknown conversion"
            ),
        ),
        (
            {"kind": 1},
            (
                "couldn't get version/kind; json parse error: json: cannot unmarshal "
                "number into Go "
                "struct field .kind of type string"
            ),
        ),
    ],
)
def test_another_kind_is_refused(change: Object, message: str, examples: Examples) -> None:
    """An object says what it is, and the path disagrees."""
    with pytest.raises(StatusError) as caught:
        decode({**examples["deployments.apps"], **change}, DEPLOYMENT)
    assert (caught.value.code, caught.value.message) == (400, message)


def test_free_form_parts_are_kept(kind_of: KindOf) -> None:
    """Schemas of custom resources and raw extensions are the user's own."""
    schema = {"type": "object", "default": {"a": None}, "enum": [1, "x", None]}
    body = {
        "metadata": {"name": "widgets.example.com", "managedFields": [{"fieldsV1": {"f:x": {}}}]},
        "spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]},
    }
    kind = kind_of("customresourcedefinitions.apiextensions.k8s.io")
    decoded = decode(body, kind, validation="Strict").object
    assert decoded["spec"]["versions"][0]["schema"]["openAPIV3Schema"] == schema
    assert decoded["metadata"] is body["metadata"]


def test_secret_data_must_be_base64(kind_of: KindOf) -> None:
    """Upstream names the byte."""
    with pytest.raises(StatusError, match="illegal base64 data at input byte 2"):
        decode({"data": {"a": "ab!d"}}, kind_of("secrets"))
    wrapped = decode({"data": {"a": "YWJj\nZGVm"}}, kind_of("secrets")).object
    assert wrapped["data"] == {"a": "YWJjZGVm"}


def test_a_bottomless_body_is_refused() -> None:
    """Depth ends in a 400, not in the interpreter."""
    schema: Object = {}
    for _ in range(100_000):
        schema = {"not": schema}
    body = {"spec": {"versions": [{"schema": {"openAPIV3Schema": schema}}]}}
    with pytest.raises(StatusError) as caught:
        decode(body, registry().by_key("customresourcedefinitions.apiextensions.k8s.io"))
    assert caught.value.code == 400
    while schema:  # taken apart by hand: freeing it at once recurses in the interpreter too
        schema = schema.pop("not", {})


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["pods", "deployments.apps", "services", "secrets"]), json_values)
def test_nothing_but_a_status_error_comes_out(resource: str, body: Any) -> None:
    """Whatever JSON a client sends is decoded or refused with 400, and decoding it again agrees."""
    kind = registry().by_key(resource)
    try:
        decoded = decode(body, kind).object
    except StatusError as error:
        code = error.code
    else:
        code = 400
        assert decode(decoded, kind, validation="Strict").object == decoded
    assert code == 400


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(
        ["metadata", "metadata.labels", "spec", "spec.replicas", "spec.template.spec", "status"]
    ),
    json_values,
)
def test_a_damaged_object_is_decoded_or_refused(path: str, value: Any) -> None:
    """Any value at any place of an otherwise valid object."""
    body = {
        "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": []}}, "selector": {}},
    }
    damaged = put_at(body, path, value)
    try:
        decode(damaged, DEPLOYMENT)
    except StatusError as error:
        assert_bad_request(error)


def assert_bad_request(error: StatusError) -> None:
    """The only refusal decoding knows."""
    assert (error.code, error.reason) == (400, "BadRequest")
