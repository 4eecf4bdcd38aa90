"""Validation of Services: ports, addresses, families, policies; and what is warned of.

Source of rules and words: pkg/apis/core/validation of Kubernetes. Addresses and ports that are left
out are allocated after this, so that none of them is asked for here.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    duplicate,
    each_invalid,
    forbidden,
    if_given,
    invalid,
    one_of,
    required,
)
from orchestrator.resources.strategies._formats import address_of, network_problems
from orchestrator.resources.strategies._metadata import label_problems
from orchestrator.resources.strategies._probes import target_port
from orchestrator.resources.strategies._sharing import Part

_TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
_POLICIES: Final = ("Cluster", "Local")
_FAMILIES: Final = ("IPv4", "IPv6")
_FAMILY_POLICIES: Final = ("PreferDualStack", "RequireDualStack", "SingleStack")
_DISTRIBUTIONS: Final = ("PreferClose", "PreferSameZone", "PreferSameNode")
_MAX_AFFINITY: Final = 86400
_HINTS: Final = "service.kubernetes.io/topology-aware-hints"
_MODE: Final = "service.kubernetes.io/topology-mode"
_RANGES: Final = "service.beta.kubernetes.io/load-balancer-source-ranges"
_LOAD_BALANCER_ONLY: Final = "may only be used when `type` is 'LoadBalancer'"


def is_headless(spec: Part) -> bool:
    """Tell whether a Service has no address of its own, on purpose."""
    return spec.get("clusterIPs") == ["None"]


def special_address_problems(field: str, text: str) -> list[FieldError]:
    """Refuse addresses that mean no one machine; loopback is what this cluster is made of."""
    address = address_of(text)
    if address is None:
        return [invalid(field, text, "must be a valid IP address")]
    if address.is_unspecified:
        return [invalid(field, text, f"may not be unspecified ({text})")]
    if address.is_link_local:
        wrong = "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
        return [invalid(field, text, wrong)]
    first = address.packed[:3] if address.version == 4 else address.packed[:2]
    if first == b"\xe0\x00\x00" or (address.version == 6 and first == b"\xff\x02"):
        wrong = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        return [invalid(field, text, wrong)]
    return []


def service_problems(obj: Object) -> list[FieldError]:
    """Return every complaint about a defaulted Service but those about its metadata."""
    spec: Part = obj.get("spec") or {}
    annotations: dict[str, str] = (obj.get("metadata") or {}).get("annotations") or {}
    type_ = spec.get("type")
    ports = spec.get("ports") or ()
    found: list[FieldError] = []
    mode, hints = annotations.get(_MODE), annotations.get(_HINTS)
    if mode is not None and hints is not None and mode != hints:
        wrong = f"must match annotations[{_HINTS}] when both are specified"
        found.append(invalid(f"metadata.annotations[{_MODE}]", mode, wrong))
    if not ports and not is_headless(spec) and type_ != "ExternalName":
        found.append(required("spec.ports"))
    if type_ in {"LoadBalancer", "NodePort"} and is_headless(spec):
        wrong = f"may not be set to 'None' for {type_} services"
        found.append(invalid("spec.clusterIPs[0]", "None", wrong))
    if type_ == "ExternalName":
        found += _external_name(spec)
    seen: set[str] = set()
    for index, port in enumerate(ports):
        found += _port(port, f"spec.ports[{index}]", seen, several=len(ports) > 1)
    if spec.get("selector"):
        found += label_problems("spec.selector", spec["selector"])
    found += _affinity(spec)
    if type_ != "ExternalName":
        found += _addresses(spec)
    for index, address in enumerate(spec.get("externalIPs") or ()):
        field = f"spec.externalIPs[{index}]"
        wrongs = names.ip_address(address)
        found += each_invalid(field, address, wrongs) or special_address_problems(field, address)
    found += one_of("spec.type", type_, _TYPES)
    found += _numbers(ports, type_)
    found += _source_ranges(spec, annotations)
    if type_ != "LoadBalancer":
        if spec.get("allocateLoadBalancerNodePorts") is not None:
            found.append(forbidden("spec.allocateLoadBalancerNodePorts", _LOAD_BALANCER_ONLY))
        if spec.get("loadBalancerClass") is not None:
            found.append(forbidden("spec.loadBalancerClass", _LOAD_BALANCER_ONLY))
    elif (name := spec.get("loadBalancerClass")) is not None:
        found += each_invalid("spec.loadBalancerClass", name, names.qualified_name(name))
    return found + _traffic(spec)


def _external_name(spec: Part) -> list[FieldError]:
    wrong = "may not be set for ExternalName services"
    found = [
        forbidden(f"spec.{field}", wrong)
        for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy")
        if spec.get(field)
    ]
    name = (spec.get("externalName") or "").removesuffix(".")
    if not name:
        return [*found, required("spec.externalName")]
    return found + each_invalid("spec.externalName", name, names.dns_subdomain(name))


def _port(port: Part, at: str, seen: set[str], *, several: bool) -> list[FieldError]:
    name = port.get("name") or ""
    found: list[FieldError] = []
    if name:
        found += each_invalid(f"{at}.name", name, names.dns_label(name))
        if name in seen:
            found.append(duplicate(f"{at}.name", name))
        seen.add(name)
    elif several:
        found.append(required(f"{at}.name"))
    number = port.get("port") or 0
    found += each_invalid(f"{at}.port", number, names.port_number(number))
    found += one_of(f"{at}.protocol", port.get("protocol"), _PROTOCOLS)
    found += target_port(f"{at}.targetPort", port.get("targetPort"))
    if (protocol := port.get("appProtocol")) is not None:
        found += each_invalid(f"{at}.appProtocol", protocol, names.qualified_name(protocol))
    return found


def _numbers(ports: Any, type_: str | None) -> list[FieldError]:
    found: list[FieldError] = []
    if type_ == "ClusterIP":
        found += [
            forbidden(f"spec.ports[{index}].nodePort", "may not be used when `type` is 'ClusterIP'")
            for index, port in enumerate(ports)
            if port.get("nodePort")
        ]
    seen: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        if number := port.get("nodePort"):
            key = (port.get("protocol"), number)
            if key in seen:
                found.append(duplicate(f"spec.ports[{index}].nodePort", number))
            seen.add(key)
    seen = set()
    for index, port in enumerate(ports):
        key = (port.get("protocol"), port.get("port"))
        if key in seen:
            shown = {"protocol": key[0], "port": key[1]}
            found.append(duplicate(f"spec.ports[{index}]", shown))
        seen.add(key)
    return found


def _affinity(spec: Part) -> list[FieldError]:
    affinity, config = spec.get("sessionAffinity"), spec.get("sessionAffinityConfig")
    found = one_of("spec.sessionAffinity", affinity, ("ClientIP", "None"))
    if affinity == "None" and config is not None:
        wrong = "must not be set when session affinity is None"
        return [*found, forbidden("spec.sessionAffinityConfig", wrong)]
    if affinity != "ClientIP":
        return found
    seconds = ((config or {}).get("clientIP") or {}).get("timeoutSeconds")
    field = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
    if seconds is not None and not 0 < seconds <= _MAX_AFFINITY:
        wrong = f"must be greater than 0 and less than {_MAX_AFFINITY}"
        found.append(invalid(field, seconds, wrong))
    return found


def _addresses(spec: Part) -> list[FieldError]:
    address, addresses = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    field = "spec.clusterIPs"
    found: list[FieldError] = []
    if address and addresses and addresses[0] != address:
        found.append(invalid(field, addresses, "first value must match `clusterIP`"))
    elif not address and addresses:
        wrong = "must be empty when `clusterIP` is not specified"
        found.append(invalid(field, addresses, wrong))
    families = spec.get("ipFamilies") or []
    for index, family in enumerate(families):
        found += if_given(f"spec.ipFamilies[{index}]", family, _FAMILIES)
        if family in families[:index]:
            found.append(duplicate(f"spec.ipFamilies[{index}]", family))
    found += if_given("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), _FAMILY_POLICIES)
    wrongs = _each_address(addresses, field)
    found += wrongs
    if len(addresses) > 2:
        found.append(invalid(field, addresses, "may only hold up to 2 values"))
    if wrongs:
        return found
    return found + _matching_families(addresses, families, field)


def _each_address(addresses: list[str], field: str) -> list[FieldError]:
    found: list[FieldError] = []
    for index, address in enumerate(addresses):
        if index == 0 and address == "None":
            if len(addresses) > 1:
                found.append(invalid(field, addresses, "'None' must be the first and only value"))
            continue
        found += each_invalid(f"{field}[{index}]", address, names.ip_address(address))
    return found


def _matching_families(addresses: list[str], families: list[str], field: str) -> list[FieldError]:
    found: list[FieldError] = []
    given = ["IPv6" if ":" in address else "IPv4" for address in addresses]
    if len(addresses) > 1 and len(set(given)) < 2:
        wrong = "may specify no more than one IP for each IP family"
        found.append(invalid(field, addresses, wrong))
    if addresses == ["None"]:
        return found
    for index, (address, is_, wanted) in enumerate(zip(addresses, given, families, strict=False)):
        if is_ != wanted and wanted in _FAMILIES:
            wrong = f"expected an {wanted} value as indicated by `ipFamilies[{index}]`"
            found.append(invalid(f"{field}[{index}]", address, wrong))
    return found


def _source_ranges(spec: Part, annotations: dict[str, str]) -> list[FieldError]:
    ranges = spec.get("loadBalancerSourceRanges") or ()
    found: list[FieldError] = []
    if ranges:
        field = "spec.LoadBalancerSourceRanges"
        if spec.get("type") != "LoadBalancer":
            found.append(forbidden(field, _LOAD_BALANCER_ONLY))
        for index, text in enumerate(ranges):
            found += network_problems(f"{field}[{index}]", text.strip())
    elif _RANGES in annotations:
        field = f"metadata.annotations[{_RANGES}]"
        if spec.get("type") != "LoadBalancer":
            found.append(forbidden(field, _LOAD_BALANCER_ONLY))
        if annotations[_RANGES].strip():
            for text in annotations[_RANGES].split(","):
                found += network_problems(field, text.strip())
    return found


def _traffic(spec: Part) -> list[FieldError]:
    type_, external = spec.get("type"), spec.get("externalTrafficPolicy")
    outside = type_ in {"NodePort", "LoadBalancer"} or (
        type_ == "ClusterIP" and bool(spec.get("externalIPs"))
    )
    found: list[FieldError] = []
    if not outside:
        if external:
            wrong = "may only be set for externally-accessible services"
            found.append(invalid("spec.externalTrafficPolicy", external, wrong))
    else:
        found += one_of("spec.externalTrafficPolicy", external, _POLICIES)
    if check := spec.get("healthCheckNodePort"):
        field = "spec.healthCheckNodePort"
        if type_ == "LoadBalancer" and external == "Local":
            found += each_invalid(field, check, names.port_number(check))
        else:
            wrong = (
                "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is "
                "'Local'"
            )
            found.append(invalid(field, check, wrong))
    internal = spec.get("internalTrafficPolicy")
    if internal is not None or type_ in {"NodePort", "LoadBalancer", "ClusterIP"}:
        found += one_of("spec.internalTrafficPolicy", internal, _POLICIES)
    return found + if_given(
        "spec.trafficDistribution", spec.get("trafficDistribution"), _DISTRIBUTIONS
    )


def family_problems(obj: Object) -> list[FieldError]:
    """Refuse what a cluster of IPv4 alone has none of."""
    spec: Part = obj.get("spec") or {}
    if spec.get("type") == "ExternalName" or (is_headless(spec) and not spec.get("selector")):
        return []
    families = spec.get("ipFamilies") or []
    found = [
        invalid(f"spec.ipFamilies[{index}]", families, "not configured on this cluster")
        for index, family in enumerate(families)
        if family == "IPv6"
    ]
    if spec.get("ipFamilyPolicy") == "RequireDualStack":
        wrong = "this cluster is not configured for dual-stack services"
        found.append(invalid("spec.ipFamilyPolicy", "RequireDualStack", wrong))
    return found


def service_warnings(new: Object, _old: Object | None) -> list[str]:
    """Return what a client that wrote a Service is warned of."""
    spec: Part = new.get("spec") or {}
    annotations = (new.get("metadata") or {}).get("annotations") or {}
    found: list[str] = []
    if _HINTS in annotations:
        found.append(f"annotation {_HINTS} is deprecated, please use {_MODE} instead")
    if is_headless(spec):
        if spec.get("loadBalancerIP"):
            found.append("spec.loadBalancerIP is ignored for headless services")
        if spec.get("externalIPs"):
            found.append("spec.externalIPs is ignored for headless services")
        if spec.get("sessionAffinity") not in {None, "None"}:
            found.append("spec.SessionAffinity is ignored for headless services")
    if spec.get("type") == "ExternalName":
        if spec.get("externalIPs"):
            found.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    elif spec.get("externalName"):
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    return found
