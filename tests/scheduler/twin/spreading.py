"""PodTopologySpread: pods of one kind in equal numbers over zones, hosts, racks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from orchestrator.resources.selectors import LabelSelector, Requirement, label_selector
from tests.scheduler.twin.nodes import has_untolerated, is_selected
from tests.scheduler.twin.plugin import Plugin, Rejection
from tests.scheduler.twin.snapshot import (
    HOSTNAME,
    SYSTEM_CONSTRAINTS,
    Object,
    find,
    labels,
    name,
    namespace,
)

UNEVEN = "node(s) didn't match pod topology spread constraints"


class Constraint(NamedTuple):
    """A constraint with the pods it counts."""

    form: Object
    selector: LabelSelector

    @property
    def key(self) -> str:
        """The topology key."""
        return str(self.form["topologyKey"])


class PodTopologySpread(Plugin):
    """Hard constraints reject nodes in crowded domains, soft ones prefer those in empty ones."""

    name = "PodTopologySpread"

    def filter(self, node: Object) -> Rejection | None:
        constraints = self._constraints("DoNotSchedule")
        for constraint in constraints:
            domain = labels(node).get(constraint.key)
            if domain is None:
                return self.rejection(f"{UNEVEN} (missing required label)", resolvable=False)
            counts = self._domains(constraint, constraints)
            least = min(counts.values(), default=math.inf)
            if len(counts) < (constraint.form.get("minDomains") or 1):
                least = 0
            itself = constraint.selector.matches(labels(self.pod))
            if counts.get(domain, 0) + itself - least > constraint.form["maxSkew"]:
                return self.rejection(UNEVEN, resolvable=True)
        return None

    def scores(self, feasible: Sequence[Object]) -> dict[str, int] | None:
        constraints = self._constraints("ScheduleAnyway")
        if not constraints:
            return None
        # The system's own constraints also work where nodes have no zone.
        need_all = bool(self._own()) or self.profile.default_constraints is not None
        scored = [node for node in feasible if not need_all or has_all(node, constraints)]
        raw = {name(node): self._score(node, scored, constraints, need_all) for node in scored}
        highest, lowest = max(raw.values(), default=0), min(raw.values(), default=0)
        result = dict.fromkeys(map(name, feasible), 0)
        for node, score in raw.items():
            result[node] = 100 * (highest + lowest - score) // highest if highest else 100
        return result

    def _score(
        self,
        node: Object,
        scored: Sequence[Object],
        constraints: Sequence[Constraint],
        need_all: bool,
    ) -> int:
        """Return the pods in the node's domains, weighed by how many domains there are."""
        total = 0.0
        for constraint in constraints:
            domain = labels(node).get(constraint.key)
            if domain is None:
                continue
            if constraint.key == HOSTNAME:
                size = len(scored)
                count = self._count(node, constraint)
            else:
                size = len({labels(other).get(constraint.key) or "" for other in scored})
                count = sum(
                    self._count(other, constraint)
                    for other in self.snapshot.nodes
                    if labels(other).get(constraint.key) == domain
                    and (not need_all or has_all(other, constraints))
                    and self._includes(other, constraint)
                )
            weight = math.log(float(size + 2))
            total += float(count) * weight + float(constraint.form["maxSkew"] - 1)
        return math.floor(total + 0.5)

    def _domains(self, constraint: Constraint, constraints: Sequence[Constraint]) -> dict[str, int]:
        """Count the pods in each domain that there is a fitting node of."""
        counts: dict[str, int] = {}
        for node in self.snapshot.nodes:
            if has_all(node, constraints) and self._includes(node, constraint):
                domain = labels(node)[constraint.key]
                counts[domain] = counts.get(domain, 0) + self._count(node, constraint)
        return counts

    def _includes(self, node: Object, constraint: Constraint) -> bool:
        """Tell whether the constraint's policies let a node count."""
        if (constraint.form.get("nodeAffinityPolicy") or "Honor") == "Honor" and not is_selected(
            node, self.pod
        ):
            return False
        return (constraint.form.get("nodeTaintsPolicy") or "Ignore") == "Ignore" or (
            not has_untolerated(node, self.pod)
        )

    def _count(self, node: Object, constraint: Constraint) -> int:
        """Count a node's pods that the constraint is about; those on their way out are not."""
        return sum(
            namespace(pod) == namespace(self.pod)
            and not pod["metadata"].get("deletionTimestamp")
            and constraint.selector.matches(labels(pod))
            for pod in self.snapshot.pods_on(node)
        )

    def _own(self) -> Sequence[Object]:
        return self.pod["spec"].get("topologySpreadConstraints") or ()

    def _constraints(self, action: str) -> list[Constraint]:
        """Return the pod's constraints of one action; the profile's if it has none at all."""
        if self._own():
            return [
                Constraint(form, self._selector(form))
                for form in self._own()
                if form["whenUnsatisfiable"] == action
            ]
        forms = self.profile.default_constraints
        if forms is None:
            forms = SYSTEM_CONSTRAINTS
        selector = self.default_selector()
        if selector.empty:
            return []
        return [Constraint(form, selector) for form in forms if form["whenUnsatisfiable"] == action]

    def _selector(self, form: Object) -> LabelSelector:
        """Return a constraint's selector, narrowed to pods like this one by matchLabelKeys."""
        selector = label_selector(form.get("labelSelector"))
        own = labels(self.pod)
        keys = [key for key in form.get("matchLabelKeys") or () if key in own]
        if not keys:
            return selector
        same = [Requirement(key, "in", (own[key],)) for key in keys]
        return LabelSelector([*same, *selector.requirements])

    def default_selector(self) -> LabelSelector:
        """Return what the pod's services and its controller select; empty if there are none."""
        own, snapshot = labels(self.pod), self.snapshot
        equal: dict[str, str] = {}
        for service in snapshot.services:
            wanted = service["spec"].get("selector") or {}
            if namespace(service) == namespace(self.pod) and wanted.items() <= own.items():
                equal.update(wanted)
        rest: list[Requirement] = []
        for owner in self.pod["metadata"].get("ownerReferences") or ():
            if not owner.get("controller"):
                continue
            match owner["apiVersion"], owner["kind"]:
                case "v1", "ReplicationController":
                    found = find(snapshot.controllers, owner["name"], namespace(self.pod))
                    equal.update((found or {"spec": {}})["spec"].get("selector") or {})
                case "apps/v1", "ReplicaSet":
                    found = find(snapshot.replica_sets, owner["name"], namespace(self.pod))
                    rest += requirements(found)
                case "apps/v1", "StatefulSet":
                    found = find(snapshot.stateful_sets, owner["name"], namespace(self.pod))
                    rest += requirements(found)
                case _:
                    pass
        return LabelSelector(
            [*(Requirement(key, "=", (value,)) for key, value in equal.items()), *rest]
        )


def requirements(workload: Object | None) -> list[Requirement]:
    """Return what a workload's selector asks for."""
    if workload is None or workload["spec"].get("selector") is None:
        return []
    return list(label_selector(workload["spec"]["selector"]).requirements)


def has_all(node: Object, constraints: Sequence[Constraint]) -> bool:
    """Tell whether a node has every topology key."""
    return all(constraint.key in labels(node) for constraint in constraints)
