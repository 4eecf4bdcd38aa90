"""When a schedule is due next, in a time zone. Pure.

Source of the rules: github.com/robfig/cron/v3, which upstream asks. A time is due when the clocks
of the zone show it: what they leave out when they are put forward is left out, what they show twice
when they are put back is due twice.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from orchestrator.resources.schedules import Schedule

YEARS: Final = 5
"""Years to look ahead: a day that does not come by then, 30 February say, never does."""

_DAY: Final = 24 * 60


class UnknownTimeZoneError(ValueError):
    """A time zone that the database does not have; the message is upstream's."""


@lru_cache(maxsize=256)
def time_zone(name: str) -> tzinfo:
    """Return a time zone by its IANA name; UTC for an empty one.

    Raises:
        UnknownTimeZoneError: There is none of that name.
    """
    if not name:
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # most schedules have no zone

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownTimeZoneError(f"unknown time zone {name}") from error


def next_time(schedule: Schedule, after: float, zone: tzinfo) -> float | None:
    """Return the first time after a moment at which a schedule is due, in wall seconds.

    Args:
        schedule: Parsed.
        after: Wall seconds; this moment itself does not count.
        zone: For a schedule that names none of its own.

    Returns:
        None when it is not due within `YEARS`.

    Raises:
        UnknownTimeZoneError: The schedule names a zone that does not exist.
    """
    if schedule.every:
        return float(math.floor(after) + int(schedule.every))
    if schedule.zone:
        zone = time_zone(schedule.zone)
    minute = math.floor(after / 60) + 1
    day = datetime.fromtimestamp(minute * 60, zone).date()
    last = day.year + YEARS
    while day.year <= last:
        if day.month not in schedule.months:
            day = _next_month(day)
        elif not _is_due_on(schedule, day):
            day += timedelta(days=1)
        else:
            found = _first_of_day(schedule, day, minute, zone)
            if found is not None:
                return found * 60.0
            day += timedelta(days=1)
    return None


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _is_due_on(schedule: Schedule, day: date) -> bool:
    """Tell whether a day fits: by both its numbers if one was left open, else by either."""
    in_month = day.day in schedule.days
    in_week = day.isoweekday() % 7 in schedule.weekdays
    if schedule.any_day or schedule.any_weekday:
        return in_month and in_week
    return in_month or in_week


def _first_of_day(schedule: Schedule, day: date, minute: int, zone: tzinfo) -> int | None:
    """Return the first minute of the epoch from ``minute`` on that is due on a day."""
    begin, end = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    start = max(minute, begin)
    if end - begin == _DAY:
        # No clock is changed on such a day (none was ever changed twice on one).
        of_day = _of_day(schedule.hours, schedule.minutes, start - begin)
        return None if of_day is None else begin + of_day
    for candidate in range(start, end):
        local = datetime.fromtimestamp(candidate * 60, zone)
        if local.minute in schedule.minutes and local.hour in schedule.hours:
            return candidate
    return None


def _midnight(day: date, zone: tzinfo) -> int:
    """Return the minute of the epoch with which a day begins."""
    moment = datetime(day.year, day.month, day.day, tzinfo=zone)
    return int(moment.timestamp() // 60)


def _of_day(hours: frozenset[int], minutes: frozenset[int], start: int) -> int | None:
    """Return the first minute of the day from ``start`` on."""
    in_order = _sorted(minutes)
    hour, minute = divmod(start, 60)
    if hour in hours:
        at = bisect_left(in_order, minute)
        if at < len(in_order):
            return hour * 60 + in_order[at]
    later = [candidate for candidate in hours if candidate > hour]
    return min(later) * 60 + in_order[0] if later and in_order else None


@lru_cache(maxsize=1024)
def _sorted(values: frozenset[int]) -> list[int]:
    return sorted(values)
