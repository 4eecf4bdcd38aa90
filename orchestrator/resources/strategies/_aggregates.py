"""What the containers of a pod ask for together.

Source: AggregateContainerRequests in k8s.io/component-helpers/resource.
"""

from __future__ import annotations

from orchestrator.resources.quantities import Quantity, parse
from orchestrator.resources.strategies._sharing import Part


def requested_together(spec: Part) -> dict[str, Quantity]:
    """Return the most that all containers of a pod ask for at the same time.

    Raises:
        QuantityError: An amount is none.
    """
    total: dict[str, Quantity] = {}
    for container in spec.get("containers") or ():
        _add(total, _requests(container))
    beside: dict[str, Quantity] = {}
    peak: dict[str, Quantity] = {}
    for container in spec.get("initContainers") or ():
        asked = _requests(container)
        if container.get("restartPolicy") == "Always":
            _add(total, asked)
            _add(beside, asked)
            asked = {}
        at_once = dict(beside)
        _add(at_once, asked)
        _raise(peak, at_once)
    _raise(total, peak)
    return total


def _requests(container: Part) -> dict[str, Quantity]:
    given = (container.get("resources") or {}).get("requests") or {}
    return {name: parse(amount) for name, amount in given.items()}


def _add(total: dict[str, Quantity], more: dict[str, Quantity]) -> None:
    for name, amount in more.items():
        held = total.get(name)
        total[name] = amount if held is None else Quantity(held.nano + amount.nano, held.notation)


def _raise(most: dict[str, Quantity], other: dict[str, Quantity]) -> None:
    for name, amount in other.items():
        held = most.get(name)
        if held is None or amount.nano > held.nano:
            most[name] = amount
