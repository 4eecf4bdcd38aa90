"""What simulated containers use: a share of their requests, or what annotations say; pure.

``simulation.orchestrator/cpu-usage`` and ``memory-usage`` say what a container uses, and
``NAME.cpu-usage`` what the container of that name does. ``cpu-load`` and ``memory-load`` are work
to be done by a whole group, and divided among its ready pods: see `orchestrator.node.usage.loads`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple

from orchestrator.node.annotations import PREFIX
from orchestrator.node.images import SimulatedImage, words_of
from orchestrator.node.scripts import script_of
from orchestrator.node.usage.courses import amount_at, parse_course
from orchestrator.resources.objects import Object, spec_of
from orchestrator.resources.quantities import parse

Resource = Literal["cpu", "memory"]

_NANO: Final = 10**9
DEFAULT_SHARES: Final[Mapping[Resource, float]] = {"cpu": 0.1, "memory": 0.5}
"""Parts of its requests that a container uses of which nothing else is said: it idles."""
DEFAULT_AMOUNTS: Final[Mapping[Resource, int]] = {"cpu": _NANO // 1000, "memory": 2**24 * _NANO}
"""What one without requests uses: a millicore and 16Mi."""

Shares = Callable[[Resource, str], int | None]
"""From a resource and a container's name to its part of its groups' loads, in units of 10^-9; None
where there is no load."""


class Used(NamedTuple):
    """What a container uses: nanocores and bytes."""

    cpu: int
    memory: int


def no_load(resource: Resource, container: str) -> int | None:
    """Know of no load."""
    del resource, container
    return None


def used_by(
    pod: Object,
    container: Object,
    seconds: float,
    shares: Shares = no_load,
    image: SimulatedImage | None = None,
) -> Used:
    """Return what a container uses.

    Args:
        pod: As it is now.
        container: Its entry in the pod's spec.
        seconds: For how long it has run.
        shares: Its parts of loads.
        image: What was said of its image.

    Raises:
        ValueError: An annotation cannot be read; the text names it.
    """
    cpu = _amount(pod, container, "cpu", seconds, shares, image)
    memory = _amount(pod, container, "memory", seconds, shares, image)
    return Used(cpu, memory // _NANO)


def _amount(
    pod: Object,
    container: Object,
    resource: Resource,
    seconds: float,
    shares: Shares,
    image: SimulatedImage | None,
) -> int:
    resources = container.get("resources") or {}
    asked = (resources.get("requests") or {}).get(resource)
    request = 0 if asked is None else parse(asked).nano
    text = script_of(pod, container, words_of(image)).get(f"{resource}-usage")
    if text is None and image is not None and resource in image.usage:
        text = str(image.usage[resource](seconds))
    load = shares(resource, container["name"])
    if text is not None:
        try:
            amount = amount_at(parse_course(text), seconds).of(request)
        except ValueError as error:
            raise ValueError(f"annotation {PREFIX}{resource}-usage: {error}") from None
    elif load is not None:
        amount = 0
    elif asked is None:
        amount = DEFAULT_AMOUNTS[resource]
    else:
        amount = round(DEFAULT_SHARES[resource] * request)
    amount += load or 0
    limit = (resources.get("limits") or {}).get(resource)
    return amount if limit is None else min(amount, parse(limit).nano)


def is_busy_one(pod: Object, name: str) -> bool:
    """Tell whether a container takes the loads that name none: the first main one does."""
    first = next(iter(spec_of(pod).get("containers") or ()), None)
    return first is not None and bool(first["name"] == name)
