"""Endpoints. Loopback addresses are allowed here: they are what pods of this cluster have."""

from __future__ import annotations

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import each_invalid, one_of, required
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._service_validation import special_address_problems
from orchestrator.resources.strategies._sharing import Part, changed, each, filled
from orchestrator.resources.strategies._strategy import Strategy, build


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of Endpoints."""
    return build(
        has_status=False,
        default=_default,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _subsets),
        update_checks=(metadata_update_check(),),
        create_on_update=True,
    )


def _subset(subset: Part) -> Part:
    return changed(subset, "ports", each(lambda port: filled(port, protocol="TCP")))


def _default(obj: Object) -> Object:
    return changed(obj, "subsets", each(_subset))


def _subsets(obj: Object) -> list[FieldError]:
    found: list[FieldError] = []
    for index, subset in enumerate(obj.get("subsets") or ()):
        at = f"subsets[{index}]"
        ready = subset.get("addresses") or ()
        unready = subset.get("notReadyAddresses") or ()
        if not ready and not unready:
            found.append(required(at, "must specify `addresses` or `notReadyAddresses`"))
        for field, addresses in (("addresses", ready), ("notReadyAddresses", unready)):
            for number, address in enumerate(addresses):
                ip = address.get("ip") or ""
                found += _address(address, ip, f"{at}.{field}[{number}]")
        ports = subset.get("ports") or ()
        for number, port in enumerate(ports):
            here = f"{at}.ports[{number}]"
            name = port.get("name") or ""
            if name:
                found += each_invalid(f"{here}.name", name, names.dns_label(name))
            elif len(ports) > 1:
                found.append(required(f"{here}.name"))
            value = port.get("port") or 0
            found += each_invalid(f"{here}.port", value, names.port_number(value))
            found += one_of(f"{here}.protocol", port.get("protocol"), ("SCTP", "TCP", "UDP"))
            if (protocol := port.get("appProtocol")) is not None:
                found += each_invalid(
                    f"{here}.appProtocol", protocol, names.qualified_name(protocol)
                )
    return found


def _address(address: Part, ip: str, at: str) -> list[FieldError]:
    found = each_invalid(f"{at}.ip", ip, names.ip_address(ip))
    if host := address.get("hostname"):
        found += each_invalid(f"{at}.hostname", host, names.dns_label(host))
    if (node := address.get("nodeName")) is not None:
        found += each_invalid(f"{at}.nodeName", node, names.dns_subdomain(node))
    return found + special_address_problems(f"{at}.ip", ip)
