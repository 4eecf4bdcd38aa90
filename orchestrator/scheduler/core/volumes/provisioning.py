"""Volumes that do not exist yet: StorageClasses, and what CSI drivers say they have room for.

Source of the rules: ``checkVolumeProvisions`` and ``hasEnoughCapacity`` of the volume binder, and
``MatchTopologySelectorTerms``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from orchestrator.resources.objects import name_of
from orchestrator.resources.quantities import parse
from orchestrator.resources.selectors import LabelSelector, SelectorError, label_selector

NO_PROVISIONER: Final = "kubernetes.io/no-provisioner"
_TopologyTerm = tuple[tuple[str, frozenset[str]], ...]


class StorageClass(NamedTuple):
    """A StorageClass.

    Attributes:
        name: Its name.
        provisioner: Who makes its volumes.
        delays: Claims wait for their first pod (WaitForFirstConsumer).
        topologies: Volumes can only be made for nodes that one of these terms selects: one of
            the values for each label. None for all nodes.
    """

    name: str
    provisioner: str
    delays: bool
    topologies: tuple[_TopologyTerm, ...] | None

    @property
    def provisions(self) -> bool:
        """Whether volumes of this class are made when they are asked for."""
        return self.provisioner not in {"", NO_PROVISIONER}

    def reaches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether volumes can be made for a node with these labels."""
        return self.topologies is None or any(
            all(labels.get(key) in values for key, values in term) for term in self.topologies
        )


def storage_class(obj: Mapping[str, Any]) -> StorageClass:
    """Read a StorageClass."""
    terms = obj.get("allowedTopologies")
    return StorageClass(
        name=name_of(obj),
        provisioner=obj.get("provisioner") or "",
        delays=obj.get("volumeBindingMode") == "WaitForFirstConsumer",
        topologies=None if not terms else tuple(term for form in terms if (term := _term(form))),
    )


class Capacity(NamedTuple):
    """What a driver can make in one part of the cluster (a CSIStorageCapacity).

    Attributes:
        key: Its namespace and name.
        storage_class: For volumes of this class.
        limit: The largest volume, in units of 10^-9 bytes; negative where none is told.
        selector: The nodes that can reach it; None for none.
    """

    key: tuple[str, str]
    storage_class: str
    limit: int
    selector: LabelSelector | None


def capacity_of(obj: Mapping[str, Any]) -> Capacity:
    """Read a CSIStorageCapacity; the largest volume is a more precise limit than the sum."""
    limit = obj.get("maximumVolumeSize")
    if limit is None:
        limit = obj.get("capacity")
    form = obj.get("nodeTopology")
    try:
        selector = None if form is None else label_selector(form)
    except SelectorError:  # validation lets none through
        selector = None
    metadata = obj["metadata"]
    return Capacity(
        key=(metadata.get("namespace") or "", metadata["name"]),
        storage_class=obj.get("storageClassName") or "",
        limit=-1 if limit is None else parse(limit).nano,
        selector=selector,
    )


class Capacities:
    """What is known of one class, found by the labels of a node.

    Drivers tell of each node or zone by itself, so that a look at one node should not be a look
    at all of them.
    """

    def __init__(self) -> None:
        self._all: dict[tuple[str, str], Capacity] = {}
        self._by_label: dict[tuple[str, str], dict[tuple[str, str], Capacity]] = {}
        self._keys: dict[str, int] = {}
        self._others: dict[tuple[str, str], Capacity] = {}

    def __bool__(self) -> bool:
        return bool(self._all)

    def put(self, capacity: Capacity) -> None:
        """Take over one, in place of what stood under its key."""
        self.remove(capacity.key)
        self._all[capacity.key] = capacity
        if capacity.selector is None or capacity.limit < 0:
            return
        label = next(iter(capacity.selector.equalities.items()), None)
        if label is None:
            self._others[capacity.key] = capacity
        else:
            self._by_label.setdefault(label, {})[capacity.key] = capacity
            self._keys[label[0]] = self._keys.get(label[0], 0) + 1

    def remove(self, key: tuple[str, str]) -> None:
        """Forget one."""
        known = self._all.pop(key, None)
        if known is None or self._others.pop(key, None) is not None or known.selector is None:
            return
        label = next(iter(known.selector.equalities.items()), None)
        if label is None or key not in (shelf := self._by_label.get(label, {})):
            return
        del shelf[key]
        if not shelf:
            del self._by_label[label]
        self._keys[label[0]] -= 1
        if not self._keys[label[0]]:
            del self._keys[label[0]]

    def suffice(self, size: int, labels: Mapping[str, str]) -> bool:
        """Tell whether some part that a node with these labels reaches has room for a volume."""
        near = (
            self._by_label.get((key, value), {})
            for key in self._keys
            if (value := labels.get(key)) is not None
        )
        return any(_any_has(found, size, labels) for found in (self._others, *near))


def _any_has(
    capacities: Mapping[tuple[str, str], Capacity], size: int, labels: Mapping[str, str]
) -> bool:
    return any(
        capacity.limit >= size
        and capacity.selector is not None
        and capacity.selector.matches(labels)
        for capacity in capacities.values()
    )


def _term(form: Mapping[str, Any]) -> _TopologyTerm:
    """Read one topology term; one without expressions selects nothing, and is left out."""
    return tuple(
        (expression.get("key") or "", frozenset(expression.get("values") or ()))
        for expression in form.get("matchLabelExpressions") or ()
    )
