"""Pods at rest: what runs and needs no decision has an entry, and no actor.

Most simulated pods start at once, run on, and are left alone until they are deleted. Such a pod is
started here, by whoever hears of its binding first, at a tenth of what an actor costs; and at rest
it is a status, an address and the runtime's record. As soon as something happens to it (it is
deleted or changed, a container ends) its node wakes it: it gets an actor, which takes over from the
runtime's records as after a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from actors import ActorRef, Clock
from orchestrator.node import launching
from orchestrator.node.addresses import AddressesExhaustedError
from orchestrator.node.conditions import OWN_CONDITIONS
from orchestrator.node.outbox import Proposal
from orchestrator.node.runtime import ContainerOf, ContainerSpec, ContainerStarted
from orchestrator.node.states import Phase, PodState, containers_of
from orchestrator.node.statuses import pod_status
from orchestrator.node.support import COURSE
from orchestrator.node.surroundings import PodEntry, Surroundings
from orchestrator.resources.objects import Object
from orchestrator.store import ObjectEvent

_DECIDED: frozenset[str] = COURSE | {
    "activeDeadlineSeconds",
    "ephemeralContainers",
    "initContainers",
    "readinessGates",
}
"""Fields of a spec whose pod has something to decide."""
# What named tuples' own constructors do, in half the time.
_of: Callable[[tuple[str, str, str, int]], ContainerOf] = partial(tuple.__new__, ContainerOf)
_proposal: Callable[
    [tuple[str, str, str, Object, Object, bool, frozenset[str] | None]], Proposal
] = partial(tuple.__new__, Proposal)
_OWN = frozenset(("containerStatuses", "hostIP", "hostIPs", "podIP", "podIPs"))
"""Fields of a status that are one pod's own."""
_FIRST_LIMIT = 64
_TemplateKey: TypeAlias = tuple[int, int, int, int | None]


class NodePod(PodEntry):
    """A pod's entry with the part that is the node's alone.

    Attributes:
        ref: Its actor, None while it rests.
    """

    __slots__ = ("ref",)

    def __init__(self, latest: Object) -> None:
        super().__init__(latest)
        self.ref: ActorRef[Any] | None = None


class _First(NamedTuple):
    """The first status of pods that come together, and what it was made from.

    Attributes:
        stored: The status before; holding it keeps its id from being given away.
        specs: The containers, likewise.
        status: All of it, with the parts that are one pod's own.
        containers: Statuses of the containers, without ids.
        kept: Fields that are as in the status before, if it has no others that are gone.
    """

    stored: Object
    specs: list[Object]
    status: Object
    containers: tuple[Object, ...]
    kept: frozenset[str] | None


class FirstStatuses:
    """First statuses of pods, made once for all that differ in names and addresses only.

    Thousands of pods of one template may come in one second. One of these is shared by all nodes.
    """

    def __init__(self) -> None:
        self._made: dict[_TemplateKey, _First] = {}

    def of(
        self, pod: Object, runtime: str, started: list[ContainerStarted], now: float
    ) -> tuple[Object, frozenset[str] | None]:
        """Return the status of a pod all of whose containers run, but for its addresses.

        And which of its fields are as they were, see `Proposal.kept`.
        """
        stored, specs = pod["status"], pod["spec"]["containers"]
        generation = pod["metadata"].get("generation")
        key = id(stored), id(specs), int(now), generation
        first = self._made.get(key)
        if first is None:
            if len(self._made) >= _FIRST_LIMIT:
                self._made.clear()
            first = self._made[key] = _first(pod, runtime, started, now)
        statuses = [
            {**status, "containerID": f"{runtime}://{start.id}"}
            for status, start in zip(first.containers, started, strict=True)
        ]
        return {**first.status, "containerStatuses": statuses}, first.kept


def _first(pod: Object, runtime: str, started: list[ContainerStarted], now: float) -> _First:
    """Let the status be computed as for a pod with an actor, so that there is one rule."""
    specs = pod["spec"]["containers"]
    containers = containers_of(pod["spec"])
    for container, start in zip(containers, started, strict=True):
        container.phase = Phase.RUNNING
        container.id = start.id
        container.started_at = start.started_at
    state = PodState(pod, containers, "0.0.0.0", runtime, now, address="0.0.0.0")  # noqa: S104 - replaced by the pod's own
    status = pod_status(state, now)
    stored = pod["status"]
    kept = None
    if stored.keys() <= status.keys():
        kept = frozenset(field for field, value in stored.items() if status[field] == value)
        kept -= _OWN
    return _First(stored, specs, status, tuple(status["containerStatuses"]), kept)


class NodePods:
    """The pods of one node, shared by the node's actor and its parent.

    The parent routes what happens to pods. What concerns a pod at rest, or one that can rest from
    the start, it settles here in passing; a message to the node for each would cost twice as much
    as all that is done for the pod.

    Attributes:
        entries: By uid.
    """

    __slots__ = ("_around", "_clock", "_first", "_host", "entries")

    def __init__(self, first: FirstStatuses, clock: Clock) -> None:
        """Prepare; nothing is settled before `open`."""
        self.entries: dict[str, NodePod] = {}
        self._first = first
        self._clock = clock
        self._around: Surroundings | None = None
        self._host: Object = {}

    def open(self, around: Surroundings) -> None:
        """Begin anew for a node that starts."""
        self.entries = {}
        self._around = around
        address = around.config.address
        self._host = {"hostIP": address, "hostIPs": [{"ip": address}]}

    def close(self) -> None:
        """Leave everything to the node's actor, which has ended or is about to."""
        self._around = None

    def settle(self, event: ObjectEvent) -> bool:
        """Take in a change of a pod that is on the node; False: it is for the node's actor."""
        if self._around is None or event.type == "DELETED":
            return False
        pod = event.object
        metadata, spec = pod["metadata"], pod["spec"]
        entry = self.entries.get(metadata["uid"])
        if entry is None:
            # Nothing but its binding: any later change may be behind others in a mailbox.
            before = event.previous
            return (before is None or not before["spec"].get("nodeName")) and self.begin(pod)
        if (
            entry.ref is None
            and pod.get("status") is entry.proposed
            and spec is entry.latest["spec"]
            and "deletionTimestamp" not in metadata
            and labelled_alike(pod, entry.latest)
        ):
            entry.latest = pod  # its own words, come back
            return True
        return False

    def begin(self, pod: Object) -> bool:
        """Start a pod that can rest from the start; False: it needs an actor, nothing was done."""
        around = self._around
        if around is None or not _can_rest(pod, around):
            return False
        metadata, specs, runtime = pod["metadata"], pod["spec"]["containers"], around.runtime
        uid = metadata["uid"]
        if runtime.known(uid):
            return False
        try:
            address = around.pool.take(self._clock.monotonic())
        except AddressesExhaustedError:
            return False
        now = self._clock.now()
        name = around.config.name
        run = runtime.run
        started = [run(_of((name, uid, spec["name"], 0)), address) for spec in specs]
        status, kept = self._first.of(pod, runtime.name, started, now)
        status.update(self._host)
        status["podIP"] = address
        status["podIPs"] = [{"ip": address}]
        entry = self.entries[uid] = NodePod(pod)
        entry.proposed = status
        around.outbox.put(
            _proposal(
                (uid, metadata["namespace"], metadata["name"], status, pod["status"], False, kept)
            )
        )
        if around.config.events:
            for spec in specs:
                launching.tell_started(around, pod, spec["name"])
        return True

    def resume(self, pod: Object) -> bool:
        """Let a pod rest that ran before its node was started anew; False: it needs an actor."""
        around = self._around
        if around is None or not _rests(pod, around):
            return False
        uid = pod["metadata"]["uid"]
        address = pod["status"]["podIP"]
        known = {record.started.id: record for record in around.runtime.known(uid)}
        launches = []
        for spec, status in zip(
            pod["spec"]["containers"], pod["status"]["containerStatuses"], strict=True
        ):
            identity = status["containerID"].rpartition("/")[2]
            record = known.pop(identity, None)
            if record is None:
                of = ContainerOf(around.config.name, uid, spec["name"], status["restartCount"])
                launches.append(ContainerSpec(identity, of, pod, spec, address))
            elif record.exited is not None or record.address != address:
                return False
        if known:
            return False
        for launch in launches:
            around.runtime.start(launch)
        entry = self.entries[uid] = NodePod(pod)
        entry.proposed = pod["status"]
        return True


def _can_rest(pod: Object, around: Surroundings) -> bool:
    """Whether nobody reported on a pod yet and nothing about it has to be decided."""
    spec = pod["spec"]
    status = pod.get("status")
    if (
        not status
        or status.get("phase") != "Pending"
        or "containerStatuses" in status
        or "podIP" in status
        or not _DECIDED.isdisjoint(spec)
        or "deletionTimestamp" in pod["metadata"]
        or not around.runtime.runs_on(pod)
    ):
        return False
    return all(map(_runs_at_once, spec["containers"]))


def labelled_alike(pod: Object, other: Object) -> bool:
    """Whether two revisions of a pod have the same annotations and labels."""
    one, two = pod["metadata"], other["metadata"]
    for field in ("annotations", "labels"):
        mine, its = one.get(field), two.get(field)
        if mine is not its and mine != its:
            return False
    return True


def _runs_at_once(container: Object) -> bool:
    """Whether a simulated container is ready as soon as it is started, and will stay so."""
    if _COURSE.isdisjoint(container):
        return True
    if "restartPolicy" in container or "postStart" in (container.get("lifecycle") or {}):
        return False
    for field in ("startupProbe", "readinessProbe"):
        probe = container.get(field) or {}
        if probe.get("initialDelaySeconds") or (probe.get("successThreshold") or 1) > 1:
            return False
    return True


_COURSE = frozenset(("lifecycle", "readinessProbe", "restartPolicy", "startupProbe"))
"""Fields of a container that may change its course from being started to being ready."""


def _rests(pod: Object, around: Surroundings) -> bool:
    """Whether a stored pod runs as its node would say it does, in every part."""
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    if (
        status.get("phase") != "Running"
        or not status.get("podIP")
        or status.get("hostIP") != around.config.address
        or status.get("observedGeneration") != metadata.get("generation")
        or not _DECIDED.isdisjoint(spec)
        or "deletionTimestamp" in metadata
        or not around.runtime.runs_on(pod)
    ):
        return False
    conditions = {item["type"]: item["status"] for item in status.get("conditions") or ()}
    if any(conditions.get(kind) != "True" for kind in OWN_CONDITIONS):
        return False
    statuses = status.get("containerStatuses") or ()
    return len(statuses) == len(spec["containers"]) and all(
        "running" in item["state"]
        and item["ready"]
        and item["name"] == container["name"]
        and item["image"] == (container.get("image") or "")
        and not item.get("lastState")
        and item.get("containerID")
        and _runs_at_once(container)
        for item, container in zip(statuses, spec["containers"], strict=True)
    )
