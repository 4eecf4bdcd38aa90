"""What is seen over time, at a bounded number of moments however long it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orchestrator.bench.compare.amounts import Shares

POINTS: Final = 600
"""Most moments that are kept. When there are more, every second one is dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What was there at one time.

    Attributes:
        time: In seconds.
        used: Share of the capacity that the placed pods request.
        fragmentation: Share of what is free that is of no use to typical pods.
        waiting: Pods without a node.
        nodes_used: Nodes with pods on them.
    """

    time: float
    used: Shares
    fragmentation: Shares
    waiting: int
    nodes_used: int


class Series:
    """Moments in the order of time."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self._spacing = 0.0

    def wants(self, time: float) -> bool:
        """Tell whether a moment at this time would be kept: not too close to the last one."""
        return not self.moments or time - self.moments[-1].time >= self._spacing

    def add(self, moment: Moment) -> None:
        """Keep a moment."""
        self.moments.append(moment)
        if len(self.moments) > POINTS:
            del self.moments[1::2]
            span = self.moments[-1].time - self.moments[0].time
            self._spacing = 2 * span / POINTS

    def mean_fragmentation(self, until: float) -> Shares:
        """Return the mean over time, each moment lasting until the next one."""
        totals, lengths = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
        ends = [moment.time for moment in self.moments[1:]] + [until]
        for moment, end in zip(self.moments, ends, strict=True):
            length = max(0.0, min(end, until) - moment.time)
            for index, share in enumerate(moment.fragmentation):
                if share is not None:
                    totals[index] += share * length
                    lengths[index] += length
        means = [
            total / length if length else None
            for total, length in zip(totals, lengths, strict=True)
        ]
        last = self.moments[-1].fragmentation if self.moments else Shares()
        return Shares(
            *(now if mean is None else mean for mean, now in zip(means, last, strict=True))
        )
