"""Laws that hold for every schema and every object."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.resources._places import DecodeError
from orchestrator.resources.custom.defaulting import compile_defaults
from orchestrator.resources.custom.definition_rules import version_schema_problems
from orchestrator.resources.custom.embedded import compile_embedded
from orchestrator.resources.custom.pruning import compile_pruner
from orchestrator.resources.custom.uniqueness import compile_uniqueness
from orchestrator.resources.custom.values import compile_values, same, value_problems

NAMES = st.sampled_from(["a", "b", "c", "metadata", "kind"])
SCALARS = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-3, 3) | st.text("ab1", max_size=3)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
SIZES = st.integers(0, 3)


def _schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return schemas, structural or not, of which the parts have the types that decoding leaves."""
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(
                ["object", "object", "array", "string", "integer", "number", "boolean", "null", "x"]
            ),
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "additionalProperties": inner | st.booleans(),
            "items": inner | st.lists(inner, max_size=1),
            "required": st.lists(NAMES, max_size=2),
            "enum": st.lists(SCALARS, max_size=2),
            "default": VALUES,
            "nullable": st.booleans(),
            "minimum": st.integers(-2, 2) | st.floats(-2, 2),
            "multipleOf": st.integers(0, 2) | st.floats(0, 2),
            "maxLength": SIZES,
            "minItems": SIZES,
            "maxProperties": SIZES,
            "pattern": st.text("ab[](|*\\^$", max_size=4),
            "format": st.sampled_from(["uri", "email", "date-time", "duration", "isbn", "int32"]),
            "anyOf": st.lists(inner, max_size=2),
            "oneOf": st.lists(inner, max_size=2),
            "allOf": st.lists(inner, max_size=2),
            "not": inner,
            "x-kubernetes-list-type": st.sampled_from(["map", "set", "atomic", "x"]),
            "x-kubernetes-list-map-keys": st.lists(NAMES, max_size=2),
            "x-kubernetes-map-type": st.sampled_from(["atomic", "granular"]),
            "x-kubernetes-int-or-string": st.booleans(),
            "x-kubernetes-embedded-resource": st.booleans(),
            "x-kubernetes-preserve-unknown-fields": st.booleans(),
            "x-kubernetes-validations": st.lists(
                st.fixed_dictionaries({"rule": st.sampled_from(["true", "self == self", "a", ""])}),
                max_size=1,
            ),
        },
    )


SCHEMAS = st.recursive(st.just({"type": "string"}), _schemas, max_leaves=6)
SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)


@SLOW
@given(SCHEMAS)
def test_every_schema_gets_an_answer(schema: dict[str, Any]) -> None:
    """Whatever is in it, it is taken or refused with reasons that can be written."""
    found = version_schema_problems(schema, "s", has_status=True)
    assert all(isinstance(str(one), str) and one.field for one in found)
    orjson.dumps([str(one) for one in found])


@SLOW
@given(SCHEMAS, VALUES, VALUES)
def test_every_value_gets_an_answer(schema: dict[str, Any], value: Any, old: Any) -> None:
    """Pruned and defaulted once, a value is not changed again; what is unchanged is let be."""
    if isinstance(schema.get("items"), list):
        return
    unknown: list[str] = []
    prune, fill = compile_pruner(schema), compile_defaults(schema)
    try:
        pruned = prune(value, "", unknown)
    except DecodeError:
        return  # an embedded object whose metadata is none: the request is refused
    assert same(prune(pruned, "", []), pruned)
    if unknown:
        assert not same(pruned, value)
    filled = fill(pruned)
    assert same(fill(filled), filled)
    check = compile_values(schema)
    found = value_problems(check, filled, old)
    assert len(found) <= len(value_problems(check, filled))
    assert value_problems(check, filled, filled) == []
    for compiled in (compile_uniqueness(schema), compile_embedded(schema)):
        if compiled is not None:
            compiled(filled, "", [])
