"""``$(VAR)`` expansion, by the cases Kubernetes documents."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.node.expansion import expand

VARIABLES = {"A": "one", "B": "$(A)", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$(A)", "one"),
        ("x$(A)y$(A)z", "xoneyonez"),
        ("$(MISSING)", "$(MISSING)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$one"),
        ("$$$$(A)", "$$(A)"),
        ("$(B)", "$(A)"),
        ("$(EMPTY)|", "|"),
        ("$A ${A} $", "$A ${A} $"),
        ("$(A", "$(A"),
        ("$()", "$()"),
    ],
)
def test_references_are_replaced_by_kubernetes_rules(text: str, expected: str) -> None:
    """Known names are replaced once, unknown ones stay, double dollars escape."""
    assert expand(text, VARIABLES) == expected


@given(st.text(alphabet="$()AB x"))
def test_doubling_every_dollar_makes_any_text_literal(text: str) -> None:
    """Escaping is complete: what is escaped comes out as it was."""
    assert expand(text.replace("$", "$$"), VARIABLES) == text
