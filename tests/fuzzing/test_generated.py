"""Generated requests find nothing; `tests.fuzzing.generated` runs as many as one likes."""

from __future__ import annotations

import pytest

from tests.fuzzing.generated import run

COUNT = 400


@pytest.mark.e2e
def test_no_generated_request_is_answered_with_a_fault() -> None:
    """No 5xx, no answer off the published schema, and all that was stored can be read."""
    outcome = run(COUNT, seed=20)
    assert outcome.failures == []
    assert sum(outcome.codes.values()) > COUNT // 2
    assert outcome.codes[200] + outcome.codes[201] > COUNT // 20
