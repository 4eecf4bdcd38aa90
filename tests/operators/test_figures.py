"""How the times of the operators' tests are read and put side by side."""

from __future__ import annotations

import pytest

from benchmarks._report import Report
from benchmarks.operators import SCENARIOS, TESTS, Taken, add_scenario, read_report

PASSED = """<testsuites><testsuite>
<testcase name="one" time="3.5"><properties><property name="asleep" value="2.5"/>
<property name="longer" value="100"/><property name="other" value="x"/></properties></testcase>
<testcase name="two" time="0.5"/></testsuite></testsuites>"""


def test_seconds_are_added_up_and_those_asleep_are_told_apart() -> None:
    """By what the tests say of themselves; others say nothing."""
    assert read_report(PASSED) == Taken(2, 4.0, 2.5, 100.0)


@pytest.mark.parametrize(
    "case",
    ['<testcase name="bad"><failure/></testcase>', '<testcase name="bad"><error/></testcase>'],
)
def test_there_are_no_figures_of_what_failed(case: str) -> None:
    """It may have been fast because it did nothing."""
    with pytest.raises(RuntimeError, match="tests that pass: bad"):
        read_report(f"<testsuite>{case}</testsuite>")
    with pytest.raises(RuntimeError, match="no figures"):
        read_report("<testsuite/>")


def test_each_operator_is_tested_twice_and_has_its_figures() -> None:
    """The length at its own intervals is what was measured and what was cut off."""
    for name in SCENARIOS:
        assert (TESTS / f"test_{name}.py").is_file()
        assert (TESTS / "kind_style" / f"test_{name}.py").is_file()
    report = Report(benchmark="operators")
    add_scenario(report, "charm", Taken(1, 4.0, 3.0, 96.0), Taken(5, 2.0, 0.0, 0.0))
    values = [(row.value, row.unit) for row in report.rows]
    assert values == [(4.0, "s"), (100.0, "s"), (2.0, "s"), (0.4, "s"), (50.0, "ratio")]
