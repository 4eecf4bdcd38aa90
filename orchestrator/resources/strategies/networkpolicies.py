"""NetworkPolicies: ports and peers.

Source: pkg/apis/networking/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, spec_of
from orchestrator.resources.problems import (
    each_invalid,
    forbidden,
    invalid,
    not_supported,
    required,
)
from orchestrator.resources.strategies._defaults import in_spec
from orchestrator.resources.strategies._formats import network_of, network_problems
from orchestrator.resources.strategies._label_selectors import label_selector_problems
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import Part, changed, each, filled
from orchestrator.resources.strategies._strategy import Strategy, build

_PROTOCOLS: Final = ("TCP", "UDP", "SCTP")
_TYPES: Final = ("Ingress", "Egress")


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of NetworkPolicies."""
    return build(
        has_status=False,
        generation=True,
        default=in_spec(_default),
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _spec),
        update_checks=(metadata_update_check(),),
    )


def _default(spec: Part) -> Part:
    if not spec.get("policyTypes"):
        spec = {**spec, "policyTypes": list(_TYPES if spec.get("egress") else _TYPES[:1])}
    for direction in ("ingress", "egress"):
        spec = changed(spec, direction, each(_default_rule))
    return spec


def _default_rule(rule: Part) -> Part:
    return changed(rule, "ports", each(lambda port: filled(port, protocol="TCP")))


def _spec(obj: Object) -> list[FieldError]:
    spec = spec_of(obj)
    found = label_selector_problems("spec.podSelector", spec.get("podSelector") or {})
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            at = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or ()):
                found += _port(port, f"{at}.ports[{number}]")
            for number, peer in enumerate(rule.get(peers) or ()):
                found += _peer(peer, f"{at}.{peers}[{number}]")
    types = spec.get("policyTypes") or ()
    if len(types) > len(_TYPES):
        why = "may not specify more than two policyTypes"
        return [*found, invalid("spec.policyTypes", types, why)]
    found += [
        not_supported(f"spec.policyTypes[{index}]", type_, _TYPES)
        for index, type_ in enumerate(types)
        if type_ not in _TYPES
    ]
    return found


def _port(part: Part, at: str) -> list[FieldError]:
    protocol, port, end = part.get("protocol"), part.get("port"), part.get("endPort")
    found: list[FieldError] = []
    if protocol is not None and protocol not in _PROTOCOLS:
        found.append(not_supported(f"{at}.protocol", protocol, _PROTOCOLS))
    if isinstance(port, int):
        found += each_invalid(f"{at}.port", port, names.port_number(port))
        if end is not None:
            if end < port:
                why = "must be greater than or equal to `port`"
                found.append(invalid(f"{at}.endPort", end, why))
            found += each_invalid(f"{at}.endPort", end, names.port_number(end))
        return found
    if end is not None:
        state = "is not specified" if port is None else "is non-numeric"
        found.append(invalid(f"{at}.endPort", end, f"may not be specified when `port` {state}"))
    if port is not None:
        found += each_invalid(f"{at}.port", port, names.port_name(port))
    return found


def _peer(peer: Part, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    count = 0
    for field in ("podSelector", "namespaceSelector"):
        selector = peer.get(field)
        if selector is not None:
            count += 1
            found += label_selector_problems(f"{at}.{field}", selector)
    block = peer.get("ipBlock")
    if block is not None:
        count += 1
        found += _block(block, f"{at}.ipBlock")
    if not count:
        found.append(required(at, "must specify a peer"))
    elif count > 1 and block is not None:
        found.append(forbidden(at, "may not specify both ipBlock and another peer"))
    return found


def _block(block: Part, at: str) -> list[FieldError]:
    text = block.get("cidr") or ""
    if not text:
        return [required(f"{at}.cidr")]
    found = network_problems(f"{at}.cidr", text)
    whole = network_of(text)
    if whole is None:
        return found
    for index, hole in enumerate(block.get("except") or ()):
        field = f"{at}.except[{index}]"
        found += network_problems(field, hole)
        part = network_of(hole)
        if part is None:
            continue
        inside = part.version == whole.version and part.network_address in whole
        if not inside or whole.prefixlen >= part.prefixlen:
            found.append(invalid(field, hole, "must be a strict subset of `cidr`"))
    return found
