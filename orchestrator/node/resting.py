"""Pods at rest: what runs and needs no decision has an entry, and no actor.

Most simulated pods start at once, run on, and are left alone until they are deleted. Such a pod is
started here, by whoever hears of its binding first, at a tenth of what an actor costs; and at rest
it is a status, an address and the runtime's record. One that is deleted, and whose containers end
as soon as they are told to, ends in the same way. As soon as anything else happens to it (it is
changed, a container ends) its node wakes it: it gets an actor, which takes over from the runtime's
records as after a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from actors import Clock
from orchestrator.node import launching
from orchestrator.node.addresses import AddressesExhaustedError
from orchestrator.node.alike import AlikeStatuses
from orchestrator.node.conditions import OWN_CONDITIONS
from orchestrator.node.node_pods import NodePod
from orchestrator.node.outbox import Proposal
from orchestrator.node.runtime import ContainerOf, ContainerSpec
from orchestrator.node.support import COURSE
from orchestrator.node.surroundings import Surroundings
from orchestrator.node.volumes.presence import missing_of, refers
from orchestrator.resources.objects import Object
from orchestrator.resources.timestamps import parse_time

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
_ADDRESSES = ("hostIP", "hostIPs", "podIP", "podIPs")


class Resting:
    """Starts, ends and takes over the pods of one node that need no actor."""

    def __init__(
        self,
        around: Surroundings,
        alike: AlikeStatuses,
        clock: Clock,
        entries: dict[str, NodePod],
    ) -> None:
        """Prepare.

        Args:
            around: The node.
            alike: Shared by all nodes.
            clock: The cluster's.
            entries: The node's pods by uid.
        """
        self._around = around
        self._alike = alike
        self._clock = clock
        self._entries = entries
        address = around.config.address
        self._host = {"hostIP": address, "hostIPs": [{"ip": address}]}

    def begin(self, pod: Object) -> bool:
        """Start a pod that can rest from the start; False: it needs an actor, nothing was done."""
        around = self._around
        if not _can_rest(pod, around):
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
        entry = self._entries[uid] = NodePod(pod)
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

    def end(self, pod: Object, entry: NodePod) -> bool:
        """End a pod at rest that is to go; False: it needs an actor, nothing was done."""
        around = self._around
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

    def forget(self, entry: NodePod) -> bool:
        """Clean up after a pod that was ended at rest; False: its actor does."""
        around = self._around
        if entry.ref is not None:
            return False
        uid = entry.latest["metadata"]["uid"]
        for record in around.runtime.known(uid):
            around.runtime.remove(record.started.id)
        address = entry.latest["status"].get("podIP") or ""
        around.pool.release(address, self._clock.monotonic(), uid)
        del self._entries[uid]
        return True

    def resume(self, pod: Object) -> bool:
        """Let a pod rest that ran before its node was started anew; False: it needs an actor."""
        around = self._around
        if not _rests(pod, around):
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
        entry = self._entries[uid] = NodePod(pod)
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
