"""How much something uses as time goes on, as annotations say it; pure.

A course is an amount, or several with the time from which each counts:

- ``250m``: always that much;
- ``80%``: that share of the container's request;
- ``100m,900m@60s,100m@5m``: 100m at first, 900m from 60 s on, 100m again from 5 minutes on.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from orchestrator.resources.quantities import parse

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_DURATION: Final = re.compile(rf"(?:{_PART.pattern})+")
_PERCENT: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)%")


class Amount(NamedTuple):
    """So much, or a share of what was requested.

    Attributes:
        nano: Units of 10^-9, nanocores of CPU; or None for a share.
        share: Of the request, 0.8 for 80 %.
    """

    nano: int | None
    share: float = 0.0

    @property
    def absolute(self) -> int:
        """The amount of something that has no request, in units of 10^-9.

        Raises:
            ValueError: It is a share.
        """
        if self.nano is None:
            raise ValueError(f"{self.share:.0%} of what? A load is no share of a request")
        return self.nano

    def of(self, request: int) -> int:
        """Return the amount in units of 10^-9 for a request in the same."""
        return round(self.share * request) if self.nano is None else self.nano


class Step(NamedTuple):
    """An amount, and from when on it counts, in seconds."""

    after: float
    amount: Amount


Course = tuple[Step, ...]


@lru_cache(maxsize=1024)
def parse_course(text: str) -> Course:
    """Read a course.

    Raises:
        ValueError: What is wrong with it.
    """
    steps: list[Step] = []
    for part in text.split(","):
        amount, at, moment = part.strip().partition("@")
        after = _seconds(moment.strip()) if at else 0.0
        if bool(at) != bool(steps) or (steps and after <= steps[-1].after):
            raise ValueError(
                f"{text!r}: every amount but the first has its time, and they are in order, as in "
                "100m,900m@60s,100m@5m"
            )
        steps.append(Step(after, _amount(amount.strip())))
    return tuple(steps)


def amount_at(course: Course, seconds: float) -> Amount:
    """Return what counts after so many seconds."""
    found = course[0].amount
    for step in course:
        if step.after > seconds:
            break
        found = step.amount
    return found


def _amount(text: str) -> Amount:
    percent = _PERCENT.fullmatch(text)
    if percent is not None:
        return Amount(None, float(percent[1]) / 100)
    try:
        nano = parse(text).nano
    except ValueError as error:
        raise ValueError(f"{text!r} is neither a quantity nor a percentage: {error}") from None
    if nano < 0:
        raise ValueError(f"{text!r} is less than nothing")
    return Amount(nano)


def _seconds(text: str) -> float:
    if text.replace(".", "", 1).isdigit():
        return float(text)
    if _DURATION.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no time: give seconds, or a duration such as 90s or 1m30s")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
