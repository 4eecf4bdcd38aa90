"""Rules of Ingresses, IngressClasses, NetworkPolicies, ServiceCIDRs and IPAddresses."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.resources.names import dns_label_1035, dns_subdomain, port_name
from orchestrator.resources.strategies._formats import wildcard_subdomain
from tests.resources.judging import Object, creation, defaulted, merged, update

NET = "networking.k8s.io/v1"
PORT = "must be between 1 and 65535, inclusive"


def ingress(**spec: Any) -> Object:
    """Return an Ingress with a default backend, or with another spec."""
    return {
        "apiVersion": NET,
        "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": spec or {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
    }


def ingress_path(**path: Any) -> Object:
    """Return an Ingress with one rule of one path."""
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    whole = merged({"path": "/", "pathType": "Prefix", "backend": backend}, path)
    return ingress(rules=[{"host": "a.b", "http": {"paths": [whole]}}])


def ingress_class(**spec: Any) -> Object:
    """Return an IngressClass."""
    return {
        "apiVersion": NET,
        "kind": "IngressClass",
        "metadata": {"name": "web"},
        "spec": {"controller": "example.com/ingress", **spec},
    }


def policy(**spec: Any) -> Object:
    """Return a NetworkPolicy for every pod."""
    return {
        "apiVersion": NET,
        "kind": "NetworkPolicy",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"podSelector": {}, **spec},
    }


def cidr(*ranges: str) -> Object:
    """Return a ServiceCIDR."""
    return {
        "apiVersion": NET,
        "kind": "ServiceCIDR",
        "metadata": {"name": "more"},
        "spec": {"cidrs": list(ranges)},
    }


def address(ip: str, **parent: Any) -> Object:
    """Return an IPAddress of a Service."""
    given = {"group": "", "resource": "services", "namespace": "default", "name": "web"}
    return {
        "apiVersion": NET,
        "kind": "IPAddress",
        "metadata": {"name": ip},
        "spec": {"parentRef": {**given, **parent}},
    }


@pytest.mark.parametrize(
    "obj",
    [
        ingress(),
        ingress_path(),
        ingress_path(path=None, pathType="ImplementationSpecific"),
        ingress(rules=[{"host": "*.example.com"}], tls=[{"hosts": ["*.a.b", "c.d"]}]),
        ingress(defaultBackend={"resource": {"apiGroup": "a.b", "kind": "Bucket", "name": "x"}}),
        ingress_class(),
        ingress_class(parameters={"apiGroup": "a.b", "kind": "P", "name": "x"}),
        policy(),
        policy(ingress=[{"ports": [{"port": 1, "endPort": 9}, {"port": "http"}, {}]}]),
        policy(egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}]),
        cidr("10.0.0.0/16", "fd00::/112"),
        address("10.0.0.1"),
        address("fd00::1"),
    ],
)
def test_what_is_right_is_accepted(obj: Object) -> None:
    """No complaint, and none about writing it again."""
    assert creation(obj) == []
    assert update(obj, obj) == []


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (
            {**ingress(), "spec": {}},
            ["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"],
        ),
        (
            ingress(defaultBackend={}),
            ['spec.defaultBackend: Invalid value: "": resource or service backend is required'],
        ),
        (
            ingress(
                defaultBackend={
                    "service": {"name": "w", "port": {"number": 1}},
                    "resource": {"kind": "K", "name": "n"},
                }
            ),
            [
                (
                    'spec.defaultBackend: Invalid value: "": cannot set both resource and service '
                    "backends"
                )
            ],
        ),
        (
            ingress(defaultBackend={"service": {"port": {"name": "http", "number": 80}}}),
            [
                "spec.defaultBackend.service.name: Required value",
                'spec.defaultBackend: Invalid value: "": cannot set both port name & port number',
            ],
        ),
        (
            ingress(defaultBackend={"service": {"name": "1"}}),
            [
                'spec.defaultBackend.service.name: Invalid value: "1": '
                + "; ".join(dns_label_1035("1")),
                "spec.defaultBackend: Required value: port name or number is required",
            ],
        ),
        (
            ingress(defaultBackend={"service": {"name": "w", "port": {"number": 70000}}}),
            [f"spec.defaultBackend.service.port.number: Invalid value: 70000: {PORT}"],
        ),
        (
            ingress(defaultBackend={"service": {"name": "w", "port": {"name": "-"}}}),
            [
                f'spec.defaultBackend.service.port.name: Invalid value: "-": {why}'
                for why in port_name("-")
            ],
        ),
        (
            ingress(defaultBackend={"resource": {"apiGroup": "", "kind": "a/b"}}),
            [
                'spec.defaultBackend.resource.apiGroup: Invalid value: "": '
                + "; ".join(dns_subdomain("")),
                "spec.defaultBackend.resource.kind: Invalid value: \"a/b\": may not contain '/'",
                "spec.defaultBackend.resource.name: Required value",
            ],
        ),
        (
            ingress(rules=[{"host": "1.2.3.4", "http": {"paths": []}}, {"host": "*.*"}]),
            [
                (
                    'spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP '
                    "address"
                ),
                "spec.rules[0].http.paths: Required value",
                'spec.rules[1].host: Invalid value: "*.*": ' + "; ".join(wildcard_subdomain("*.*")),
            ],
        ),
        (
            ingress_path(pathType=None),
            ["spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified"],
        ),
        (
            ingress_path(pathType="Glob"),
            [
                (
                    'spec.rules[0].http.paths[0].pathType: Unsupported value: "Glob": supported '
                    'values: "Exact", "ImplementationSpecific", "Prefix"'
                )
            ],
        ),
        (
            ingress_path(path="a//b/%2f/.."),
            [
                (
                    'spec.rules[0].http.paths[0].path: Invalid value: "a//b/%2f/..": '
                    "must be an absolute path"
                ),
                (
                    'spec.rules[0].http.paths[0].path: Invalid value: "a//b/%2f/..": '
                    "must not contain '//'"
                ),
                (
                    'spec.rules[0].http.paths[0].path: Invalid value: "a//b/%2f/..": '
                    "must not contain '%2f'"
                ),
                (
                    'spec.rules[0].http.paths[0].path: Invalid value: "a//b/%2f/..": '
                    "cannot end with '/..'"
                ),
            ],
        ),
        (
            merged(
                ingress(),
                {
                    "metadata": {"annotations": {"kubernetes.io/ingress.class": "a"}},
                    "spec": {"ingressClassName": "b", "tls": [{"secretName": "A"}]},
                },
            ),
            [
                'spec.tls[0].secretName: Invalid value: "A": ' + "; ".join(dns_subdomain("A")),
                (
                    'annotations.kubernetes.io/ingress.class: Invalid value: "a": must match '
                    "`ingressClassName` when both are specified"
                ),
            ],
        ),
        (
            ingress_class(controller=""),
            ["spec.controller: Required value"],
        ),
        (
            ingress_class(controller="example.com"),
            [
                (
                    'spec.controller: Invalid value: "example.com": must be a domain-prefixed path '
                    '(such as "acme.io/foo")'
                )
            ],
        ),
        (
            ingress_class(controller="a.b/" + "c" * 250),
            ["spec.controller: Too long: may not be more than 250 bytes"],
        ),
        (
            ingress_class(controller="a.b/c d"),
            [
                (
                    'spec.controller: Invalid value: "c d": Invalid path (regex used for '
                    r"validation is '[A-Za-z0-9/\-._~%!$&'()*+,;=:]+')"
                )
            ],
        ),
        (
            ingress_class(parameters={"scope": "Namespace"}),
            [
                "spec.parameters.kind: Required value",
                "spec.parameters.name: Required value",
                (
                    "spec.parameters.namespace: Required value: `parameters.scope` is set to "
                    "'Namespace'"
                ),
            ],
        ),
        (
            ingress_class(parameters={"kind": "K", "name": "n", "namespace": "x"}),
            [
                "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'",
            ],
        ),
        (
            ingress_class(parameters={"kind": "K", "name": "n", "scope": "X"}),
            [
                (
                    'spec.parameters.scope: Unsupported value: "X": supported values: "Cluster", '
                    '"Namespace"'
                )
            ],
        ),
        (
            policy(
                podSelector={"matchExpressions": [{"key": "a", "operator": "In"}]},
                ingress=[
                    {
                        "ports": [
                            {"protocol": "ICMP", "port": 0, "endPort": -1},
                            {"port": "a-", "endPort": 1},
                            {"endPort": 2},
                        ],
                        "from": [{}, {"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}],
                    }
                ],
                policyTypes=["Ingress", "Sideways"],
            ),
            [
                (
                    "spec.podSelector.matchExpressions[0].values: Required value: must be "
                    "specified when `operator` is 'In' or 'NotIn'"
                ),
                (
                    'spec.ingress[0].ports[0].protocol: Unsupported value: "ICMP": supported '
                    'values: "TCP", "UDP", "SCTP"'
                ),
                f"spec.ingress[0].ports[0].port: Invalid value: 0: {PORT}",
                (
                    "spec.ingress[0].ports[0].endPort: Invalid value: -1: must be greater than or "
                    "equal to `port`"
                ),
                f"spec.ingress[0].ports[0].endPort: Invalid value: -1: {PORT}",
                (
                    "spec.ingress[0].ports[1].endPort: Invalid value: 1: may not be specified when "
                    "`port` is non-numeric"
                ),
                (
                    'spec.ingress[0].ports[1].port: Invalid value: "a-": must not begin or end '
                    "with a hyphen"
                ),
                (
                    "spec.ingress[0].ports[2].endPort: Invalid value: 2: may not be specified when "
                    "`port` is not specified"
                ),
                "spec.ingress[0].from[0]: Required value: must specify a peer",
                "spec.ingress[0].from[1]: Forbidden: may not specify both ipBlock and another peer",
                (
                    'spec.policyTypes[1]: Unsupported value: "Sideways": supported values: '
                    '"Ingress", "Egress"'
                ),
            ],
        ),
        (
            policy(
                egress=[
                    {
                        "to": [
                            {"ipBlock": {}},
                            {"ipBlock": {"cidr": "10.0.0.0"}},
                            {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16", "x"]}},
                        ]
                    }
                ],
                policyTypes=["Ingress", "Egress", "Egress"],
            ),
            [
                "spec.egress[0].to[0].ipBlock.cidr: Required value",
                (
                    'spec.egress[0].to[1].ipBlock.cidr: Invalid value: "10.0.0.0": must be a valid '
                    "CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
                ),
                (
                    'spec.egress[0].to[2].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be '
                    "a strict subset of `cidr`"
                ),
                (
                    'spec.egress[0].to[2].ipBlock.except[1]: Invalid value: "x": must be a valid '
                    "CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
                ),
                (
                    'spec.policyTypes: Invalid value: ["Ingress","Egress","Egress"]: may not '
                    "specify more than two policyTypes"
                ),
            ],
        ),
        (cidr(), ["spec.cidrs: Required value: at least one CIDR required"]),
        (
            cidr("10.0.0.0/16", "fd00::/64", "x"),
            [
                (
                    'spec.cidrs: Invalid value: {"CIDRs":["10.0.0.0/16","fd00::/64","x"]}: may '
                    "only hold up to 2 values"
                )
            ],
        ),
        (
            cidr("10.0.0.1/16", "010.0.0.0/16"),
            [
                (
                    'spec.cidrs[0]: Invalid value: "10.0.0.1/16": must not have bits set beyond '
                    "the prefix length"
                ),
                (
                    'spec.cidrs[1]: Invalid value: "010.0.0.0/16": must not have leading 0s in IP '
                    "or prefix length"
                ),
                (
                    'spec.cidrs: Invalid value: ["10.0.0.1/16","010.0.0.0/16"]: may specify no '
                    "more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
                ),
            ],
        ),
        (
            cidr("FD00::/64"),
            ['spec.cidrs[0]: Invalid value: "FD00::/64": must be in canonical form ("fd00::/64")'],
        ),
        (
            address("web", resource="", name="", group="A", namespace="a/b"),
            [
                (
                    'metadata.name: Invalid value: "web": must be a valid IP address, (e.g. '
                    "10.9.8.7 or 2001:db8::ffff)"
                ),
                'spec.parentRef.group: Invalid value: "A": ' + "; ".join(dns_subdomain("A")),
                "spec.parentRef.resource: Required value",
                "spec.parentRef.name: Required value",
                "spec.parentRef.namespace: Invalid value: \"a/b\": may not contain '/'",
            ],
        ),
        (
            {**address("fd00::0:1"), "spec": {}},
            [
                'metadata.name: Invalid value: "fd00::0:1": must be in canonical form ("fd00::1")',
                "spec.parentRef: Required value",
            ],
        ),
    ],
)
def test_every_complaint_about_a_new_object(obj: Object, expected: list[str]) -> None:
    """All at once, in upstream's order."""
    assert creation(obj) == expected


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (
            ingress_class(controller="example.com/other"),
            ingress_class(),
            ['spec.controller: Invalid value: "example.com/other": field is immutable'],
        ),
        (
            cidr("10.0.0.0/16", "fd00::/64"),
            cidr("10.0.0.0/16"),
            [],
        ),
        (
            cidr("10.1.0.0/16"),
            cidr("10.0.0.0/16"),
            ['spec.cidrs[0]: Invalid value: "10.1.0.0/16": field is immutable'],
        ),
        (
            cidr("10.0.0.0/16"),
            cidr("10.0.0.0/16", "fd00::/64"),
            ['spec.cidrs: Invalid value: ["10.0.0.0/16"]: field is immutable'],
        ),
        (
            address("10.0.0.1", name="other"),
            address("10.0.0.1"),
            [
                (
                    'spec.parentRef: Invalid value: {"Group":"","Resource":"services",'
                    '"Namespace":"default","Name":"other"}: field is immutable'
                )
            ],
        ),
        (policy(egress=[{}]), policy(), []),
    ],
)
def test_every_complaint_about_a_change(new: Object, old: Object, expected: list[str]) -> None:
    """What may not change, in upstream's words."""
    assert update(new, old) == expected


def test_an_ingress_status_is_checked_and_its_spec_is_not() -> None:
    """A write to the status takes nothing else along."""
    points = [{"ip": "x"}, {"hostname": "1.2.3.4"}, {"hostname": "A"}]
    new = {**ingress(rules=[]), "status": {"loadBalancer": {"ingress": points}}}
    at = "status.loadBalancer.ingress"
    assert update(new, ingress(), "status") == [
        (
            f'{at}[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or '
            "2001:db8::ffff)"
        ),
        f'{at}[1].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
        f'{at}[2].hostname: Invalid value: "A": ' + "; ".join(dns_subdomain("A")),
    ]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ["Ingress"]),
        ({"policyTypes": []}, ["Ingress"]),
        ({"egress": [{}], "policyTypes": []}, ["Ingress", "Egress"]),
        ({"egress": [{}], "policyTypes": ["Egress"]}, ["Egress"]),
    ],
)
def test_policy_types_follow_from_the_rules(spec: Object, expected: list[str]) -> None:
    """An empty list is defaulted as an absent one is."""
    assert defaulted(policy(**spec))["spec"]["policyTypes"] == expected
