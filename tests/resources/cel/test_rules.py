"""Rules of custom resources: what definitions may say, and what they say of objects."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.resources.cel.definitions import check_rules
from orchestrator.resources.cel.estimating import estimate
from orchestrator.resources.cel.rules import Level, compile_rules, environment
from orchestrator.resources.cel.schemas import declared, escape

PATH = "spec.versions[0].schema.openAPIV3Schema"
TRY = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, "
    "maps, and strings are declared)"
)


def crd(properties: dict[str, Any], *rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a schema whose ``spec`` has properties and rules."""
    spec = {"type": "object", "properties": properties, **more}
    if rules:
        spec["x-kubernetes-validations"] = list(rules)
    return {"type": "object", "properties": {"spec": spec}}


def compiled(schema: dict[str, Any]) -> Level:
    """Compile a schema that is free of problems."""
    assert check_rules(schema, PATH) == []
    level = compile_rules(schema)
    assert level is not None
    return level


def problems(schema: dict[str, Any], spec: Any, old: Any = None) -> list[str]:
    """Return what the rules say of a ``spec``."""
    before = None if old is None else {"spec": old}
    return [str(one) for one in compiled(schema).validate({"spec": spec}, before).problems]


INTEGER = {"type": "integer"}
TEXT = {"type": "string", "maxLength": 20}


def test_a_schema_without_rules_needs_no_work() -> None:
    """Objects of most kinds pay nothing."""
    assert compile_rules(crd({"a": INTEGER})) is None


def test_a_rule_that_fails_names_itself() -> None:
    """Without a message the rule is shown; the value is shown as its type."""
    schema = crd({"a": INTEGER, "b": INTEGER}, {"rule": " self.a <= self.b "})
    assert problems(schema, {"a": 1, "b": 1}) == []
    assert problems(schema, {"a": 2, "b": 1}) == [
        'spec: Invalid value: "object": failed rule: self.a <= self.b'
    ]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"message": " must fit "}, 'spec: Invalid value: "object": must fit'),
        (
            {"messageExpression": "'over: ' + self.name", "message": "not shown"},
            'spec: Invalid value: "object": over: n',
        ),
        (
            {"messageExpression": "self.gone + 'x'", "message": "shown"},
            'spec: Invalid value: "object": shown',
        ),
        ({"messageExpression": "''", "message": "shown"}, 'spec: Invalid value: "object": shown'),
        (
            {"fieldPath": ".labels['a/b']", "message": "m"},
            'spec.labels[a/b]: Invalid value: "object": m',
        ),
        ({"reason": "FieldValueForbidden", "message": "m"}, "spec: Forbidden: m"),
        ({"reason": "FieldValueRequired", "message": "m"}, "spec: Required value: m"),
        ({"reason": "FieldValueDuplicate", "message": "m"}, 'spec: Duplicate value: "object"'),
    ],
)
def test_a_failure_is_told_as_the_rule_says(more: dict[str, Any], expected: str) -> None:
    """Messages, reasons and paths come from the rule."""
    properties = {
        "name": TEXT,
        "gone": TEXT,
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    }
    schema = crd(properties, {"rule": "self.name == ''", **more})
    assert problems(schema, {"name": "n"}) == [expected]


def test_a_transition_rule_needs_an_old_value() -> None:
    """Rules with oldSelf are skipped at creation, unless they take it as an optional."""
    schema = crd({"a": INTEGER}, {"rule": "self.a >= oldSelf.a", "message": "only grows"})
    assert problems(schema, {"a": 1}) == []
    assert problems(schema, {"a": 1}, {"a": 2}) == ['spec: Invalid value: "object": only grows']
    optional = {
        "rule": "!oldSelf.hasValue() || self.a >= oldSelf.value().a",
        "optionalOldSelf": True,
    }
    assert problems(crd({"a": INTEGER}, optional), {"a": 1}) == []
    assert len(problems(crd({"a": INTEGER}, optional), {"a": 1}, {"a": 2})) == 1


def test_elements_of_keyed_lists_are_compared_with_what_they_were() -> None:
    """In a list of type map the old element is the one with the same key."""
    item = {
        "type": "object",
        "properties": {"name": TEXT, "size": INTEGER},
        "x-kubernetes-validations": [{"rule": "self.size >= oldSelf.size", "message": "shrunk"}],
    }
    items = {
        "type": "array",
        "maxItems": 10,
        "items": item,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }
    old = {"disks": [{"name": "a", "size": 1}, {"name": "b", "size": 5}]}
    new = {"disks": [{"name": "b", "size": 4}, {"name": "c", "size": 0}, {"name": "a", "size": 2}]}
    assert problems(crd({"disks": items}), new, old) == [
        'spec.disks[0]: Invalid value: "object": shrunk'
    ]


def test_what_is_as_wrong_as_before_is_only_warned_of() -> None:
    """A rule that came later does not hold up changes elsewhere."""
    schema = crd({"a": INTEGER, "b": INTEGER})
    properties = schema["properties"]["spec"]["properties"]
    properties["a"] = {**INTEGER, "x-kubernetes-validations": [{"rule": "self > 5"}]}
    level = compiled(schema)
    outcome = level.validate({"spec": {"a": 1, "b": 2}}, {"spec": {"a": 1, "b": 1}})
    assert outcome.problems == []
    assert [str(one) for one in outcome.warnings] == [
        'spec.a: Invalid value: "integer": failed rule: self > 5'
    ]
    assert level.validate({"spec": {"a": 2}}, {"spec": {"a": 1}}).problems


@pytest.mark.parametrize(
    ("schema", "rule", "value", "holds"),
    [
        ({"type": "number"}, "self > 0.5", 1, True),
        (
            {"type": "string", "format": "date-time"},
            "self.getHours() == 5",
            "2024-01-01T05:00:00Z",
            1,
        ),
        ({"type": "string", "format": "date"}, "self.getFullYear() == 2024", "2024-01-01", True),
        ({"type": "string", "format": "duration"}, "self > duration('1m')", "2m", True),
        ({"type": "string", "format": "byte"}, "self == b'ab'", "YWI=", True),
        ({"x-kubernetes-int-or-string": True}, "type(self) == string || self < 5", "x", True),
        ({"x-kubernetes-int-or-string": True}, "type(self) == string || self < 5", 6, False),
        (
            {
                "type": "array",
                "maxItems": 5,
                "items": {"type": "string", "maxLength": 5},
                "x-kubernetes-list-type": "set",
            },
            "self == ['b', 'a'] && (self + ['a', 'c']).size() == 3",
            ["a", "b"],
            True,
        ),
        (
            {
                "type": "array",
                "maxItems": 5,
                "items": {
                    "type": "object",
                    "properties": {"k": TEXT, "v": INTEGER},
                },
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
            },
            "(self + [self[0]]).size() == 2",
            [{"k": "a", "v": 1}, {"k": "b", "v": 2}],
            True,
        ),
        (
            {
                "type": "object",
                "maxProperties": 5,
                "additionalProperties": {"type": "number"},
            },
            "self.all(k, self[k] >= 1.0) && self.x == 1.0",
            {"x": 1},
            True,
        ),
        (
            {"type": "object", "properties": {"x-y": INTEGER, "namespace": INTEGER}},
            "self.x__dash__y + self.__namespace__ == 3 && has(self.x__dash__y)",
            {"x-y": 1, "namespace": 2},
            True,
        ),
        (
            {"type": "object", "x-kubernetes-embedded-resource": True},
            "self.kind == 'Pod' && self.metadata.name == 'n'",
            {"kind": "Pod", "metadata": {"name": "n"}},
            True,
        ),
    ],
)
def test_values_have_the_types_of_their_schema(
    schema: dict[str, Any], rule: str, value: Any, holds: object
) -> None:
    """Formats, list types and names are what upstream makes of them."""
    declared = {**schema, "x-kubernetes-validations": [{"rule": rule}]}
    assert (not problems(crd({"field": declared}), {"field": value})) is bool(holds)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (
            {"rule": "self.c > 1"},
            (
                'rule: Invalid value: "self.c > 1": compilation failed: ERROR: <input>:1:5: '
                "undefined field 'c'\n | self.c > 1\n | ....^"
            ),
        ),
        (
            {"rule": "self.a + 1"},
            'rule: Invalid value: "self.a + 1": cel expression must evaluate to a bool',
        ),
        ({"rule": "  "}, "rule: Required value: rule is not specified"),
        (
            {"rule": "self.a > 1", "messageExpression": "1"},
            'messageExpression: Invalid value: "1": messageExpression must evaluate to a string',
        ),
        (
            {"rule": "self.a > 1", "message": " "},
            'message: Invalid value: " ": message must be non-empty if specified',
        ),
        (
            {"rule": "self.a\n > 1"},
            "message: Required value: message must be specified if rule contains line breaks",
        ),
        (
            {"rule": "self.a > 1", "reason": "Nope"},
            (
                'reason: Unsupported value: "Nope": supported values: "FieldValueDuplicate", '
                '"FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"'
            ),
        ),
        (
            {"rule": "self.a > 1", "fieldPath": ".nope"},
            (
                'fieldPath: Invalid value: ".nope": fieldPath must be a valid path: does not refer '
                "to a valid field"
            ),
        ),
        (
            {"rule": "self.a > 1", "optionalOldSelf": True},
            "optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule",
        ),
    ],
)
def test_a_wrong_rule_is_refused_when_it_is_written(rule: dict[str, Any], expected: str) -> None:
    """Each problem has its path."""
    (problem,) = check_rules(crd({"a": INTEGER}, rule), PATH)
    where = f"{PATH}.properties[spec].x-kubernetes-validations[0]"
    assert str(problem) == f"{where}.{expected}"


def test_a_rule_that_may_cost_too_much_is_refused() -> None:
    """Without limits on sizes the worst case is what a request can hold."""
    names = {
        "type": "array",
        "items": {"type": "string"},
        "x-kubernetes-validations": [{"rule": "self.all(x, self.exists(y, x == y))"}],
    }
    found = [str(one) for one in check_rules(crd({"names": names}), PATH)]
    where = f"{PATH}.properties[spec].properties[names].x-kubernetes-validations[0].rule"
    assert found == [
        f"{where}: Forbidden: estimated rule cost exceeds budget by factor of more than 100x {TRY}",
        (
            f"{where}: Forbidden: contributed to estimated rule cost total exceeding cost limit "
            "for entire OpenAPIv3 schema"
        ),
        (
            f"{PATH}: Forbidden: x-kubernetes-validations estimated rule cost total for entire "
            f"OpenAPIv3 schema exceeds budget by factor of more than 100x {TRY}"
        ),
    ]
    limited = {**names, "maxItems": 20, "items": {"type": "string", "maxLength": 30}}
    assert check_rules(crd({"names": limited}), PATH) == []


def array(items: dict[str, Any], most: int | None = None) -> dict[str, Any]:
    """Return a list's schema."""
    limit = {} if most is None else {"maxItems": most}
    return {"type": "array", "items": items, **limit}


def mapping(values: dict[str, Any], most: int | None = None) -> dict[str, Any]:
    """Return a map's schema."""
    limit = {} if most is None else {"maxProperties": most}
    return {"type": "object", "additionalProperties": values, **limit}


def text(most: int | None = None, **more: Any) -> dict[str, Any]:
    """Return a string's schema."""
    return {"type": "string", **({} if most is None else {"maxLength": most}), **more}


NUMBER = {"type": "number"}
BOOLEAN = {"type": "boolean"}
EITHER = {"x-kubernetes-int-or-string": True}
OBJECT = {"type": "object", "required": ["required"], "properties": {"required": text()}}


@pytest.mark.parametrize(
    ("schema", "rule", "cost"),
    [
        (array(NUMBER), "self.all(x, true)", 4_718_591),
        (array(NUMBER, 10), "self.all(x, true)", 32),
        (array(text()), "self.all(x, true)", 3_145_727),
        (array(BOOLEAN), "self.all(x, true)", 1_887_437),
        (array(array(NUMBER)), "self.all(x, true)", 3_145_727),
        (array(OBJECT), "self.all(x, true)", 555_128),
        (mapping(NUMBER), "self.all(x, true)", 1_348_169),
        (mapping(text()), "self.all(x, true)", 1_179_647),
        (mapping(BOOLEAN), "self.all(x, true)", 943_718),
        (text(), "self.contains('test')", 314_574),
        (text(10), "self.contains('test')", 5),
        (text(), "self.startsWith('test')", 2),
        (text(), 'size(self + "hello") > size("hello")', 314_578),
        (text(4), 'size(self + "hello") > size("hello")', 7),
        (array(NUMBER), "self[1] == 0.0", 2),
        (array(text(), 8), "self[1] == self[1]", 314_577),
        (array(NUMBER, 10), "self.all(x, self.all(y, true))", 352),
        (array(NUMBER, 10), "self.all(x, self.all(y, self.all(z, true)))", 3552),
        (text(), 'self.matches("x")', 314_574),
        (text(50), 'self.matches("x")', 22),
        (text(), '"".matches("(((((((((())))))))))[0-9]")', 7),
        (text(), 'self.matches("")', 1),
        (mapping(text(10), 10), "self.all(x, x.contains(self[x]))", 72),
        (mapping(NUMBER, 0), 'self["x"] == 0.0', 2),
        (text(), 'self == "x"', 2),
        (text(0), 'self == "x"', 1),
        (text(0, format="byte"), 'self == b"x"', 1),
        (array(NUMBER, 3 * 1024 * 2048), "self.all(x, x == 0.0)", 25_165_826),
        (array(EITHER), "self.all(x, true)", 4_718_591),
        (array(EITHER), "self[0] == 5", 3),
        (array(BOOLEAN), "self[0] == false", 2),
        (array(OBJECT), "self[0] == null", 2),
        (array(array(NUMBER)), "self[0][0] == -1.0", 3),
        (array(mapping(NUMBER)), "self.all(x, x.y == 25.2)", 6_291_452),
        (array(mapping(NUMBER), 12), "self.all(x, x.y == 25.2)", 74),
        (array(mapping(NUMBER)), "self[0].x > 2.0", 4),
        (array(text(format="duration")), "self.all(x, true)", 2_359_295),
        (array(text(format="duration")), "self[0].getHours() == 2", 4),
        (array(text(format="date")), "self.all(x, true)", 725_936),
        (array(text(format="date-time")), "self.all(x, true)", 428_963),
        (array(text(format="date-time")), "self[2].getMinutes() == 45", 4),
        (mapping(OBJECT), "self.all(x, true)", 428_963),
        (mapping(text(format="duration")), "self.all(x, true)", 1_048_577),
        (mapping(text(format="date")), "self.all(x, true)", 524_288),
        (mapping(text(format="date-time")), "self.all(x, true)", 349_526),
        (text(), "self.find('[0-9]+') == ''", 629_147),
        (text(10), "self.find('[0-9]+') == ''", 11),
        (array(text(10), 10), "self.join(' ') == 'aa bb'", 43),
    ],
)
def test_a_rule_is_estimated_to_cost_what_upstream_says(
    schema: dict[str, Any], rule: str, cost: int
) -> None:
    """The figures are those of upstream's own tests, for the same schemas."""
    found = declared(schema)
    assert found is not None
    program = environment(found.type, optional=False).compile(rule)
    assert estimate(program.checked).high == cost


def test_rules_under_lists_count_for_every_element() -> None:
    """What one element may cost is multiplied by how many there may be."""
    item = {
        "type": "string",
        "maxLength": 2000,
        "x-kubernetes-validations": [{"rule": "self.matches('^[a-z]{1,100}$')"}],
    }
    few = {"type": "array", "maxItems": 10, "items": item}
    many = {"type": "array", "items": item}
    assert check_rules(crd({"names": few}), PATH) == []
    (first, *_) = check_rules(crd({"names": many}), PATH)
    assert first.field.endswith("properties[names].items.x-kubernetes-validations[0].rule")


def test_old_values_are_not_to_be_had_where_elements_can_not_be_told_apart() -> None:
    """A transition rule under a list that is no map is refused."""
    item = {"type": "integer", "x-kubernetes-validations": [{"rule": "self >= oldSelf"}]}
    (problem,) = check_rules(crd({"n": {"type": "array", "maxItems": 3, "items": item}}), PATH)
    assert "oldSelf cannot be used on the uncorrelatable portion of the schema" in str(problem)


def test_rules_stop_when_the_budget_is_spent() -> None:
    """One object can't cost more than all rules together may."""
    schema = crd({"a": INTEGER}, {"rule": "[1,2,3,4,5,6,7,8].all(x, x > self.a)"})
    outcome = compiled(schema).validate({"spec": {"a": 0}}, budget=30)
    assert [str(one) for one in outcome.problems] == [
        (
            'spec: Invalid value: "object": validation failed due to running out of cost budget, '
            "no further validation rules will be run"
        )
    ]
    assert outcome.remaining < 0


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("plain", "plain"),
        ("in", "__in__"),
        ("a.b-c/d__e", "a__dot__b__dash__c__slash__d__underscores__e"),
        ("$ref", None),
        ("1st", None),
    ],
)
def test_names_are_escaped_as_upstream_escapes_them(name: str, escaped: str | None) -> None:
    """Names that are no identifiers can be written all the same."""
    assert escape(name) == escaped
