"""Times of schedules, worked out by hand; what they mean is robfig/cron's documentation.

https://pkg.go.dev/github.com/robfig/cron/v3, and for time zones
https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#time-zones.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.resources.schedule_times import UnknownTimeZoneError, next_time, time_zone
from orchestrator.resources.schedules import Schedule, parse_schedule


def following(schedule: str, after: str, zone: str = "UTC", count: int = 1) -> list[str]:
    """Return times of a schedule as local time with its offset."""
    parsed, place = parse_schedule(schedule), time_zone(zone)
    moment = datetime.fromisoformat(after).replace(tzinfo=place).timestamp()
    found: list[str] = []
    for _ in range(count):
        due = next_time(parsed, moment, place)
        assert due is not None
        moment = due
        found.append(datetime.fromtimestamp(moment, place).isoformat(timespec="minutes"))
    return found


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("* * * * *", "2026-01-01T00:00:00", "2026-01-01T00:01+00:00"),
        ("* * * * *", "2026-01-01T00:00:59", "2026-01-01T00:01+00:00"),
        ("*/15 * * * *", "2026-01-01T00:01", "2026-01-01T00:15+00:00"),
        ("20-35/15 * * * *", "2026-01-01T00:20", "2026-01-01T00:35+00:00"),
        ("30 6-16/4 * * 1-5", "2026-01-02T15:00", "2026-01-05T06:30+00:00"),
        ("0 0 * * sun", "2026-01-01T00:00", "2026-01-04T00:00+00:00"),
        ("@weekly", "2026-01-04T00:00", "2026-01-11T00:00+00:00"),
        ("@hourly", "2026-12-31T23:00", "2027-01-01T00:00+00:00"),
        ("@yearly", "2026-01-01T00:00", "2027-01-01T00:00+00:00"),
        ("0 0 29 2 *", "2026-01-01T00:00", "2028-02-29T00:00+00:00"),
        ("0 0 31 * *", "2026-01-31T00:00", "2026-03-31T00:00+00:00"),
        ("0 0 1 feb,dec ?", "2026-02-01T00:00", "2026-12-01T00:00+00:00"),
        # Either day, when both are said; both, when one is left open.
        ("0 0 13 * fri", "2026-01-01T00:00", "2026-01-02T00:00+00:00"),
        ("0 0 13 * fri", "2026-01-12T00:00", "2026-01-13T00:00+00:00"),
        ("0 0 13 * *", "2026-01-01T00:00", "2026-01-13T00:00+00:00"),
        # A star with a step leaves nothing open: every second day, or a Friday.
        ("0 0 */2 * fri", "2026-01-01T00:00", "2026-01-02T00:00+00:00"),
        ("0 0 */1 * fri", "2026-01-02T00:00", "2026-01-09T00:00+00:00"),
        ("@every 1h30m", "2026-01-01T00:10", "2026-01-01T01:40+00:00"),
        ("CRON_TZ=Asia/Tokyo 0 6 * * *", "2026-01-01T00:00", "2026-01-01T21:00+00:00"),
    ],
)
def test_a_schedule_is_due(schedule: str, after: str, expected: str) -> None:
    """The first time after a moment."""
    assert following(schedule, after) == [expected]


def test_durations_count_whole_seconds() -> None:
    """An interval begins at a whole second and has no fraction."""
    assert next_time(parse_schedule("@every 1500ms"), 10.7, time_zone("")) == 11
    assert next_time(parse_schedule("@every 10ms"), 10.7, time_zone("")) == 11


@pytest.mark.parametrize("schedule", ["0 0 30 2 *", "59 23 31 2 *", "0 0 31 4,6,9,11 *"])
def test_a_day_that_never_comes_is_never_due(schedule: str) -> None:
    """No time is found within five years."""
    assert next_time(parse_schedule(schedule), 0.0, time_zone("")) is None


@pytest.mark.parametrize(
    ("schedule", "after", "zone", "expected"),
    [
        # 2:00 to 2:59 do not exist on 8 March 2026 in New York.
        (
            "30 2 * * *",
            "2026-03-07T03:00",
            "America/New_York",
            ["2026-03-09T02:30-04:00", "2026-03-10T02:30-04:00"],
        ),
        (
            "0 * * * *",
            "2026-03-08T00:30",
            "America/New_York",
            ["2026-03-08T01:00-05:00", "2026-03-08T03:00-04:00"],
        ),
        # 1:00 to 1:59 come twice on 1 November 2026.
        (
            "30 1 * * *",
            "2026-11-01T00:00",
            "America/New_York",
            ["2026-11-01T01:30-04:00", "2026-11-01T01:30-05:00", "2026-11-02T01:30-05:00"],
        ),
        ("0 0 * * *", "2026-06-01T00:00", "Asia/Kolkata", ["2026-06-02T00:00+05:30"]),
        # Clocks go by half an hour.
        (
            "15 2 * * *",
            "2026-10-03T03:00",
            "Australia/Lord_Howe",
            ["2026-10-05T02:15+11:00"],
        ),
        # Midnight did not exist in Sao Paulo on 4 November 2018.
        (
            "0 0 * * *",
            "2018-11-03T00:00",
            "America/Sao_Paulo",
            ["2018-11-05T00:00-02:00"],
        ),
        # Samoa had no 30 December 2011.
        ("0 12 * * *", "2011-12-29T13:00", "Pacific/Apia", ["2011-12-31T12:00+14:00"]),
    ],
)
def test_clocks_that_are_changed_leave_out_and_repeat(
    schedule: str, after: str, zone: str, expected: list[str]
) -> None:
    """What the clocks of the zone never show is not due, what they show twice is due twice."""
    assert following(schedule, after, zone, len(expected)) == expected


@pytest.mark.parametrize("name", ["Nowhere/City", "../etc/passwd", "UTC\x00"])
def test_a_zone_that_does_not_exist_is_refused(name: str) -> None:
    """In the words of Go's time package."""
    with pytest.raises(UnknownTimeZoneError, match="unknown time zone"):
        time_zone(name)


def slowly(schedule: Schedule, after: float, zone: Any) -> float | None:
    """Find the next time minute by minute."""
    minute = int(after // 60) + 1
    for candidate in range(minute, minute + 3 * 24 * 60):
        local = datetime.fromtimestamp(candidate * 60, zone)
        in_month = local.day in schedule.days
        in_week = local.isoweekday() % 7 in schedule.weekdays
        opened = schedule.any_day or schedule.any_weekday
        if (
            local.minute in schedule.minutes
            and local.hour in schedule.hours
            and local.month in schedule.months
            and ((in_month and in_week) if opened else (in_month or in_week))
        ):
            return candidate * 60.0
    return None


@settings(max_examples=60, deadline=None)
@given(
    minute=st.sampled_from(["*", "0", "*/7", "10-20", "59"]),
    hour=st.sampled_from(["*", "2", "0", "*/5", "1-3,23"]),
    day=st.sampled_from(["*", "*/2", "8", "29-31,1"]),
    weekday=st.sampled_from(["*", "sun", "1-5"]),
    zone=st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    near=st.sampled_from(["2026-03-08", "2026-11-01", "2026-04-05", "2026-10-04", "2026-02-28"]),
    minutes=st.integers(-1500, 1500),
)
def test_the_quick_way_finds_what_the_slow_way_finds(
    minute: str, hour: str, day: str, weekday: str, zone: str, near: str, minutes: int
) -> None:
    """Around changes of clocks, compared with looking at every minute of three days."""
    schedule = parse_schedule(f"{minute} {hour} {day} * {weekday}")
    place = time_zone(zone)
    start = datetime.fromisoformat(near).replace(tzinfo=place) + timedelta(minutes=minutes)
    expected = slowly(schedule, start.timestamp(), place)
    if expected is not None:
        assert next_time(schedule, start.timestamp(), place) == expected
