"""The string formats that schemas of custom resources may ask for.

Unknown formats are ignored, as upstream does; ``int32`` and the like are among these. Source of
the list: k8s.io/apiextensions-apiserver pkg/apiserver/validation/formats.go; of what each takes:
k8s.io/kube-openapi pkg/validation/strfmt.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final
from urllib.parse import urlsplit

from orchestrator.resources import names

FormatCheck = Callable[[str], bool]

_UUID: Final = r"[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?{version}[0-9a-f]{{3}}-?{variant}[0-9a-f]{{3}}-?"
_DURATION: Final = re.compile(r"[-+]?((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+|[-+]?0")
_LONG_DURATION: Final = re.compile(
    r"((\d+)\s*([A-Za-zµ]+)\s*)+",
)
_LONG_UNITS: Final = re.compile(
    r"ns|nano(s|second|seconds)?|us|µs|micro(s|second|seconds)?|ms|milli(s|second|seconds)?"
    r"|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?"
)
_TIME: Final = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d+)?([Zz]|[+-]\d{2}:\d{2})"
)


def _matching(pattern: str, flags: int = 0) -> FormatCheck:
    compiled = re.compile(pattern, flags)
    return lambda text: compiled.fullmatch(text) is not None


def _uuid(version: str = "[0-9a-f]", variant: str = "[0-9a-f]") -> FormatCheck:
    pattern = _UUID.format(version=version, variant=variant) + "[0-9a-f]{12}"
    return _matching(pattern, re.IGNORECASE)


def _uri(text: str) -> bool:
    if not text or any(ord(c) <= 32 or ord(c) == 127 for c in text):
        return False
    if text.startswith("/"):
        return True
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    scheme, colon, _rest = text.partition(":")
    return bool(colon and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme))


_ADDRESS: Final = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+")


def _email(text: str) -> bool:
    text = text.strip()
    named = re.fullmatch(r'("[^"]*"|[^<>"@,;:]*)\s*<([^<>]*)>', text)
    return _ADDRESS.fullmatch(named[2] if named else text) is not None


def _ip(version: int) -> FormatCheck:
    def check(text: str) -> bool:
        try:
            return ipaddress.ip_address(text).version == version and "%" not in text
        except ValueError:
            return False

    return check


def _cidr(text: str) -> bool:
    address, slash, length = text.partition("/")
    if not slash or not length.isdigit():
        return False
    try:
        ipaddress.ip_network(f"{address}/{length}", strict=False)
    except ValueError:
        return False
    return True


def _byte(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return bool(text)


def _date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10


def _date_time(text: str) -> bool:
    found = _TIME.fullmatch(text)
    if found is None or not _date("-".join(found.group(1, 2, 3))):
        return False
    hour, minute, second = (int(found[group]) for group in (4, 5, 6))
    return hour <= 23 and minute <= 59 and second <= 59


def _duration(text: str) -> bool:
    if _DURATION.fullmatch(text):
        return True
    if not _LONG_DURATION.fullmatch(text):
        return False
    return all(_LONG_UNITS.fullmatch(unit) for unit in re.findall(r"[A-Za-zµ]+", text))


def _isbn10(text: str) -> bool:
    digits = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(r"\d{9}[\dX]", digits):
        return False
    values = [10 if digit == "X" else int(digit) for digit in digits]
    return sum(weight * value for weight, value in zip(range(1, 11), values, strict=True)) % 11 == 0


def _isbn13(text: str) -> bool:
    digits = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(r"\d{13}", digits):
        return False
    return sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(digits)) % 10 == 0


def _credit_card(text: str) -> bool:
    digits = re.sub(r"[^0-9]+", "", text)
    if not re.fullmatch(r"\d{13,19}", digits):
        return False
    total = 0
    for at, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if at % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


FORMATS: Final[dict[str, FormatCheck]] = {
    "bsonobjectid": _matching(r"[0-9a-fA-F]{24}"),
    "uri": _uri,
    "email": _email,
    "hostname": _matching(
        r"(?=.{1,255}$)(?:[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?)"
        r"(?:\.[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?)*\.?"
    ),
    "ipv4": _ip(4),
    "ipv6": _ip(6),
    "cidr": _cidr,
    "mac": _matching(
        r"([0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}(([:-][0-9A-Fa-f]{2}){2}"
        r"|([:-][0-9A-Fa-f]{2}){14})?)|([0-9A-Fa-f]{4}\.){2,3}[0-9A-Fa-f]{4}"
    ),
    "uuid": _uuid(),
    "uuid3": _uuid("3"),
    "uuid4": _uuid("4", "[89ab]"),
    "uuid5": _uuid("5", "[89ab]"),
    "isbn": lambda text: _isbn10(text) or _isbn13(text),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "creditcard": _credit_card,
    "ssn": _matching(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "hexcolor": _matching(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "rgbcolor": _matching(
        r"rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,"
        r"\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,"
        r"\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\)"
    ),
    "byte": _byte,
    "password": lambda _text: True,
    "date": _date,
    "duration": _duration,
    "datetime": _date_time,
    "k8sshortname": lambda text: not names.dns_label(text),
    "k8slongname": lambda text: not names.dns_subdomain(text),
}
"""Checks by the format's name without dashes."""


def format_check(name: str) -> FormatCheck | None:
    """Return the check of a format; None for one that is not known, which then means nothing."""
    return FORMATS.get(name.replace("-", ""))


def unknown_formats(schema: Any) -> set[str]:
    """Return the formats of strings in a schema that mean nothing here, nor upstream."""
    found: set[str] = set()
    if isinstance(schema, Mapping):
        named = schema.get("format")
        if isinstance(named, str) and named and schema.get("type") == "string":
            found |= set() if format_check(named) else {named}
        for part, below in schema.items():
            if part not in {"default", "example", "enum"}:
                found |= unknown_formats(below)
    elif isinstance(schema, list):
        for below in schema:
            found |= unknown_formats(below)
    return found
