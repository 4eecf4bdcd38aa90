"""Rows of Services and of what stands around them."""

from __future__ import annotations

from typing import Any

from orchestrator.resources.objects import Object, name_of, spec_of, status_of
from orchestrator.resources.printing.columns import (
    AGE,
    NAME,
    NONE,
    UNSET,
    Column,
    Printer,
    age,
    labels_text,
    named,
    selector_text,
    shortened,
    wide,
)


def _external_ip(spec: dict[str, Any], status: dict[str, Any]) -> str:
    kind, external = spec.get("type") or "ClusterIP", spec.get("externalIPs") or ()
    if kind == "ExternalName":
        return str(spec.get("externalName", ""))
    if kind == "LoadBalancer":
        balanced = _balancer_addresses(status)
        if external:
            return ",".join([*balanced, *external])
        return ",".join(balanced) or "<pending>"
    if kind in {"ClusterIP", "NodePort"}:
        return ",".join(external) or NONE
    return "<unknown>"


def _balancer_addresses(status: dict[str, Any]) -> list[str]:
    ingress = (status.get("loadBalancer") or {}).get("ingress") or ()
    return sorted(filter(None, {one.get("ip") or one.get("hostname") or "" for one in ingress}))


def _ports(ports: list[dict[str, Any]] | None) -> str:
    return (
        ",".join(
            f"{port.get('port') or 0}{':' + str(port['nodePort']) if port.get('nodePort') else ''}"
            f"/{port.get('protocol') or 'TCP'}"
            for port in ports or ()
        )
        or NONE
    )


def _service(obj: Object, now: float) -> list[Any]:
    spec = spec_of(obj)
    addresses = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return [
        name_of(obj),
        spec.get("type") or "ClusterIP",
        addresses[0] or NONE,
        _external_ip(spec, status_of(obj)),
        _ports(spec.get("ports")),
        age(obj, now),
        labels_text(spec.get("selector")),
    ]


def _joined(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _endpoints(obj: Object, _now: float) -> str:
    found: list[str] = []
    subsets = obj.get("subsets") or ()
    for subset in subsets:
        ips = [address.get("ip") or "" for address in subset.get("addresses") or ()]
        ports = subset.get("ports") or ()
        found += (
            [_joined(ip, port.get("port") or 0) for port in ports for ip in ips] if ports else ips
        )
    return shortened(found) if subsets else NONE


def _slice_ports(obj: Object, _now: float) -> str:
    ports = obj.get("ports") or ()
    names = [str(port.get("port") or port.get("name") or "*") for port in ports]
    return shortened(names) if ports else UNSET


def _slice_endpoints(obj: Object, _now: float) -> str:
    endpoints = obj.get("endpoints") or ()
    found = [address for endpoint in endpoints for address in endpoint.get("addresses") or ()]
    return shortened(found) if endpoints else UNSET


def _ingress(obj: Object, now: float) -> list[Any]:
    spec = spec_of(obj)
    hosts = [rule["host"] for rule in spec.get("rules") or () if rule.get("host")]
    address = ",".join(_balancer_addresses(status_of(obj)))
    return [
        name_of(obj),
        spec.get("ingressClassName") or NONE,
        shortened(hosts) or "*",
        address,
        "80, 443" if spec.get("tls") else "80",
        age(obj, now),
    ]


def _class_parameters(obj: Object, _now: float) -> str:
    parameters = spec_of(obj).get("parameters")
    if not parameters:
        return NONE
    group = parameters.get("apiGroup")
    kind = parameters.get("kind") or ""
    name = parameters.get("name") or ""
    return f"{kind}.{group}/{name}" if group else f"{kind}/{name}"


def _parent(obj: Object, _now: float) -> str:
    parent = spec_of(obj).get("parentRef") or {}
    parts = [parent.get(part) for part in ("resource", "group", "namespace", "name")]
    resource = ".".join(filter(None, parts[:2]))
    return "/".join(filter(None, [resource, *parts[2:]]))


_SLICE = "discovery.v1.EndpointSlice"
_SERVICE = "core.v1.ServiceSpec"

PRINTERS = {
    "services": Printer(
        (
            NAME,
            Column("Type", f"{_SERVICE}/type"),
            Column("Cluster-IP", f"{_SERVICE}/clusterIP"),
            Column("External-IP", f"{_SERVICE}/externalIPs"),
            Column("Port(s)", f"{_SERVICE}/ports"),
            AGE,
            wide("Selector", f"{_SERVICE}/selector"),
        ),
        _service,
    ),
    "endpoints": Printer(
        (NAME, Column("Endpoints", "core.v1.Endpoints/subsets"), AGE), named(_endpoints, age)
    ),
    "endpointslices.discovery.k8s.io": Printer(
        (
            NAME,
            Column("AddressType", f"{_SLICE}/addressType"),
            Column("Ports", f"{_SLICE}/ports"),
            Column("Endpoints", f"{_SLICE}/endpoints"),
            AGE,
        ),
        named(lambda obj, _now: obj.get("addressType", ""), _slice_ports, _slice_endpoints, age),
    ),
    "ingresses.networking.k8s.io": Printer(
        (
            NAME,
            Column(
                "Class",
                "The name of the IngressClass resource that should be used for additional "
                "configuration",
            ),
            Column(
                "Hosts", "Hosts that incoming requests are matched against before the ingress rule"
            ),
            Column("Address", "Address is a list containing ingress points for the load-balancer"),
            Column("Ports", "Ports of TLS configurations that open"),
            AGE,
        ),
        _ingress,
    ),
    "ingressclasses.networking.k8s.io": Printer(
        (
            NAME,
            Column("Controller", "Controller that is responsible for handling this class"),
            Column("Parameters", "A reference to a resource with additional parameters"),
            AGE,
        ),
        named(lambda obj, _now: spec_of(obj).get("controller", ""), _class_parameters, age),
    ),
    "networkpolicies.networking.k8s.io": Printer(
        (NAME, Column("Pod-Selector", "networking.v1.NetworkPolicySpec/podSelector"), AGE),
        named(lambda obj, _now: selector_text(spec_of(obj).get("podSelector")), age),
    ),
    "servicecidrs.networking.k8s.io": Printer(
        (NAME, Column("CIDRs", "networking.v1.ServiceCIDRSpec/cidrs"), AGE),
        named(lambda obj, _now: ",".join(spec_of(obj).get("cidrs") or ()), age),
    ),
    "ipaddresses.networking.k8s.io": Printer(
        (NAME, Column("ParentRef", "networking.v1.IPAddressSpec/parentRef")), named(_parent)
    ),
}
