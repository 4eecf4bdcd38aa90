"""IP addresses, CIDRs and URLs."""

from __future__ import annotations

import ipaddress
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

from orchestrator.resources.cel.declarations import Library
from orchestrator.resources.cel.errors import EvaluationError
from orchestrator.resources.cel.values import Opaque

NETWORK = Library()
_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class IP(Opaque):
    """An address."""

    __slots__ = ("address",)
    type_name = "net.IP"

    def __init__(self, address: _Address) -> None:
        self.address = address

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IP) and other.address == self.address

    def __hash__(self) -> int:
        return hash(self.address)

    def __len__(self) -> int:
        return self.address.max_prefixlen // 8

    def text(self) -> str:
        """In its canonical form."""
        return str(self.address)


class CIDR(Opaque):
    """An address with a prefix length; the address keeps its host bits."""

    __slots__ = ("interface", "network")
    type_name = "net.CIDR"

    def __init__(self, interface: ipaddress.IPv4Interface | ipaddress.IPv6Interface) -> None:
        self.interface = interface
        self.network: _Network = interface.network

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CIDR) and other.interface == self.interface

    def __hash__(self) -> int:
        return hash(self.interface)

    def __len__(self) -> int:
        return (self.network.prefixlen + 7) // 8

    def text(self) -> str:
        """Address and prefix length."""
        return str(self.interface)


class URL(Opaque):
    """A URL, or a path that begins with a slash."""

    __slots__ = ("given", "parts")
    type_name = "kubernetes.URL"

    def __init__(self, given: str) -> None:
        self.given = given
        self.parts = urlsplit(given)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, URL) and other.given == self.given

    def __hash__(self) -> int:
        return hash(self.given)

    @property
    def host(self) -> str:
        """Host and port, as written."""
        return self.parts.netloc.rpartition("@")[2]


def _ip(text: str) -> IP:
    if "%" in text:
        raise EvaluationError("IP Address with zone value is not allowed")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise EvaluationError(
            f'IP Address "{text}" parse error during conversion from string: ParseAddr("{text}"): '
            "unable to parse IP"
        ) from None
    if address.version == 6 and address.ipv4_mapped is not None:
        raise EvaluationError("IPv4-mapped IPv6 address is not allowed")
    return IP(address)


def _cidr(text: str) -> CIDR:
    address, slash, length = text.partition("/")
    proper = slash and length.isascii() and length.isdigit() and str(int(length[:9])) == length
    if not proper or "%" in text:
        raise _no_cidr(text, "no '/'" if not slash else "bad bits after slash")
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        raise _no_cidr(text, "unable to parse IP") from None
    if interface.version == 6 and interface.ip.ipv4_mapped is not None:
        raise EvaluationError("IPv4-mapped IPv6 address is not allowed")
    del address
    return CIDR(interface)


def _no_cidr(text: str, why: str) -> EvaluationError:
    return EvaluationError(
        f'network address parse error during conversion from string: netip.ParsePrefix("{text}"): '
        f"{why}"
    )


def _is(read: Any) -> Any:
    def tell(text: str) -> bool:
        try:
            read(text)
        except EvaluationError:
            return False
        return True

    return tell


NETWORK.add("ip", ["(string) net.IP"], _ip)
NETWORK.add("isIP", ["(string) bool"], _is(_ip))
NETWORK.add("ip.isCanonical", ["(string) bool"], lambda text: _ip(text).text() == text)
NETWORK.add("family", ["net.IP.() int"], lambda ip: ip.address.version)
NETWORK.add("isUnspecified", ["net.IP.() bool"], lambda ip: ip.address.is_unspecified)
NETWORK.add("isLoopback", ["net.IP.() bool"], lambda ip: ip.address.is_loopback)


@NETWORK.function("isLinkLocalMulticast", "net.IP.() bool")
def _link_local_multicast(ip: IP) -> bool:
    address = ip.address
    if isinstance(address, ipaddress.IPv4Address):
        return address.packed[:3] == b"\xe0\x00\x00"
    return address.packed[0] == 0xFF and address.packed[1] & 0x0F == 0x02


@NETWORK.function("isLinkLocalUnicast", "net.IP.() bool")
def _link_local_unicast(ip: IP) -> bool:
    return ip.address.is_link_local


@NETWORK.function("isGlobalUnicast", "net.IP.() bool")
def _global_unicast(ip: IP) -> bool:
    address = ip.address
    return not (
        str(address) == "255.255.255.255"
        or address.is_unspecified
        or address.is_loopback
        or address.is_multicast
        or address.is_link_local
    )


NETWORK.add("cidr", ["(string) net.CIDR"], _cidr)
NETWORK.add("isCIDR", ["(string) bool"], _is(_cidr))
NETWORK.add("ip", ["net.CIDR.() net.IP"], lambda cidr: IP(cidr.interface.ip))
NETWORK.add("prefixLength", ["net.CIDR.() int"], lambda cidr: cidr.network.prefixlen)
NETWORK.add("string", ["(net.IP) string", "(net.CIDR) string"], lambda value: value.text())


@NETWORK.function("masked", "net.CIDR.() net.CIDR")
def _masked(cidr: CIDR) -> CIDR:
    return CIDR(ipaddress.ip_interface(cidr.network))


@NETWORK.function("containsIP", "net.CIDR.(net.IP) bool", "net.CIDR.(string) bool")
def _contains_ip(cidr: CIDR, ip: Any) -> bool:
    address = (_ip(ip) if isinstance(ip, str) else ip).address
    return address in cidr.network


@NETWORK.function("containsCIDR", "net.CIDR.(net.CIDR) bool", "net.CIDR.(string) bool")
def _contains_cidr(cidr: CIDR, other: Any) -> bool:
    inner = _cidr(other) if isinstance(other, str) else other
    return (
        inner.network.version == cidr.network.version
        and inner.network.prefixlen >= cidr.network.prefixlen
        and inner.interface.ip in cidr.network
    )


def _url(text: str) -> URL:
    # Go reads a "request URI": a path that begins with a slash, or a scheme with what follows.
    try:
        found = URL(text)
        found.parts.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        raise _no_url(text, "invalid port after host") from None
    if not text:
        raise _no_url(text, "empty url")
    if any(char < " " or char == "\x7f" for char in text):
        raise _no_url(text, "net/url: invalid control character in URL")
    if " " in found.host:
        raise _no_url(text, 'invalid character " " in host name')
    if not found.parts.scheme and not text.startswith("/"):
        raise _no_url(text, "invalid URI for request")
    if "#" in text:
        found.parts = found.parts._replace(
            path=found.parts.path + "#" + found.parts.fragment, fragment=""
        )
    return found


def _no_url(text: str, why: str) -> EvaluationError:
    return EvaluationError(f'URL parse error during conversion from string: parse "{text}": {why}')


NETWORK.add("url", ["(string) kubernetes.URL"], _url)
NETWORK.add("isURL", ["(string) bool"], _is(_url))
NETWORK.add("getScheme", ["kubernetes.URL.() string"], lambda url: url.parts.scheme)
NETWORK.add("getHost", ["kubernetes.URL.() string"], lambda url: url.host)


@NETWORK.function("getHostname", "kubernetes.URL.() string")
def _hostname(url: URL) -> str:
    host = url.host
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


@NETWORK.function("getPort", "kubernetes.URL.() string")
def _port(url: URL) -> str:
    return url.host.rpartition("]")[2].partition(":")[2]


@NETWORK.function("getEscapedPath", "kubernetes.URL.() string")
def _escaped_path(url: URL) -> str:
    return url.parts.path.replace(" ", "%20")


@NETWORK.function("getQuery", "kubernetes.URL.() map<string, list<string>>")
def _query(url: URL) -> dict[str, list[str]]:
    return parse_qs(url.parts.query, keep_blank_values=True)
