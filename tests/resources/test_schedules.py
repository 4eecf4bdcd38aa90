"""Schedules: what they mean, and the words for what means nothing."""

from __future__ import annotations

import pytest

from orchestrator.resources.schedules import ScheduleError, parse_schedule


def test_five_fields_are_taken_apart() -> None:
    """Lists, ranges, steps and names."""
    found = parse_schedule("*/20 0-2,22 1 jan-mar/2 Mon,5")
    assert found.minutes == {0, 20, 40}
    assert found.hours == {0, 1, 2, 22}
    assert found.days == {1}
    assert not found.any_day
    assert found.months == {1, 3}
    assert found.weekdays == {1, 5}
    assert not found.any_weekday


def test_a_step_from_a_number_goes_to_the_end() -> None:
    """As cron has it: ``50/5`` is ``50-59/5``."""
    assert parse_schedule("50/5 * * * *").minutes == {50, 55}
    assert parse_schedule("5 * ? * *").any_day


def test_macros_and_intervals_are_known() -> None:
    """``@hourly`` is the first minute of each hour, ``@every`` needs no clock."""
    assert parse_schedule("@hourly") == parse_schedule("0 * * * *")
    assert parse_schedule("@every 1h30m").every == 5400
    assert parse_schedule("CRON_TZ=Europe/Berlin 0 6 * * *").zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected exactly 5 fields, found 0: []"),
        ("* * * * * *", "expected exactly 5 fields, found 6: [* * * * * *]"),
        (
            "x * * * *",
            'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax',
        ),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("*/2/3 * * * *", "too many slashes: */2/3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("* 24 * * *", "end of range (24) above maximum (23): 24"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("@every soon", 'failed to parse duration @every soon: time: invalid duration "soon"'),
    ],
)
def test_what_is_no_schedule_is_told_in_the_librarys_words(text: str, message: str) -> None:
    """Upstream passes them on."""
    with pytest.raises(ScheduleError) as raised:
        parse_schedule(text)
    assert str(raised.value) == message
