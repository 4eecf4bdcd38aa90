"""The ``Available`` condition of an APIService, as a pure decision.

Source of reasons and words: kube-aggregator pkg/controllers/status/{local,remote}.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from orchestrator.resources.objects import Object, spec_of
from orchestrator.resources.service_endpoints import collect_endpoints


class Availability(NamedTuple):
    """What is known: the condition's status, reason and message."""

    status: str
    reason: str
    message: str


LOCAL = Availability("True", "Local", "Local APIServices are always available")
PASSED = Availability("True", "Passed", "all checks passed")


def decide_by_objects(
    api_service: Object, service: Object | None, slices: Iterable[Object]
) -> Availability | None:
    """Decide what can be decided without asking the server; None when it has to be asked.

    Args:
        api_service: The APIService.
        service: The Service that it names, if that exists.
        slices: That Service's EndpointSlices.
    """
    named = spec_of(api_service).get("service")
    if not named:
        return LOCAL
    name, namespace, number = named["name"], named["namespace"], named.get("port") or 443
    if service is None:
        return Availability(
            "False", "ServiceNotFound", f'service/{name} in "{namespace}" is not present'
        )
    if spec_of(service).get("type") == "ExternalName":
        return None
    ports = spec_of(service).get("ports") or ()
    port = next((port for port in ports if port["port"] == number), None)
    if port is None:
        return Availability(
            "False",
            "ServicePortError",
            f'service/{name} in "{namespace}" is not listening on port {number}',
        )
    found = list(slices)
    if not found:
        return Availability(
            "False",
            "EndpointsNotFound",
            f'cannot find endpointslices for service/{name} in "{namespace}"',
        )
    port_name = port.get("name") or ""
    if not collect_endpoints(found).get(port_name):
        return Availability(
            "False",
            "MissingEndpoints",
            f'endpointslices for service/{name} in "{namespace}" have no addresses with port name '
            f'"{port_name}"',
        )
    return None


def failed_check(url: str, why: str) -> Availability:
    """Return the condition of a server that does not answer as it should."""
    return Availability(
        "False", "FailedDiscoveryCheck", f"failing or missing response from {url}: {why}"
    )
