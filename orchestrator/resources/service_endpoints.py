"""Who is behind a Service, out of its EndpointSlices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from orchestrator.resources.objects import Object


class Endpoint(NamedTuple):
    """One address that connections are forwarded to."""

    address: str
    port: int


def collect_endpoints(slices: Iterable[Object]) -> dict[str, tuple[Endpoint, ...]]:
    """Return port name → endpoints for new connections.

    Ready endpoints; where a port has none, those that end but still serve, as kube-proxy does
    (KEP-1669).
    """
    ready: dict[str, set[Endpoint]] = {}
    ending: dict[str, set[Endpoint]] = {}
    for one in slices:
        for endpoint in one.get("endpoints") or ():
            into = _place(endpoint.get("conditions") or {}, ready, ending)
            if into is None:
                continue
            for port in one.get("ports") or ():
                if port.get("port") is None or port.get("protocol", "TCP") != "TCP":
                    continue
                found = into.setdefault(port.get("name") or "", set())
                found.update(Endpoint(ip, port["port"]) for ip in endpoint.get("addresses") or ())
    return {name: tuple(sorted(ready.get(name) or ending[name])) for name in {*ready, *ending}}


def _place(
    conditions: Mapping[str, Any],
    ready: dict[str, set[Endpoint]],
    ending: dict[str, set[Endpoint]],
) -> dict[str, set[Endpoint]] | None:
    """Say where an endpoint counts. A missing ``ready`` means ready (the API's own words)."""
    if conditions.get("ready") is not False:
        return ready
    if conditions.get("terminating") and conditions.get("serving"):
        return ending
    return None
