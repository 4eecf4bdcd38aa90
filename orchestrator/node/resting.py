"""Pods at rest: what runs and needs no decision has an entry, and no actor.

Most simulated pods start at once, run on, and are left alone until they are deleted. Such a pod is
started here, by whoever hears of its binding first, at a tenth of what an actor costs; and at rest
it is a status, an address and the runtime's record. One that is deleted, and whose containers end
as soon as they are told to, ends in the same way. As soon as anything else happens to it (it is
changed, a container ends) its node wakes it: it gets an actor, which takes over from the runtime's
records as after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

from actors import ActorRef, Clock
from orchestrator.node import launching
from orchestrator.node.addresses import AddressesExhaustedError
from orchestrator.node.admission import Admissions, Offer, PodAmounts, Refusal
from orchestrator.node.conditions import OWN_CONDITIONS
from orchestrator.node.outbox import Proposal
from orchestrator.node.registration import node_object
from orchestrator.node.runtime import (
    ContainerExited,
    ContainerOf,
    ContainerSpec,
    ContainerStarted,
)
from orchestrator.node.states import ContainerState, Phase, PodState, containers_of
from orchestrator.node.statuses import pod_status
from orchestrator.node.support import COURSE
from orchestrator.node.surroundings import PodEntry, Surroundings
from orchestrator.node.volumes.presence import missing_of, refers
from orchestrator.resources.objects import Object
from orchestrator.resources.timestamps import parse_time
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
_ALIKE_LIMIT = 64
_ADDRESSES = ("hostIP", "hostIPs", "podIP", "podIPs")


class NodePod(PodEntry):
    """A pod's entry with the part that is the node's alone.

    Attributes:
        ref: Its actor, None while it rests.
        ended: Whether it was ended at rest, and nothing has happened to it since: its containers
            have ended, the store is told so, and all that is left is to clean up.
    """

    __slots__ = ("ended", "ref")

    def __init__(self, latest: Object) -> None:
        super().__init__(latest)
        self.ref: ActorRef[Any] | None = None
        self.ended = False


class _Alike(NamedTuple):
    """A status that many pods have at the same time, and what it was made from.

    Attributes:
        sources: Parts of the pod whose ids are in the key; holding them keeps the ids from being
            given away.
        status: All of it, with the parts that are one pod's own.
        containers: Statuses of the containers, with one pod's ids.
        kept: Fields that are as in the status before, if it has no others that are gone.
    """

    sources: tuple[object, ...]
    status: Object
    containers: tuple[Object, ...]
    kept: frozenset[str] | None


class AlikeStatuses:
    """First and last statuses of pods, made once for all that differ in names and addresses only.

    Thousands of pods of one template may come, or go, in one second. One of these is shared by all
    nodes.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], _Alike] = {}
        self.amounts = PodAmounts()

    def first(
        self, pod: Object, runtime: str, started: Sequence[ContainerStarted], now: float
    ) -> tuple[Object, frozenset[str] | None]:
        """Return the status of a pod all of whose containers run, but for its addresses.

        And which of its fields are as they were, see `Proposal.kept`.
        """
        stored, specs = pod["status"], pod["spec"]["containers"]
        generation = pod["metadata"].get("generation")
        key = id(stored), id(specs), int(now), generation
        alike = self._made.get(key)
        if alike is None:
            containers = containers_of(pod["spec"])
            for container, start in zip(containers, started, strict=True):
                container.phase = Phase.RUNNING
                container.id = start.id
                container.started_at = start.started_at
            alike = self._make(key, pod, runtime, containers, (stored, specs), now)
        statuses = [
            {**status, "containerID": f"{runtime}://{start.id}"}
            for status, start in zip(alike.containers, started, strict=True)
        ]
        return {**alike.status, "containerStatuses": statuses}, alike.kept

    def last(
        self, pod: Object, runtime: str, ended: Sequence[ContainerExited], now: float
    ) -> tuple[Object, frozenset[str] | None]:
        """Return the status of a pod all of whose containers have ended on being told to.

        As `first`; the parts that are one pod's own, the containers' statuses aside, have to be
        put back.
        """
        stored, specs = pod["status"], pod["spec"]["containers"]
        conditions = stored["conditions"]
        metadata = pod["metadata"]
        key = (
            id(conditions),
            id(specs),
            int(now),
            metadata.get("generation"),
            metadata.get("deletionGracePeriodSeconds"),
            stored.get("qosClass"),
            stored.get("startTime"),
            *(int(item.started_at) for item in ended),
        )
        alike = self._made.get(key)
        if alike is None:
            containers = containers_of(pod["spec"])
            for container, exited in zip(containers, ended, strict=True):
                container.id = exited.id
                launching.end(container, exited)
            alike = self._make(key, pod, runtime, containers, (conditions, specs), now)
        statuses = []
        for status, exited in zip(alike.containers, ended, strict=True):
            identity = f"{runtime}://{exited.id}"
            terminated = {**status["state"]["terminated"], "containerID": identity}
            shown = {"terminated": terminated}
            statuses.append({**status, "state": shown, "containerID": identity})
        return {**alike.status, "containerStatuses": statuses}, alike.kept

    def _make(
        self,
        key: tuple[Any, ...],
        pod: Object,
        runtime: str,
        containers: list[ContainerState],
        sources: tuple[object, ...],
        now: float,
    ) -> _Alike:
        """Let the status be computed as for a pod with an actor, so that there is one rule."""
        if len(self._made) >= _ALIKE_LIMIT:
            self._made.clear()
        state = PodState(pod, containers, "0.0.0.0", runtime, now, address="0.0.0.0")  # noqa: S104 - replaced by the pod's own
        status = pod_status(state, now)
        stored = pod["status"]
        kept = None
        if stored.keys() <= status.keys():
            kept = frozenset(field for field, value in stored.items() if status[field] == value)
            kept -= _OWN
        alike = _Alike(sources, status, tuple(status["containerStatuses"]), kept)
        self._made[key] = alike
        return alike


class NodePods:
    """The pods of one node, shared by the node's actor and its parent.

    The parent routes what happens to pods. What concerns a pod at rest, or one that can rest from
    the start, it settles here in passing; a message to the node for each would cost twice as much
    as all that is done for the pod.

    Attributes:
        admissions: Which of them the node has taken, and which it has refused.
        cut: Whether nothing passes between the node and the API; its parent writes it.
        entries: By uid.
    """

    __slots__ = (
        "_alike",
        "_around",
        "_clock",
        "_host",
        "_node",
        "_offer",
        "_own",
        "admissions",
        "cut",
        "entries",
    )

    def __init__(self, alike: AlikeStatuses, clock: Clock) -> None:
        """Prepare; nothing is settled before `open`."""
        self.entries: dict[str, NodePod] = {}
        self.cut = False
        self._alike = alike
        self._clock = clock
        self._around: Surroundings | None = None
        self._host: Object = {}
        self._node: Object | None = None
        self._offer = self._own = Offer({})
        self.admissions = Admissions(alike.amounts, self._is_known)

    @property
    def expect_configuration(self) -> bool:
        """Whether any of them has to be told of changes of ConfigMaps and the like."""
        around = self._around
        return around is not None and bool(around.unconfigured or around.followers)

    def open(self, around: Surroundings) -> None:
        """Begin anew for a node that starts."""
        self.entries = {}
        self._around = around
        address = around.config.address
        status = {"allocatable": around.allocatable}
        self._own = Offer({**node_object(around.config), "status": status})
        self._node, self._offer = None, self._own
        self._host = {"hostIP": address, "hostIPs": [{"ip": address}]}

    def close(self) -> None:
        """Leave everything to the node's actor, which has ended or is about to."""
        self._around = None

    def _is_known(self, uid: str) -> bool:
        """Whether the runtime knows containers of a pod."""
        return self._around is not None and bool(self._around.runtime.known(uid))

    def settle(self, event: ObjectEvent) -> bool:
        """Take in a change of a pod that is on the node; False: it is for the node's actor."""
        if self._around is None:
            return False
        pod = event.object
        metadata, spec = pod["metadata"], pod["spec"]
        entry = self.entries.get(metadata["uid"])
        if event.type == "DELETED":
            self.admissions.forget(metadata["uid"])
            return entry is not None and entry.ended and self._forget(entry)
        before = event.previous
        if before is None or not before["spec"].get("nodeName"):
            refused = self.admissions.judge(pod, self._offered()) is not None
            if entry is None:
                return not refused and self._begin(pod)
        else:
            self.admissions.note(pod, before)
        if entry is None:
            # Nothing but its binding: any later change may be behind others in a mailbox.
            return False
        if (
            entry.ref is None
            and pod.get("status") is entry.proposed
            and spec is entry.latest["spec"]
            and labelled_alike(pod, entry.latest)
            and ("deletionTimestamp" not in metadata or entry.ended or self._end(pod, entry))
        ):
            entry.latest = pod  # its own words, come back, or its end
            return True
        # What follows must not overtake this in the mailbox of the node's actor.
        entry.ended = False
        return False

    def _offered(self) -> Offer:
        """Return what the stored Node offers, or will when it is registered."""
        around = self._around
        if around is None:
            return self._offer
        node = around.reader.get("nodes", "", around.config.name)
        if node is not self._node:
            registered = node is not None and (node.get("status") or {}).get("allocatable")
            self._node = node
            self._offer = Offer(node) if node is not None and registered else self._own
        return self._offer

    def refusal_of(self, pod: Object) -> Refusal | None:
        """Return why the node does not take a pod; None: it does, or did before."""
        return self.admissions.judge(pod, self._offered())

    def recount(self, pods: Iterable[Object]) -> None:
        """Take over all pods that are bound to the node: changes may have been missed."""
        self.admissions.recount(pods, self._offered())

    def begin(self, pod: Object) -> bool:
        """Start a pod that can rest from the start; False: it needs an actor, nothing was done."""
        return self.refusal_of(pod) is None and self._begin(pod)

    def _begin(self, pod: Object) -> bool:
        around = self._around
        if around is None or not _can_rest(pod, around):
            return False
        metadata, specs, runtime = pod["metadata"], pod["spec"]["containers"], around.runtime
        uid = metadata["uid"]
        if runtime.known(uid):
            return False
        try:
            address = around.pool.take(self._clock.monotonic(), uid)
        except AddressesExhaustedError:
            return False
        now = self._clock.now()
        name = around.config.name
        run = runtime.run
        started = [run(_of((name, uid, spec["name"], 0)), address) for spec in specs]
        status, kept = self._alike.first(pod, runtime.name, started, now)
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

    def _end(self, pod: Object, entry: NodePod) -> bool:
        """End a pod at rest that is to go; False: it needs an actor, nothing was done."""
        around = self._around
        assert around is not None, "only an open node settles"
        metadata, specs, runtime = pod["metadata"], pod["spec"]["containers"], around.runtime
        uid = metadata["uid"]
        if (
            metadata.get("deletionGracePeriodSeconds") == 0
            or not _DECIDED.isdisjoint(pod["spec"])
            or any("lifecycle" in spec for spec in specs)
            or not runtime.runs_on(pod)
        ):
            return False
        records = runtime.known(uid)
        if len(records) != len(specs) or any(
            record.exited is not None or record.started.of.attempt for record in records
        ):
            return False
        ended = runtime.halt(uid)
        by_name = {exited.of.container: exited for exited in ended}
        ended = [by_name[spec["name"]] for spec in specs]
        stored = pod["status"]
        status, kept = self._alike.last(pod, runtime.name, ended, self._clock.now())
        for field in _ADDRESSES:
            if field in stored:
                status[field] = stored[field]
        entry.ended = True
        entry.proposed = status
        around.outbox.put(
            _proposal((uid, metadata["namespace"], metadata["name"], status, stored, True, kept))
        )
        if around.config.events:
            for spec in specs:
                launching.tell_stopping(around, pod, spec["name"])
        return True

    def _forget(self, entry: NodePod) -> bool:
        """Clean up after a pod that was ended at rest; False: its actor does."""
        around = self._around
        if entry.ref is not None or around is None:
            return False
        uid = entry.latest["metadata"]["uid"]
        for record in around.runtime.known(uid):
            around.runtime.remove(record.started.id)
        address = entry.latest["status"].get("podIP") or ""
        around.pool.release(address, self._clock.monotonic(), uid)
        del self.entries[uid]
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
                since = parse_time(status["state"]["running"]["startedAt"])
                launches.append(ContainerSpec(identity, of, pod, spec, address, since=since))
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
    if "volumes" in spec and refers(spec) and missing_of(pod, around.reader):
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
