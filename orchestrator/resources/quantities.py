"""Resource quantities: exact integers out of ``"1500m"``, and upstream's canonical text back.

A quantity is kept as an integer number of nano units (the finest step the API knows; finer input
is rounded away from zero) and the notation it was written in, which decides the suffix of the
canonical form. Values are capped at ±(2^63 - 1), as upstream does.

Source of the rules: the comment on ``Quantity`` in k8s.io/apimachinery/pkg/api/resource.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal, NamedTuple

Notation = Literal["DecimalSI", "BinarySI", "DecimalExponent"]

FORMAT_WRONG: Final = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
NUMBER_WRONG: Final = "unable to parse numeric part of quantity"
SUFFIX_WRONG: Final = "unable to parse quantity's suffix"

_PATTERN: Final = re.compile(r"([+-]?)([0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)", re.ASCII)
_EXPONENT: Final = re.compile(r"[eE]([-+]?[0-9]+)", re.ASCII)
_DECIMAL: Final = {
    "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}  # fmt: skip
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX: Final = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX: Final = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")

_NANO: Final = 10**9
_CAP: Final = (2**63 - 1) * _NANO
_MAX_DIGITS: Final = 1000  # longer input is refused before it becomes a number


class QuantityError(ValueError):
    """Text that is no quantity; the message is upstream's."""


class Quantity(NamedTuple):
    """A parsed quantity; compare ``nano``, not the tuples.

    Attributes:
        nano: Value in units of 10^-9.
        notation: How it was written.
    """

    nano: int
    notation: Notation

    def __str__(self) -> str:
        return format_quantity(self.nano, self.notation)


@lru_cache(maxsize=4096)
def parse(text: str | float) -> Quantity:
    """Parse a quantity as it stands in JSON: a string or a plain number.

    Raises:
        QuantityError: With the text upstream would answer.
    """
    match = _PATTERN.fullmatch(text if isinstance(text, str) else repr(text))
    if match is None:
        raise QuantityError(FORMAT_WRONG)
    sign, number, suffix = match.groups()
    integer, _, fraction = number.partition(".")
    if "." in fraction or not (integer or fraction) or len(number) > _MAX_DIGITS:
        raise QuantityError(NUMBER_WRONG)
    digits = int(integer + fraction)
    shift = -len(fraction)
    notation: Notation = "DecimalSI"
    if suffix in _BINARY:
        notation = "BinarySI"
        digits <<= _BINARY[suffix]
    elif suffix in _DECIMAL:
        shift += _DECIMAL[suffix]
    elif (exponent := _EXPONENT.fullmatch(suffix)) and len(exponent[1]) <= 4:
        notation = "DecimalExponent"
        shift += int(exponent[1])
    else:
        raise QuantityError(SUFFIX_WRONG)
    shift += 9
    nano = digits * 10**shift if shift >= 0 else _divide_up(digits, 10**-shift)
    nano = min(nano, _CAP)
    return Quantity(-nano if sign == "-" else nano, notation)


@lru_cache(maxsize=4096)
def canonical(text: str | float) -> str:
    """Return the text upstream stores: ``"0.5"`` becomes ``"500m"``, ``"1024Mi"`` ``"1Gi"``."""
    return str(parse(text))


@lru_cache(maxsize=4096)
def milli(text: str | float) -> int:
    """Return thousandths, rounded up: CPU in millicores."""
    return _divide_up(parse(text).nano, 10**6)


@lru_cache(maxsize=4096)
def whole(text: str | float) -> int:
    """Return units, rounded up: bytes of memory, counts of extended resources."""
    return _divide_up(parse(text).nano, _NANO)


def compare(one: str | float, other: str | float) -> int:
    """Return a negative number, 0 or a positive one as ``one`` is less, equal or greater."""
    return parse(one).nano - parse(other).nano


def format_milli(value: int) -> str:
    """Return the canonical decimal text of ``value`` thousandths."""
    return format_quantity(value * 10**6, "DecimalSI")


def format_whole(value: int, notation: Notation = "DecimalSI") -> str:
    """Return the canonical text of ``value`` units."""
    return format_quantity(value * _NANO, notation)


def format_quantity(nano: int, notation: Notation) -> str:
    """Return the canonical text: no fraction, the largest suffix that keeps the value exact."""
    if nano == 0:
        return "0"
    sign = "-" if nano < 0 else ""
    size = abs(nano)
    if notation == "BinarySI" and size >= 1024 * _NANO:
        units = _divide_up(size, _NANO)
        power = 0
        while units % 1024 == 0 and power < len(_BINARY_SUFFIX) - 1:
            units //= 1024
            power += 1
        return f"{sign}{units}{_BINARY_SUFFIX[power]}"
    exponent = -9
    while size % 1000 == 0 and exponent < 18:
        size //= 1000
        exponent += 3
    if notation == "DecimalExponent":
        return f"{sign}{size}e{exponent}" if exponent else f"{sign}{size}"
    return f"{sign}{size}{_DECIMAL_SUFFIX[exponent]}"


def _divide_up(value: int, by: int) -> int:
    """Divide, rounding away from zero, as upstream rounds quantities."""
    return -(-value // by) if value >= 0 else value // by
