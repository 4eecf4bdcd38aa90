"""What a pod asks for and is limited to as a whole. Pure.

Source of the rules: PodRequests and PodLimits in k8s.io/component-helpers/resource.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from orchestrator.resources.quantities import Notation, QuantityError, parse

Amounts: TypeAlias = dict[str, int]
"""Nano units by resource."""
Side: TypeAlias = Literal["requests", "limits"]


def amounts_of(resources: dict[str, Any] | None, side: Side) -> Amounts:
    """Return the requests or limits of a ``resources`` field."""
    return nano_of((resources or {}).get(side))


def nano_of(listed: dict[str, Any] | None) -> Amounts:
    """Return a list of resources as numbers, without what is no quantity."""
    found: Amounts = {}
    for name, amount in (listed or {}).items():
        try:
            found[name] = parse(amount).nano
        except QuantityError:
            continue  # validation refuses it
    return found


def add(total: Amounts, more: Amounts) -> None:
    """Add amounts to a total in place."""
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def pod_amounts(spec: dict[str, Any], side: Side) -> Amounts:
    """Return what a pod requests, or is limited to.

    Init containers run one after another, beside those that restart always; overhead comes on top
    of what was asked for, and of a limit only where there is one.
    """
    total: Amounts = {}
    for container in spec.get("containers") or ():
        add(total, amounts_of(container.get("resources"), side))
    sidecars: Amounts = {}
    highest: Amounts = {}
    for container in spec.get("initContainers") or ():
        own = amounts_of(container.get("resources"), side)
        if container.get("restartPolicy") == "Always":
            add(total, own)
            add(sidecars, own)
            own = dict(sidecars)
        else:
            own = {name: own.get(name, 0) + sidecars.get(name, 0) for name in {**own, **sidecars}}
        _raise(highest, own)
    _raise(total, highest)
    total.update(amounts_of(spec.get("resources"), side))
    for name, amount in nano_of(spec.get("overhead")).items():
        if side == "requests" or total.get(name):
            total[name] = total.get(name, 0) + amount
    return total


def _raise(to: Amounts, amounts: Amounts) -> None:
    for name, amount in amounts.items():
        if amount > to.get(name, -1):
            to[name] = amount


def notations(spec: dict[str, Any]) -> dict[str, Notation]:
    """Return how each resource is written in a pod first, which is how sums are told."""
    found: dict[str, Notation] = {}
    for field in ("containers", "initContainers"):
        for container in spec.get(field) or ():
            resources = container.get("resources") or {}
            for side in ("requests", "limits"):
                for name, amount in (resources.get(side) or {}).items():
                    if name not in found and name in nano_of({name: amount}):
                        found[name] = parse(amount).notation
    return found
