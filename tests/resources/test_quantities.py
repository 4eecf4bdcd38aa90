"""Quantities: exact values, upstream's canonical text, upstream's refusals."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.resources.quantities import (
    FORMAT_WRONG,
    NUMBER_WRONG,
    SUFFIX_WRONG,
    QuantityError,
    canonical,
    compare,
    format_milli,
    format_quantity,
    format_whole,
    milli,
    parse,
    whole,
)

_SUFFIXES = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    "k": Fraction(1000),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "e3": Fraction(1000),
    "E-2": Fraction(1, 100),
}
numbers = st.builds(
    lambda whole, part, suffix: f"{whole}.{part}{suffix}" if part else f"{whole}{suffix}",
    st.integers(0, 10**6),
    st.text("0123456789", max_size=6),
    st.sampled_from(sorted(_SUFFIXES)),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", "0"),
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1.5Gi", "1536Mi"),
        ("1024Mi", "1Gi"),
        ("1e3", "1e3"),
        ("12e6", "12e6"),
        ("100000", "100k"),
        ("1500", "1500"),
        ("512", "512"),
        ("0.5Ki", "512"),
        ("1023Ki", "1023Ki"),
        ("-1.5", "-1500m"),
        ("+3", "3"),
        (".5", "500m"),
        ("5.", "5"),
        ("0.1n", "1n"),
        ("123456789E", "9223372036854775807"),
        (1, "1"),
        (0.25, "250m"),
    ],
)
def test_canonical_text_is_upstreams(text: str, expected: str) -> None:
    """The stored form of a quantity is what upstream stores."""
    assert canonical(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", FORMAT_WRONG),
        ("abc", FORMAT_WRONG),
        ("1 Gi", FORMAT_WRONG),
        ("1Gi ", FORMAT_WRONG),
        ("--1", FORMAT_WRONG),
        ("0x10", FORMAT_WRONG),
        ("\u0661", FORMAT_WRONG),
        ("1.2.3", NUMBER_WRONG),
        (".", NUMBER_WRONG),
        ("9" * 5000, NUMBER_WRONG),
        ("1Kii", SUFFIX_WRONG),
        ("1mm", SUFFIX_WRONG),
        ("1e", SUFFIX_WRONG),
        ("1e99999", SUFFIX_WRONG),
        ("1K", SUFFIX_WRONG),
    ],
)
def test_what_is_no_quantity_is_refused_in_upstreams_words(text: str, message: str) -> None:
    """The three refusals of upstream's parser, for the input each is for."""
    with pytest.raises(QuantityError) as caught:
        parse(text)
    assert str(caught.value) == message


@given(numbers)
def test_the_value_is_exact_or_rounded_up_to_nano(text: str) -> None:
    """The parsed value differs from the written one by less than a nano unit, upwards."""
    number, suffix = text, ""
    for known in sorted(_SUFFIXES, key=len, reverse=True):
        if known and text.endswith(known):
            number, suffix = text[: -len(known)], known
            break
    exact = Fraction(number) * _SUFFIXES[suffix] * 10**9
    assert 0 <= parse(text).nano - exact < 1


@given(numbers)
def test_canonical_text_is_a_fixed_point(text: str) -> None:
    """Canonical text parses to itself, unless a binary amount lost its suffix; those are whole."""
    once = canonical(text)
    twice = canonical(once)
    assert once == twice or parse(text).notation == "BinarySI"
    assert canonical(twice) == twice
    assert parse(twice).nano == parse(once).nano
    if parse(text).notation != "BinarySI" or parse(text).nano % 10**9 == 0:
        assert parse(once).nano == parse(text).nano


@given(numbers, numbers)
def test_order_is_the_order_of_the_values(one: str, other: str) -> None:
    """Comparison is antisymmetric and agrees with rounded integers."""
    assert (compare(one, other) > 0) == (compare(other, one) < 0)
    if compare(one, other) >= 0:
        assert milli(one) >= milli(other)
        assert whole(one) >= whole(other)


@given(st.integers(0, 10**12))
def test_integers_round_trip_through_text(value: int) -> None:
    """What is formatted from thousandths, units or bytes reads back as the same number."""
    assert milli(format_milli(value)) == value
    assert whole(format_whole(value)) == value
    assert whole(format_whole(value, "BinarySI")) == value
    assert milli(format_quantity(-value * 10**6, "DecimalSI")) == -value


def test_rounding_is_away_from_zero() -> None:
    """A fraction of the unit asked for counts as a whole one."""
    assert milli("0.0001") == 1
    assert whole("1m") == 1
    assert whole("1.1Ki") == 1127
    assert whole("-1.5") == -2
