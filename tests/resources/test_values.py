"""Names, timestamps and conditions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.resources import names
from orchestrator.resources.conditions import (
    find_condition,
    is_condition_true,
    remove_condition,
    set_condition,
)
from orchestrator.resources.timestamps import (
    canonical_micro,
    canonical_time,
    format_micro,
    format_time,
    parse_time,
)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (names.dns_label, ["a", "a-1", "1a"], ["", "A", "-a", "a-", "a.b", "a" * 64, "a\n"]),
        (names.dns_subdomain, ["a", "a.b", "1-2.c"], ["", "A", "a..b", ".a", "a" * 254]),
        (names.dns_label_1035, ["a", "a-1"], ["1a", "", "a.b"]),
        (names.qualified_name, ["a", "A_b.c", "x.io/A"], ["", "/a", "x.io/", "a/b/c", "_a", "X/a"]),
        (names.label_value, ["", "a", "A_b.c"], ["-a", "a b", "a" * 64]),
        (names.config_key, ["a", ".a", "A_b-c"], ["", ".", "..", "..a", "a/b"]),
        (names.env_name, ["A", "a.b", "1 x"], ["", "a=b", "ä"]),
        (names.port_name, ["http", "a-1"], ["", "1", "a--b", "-a", "A", "a" * 16]),
        (names.path_segment, ["system:node", "a b"], [".", "..", "a/b", "a%"]),
        (names.ip_address, ["10.0.0.1", "::1"], ["", "10.0.0", "a", "fe80::1%eth0", "010.0.0.1"]),
    ],
)
def test_forms_of_names(check: Callable[[str], list[str]], good: list[str], bad: list[str]) -> None:
    """Good names bring no complaint, bad ones at least one."""
    assert [check(name) for name in good] == [[]] * len(good)
    assert all(check(name) for name in bad)


def test_the_words_about_a_label_are_upstreams() -> None:
    """Including the two spaces before the second example."""
    assert names.dns_label("A") == [
        (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
            "and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', "
            "regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
        )
    ]


@given(st.integers(0, 4 * 10**9))
def test_whole_seconds_round_trip(seconds: int) -> None:
    """Formatting and parsing are inverse."""
    assert parse_time(format_time(seconds)) == seconds
    assert canonical_time(format_time(seconds)) == format_time(seconds)
    assert canonical_micro(format_micro(seconds)) == format_micro(seconds)


def test_times_are_normalized_to_utc() -> None:
    """Offsets and fractions disappear from Time, fractions stay in MicroTime."""
    assert canonical_time("2026-01-02T03:04:05.5+02:00") == "2026-01-02T01:04:05Z"
    assert canonical_micro("2026-01-02T03:04:05.5Z") == "2026-01-02T03:04:05.500000Z"
    assert format_micro(1.25) == "1970-01-01T00:00:01.250000Z"


@pytest.mark.parametrize(
    "text", ["", "x", "2026-13-01T00:00:00Z", "2026-01-01", "2026-01-01 00:00:00Z"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """The refusal quotes the text and the layout."""
    with pytest.raises(ValueError, match=f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00"'):
        parse_time(text)


def test_a_condition_keeps_its_transition_time_while_its_status_stays() -> None:
    """Only a change of status moves lastTransitionTime; the other conditions are shared."""
    first = set_condition(None, "Ready", "False", now="t1", reason="Starting")
    second = set_condition(first, "Live", "True", now="t2")
    third = set_condition(second, "Ready", "False", now="t3", reason="Waiting")
    fourth = set_condition(third, "Ready", "True", now="t4")
    assert third[0] == {
        "type": "Ready",
        "status": "False",
        "lastTransitionTime": "t1",
        "reason": "Waiting",
    }
    assert fourth[0] == {"type": "Ready", "status": "True", "lastTransitionTime": "t4"}
    assert fourth[1] is second[1]
    assert set_condition(fourth, "Ready", "True", now="t5") is fourth
    obj = {"status": {"conditions": fourth}}
    assert is_condition_true(obj, "Ready")
    assert find_condition(obj, "Gone") is None
    assert remove_condition(fourth, "Ready") == [second[1]]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("0371-06-24T19:20:12Z", "0371-06-24T19:20:12Z"),
        ("0056-12-15T05:15:46.844037Z", "0056-12-15T05:15:46Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.9Z", "9999-12-31T23:59:59Z"),
        ("2026-01-01T00:30:00+02:00", "2025-12-31T22:30:00Z"),
    ],
)
def test_a_time_is_stored_in_utc_with_four_digits_of_year(given: str, stored: str) -> None:
    """Whatever the year."""
    assert canonical_time(given) == stored


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_a_zone_that_leads_out_of_the_calendar_is_refused(text: str) -> None:
    """As what cannot be parsed."""
    with pytest.raises(ValueError, match="parsing time"):
        canonical_time(text)
