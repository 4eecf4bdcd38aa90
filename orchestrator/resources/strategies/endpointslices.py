"""EndpointSlices. Loopback addresses are allowed: they are what pods of this cluster have."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    duplicate,
    each_invalid,
    immutable,
    invalid,
    one_of,
    required,
    too_many,
)
from orchestrator.resources.strategies._formats import address_of, domain_name
from orchestrator.resources.strategies._metadata import (
    label_problems,
    metadata_check,
    metadata_update_check,
)
from orchestrator.resources.strategies._sharing import Part, changed, each, filled
from orchestrator.resources.strategies._strategy import Strategy, build

_TYPES: Final = ("FQDN", "IPv4", "IPv6")
_PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
_MAX_ENDPOINTS: Final = 1000
_MAX_ADDRESSES: Final = 100
_MAX_PORTS: Final = 20000
_MAX_LABELS: Final = 16
_MAX_HINTS: Final = 8
_LINK_LOCAL_MULTICAST: Final = {
    4: ipaddress.ip_network("224.0.0.0/24"),
    6: ipaddress.ip_network("ff02::/16"),
}


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of EndpointSlices."""
    return build(
        has_status=False,
        generation=True,
        default=_default,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _slice),
        update_checks=(metadata_update_check(), _address_type),
    )


def _default(obj: Object) -> Object:
    return changed(obj, "ports", each(lambda port: filled(port, name="", protocol="TCP")))


def _address_type(new: Object, old: Object) -> list[FieldError]:
    return immutable("addressType", new.get("addressType"), old.get("addressType"))


def _slice(obj: Object) -> list[FieldError]:
    type_ = obj.get("addressType")
    found = one_of("addressType", type_, _TYPES)
    endpoints = obj.get("endpoints") or ()
    if len(endpoints) > _MAX_ENDPOINTS:
        found.append(too_many("endpoints", len(endpoints), _MAX_ENDPOINTS))
    else:
        for index, endpoint in enumerate(endpoints):
            found += _endpoint(endpoint, f"endpoints[{index}]", type_ or "")
    return found + _ports(obj.get("ports") or ())


def _endpoint(endpoint: Part, at: str, type_: str) -> list[FieldError]:
    addresses = endpoint.get("addresses") or ()
    field = f"{at}.addresses"
    found: list[FieldError] = []
    if not addresses:
        found.append(required(field, "must contain at least 1 address"))
    elif len(addresses) > _MAX_ADDRESSES:
        found.append(too_many(field, len(addresses), _MAX_ADDRESSES))
    for index, address in enumerate(addresses):
        found += _address(address, f"{field}[{index}]", type_)
    node, host = endpoint.get("nodeName"), endpoint.get("hostname")
    if node is not None:
        found += each_invalid(f"{at}.nodeName", node, names.dns_subdomain(node))
    topology = endpoint.get("deprecatedTopology") or {}
    if len(topology) > _MAX_LABELS:
        found.append(too_many(f"{at}.deprecatedTopology", len(topology), _MAX_LABELS))
    found += label_problems(f"{at}.deprecatedTopology", topology)
    if host is not None:
        found += each_invalid(f"{at}.hostname", host, names.dns_label(host))
    hints = endpoint.get("hints") or {}
    found += _hints(hints.get("forZones") or [], f"{at}.hints.forZones", names.label_value)
    return found + _hints(hints.get("forNodes") or [], f"{at}.hints.forNodes", names.dns_subdomain)


def _address(address: str, field: str, type_: str) -> list[FieldError]:
    if type_ == "FQDN":
        return domain_name(field, address)
    if type_ not in {"IPv4", "IPv6"}:
        return []
    found = address_of(address)
    if found is None or found.version != int(type_[-1]):
        return [invalid(field, address, f"must be a valid {type_} address")]
    if found.is_unspecified:
        return [invalid(field, address, f"may not be unspecified ({address})")]
    if found.is_link_local:
        why = "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
        return [invalid(field, address, why)]
    if found in _LINK_LOCAL_MULTICAST[found.version]:
        why = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        return [invalid(field, address, why)]
    return []


def _hints(hints: list[Part], at: str, check: names.Check) -> list[FieldError]:
    if len(hints) > _MAX_HINTS:
        return [too_many(at, len(hints), _MAX_HINTS)]
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, hint in enumerate(hints):
        name = hint.get("name") or ""
        if name in seen:
            found.append(duplicate(f"{at}[{index}].name", None))
        seen.add(name)
        found += each_invalid(f"{at}[{index}].name", name, check(name))
    return found


def _ports(ports: Iterable[Part]) -> list[FieldError]:
    given = list(ports)
    if len(given) > _MAX_PORTS:
        return [too_many("ports", len(given), _MAX_PORTS)]
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, port in enumerate(given):
        at = f"ports[{index}]"
        name = port.get("name") or ""
        if name:
            found += each_invalid(f"{at}.name", name, names.dns_label(name))
        if name in seen:
            found.append(duplicate(f"{at}.name", name))
        seen.add(name)
        number = port.get("port")
        if number is not None and names.port_number(number):
            # Upstream takes any number; here a listener would be asked for it.
            found.append(invalid(f"{at}.port", number, names.PORT_RANGE))
        found += one_of(f"{at}.protocol", port.get("protocol"), _PROTOCOLS)
        application = port.get("appProtocol")
        if application is not None:
            wrong = names.qualified_name(application)
            found += each_invalid(f"{at}.appProtocol", application, wrong)
    return found
