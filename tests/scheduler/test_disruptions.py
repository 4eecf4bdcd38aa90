"""PodDisruptionBudgets, as preemption asks them."""

from __future__ import annotations

from typing import Any

from orchestrator.resources.objects import Key
from orchestrator.scheduler.core import PodClass, PodState
from orchestrator.scheduler.core.disruptions import Budgets

Object = dict[str, Any]
WEB = PodClass({"containers": []}, "default", {"app": "web"})
ELSEWHERE = PodClass({"containers": []}, "elsewhere", {"app": "web"})
PLAIN = PodClass({"containers": []}, "default")


def pods(*classes: PodClass) -> list[PodState]:
    """Make pods named by their number."""
    return [
        PodState(str(number), Key("pods", pod.namespace, str(number)), pod)
        for number, pod in enumerate(classes)
    ]


def budget(allowed: int, selector: Object | None, *disrupted: str) -> Object:
    """Make a PodDisruptionBudget of the default namespace."""
    return {
        "metadata": {"name": "b", "namespace": "default"},
        "spec": {"selector": selector},
        "status": {"disruptionsAllowed": allowed, "disruptedPods": dict.fromkeys(disrupted, "")},
    }


def split(item: Object, *classes: PodClass) -> tuple[list[str], list[str]]:
    """Return the numbers of protected pods and of the others."""
    budgets = Budgets()
    budgets.put(Key("poddisruptionbudgets.policy", "default", "b"), item)
    protected, others = budgets.split(pods(*classes))
    return [pod.uid for pod in protected], [pod.uid for pod in others]


APP_WEB = {"matchLabels": {"app": "web"}}


def test_a_budget_is_spent_by_its_own_pods_in_order() -> None:
    """Pods of another namespace or without labels are nobody's; those evicted already are free."""
    classes = (WEB, ELSEWHERE, PLAIN, WEB, WEB)
    assert split(budget(1, APP_WEB), *classes) == (["3", "4"], ["0", "1", "2"])
    assert split(budget(1, APP_WEB, "0"), *classes) == (["4"], ["0", "1", "2", "3"])
    assert split(budget(-1, APP_WEB), *classes) == (["0", "3", "4"], ["1", "2"])


def test_a_selector_that_selects_everything_or_cannot_be_read_protects_nobody() -> None:
    """Upstream treats an empty selector as one that matches nothing here."""
    nonsense = {"matchExpressions": [{"key": "app", "operator": "Near", "values": ["web"]}]}
    for selector in (None, {}, nonsense):
        assert split(budget(0, selector), WEB) == ([], ["0"])


def test_only_a_change_that_matters_is_one() -> None:
    """What was found out stays valid while a budget's other fields change."""
    budgets, key = Budgets(), Key("poddisruptionbudgets.policy", "default", "b")
    budgets.put(key, budget(1, APP_WEB))
    before = budgets.revision
    budgets.put(
        key, {**budget(1, APP_WEB), "metadata": {"name": "b", "namespace": "default", "x": 1}}
    )
    assert budgets.revision == before
    budgets.put(key, budget(0, APP_WEB))
    assert budgets.revision > before
    assert budgets.split(pods(WEB))[0]
    budgets.remove(key)
    assert not budgets.split(pods(WEB))[0]
