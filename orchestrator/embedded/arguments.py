"""What users pass is looked at before anything is done with it. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from orchestrator.cluster import ClusterConfig
from orchestrator.embedded.errors import ClusterError
from orchestrator.embedded.guessing import nearest
from orchestrator.resources.definitions import DEFAULT_VERSION, available_versions
from orchestrator.resources.quantities import QuantityError, parse

_CHOICES: Final = {"runtime": ("simulated", "process"), "time": ("real", "manual", "auto")}
_RESOURCES: Final = ("cpu", "memory", "pods", "ephemeral-storage")
_END: Final = 253_402_300_800
"""The year 10000, in seconds since 1970: dates end before."""
_OLDEST: Final = [1, 31]
"""The first minor version whose kinds are known."""
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
    if isinstance(seconds, float) and not math.isfinite(seconds):
        raise ValueError(f"{what}: a time of {seconds} never ends; give one that does")
    return seconds


def check_function(given: Any, what: str) -> None:
    """Refuse what cannot be called.

    Args:
        given: What was passed.
        what: What a function does there.

    Raises:
        TypeError: It is none.
    """
    if not callable(given):
        raise TypeError(f"{given!r} is no function, and only one {what}")


def text_of(given: Any, what: str) -> str:
    """Return a text, if it is one that says something.

    Raises:
        TypeError: It is none.
        ValueError: It is empty.
    """
    if not isinstance(given, str):
        raise TypeError(f"give {what} as text, not {given!r}")
    if not given:
        raise ValueError(f"give {what}: an empty text names nothing")
    return given


def texts_of(given: Any, what: str) -> tuple[str, ...]:
    """Return several texts; one alone would be taken for its letters.

    Raises:
        TypeError: They are no texts, or there is one alone.
    """
    if (
        isinstance(given, str)
        or not isinstance(given, Collection)
        or not all(isinstance(each, str) for each in given)
    ):
        raise TypeError(f"give {what} as several texts, ('one', 'two'), not {given!r}")
    return tuple(given)


def whole_of(given: Any, what: str) -> int:
    """Return a whole number that is not negative.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is negative.
    """
    if not isinstance(given, int) or isinstance(given, bool):
        raise TypeError(f"give {what} as a whole number, not {given!r}")
    if given < 0:
        raise ValueError(f"{what}={given}: give 0 or more")
    return given


def version_of(given: Any) -> int:
    """Return a version of the cluster: a number, or a ``resourceVersion`` as objects have it.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(given, str) and given.isdecimal():
        return int(given)
    if not isinstance(given, int) or isinstance(given, bool):
        raise TypeError(
            f"give a version as cluster.version or an object's resourceVersion, not {given!r}"
        )
    return given


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
    seed = given["seed"]
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise ClusterError(f"seed={seed!r}: give a whole number")
    _check_version(given["kubernetes_version"])
    for name in ("epoch", "client_grace"):
        value = given[name]
        if value is not None and (
            not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < _END
        ):
            raise ClusterError(f"{name}={value!r}: give seconds as a number, 0 or more")
    if given["history"] is not None:
        _whole(given, "history", "bytes, 0 for none, None for all")
    check_capacity(given["node_capacity"], "node_capacity")
    directory, config = given["data_dir"], given["config"]
    if directory is not None and not (isinstance(directory, str | Path) and str(directory)):
        raise ClusterError(f"data_dir={directory!r}: give the path of a directory")
    if config is not None and not isinstance(config, ClusterConfig):
        raise ClusterError(f"config={config!r}: give an orchestrator.cluster.ClusterConfig")


def _check_version(version: Any) -> None:
    if not isinstance(version, str):
        raise ClusterError(f'kubernetes_version={version!r}: give a text, "{version}"')
    if version == DEFAULT_VERSION:
        return  # without a look at what is installed
    known = [each for each in available_versions() if _numbers(each) >= _OLDEST]
    if version not in known:
        raise ClusterError(f"kubernetes_version={version!r}: choose one of {', '.join(known)}")


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def check_capacity(given: Any, name: str) -> None:
    """Refuse what cannot be a node's capacity.

    Args:
        given: Quantities by resource, or None.
        name: What the error calls it.

    Raises:
        ClusterError: Something in it can't.
    """
    if given is None:
        return
    if not isinstance(given, Mapping):
        raise ClusterError(f"{name}={given!r}: give quantities by resource, {{'cpu': '4'}}")
    for resource, quantity in given.items():
        if not isinstance(resource, str) or ("/" not in resource and not _is_plain(resource)):
            near = nearest(resource, _RESOURCES)
            hint = f"did you mean {near}?" if near else "others have a domain, example.com/gpu"
            raise ClusterError(
                f"{name}: {resource!r} is no resource of nodes ({', '.join(_RESOURCES)}): {hint}"
            )
        try:
            amount = parse(str(quantity))
        except QuantityError as error:
            raise ClusterError(f"{name}: {resource}={quantity!r}: {error}") from None
        if amount.nano < 0:
            raise ClusterError(f"{name}: {resource}={quantity!r} is negative")


def _is_plain(resource: str) -> bool:
    return resource in _RESOURCES or resource.startswith("hugepages-")


def _whole(given: Mapping[str, Any], name: str, meaning: str) -> None:
    value = given[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ClusterError(f"{name}={value!r}: give a whole number: {meaning}")
