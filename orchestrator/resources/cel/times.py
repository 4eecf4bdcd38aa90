"""Durations and timestamps, to the nanosecond and with Go's texts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any, Self
from zoneinfo import ZoneInfo

from orchestrator.resources.cel.errors import EvaluationError
from orchestrator.resources.cel.values import INT_MAX, INT_MIN, Opaque, to_plain

SECOND = 1_000_000_000
_UNITS = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,
    "\u03bcs": 1_000,
    "ms": 1_000_000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_STAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]+))?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_OFFSET = re.compile(r"([+-]?)([0-9]{2}):([0-9]{2})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST, LATEST = -62_135_596_800, 253_402_300_799
"""Seconds of 0001-01-01 and of the end of 9999."""


class _Nanoseconds(Opaque):
    __slots__ = ("nanoseconds",)

    def __init__(self, nanoseconds: int) -> None:
        self.nanoseconds = nanoseconds

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.nanoseconds == self.nanoseconds

    def __hash__(self) -> int:
        return hash((self.type_name, self.nanoseconds))

    def __lt__(self, other: Self) -> bool:
        return self.nanoseconds < other.nanoseconds

    def __le__(self, other: Self) -> bool:
        return self.nanoseconds <= other.nanoseconds

    def __gt__(self, other: Self) -> bool:
        return self.nanoseconds > other.nanoseconds

    def __ge__(self, other: Self) -> bool:
        return self.nanoseconds >= other.nanoseconds

    def is_zero(self) -> bool:
        """Tell whether it is no time at all."""
        return not self.nanoseconds


class Duration(_Nanoseconds):
    """A length of time."""

    __slots__ = ()
    type_name = "duration"

    def json(self) -> str:
        """``1.5s``."""
        whole, part = divmod(abs(self.nanoseconds), SECOND)
        sign = "-" if self.nanoseconds < 0 else ""
        fraction = f".{part:09d}".rstrip("0") if part else ""
        return f"{sign}{whole}{fraction}s"

    def text(self) -> str:
        """What ``string()`` makes of it: seconds."""
        return f"{to_plain(self.nanoseconds / SECOND)}s"


class Timestamp(_Nanoseconds):
    """A moment, as nanoseconds since 1970."""

    __slots__ = ()
    type_name = "timestamp"

    def json(self) -> str:
        """RFC 3339 in UTC."""
        seconds, part = divmod(self.nanoseconds, SECOND)
        moment = _EPOCH + timedelta(seconds=seconds)
        fraction = f".{part:09d}".rstrip("0") if part else ""
        return f"{moment.year:04d}-{moment.strftime('%m-%dT%H:%M:%S')}{fraction}Z"

    text = json

    def at(self, zone: str | None) -> datetime:
        """Return the calendar's view in a zone, UTC when None.

        Raises:
            EvaluationError: No such zone, or a date that has no year of four digits there.
        """
        try:
            moment = _EPOCH + timedelta(seconds=self.nanoseconds // SECOND)
            return moment.astimezone(_zone(zone) if zone else UTC)
        except OverflowError:
            raise EvaluationError("timestamp out of range") from None

    def is_zero(self) -> bool:
        """Tell whether this is Go's zero time."""
        return self.nanoseconds == EARLIEST * SECOND


@lru_cache(256)
def _zone(name: str) -> tzinfo:
    match = _OFFSET.fullmatch(name)
    if match:
        minutes = int(match[2]) * 60 + int(match[3])
        if minutes >= 24 * 60:
            raise EvaluationError(f"unknown time zone {name}")
        return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise EvaluationError(f"unknown time zone {name}") from None


def duration(text: str) -> Duration:
    """Read ``1h30m`` as Go does.

    Raises:
        EvaluationError: It is no duration.
    """
    sign = -1 if text.startswith("-") else 1
    body = text[1:] if text[:1] in {"-", "+"} else text
    if body == "0":
        return Duration(0)
    total, at = 0, 0
    while at < len(body):
        match = _PART.match(body, at)
        if match is None:
            break
        whole, _, fraction = match[1].partition(".")
        unit = _UNITS[match[2]]
        total += int(whole[:40] or "0") * unit
        if fraction:
            fraction = fraction[:20]
            total += int(fraction) * unit // 10 ** len(fraction)
        at = match.end()
    if not body or at < len(body) or total > INT_MAX + 1:
        raise EvaluationError(f'time: invalid duration "{text}"')
    return checked_duration(sign * total)


def checked_duration(nanoseconds: int) -> Duration:
    """Make a duration that fits.

    Raises:
        EvaluationError: It is longer than 64 bits of nanoseconds.
    """
    if not INT_MIN <= nanoseconds <= INT_MAX:
        raise EvaluationError("duration overflow")
    return Duration(nanoseconds)


def checked_timestamp(nanoseconds: int) -> Timestamp:
    """Make a timestamp that lies in the years 1 to 9999.

    Raises:
        EvaluationError: It doesn't.
    """
    if not EARLIEST <= nanoseconds // SECOND <= LATEST:
        raise EvaluationError("timestamp overflow")
    return Timestamp(nanoseconds)


def timestamp(text: str) -> Timestamp:
    """Read RFC 3339.

    Raises:
        EvaluationError: It is none.
    """
    match = _STAMP.fullmatch(text)
    failed = EvaluationError(
        f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"'
    )
    if match is None:
        raise failed
    try:
        year, month, day, hour, minute, second = map(int, match.groups()[:6])
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise failed from None
    seconds = int((moment - _EPOCH).total_seconds())
    offset = match[8]
    if offset not in {"Z", "z"}:
        minutes = int(offset[1:3]) * 60 + int(offset[4:6])
        seconds -= (-60 if offset[0] == "-" else 60) * minutes
    fraction = int((match[7] or "0")[:9].ljust(9, "0"))
    return checked_timestamp(seconds * SECOND + fraction)


def date(text: str) -> Timestamp:
    """Read ``2006-01-02``, the ``date`` format of schemas.

    Raises:
        EvaluationError: It is none.
    """
    return timestamp(f"{text}T00:00:00Z")


_GETTERS: dict[str, Any] = {
    "getFullYear": lambda moment: moment.year,
    "getMonth": lambda moment: moment.month - 1,
    "getDayOfYear": lambda moment: moment.timetuple().tm_yday - 1,
    "getDayOfMonth": lambda moment: moment.day - 1,
    "getDate": lambda moment: moment.day,
    "getDayOfWeek": lambda moment: moment.isoweekday() % 7,
    "getHours": lambda moment: moment.hour,
    "getMinutes": lambda moment: moment.minute,
    "getSeconds": lambda moment: moment.second,
}
GETTERS = tuple(_GETTERS)


def part(name: str, moment: Timestamp, zone: str | None = None) -> int:
    """Return what a getter such as ``getHours`` tells of a timestamp."""
    return int(_GETTERS[name](moment.at(zone)))
