"""What the scheduler does about storage beside deciding: it follows it, reserves, writes and waits.

A pod whose claims wait for it is placed like any other, but bound later: first its volumes are
reserved and written about, and somebody else binds or makes them. Until then it is *held*: its
place and its volumes are its own, and the scheduler goes on with others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object
from orchestrator.scheduler.configuration import (
    DEFAULT_CONFIGURATION,
    DEFAULT_PROFILE,
    Profile,
)
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.volume_binding import NAME
from orchestrator.scheduler.core.volumes import (
    RESOURCES,
    Reservation,
    VolumeBook,
    VolumeChange,
    VolumeDemand,
)
from orchestrator.scheduler.core.waiting import WaitingPod
from orchestrator.scheduler.volume_binding import Finished, Look, VolumeBinder
from orchestrator.store import Modify, ObjectEvent


class Held(NamedTuple):
    """A pod that has a node and waits for its volumes.

    Attributes:
        pod: The pod.
        node: The name of its node.
        reservation: What its claims are to get.
    """

    pod: WaitingPod
    node: str
    reservation: Reservation


class Ended(NamedTuple):
    """A pod that is held no longer.

    Attributes:
        pod: The pod.
        node: The name of its node.
        failure: Why it has to be scheduled anew, as the pod is told; None when it can be bound.
    """

    pod: WaitingPod
    node: str
    failure: str | None


class Storage:
    """Keeps the book of storage up to date, and the pods that are held."""

    def __init__(
        self,
        book: VolumeBook,
        look: Look,
        profiles: Mapping[str, Profile] = DEFAULT_CONFIGURATION.by_name,
    ) -> None:
        """Begin with an empty book.

        Args:
            book: Of the cluster's picture; see `load` for another one.
            look: Reads an object in the store.
            profiles: By the names of the pods' schedulers: whether and for how long they are held.
        """
        self._book = book
        self._profiles = profiles
        self._binder = VolumeBinder(look)
        self._held: dict[str, Held] = {}
        self._released: list[VolumeChange] = []

    def load(self, book: VolumeBook, objects: Callable[[str], Iterable[Object]]) -> None:
        """Write another book from scratch; pods that are held stay so.

        Args:
            book: An empty one.
            objects: Lists a resource.
        """
        self._book = book
        for resource in RESOURCES:
            for obj in objects(resource):
                book.put(resource, obj)
        for held in self._held.values():
            book.restore(held.reservation)

    def resolve(self, pod: Mapping[str, Any]) -> VolumeDemand | None:
        """Find what a pod's volumes demand, for `PodClasses`."""
        metadata = pod["metadata"]
        return self._book.resolve(
            pod["spec"], metadata.get("namespace") or "", metadata["name"], metadata["uid"]
        )

    def apply(self, event: ObjectEvent) -> VolumeChange:
        """Take over a change of a storage object; return whom it concerns.

        Pods that use the very claim or volume are in `take_stale`, and may be helped as well.
        """
        self._binder.changed(event.key)
        if event.type == "DELETED":
            return self._book.remove(event.key.resource, event.object)
        return self._book.put(event.key.resource, event.object)

    def take_released(self) -> list[VolumeChange]:
        """Return whom it concerns that reservations came to nothing, since this was asked last.

        Upstream tells nobody, and who waits for such a volume waits for five minutes.
        """
        released, self._released = self._released, []
        return released

    def take_stale(self) -> list[str]:
        """Return the uids of pods whose class may be another one now."""
        return self._book.take_stale()

    def node_changed(self, node: str) -> None:
        """Take note that a node's labels changed, or that it is gone."""
        if self._held:
            self._binder.node_changed(node)

    # ---- pods that are held

    def reserve(self, pod: WaitingPod, node: NodeState) -> str | None:
        """Reserve what a pod's claims get on the node that was chosen for it.

        It is theirs until `take_ended` or `written` tells of the pod's end, or it is given up.

        Returns:
            Why the node has nothing for the claims after all; None when all is well.
        """
        demand = pod.pod_class.volumes
        if demand is None or not demand.parts.unbound:
            return None
        if NAME not in self._profile_of(pod).reserves:
            return None
        reservation = self._book.reserve(pod.uid, node.name, node.labels)
        if isinstance(reservation, str):
            return reservation
        if reservation is not None:
            self._held[pod.uid] = Held(pod, node.name, reservation)
        return None

    def hold(self, pod: WaitingPod, node: NodeState, now: float) -> list[Modify] | str:
        """Begin to get a pod what was reserved for it; reserve it if that was not done yet.

        Returns:
            The writes, for `written` to be told of; none for a pod that waits for nothing and can
            be bound. Or why the node has nothing for the claims after all.
        """
        if pod.uid not in self._held:
            reason = self.reserve(pod, node)
            if reason is not None:
                return reason
        held = self._held.get(pod.uid)
        if held is None:
            return []
        profile = self._profile_of(pod)
        if NAME not in profile.pre_binds:
            self.give_up(pod.uid)
            return []
        timeout = profile.arguments.volume_binding.bind_timeout_seconds
        return self._binder.begin(pod.uid, held.reservation, now, timeout)

    def _profile_of(self, pod: WaitingPod) -> Profile:
        return self._profiles.get(pod.pod_class.shape.scheduler_name, DEFAULT_PROFILE)

    def written(self, uid: str, results: Iterable[Object | StatusError]) -> Ended | None:
        """Take note of the answers to the writes; a refusal ends the wait."""
        finished = self._binder.written(uid, results)
        return None if finished is None else self._end(finished)

    def take_ended(
        self, now: float, labels_of: Callable[[str], Mapping[str, str] | None]
    ) -> list[Ended]:
        """Return the pods that have their volumes, and those that will not get them.

        Args:
            now: In seconds.
            labels_of: Finds a node's labels by its name; None for one that is gone.
        """
        return [self._end(each) for each in self._binder.take_finished(now, labels_of)]

    def next_deadline(self) -> float | None:
        """Return when `take_ended` will have something to return for sure; None for never."""
        return self._binder.next_deadline()

    def give_up(self, uid: str) -> Held | None:
        """Hold a pod no longer: it is being deleted, or somebody else bound it."""
        held = self._held.pop(uid, None)
        if held is not None:
            self._binder.cancel(uid)
            self._release(held.reservation)
        return held

    def forget(self, uid: str) -> None:
        """Forget a pod that is gone, or has finished."""
        self.give_up(uid)
        self._book.forget(uid)

    def _release(self, reservation: Reservation) -> None:
        change = self._book.release(reservation)
        if change.event:
            self._released.append(change)

    def _end(self, finished: Finished) -> Ended:
        pod, node, reservation = self._held.pop(finished.uid)
        self._release(reservation)
        failure = finished.failure
        if failure is not None:
            failure = f'running PreBind plugin "VolumeBinding": {failure}'
        return Ended(pod, node, failure)
