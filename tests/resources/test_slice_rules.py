"""Rules of EndpointSlices."""

from __future__ import annotations

from typing import Any

import pytest

from tests.resources.judging import Object, creation, told, update


def piece(*endpoints: Object, **parts: Any) -> Object:
    """Return an EndpointSlice of IPv4 addresses, or with other fields."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web", "namespace": "default"},
        "addressType": "IPv4",
        "endpoints": list(endpoints),
        **parts,
    }


def at(*addresses: str, **parts: Any) -> Object:
    """Return an endpoint."""
    return {"addresses": list(addresses), **parts}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (piece(at("10.0.0.1"), at("127.0.0.1"), ports=[{"port": 80}]), ""),
        (piece(at("a.example.com."), addressType="FQDN"), ""),
        (piece(at("fd00::1"), addressType="IPv6"), ""),
        (
            piece(
                at(),
                at("fd00::1", "0.0.0.0", "169.254.0.1", "224.0.0.1"),
                at(*(f"10.0.0.{n}" for n in range(101))),
                at(
                    "10.0.0.1",
                    nodeName="A",
                    hostname="B",
                    deprecatedTopology={"_": "x"},
                    hints={
                        "forZones": [{"name": "z"}, {"name": "z"}, {"name": "_"}],
                        "forNodes": [{"name": "n"}] * 9,
                    },
                ),
                ports=[
                    {"name": "a"},
                    {"name": "a", "protocol": "ICMP"},
                    {"name": "C", "appProtocol": "_"},
                ],
            ),
            """
            - endpoints[0].addresses: Required value: must contain at least 1 address
            - endpoints[1].addresses[0]: Invalid value: "fd00::1": must be a valid IPv4 address
            - endpoints[1].addresses[1]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)
            - endpoints[1].addresses[2]: Invalid value: "169.254.0.1": may not be in the link-local
              range (169.254.0.0/16, fe80::/10)
            - endpoints[1].addresses[3]: Invalid value: "224.0.0.1": may not be in the link-local
              multicast range (224.0.0.0/24, ff02::/10)
            - endpoints[2].addresses: Too many: 101: must have at most 100 items
            - endpoints[3].nodeName: Invalid value: "A": <subdomain>
            - endpoints[3].deprecatedTopology: Invalid value: "_": name part <qualified>
            - endpoints[3].hostname: Invalid value: "B": <label>
            - endpoints[3].hints.forZones[1].name: Duplicate value: null
            - endpoints[3].hints.forZones[2].name: Invalid value: "_": <label-value>
            - endpoints[3].hints.forNodes: Too many: 9: must have at most 8 items
            - ports[1].name: Duplicate value: "a"
            - ports[1].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"
            - ports[2].name: Invalid value: "C": <label>
            - ports[2].appProtocol: Invalid value: "_": name part <qualified>
            """,
        ),
        (
            piece(at("local", "A.b"), addressType="FQDN"),
            """
            - endpoints[0].addresses[0]: Invalid value: "local": should be a domain with at least
              two segments separated by dots
            - endpoints[0].addresses[1]: Invalid value: "A.b": <subdomain>
            """,
        ),
        (
            piece(at("x"), addressType="IP"),
            """
            - addressType: Unsupported value: "IP": supported values: "FQDN", "IPv4", "IPv6"
            """,
        ),
    ],
)
def test_every_complaint_about_a_new_slice(obj: Object, expected: str) -> None:
    """All at once, in upstream's order; loopback addresses are what pods have here."""
    assert creation(obj) == told(expected)


def test_a_slice_keeps_its_type_of_address() -> None:
    """What it holds may change."""
    new = piece(at("a.b"), addressType="FQDN")
    assert update(new, piece()) == ['addressType: Invalid value: "FQDN": field is immutable']
    assert update(piece(at("10.0.0.1")), piece()) == []
