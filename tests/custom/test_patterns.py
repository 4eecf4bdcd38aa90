"""Patterns mean what RE2 says they mean, whoever matches them."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.resources.custom.patterns import PatternError, compile_pattern, is_tame


@pytest.mark.parametrize(
    ("pattern", "tame"),
    [
        ("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", True),
        (r"^\d+\.\d+$", True),
        ("^(a|b)$", True),
        ("^(a+)+$", False),
        ("a*b*c*", False),
        ("(ab){3}", False),
        (r"\pL", False),
        (r"\s", False),
        ("[[:alpha:]]", False),
        ("(?i)a", False),
        ("(?:a)b", True),
        ("[]$]", True),
        ("a{,2}", False),
    ],
)
def test_only_harmless_patterns_are_left_to_python(pattern: str, tame: bool) -> None:
    """Few loops, none around a group, no spelling of RE2's own."""
    assert is_tame(pattern) is tame


TEXT = r"a|b|.|^|$|[ab]|[^a]|[]b]|[$]|\d|\$|a*|b+|a?|(?:b)|a{2}|\."
PIECES = st.sampled_from([*TEXT.split("|"), "|", "(a|b)", "\n", "{,2}", "{", "*", "]"])


@settings(deadline=None)
@given(st.lists(PIECES, max_size=5).map("".join), st.text("ab1$]\n", max_size=6))
def test_both_matchers_agree(pattern: str, text: str) -> None:
    """Whichever is chosen finds what RE2 finds."""
    options = re2.Options()
    options.log_errors = False
    try:
        expected = re2.compile(pattern, options).search(text) is not None
    except re2.error:
        with pytest.raises(PatternError):
            compile_pattern(pattern)
        return
    assert bool(compile_pattern(pattern)(text)) is expected


def test_a_hostile_pattern_takes_no_time() -> None:
    """What would hold a backtracking matcher for years is over at once."""
    assert not compile_pattern("^(a+)+$")("a" * 5000 + "b")
    assert compile_pattern("^[a-z]+$")("a" * 5000)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "error parsing regexp: missing closing ): `(`"),
        ("[a", "error parsing regexp: missing closing ]: `[a`"),
        ("*", "error parsing regexp: missing argument to repetition operator: `*`"),
        ("(?=a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"),
        (r"\1", "error parsing regexp: invalid escape sequence: `\\1`"),
    ],
)
def test_what_is_no_pattern_is_told_in_gos_words(pattern: str, said: str) -> None:
    """With the place."""
    with pytest.raises(PatternError) as refused:
        compile_pattern(pattern)
    assert str(refused.value) == said
