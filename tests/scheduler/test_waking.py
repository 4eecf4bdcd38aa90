"""No pod that would fit is left waiting: whatever happens, whoever could be placed is tried.

Hints, looks at single nodes and waking only as many as there is room for are all short cuts. Here
random things happen to small clusters, and afterwards every filter is asked about every waiting pod
and every node: a pod that could be placed has been overlooked.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.resources.objects import Key
from orchestrator.scheduler.core import Cluster, PodClass, SchedulingQueue, WaitingPod, diagnose
from orchestrator.scheduler.core.changes import Change, NamespaceChange, NodeChange, PodChange
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK

Object = dict[str, Any]
ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
LABELS: tuple[dict[str, str], ...] = ({}, {"app": "a"}, {"app": "b"})
A = {"matchLabels": {"app": "a"}}


def _affinity(kind: str, key: str, **more: Any) -> Object:
    term = {"labelSelector": A, "topologyKey": key, **more}
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def _spread(key: str, **more: Any) -> Object:
    spread = {"topologyKey": key, "maxSkew": 1, "labelSelector": A, **more}
    return {"topologySpreadConstraints": [{"whenUnsatisfiable": "DoNotSchedule", **spread}]}


SPECS: tuple[Object, ...] = (
    {},
    {"nodeSelector": {"disk": "ssd"}},
    {"tolerations": [{"key": "k", "operator": "Exists"}]},
    _affinity("podAffinity", ZONE),
    _affinity("podAffinity", HOSTNAME),
    _affinity("podAntiAffinity", ZONE),
    _affinity("podAntiAffinity", HOSTNAME),
    _affinity("podAntiAffinity", ZONE, namespaceSelector={"matchLabels": {"team": "x"}}),
    _affinity("podAffinity", ZONE, namespaceSelector={"matchLabels": {"team": "x"}}),
    _spread(ZONE),
    _spread(HOSTNAME),
    _spread(ZONE, minDomains=2),
    _spread(ZONE, nodeTaintsPolicy="Honor"),
    {**_spread(ZONE), "nodeSelector": {"disk": "ssd"}},
)


class Step(NamedTuple):
    """Something that happens; the numbers say to what, and into what, as far as there is such."""

    what: str
    which: int
    spec: int = 0
    labels: int = 0


class Life:
    """A cluster, a queue, and a scheduler that places every pod on the first node that fits."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.queue = SchedulingQueue(
            look=lambda pod, node, _: DEFAULT_FRAMEWORK.reject(pod, node, self.cluster)
        )
        self.objects: dict[str, Object] = {}
        self.count = 0
        self.now = 0.0

    def node(self, step: Step) -> Object:
        own = {HOSTNAME: f"n{step.which % 4}"}
        if step.labels:
            own[ZONE] = f"z{step.labels}"
        if step.spec % 2:
            own["disk"] = "ssd"
        spec: Object = {"unschedulable": step.spec % 5 == 4}
        if step.spec % 3 == 2:
            spec["taints"] = [{"key": "k", "effect": "NoSchedule"}]
        amount = 2 + step.spec % 3
        return {
            "metadata": {"name": f"n{step.which % 4}", "labels": own},
            "spec": spec,
            "status": {"allocatable": {"cpu": str(amount), "memory": "8Gi", "pods": "3"}},
        }

    def class_of(self, step: Step) -> PodClass:
        container: Object = {
            "name": "c",
            "resources": {"requests": {"cpu": str(1 + step.which % 2)}},
        }
        if step.which % 5 == 4:
            container["ports"] = [{"containerPort": 80, "hostPort": 80}]
        spec = {"containers": [container], **SPECS[step.spec % len(SPECS)]}
        return PodClass(spec, "ns" if step.which % 3 else "other", LABELS[step.labels % 3])

    def apply(self, step: Step) -> None:
        cluster, queue = self.cluster, self.queue
        placed = list(cluster.pods.values())
        match step.what:
            case "submit":
                pod_class = self.class_of(step)
                for _ in range(1 + step.which % 3):
                    self.count += 1
                    uid = f"p{self.count}"
                    queue.add(
                        WaitingPod(uid, Key("pods", pod_class.namespace, uid), pod_class), self.now
                    )
            case "node":
                node = self.node(step)
                name = node["metadata"]["name"]
                previous = self.objects.get(name)
                changed = cluster.put_node(node, previous)
                self.objects[name] = node
                if changed:
                    queue.happened(NodeChange(changed, cluster.by_name[name], previous))
            case "lose":
                name = f"n{step.which % 4}"
                gone = cluster.by_name.get(name)
                if gone is not None:
                    del self.objects[name]
                    cluster.remove_node(name)
                    queue.happened(NodeChange(ClusterEvent.NODE_REMOVED, gone))
            case "delete" if placed:
                pod = placed[step.which % len(placed)]
                queue.happened(PodChange(ClusterEvent.POD_REMOVED, pod, cluster.displace(pod.uid)))
            case "relabel" if placed:
                pod = placed[step.which % len(placed)]
                before, name = pod.pod_class, pod.node
                cluster.displace(pod.uid)
                pod.pod_class = PodClass(
                    before.shape.spec, before.namespace, LABELS[step.labels % 3]
                )
                cluster.place(pod, name)
                self._tell(PodChange(ClusterEvent.POD_LABELS, pod, None, before))
            case "terminate" if placed:
                pod = placed[step.which % len(placed)]
                self._tell(PodChange(ClusterEvent.POD_LABELS, pod, cluster.terminate(pod.uid)))
            case "namespace":
                name = "ns" if step.which % 3 else "other"
                own = {"team": "x"} if step.labels else {}
                earlier = dict(cluster.namespaces.get(name) or {})
                cluster.put_namespace(name, own)
                self._tell(NamespaceChange(ClusterEvent.NAMESPACE_LABELS, name, earlier, own))
            case _:
                pass

    def _tell(self, change: Change) -> None:
        self.queue.happened(change)

    def feasible(self, pod: PodClass) -> list[str]:
        if DEFAULT_FRAMEWORK.reject_pod(pod, self.cluster) is not None:
            return []
        return [
            name
            for name, node in self.cluster.by_name.items()
            if DEFAULT_FRAMEWORK.reject(pod, node, self.cluster) is None
        ]

    def schedule(self) -> None:
        """Try pods until none is ready; they back off for no time since there is nothing else."""
        while pods := self.queue.take(2, self.now):
            for pod in pods:
                nodes = self.feasible(pod.pod_class)
                if nodes:
                    self.cluster.place(pod, nodes[0])
                    self.queue.bound([pod])
                    node = self.cluster.by_name[nodes[0]]
                    self.queue.happened(PodChange(ClusterEvent.POD_ADDED, pod, node))
                else:
                    found = diagnose(pod.pod_class, self.cluster, preempts=False)
                    self.queue.reject(pod, found.message, found.plugins, self.now)

    def overlooked(self) -> list[tuple[str, list[str]]]:
        """Return the waiting pods that would fit, and where."""
        found = [
            (pod.uid, self.feasible(pod.pod_class))
            for group in self.queue._rejected.groups()
            for pod in group.pods.values()
        ]
        return [(uid, nodes) for uid, nodes in found if nodes]


STEPS = st.builds(
    Step,
    st.sampled_from(
        ("submit", "submit", "node", "node", "lose", "delete", "relabel", "terminate", "namespace")
    ),
    st.integers(0, 11),
    st.integers(0, 13),
    st.integers(0, 2),
)


PORT_TAKEN_BY_A_SCOUT = [
    Step("lose", 0),
    Step("lose", 1),
    Step("submit", 4),
    Step("node", 3, 8),
    Step("node", 2, 10, 1),
    Step("delete", 0),
]
"""Two pods want a port; only one of them is woken for a new node, and leaves it again."""


@settings(max_examples=150)
@example(PORT_TAKEN_BY_A_SCOUT)
@given(st.lists(STEPS, min_size=8, max_size=30))
def test_no_pod_that_would_fit_is_overlooked(steps: list[Step]) -> None:
    """After every step, and all attempts that it leads to, those that wait fit nowhere."""
    life = Life()
    life.apply(Step("node", 0, 1, 1))
    life.apply(Step("node", 1, 0, 2))
    for step in steps:
        life.apply(step)
        life.schedule()
        assert not life.overlooked()
        life.now += 0.1
