"""EndpointSlices. Loopback addresses are allowed: they are what pods of this cluster have."""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._problems import (
    duplicate,
    each_invalid,
    immutable,
    invalid,
    one_of,
    required,
)
from orchestrator.resources.strategies._sharing import changed, each, filled
from orchestrator.resources.strategies._strategy import Strategy, build

_TYPES: Final = ("FQDN", "IPv4", "IPv6")
_MAX_ENDPOINTS: Final = 1000


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
        found.append(
            FieldError(
                "FieldValueTooMany",
                "endpoints",
                f"Too many: {len(endpoints)}: must have at most {_MAX_ENDPOINTS} items",
            )
        )
    check = names.dns_subdomain if type_ == "FQDN" else names.ip_address
    for index, endpoint in enumerate(endpoints):
        at = f"endpoints[{index}].addresses"
        addresses = endpoint.get("addresses") or ()
        if not addresses:
            found.append(required(at, "must contain at least 1 address"))
        for number, address in enumerate(addresses):
            found += each_invalid(f"{at}[{number}]", address, check(address))
    seen: set[str] = set()
    for index, port in enumerate(obj.get("ports") or ()):
        name = port.get("name") or ""
        if name:
            found += each_invalid(f"ports[{index}].name", name, names.dns_label(name))
        if name in seen:
            found.append(duplicate(f"ports[{index}].name", name))
        seen.add(name)
        number = port.get("port")
        if number is not None and names.port_number(number):
            found.append(invalid(f"ports[{index}].port", number, names.PORT_RANGE))
        found += one_of(f"ports[{index}].protocol", port.get("protocol"), ("SCTP", "TCP", "UDP"))
    return found
