"""Kubernetes' quantities and semantic versions."""

from __future__ import annotations

import re
from functools import total_ordering
from typing import Any

from orchestrator.resources import quantities
from orchestrator.resources.cel.declarations import Library
from orchestrator.resources.cel.errors import EvaluationError
from orchestrator.resources.cel.values import INT_MAX, INT_MIN, Opaque

QUANTITIES = Library()
_NANO = 10**9


class Quantity(Opaque):
    """A quantity, in units of 10^-9."""

    __slots__ = ("amount",)
    type_name = "kubernetes.Quantity"

    def __init__(self, amount: int) -> None:
        self.amount = amount

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and other.amount == self.amount

    def __hash__(self) -> int:
        return hash(self.amount)


def _quantity(text: str) -> Quantity:
    try:
        return Quantity(quantities.parse(text).nano)
    except quantities.QuantityError as error:
        raise EvaluationError(str(error)) from None


def _valid(read: Any) -> Any:
    def tell(*given: Any) -> bool:
        try:
            read(*given)
        except EvaluationError:
            return False
        return True

    return tell


QUANTITIES.add("quantity", ["(string) kubernetes.Quantity"], _quantity)
QUANTITIES.add("isQuantity", ["(string) bool"], _valid(_quantity))
QUANTITIES.add(
    "sign",
    ["kubernetes.Quantity.() int"],
    lambda found: (found.amount > 0) - (found.amount < 0),
)


def _whole(found: Quantity) -> bool:
    whole, part = divmod(found.amount, _NANO)
    return not part and INT_MIN <= whole <= INT_MAX


QUANTITIES.add("isInteger", ["kubernetes.Quantity.() bool"], _whole)


@QUANTITIES.function("asInteger", "kubernetes.Quantity.() int")
def _as_integer(found: Quantity) -> int:
    if not _whole(found):
        raise EvaluationError("cannot convert value to integer")
    return found.amount // _NANO


@QUANTITIES.function("asApproximateFloat", "kubernetes.Quantity.() double")
def _as_float(found: Quantity) -> float:
    return found.amount / _NANO


def _sum(sign: int) -> Any:
    def add(one: Quantity, other: Any) -> Quantity:
        return Quantity(
            one.amount + sign * (other * _NANO if isinstance(other, int) else other.amount)
        )

    return add


for _name, _sign in (("add", 1), ("sub", -1)):
    QUANTITIES.add(
        _name,
        [
            "kubernetes.Quantity.(kubernetes.Quantity) kubernetes.Quantity",
            "kubernetes.Quantity.(int) kubernetes.Quantity",
        ],
        _sum(_sign),
    )

_VERSION = re.compile(
    r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
_LOOSE = re.compile(r"v?([0-9]+(?:\.[0-9]+){0,2})(?:([-+].*))?")


@total_ordering
class Semver(Opaque):
    """A semantic version; build metadata counts for nothing."""

    __slots__ = ("core", "order")
    type_name = "kubernetes.Semver"

    def __init__(self, core: tuple[int, int, int], before: str) -> None:
        self.core = core
        parts = tuple(
            (0, int(part), "") if part.isdigit() else (1, 0, part) for part in before.split(".")
        )
        # A version without a pre-release comes after all of its pre-releases.
        self.order: Any = (core, (0, *parts) if before else (1,))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Semver) and other.order == self.order

    def __lt__(self, other: Semver) -> bool:
        return bool(self.order < other.order)

    def __hash__(self) -> int:
        return hash(self.order)


def _semver(text: str, normalize: bool = False) -> Semver:
    if normalize:
        loose = _LOOSE.fullmatch(text)
        if loose is not None:
            numbers = [str(int(part[:20])) for part in loose[1].split(".")]
            text = ".".join([*numbers, "0", "0"][:3]) + (loose[2] or "")
    match = _VERSION.fullmatch(text)
    if match is None or len(text) > 256 or not _proper(match[4]):
        raise EvaluationError(_wrong_version(text))
    return Semver((int(match[1]), int(match[2]), int(match[3])), match[4] or "")


def _wrong_version(text: str) -> str:
    """Return what the library that upstream uses says of it."""
    if not text:
        return "Version string empty"
    parts = text.split(".", 2)
    if len(parts) != 3:
        return "No Major.Minor.Patch elements found"
    parts[2] = re.split("[-+]", parts[2], maxsplit=1)[0]
    for name, part in zip(("major", "minor", "patch"), parts, strict=True):
        if not (part.isascii() and part.isdigit()):
            return f'Invalid character(s) found in {name} number "{part}"'
        if len(part) > 1 and part.startswith("0"):
            return f'{name.capitalize()} number must not contain leading zeroes "{part}"'
    return f'Invalid character(s) found in prerelease "{text.partition("-")[2]}"'


def _proper(before: str | None) -> bool:
    return not before or all(
        not part.isdigit() or part == "0" or not part.startswith("0") for part in before.split(".")
    )


QUANTITIES.add(
    "semver",
    ["(string) kubernetes.Semver", "(string, bool) kubernetes.Semver"],
    _semver,
)
QUANTITIES.add("isSemver", ["(string) bool", "(string, bool) bool"], _valid(_semver))
for _at, _name in enumerate(("major", "minor", "patch")):
    QUANTITIES.add(_name, ["kubernetes.Semver.() int"], lambda found, at=_at: found.core[at])


def _order(one: Any, other: Any) -> int:
    left = one.amount if isinstance(one, Quantity) else one
    right = other.amount if isinstance(other, Quantity) else other
    return (left > right) - (left < right)


for _kind in ("kubernetes.Quantity", "kubernetes.Semver"):
    QUANTITIES.add("isGreaterThan", [f"{_kind}.({_kind}) bool"], lambda a, b: _order(a, b) > 0)
    QUANTITIES.add("isLessThan", [f"{_kind}.({_kind}) bool"], lambda a, b: _order(a, b) < 0)
    QUANTITIES.add("compareTo", [f"{_kind}.({_kind}) int"], _order)
