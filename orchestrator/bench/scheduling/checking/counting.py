"""Pods counted by topology domain, for the rules about the pods around a pod."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from orchestrator.bench.scheduling.checking.selecting import selects
from orchestrator.resources.objects import Object, labels_of

Placed = tuple[Object, Object]
"""A pod and the node it is on."""


def identity(*parts: Any) -> bytes:
    """Return a key for a term: equal ones are counted together."""
    return orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)


class Domains:
    """How many pods of some kind there are for each value of a topology key."""

    def __init__(self, key: str, counts: Callable[[Object], bool]) -> None:
        """Begin with none.

        Args:
            key: The topology key; a pod on a node without it is not counted.
            counts: Tells whether a pod is of the kind.
        """
        self.key = key
        self._counts = counts
        self.pods: Counter[str] = Counter()

    def domain(self, node: Object) -> str | None:
        """Return the value of the key on a node."""
        return labels_of(node).get(self.key)

    def count(self, placed: Placed, sign: int) -> None:
        """Count a pod (1), or no longer (-1)."""
        pod, node = placed
        domain = self.domain(node)
        if domain is not None and self._counts(pod):
            self.pods[domain] += sign


def matches(
    term: Mapping[str, Any], owner: Object, namespaces: Mapping[str, Object], pod: Object
) -> bool:
    """Tell whether an affinity term of ``owner`` means ``pod``.

    Args:
        term: The term.
        owner: The pod that has it.
        namespaces: By name, for ``namespaceSelector``.
        pod: The other pod.
    """
    namespace = pod["metadata"].get("namespace")
    named, selected = term.get("namespaces") or (), term.get("namespaceSelector")
    if not named and selected is None:
        named = (owner["metadata"].get("namespace"),)
    if namespace not in named:
        found = namespaces.get(namespace or "")
        if selected is None or not selects(selected, labels_of(found) if found else {}):
            return False
    labels, own = labels_of(pod), labels_of(owner)
    for key in term.get("matchLabelKeys") or ():
        if key in own and labels.get(key) != own[key]:
            return False
    for key in term.get("mismatchLabelKeys") or ():
        if key in own and labels.get(key) == own[key]:
            return False
    return selects(term.get("labelSelector"), labels)
