"""Bodies as large as a server takes cost time in proportion to their size, never its square."""

from __future__ import annotations

import time

from orchestrator.resources.schedules import parse_schedule
from orchestrator.resources.strategies._placement import spread_problems


def test_many_spread_constraints_are_compared_in_one_pass() -> None:
    """The pairs that come again are still told, once for each earlier one."""
    made = [
        {"maxSkew": 1, "topologyKey": f"k{at}", "whenUnsatisfiable": "DoNotSchedule"}
        for at in range(10_000)
    ]
    begun = time.process_time()
    problems = spread_problems([*made, made[0], made[7]], "spec")
    assert time.process_time() - begun < 3  # it took a quarter of a minute
    assert [problem.field for problem in problems] == [
        "spec[0].{topologyKey, whenUnsatisfiable}",
        "spec[7].{topologyKey, whenUnsatisfiable}",
    ]


def test_a_schedule_that_says_the_same_again_and_again_is_read_once() -> None:
    """A schedule has as much room as a body."""
    begun = time.process_time()
    schedule = parse_schedule(",".join(["*/1"] * 500_000) + " 5,5 * * *")
    assert time.process_time() - begun < 0.5
    assert schedule.minutes == frozenset(range(60))
    assert schedule.hours == {5}
