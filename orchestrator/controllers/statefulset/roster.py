"""What the controller remembers of one StatefulSet: its row of pods, and whom to judge anew. Pure.

Events say only whose turn it is; what a pod is now is looked up when it is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from orchestrator.controllers._owners import controller_uid
from orchestrator.controllers.statefulset.census import Member, judge
from orchestrator.controllers.statefulset.identity import (
    claim_names,
    claim_templates,
    corrected,
    first_ordinal,
    parse_pod_name,
)
from orchestrator.controllers.statefulset.retention import owned_claim
from orchestrator.controllers.statefulset.row import Row, Terms
from orchestrator.resources.objects import Key, Object, is_deleting, spec_of, uid_of
from orchestrator.resources.selectors import LabelSelector, label_selector

Find = Callable[[str], Object | None]
"""Returns an object of the namespace by its name, None when there is none."""


class Roster:
    """The pods of one StatefulSet.

    Attributes:
        key: The StatefulSet's.
        selector: Its ``spec.selector``, which cannot change.
        row: Its pods, as of the last `judge`.
        strangers: Pods that it controls and that are not its own by name or labels.
        revisions: Names of ControllerRevisions that it controls, or once did.
    """

    def __init__(self, key: Key, stateful_set: Object, pods: Iterable[str]) -> None:
        """Begin with the names of the pods that have an owner reference to the set."""
        self.key = key
        self.selector: LabelSelector = label_selector(spec_of(stateful_set).get("selector"))
        self.row = Row(Terms(0, 0, 0), lambda _member, _condemned: True)
        self.strangers: dict[str, Object] = {}
        self.revisions: dict[str, None] = {}
        self._uid = uid_of(stateful_set)
        self._spec: Object | None = None
        self._touched = dict.fromkeys(pods)

    def touch(self, pod: str) -> None:
        """Have a pod judged anew at the next look: it, or a claim of it, may have changed."""
        self._touched[pod] = None

    def judge(self, stateful_set: Object, pod: Find, claim: Find, now: float) -> None:
        """Bring the row up to date: pods that were touched, and those whose time has come.

        Args:
            stateful_set: As committed; with another spec than before all pods are judged.
            pod: Finds pods.
            claim: Finds claims.
            now: Wall seconds.
        """
        spec = spec_of(stateful_set)
        if spec is not self._spec:
            self._spec = spec
            terms = Terms(
                first_ordinal(stateful_set),
                spec.get("replicas", 1),
                spec.get("minReadySeconds") or 0,
            )
            members = self.row.members()
            self.row = Row(terms, fitting(stateful_set, claim))
            for member in members:
                self.row.put(member, now)
        touched, self._touched = self._touched, {}
        for name in touched:
            self._judge_pod(name, pod(name), now)
        self.row.ripen(now)

    def _judge_pod(self, name: str, pod: Object | None, now: float) -> None:
        self.strangers.pop(name, None)
        if pod is not None and controller_uid(pod) == self._uid:
            member = judge(pod, self.key.name, self.selector)
            if member.matches:
                self.row.put(member, now)
                return
            self.strangers[name] = pod
        parsed = parse_pod_name(name)
        if parsed is not None and parsed[0] == self.key.name:
            self.row.drop(parsed[1])


def fitting(stateful_set: Object, find: Find) -> Callable[[Member, bool], bool]:
    """Return what tells whether a pod of the set is as it should be, but for its state."""
    has_claims = bool(claim_templates(stateful_set))

    def fits(member: Member, condemned: bool) -> bool:  # of a callback
        if not condemned and not (has_claims or member.named):
            return False
        if not has_claims:
            return True
        if not condemned and corrected(stateful_set, member.pod, member.ordinal) is not None:
            return False
        for name in claim_names(stateful_set, member.ordinal):
            claim = find(name)
            if claim is None or is_deleting(claim):
                continue
            if owned_claim(claim, stateful_set, member.pod, condemned=condemned) is not claim:
                return False
        return True

    return fits


def pod_of_claim(claim: str, stateful_set: str) -> str | None:
    """Return the pod that a claim would be for if it were this StatefulSet's; None if it can't be.

    Args:
        claim: The name of the claim, ``TEMPLATE-SET-ORDINAL``.
        stateful_set: The name of the set.
    """
    parsed = parse_pod_name(claim)
    if parsed is None or not parsed[0].endswith(f"-{stateful_set}"):
        return None
    return f"{stateful_set}-{parsed[1]}"
