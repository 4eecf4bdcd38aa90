"""Forms of text that several kinds share: domains, addresses, ranges, references by URL.

Source of rules and words: k8s.io/apimachinery/pkg/util/validation, pkg/apis/core/validation and
k8s.io/apiserver/pkg/util/webhook.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final, TypeAlias

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    each_invalid,
    invalid,
    required,
    too_long,
)

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_DRIVER_LIMIT: Final = 63
_SUBDOMAIN_LIMIT: Final = 253
_SIGNER_LIMIT: Final = _SUBDOMAIN_LIMIT + (_SUBDOMAIN_LIMIT + 63 + 1) + 1
_PATH: Final = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_path = re.compile(_PATH)
_wildcard = re.compile(rf"\*\.{names.SUBDOMAIN}")
_prefix_length = re.compile(r"[0-9]{1,3}", re.ASCII)
_WILDCARD_WRONG: Final = names.pattern_message(
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which "
    "must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric "
    "character",
    rf"\*\.{names.SUBDOMAIN}",
    "*.example.com",
)
CIDR_WRONG: Final = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def wildcard_subdomain(text: str) -> list[str]:
    """Check a host that begins with ``*.``."""
    found = [names.too_long(_SUBDOMAIN_LIMIT)] if len(text) > _SUBDOMAIN_LIMIT else []
    if not _wildcard.fullmatch(text):
        found.append(_WILDCARD_WRONG)
    return found


def qualified_domain(field: str, text: str) -> list[FieldError]:
    """Check a name of at least three segments: webhooks."""
    if not text:
        return [required(field)]
    if wrong := names.dns_subdomain(text):
        return [invalid(field, text, ",".join(wrong))]
    if text.count(".") < 2:
        why = "should be a domain with at least three segments separated by dots"
        return [invalid(field, text, why)]
    return []


def domain_name(field: str, text: str) -> list[FieldError]:
    """Check a fully qualified domain name, which may end with a dot."""
    if not text:
        return [required(field)]
    text = text.removesuffix(".")
    if wrong := names.dns_subdomain(text):
        return [invalid(field, text, ",".join(wrong))]
    labels = text.split(".")
    if len(labels) < 2:
        why = "should be a domain with at least two segments separated by dots"
        return [invalid(field, text, why)]
    return [
        invalid(field, label, ",".join(wrong))
        for label in labels
        if (wrong := names.dns_label(label))
    ]


def domain_prefixed_path(field: str, text: str) -> list[FieldError]:
    """Check text such as ``acme.io/foo``."""
    if not text:
        return [required(field)]
    host, _, path = text.partition("/")
    if not host or not path:
        return [invalid(field, text, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    found = each_invalid(field, host, names.dns_subdomain(host))
    if not _path.fullmatch(path):
        found.append(invalid(field, path, names.pattern_message("Invalid path", _PATH)))
    return found


def driver_name(field: str, text: str) -> list[FieldError]:
    """Check the name of a CSI or DRA driver."""
    found = [] if text else [required(field)]
    if len(text) > _DRIVER_LIMIT:
        found.append(too_long(field, _DRIVER_LIMIT))
    return found + each_invalid(field, text, names.dns_subdomain(text.lower()))


def signer_name(field: str, text: str) -> list[FieldError]:
    """Check the name of a signer: ``example.com/signer-name``."""
    if not text:
        return [required(field)]
    domain, slash, path = text.partition("/")
    if not slash or "/" in path:
        why = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        return [invalid(field, text, why)]
    found = [too_long(field, _SUBDOMAIN_LIMIT)] if len(domain) > _SUBDOMAIN_LIMIT else []
    found += _first_bad_label(field, domain, names.dns_label)
    if "." not in domain:
        why = "should be a domain with at least two segments separated by dots"
        found.append(invalid(field, domain, why))
    found += _first_bad_label(field, path, names.dns_subdomain)
    if len(text) > _SIGNER_LIMIT:
        found.append(too_long(field, _SIGNER_LIMIT))
    return found


def _first_bad_label(field: str, text: str, check: names.Check) -> list[FieldError]:
    for label in text.split("."):
        if wrong := check(label):
            return [invalid(field, text, f'validating label "{label}": {why}') for why in wrong]
    return []


def address_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parse an address as upstream's older fields accept it: leading zeros are fine."""
    try:
        return ipaddress.ip_address(_without_zeros(text) if ":" not in text else text)
    except ValueError:
        return None


def network_of(text: str) -> Network | None:
    """Parse a range as upstream's older fields accept it; bits beyond the prefix are dropped."""
    address, slash, length = text.partition("/")
    if not slash or not _prefix_length.fullmatch(length):
        return None
    found = address_of(address)
    if found is None or "%" in address or int(length) > found.max_prefixlen:
        return None
    return ipaddress.ip_network(f"{found}/{int(length)}", strict=False)


def _without_zeros(text: str) -> str:
    parts = text.split(".")
    if not all(part.isascii() and part.isdigit() and len(part) <= 3 for part in parts):
        return text
    return ".".join(str(int(part)) for part in parts)


def network_problems(field: str, text: str) -> list[FieldError]:
    """Check a range of addresses in CIDR form, as older fields accept it."""
    return [] if network_of(text) else [invalid(field, text, CIDR_WRONG)]


def strict_address(text: str) -> list[str]:
    """Check an address that has to be in canonical form."""
    found = address_of(text)
    if found is None or "%" in text:
        return [names.IP_WRONG]
    if found.version == 6:
        if found.ipv4_mapped:
            return ["must not be an IPv4-mapped IPv6 address"]
    elif str(found) != text:
        return ["must not have leading 0s"]
    return [] if str(found) == text else [f'must be in canonical form ("{found}")']


def strict_network(field: str, text: str) -> list[FieldError]:
    """Check a range of addresses that has to be in canonical form."""
    found = network_of(text)
    if found is None:
        return [invalid(field, text, CIDR_WRONG)]
    address, _, length = text.partition("/")
    written = address_of(address)
    zeros = length != str(found.prefixlen) or (found.version == 4 and address != str(written))
    if zeros:
        return [invalid(field, text, "must not have leading 0s in IP or prefix length")]
    if written is not None and written.version == 6 and written.ipv4_mapped:
        return [invalid(field, text, "must not have an IPv4-mapped IPv6 address")]
    if written != found.network_address:
        return [invalid(field, text, "must not have bits set beyond the prefix length")]
    if text != str(found):
        return [invalid(field, text, f'must be in canonical form ("{found}")')]
    return []


def webhook_url(field: str, url: str) -> list[FieldError]:
    """Check the URL of a webhook."""
    from urllib.parse import urlsplit

    form = "; desired format: https://host[/path]"
    try:
        parts = urlsplit(url)
    except ValueError as error:
        return [required(field, f'url must be a valid URL: parse "{url}": {error}{form}')]
    found: list[FieldError] = []
    if parts.scheme != "https":
        found.append(invalid(field, parts.scheme, f"'https' is the only allowed URL scheme{form}"))
    user, at, host = parts.netloc.rpartition("@")
    if not host:
        found.append(invalid(field, host, f"host must be specified{form}"))
    if at:
        found.append(invalid(field, user, "user information is not permitted in the URL"))
    if parts.fragment:
        found.append(invalid(field, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        found.append(invalid(field, parts.query, "query parameters are not permitted in the URL"))
    return found


def webhook_service(
    field: str, name: str, namespace: str, path: str | None, port: int
) -> list[FieldError]:
    """Check the Service behind which a webhook answers."""
    found = [] if name else [required(f"{field}.name", "service name is required")]
    if not namespace:
        found.append(required(f"{field}.namespace", "service namespace is required"))
    if wrong := names.port_number(port):
        found.append(invalid(f"{field}.port", port, f"port is not valid: {','.join(wrong)}"))
    if path in (None, "", "/"):
        return found
    at = f"{field}.path"
    if path == "//":
        return [*found, invalid(at, path, "segment[0] may not be empty")]
    assert path is not None
    if not path.startswith("/"):
        found.append(invalid(at, path, "must start with a '/'"))
    for index, step in enumerate(path[1:].removesuffix("/").split("/")):
        if not step:
            found.append(invalid(at, path, f"segment[{index}] may not be empty"))
            continue
        found += [
            invalid(at, path, f"segment[{index}]: {wrong}") for wrong in names.dns_subdomain(step)
        ]
    return found
