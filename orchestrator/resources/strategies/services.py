"""Services. Addresses and node ports are allocated by the store, which alone sees all of them."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._service_updates import (
    service_status_problems,
    service_update_problems,
)
from orchestrator.resources.strategies._service_validation import (
    family_problems,
    is_headless,
    service_problems,
    service_warnings,
)
from orchestrator.resources.strategies._sharing import Part, changed, each, filled, put
from orchestrator.resources.strategies._strategy import (
    STATUS_METADATA,
    Strategy,
    build,
    combined_update,
    status_preparation,
)

_NODE_PORTED: Final = ("NodePort", "LoadBalancer")
_ADDRESSES: Final = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of Services."""
    return build(
        has_status=True,
        default=_default,
        create_checks=(metadata_check(names.dns_label_1035, namespaced=True), service_problems),
        creation_checks=(family_problems,),
        update_checks=(combined_update(metadata_update_check(), service_update_problems),),
        status_checks=(metadata_update_check(), service_status_problems),
        first_status={"loadBalancer": {}},
        prepare_create=_prepare,
        prepare_update=_carry,
        prepare_status=status_preparation(*STATUS_METADATA, status=_with_mode),
        fields=("spec.clusterIP", "spec.type"),
        warnings=service_warnings,
    )


def _with_mode(new: Any, _old: Any) -> Any:
    """Default how the addresses of a load balancer behave."""

    def mode(ingress: Part) -> Part:
        return filled(ingress, ipMode="VIP") if ingress.get("ip") else ingress

    return new and changed(
        new, "loadBalancer", lambda balancer: changed(balancer, "ingress", each(mode))
    )


def _default(obj: Object) -> Object:
    return changed(filled(obj, spec={}), "spec", _default_spec)


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
    if type_ in _NODE_PORTED or (type_ == "ClusterIP" and spec.get("externalIPs")):
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
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec = {**spec, "clusterIPs": [spec["clusterIP"]]}
    if spec.get("type") != "ExternalName":
        spec = filled(spec, **_families(spec))
    return obj if spec is obj.get("spec") else {**obj, "spec": spec}


def _families(spec: Part) -> Part:
    """Return the families of addresses that a Service has unless it names others.

    One without address and selector has both, whatever the cluster has: its endpoints are others'.
    """
    open_ = spec.get("ipFamilyPolicy") in {None, "RequireDualStack"} and not spec.get("ipFamilies")
    if open_ and is_headless(spec) and not spec.get("selector"):
        return {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"}
    return {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}


def _carry(new: Object, old: Object) -> Object:
    """Keep allocated values that the update leaves out, and drop those its new type has no use for.

    As upstream's patchAllocatedValues and dropTypeDependentFields.
    """
    before: Part = old.get("spec") or {}
    after: Part = new.get("spec") or {}
    if after is before:
        return new
    kept = _with_allocated(_with_addresses(after, before), before)
    if before.get("type") != after.get("type"):
        kept = _without_unneeded(kept, before)
    return new if kept is after else {**new, "spec": kept}


def _with_addresses(after: Part, before: Part) -> Part:
    """Let the list of addresses follow the one address where only that was changed."""
    given, held = after.get("clusterIP") or "", before.get("clusterIP") or ""
    if given == held or after.get("clusterIPs") != before.get("clusterIPs"):
        return after
    return put(after, "clusterIPs", [given] if given else None)


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
