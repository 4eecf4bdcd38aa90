"""How a DaemonSet stands on one node: what counts, what to do, what an update may do. Pure.

Rules: ``podsShouldBeOnNode``, ``updateDaemonSetStatus`` and ``rollingUpdate`` of
k8s.io/kubernetes/pkg/controller/daemon, each taken apart into what one node contributes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

from orchestrator.controllers._pods import ready_since
from orchestrator.controllers._revisions import POD_LABEL
from orchestrator.controllers.daemonset.placement import GENERATION_LABEL, Verdict
from orchestrator.resources.objects import Object, labels_of, name_of


class Turn(IntEnum):
    """What a node means to a rolling update."""

    NONE = 0
    """Nothing: it is as wanted, or others see to it."""
    LOST = 1
    """No pod serves there by the update's own doing: it counts against the limit."""
    OLD = 2
    """An old pod is available: it may be replaced within the limit."""
    BROKEN = 3
    """An old pod is not available: replacing it costs nothing."""
    DONE = 4
    """Its new pod is available: the old one beside it may go."""


class Rollout(NamedTuple):
    """What is asked of every node.

    Attributes:
        hashed: The hash that pods of the newest revision carry.
        generation: The template's generation, which they carry too; empty for none.
        surges: Whether new pods come beside old ones (``maxSurge`` is not 0).
        seconds: ``spec.minReadySeconds``.
    """

    hashed: str
    generation: str
    surges: bool
    seconds: int


class DaemonPod(NamedTuple):
    """One pod as a decision sees it.

    Attributes:
        pod: As committed.
        bound: Whether it has its node.
        phase: Its phase.
        deleting: Whether it is being deleted.
        since: From when (wall seconds) it is ready; None when it is not.
        updated: Whether it is of the newest revision.
    """

    pod: Object
    bound: bool
    phase: str
    deleting: bool
    since: float | None
    updated: bool

    def is_available(self, seconds: int, now: float) -> bool:
        """Tell whether it has been ready for so many seconds."""
        return self.since is not None and (not seconds or self.since + seconds <= now)


class Standing(NamedTuple):
    """A DaemonSet on one node.

    Attributes:
        desired: 1 where a pod has to be.
        current: 1 where one has to be and is.
        misscheduled: 1 where one is and has not to be.
        ready: 1 where the pod that counts is ready.
        available: 1 where it is available.
        updated: 1 where it is of the newest revision.
        needs: Whether a pod has to be made.
        excess: Pods that have to go.
        failed: Pods that failed: they go after a while.
        succeeded: Pods that ended.
        turn: What an update may do.
        old: The pod that would go for it.
        ripe: When (wall seconds) the next ready pod becomes available; None for none.
    """

    desired: int = 0
    current: int = 0
    misscheduled: int = 0
    ready: int = 0
    available: int = 0
    updated: int = 0
    needs: bool = False
    excess: tuple[Object, ...] = ()
    failed: tuple[Object, ...] = ()
    succeeded: tuple[Object, ...] = ()
    turn: Turn = Turn.NONE
    old: Object | None = None
    ripe: float | None = None

    @property
    def has_work(self) -> bool:
        """Whether something has to be done apart from an update."""
        return bool(self.needs or self.excess or self.failed or self.succeeded)


def view(pods: Iterable[Object], rollout: Rollout) -> list[DaemonPod]:
    """Return the pods of a node that count, the one that stands for them first.

    A pod that ended and is being deleted is as good as gone.
    """
    found: list[DaemonPod] = []
    for pod in pods:
        phase = (pod.get("status") or {}).get("phase") or ""
        deleting = "deletionTimestamp" in pod["metadata"]
        if deleting and phase in {"Succeeded", "Failed"}:
            continue
        labels = labels_of(pod)
        updated = labels.get(POD_LABEL) == rollout.hashed or (
            bool(rollout.generation) and labels.get(GENERATION_LABEL) == rollout.generation
        )
        bound = bool(pod["spec"].get("nodeName"))
        found.append(DaemonPod(pod, bound, phase, deleting, ready_since(pod), updated))
    if len(found) > 1:
        found.sort(key=_precedence)
    return found


def _precedence(one: DaemonPod) -> tuple[bool, str, str]:
    created = one.pod["metadata"].get("creationTimestamp") or ""
    return (not one.bound, created, name_of(one.pod))


def stand(verdict: Verdict, pods: Sequence[DaemonPod], rollout: Rollout, now: float) -> Standing:
    """Return how a DaemonSet stands on a node.

    Args:
        verdict: What is to be there.
        pods: Its pods there, as `view` returns them.
        rollout: What is asked of every node.
        now: Wall seconds.
    """
    seconds = rollout.seconds
    ripe: float | None = None
    if seconds:
        later = [one.since + seconds for one in pods if one.since is not None]
        ripe = min((moment for moment in later if moment > now), default=None)
    numbers = _count(verdict, pods, seconds, now)
    needs = verdict is Verdict.RUN and not pods
    excess: list[DaemonPod] = []
    failed: list[DaemonPod] = []
    succeeded: list[DaemonPod] = []
    if verdict >= Verdict.STAY:
        alive: list[DaemonPod] = []
        for one in pods:
            if one.deleting:
                continue
            ends = {"Failed": failed, "Succeeded": succeeded}.get(one.phase, alive)
            ends.append(one)
        excess = _excess(alive, rollout, now)
    elif verdict is Verdict.LEAVE:
        excess = [one for one in pods if not one.deleting]
    else:
        excess = [one for one in pods if not one.deleting and not one.bound]
    turn, old = _turn(verdict, pods, rollout, now)
    return Standing(
        *numbers,
        needs=needs,
        excess=tuple(one.pod for one in excess),
        failed=tuple(one.pod for one in failed),
        succeeded=tuple(one.pod for one in succeeded),
        turn=turn,
        old=old,
        ripe=ripe,
    )


def _count(
    verdict: Verdict, pods: Sequence[DaemonPod], seconds: int, now: float
) -> tuple[int, int, int, int, int, int]:
    if verdict is Verdict.GONE:
        return (0, 0, 0, 0, 0, 0)
    if verdict is not Verdict.RUN:
        return (0, 0, int(bool(pods)), 0, 0, 0)
    if not pods:
        return (1, 0, 0, 0, 0, 0)
    first = pods[0]
    ready = first.since is not None
    available = first.is_available(seconds, now)
    return (1, 1, 0, int(ready), int(available), int(first.updated))


def _excess(alive: list[DaemonPod], rollout: Rollout, now: float) -> list[DaemonPod]:
    """Return which of a node's pods are too many.

    Without surge all but the first. With it one old and one new pod may be there while the old
    one is ready and the new one is not available yet.
    """
    if len(alive) <= 1:
        return []
    if not rollout.surges:
        return alive[1:]
    new = next((one for one in alive if one.updated), None)
    old = next((one for one in alive if not one.updated), None)
    excess = [one for one in alive if one is not new and one is not old]
    if (
        new is not None
        and old is not None
        and (old.since is None or new.is_available(rollout.seconds, now))
    ):
        excess.append(old)
    return excess


def _turn(
    verdict: Verdict, pods: Sequence[DaemonPod], rollout: Rollout, now: float
) -> tuple[Turn, Object | None]:
    if not pods:
        # A node without a pod counts as unavailable where one has to be; surge has no use for it.
        waits = verdict is Verdict.RUN and not rollout.surges
        return (Turn.LOST if waits else Turn.NONE), None
    staying = [one for one in pods if not one.deleting]
    new = [one for one in staying if one.updated]
    old = [one for one in staying if not one.updated]
    if len(new) > 1 or len(old) > 1:
        return Turn.LOST, None
    seconds = rollout.seconds
    if rollout.surges:
        if not old:
            return Turn.NONE, None
        if new:
            done = new[0].is_available(seconds, now)
            return (Turn.DONE if done else Turn.LOST), old[0].pod
        if verdict is not Verdict.RUN:
            return Turn.NONE, None  # a new pod would find no way onto the node
    elif bool(new) == bool(old):
        return Turn.LOST, None
    elif new:
        available = new[0].is_available(seconds, now)
        return (Turn.NONE if available else Turn.LOST), None
    available = old[0].is_available(seconds, now)
    return (Turn.OLD if available else Turn.BROKEN), old[0].pod
