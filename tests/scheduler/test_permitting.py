"""Pods that wait for permits."""

from __future__ import annotations

import pytest

from orchestrator.scheduler.core.permitting import Decided, Refused, WaitingPods, go_duration


def test_a_pod_goes_when_it_has_all_permits() -> None:
    """Not before the last one, and once."""
    waiting: WaitingPods[str] = WaitingPods()
    waiting.add("u", "pod", {"A": 10, "B": 20}, now=0)
    waiting.allow("u", "A")
    waiting.allow("u", "A")
    assert waiting.take() == []
    waiting.allow("u", "B")
    assert waiting.take() == [Decided("pod", None)]
    assert waiting.take() == []
    assert "u" not in waiting


def test_one_refusal_is_enough() -> None:
    """Later permits come too late."""
    waiting: WaitingPods[str] = WaitingPods()
    waiting.add("u", "pod", {"A": 10, "B": 20}, now=0)
    waiting.reject("u", "B", "no")
    waiting.allow("u", "A")
    waiting.reject("u", "A", "no again")
    assert waiting.take() == [Decided("pod", Refused("B", "no"))]


def test_who_waits_too_long_is_refused() -> None:
    """By the plugin whose time is up first, in upstream's words."""
    waiting: WaitingPods[str] = WaitingPods()
    waiting.add("u", "pod", {"A": 90, "B": 20}, now=100)
    waiting.add("v", "other", {"A": 90}, now=100)
    assert waiting.next_time() == 120
    waiting.advance(119)
    assert waiting.take() == []
    waiting.advance(120)
    reason = "rejected due to timeout after waiting 20s at plugin B"
    assert waiting.take() == [Decided("pod", Refused("B", reason))]
    assert waiting.next_time() == 190
    waiting.advance(500)
    reason = "rejected due to timeout after waiting 1m30s at plugin A"
    assert waiting.take() == [Decided("other", Refused("A", reason))]
    assert waiting.next_time() is None


def test_a_pod_that_is_gone_is_forgotten() -> None:
    """Nobody decides about it any more."""
    waiting: WaitingPods[str] = WaitingPods()
    waiting.add("u", "pod", {"A": 10}, now=0)
    assert waiting.remove("u") == "pod"
    assert waiting.remove("u") is None
    waiting.advance(100)
    assert waiting.take() == []
    assert len(waiting) == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "500ms"), (1, "1s"), (1.5, "1.5s"), (60, "1m0s"), (90, "1m30s"), (3600, "1h0m0s")],
)
def test_times_are_told_as_go_tells_them(seconds: float, text: str) -> None:
    """Since people search for the message."""
    assert go_duration(seconds) == text
