"""Which time of a CronJob's schedule is due, and when to look again. Pure.

Rules: k8s.io/kubernetes/pkg/controller/cronjob/utils.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from typing import Final, NamedTuple

from orchestrator.resources.objects import Object, spec_of, status_of
from orchestrator.resources.schedule_times import next_time
from orchestrator.resources.schedules import Schedule
from orchestrator.resources.timestamps import parse_time

MANY: Final = 100
"""Missed times of which more are too many to be likely."""
_DELTA: Final = 0.1
"""Seconds after a time at which to look: clocks differ. Upstream's nextScheduleDelta."""


class InvalidScheduleError(ValueError):
    """A schedule that is never due; the message is upstream's."""


class Due(NamedTuple):
    """What the schedule says.

    Attributes:
        since: From when times count: the last one that was met, or the creation.
        time: The latest time that is due; None when none is.
        missed: About how many times were due since.
    """

    since: float
    time: float | None
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """A CronJob's schedule, in its zone.

    Attributes:
        schedule: Parsed.
        zone: Its own, or the cluster's.
    """

    schedule: Schedule
    zone: tzinfo

    def due(self, cron_job: Object, now: float, *, by_deadline: bool) -> Due:
        """Return what is due.

        Args:
            cron_job: As committed.
            now: Wall seconds.
            by_deadline: Leave out what may not start any more by ``startingDeadlineSeconds``.

        Raises:
            InvalidScheduleError: Nothing ever is.
        """
        since = _since(cron_job)
        seconds = spec_of(cron_job).get("startingDeadlineSeconds")
        if by_deadline and seconds is not None:
            since = max(since, now - seconds)
        first = self._after(since)
        second = self._after(first) if first is not None else None
        if first is not None and now < first:
            return Due(since, None)
        if first is not None and second is not None and now < second:
            return Due(since, first)
        if first is None or second is None or second - first < 1:
            raise InvalidScheduleError(
                "time difference between two schedules is less than 1 second"
            )
        # The times in between need not be looked at one by one: a clock may be wrong by decades.
        distance = round(second - first)
        missed = int(now - first) // distance + 1
        return Due(since, self._last(first + (missed - 2) * distance, now), missed)

    def _last(self, since: float, now: float) -> float | None:
        """Return the last time in (since, now]."""
        last: float | None = None
        time = self._after(since)
        while time is not None and time <= now:
            last, time = time, self._after(time)
        return last

    def wait(self, cron_job: Object, now: float) -> float | None:
        """Return the seconds until the next time of the schedule, None when there is none."""
        try:
            since, time, missed = self.due(cron_job, now, by_deadline=False)
        except InvalidScheduleError:
            since, time, missed = now, None, 0
        if time is None:
            time = now if missed else since
        following = self._after(time)
        return None if following is None else max(following + _DELTA - now, 0.0)

    def _after(self, moment: float) -> float | None:
        return next_time(self.schedule, moment, self.zone)


def _since(cron_job: Object) -> float:
    met = status_of(cron_job).get("lastScheduleTime")
    return parse_time(met or cron_job["metadata"]["creationTimestamp"])
