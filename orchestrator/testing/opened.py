"""The clusters that a test opens itself, for its report."""

from __future__ import annotations

import contextlib
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final

from orchestrator import witnesses

SHOWN: Final = 3
"""Clusters of a test's own that its report shows, the last ones."""
_REMEMBERED: Final = 32
"""Clusters that are looked at when a test has failed."""
_LEAVING: Final = (GeneratorExit, KeyboardInterrupt, SystemExit)
_NO_FAILURES: Final = ("Skipped", "Exit")
"""Outcomes of pytest by which a test ends without having failed."""


class Opened:
    """Follows the clusters of one test: holds none of them, and the last words of a few."""

    def __init__(self) -> None:
        """Begin with none."""
        self._seen: deque[weakref.ref[Any]] = deque(maxlen=_REMEMBERED)
        self._told: deque[tuple[weakref.ref[Any], str]] = deque(maxlen=SHOWN)

    def started(self, cluster: object) -> None:
        """Remember it."""
        self._seen.append(weakref.ref(cluster))

    def given_up(self, cluster: object, error: BaseException) -> None:
        """Describe it while it is there."""
        if not isinstance(error, _LEAVING) and type(error).__name__ not in _NO_FAILURES:
            from orchestrator.testing.reports import told

            self._told.append((weakref.ref(cluster), told(cluster)))

    def texts(self, others: Sequence[object]) -> list[str]:
        """Describe those that were given up, and those that are still open.

        Args:
            others: What the report is about anyway.
        """
        from orchestrator.testing.reports import is_there, told

        done = [*others, *(ref() for ref, _ in self._told)]
        seen = [ref() for ref in self._seen]
        left = [each for each in seen if is_there(each) and not _is_among(each, done)]
        texts = [text for ref, text in self._told if not _is_among(ref(), others)]
        return [*texts, *map(told, left[-SHOWN:])][-SHOWN:]

    @contextlib.contextmanager
    def following(self) -> Iterator[None]:
        """Follow for the block."""
        witnesses.come(self)
        try:
            yield
        finally:
            witnesses.go(self)


def _is_among(cluster: object, others: Sequence[object]) -> bool:
    return cluster is not None and any(cluster is other for other in others)
