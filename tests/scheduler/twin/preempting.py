"""DefaultPreemption: which pods would have to go, on which node, to make room."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from orchestrator.resources.selectors import label_selector
from tests.scheduler.twin.filtering import filter_all, histogram, judge
from tests.scheduler.twin.plugin import Rejection
from tests.scheduler.twin.snapshot import (
    DEFAULT_PROFILE,
    Object,
    Profile,
    Snapshot,
    find,
    labels,
    name,
    namespace,
    priority,
)


@dataclass(frozen=True)
class Candidate:
    """A node with the pods that would have to go.

    Attributes:
        victims: The most important first.
        violations: How many of them a PodDisruptionBudget would protect.
    """

    node: str
    victims: tuple[Object, ...]
    violations: int


@dataclass(frozen=True)
class Preemption:
    """What preemption can do for a pod.

    Attributes:
        candidates: Node → who would have to go there; empty where it does not help.
        best: The nodes that upstream's criteria leave; which of them is arbitrary.
        message: Where it does not help: why.
    """

    message: str
    candidates: dict[str, Candidate] = field(default_factory=dict)
    best: frozenset[str] = frozenset()


def preempt(snapshot: Snapshot, pod: Object, profile: Profile = DEFAULT_PROFILE) -> Preemption:
    """Look for victims on every node where that could help, for a pod that no node takes."""
    verdicts = filter_all(snapshot, pod, profile)
    refusal = why_not_eligible(snapshot, pod, verdicts)
    if refusal is not None:
        return Preemption(refusal)
    candidates: dict[str, Candidate] = {}
    reasons: list[str] = []
    for node in snapshot.nodes:
        verdict = verdicts[name(node)]
        if verdict is None or not verdict.resolvable:
            reasons.append("Preemption is not helpful for scheduling")
            continue
        found = select_victims(snapshot, pod, node, profile)
        if isinstance(found, Candidate):
            candidates[name(node)] = found
        else:
            reasons.extend(found)
    message = histogram(len(snapshot.nodes), reasons)
    return Preemption(message, candidates, pick(candidates.values()))


def why_not_eligible(
    snapshot: Snapshot, pod: Object, verdicts: dict[str, Rejection | None]
) -> str | None:
    """Return why a pod may not preempt: its policy, or victims that are still on their way out."""
    if pod["spec"].get("preemptionPolicy") == "Never":
        return "not eligible due to preemptionPolicy=Never."
    nominated = (pod.get("status") or {}).get("nominatedNodeName")
    node = find(snapshot.nodes, nominated) if nominated else None
    if node is None:
        return None
    verdict = verdicts[name(node)]
    if verdict is not None and not verdict.resolvable:
        return None
    if any(
        priority(other) < priority(pod) and is_being_preempted(other)
        for other in snapshot.pods_on(node)
    ):
        return "not eligible due to a terminating pod on the nominated node."
    return None


def is_being_preempted(pod: Object) -> bool:
    """Tell whether a pod is on its way out for a scheduler's sake."""
    if not pod["metadata"].get("deletionTimestamp"):
        return False
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "DisruptionTarget":
            return bool(
                condition["status"] == "True" and condition["reason"] == "PreemptionByScheduler"
            )
    return False


def select_victims(
    snapshot: Snapshot, pod: Object, node: Object, profile: Profile
) -> Candidate | Sequence[str]:
    """Return the fewest pods that have to leave a node, or the reasons why none would help.

    All less important pods are taken away; then as many as possible are let back in, first those
    that a budget protects, the most important first.
    """
    lesser = [other for other in snapshot.pods_on(node) if priority(other) < priority(pod)]
    if not lesser:
        return ["No preemption victims found for incoming pod"]
    rejection = judge(snapshot.without(lesser), pod, node, profile)
    if rejection is not None:
        return rejection.reasons
    lesser.sort(key=functools.cmp_to_key(compare_importance))
    protected, free = split_by_budget(lesser, snapshot.budgets)
    victims: list[Object] = []
    violations = 0
    returned: list[Object] = []
    for other in (*protected, *free):
        out = [one for one in lesser if one is not other and one not in returned]
        if judge(snapshot.without(out), pod, node, profile) is None:
            returned.append(other)
        else:
            victims.append(other)
            violations += other in protected
    victims.sort(key=functools.cmp_to_key(compare_importance))
    return Candidate(name(node), tuple(victims), violations)


def compare_importance(one: Object, other: Object) -> int:
    """Order pods: higher priority first, then those that have run for longer."""
    if priority(one) != priority(other):
        return priority(other) - priority(one)
    return (start(one) > start(other)) - (start(one) < start(other))


def start(pod: Object) -> str:
    """Return when a pod started, as text that sorts by time; one that did not starts last."""
    return (pod.get("status") or {}).get("startTime") or "9999"


def split_by_budget(
    pods: Iterable[Object], budgets: Sequence[Object]
) -> tuple[list[Object], list[Object]]:
    """Return the pods whose loss some PodDisruptionBudget does not allow, and the others."""
    left = [(budget.get("status") or {}).get("disruptionsAllowed") or 0 for budget in budgets]
    protected: list[Object] = []
    free: list[Object] = []
    for pod in pods:
        violated = False
        for index, budget in enumerate(budgets):
            selector = label_selector(budget["spec"].get("selector"))
            if (
                namespace(budget) != namespace(pod)
                or not labels(pod)
                or selector.empty
                or not selector.matches(labels(pod))
                or name(pod) in ((budget.get("status") or {}).get("disruptedPods") or {})
            ):
                continue
            left[index] -= 1
            violated = violated or left[index] < 0
        (protected if violated else free).append(pod)
    return protected, free


def pick(candidates: Iterable[Candidate]) -> frozenset[str]:
    """Return the nodes that are left when each criterion has kept the best of the one before."""
    left = list(candidates)
    criteria: tuple[Callable[[Candidate], int | str], ...] = (
        lambda one: -one.violations,
        lambda one: -priority(one.victims[0]),
        lambda one: -sum(priority(victim) + 2**31 for victim in one.victims),
        lambda one: -len(one.victims),
        earliest_start,
    )
    for criterion in criteria:
        if left:
            best = max(criterion(one) for one in left)
            left = [one for one in left if criterion(one) == best]
    return frozenset(one.node for one in left)


def earliest_start(candidate: Candidate) -> str:
    """Return when the first of the most important victims started; the later the better."""
    highest = priority(candidate.victims[0])
    return min(start(victim) for victim in candidate.victims if priority(victim) == highest)
