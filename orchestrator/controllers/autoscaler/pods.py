"""The pods that a selector selects, without a look at all others.

Autoscalers look every few seconds, and a namespace may hold ten thousand pods of others. The index
follows the pods, but works only when it is asked: without an autoscaler it is not even made.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources.objects import Key, Object, labels_of
from orchestrator.resources.selectors import LabelSelector
from orchestrator.store import Expired, Follower, Store

_BATCH: Final = 1000
_PODS: Final = "pods"

_Pair = tuple[str, str, str]
"""A namespace, and a label with its value there."""


class PodIndex:
    """Pods by those labels that selectors ask for."""

    def __init__(self, store: Store) -> None:
        """Follow the pods of ``store``."""
        self._store = store
        self._keys: set[str] = set()
        self._names: dict[_Pair, dict[str, None]] = {}
        self._changed = False
        self._follower: Follower = store.follow([_PODS], self._note)

    def close(self) -> None:
        """Stop following."""
        self._follower.close()

    def select(self, namespace: str, selector: LabelSelector) -> list[Object]:
        """Return the pods of a namespace that a selector selects, by name."""
        pair = next(iter(selector.equalities.items()), None)
        if pair is None:
            return self._store.list(_PODS, namespace, labels=selector)
        key, value = pair
        if key not in self._keys:
            self._keys.add(key)
            self._rebuild()
        else:
            self._catch_up()
        found = []
        for name in sorted(self._names.get((namespace, key, value), ())):
            pod = self._store.get(_PODS, namespace, name)
            if pod is not None and selector.matches(labels_of(pod)):
                found.append(pod)
        return found

    def _note(self) -> None:
        self._changed = True

    def _catch_up(self) -> None:
        try:
            while self._changed:
                self._changed = False
                for event in self._follower.take(_BATCH):
                    before = None if event.previous is None else labels_of(event.previous)
                    after = labels_of(event.object)
                    if event.type == "MODIFIED" and before is after:
                        continue
                    if before:
                        self._drop(event.key, before)
                    if event.type == "DELETED":
                        self._drop(event.key, after)
                    else:
                        self._put(event.key, after)
        except Expired:
            self._rebuild()

    def _rebuild(self) -> None:
        self._follower.close()
        self._follower = self._store.follow([_PODS], self._note)
        self._changed = False
        self._names = {}
        for pod in self._store.each(_PODS):
            metadata = pod["metadata"]
            self._put(Key(_PODS, metadata["namespace"], metadata["name"]), labels_of(pod))

    def _put(self, key: Key, labels: dict[str, str]) -> None:
        for label in self._keys & labels.keys():
            self._names.setdefault((key.namespace, label, labels[label]), {})[key.name] = None

    def _drop(self, key: Key, labels: dict[str, str]) -> None:
        for label in self._keys & labels.keys():
            pair = (key.namespace, label, labels[label])
            names = self._names.get(pair)
            if names is not None:
                names.pop(key.name, None)
                if not names:
                    del self._names[pair]
