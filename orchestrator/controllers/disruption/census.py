"""The pods of one budget, counted event by event.

Counting all pods of a budget at each of their events would cost the square of their number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from orchestrator.controllers._pods import is_ready
from orchestrator.controllers.disruption.core import Healthy
from orchestrator.resources.objects import Object, controller_of, is_deleting
from orchestrator.resources.selectors import LabelSelector

_MEMO_LIMIT: Final = 256

_DELETING: Final = 1
_HEALTHY: Final = 2


class Covered:
    """The pods that one budget selects.

    Attributes:
        budget: As observed last.
        selector: Its parsed selector.
    """

    def __init__(self, budget: Object, selector: LabelSelector) -> None:
        self.budget = budget
        self.selector = selector
        self._pods: dict[str, tuple[int, str]] = {}
        self._healthy = 0
        # Controller's uid -> reference to it, and the names of its pods as an ordered set.
        self._owned: dict[str, tuple[Object, dict[str, None]]] = {}
        self._memo: dict[int, tuple[Mapping[str, str] | None, bool]] = {}

    def put(self, name: str, pod: Object) -> bool:
        """Count a pod as it now is; tell whether that changed anything."""
        if not self._selects(pod["metadata"].get("labels")):
            return self.drop(name)
        state = _DELETING if is_deleting(pod) else _HEALTHY if is_ready(pod) else 0
        reference = controller_of(pod)
        uid: str = reference.get("uid", "") if reference else ""
        new = (state, uid)
        before = self._pods.get(name)
        if new == before:
            return False
        if before is not None:
            self.drop(name)
        self._pods[name] = new
        self._healthy += state == _HEALTHY
        if reference:
            self._owned.setdefault(uid, (reference, {}))[1][name] = None
        return True

    def drop(self, name: str) -> bool:
        """Stop counting a pod; tell whether it was counted."""
        before = self._pods.pop(name, None)
        if before is None:
            return False
        self._healthy -= before[0] == _HEALTHY
        owned = self._owned.get(before[1])
        if owned is not None:
            del owned[1][name]
            if not owned[1]:
                del self._owned[before[1]]
        return True

    def _selects(self, labels: Mapping[str, str] | None) -> bool:
        # Pods of one template share one dictionary; the memo keeps it alive, so its id is its own.
        found = self._memo.get(id(labels))
        if found is not None:
            return found[1]
        matches = self.selector.matches(labels)
        if len(self._memo) >= _MEMO_LIMIT:
            self._memo.clear()
        self._memo[id(labels)] = (labels, matches)
        return matches

    def counts(self) -> Healthy:
        """Return the pods in numbers, with what became of those that were evicted."""
        evicted = (self.budget.get("status") or {}).get("disruptedPods") or {}
        disrupted = {
            name: pod[0] == _HEALTHY
            for name in evicted
            if (pod := self._pods.get(name)) is not None and pod[0] != _DELETING
        }
        return Healthy(len(self._pods), self._healthy, disrupted)

    def controllers(self) -> Iterator[tuple[Object, str]]:
        """Yield the reference to each controller of the pods, with the name of one of its pods."""
        for reference, names in self._owned.values():
            yield reference, next(iter(names))
