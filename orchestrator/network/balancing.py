"""Choosing an endpoint for a new connection."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from orchestrator.resources.service_endpoints import Endpoint

AFFINITY_LIMIT: Final = 10_000
"""Clients remembered for each port; beyond, the one seen longest ago is forgotten."""


class Balancer:
    """The endpoints of one Service port, taken in turn, with an optional client affinity."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._endpoints: tuple[Endpoint, ...] = ()
        self._next = 0
        self._affinity = 0
        self._clients: OrderedDict[str, tuple[Endpoint, float]] = OrderedDict()

    def configure(self, endpoints: tuple[Endpoint, ...], affinity: int) -> None:
        """Take over new endpoints; clients of those that stay keep theirs.

        Args:
            endpoints: Sorted.
            affinity: Seconds a client stays with its endpoint, 0 for none.
        """
        if endpoints != self._endpoints:
            self._endpoints = endpoints
            self._next = self._chance.randrange(len(endpoints)) if endpoints else 0
        self._affinity = affinity
        if not affinity:
            self._clients.clear()

    def candidates(self, client: str, now: float) -> Iterator[Endpoint]:
        """Yield every endpoint once, the preferred one first.

        Args:
            client: The client's address.
            now: Monotonic seconds.
        """
        endpoints = self._endpoints
        if not endpoints:
            return
        kept = self._kept(client, now)
        if kept is not None:
            yield kept
        start = self._next
        self._next = (start + 1) % len(endpoints)
        for offset in range(len(endpoints)):
            endpoint = endpoints[(start + offset) % len(endpoints)]
            if endpoint != kept:
                yield endpoint

    def _kept(self, client: str, now: float) -> Endpoint | None:
        found = self._clients.get(client)
        if found is None:
            return None
        endpoint, seen = found
        if now - seen > self._affinity or endpoint not in self._endpoints:
            del self._clients[client]
            return None
        return endpoint

    def connected(self, client: str, endpoint: Endpoint, now: float) -> None:
        """Remember where a client went, where affinity is asked for."""
        if not self._affinity:
            return
        self._clients[client] = (endpoint, now)
        self._clients.move_to_end(client)
        if len(self._clients) > AFFINITY_LIMIT:
            self._clients.popitem(last=False)
