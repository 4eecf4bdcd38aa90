"""How old simulated containers are: of those that were put back, their stored start says too much.

A restore puts a container's status back, whose start is what it was, on a clock that has gone on.
What a container has to do with its age is measured by how long it has really been let run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from actors import Clock
from orchestrator.node.runtime import NOWHERE, ContainerOf, Course

_KEPT: Final = 16
"""Restores of which a container's lag is remembered, for who goes on from a past version."""


class Ages:
    """The ages of one runtime's containers, as far as they can't be read off their start."""

    __slots__ = ("_ago", "_clock", "_delays", "_lags", "_then")

    def __init__(self, clock: Clock) -> None:
        """Begin with none that was put back."""
        self._clock = clock
        self._lags: dict[str, deque[tuple[float, float]]] = {}
        """Since when a container has which lag, the last one last."""
        self._then = NOWHERE
        self._ago = 0.0
        self._delays: dict[ContainerOf, float] = {}

    def lag(self, id: str) -> float:  # noqa: A002 - the protocol's word
        """Return by how many seconds a container is younger than its start says."""
        found = self._lags.get(id)
        return found[-1][1] if found else 0.0

    def resume(self, id: str, since: float) -> float:  # noqa: A002 - the protocol's word
        """Note that a container runs on that is only known of by what is stored.

        Returns:
            Its age in seconds.
        """
        now = self._clock.now()
        lag = self._then.lags.get(id, 0.0) + self._ago
        if lag or id in self._lags:
            self._lags.setdefault(id, deque(maxlen=_KEPT)).append((now, lag))
        return max(0.0, now - since - lag)

    def delay_left(self, of: ContainerOf) -> float | None:
        """Return in how many seconds a container would have begun; None: it is asked for anew."""
        return self._delays.pop(of, None)

    def course(self, moment: float, starting: dict[ContainerOf, float]) -> Course:
        """Return how far the containers had come at a moment.

        Args:
            moment: Now, or one that has passed, of which only what has been so since is known.
            starting: When those begin that have not yet.
        """
        lags = {
            id_: next((lag for since, lag in reversed(found) if since <= moment), 0.0)
            for id_, found in self._lags.items()
        }
        if moment < self._clock.now():
            return Course(moment, lags, {})
        return Course(moment, lags, {of: due - moment for of, due in starting.items()})

    def put_back(self, course: Course, known: Callable[[str], object]) -> None:
        """Count by this what is started from now on and was under way then.

        Args:
            course: How far it had come.
            known: Finds a container by id; what is said of others is forgotten.
        """
        for gone in [id_ for id_ in self._lags if known(id_) is None]:
            del self._lags[gone]
        self._then = course
        self._ago = self._clock.now() - course.moment
        self._delays = dict(course.delays)
