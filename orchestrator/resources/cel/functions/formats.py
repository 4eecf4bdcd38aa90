"""Named formats: ``format.dns1123Label().validate(x)`` gives the complaints, or nothing."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable

from orchestrator.resources import names
from orchestrator.resources.cel.declarations import Library
from orchestrator.resources.cel.errors import EvaluationError
from orchestrator.resources.cel.functions.network import _url
from orchestrator.resources.cel.times import date, timestamp
from orchestrator.resources.cel.values import NONE, Opaque, OptionalValue

FORMATS = Library()


class Format(Opaque):
    """A named format.

    Attributes:
        name: ``dns1123Label``.
        problems: What is wrong with a text.
        pattern_size: Length of upstream's pattern, or what stands for it in costs.
    """

    __slots__ = ("name", "pattern_size", "problems")
    type_name = "kubernetes.NamedFormat"

    def __init__(self, name: str, problems: Callable[[str], list[str]], pattern_size: int) -> None:
        self.name = name
        self.pattern_size = pattern_size
        self.problems = problems

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Format) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


def _prefixed(check: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """Allow a dash at the end, as for the prefix of a generated name."""

    def problems(text: str) -> list[str]:
        return check(text[:-1] + "a" if text.endswith("-") else text)

    return problems


def _uri(text: str) -> list[str]:
    try:
        _url(text)
    except EvaluationError as error:
        return [str(error)]
    return []


def _uuid(text: str) -> list[str]:
    try:
        uuid.UUID(text)
    except ValueError:
        return ["does not match the UUID format"]
    return []


def _byte(text: str) -> list[str]:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return ["invalid base64"]
    return []


def _date(text: str) -> list[str]:
    try:
        date(text)
    except EvaluationError:
        return ["invalid date"]
    return []


def _datetime(text: str) -> list[str]:
    try:
        timestamp(text)
    except EvaluationError:
        return ["invalid datetime"]
    return []


_CHECKS: dict[str, Callable[[str], list[str]]] = {
    "dns1123Label": names.dns_label,
    "dns1123Subdomain": names.dns_subdomain,
    "dns1035Label": names.dns_label_1035,
    "qualifiedName": names.qualified_name,
    "dns1123LabelPrefix": _prefixed(names.dns_label),
    "dns1123SubdomainPrefix": _prefixed(names.dns_subdomain),
    "dns1035LabelPrefix": _prefixed(names.dns_label_1035),
    "labelValue": names.label_value,
    "uri": _uri,
    "uuid": _uuid,
    "byte": _byte,
    "date": _date,
    "datetime": _datetime,
}
_PATTERN_SIZES = {
    "dns1123Label": 30,
    "dns1035Label": 30,
    "dns1123LabelPrefix": 30,
    "dns1035LabelPrefix": 30,
    "dns1123Subdomain": 60,
    "dns1123SubdomainPrefix": 60,
    "qualifiedName": 60,
    "labelValue": 40,
    "uuid": 103,
}
_FORMATS = {
    name: Format(name, check, _PATTERN_SIZES.get(name, 1000)) for name, check in _CHECKS.items()
}
for _name, _found in _FORMATS.items():
    FORMATS.add(f"format.{_name}", [f"() {Format.type_name}"], lambda found=_found: found)


@FORMATS.function("format.named", f"(string) optional<{Format.type_name}>")
def _named(name: str) -> OptionalValue:
    found = _FORMATS.get(name)
    return NONE if found is None else OptionalValue(found)


@FORMATS.function("validate", f"{Format.type_name}.(string) optional<list<string>>")
def _validate(found: Format, text: str) -> OptionalValue:
    problems = found.problems(text)
    return OptionalValue(problems) if problems else NONE
