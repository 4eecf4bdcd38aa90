"""Schedules of CronJobs: the text people know from cron, taken apart, refused in upstream's words.

Source of grammar and words: github.com/robfig/cron/v3, which upstream parses schedules with.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

_MACROS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_EVERY: Final = "@every "
_UNITS: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
}  # fmt: skip
_DURATION: Final = re.compile(r"([0-9]*\.?[0-9]*)(ns|us|µs|μs|ms|s|m|h)")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)


class ScheduleError(ValueError):
    """Text that is no schedule; the message is upstream's."""


class _Field(NamedTuple):
    low: int
    high: int
    names: tuple[str, ...] = ()
    first: int = 0


_FIELDS: Final = (
    _Field(0, 59),
    _Field(0, 23),
    _Field(1, 31),
    _Field(1, 12, _MONTHS, 1),
    _Field(0, 6, _DAYS),
)


class Schedule(NamedTuple):
    """When something is due.

    Attributes:
        minutes: Minutes of the hour.
        hours: Hours of the day.
        days: Days of the month.
        months: Months of the year, January being 1.
        weekdays: Days of the week, Sunday being 0.
        any_day: The day of the month was left open by a star.
        any_weekday: The day of the week was left open by a star.
        every: Seconds between two times, for ``@every``; 0 otherwise, and then the rest counts.
        zone: Time zone that the text itself names, or empty.
    """

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    any_day: bool = False
    any_weekday: bool = False
    every: float = 0.0
    zone: str = ""


@lru_cache(maxsize=1024)
def parse_schedule(text: str) -> Schedule:
    """Take a schedule apart: five fields, a macro, or ``@every`` and a duration.

    Raises:
        ScheduleError: In upstream's words.
    """
    zone = ""
    if text.startswith(("TZ=", "CRON_TZ=")):
        head, _, rest = text.partition(" ")
        zone, text = head.partition("=")[2], rest.strip()
    if text.startswith("@"):
        if text.startswith(_EVERY):
            return Schedule(every=_duration(text), zone=zone)
        if text not in _MACROS:
            raise ScheduleError(f"unrecognized descriptor: {text}")
        text = _MACROS[text]
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ScheduleError(
            f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]"
        )
    minutes, hours, days, months, weekdays = map(_values, fields, _FIELDS)
    return Schedule(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=weekdays,
        any_day=_is_open(fields[2]),
        any_weekday=_is_open(fields[4]),
        zone=zone,
    )


def _is_open(text: str) -> bool:
    """Tell whether a field that was read leaves its value open: by a star, but not with a step."""
    for part in dict.fromkeys(text.split(",")):
        span, *steps = part.split("/")
        if span.split("-")[0] in {"*", "?"} and not (steps and int(steps[0]) > 1):
            return True
    return False


def _values(text: str, field: _Field) -> frozenset[int]:
    found: set[int] = set()
    for part in dict.fromkeys(text.split(",")):  # once each: a body has room for a million
        if part:
            found.update(_range(part, field))
    return frozenset(found)


def _range(text: str, field: _Field) -> range:
    span, *steps = text.split("/")
    ends = span.split("-")
    single = len(ends) == 1
    if ends[0] in {"*", "?"}:
        start, end = field.low, field.high
    else:
        start = _number(ends[0], field)
        if len(ends) > 2:
            raise ScheduleError(f"too many hyphens: {text}")
        end = start if single else _number(ends[1], field)
    step = 1
    if len(steps) == 1:
        step = _number(steps[0], _Field(0, 0))
        if single and ends[0] not in {"*", "?"}:
            end = field.high
    elif steps:
        raise ScheduleError(f"too many slashes: {text}")
    if start < field.low:
        raise ScheduleError(f"beginning of range ({start}) below minimum ({field.low}): {text}")
    if end > field.high:
        raise ScheduleError(f"end of range ({end}) above maximum ({field.high}): {text}")
    if start > end:
        raise ScheduleError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise ScheduleError(f"step of range should be a positive number: {text}")
    return range(start, end + 1, step)


def _number(text: str, field: _Field) -> int:
    if text.lower() in field.names:
        return field.names.index(text.lower()) + field.first
    if not _NUMBER.fullmatch(text):
        raise ScheduleError(
            f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax'
        )
    value = int(text)
    if value < 0:
        raise ScheduleError(f"negative number ({value}) not allowed: {text}")
    return value


def _duration(text: str) -> float:
    given = text.removeprefix(_EVERY)
    unsigned = given.removeprefix("+").removeprefix("-")
    total, at = 0.0, 0
    while at < len(unsigned):
        match = _DURATION.match(unsigned, at)
        if match is None or not match[1].strip("."):
            break
        total += float(match[1]) * _UNITS[match[2]]
        at = match.end()
    if not unsigned or at < len(unsigned):
        raise ScheduleError(f'failed to parse duration {text}: time: invalid duration "{given}"')
    return max(total if not given.startswith("-") else 0.0, 1.0)
