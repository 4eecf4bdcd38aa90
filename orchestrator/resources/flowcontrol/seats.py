"""How many requests of a priority level may be answered at once. Pure.

Source: https://kubernetes.io/docs/concepts/cluster-administration/flow-control/.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from orchestrator.resources.objects import Object, name_of, spec_of


class Level(NamedTuple):
    """One PriorityLevelConfiguration, in numbers.

    Attributes:
        name: Of the object.
        uid: Of the object, for the answers' headers.
        exempt: Its requests never wait.
        seats: Requests at once that are its own.
        borrowed: Further ones while others leave seats unused; None for as many as there are.
        queues: Queues of waiting requests; 0 refuses what does not find a seat.
        hand_size: Queues of which a flow takes the shortest.
        queue_length: Requests that one queue holds.
    """

    name: str
    uid: str
    exempt: bool
    seats: int
    borrowed: int | None
    queues: int
    hand_size: int
    queue_length: int


def levels_of(objects: Iterable[Object], total: int) -> dict[str, Level]:
    """Share ``total`` seats out among priority levels."""
    found = list(objects)
    shares = {name_of(obj): _shares(obj) for obj in found}
    together = sum(shares.values()) or 1
    levels = {}
    for obj in found:
        spec = spec_of(obj)
        name = name_of(obj)
        limited = spec.get("limited") or {}
        response = limited.get("limitResponse") or {}
        queuing = (response.get("queuing") or {}) if response.get("type") == "Queue" else {}
        seats = math.ceil(total * shares[name] / together)
        percent = limited.get("borrowingLimitPercent")
        levels[name] = Level(
            name=name,
            uid=obj["metadata"].get("uid", ""),
            exempt=spec.get("type") == "Exempt",
            seats=seats,
            borrowed=None if percent is None else round(seats * percent / 100),
            queues=queuing.get("queues") or 0,
            hand_size=queuing.get("handSize") or 1,
            queue_length=queuing.get("queueLengthLimit") or 50,
        )
    return levels


def _shares(obj: Object) -> int:
    spec = spec_of(obj)
    part = spec.get("limited") or spec.get("exempt") or {}
    value = part.get("nominalConcurrencyShares")
    # A limited level that names no number has upstream's default.
    return 30 if value is None and spec.get("type") == "Limited" else value or 0
