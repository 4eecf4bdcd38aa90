"""Which volumes a pod's unbound claims get if it goes to a node.

Source: ``FindPodVolumes`` of kube-scheduler's volume binder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from orchestrator.scheduler.core.volumes.claims import Wanted
from orchestrator.scheduler.core.volumes.supply import Supply

NO_VOLUME: Final = "node(s) didn't find available persistent volumes to bind"
NO_SPACE: Final = "node(s) did not have enough free storage"


class Choice(NamedTuple):
    """What the claims get.

    Attributes:
        volumes: The position of a claim, and the name of the volume it is to be bound to.
        provisions: The positions of claims whose volumes are to be made.
    """

    volumes: tuple[tuple[int, str], ...]
    provisions: tuple[int, ...]


def choose(
    wanted: Sequence[Wanted], node: str, labels: Mapping[str, str], supply: Supply
) -> Choice | str:
    """Choose volumes for all of a pod's unbound claims, or say why the node has none for them.

    Args:
        wanted: What the claims ask for, the smallest first: so each gets the smallest that fits.
        node: The name of the node.
        labels: Of the node.
        supply: Where to take them from.
    """
    provisions: list[int] = []
    open_claims: list[int] = []
    for position, claim in enumerate(wanted):
        selected = supply.node_of(claim)
        if not selected:
            open_claims.append(position)
        elif selected == node:
            provisions.append(position)
        else:
            return NO_VOLUME
    taken: set[str] = set()
    volumes: list[tuple[int, str]] = []
    for position in open_claims:
        volume = supply.find(wanted[position], labels, taken)
        if volume is None:
            provisions.append(position)
        else:
            taken.add(volume.name)
            volumes.append((position, volume.name))
    for position in provisions:
        reason = _why_not(wanted[position], labels, supply)
        if reason is not None:
            return reason
    return Choice(tuple(volumes), tuple(provisions))


def _why_not(wanted: Wanted, labels: Mapping[str, str], supply: Supply) -> str | None:
    """Say why no volume can be made for a claim; None if one can."""
    found = supply.classes.get(wanted.storage_class)
    if found is None or not found.provisions or not found.reaches(labels):
        return NO_VOLUME
    if wanted.size is None or found.provisioner not in supply.tracked:
        return None
    capacities = supply.capacities.get(found.name)
    enough = capacities is not None and capacities.suffice(wanted.size, labels)
    return None if enough else NO_SPACE
