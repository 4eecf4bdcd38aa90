"""First and last statuses of pods that differ in little more than their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from orchestrator.node import launching
from orchestrator.node.runtime import ContainerExited, ContainerStarted
from orchestrator.node.states import ContainerState, Phase, PodState, containers_of
from orchestrator.node.statuses import pod_status
from orchestrator.resources.objects import Object

_OWN = frozenset(("containerStatuses", "hostIP", "hostIPs", "podIP", "podIPs"))
"""Fields of a status that are one pod's own."""
_ALIKE_LIMIT = 64


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
