"""Tables of what pruning leaves and what defaulting adds."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.resources.custom.defaulting import compile_defaults
from orchestrator.resources.custom.pruning import compile_pruner

STRING = {"type": "string"}
KEEP = {"x-kubernetes-preserve-unknown-fields": True}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("schema", "value", "left", "unknown"),
    [
        (_object(a=STRING), {"a": "x"}, {"a": "x"}, []),
        (_object(a=STRING), {"a": "x", "b": 1}, {"a": "x"}, ["b"]),
        (_object(a=_object(b=STRING)), {"a": {"c": 1}}, {"a": {}}, ["a.c"]),
        (_object(a=STRING), {"a": {"deep": 1}}, {"a": {}}, ["a.deep"]),
        (
            _object(a={"type": "array", "items": _object(b=STRING)}),
            {"a": [{"b": "x"}, {"c": 1}]},
            {"a": [{"b": "x"}, {}]},
            ["a[1].c"],
        ),
        (
            _object(a={"type": "object", "additionalProperties": _object(b=STRING)}),
            {"a": {"k": {"b": "x", "c": 1}}},
            {"a": {"k": {"b": "x"}}},
            ["a.k.c"],
        ),
        ({**_object(a=_object(b=STRING)), **KEEP}, {"z": {"y": 1}}, {"z": {"y": 1}}, []),
        ({**_object(a=_object(b=STRING)), **KEEP}, {"a": {"y": 1}}, {"a": {}}, ["a.y"]),
        (_object(a=KEEP), {"a": [{"b": [{"c": 1}]}]}, {"a": [{"b": [{"c": 1}]}]}, []),
        (
            _object(a={"type": "object", "x-kubernetes-embedded-resource": True, **KEEP}),
            {"a": {"kind": "A", "metadata": {"name": "x", "bad": 1}, "spec": {"b": 1}}},
            {"a": {"kind": "A", "metadata": {"name": "x"}, "spec": {"b": 1}}},
            ["a.metadata.bad"],
        ),
    ],
    ids=repr,
)
def test_unknown_fields_are_left_out_and_told(
    schema: dict[str, Any], value: Any, left: Any, unknown: list[str]
) -> None:
    """What stays, and the paths of what does not."""
    found: list[str] = []
    assert compile_pruner(schema)(value, "", found) == left
    assert found == unknown


def test_a_value_without_unknown_fields_is_itself() -> None:
    """Nothing is copied that does not change."""
    value = {"a": [{"b": "x"}]}
    schema = _object(a={"type": "array", "items": _object(b=STRING)})
    assert compile_pruner(schema)(value, "", []) is value


def test_the_metadata_of_a_whole_object_is_the_servers_own() -> None:
    """Known fields stay without being specified; unknown ones are told."""
    value = {"apiVersion": "a/v1", "kind": "A", "metadata": {"labels": {"a": "b"}, "x": 1}}
    found: list[str] = []
    left = compile_pruner(_object(), resource=True)(value, "", found)
    assert left["metadata"] == {"labels": {"a": "b"}}
    assert found == ["metadata.x"]


@pytest.mark.parametrize(
    ("schema", "value", "filled"),
    [
        (_object(a={**STRING, "default": "d"}), {}, {"a": "d"}),
        (_object(a={**STRING, "default": "d"}), {"a": ""}, {"a": ""}),
        (_object(a={**STRING, "default": "d"}), {"a": None}, {"a": "d"}),
        (_object(a={**STRING, "default": "d", "nullable": True}), {"a": None}, {"a": None}),
        (_object(a=STRING), {"a": None}, {}),
        (_object(a={**STRING, "nullable": True}), {"a": None}, {"a": None}),
        (_object(a=_object(b={**STRING, "default": "d"})), {}, {}),
        (_object(a=_object(b={**STRING, "default": "d"})), {"a": {}}, {"a": {"b": "d"}}),
        (
            _object(a={**_object(b={**STRING, "default": "d"}), "default": {}}),
            {},
            {"a": {"b": "d"}},
        ),
        (
            _object(a={"type": "array", "items": _object(b={**STRING, "default": "d"})}),
            {"a": [{}, {"b": "x"}]},
            {"a": [{"b": "d"}, {"b": "x"}]},
        ),
        (
            _object(
                a={
                    "type": "object",
                    "additionalProperties": _object(b={"type": "boolean", "default": False}),
                }
            ),
            {"a": {"k": {}}},
            {"a": {"k": {"b": False}}},
        ),
        (
            _object(a={"type": "array", "items": {**STRING, "default": "d"}}),
            {"a": [None, "x"]},
            {"a": ["d", "x"]},
        ),
        ({**_object(), **KEEP}, {"a": None}, {"a": None}),
    ],
    ids=repr,
)
def test_defaults_are_filled_in_and_nulls_go(
    schema: dict[str, Any], value: Any, filled: Any
) -> None:
    """Where nothing stands, or a null that may not."""
    fill = compile_defaults(schema)
    assert fill(value) == filled
    once = fill(value)
    assert fill(once) is once
