"""Tables of what a schema says of values, in the validator's words."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.resources.custom.values import ABSENT, compile_values, value_problems


def _said(schema: dict[str, Any], value: Any, old: Any = ABSENT) -> list[str]:
    return [str(one) for one in value_problems(compile_values(schema), value, old)]


def _field(schema: dict[str, Any], value: Any) -> list[str]:
    """Check one field called ``f``."""
    return _said({"type": "object", "properties": {"f": schema}}, {"f": value})


STRING = {"type": "string"}
INTEGER = {"type": "integer"}
NOT_ONE = '<nil>: Invalid value: "": "" must validate one and only one schema (oneOf). '
INT_OR_STRING = {"x-kubernetes-int-or-string": True}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (STRING, ""),
        (INTEGER, 3),
        (INTEGER, 3.0),
        ({"type": "number"}, 3),
        ({"type": "number"}, 3.5),
        ({"type": "boolean"}, False),
        ({"type": "string", "nullable": True}, None),
        ({"x-kubernetes-preserve-unknown-fields": True}, None),
        ({"x-kubernetes-preserve-unknown-fields": True}, {"a": [1]}),
        (INT_OR_STRING, 1),
        (INT_OR_STRING, "10%"),
        ({"type": "string", "maxLength": 3}, "äöü"),
        ({"type": "string", "pattern": "b"}, "abc"),
        ({"type": "string", "pattern": "^a$"}, "a"),
        ({"type": "string", "format": "unheard-of"}, "x"),
        ({"type": "integer", "format": "int32"}, 2**40),
        ({"type": "integer", "multipleOf": 3}, 9),
        ({"type": "number", "multipleOf": 0.5}, 2.5),
        ({"type": "integer", "maximum": 3, "exclusiveMaximum": True}, 2),
        ({"type": "string", "enum": ["a", "b"]}, "b"),
        ({"type": "string", "enum": ["a"], "nullable": True}, None),
        ({"type": "object", "additionalProperties": STRING}, {"a": "b"}),
        ({"type": "array", "items": INTEGER, "maxItems": 2}, [1, 2]),
        ({"anyOf": [INTEGER, STRING]}, 1),
        ({"oneOf": [INTEGER, STRING]}, "a"),
        ({"not": INTEGER}, "a"),
    ],
    ids=repr,
)
def test_a_value_that_fits_is_let_be(schema: dict[str, Any], value: Any) -> None:
    """Nothing is said about it."""
    assert _field(schema, value) == []


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        (INTEGER, "3", 'f: Invalid value: "string": f in body must be of type integer: "string"'),
        (INTEGER, 3.5, 'f: Invalid value: "number": f in body must be of type integer: "number"'),
        (
            INTEGER,
            True,
            'f: Invalid value: "boolean": f in body must be of type integer: "boolean"',
        ),
        (STRING, 3, 'f: Invalid value: "integer": f in body must be of type string: "integer"'),
        (STRING, None, 'f: Invalid value: "null": f in body must be of type string: "null"'),
        (
            INT_OR_STRING,
            [],
            'f: Invalid value: "array": f in body must be of type integer,string: "array"',
        ),
        ({"type": "string", "maxLength": 3}, "abcd", "f: Too long: may not be more than 3 bytes"),
        (
            {"type": "string", "minLength": 1},
            "",
            'f: Invalid value: "": f in body should be at least 1 chars long',
        ),
        (
            {"type": "string", "pattern": "^a$"},
            "a\n",
            "f: Invalid value: \"a\\n\": f in body should match '^a$'",
        ),
        (
            {"type": "integer", "minimum": 1},
            0,
            "f: Invalid value: 0: f in body should be greater than or equal to 1",
        ),
        (
            {"type": "integer", "minimum": 1, "exclusiveMinimum": True},
            1,
            "f: Invalid value: 1: f in body should be greater than 1",
        ),
        (
            {"type": "number", "maximum": 1.5},
            2,
            "f: Invalid value: 2: f in body should be less than or equal to 1.5",
        ),
        (
            {"type": "integer", "multipleOf": 3},
            4,
            "f: Invalid value: 4: f in body should be a multiple of 3",
        ),
        (
            {"type": "integer", "enum": [1, 2]},
            3,
            'f: Unsupported value: 3: supported values: "1", "2"',
        ),
        (
            {"type": "array", "items": STRING, "minItems": 1},
            [],
            "f: Invalid value: 0: f in body should have at least 1 items",
        ),
        (
            {"type": "array", "items": STRING, "maxItems": 1},
            ["a", "b"],
            "f: Too many: 2: must have at most 1 item",
        ),
        (
            {"type": "array", "items": STRING},
            ["a", 1],
            'f[1]: Invalid value: "integer": f[1] in body must be of type string: "integer"',
        ),
        (
            {"type": "object", "additionalProperties": INTEGER},
            {"a.b": "x"},
            'f.a.b: Invalid value: "string": f.a.b in body must be of type integer: "string"',
        ),
        (
            {"type": "object", "minProperties": 1},
            {},
            "f: Invalid value: 0: f in body should have at least 1 properties",
        ),
        (
            {"type": "object", "maxProperties": 0, "additionalProperties": STRING},
            {"a": "b"},
            "f: Too many: 1: must have at most 0 items",
        ),
        ({"type": "object", "required": ["x"]}, {}, "f.x: Required value"),
        (
            {"type": "string", "format": "date-time"},
            "yesterday",
            'f: Invalid value: "yesterday": f in body must be of type date-time: "yesterday"',
        ),
        (
            {"not": {"enum": ["a"]}},
            "a",
            '<nil>: Invalid value: "": "f" must not validate the schema (not)',
        ),
    ],
    ids=repr,
)
def test_a_value_that_does_not_fit_is_told_in_upstreams_words(
    schema: dict[str, Any], value: Any, said: str
) -> None:
    """Path, kind of error, value and reason."""
    assert _field(schema, value) == [said]


def test_of_alternatives_that_fail_the_nearest_explains_itself() -> None:
    """The complaint about the junctor comes first, then those of the best alternative."""
    schema = {
        "type": "object",
        "properties": {"a": INTEGER, "b": INTEGER},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
    }
    assert _said(schema, {}) == [
        f"{NOT_ONE}Found none valid",
        "a: Required value",
    ]
    assert _said(schema, {"a": 1, "b": 1}) == [
        f"{NOT_ONE}Found 2 valid alternatives",
    ]
    anything = {"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}
    assert _said(anything, {})[0] == (
        '<nil>: Invalid value: "": "" must validate at least one schema (anyOf)'
    )
    everything = {"type": "object", "allOf": [{"required": ["a"]}, {"minProperties": 0}]}
    assert _said(everything, {}) == [
        "a: Required value",
        '<nil>: Invalid value: "": "" must validate all the schemas (allOf)',
    ]


@pytest.mark.parametrize(
    ("format_", "good", "bad"),
    [
        ("email", "a@b.example", "a"),
        ("uri", "https://a/b?c", "a b"),
        ("hostname", "a.example.com", "-a"),
        ("ipv4", "10.0.0.1", "::1"),
        ("ipv6", "::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("mac", "00:00:5e:00:53:01", "00:00"),
        ("uuid", "a3bb189e-8bf9-3888-9912-ace4e6543002", "a3bb"),
        ("uuid4", "16fd2706-8baf-433b-82eb-8c7fada847da", "a3bb189e-8bf9-3888-9912-ace4e6543002"),
        ("byte", "aGFsbG8=", "ä"),
        ("date", "2026-02-28", "2026-02-30"),
        ("date-time", "2026-02-28T10:00:00Z", "2026-02-28"),
        ("duration", "1h30m", "soon"),
        ("hexcolor", "#ffffff", "white"),
        ("isbn", "978-3-16-148410-0", "978"),
        ("creditcard", "4242 4242 4242 4242", "1234 5678 9012 3456"),
        ("ssn", "111-22-3333", "1"),
        ("bsonobjectid", "507f1f77bcf86cd799439011", "5"),
        ("k8s-short-name", "a-b", "a.b"),
    ],
)
def test_formats_tell_good_from_bad(format_: str, good: str, bad: str) -> None:
    """Each known format, by one text of each kind."""
    schema = {"type": "string", "format": format_}
    assert _field(schema, good) == []
    assert _field(schema, bad) == [
        f'f: Invalid value: "{bad}": f in body must be of type {format_}: "{bad}"'
    ]


RATCHETED: dict[str, Any] = {
    "type": "object",
    "required": ["now"],
    "properties": {
        "s": {"type": "string", "maxLength": 1},
        "plain": {"type": "array", "items": {"type": "string", "maxLength": 1}},
        "keyed": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["k"],
            "items": {
                "type": "object",
                "properties": {"k": STRING, "v": {"type": "string", "maxLength": 1}},
            },
        },
    },
}


class TestRatcheting:
    """What was wrong before and did not change is let be."""

    def test_an_unchanged_field_may_stay_wrong(self) -> None:
        old = {"s": "long", "now": 1}
        assert _said(RATCHETED, {"s": "long", "now": 2}, old) == []
        assert _said(RATCHETED, {"s": "other", "now": 2}, old) == [
            "s: Too long: may not be more than 1 bytes"
        ]

    def test_a_missing_field_counts_when_anything_beside_it_changes(self) -> None:
        old = {"s": "a"}
        assert _said(RATCHETED, {"s": "a"}, old) == []
        assert _said(RATCHETED, {"s": "b"}, old) == ["now: Required value"]

    def test_items_are_told_apart_only_by_keys(self) -> None:
        old = {"now": 1, "keyed": [{"k": "x", "v": "long"}], "plain": ["long"]}
        new = {"now": 1, "keyed": [{"k": "y"}, {"k": "x", "v": "long"}], "plain": ["long"]}
        assert _said(RATCHETED, new, old) == []
        changed = {**new, "plain": ["a", "long"]}
        assert _said(RATCHETED, changed, old) == [
            "plain[1]: Too long: may not be more than 1 bytes"
        ]
