"""Who sees clusters come and go: the report of a test that opens its own.

No fixture knows of those, and when pytest hears of a failure they have stopped. So a cluster tells
whoever is here that it has started, and that it is being stopped because of an error.
"""

from __future__ import annotations

import sys
from typing import Protocol


class Witness(Protocol):
    """Hears of clusters; a `orchestrator.Cluster` or its synchronous twin."""

    def started(self, cluster: object) -> None:
        """Hear that one has started."""

    def given_up(self, cluster: object, error: BaseException) -> None:
        """Hear that one is about to be stopped, while an error is under way."""


_present: list[Witness] = []


def come(witness: Witness) -> None:
    """Tell a witness from now on, the last that has come."""
    _present.append(witness)


def go(witness: Witness) -> None:
    """Tell a witness no more."""
    _present.remove(witness)


def started(cluster: object) -> None:
    """Tell of a cluster that has started."""
    if _present:
        _present[-1].started(cluster)


def stopping(cluster: object) -> None:
    """Tell of a cluster that is about to be stopped, if it is because of an error."""
    error = sys.exc_info()[1] if _present else None
    if error is not None:
        _present[-1].given_up(cluster, error)
