"""PodDisruptionBudgets as preemption sees them: whose removal would break a promise.

Source of the rules: ``filterPodsWithPDBViolation`` in kube-scheduler's DefaultPreemption. A budget
is asked, not obeyed: preemption prefers victims that break none, and breaks one where it must.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from orchestrator.resources.objects import Key, spec_of, status_of
from orchestrator.resources.selectors import NOTHING, LabelSelector, SelectorError, label_selector
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.pods import PodState


class Budget(NamedTuple):
    """One PodDisruptionBudget.

    Attributes:
        namespace: Where its pods are.
        selector: Which pods are its own; one without requirements has none.
        allowed: ``status.disruptionsAllowed``, not less than 0.
        disrupted: Names of pods whose eviction the API server has let through already.
    """

    namespace: str
    selector: LabelSelector
    allowed: int
    disrupted: frozenset[str]

    def covers(self, pod: PodClass) -> bool:
        """Tell whether pods of a class are the budget's own."""
        return (
            pod.namespace == self.namespace
            and bool(pod.labels)
            and not self.selector.empty
            and self.selector.matches(pod.labels)
        )


def budget_of(budget: Mapping[str, Any]) -> Budget:
    """Parse a PodDisruptionBudget; one whose selector cannot be read covers nothing."""
    try:
        selector = label_selector(spec_of(budget).get("selector"))
    except SelectorError:
        selector = NOTHING
    status = status_of(budget)
    return Budget(
        budget["metadata"].get("namespace") or "",
        selector,
        max(0, status.get("disruptionsAllowed") or 0),
        frozenset(status.get("disruptedPods") or ()),
    )


class Budgets:
    """All budgets, with those of each pod class remembered.

    Attributes:
        revision: Grows when the answer of `split` may have changed.
    """

    def __init__(self) -> None:
        self.revision = 0
        self._budgets: dict[Key, Budget] = {}
        self._covering: dict[PodClass, tuple[Key, ...]] = {}

    def put(self, key: Key, budget: Mapping[str, Any]) -> None:
        """Take over a new or changed budget."""
        new, old = budget_of(budget), self._budgets.get(key)
        if new == old:
            return
        self._budgets[key] = new
        self.revision += 1
        if old is None or new.selector != old.selector:
            self._covering.clear()

    def remove(self, key: Key) -> None:
        """Forget a budget."""
        if self._budgets.pop(key, None) is not None:
            self.revision += 1
            self._covering.clear()

    def split(self, pods: Sequence[PodState]) -> tuple[Sequence[PodState], Sequence[PodState]]:
        """Tell apart the pods whose removal breaks a budget, and the others; both keep their order.

        Args:
            pods: In the order in which they spend what the budgets allow.
        """
        if not self._budgets:
            return (), pods
        spent: dict[Key, int] = {}
        violating: list[PodState] = []
        others: list[PodState] = []
        for pod in pods:
            violates = False
            for key in self._budgets_of(pod.pod_class):
                budget = self._budgets[key]
                if pod.key.name in budget.disrupted:
                    continue
                spent[key] = spent.get(key, 0) + 1
                violates = violates or spent[key] > budget.allowed
            (violating if violates else others).append(pod)
        return violating, others

    def _budgets_of(self, pod: PodClass) -> Iterable[Key]:
        known = self._covering.get(pod)
        if known is None:
            if len(self._covering) >= 4096:
                self._covering.clear()
            known = self._covering[pod] = tuple(
                key for key, budget in self._budgets.items() if budget.covers(pod)
            )
        return known
