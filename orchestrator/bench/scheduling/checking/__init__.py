"""Checks a run's placements, by plain code that shares nothing with the scheduler."""

from orchestrator.bench.scheduling.checking.replaying import (
    Surroundings,
    Violation,
    check,
    surroundings,
)

__all__ = ["Surroundings", "Violation", "check", "surroundings"]
