"""A controller that sends Deployments to bed, written with kr8s.

A Deployment with the annotation ``nightshift.example.com/hours: "08:00-20:00"`` runs only between
those hours, in the time zone of ``nightshift.example.com/time-zone`` (UTC unless given): outside of
them it has no replicas, and in the morning as many as it had.

    python nightshift.py [NAMESPACE]
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import sys
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import httpx
import kr8s
from kr8s.asyncio.objects import Deployment

HOURS = "nightshift.example.com/hours"
ZONE = "nightshift.example.com/time-zone"
AWAKE = "nightshift.example.com/replicas"
"""Where is kept how many replicas a sleeping Deployment had."""

RETRY = 5.0
"""Seconds after a change that failed."""
PAUSE = 0.2
"""Seconds after a watch that broke."""
TROUBLE = (kr8s.ServerError, kr8s.APITimeoutError, kr8s.NotFoundError, httpx.HTTPError)


class Clock(Protocol):
    """What this controller takes the time from; ``cluster.clock`` of a test is one too."""

    @property
    def time(self) -> dt.datetime:
        """The present moment, with a time zone."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class WallClock:
    """The computer's."""

    @property
    def time(self) -> dt.datetime:
        """The present moment."""
        return dt.datetime.now(dt.UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class Hours:
    """Working hours, every day; they may go past midnight."""

    def __init__(self, text: str, zone: str = "UTC") -> None:
        """Read ``08:00-20:00``.

        Raises:
            ValueError: That cannot be read.
        """
        begin, _, end = text.partition("-")
        self.begin, self.end = dt.time.fromisoformat(begin), dt.time.fromisoformat(end)
        self.zone = ZoneInfo(zone)

    def include(self, moment: dt.datetime) -> bool:
        """Tell whether a moment is within them."""
        now = moment.astimezone(self.zone).time()
        if self.begin <= self.end:
            return self.begin <= now < self.end
        return now >= self.begin or now < self.end

    def next_change(self, moment: dt.datetime) -> dt.datetime:
        """Return when they begin or end next, by the zone's clocks."""
        today = moment.astimezone(self.zone).date()
        edges = (
            dt.datetime.combine(today + dt.timedelta(days=day), edge, self.zone)
            for day in (0, 1, 2)
            for edge in (self.begin, self.end)
        )
        return min(at for edge in edges if (at := edge.astimezone(dt.UTC)) > moment)


def plan(
    hours: Hours, kept: str | None, replicas: int, moment: dt.datetime
) -> dict[str, Any] | None:
    """Return the change that a Deployment needs at a moment, or None.

    Args:
        hours: When it runs.
        kept: How many replicas it had before it slept; None while it is awake.
        replicas: How many it has.
        moment: The moment.
    """
    if hours.include(moment):
        if kept is None:
            return None
        # Who scaled it up at night meant it.
        spec = {"replicas": replicas or int(kept)}
        return {"metadata": {"annotations": {AWAKE: None}}, "spec": spec}
    if kept is not None or replicas == 0:
        return None
    return {"metadata": {"annotations": {AWAKE: str(replicas)}}, "spec": {"replicas": 0}}


class Nightshift:
    """Keeps the hours of all Deployments of a namespace."""

    def __init__(self, api: Any, clock: Clock, namespace: str = "default") -> None:
        """Take the time from ``clock``."""
        self.api = api
        self.clock = clock
        self.namespace = namespace
        self._shifts: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Watch the Deployments; each one that keeps hours has a task, until cancelled."""
        try:
            while True:
                # A watch begins with what there is: of what went meanwhile nothing is left.
                self._end_shifts()
                try:
                    await self._watch()
                except TROUBLE as error:
                    print(f"watching again: {error!r}", flush=True)
                    await self.clock.sleep(PAUSE)
        finally:
            self._end_shifts()

    async def _watch(self) -> None:
        async for event, found in self.api.watch("deployments", namespace=self.namespace):
            before = self._shifts.pop(found.name, None)
            if before is not None:
                before.cancel()
            if event != "DELETED" and HOURS in found.annotations:
                self._shifts[found.name] = asyncio.create_task(self._keep(found))

    def _end_shifts(self) -> None:
        for shift in self._shifts.values():
            shift.cancel()
        self._shifts.clear()

    async def _keep(self, found: Deployment) -> None:
        """Do what is due at each edge of a Deployment's hours; its next event begins anew."""
        while True:
            annotations, now = dict(found.annotations), self.clock.time
            try:
                hours = Hours(annotations[HOURS], annotations.get(ZONE, "UTC"))
            except (ValueError, LookupError) as error:
                print(f"{found.name}: cannot read its hours: {error}", flush=True)
                return
            change = plan(hours, annotations.get(AWAKE), found.replicas, now)
            if change is None:
                await self.clock.sleep((hours.next_change(now) - now).total_seconds())
                continue
            # With the version that was looked at: who scales it meanwhile is not overwritten.
            change["metadata"]["resourceVersion"] = found.metadata.resourceVersion
            try:
                await found.patch(change)
            except TROUBLE as error:
                print(f"{found.name}: {error}", flush=True)
                await self.clock.sleep(RETRY)
                with contextlib.suppress(*TROUBLE):
                    await found.refresh()


async def main() -> None:
    """Keep hours until killed."""
    namespace = sys.argv[1] if len(sys.argv) > 1 else "default"
    await Nightshift(await kr8s.asyncio.api(), WallClock(), namespace).run()


if __name__ == "__main__":
    asyncio.run(main())
