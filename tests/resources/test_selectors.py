"""Label and field selectors: grammar, refusals, matching."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.resources.selectors import (
    EVERYTHING,
    NOTHING,
    SelectorError,
    label_selector,
    parse_field_selector,
    parse_label_selector,
    set_selector,
)

words = st.sampled_from(["a", "b", "c", "x/y", "d.e"])
values = st.sampled_from(["", "1", "2", "on"])
labels = st.dictionaries(words, values, max_size=4)
requirements = st.one_of(
    st.builds("{}={}".format, words, values),
    st.builds("{}!={}".format, words, values),
    st.builds("{}=={}".format, words, values),
    words,
    st.builds("!{}".format, words),
    st.builds(lambda k, v: f"{k} in ({','.join(v)})", words, st.lists(values, min_size=1)),
    st.builds(lambda k, v: f"{k} notin ({','.join(v)})", words, st.lists(values, min_size=1)),
)


@pytest.mark.parametrize(
    ("text", "matching", "other"),
    [
        ("", [{}, {"a": "b"}], []),
        ("a=b", [{"a": "b"}], [{}, {"a": "c"}]),
        ("a==b,c=d", [{"a": "b", "c": "d"}], [{"a": "b"}]),
        ("a!=b", [{}, {"a": "c"}], [{"a": "b"}]),
        ("a", [{"a": ""}], [{}]),
        ("!a", [{}], [{"a": ""}]),
        ("a in (b, c)", [{"a": "b"}, {"a": "c"}], [{}, {"a": "d"}]),
        ("a notin (b,c)", [{}, {"a": "d"}], [{"a": "b"}]),
        ("a=", [{"a": ""}], [{}, {"a": "b"}]),
        ("a in (,b)", [{"a": ""}, {"a": "b"}], [{"a": "c"}]),
        ("n>5", [{"n": "6"}], [{"n": "5"}, {"n": "x"}, {}]),
        ("n<5", [{"n": "4"}], [{"n": "5"}, {}]),
        ("a=b,a=c", [], [{"a": "b"}, {"a": "c"}]),
        ("in in (in)", [{"in": "in"}], [{}]),
        (" a = b , c ", [{"a": "b", "c": ""}], [{"a": "b"}]),
    ],
)
def test_text_selects_as_upstream(
    text: str, matching: list[dict[str, str]], other: list[dict[str, str]]
) -> None:
    """Each operator matches what it should and nothing else."""
    selector = parse_label_selector(text)
    assert [selector.matches(one) for one in matching] == [True] * len(matching)
    assert [selector.matches(one) for one in other] == [False] * len(other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("=b", "found '=', expected: !, identifier, or 'end of string'"),
        ("a=b,", "found '', expected: identifier after ','"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a=b)", "found ')', expected: ',' or 'end of string'"),
        (
            "a in (b",
            "unable to parse requirement: found '', expected: ',', ')' or identifier",
        ),
        (
            "n>x",
            (
                'unable to parse requirement: values[0]: Invalid value: "x": for "Gt", "Lt" '
                "operators, the value must be an integer"
            ),
        ),
        (
            "a=-",
            (
                'unable to parse requirement: values[0][a]: Invalid value: "-": a valid label must '
                "be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
                "must start and end with an alphanumeric character (e.g. 'MyValue',  or "
                "'my_value',  or "
                "'12345', regex used for validation is "
                "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
            ),
        ),
    ],
)
def test_a_broken_selector_is_refused_in_upstreams_words(text: str, message: str) -> None:
    """The message says what was found and what was expected."""
    with pytest.raises(SelectorError) as caught:
        parse_label_selector(text)
    assert str(caught.value) == message


@given(st.lists(requirements, max_size=4), labels)
def test_a_selector_survives_its_own_text(parts: list[str], found: dict[str, str]) -> None:
    """Parsing the text of a selector gives one that matches the same labels."""
    selector = parse_label_selector(",".join(parts))
    again = parse_label_selector(str(selector))
    assert again == selector
    assert again.matches(found) == selector.matches(found)


@given(st.lists(requirements, max_size=4), labels)
def test_the_fast_match_agrees_with_the_plain_one(parts: list[str], found: dict[str, str]) -> None:
    """Matching with exact labels first equals asking every requirement in turn."""
    selector = parse_label_selector(",".join(parts))
    assert selector.matches(found) == all(r.matches(found) for r in selector.requirements)


@given(labels, labels)
def test_a_set_selector_matches_supersets(wanted: dict[str, str], found: dict[str, str]) -> None:
    """A Service's selector is contained in the labels; an empty one selects nothing."""
    expected = bool(wanted) and wanted.items() <= found.items()
    assert set_selector(wanted).matches(found) == expected


@pytest.mark.parametrize(
    ("form", "found", "expected"),
    [
        (None, {}, False),
        ({}, {"a": "b"}, True),
        ({"matchLabels": {"a": "b"}}, {"a": "b", "c": "d"}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"a": ""}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {"a": ""}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["x"]}]}, {"a": "x"}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["x"]}]}, {}, True),
    ],
)
def test_the_object_form_selects(
    form: dict[str, Any] | None, found: dict[str, str], expected: bool
) -> None:
    """MatchLabels and matchExpressions; no selector selects nothing, an empty one everything."""
    assert label_selector(form).matches(found) is expected


def test_an_unknown_operator_is_refused() -> None:
    """The object form names the operator it does not know."""
    with pytest.raises(SelectorError, match='"Near" is not a valid label selector operator'):
        label_selector({"matchExpressions": [{"key": "a", "operator": "Near"}]})


def test_everything_and_nothing_know_what_they_are() -> None:
    """Two constants for the two extremes."""
    assert EVERYTHING.empty
    assert not NOTHING.empty
    assert NOTHING.nothing
    assert EVERYTHING.matches(None)


@pytest.mark.parametrize(
    ("text", "fields", "expected"),
    [
        ("metadata.name=web", {"metadata.name": "web"}, True),
        ("metadata.name==web", {"metadata.name": "api"}, False),
        ("status.phase!=Running", {"status.phase": "Pending"}, True),
        ("spec.nodeName=", {}, True),
        (r"a=b\,c,d=e\=f", {"a": "b,c", "d": "e=f"}, True),
        ("a=1,b=2", {"a": "1", "b": "3"}, False),
    ],
)
def test_field_selectors_match(text: str, fields: dict[str, str], expected: bool) -> None:
    """Equality and inequality, with upstream's escapes."""
    selector = parse_field_selector(text)
    assert selector.matches(fields) is expected
    assert parse_field_selector(str(selector)) == selector


@pytest.mark.parametrize("text", ["name", "a>b", "a=b,c"])
def test_a_field_selector_without_operator_is_refused(text: str) -> None:
    """Upstream says which part it cannot understand."""
    bad = text.rpartition(",")[2]
    with pytest.raises(SelectorError) as caught:
        parse_field_selector(text)
    assert str(caught.value) == f"invalid selector: '{text}'; can't understand '{bad}'"


def test_exact_fields_can_be_looked_up() -> None:
    """What a list may use an index for."""
    selector = parse_field_selector("spec.nodeName=n1,status.phase!=Failed")
    assert selector.exact("spec.nodeName") == "n1"
    assert selector.exact("status.phase") is None
    assert selector.unsupported({"spec.nodeName"}.__contains__) == "status.phase"
