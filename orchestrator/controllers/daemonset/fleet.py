"""All nodes of one DaemonSet, kept so that a change on one costs a look at that one only. Pure."""

from __future__ import annotations

from operator import add, sub
from typing import Final

from orchestrator.controllers.daemonset.standing import Standing, Turn

_NUMBERS: Final = 6
"""The first fields of a standing, which are counted."""

_FIRST_DELAY: Final = 1.0
_LONGEST_DELAY: Final = 900.0
"""Seconds between deletions of failed pods on one node; upstream's backoff of the controller."""


class Fleet:
    """How a DaemonSet stands on each node, in sums and by what there is to do.

    Attributes:
        standings: By node; nodes that have nothing to do with it are left out.
        totals: Desired, current, misscheduled, ready, available and updated nodes.
        work: Nodes with something to do, apart from an update.
        turns: Nodes by what they mean to an update.
        ripening: When the next pod of a node becomes available, where one is waited for.
    """

    def __init__(self) -> None:
        self.standings: dict[str, Standing] = {}
        self.totals: tuple[int, ...] = (0,) * _NUMBERS
        self.work: dict[str, None] = {}
        self.turns: dict[Turn, dict[str, None]] = {turn: {} for turn in Turn if turn}
        self.ripening: dict[str, float] = {}
        self._delays: dict[str, tuple[float, float]] = {}

    def put(self, node: str, standing: Standing) -> None:
        """Take note of how it stands on a node now."""
        before = self.standings.pop(node, None)
        if before is not None:
            if before.desired or before.misscheduled:
                self.totals = tuple(map(sub, self.totals, before[:_NUMBERS]))
            if before.turn and before.turn is not standing.turn:
                del self.turns[before.turn][node]
            if before.ripe is not None:
                del self.ripening[node]
            if before.has_work:
                del self.work[node]
        if standing == _NOTHING:
            return
        self.standings[node] = standing
        if standing.desired or standing.misscheduled:
            self.totals = tuple(map(add, self.totals, standing[:_NUMBERS]))
        if standing.turn:
            self.turns[standing.turn][node] = None
        if standing.ripe is not None:
            self.ripening[node] = standing.ripe
        if standing.has_work:
            self.work[node] = None

    def delay(self, node: str, now: float) -> float:
        """Return the seconds until a failed pod of a node may be deleted; 0 counts as deleted.

        Each doubles the next one, until nothing failed there for twice the longest.
        """
        delay, since = self._delays.get(node, (0.0, now))
        if now - since > 2 * _LONGEST_DELAY:
            delay = 0.0
        if now - since < delay:
            return delay - (now - since)
        self._delays[node] = (min(delay * 2, _LONGEST_DELAY) or _FIRST_DELAY, now)
        return 0.0

    def forget(self, node: str) -> None:
        """Forget the failures of a node that is gone."""
        self._delays.pop(node, None)


_NOTHING: Final = Standing()
