"""``orchestrator bench cluster``: a Deployment gets Running, and what that took is told."""

from __future__ import annotations

import pytest

from orchestrator.bench.deploying import Settings, measure
from orchestrator.bench.failures import UserError
from orchestrator.bench.progress import Progress


def test_a_deployment_gets_running_and_has_figures() -> None:
    """Of rate, waits, memory and log, which all are more than nothing."""
    result = measure(Settings(nodes=3, pods=30), Progress())
    assert (result.nodes, result.pods, result.path) == (3, 30, "store")
    assert result.pods_per_second > 0
    assert result.baseline_pods_per_second > 0
    assert 0 < result.p50_ms <= result.p90_ms <= result.p99_ms <= 1000 * result.seconds
    assert result.log_bytes_per_pod > 100


def test_pods_that_cannot_fit_are_refused_before_anything_starts() -> None:
    """With the number of nodes that would do."""
    with pytest.raises(UserError, match="501 pods do not fit on 2 nodes of 250: take --nodes 3"):
        measure(Settings(nodes=2, pods=501), Progress())
