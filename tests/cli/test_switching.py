"""The daemon's thread switches."""

from __future__ import annotations

import sys

from orchestrator.cli.switching import SWITCH_INTERVAL, hasten_switches


def test_a_commit_need_not_wait_for_a_whole_turn_of_the_loop() -> None:
    """The interval is shorter than a flush to a fast disk."""
    before = sys.getswitchinterval()
    try:
        hasten_switches()
        assert abs(sys.getswitchinterval() - SWITCH_INTERVAL) < 1e-6
        assert sys.getswitchinterval() < 0.001 < before
    finally:
        sys.setswitchinterval(before)
