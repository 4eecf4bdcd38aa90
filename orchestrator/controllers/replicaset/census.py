"""The census: how many pods of each kind every ReplicaSet has, kept up to date event by event.

Counting 10,000 pods again at each of their events would cost their square. A pod is reduced to
five bits; an event moves the counters by the difference, and one that changes no bit (a pod was
bound) costs no reconciliation.
"""

from __future__ import annotations

from typing import Final

from orchestrator.controllers._pods import ready_since
from orchestrator.records import dataclass
from orchestrator.resources.objects import Object, meta
from orchestrator.resources.selectors import LabelSelector, label_selector, set_selector

ACTIVE: Final = 1
"""Neither terminal nor being deleted."""
READY: Final = 2
"""Active, and its Ready condition is True."""
LABELLED: Final = 4
"""Active, and it has every label of the template."""
TERMINATING: Final = 8
"""Being deleted, and not terminal yet."""
STRAY: Final = 16
"""Its labels no longer match the selector: to be released."""

_MEMO_LIMIT: Final = 256


@dataclass(frozen=True, slots=True)
class Counts:
    """The pods of one ReplicaSet in numbers.

    Attributes:
        active: Pods that count.
        ready: Of those, with a true Ready condition.
        labelled: Of those, with all labels of the template.
        available: Of those, ready for ``minReadySeconds``.
        terminating: Pods being deleted that may still run.
        next_available: Seconds until the next ready pod becomes available, None when all are.
    """

    active: int = 0
    ready: int = 0
    labelled: int = 0
    available: int = 0
    terminating: int = 0
    next_available: float | None = None


def selector_of(owner: Object) -> LabelSelector:
    """Return the selector of a ReplicaSet, or of a ReplicationController, which has a plain map."""
    selector = owner["spec"].get("selector")
    if owner.get("kind") == "ReplicationController":
        return set_selector(selector)
    return label_selector(selector)


class Members:
    """The pods that one ReplicaSet controls, by name."""

    def __init__(self, replica_set: Object) -> None:
        self.name: str = replica_set["metadata"]["name"]
        self.namespace: str = replica_set["metadata"]["namespace"]
        self.bits: dict[str, int] = {}
        self.active = self.ready = self.labelled = self.terminating = self.stray = 0
        self._template = replica_set["spec"].get("template")
        self._form = replica_set["spec"].get("selector")
        self._memo: dict[int, tuple[Object | None, int]] = {}
        self._conditions: list[Object] | None = None
        self._ready = 0
        self._selector: LabelSelector = selector_of(replica_set)
        self._wanted: dict[str, str] = meta(self._template or {}).get("labels") or {}

    def is_for(self, replica_set: Object) -> bool:
        """Tell whether the labels were judged by this state of the ReplicaSet."""
        spec = replica_set["spec"]
        if spec.get("selector") != self._form:
            return False
        template = spec.get("template")
        return template is self._template or (
            (meta(template or {}).get("labels") or {}) == self._wanted
        )

    @property
    def selector(self) -> LabelSelector:
        """Which pods are its own; a ReplicaSet's cannot change, a ReplicationController's can."""
        return self._selector

    def put(self, name: str, pod: Object) -> bool:
        """Count a pod as it now is; tell whether that changed a number."""
        bits = self._judge(pod)
        before = self.bits.get(name)
        if bits == before:
            return False
        self.bits[name] = bits
        if before:
            self._add(before, -1)
        self._add(bits, 1)
        return True

    def drop(self, name: str) -> bool:
        """Stop counting a pod; tell whether it was counted."""
        before = self.bits.pop(name, None)
        if before is None:
            return False
        self._add(before, -1)
        return True

    def _add(self, bits: int, sign: int) -> None:
        if bits & ACTIVE:
            self.active += sign
            if bits & READY:
                self.ready += sign
            if bits & LABELLED:
                self.labelled += sign
        elif bits & TERMINATING:
            self.terminating += sign
        if bits & STRAY:
            self.stray += sign

    def _judge(self, pod: Object) -> int:
        metadata = pod["metadata"]
        bits = self._judge_labels(metadata.get("labels"))
        status = pod.get("status")
        if status is None:
            return bits | (TERMINATING if "deletionTimestamp" in metadata else ACTIVE)
        if status.get("phase") in {"Succeeded", "Failed"}:
            return bits & ~LABELLED
        if "deletionTimestamp" in metadata:
            return (bits & ~LABELLED) | TERMINATING
        conditions = status.get("conditions")
        if conditions is not self._conditions:
            # Pods that were bound or became ready together share them: one look for all.
            self._conditions, self._ready = conditions, _readiness(conditions)
        return bits | ACTIVE | self._ready

    def _judge_labels(self, labels: dict[str, str] | None) -> int:
        # Pods of one template share one dictionary; the memo keeps it alive, so its id is its own.
        found = self._memo.get(id(labels))
        if found is not None:
            return found[1]
        present = labels or {}
        bits = 0 if self._selector.matches(present) else STRAY
        if self._wanted.items() <= present.items():
            bits |= LABELLED
        if len(self._memo) >= _MEMO_LIMIT:
            self._memo.clear()
        self._memo[id(labels)] = (labels, bits)
        return bits

    def names(self, bit: int) -> list[str]:
        """Return the names of the pods with a bit."""
        return [name for name, bits in self.bits.items() if bits & bit]


def _readiness(conditions: list[Object] | None) -> int:
    for condition in conditions or ():
        if condition["type"] == "Ready":
            return READY if condition["status"] == "True" else 0
    return 0


def count_available(
    ready: list[Object], min_ready_seconds: int, now: float
) -> tuple[int, float | None]:
    """Return how many ready pods are available, and in how many seconds the next one will be."""
    available = 0
    soonest: float | None = None
    for pod in ready:
        since = ready_since(pod)
        if since is None:
            continue
        left = since + min_ready_seconds - now
        if left <= 0:
            available += 1
        elif soonest is None or left < soonest:
            soonest = left
    return available, soonest
