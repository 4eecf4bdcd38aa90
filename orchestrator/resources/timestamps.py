"""RFC 3339 timestamps as the API writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

_PATTERN: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = -62135596800
_END: Final = 253402300800
"""Seconds from the epoch to the year 1, and to the end of the year 9999."""


@lru_cache(maxsize=64)
def _format_second(second: int) -> str:
    # strftime pads no years.
    return (_EPOCH + timedelta(seconds=second)).isoformat()[:19]


@lru_cache(maxsize=64)
def _format_whole(second: int) -> str:
    return f"{_format_second(second)}Z"


def format_time(seconds: float) -> str:
    """Format wall seconds since the epoch with whole seconds: ``2026-01-02T03:04:05Z``."""
    return _format_whole(int(seconds // 1))


def format_micro(seconds: float) -> str:
    """Format wall seconds with six decimals, as ``MicroTime`` fields (Leases, Events) are."""
    micros = round(seconds * 1_000_000)
    return f"{_format_second(micros // 1_000_000)}.{micros % 1_000_000:06d}Z"


@lru_cache(maxsize=4096)
def parse_time(text: str) -> float:
    """Parse an RFC 3339 timestamp, with or without a fraction, into seconds since the epoch.

    Raises:
        ValueError: With the words upstream uses for it.
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(_refusal(text))
    *parts, fraction, zone = match.groups()
    try:
        moment = datetime(*(int(part) for part in parts), tzinfo=_zone(zone))  # type: ignore[arg-type, misc] # six parts, none of them the zone
    except ValueError:
        raise ValueError(_refusal(text)) from None
    seconds = (moment - _EPOCH).total_seconds()
    if not _FIRST <= seconds < _END:  # a zone may lead out of the years that there are
        raise ValueError(_refusal(text))
    return seconds + float(f"0.{fraction}") if fraction else seconds


def canonical_time(text: str) -> str:
    """Return the form upstream stores in a ``Time`` field: UTC, whole seconds."""
    if len(text) == 20 and text[-1] == "Z":
        parse_time(text)
        return text
    return format_time(parse_time(text))


def canonical_micro(text: str) -> str:
    """Return the form upstream stores in a ``MicroTime`` field: UTC, six decimals."""
    return format_micro(parse_time(text))


def _zone(text: str) -> timezone:
    if text == "Z":
        return UTC
    sign = -1 if text[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(text[1:3]), minutes=int(text[4:6])))


def _refusal(text: str) -> str:
    year = "" if re.match(r"\d{4}", text) else f': cannot parse "{text}" as "2006"'
    return f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00"{year}'
