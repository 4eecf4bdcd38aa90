"""Which pods a node takes: it refuses one that does not fit, whoever bound it. Pure.

Who sets ``spec.nodeName`` passes the scheduler by, so the node looks for itself, as a kubelet does:
at the pod's operating system, at what is left of the node's resources, at node affinity, at host
ports, and at taints that evict. What the scheduler has placed always passes: it learned of each
release from the store before it counted on it, and so does the node, in the same order; amounts are
rounded up per pod here and per container there, so the node never counts more.
Source of the rules: the kubelet's ``predicateAdmitHandler``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from orchestrator.resources import quantities
from orchestrator.resources.host_ports import HostPort, host_ports
from orchestrator.resources.node_affinity import selection_of
from orchestrator.resources.objects import Object, labels_of, name_of, status_of
from orchestrator.resources.pod_resources import pod_amounts
from orchestrator.resources.tolerations import Taint, is_tolerated, taints_of, tolerations_of

_OS = "linux"
_OS_LABEL = "kubernetes.io/os"
_NANO = 1_000_000_000
_CACHED = 64
_FIRST = ("pods", "cpu", "memory", "ephemeral-storage")
"""The order in which what is short is told."""

Amounts = tuple[tuple[str, int], ...]


class Refusal(NamedTuple):
    """Why a node does not take a pod: the status's reason, and the Event's message."""

    reason: str
    message: str


class Offer:
    """What a Node object says that matters to pods.

    Attributes:
        capacity: Allocatable amounts in the scheduler's units. What is not listed is not limited.
        evicting: Its ``NoExecute`` taints.
    """

    __slots__ = ("capacity", "evicting", "labels", "name")

    def __init__(self, node: Object) -> None:
        status = status_of(node)
        listed = status.get("allocatable") or status.get("capacity") or {}
        self.name = name_of(node)
        self.capacity: Mapping[str, int] = {
            name: quantities.milli(value) if name == "cpu" else quantities.whole(value)
            for name, value in listed.items()
        }
        self.labels: Mapping[str, str] = labels_of(node)
        self.evicting: tuple[Taint, ...] = tuple(
            taint for taint in taints_of(node) if taint.effect == "NoExecute"
        )


def amounts_of(spec: Object) -> Amounts:
    """Return what a pod takes of a node: millicores of CPU, whole units of the rest, and itself."""
    found = {"pods": 1}
    for name, nano in pod_amounts(spec, "requests").items():
        if nano > 0:
            found[name] = -(-nano // (1_000_000 if name == "cpu" else _NANO))
    return tuple(found.items())


def refuses(
    pod: Object,
    wanted: Amounts,
    offer: Offer,
    used: Mapping[str, int],
    ports: Iterable[HostPort] = (),
) -> Refusal | None:
    """Decide whether a node refuses a pod.

    Args:
        pod: One that nobody reported on yet.
        wanted: Of `amounts_of`.
        offer: The node.
        used: What the pods before it take, which are not over.
        ports: The host ports that they have.
    """
    spec = pod["spec"]
    label = (pod["metadata"].get("labels") or {}).get(_OS_LABEL)
    if label is not None and label != _OS:
        return Refusal(
            "PodOSSelectorNodeLabelDoesNotMatch",
            "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
        )
    if "os" in spec and (spec["os"] or {}).get("name", _OS) != _OS:
        return Refusal(
            "PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS"
        )
    capacity = offer.capacity
    for name, amount in wanted:
        if name in capacity and used.get(name, 0) + amount > capacity[name]:
            return _short(wanted, capacity, used)
    if ("affinity" in spec or "nodeSelector" in spec) and not selection_of(spec).matches(
        offer.name, offer.labels
    ):
        return _failed("NodeAffinity", "node(s) didn't match Pod's node affinity/selector")
    if ports and _clash(host_ports(spec), ports):
        return _failed("NodePorts", "node(s) didn't have free ports for the requested pod ports")
    if offer.evicting:
        tolerations = tolerations_of(spec)
        if not all(is_tolerated(taint, tolerations) for taint in offer.evicting):
            return _failed("TaintToleration", "node(s) had taints that the pod didn't tolerate")
    return None


def _clash(wanted: Iterable[HostPort], taken: Iterable[HostPort]) -> bool:
    return any(port.clashes(other) for port in wanted for other in taken)


def _failed(predicate: str, why: str) -> Refusal:
    return Refusal(predicate, f"Predicate {predicate} failed: {why}")


def _short(wanted: Amounts, capacity: Mapping[str, int], used: Mapping[str, int]) -> Refusal:
    amounts = dict(wanted)
    for name in (*_FIRST, *sorted(amounts.keys() - set(_FIRST))):
        amount, taken = amounts.get(name, 0), used.get(name, 0)
        if amount and name in capacity and taken + amount > capacity[name]:
            break
    return Refusal(
        f"OutOf{name}",
        f"Node didn't have enough resource: {name}, requested: {amount}, used: {taken}, "
        f"capacity: {capacity[name]}",
    )


def refused_status(stored: Object, refusal: Refusal, generation: int | None, now: str) -> Object:
    """Return the status of a refused pod: nothing of it was ever prepared."""
    status = {
        **stored,
        "phase": "Failed",
        "reason": refusal.reason,
        "message": f"Pod was rejected: {refusal.message}",
        "startTime": stored.get("startTime") or now,
    }
    if generation is not None:
        status["observedGeneration"] = generation
    return status


class PodAmounts:
    """What pods take, worked out once for those made of one template. Shared by all nodes."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, Amounts]] = {}

    def of(self, spec: Object) -> Amounts:
        """Return `amounts_of` a pod's spec."""
        if "initContainers" in spec or "overhead" in spec or "resources" in spec:
            return amounts_of(spec)
        containers = spec["containers"]  # held, so that its id is not given away
        known = self._known.get(id(containers))
        if known is None:
            if len(self._known) >= _CACHED:
                self._known.clear()
            known = self._known[id(containers)] = (containers, amounts_of(spec))
        return known[1]


class Admissions:
    """The pods of one node that it has taken, with the sums of what they take, and those refused.

    It hears of every change in the order of the store's history; a change heard late, such as
    one from before a `recount`, does no harm.
    """

    __slots__ = ("_amounts", "_ports", "_refused", "_runs", "_taken", "_used")

    def __init__(self, amounts: PodAmounts, runs: Callable[[str], bool] = lambda _: False) -> None:
        """Begin with no pods.

        Args:
            amounts: What pods take.
            runs: Whether the node has begun with the pod of a uid, whatever its status says: a
                daemon may be killed before it has written any.
        """
        self._amounts = amounts
        self._runs = runs
        self._ports: dict[str, tuple[HostPort, ...]] = {}
        self._taken: dict[str, Amounts] = {}
        self._refused: dict[str, Refusal] = {}
        self._used: dict[str, int] = {}

    def judge(self, pod: Object, offer: Offer) -> Refusal | None:
        """Take a pod or refuse it, once and for all.

        One that ran here before is not judged again.
        """
        uid = pod["metadata"]["uid"]
        if uid in self._taken:
            return None
        if uid in self._refused:
            return self._refused[uid]
        if is_terminal(pod):
            return None
        wanted = self._amounts.of(pod["spec"])
        if not self._has_begun(pod):
            ports = [port for taken in self._ports.values() for port in taken]
            refusal = refuses(pod, wanted, offer, self._used, ports)
            if refusal is not None:
                self._refused[uid] = refusal
                return refusal
        self._take(pod)
        return None

    def note(self, pod: Object, before: Object | None) -> None:
        """Take in a change of a pod: one that is over takes nothing, a resized one otherwise."""
        uid = pod["metadata"]["uid"]
        if uid not in self._taken:
            return
        if is_terminal(pod):
            self._release(uid)
        elif before is not None and before["spec"] is not pod["spec"]:
            self._release(uid)
            self._take(pod)

    def forget(self, uid: str) -> None:
        """Take in that a pod is gone."""
        self._refused.pop(uid, None)
        if uid in self._taken:
            self._release(uid)

    def recount(self, pods: Iterable[Object], offer: Offer) -> None:
        """Begin anew from all pods that are bound to the node; what was decided stands."""
        known, self._taken, self._used, self._ports = self._taken, {}, {}, {}
        refused, self._refused = self._refused, {}
        unknown = []
        for pod in pods:
            uid = pod["metadata"]["uid"]
            if uid in refused:
                self._refused[uid] = refused[uid]
            elif uid in known or self._has_begun(pod):
                if not is_terminal(pod):
                    self._take(pod)
            else:
                unknown.append(pod)
        for pod in sorted(unknown, key=_arrival):
            self.judge(pod, offer)

    def _has_begun(self, pod: Object) -> bool:
        status = pod.get("status") or {}
        return (
            "containerStatuses" in status or "podIP" in status or self._runs(pod["metadata"]["uid"])
        )

    def _take(self, pod: Object) -> None:
        uid, spec = pod["metadata"]["uid"], pod["spec"]
        amounts = self._taken[uid] = self._amounts.of(spec)
        if ports := host_ports(spec):
            self._ports[uid] = ports
        used = self._used
        for name, amount in amounts:
            used[name] = used.get(name, 0) + amount

    def _release(self, uid: str) -> None:
        self._ports.pop(uid, None)
        for name, amount in self._taken.pop(uid):
            self._used[name] -= amount


def _arrival(pod: Object) -> tuple[str, str, str]:
    metadata = pod["metadata"]
    return metadata.get("creationTimestamp") or "", metadata["namespace"], metadata["name"]


def is_terminal(pod: Object) -> bool:
    """Tell whether the stored phase says that the pod is over; that is never taken back."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
