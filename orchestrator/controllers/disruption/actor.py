"""The disruption controller: keeps every budget's status, and clears marks that came to nothing."""

from __future__ import annotations

from orchestrator.controllers.controller import Controller
from orchestrator.controllers.disruption.census import Covered
from orchestrator.controllers.disruption.core import (
    PODS,
    decide_budget,
    decide_stale_target,
    is_marked,
)
from orchestrator.controllers.disruption.scales import expected_pods
from orchestrator.controllers.plans import Plan
from orchestrator.resources.disruptions import BUDGETS
from orchestrator.resources.objects import Key, Object, spec_of
from orchestrator.resources.selectors import NOTHING, SelectorError, label_selector
from orchestrator.store import ObjectEvent


class DisruptionController(Controller[Key]):
    """Counts the pods of every PodDisruptionBudget and says how many may be evicted.

    A budget is decided about as it was at the place of the log up to which its pods are counted,
    and written only if it is still the same. Every eviction changes it. So no decision can give
    back what an eviction spent meanwhile.
    """

    resources = (BUDGETS, PODS)

    def reset(self) -> None:
        """Forget all budgets and what was counted."""
        self._budgets: dict[str, dict[str, Covered]] = {}

    # -- events ----------------------------------------------------------------------------

    def observe(self, event: ObjectEvent) -> None:
        """Count a pod where a budget selects it, or take note of a budget."""
        if event.key[0] == BUDGETS:
            self._observe_budget(event)
            return
        _, namespace, name = event.key
        pod = event.object
        before = event.previous
        reported = before is None or before.get("status") is not pod.get("status")
        if reported and event.type != "DELETED" and is_marked(pod):
            self.queue.mark(event.key)
        budgets = self._budgets.get(namespace)
        if not budgets:
            return
        for at, covered in budgets.items():
            changed = covered.drop(name) if event.type == "DELETED" else covered.put(name, pod)
            if changed:
                self.queue.mark(Key(BUDGETS, namespace, at))

    def _observe_budget(self, event: ObjectEvent) -> None:
        _, namespace, name = event.key
        self.queue.mark(event.key)
        budgets = self._budgets.setdefault(namespace, {})
        if event.type == "DELETED":
            budgets.pop(name, None)
            if not budgets:
                del self._budgets[namespace]
            return
        budget = event.object
        covered = budgets.get(name)
        if covered is not None and (
            spec_of(covered.budget).get("selector") == spec_of(budget).get("selector")
        ):
            covered.budget = budget
            return
        try:
            selector = label_selector(spec_of(budget).get("selector"))
        except SelectorError:
            selector = NOTHING
        covered = budgets[name] = Covered(budget, selector)
        for pod in self.store.list(PODS, namespace):
            covered.put(pod["metadata"]["name"], pod)

    # -- decisions -------------------------------------------------------------------------

    def reconcile(self, key: Key, now: float) -> Plan | None:
        """Decide about one budget, or one pod's mark."""
        _, namespace, name = key
        if key.resource == PODS:
            pod = self.store.get(*key)
            return None if pod is None else decide_stale_target(pod, now)
        covered = self._budgets.get(namespace, {}).get(name)
        if covered is None:
            return None

        def pod_of(pod: str) -> Object | None:
            return self.store.get(PODS, namespace, pod)

        def expected() -> int:
            return expected_pods(self.store, namespace, covered.controllers())

        return decide_budget(covered.budget, covered.counts(), expected, pod_of, now)
