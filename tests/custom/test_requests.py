"""What requests for custom objects may say, and what becomes of them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

MERGE = {"content-type": "application/merge-patch+json"}
APPLY = {"content-type": "application/apply-patch+yaml"}
STRATEGIC = {"content-type": "application/strategic-merge-patch+json"}

STRING = {"type": "string"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "color": STRING,
        "size": {"type": "integer", "default": 1},
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": STRING},
        "ports": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": STRING, "port": {"type": "integer"}},
            },
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}
STATUS = {"type": "object", "properties": {"replicas": {"type": "integer"}, "selector": STRING}}


def _with_status(made: Any, **version: Any) -> dict[str, Any]:
    crd: dict[str, Any] = made.definition(SCHEMA, subresources={"status": {}}, **version)
    root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    root["properties"]["status"] = STATUS
    return crd


async def test_unknown_and_duplicate_fields_are_treated_as_asked(api: Any, made: Any) -> None:
    """Dropped, dropped with a warning, or refused."""
    await api.define(made.definition(SCHEMA))
    raw = (
        '{"apiVersion":"stable.example.com/v1","kind":"CronTab","metadata":{"name":"one",'
        '"bad":1},"spec":{"color":"a","color":"b","other":1}}'
    )
    kind = {"content-type": "application/json"}
    refused = await api.client.post(
        api.path(), content=raw, params={"fieldValidation": "Strict"}, headers=kind
    )
    assert refused.status_code == 400
    assert refused.json()["message"] == (
        'CronTab in version "v1" cannot be handled as a CronTab: strict decoding error: '
        'duplicate field "spec.color", unknown field "metadata.bad", unknown field "spec.other"'
    )
    warned = await api.client.post(api.path(), content=raw, headers=kind)
    assert warned.status_code == 201
    assert warned.json()["spec"] == {"color": "b", "size": 1}
    assert warned.headers.get_list("warning") == [
        '299 - "duplicate field \\"spec.color\\""',
        '299 - "unknown field \\"metadata.bad\\""',
        '299 - "unknown field \\"spec.other\\""',
    ]


async def test_metadata_of_the_wrong_type_is_refused(api: Any, made: Any) -> None:
    """Metadata is the server's own structure, whatever the schema says."""
    await api.define(made.definition(SCHEMA))
    obj = made.instance()
    obj["metadata"]["labels"] = {"a": 1}
    refused = await api.create(obj, 400)
    assert (
        "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels"
        in (refused["message"])
    )


async def test_items_that_must_differ_are_held_to_it(api: Any, made: Any) -> None:
    """Sets and maps name the second of two equal items."""
    await api.define(made.definition(SCHEMA))
    spec = {"tags": ["a", "b", "a"], "ports": [{"name": "x"}, {"name": "x", "port": 1}]}
    refused = await api.create(made.instance(spec=spec), 422)
    assert [(c["field"], c["message"]) for c in refused["details"]["causes"]] == [
        ("spec.tags[2]", 'Duplicate value: "a"'),
        ("spec.ports[1]", 'Duplicate value: {"name":"x"}'),
    ]


async def test_status_and_spec_are_written_apart(api: Any, made: Any) -> None:
    """A write to one leaves the other; only the spec counts as a new generation."""
    await api.define(_with_status(made))
    created = await api.create(made.instance(spec={"color": "a"}, status={"replicas": 1}))
    assert "status" not in created
    body = orjson.dumps({"spec": {"color": "b"}, "status": {"replicas": 2}})
    written = await api.client.patch(api.path("one") + "/status", content=body, headers=MERGE)
    assert written.status_code == 200, written.text
    obj = written.json()
    assert (obj["spec"]["color"], obj["status"]) == ("a", {"replicas": 2})
    assert obj["metadata"]["generation"] == 1
    changed = await api.client.patch(api.path("one"), content=body, headers=MERGE)
    assert changed.json()["metadata"]["generation"] == 2
    wrong = orjson.dumps({"status": {"replicas": "many"}})
    refused = await api.client.patch(api.path("one") + "/status", content=wrong, headers=MERGE)
    assert refused.json()["details"]["causes"][0] == {
        "reason": "FieldValueTypeInvalid",
        "message": ('Invalid value: "string": replicas in body must be of type integer: "string"'),
        "field": "status.replicas",
    }


async def test_a_scale_is_read_and_written(api: Any, made: Any) -> None:
    """Replicas and selector come from the paths of the definition."""
    scale = {
        "specReplicasPath": ".spec.size",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    crd = _with_status(made)
    crd["spec"]["versions"][0]["subresources"]["scale"] = scale
    await api.define(crd)
    await api.create(made.instance(spec={"size": 3}))
    status = orjson.dumps({"status": {"replicas": 2, "selector": "a=b"}})
    await api.client.patch(api.path("one") + "/status", content=status, headers=MERGE)
    found = (await api.client.get(api.path("one") + "/scale")).json()
    assert (found["kind"], found["spec"], found["status"]) == (
        "Scale",
        {"replicas": 3},
        {"replicas": 2, "selector": "a=b"},
    )
    scaled = await api.client.patch(
        api.path("one") + "/scale", content=b'{"spec":{"replicas":5}}', headers=MERGE
    )
    assert scaled.json()["spec"] == {"replicas": 5}
    obj = (await api.client.get(api.path("one"))).json()
    assert (obj["spec"]["size"], obj["metadata"]["generation"]) == (5, 2)
    refused = await api.client.patch(
        api.path("one") + "/scale", content=b'{"spec":{"replicas":-1}}', headers=MERGE
    )
    assert refused.status_code == 422


async def test_rules_are_evaluated_with_what_was_before(api: Any, made: Any) -> None:
    """Transition rules see the old value; a rule's own message and path are told."""
    rules = [
        {"rule": "self.color == oldSelf.color", "message": "color is immutable"},
        {
            "rule": "self.size < 5",
            "messageExpression": "'size is ' + string(self.size)",
            "fieldPath": ".size",
            "reason": "FieldValueForbidden",
        },
    ]
    await api.define(made.definition({**SCHEMA, "x-kubernetes-validations": rules}))
    refused = await api.create(made.instance(spec={"color": "a", "size": 7}), 422)
    assert refused["details"]["causes"] == [
        {
            "reason": "FieldValueForbidden",
            "message": "Forbidden: size is 7",
            "field": "spec.size",
        }
    ]
    await api.create(made.instance(spec={"color": "a"}))
    body = orjson.dumps({"spec": {"color": "b"}})
    answer = await api.client.patch(api.path("one"), content=body, headers=MERGE)
    assert answer.json()["details"]["causes"] == [
        {
            "reason": "FieldValueInvalid",
            "message": 'Invalid value: "object": color is immutable',
            "field": "spec",
        }
    ]
    wrong = await api.create(made.instance("two", spec={"size": "x"}), 422)
    assert [c["message"] for c in wrong["details"]["causes"]][1] == (
        'Invalid value: "null": some validation rules were not checked because the object was '
        "invalid; correct the existing errors to complete validation"
    )


async def test_fields_can_be_selected_by_that_the_definition_names(api: Any, made: Any) -> None:
    """Others are refused."""
    await api.define(made.definition(SCHEMA, selectableFields=[{"jsonPath": ".spec.color"}]))
    for name, color in (("one", "red"), ("two", "blue")):
        await api.create(made.instance(name, spec={"color": color}))
    found = await api.client.get(api.path(), params={"fieldSelector": "spec.color=red"})
    assert [obj["metadata"]["name"] for obj in found.json()["items"]] == ["one"]
    refused = await api.client.get(api.path(), params={"fieldSelector": "spec.size=1"})
    assert (refused.status_code, refused.json()["message"]) == (
        400,
        "field label not supported: spec.size",
    )


async def test_columns_are_those_of_the_definition(api: Any, made: Any) -> None:
    """Types decide what a cell may hold; what is not there is null."""
    columns = [
        {"name": "Color", "type": "string", "jsonPath": ".spec.color"},
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "priority": 1},
        {"name": "Ports", "type": "string", "jsonPath": ".spec.ports[*].name"},
        {"name": "X", "type": "string", "jsonPath": '.spec.ports[?(@.name=="x")].port'},
        {"name": "Free", "type": "string", "jsonPath": ".spec.free"},
        {"name": "Wrong", "type": "integer", "jsonPath": ".spec.color"},
        {"name": "When", "type": "date", "jsonPath": ".spec.color"},
    ]
    await api.define(made.definition(SCHEMA, additionalPrinterColumns=columns))
    spec = {"color": "red", "ports": [{"name": "w"}, {"name": "x", "port": 8}], "free": {"a": 1}}
    await api.create(made.instance(spec=spec))
    table = (
        await api.client.get(
            api.path(), headers={"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        )
    ).json()
    assert [(c["name"], c["priority"]) for c in table["columnDefinitions"]][:3] == [
        ("Name", 0),
        ("Color", 0),
        ("Size", 1),
    ]
    assert table["rows"][0]["cells"] == [
        "one",
        "red",
        1,
        "w",
        "8",
        '{"a":1}',
        None,
        "<invalid>",
    ]


async def test_apply_goes_by_the_schema(api: Any, made: Any) -> None:
    """Items of maps are owned by key, free fields one by one; conflicts name the field."""
    await api.define(made.definition(SCHEMA))

    async def apply(manager: str, spec: dict[str, Any], **params: str) -> Any:
        body = orjson.dumps(made.instance(spec=spec))
        return await api.client.patch(
            api.path("one"),
            content=body,
            headers=APPLY,
            params={"fieldManager": manager, **params},
        )

    first = await apply("a", {"ports": [{"name": "x", "port": 1}], "free": {"one": 1}})
    assert first.status_code == 201, first.text
    second = await apply("b", {"ports": [{"name": "y", "port": 2}], "free": {"two": 2}})
    assert second.status_code == 200, second.text
    assert second.json()["spec"] == {
        "ports": [{"name": "x", "port": 1}, {"name": "y", "port": 2}],
        "free": {"one": 1, "two": 2},
        "size": 1,
    }
    conflict = await apply("b", {"ports": [{"name": "x", "port": 3}]})
    assert conflict.status_code == 409
    assert '.spec.ports[name="x"].port' in conflict.json()["message"]


async def test_a_strategic_merge_patch_is_refused(api: Any, made: Any) -> None:
    """Custom kinds have no merge keys."""
    await api.define(made.definition(SCHEMA))
    await api.create(made.instance())
    refused = await api.client.patch(api.path("one"), content=b"{}", headers=STRATEGIC)
    assert (refused.status_code, refused.json()["message"]) == (
        415,
        (
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json-patch+json, application/merge-patch+json, "
            "application/apply-patch+yaml"
        ),
    )


async def test_a_replacement_names_the_version_it_replaces(api: Any, made: Any) -> None:
    """Upstream allows no unconditional update of custom objects."""
    await api.define(made.definition(SCHEMA))
    created = await api.create(made.instance(spec={"color": "a"}))
    refused = await api.client.put(api.path("one"), json=made.instance(spec={"color": "b"}))
    assert refused.status_code == 422
    assert refused.json()["details"]["causes"][0]["message"] == (
        "Invalid value: 0: must be specified for an update"
    )
    created["spec"]["color"] = "b"
    assert (await api.client.put(api.path("one"), json=created)).status_code == 200


async def test_a_cluster_scoped_kind_lives_outside_of_namespaces(api: Any, made: Any) -> None:
    """Its path has no namespace, and its names need not be in one."""
    await api.define(made.definition(SCHEMA, scope="Cluster"))
    path = f"/apis/{made.GROUP}/v1/crontabs"
    created = await api.client.post(path, json=made.instance())
    assert created.status_code == 201, created.text
    assert "namespace" not in created.json()["metadata"]
    assert (await api.client.get(api.path())).status_code == 404


@pytest.mark.parametrize(
    ("warning", "told"),
    [
        (None, "stable.example.com/v1 CronTab is deprecated"),
        ("use something else", "use something else"),
    ],
)
async def test_a_deprecated_version_warns(
    api: Any, made: Any, warning: str | None, told: str
) -> None:
    """Every answer says so, in the definition's own words if it has any."""
    more = {} if warning is None else {"deprecationWarning": warning}
    await api.define(made.definition(SCHEMA, deprecated=True, **more))
    answer = await api.client.get(api.path())
    assert answer.headers["warning"] == f'299 - "{told}"'


async def test_an_embedded_object_is_held_to_its_metadata(api: Any, made: Any) -> None:
    """Type and metadata of an object within an object are checked like its own."""
    embedded = {
        "type": "object",
        "x-kubernetes-embedded-resource": True,
        "x-kubernetes-preserve-unknown-fields": True,
    }
    await api.define(made.definition({"type": "object", "properties": {"template": embedded}}))
    inner = {"kind": "Pod_", "metadata": {"name": "a/b", "unknown": 1}, "spec": {"x": 1}}
    refused = await api.create(made.instance(spec={"template": inner}), 422)
    assert [c["field"] for c in refused["details"]["causes"]] == [
        "spec.template.apiVersion",
        "spec.template.kind",
        "spec.template.metadata.name",
    ]
    good = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "unknown": 1}, "spec": {}}
    created = await api.create(made.instance(spec={"template": good}))
    assert created["spec"]["template"]["metadata"] == {"name": "a"}


async def test_a_version_that_is_none_harms_nobody(api: Any, made: Any) -> None:
    """Whatever a client sends as resourceVersion is compared, not computed with."""
    await api.define(made.definition(SCHEMA))
    await api.create(made.instance())
    obj = made.instance(spec={"color": "a"})
    obj["metadata"]["resourceVersion"] = "none"
    answer = await api.client.put(api.path("one"), json=obj)
    assert answer.status_code == 409, answer.text
    other = made.instance("two")
    other["metadata"]["resourceVersion"] = "none"
    answer = await api.client.post(api.path(), json=other)
    assert answer.status_code == 201, answer.text
