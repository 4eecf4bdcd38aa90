"""Services. Addresses and node ports are allocated by the store, which alone sees all of them."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies._metadata import (
    label_problems,
    metadata_check,
    metadata_update_check,
)
from orchestrator.resources.strategies._probes import target_port
from orchestrator.resources.strategies._problems import (
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    one_of,
    required,
)
from orchestrator.resources.strategies._sharing import Part, changed, each, filled, put
from orchestrator.resources.strategies._strategy import Strategy, build

_TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
_POLICIES: Final = ("Cluster", "Local")
_MAX_AFFINITY: Final = 86400
_NODE_PORTED: Final = ("NodePort", "LoadBalancer")
_ADDRESSES: Final = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of Services."""
    return build(
        has_status=True,
        default=_default,
        create_checks=(metadata_check(names.dns_label_1035, namespaced=True), _spec),
        update_checks=(metadata_update_check(), _update),
        first_status={"loadBalancer": {}},
        prepare_create=_prepare,
        prepare_update=_carry,
        status_metadata=("labels", "annotations"),
        fields=("spec.clusterIP", "spec.type"),
    )


def _default(obj: Object) -> Object:
    return changed(obj, "spec", _default_spec)


def _default_spec(spec: Part) -> Part:
    spec = filled(spec, type="ClusterIP", sessionAffinity="None")
    if spec["sessionAffinity"] == "None":
        spec = put(spec, "sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        spec = filled(spec, sessionAffinityConfig={})
        spec = changed(spec, "sessionAffinityConfig", lambda c: filled(c, clientIP={}))
        spec = changed(
            spec,
            "sessionAffinityConfig",
            lambda c: changed(c, "clientIP", lambda ip: filled(ip, timeoutSeconds=10800)),
        )
    type_ = spec["type"]
    if type_ in {"NodePort", "LoadBalancer"}:
        spec = filled(spec, externalTrafficPolicy="Cluster")
    if type_ in {"ClusterIP", "NodePort", "LoadBalancer"}:
        spec = filled(spec, internalTrafficPolicy="Cluster")
    if type_ == "LoadBalancer":
        spec = filled(spec, allocateLoadBalancerNodePorts=True)
    return changed(spec, "ports", _ports)


def _port(port: Part) -> Part:
    port = filled(port, protocol="TCP")
    target = port.get("targetPort")
    if target is None or target in {0, ""}:
        port = {**port, "targetPort": port.get("port")}
    return port


_ports = each(_port)


def _prepare(obj: Object) -> Object:
    spec: Part = obj.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return obj
    return changed(
        obj, "spec", lambda s: filled(s, ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    )


def _carry(new: Object, old: Object) -> Object:
    """Keep allocated values that the update leaves out, and drop those its new type has no use for.

    As upstream's patchAllocatedValues and dropTypeDependentFields.
    """
    before: Part = old.get("spec") or {}
    after: Part = new.get("spec") or {}
    if after is before:
        return new
    kept = _with_allocated(after, before)
    if before.get("type") != after.get("type"):
        kept = _without_unneeded(kept, before)
    return new if kept is after else {**new, "spec": kept}


def _with_allocated(after: Part, before: Part) -> Part:
    kept = after
    if after.get("type") != "ExternalName":
        held = {field: before[field] for field in _ADDRESSES if before.get(field)}
        kept = filled(kept, **{"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", **held})
    if after.get("type") not in _NODE_PORTED or before.get("type") not in _NODE_PORTED:
        return kept
    # By name: a port that changes its number is still the same port.
    taken = {port.get("name"): port.get("nodePort") for port in before.get("ports") or ()}
    used = set(taken.values()) & {port.get("nodePort") for port in after.get("ports") or ()}

    def carried(port: Part) -> Part:
        number = taken.get(port.get("name"))
        if port.get("nodePort") or not number or number in used:
            return port
        used.add(number)
        return {**port, "nodePort": number}

    return changed(kept, "ports", each(carried))


def _without_unneeded(spec: Part, before: Part) -> Part:
    """Drop what was allocated or defaulted for the old type, unless the update changes it too.

    What the user changed stays, for validation to refuse.
    """
    type_ = spec.get("type")
    if type_ == "ExternalName":
        for field in _ADDRESSES:
            if spec.get(field) == before.get(field):
                spec = put(spec, field, None)
    if type_ not in _NODE_PORTED and _node_ports(spec) == _node_ports(before):
        spec = changed(spec, "ports", each(lambda port: put(port, "nodePort", None)))
    unneeded = []
    if type_ != "LoadBalancer":
        unneeded += ["allocateLoadBalancerNodePorts", "loadBalancerClass"]
    if type_ not in _NODE_PORTED and not (type_ == "ClusterIP" and spec.get("externalIPs")):
        unneeded += ["externalTrafficPolicy", "healthCheckNodePort"]
    for field in unneeded:
        if spec.get(field) == before.get(field):
            spec = put(spec, field, None)
    return spec


def _node_ports(spec: Part) -> list[Any]:
    return sorted(port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort"))


def _spec(obj: Object) -> list[FieldError]:
    spec: Part = obj.get("spec") or {}
    type_ = spec.get("type")
    ports = spec.get("ports") or ()
    headless = spec.get("clusterIP") == "None"
    found: list[FieldError] = []
    if not ports and not headless and type_ != "ExternalName":
        found.append(required("spec.ports"))
    if type_ == "ExternalName":
        name = (spec.get("externalName") or "").rstrip(".")
        if name:
            found += each_invalid("spec.externalName", name, names.dns_subdomain(name))
        else:
            found.append(required("spec.externalName"))
        if spec.get("clusterIP"):
            found.append(
                forbidden("spec.clusterIP", "may not be set when `type` is 'ExternalName'")
            )
    if type_ == "LoadBalancer" and headless:
        found.append(
            invalid(
                "spec.clusterIPs[0]", "None", "may not be set to 'None' for LoadBalancer services"
            )
        )
    if type_ == "NodePort" and headless:
        found.append(
            invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for NodePort services")
        )
    found += _port_list(ports, type_)
    found += label_problems("spec.selector", spec.get("selector"))
    found += one_of("spec.sessionAffinity", spec.get("sessionAffinity"), ("ClientIP", "None"))
    found += _affinity(spec)
    found += one_of("spec.type", type_, _TYPES)
    address = spec.get("clusterIP")
    if address and not headless:
        found += each_invalid("spec.clusterIPs[0]", address, names.ip_address(address))
    for index, external in enumerate(spec.get("externalIPs") or ()):
        found += each_invalid(f"spec.externalIPs[{index}]", external, names.ip_address(external))
    for field in ("externalTrafficPolicy", "internalTrafficPolicy"):
        if spec.get(field):
            found += one_of(f"spec.{field}", spec[field], _POLICIES)
    if spec.get("externalTrafficPolicy") and type_ == "ClusterIP" and not spec.get("externalIPs"):
        found.append(
            invalid(
                "spec.externalTrafficPolicy",
                spec["externalTrafficPolicy"],
                "may only be set for externally-accessible services",
            )
        )
    return found


def _affinity(spec: Part) -> list[FieldError]:
    client = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
    seconds = client.get("timeoutSeconds")
    if seconds is None or 0 < seconds <= _MAX_AFFINITY:
        return []
    return [
        invalid(
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
            seconds,
            f"must be greater than 0 and less than {_MAX_AFFINITY}",
        )
    ]


def _port_list(ports: Any, type_: str | None) -> list[FieldError]:
    found: list[FieldError] = []
    seen_names: set[str] = set()
    seen_ports: set[tuple[Any, Any]] = set()
    node_ports: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        at = f"spec.ports[{index}]"
        name = port.get("name") or ""
        if not name:
            if len(ports) > 1:
                found.append(required(f"{at}.name"))
        else:
            found += each_invalid(f"{at}.name", name, names.dns_label(name))
            if name in seen_names:
                found.append(duplicate(f"{at}.name", name))
            seen_names.add(name)
        number = port.get("port") or 0
        found += each_invalid(f"{at}.port", number, names.port_number(number))
        found += one_of(f"{at}.protocol", port.get("protocol"), _PROTOCOLS)
        found += target_port(f"{at}.targetPort", port.get("targetPort"))
        node_port = port.get("nodePort")
        if node_port and type_ in {"ClusterIP", "ExternalName"}:
            found.append(forbidden(f"{at}.nodePort", f"may not be used when `type` is '{type_}'"))
        elif node_port:
            found += each_invalid(f"{at}.nodePort", node_port, names.port_number(node_port))
            taken = (port.get("protocol"), node_port)
            if taken in node_ports:
                found.append(duplicate(f"{at}.nodePort", node_port))
            node_ports.add(taken)
        key = (port.get("protocol"), number)
        if key in seen_ports:
            found.append(duplicate(at, {"protocol": port.get("protocol"), "port": number}))
        seen_ports.add(key)
    return found


def _update(new: Object, old: Object) -> list[FieldError]:
    after: Part = new.get("spec") or {}
    before: Part = old.get("spec") or {}
    fixed = before.get("clusterIP")
    if fixed and before.get("type") != "ExternalName" and after.get("type") != "ExternalName":
        given = after.get("clusterIP")
        if given != fixed:
            return [
                invalid("spec.clusterIPs[0]", [given] if given else [], "may not change once set")
            ]
    return []
