"""Goes through a run's history in order and looks at each binding as it was made.

A rule that held when a pod was bound may not hold at the end, and the other way round; so each is
looked at in its moment: what is on the node, what is in the domain, which nodes there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from orchestrator.bench.scheduling.checking.counting import Domains, Placed, identity, matches
from orchestrator.bench.scheduling.checking.demands import (
    Amounts,
    claims_of,
    clash,
    ports_of,
    room_of,
    taken_by,
)
from orchestrator.bench.scheduling.checking.selecting import selects, takes, untolerated, wants
from orchestrator.bench.scheduling.history import Change, PodName, name_of_pod
from orchestrator.resources.objects import Object, labels_of, name_of, namespace_of

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


class Violation(NamedTuple):
    """A rule that a binding broke."""

    pod: PodName
    rule: str
    what: str

    def __str__(self) -> str:
        return f"pod {'/'.join(self.pod)} breaks {self.rule}: {self.what}"


class Surroundings(NamedTuple):
    """Objects that rules refer to.

    Attributes:
        namespaces: By name.
        volumes: PersistentVolumes by name.
        claims: PersistentVolumeClaims by namespace and name.
        limits: How many volumes a node attaches, by node and driver.
    """

    namespaces: Mapping[str, Object]
    volumes: Mapping[str, Object]
    claims: Mapping[tuple[str, str], Object]
    limits: Mapping[tuple[str, str], int]


def surroundings(list_objects: Callable[[str], Iterable[Object]]) -> Surroundings:
    """Gather what rules refer to.

    Args:
        list_objects: Lists all objects of a resource, such as ``persistentvolumes``.
    """
    claims = list_objects("persistentvolumeclaims")
    return Surroundings(
        namespaces={name_of(found): found for found in list_objects("namespaces")},
        volumes={name_of(found): found for found in list_objects("persistentvolumes")},
        claims={(namespace_of(found), name_of(found)): found for found in claims},
        limits={
            (name_of(found), driver["name"]): driver["allocatable"]["count"]
            for found in list_objects("csinodes.storage.k8s.io")
            for driver in found["spec"].get("drivers") or ()
            if (driver.get("allocatable") or {}).get("count") is not None
        },
    )


NOTHING_AROUND = Surroundings({}, {}, {}, {})


def check(
    changes: Iterable[Change], around: Surroundings = NOTHING_AROUND, limit: int = 10
) -> list[Violation]:
    """Return the rules that bindings broke, the first ``limit`` of them."""
    checker = _Checker(around)
    for change in changes:
        checker.apply(change)
        if len(checker.violations) >= limit:
            break
    return checker.violations


class _Checker:
    """The cluster as of some moment, and what was wrong up to there."""

    def __init__(self, around: Surroundings) -> None:
        self.violations: list[Violation] = []
        self._around = around
        self._nodes: dict[str, Object] = {}
        self._rooms: dict[str, Amounts] = {}
        self._placed: dict[PodName, Placed] = {}
        self._on: defaultdict[str, dict[PodName, Object]] = defaultdict(dict)
        self._used: defaultdict[str, Amounts] = defaultdict(dict)
        self._terminating: set[PodName] = set()
        self._matching: dict[bytes, Domains] = {}  # pods that a term or constraint means
        self._owners: dict[bytes, tuple[Mapping[str, Any], Object, Domains]] = {}
        self._demands: dict[int, tuple[Any, Amounts]] = {}
        self._eligible_domains: dict[bytes, set[str]] = {}  # as of the present nodes

    def apply(self, change: Change) -> None:
        """Take over one change; look at it if it is a binding."""
        made = change.object
        match change.type:
            case "node":
                self._eligible_domains.clear()
                self._nodes[made["metadata"]["name"]] = made
                self._rooms[made["metadata"]["name"]] = room_of(made)
            case "node gone":
                self._eligible_domains.clear()
                self._nodes.pop(made["metadata"]["name"], None)
            case "bound":
                self._bind(made)
            case "terminating":
                self._stop_counting(name_of_pod(made))
            case "gone":
                self._remove(name_of_pod(made))
            case "created":
                pass

    # ---- the picture

    def _bind(self, pod: Object) -> None:
        name, node_name = name_of_pod(pod), pod["spec"]["nodeName"]
        before = self._placed.get(name)
        if before is not None:
            old = before[1]["metadata"]["name"]
            self._blame(name, "bound once", f"it was on {old} and is bound to {node_name}")
            self._remove(name)
        node = self._nodes.get(node_name)
        if node is None:
            self._blame(name, "NodeName", f"there is no node {node_name}")
            return
        self._look_at(name, pod, node)
        placed = self._placed[name] = (pod, node)
        self._on[node_name][name] = pod
        used = self._used[node_name]
        for resource, amount in self._demand(pod).items():
            used[resource] = used.get(resource, 0) + amount
        for domains in self._matching.values():
            domains.count(placed, 1)
        for term in _required(pod, "podAntiAffinity"):
            key = identity(term, namespace_of(pod), labels_of(pod) if _by_own(term) else None)
            if key not in self._owners:
                domains = Domains(term["topologyKey"], lambda _: True)
                self._owners[key] = (term, pod, domains)
            self._owners[key][2].count(placed, 1)

    def _stop_counting(self, name: PodName) -> None:
        """Leave a pod that is being deleted out of topology spread, as the scheduler does."""
        placed = self._placed.get(name)
        if placed is not None and name not in self._terminating:
            self._terminating.add(name)
            for key, domains in self._matching.items():
                if key.startswith(b'["spread"'):
                    domains.count(placed, -1)

    def _remove(self, name: PodName) -> None:
        placed = self._placed.pop(name, None)
        if placed is None:
            return
        pod, node = placed
        node_name = node["metadata"]["name"]
        del self._on[node_name][name]
        used = self._used[node_name]
        for resource, amount in self._demand(pod).items():
            used[resource] -= amount
        for key, domains in self._matching.items():
            if name not in self._terminating or not key.startswith(b'["spread"'):
                domains.count(placed, -1)
        for term in _required(pod, "podAntiAffinity"):
            key = identity(term, namespace_of(pod), labels_of(pod) if _by_own(term) else None)
            self._owners[key][2].count(placed, -1)
        self._terminating.discard(name)

    def _demand(self, pod: Object) -> Amounts:
        spec = pod["spec"]
        containers = spec.get("containers")  # shared by the pods of a template, bound or not
        known = self._demands.get(id(containers))
        alike = (spec.get("initContainers"), spec.get("resources"), spec.get("overhead"))
        if known is not None and known[0] == (containers, alike):
            return known[1]
        demand = taken_by(spec)
        self._demands[id(containers)] = ((containers, alike), demand)
        return demand

    def _blame(self, name: PodName, rule: str, what: str) -> None:
        self.violations.append(Violation(name, rule, what))

    # ---- the rules

    def _look_at(self, name: PodName, pod: Object, node: Object) -> None:
        spec, node_name = pod["spec"], node["metadata"]["name"]
        room, used = self._rooms[node_name], self._used[node_name]
        for resource, amount in self._demand(pod).items():
            together = used.get(resource, 0) + amount
            if together > room.get(resource, 0):
                what = (
                    f"{resource} of {node_name}: {together} of {room.get(resource, 0)} thousandths"
                )
                self._blame(name, "NodeResourcesFit", what)
        if not wants(spec, node):
            self._blame(name, "NodeAffinity", f"{node_name} is not selected")
        taint = untolerated(spec, node)
        if taint:
            self._blame(name, "TaintToleration", f"{node_name} has the taint {taint}")
        self._look_at_ports(name, spec, node_name)
        self._look_at_volumes(name, pod, node)
        self._look_at_affinity(name, pod, node)
        self._look_at_anti_affinity(name, pod, node)
        self._look_at_spread(name, pod, node)

    def _look_at_ports(self, name: PodName, spec: Mapping[str, Any], node_name: str) -> None:
        wanted = ports_of(spec)
        if not wanted:
            return
        for other, present in self._on[node_name].items():
            if any(clash(one, two) for one in wanted for two in ports_of(present["spec"])):
                self._blame(name, "NodePorts", f"{'/'.join(other)} has its port on {node_name}")

    def _look_at_volumes(self, name: PodName, pod: Object, node: Object) -> None:
        volumes = self._volumes(pod)
        if not volumes:
            return
        node_name = node["metadata"]["name"]
        attached: defaultdict[str, set[str]] = defaultdict(set)
        for present in [pod, *self._on[node_name].values()]:
            for volume in self._volumes(present):
                csi = volume["spec"].get("csi")
                if csi:
                    attached[csi["driver"]].add(csi["volumeHandle"])
        for driver, handles in attached.items():
            most = self._around.limits.get((node_name, driver))
            if most is not None and len(handles) > most:
                what = f"{len(handles)} volumes of {driver} on {node_name}, which attaches {most}"
                self._blame(name, "NodeVolumeLimits", what)
        for volume in volumes:
            required = (volume["spec"].get("nodeAffinity") or {}).get("required")
            if required and not takes(required["nodeSelectorTerms"], node):
                volume_name = volume["metadata"]["name"]
                self._blame(name, "VolumeBinding", f"{volume_name} is not for {node_name}")

    def _volumes(self, pod: Object) -> list[Object]:
        claims, volumes = self._around.claims, self._around.volumes
        found = []
        for claim_name in claims_of(pod):
            claim = claims.get((namespace_of(pod), claim_name))
            volume = volumes.get((claim or {}).get("spec", {}).get("volumeName") or "")
            if volume is not None:
                found.append(volume)
        return found

    def _domains(
        self, term: Mapping[str, Any], together: Sequence[Mapping[str, Any]], owner: Object
    ) -> Domains:
        """Return the counts, by a term's key, of the pods that all terms of ``together`` mean."""
        own = labels_of(owner) if any(map(_by_own, together)) else None
        key = identity("affinity", term["topologyKey"], together, namespace_of(owner), own)
        if key not in self._matching:
            namespaces = self._around.namespaces

            def counts(pod: Object) -> bool:
                return all(matches(one, owner, namespaces, pod) for one in together)

            domains = self._matching[key] = Domains(term["topologyKey"], counts)
            for placed in self._placed.values():
                domains.count(placed, 1)
        return self._matching[key]

    def _look_at_affinity(self, name: PodName, pod: Object, node: Object) -> None:
        terms = _required(pod, "podAffinity")
        if not terms:
            return
        counted = [self._domains(term, terms, pod) for term in terms]
        if not any(+domains.pods for domains in counted) and all(
            matches(term, pod, self._around.namespaces, pod) and domains.domain(node) is not None
            for term, domains in zip(terms, counted, strict=True)
        ):
            return  # the first of its kind, which would otherwise wait for itself
        for domains in counted:
            domain = domains.domain(node)
            if domain is None or not domains.pods[domain]:
                what = f"no pod that it asks for has {domains.key}={domain}"
                self._blame(name, "InterPodAffinity", what)

    def _look_at_anti_affinity(self, name: PodName, pod: Object, node: Object) -> None:
        for term in _required(pod, "podAntiAffinity"):
            domains = self._domains(term, [term], pod)
            domain = domains.domain(node)
            if domain is not None and domains.pods[domain]:
                what = f"a pod that it avoids has {domains.key}={domain}"
                self._blame(name, "InterPodAffinity", what)
        for term, owner, owners in self._owners.values():
            domain = owners.domain(node)
            if (
                domain is not None
                and owners.pods[domain]
                and matches(term, owner, self._around.namespaces, pod)
            ):
                what = f"a pod with {owners.key}={domain} avoids it"
                self._blame(name, "InterPodAffinity", what)

    def _look_at_spread(self, name: PodName, pod: Object, node: Object) -> None:
        constraints = [
            constraint
            for constraint in pod["spec"].get("topologySpreadConstraints") or ()
            if constraint["whenUnsatisfiable"] == "DoNotSchedule"
        ]
        for constraint in constraints:
            key = constraint["topologyKey"]
            domains = self._spread_domains(constraint, pod)
            domain = domains.domain(node)
            if domain is None:
                self._blame(name, "PodTopologySpread", f"the node has no {key}")
                continue
            eligible = self._eligible(constraints, constraint, pod)
            fewest = min((domains.pods[one] for one in eligible), default=0)
            if len(eligible) < (constraint.get("minDomains") or 1):
                fewest = 0
            there = domains.pods[domain] + selects(constraint.get("labelSelector"), labels_of(pod))
            if there - fewest > constraint["maxSkew"]:
                what = (
                    f"{there} pods with {key}={domain}, {fewest} in the emptiest domain, "
                    f"maxSkew {constraint['maxSkew']}"
                )
                self._blame(name, "PodTopologySpread", what)

    def _spread_domains(self, constraint: Mapping[str, Any], pod: Object) -> Domains:
        selector, namespace = constraint.get("labelSelector"), namespace_of(pod)
        key = identity("spread", constraint["topologyKey"], selector, namespace)
        if key not in self._matching:

            def counts(other: Object) -> bool:
                return namespace_of(other) == namespace and selects(selector, labels_of(other))

            domains = self._matching[key] = Domains(constraint["topologyKey"], counts)
            for name, placed in self._placed.items():
                if name not in self._terminating:
                    domains.count(placed, 1)
        return self._matching[key]

    def _eligible(
        self, constraints: Sequence[Mapping[str, Any]], constraint: Mapping[str, Any], pod: Object
    ) -> set[str]:
        """Return the domains that count: of nodes with all keys that the pod could take."""
        keys = [one["topologyKey"] for one in constraints]
        honors_affinity = constraint.get("nodeAffinityPolicy") != "Ignore"
        honors_taints = constraint.get("nodeTaintsPolicy") == "Honor"
        key = identity(
            keys,
            constraint,
            *(pod["spec"].get(field) for field in ("affinity", "nodeSelector", "tolerations")),
        )
        found = self._eligible_domains.get(key)
        if found is None:
            found = self._eligible_domains[key] = {
                labels_of(node)[constraint["topologyKey"]]
                for node in self._nodes.values()
                if all(key in labels_of(node) for key in keys)
                and (not honors_affinity or wants(pod["spec"], node))
                and not (honors_taints and untolerated(pod["spec"], node))
            }
        return found


def _required(pod: Object, kind: str) -> Sequence[Mapping[str, Any]]:
    affinity = pod["spec"].get("affinity")
    if not affinity:
        return ()
    return (affinity.get(kind) or {}).get(_REQUIRED) or ()


def _by_own(term: Mapping[str, Any]) -> bool:
    """Tell whether a term means other pods for pods with other labels."""
    return bool(term.get("matchLabelKeys") or term.get("mismatchLabelKeys"))
