"""Rules for names, labels and keys: each check returns upstream's complaints, empty when valid.

Source of patterns and words: k8s.io/apimachinery/pkg/util/validation.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

Check: TypeAlias = Callable[[str], list[str]]
"""Returns what is wrong with a text."""

_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_1035: Final = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE: Final = f"({_QUALIFIED})?"
_CONFIG_KEY: Final = "[-._a-zA-Z0-9]+"

_SEARCH_LABEL: Final = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SEARCH: Final = rf"{_SEARCH_LABEL}(\.{_SEARCH_LABEL})*"
_HEADER: Final = "[-A-Za-z0-9]+"

_label = re.compile(_LABEL)
_search = re.compile(_SEARCH)
_header = re.compile(_HEADER)
_subdomain = re.compile(SUBDOMAIN)
_label_1035 = re.compile(_LABEL_1035)
_qualified = re.compile(_QUALIFIED)
_config_key = re.compile(_CONFIG_KEY)
_printable = re.compile(r"[ -<>-~]+")
_port_characters = re.compile(r"[-a-z0-9]*")
_letter = re.compile(r"[a-z]")

EMPTY: Final = "must be non-empty"
IP_WRONG: Final = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
PORT_RANGE: Final = "must be between 1 and 65535, inclusive"


def too_long(limit: int) -> str:
    """Return upstream's words for a text over ``limit`` characters."""
    return f"must be no more than {limit} characters"


def pattern_message(message: str, pattern: str, *examples: str) -> str:
    """Return a complaint with examples and the pattern, spaced as upstream does."""
    if not examples:
        return f"{message} (regex used for validation is '{pattern}')"
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{message} (e.g. {shown}regex used for validation is '{pattern}')"


_LABEL_WRONG: Final = pattern_message(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
_SUBDOMAIN_WRONG: Final = pattern_message(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
    "'-' or '.', and must start and end with an alphanumeric character",
    SUBDOMAIN,
    "example.com",
)
_SEARCH_WRONG: Final = pattern_message(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
    "'-', '_' or '.', and must start and end with an alphanumeric character",
    _SEARCH,
    "example.com",
)
_HEADER_WRONG: Final = pattern_message(
    "a valid HTTP header must consist of alphanumeric characters or '-'",
    _HEADER,
    "X-Header-Name",
)
_LABEL_1035_WRONG: Final = pattern_message(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character",
    _LABEL_1035,
    "my-name",
    "abc-123",
)
_QUALIFIED_WRONG: Final = pattern_message(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character",
    _QUALIFIED,
    "MyName",
    "my.name",
    "123-abc",
)
_TWO_SLASHES: Final = (
    f"a qualified name {_QUALIFIED_WRONG} with an optional DNS subdomain prefix and '/' "
    "(e.g. 'example.com/MyName')"
)
_ENV_WRONG: Final = (
    "a valid environment variable name must consist only of printable ASCII characters "
    "other than '='"
)
_LABEL_VALUE_WRONG: Final = pattern_message(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character",
    _LABEL_VALUE,
    "MyValue",
    "my_value",
    "12345",
)
_CONFIG_KEY_WRONG: Final = pattern_message(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)


def dns_label(text: str) -> list[str]:
    """Check an RFC 1123 label: container names, namespaces."""
    found = [too_long(63)] if len(text) > 63 else []
    if not _label.fullmatch(text):
        found.append(_LABEL_WRONG)
    return found


def dns_subdomain(text: str) -> list[str]:
    """Check an RFC 1123 subdomain: names of most objects."""
    found = [too_long(253)] if len(text) > 253 else []
    if not _subdomain.fullmatch(text):
        found.append(_SUBDOMAIN_WRONG)
    return found


def dns_label_1035(text: str) -> list[str]:
    """Check an RFC 1035 label, which starts with a letter: names of Services."""
    found = [too_long(63)] if len(text) > 63 else []
    if not _label_1035.fullmatch(text):
        found.append(_LABEL_1035_WRONG)
    return found


def prefix_of_subdomain(text: str) -> list[str]:
    """Check a subdomain as the beginning of one, which may end where a whole one may not."""
    return dns_subdomain(f"{text[:-1]}a" if text.endswith("-") else text)


def dns_search_domain(text: str) -> list[str]:
    """Check a domain that is searched, of which underscores may be a part."""
    found = [too_long(253)] if len(text) > 253 else []
    if not _search.fullmatch(text):
        found.append(_SEARCH_WRONG)
    return found


def http_header(text: str) -> list[str]:
    """Check the name of an HTTP header."""
    return [] if _header.fullmatch(text) else [_HEADER_WRONG]


def path_segment(text: str) -> list[str]:
    """Check a name that only has to fit into a path: RBAC objects."""
    if text in {".", ".."}:
        return [f"may not be '{text}'"]
    return [f"may not contain '{c}'" for c in "/%" if c in text]


@lru_cache(maxsize=4096)
def _qualified_name(text: str) -> tuple[str, ...]:
    parts = text.split("/")
    found: list[str] = []
    if len(parts) > 2:
        return (_TWO_SLASHES,)
    name = parts[-1]
    if len(parts) == 2:
        if not parts[0]:
            found.append(f"prefix part {EMPTY}")
        else:
            found += [f"prefix part {message}" for message in dns_subdomain(parts[0])]
    if not name:
        found.append(f"name part {EMPTY}")
    elif len(name) > 63:
        found.append(f"name part {too_long(63)}")
    if not _qualified.fullmatch(name):
        found.append(f"name part {_QUALIFIED_WRONG}")
    return tuple(found)


def qualified_name(text: str) -> list[str]:
    """Check a key of labels and annotations, a resource or taint name: ``[prefix/]name``."""
    return list(_qualified_name(text))


@lru_cache(maxsize=4096)
def _label_value(text: str) -> tuple[str, ...]:
    found = [too_long(63)] if len(text) > 63 else []
    if text and not _qualified.fullmatch(text):
        found.append(_LABEL_VALUE_WRONG)
    return tuple(found)


def label_value(text: str) -> list[str]:
    """Check the value of a label."""
    return list(_label_value(text))


def config_key(text: str) -> list[str]:
    """Check a key of a ConfigMap or Secret: it may become a file name."""
    found = [too_long(253)] if len(text) > 253 else []
    if not _config_key.fullmatch(text):
        found.append(_CONFIG_KEY_WRONG)
    if text == ".":
        found.append("must not be '.'")
    elif text == "..":
        found.append("must not be '..'")
    elif text.startswith(".."):
        found.append("must not start with '..'")
    return found


def env_name(text: str) -> list[str]:
    """Check the name of an environment variable (relaxed rule, default since v1.32)."""
    if not text:
        return [f"environment variable name {EMPTY}"]
    return [] if _printable.fullmatch(text) else [_ENV_WRONG]


def port_name(text: str) -> list[str]:
    """Check the name of a port (IANA service name)."""
    found = []
    if len(text) > 15:
        found.append(too_long(15))
    if not _port_characters.fullmatch(text):
        found.append("must contain only alphanumeric characters (a-z, 0-9), and hyphens (-)")
    if not _letter.search(text):
        found.append("must contain at least one letter (a-z)")
    if "--" in text:
        found.append("must not contain consecutive hyphens")
    if text.startswith("-") or text.endswith("-"):
        found.append("must not begin or end with a hyphen")
    return found


def port_number(port: int) -> list[str]:
    """Check a TCP or UDP port number."""
    return [] if 1 <= port <= 65535 else [PORT_RANGE]


def ip_address(text: str) -> list[str]:
    """Check an IPv4 or IPv6 address without zone."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return [IP_WRONG]
    return [IP_WRONG] if "%" in text else []
