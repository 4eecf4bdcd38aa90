"""What users pass is looked at before anything is done with it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from orchestrator.embedded.errors import ClusterError
from orchestrator.resources.quantities import QuantityError, parse

_CHOICES: Final = {"runtime": ("simulated", "process"), "time": ("real", "manual", "auto")}
_LISTEN: Final = ("http", "https")


def number_of(seconds: Any, what: str) -> float:
    """Return a length of time, if it is a number.

    Args:
        seconds: What was passed.
        what: What it is for, as the error calls it.

    Raises:
        TypeError: It is none.
        ValueError: It is infinite or not a number.
    """
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        raise TypeError(f"{what}: give a time as a number, not {seconds!r}")
    if not math.isfinite(seconds):
        raise ValueError(f"{what}: a time of {seconds} never ends; give one that does")
    return seconds


def span_of(seconds: Any, what: str) -> float:
    """Return a length of time, if it is one that can pass; see `number_of`.

    Raises:
        ValueError: It is negative.
    """
    if number_of(seconds, what) < 0:
        raise ValueError(f"{what}: time does not go back: {seconds:g} seconds were asked for")
    return float(seconds)


def check_cluster(given: Mapping[str, Any]) -> None:
    """Refuse arguments of a cluster that can't be meant.

    Args:
        given: All of them by name.

    Raises:
        ClusterError: One of them can't; the text says which, and what could be.
    """
    for name, choices in _CHOICES.items():
        if given[name] is not None and given[name] not in choices:
            raise ClusterError(f"{name}={given[name]!r}: choose one of {', '.join(choices)}")
    listen = given["listen"]
    if listen is not None and not isinstance(listen, Path) and listen not in _LISTEN:
        raise ClusterError(
            f"listen={listen!r}: choose http, https, None, or a Unix socket: Path({str(listen)!r})"
        )
    _whole(given, "nodes", "how many there are, 0 or more")
    if given["seed"] is not None and not isinstance(given["seed"], int):
        raise ClusterError(f"seed={given['seed']!r}: give a whole number")
    if not isinstance(given["kubernetes_version"], str):
        version = given["kubernetes_version"]
        raise ClusterError(f'kubernetes_version={version!r}: give a text, "{version}"')
    for name in ("epoch", "client_grace"):
        value = given[name]
        if value is not None and not (
            isinstance(value, int | float) and math.isfinite(value) and value >= 0
        ):
            raise ClusterError(f"{name}={value!r}: give seconds as a number, 0 or more")
    if given["history"] is not None:
        _whole(given, "history", "bytes, 0 for none, None for all")
    for resource, quantity in (given["node_capacity"] or {}).items():
        try:
            parse(str(quantity))
        except QuantityError as error:
            raise ClusterError(f"node_capacity: {resource}={quantity!r}: {error}") from None


def _whole(given: Mapping[str, Any], name: str, meaning: str) -> None:
    value = given[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ClusterError(f"{name}={value!r}: give a whole number: {meaning}")
