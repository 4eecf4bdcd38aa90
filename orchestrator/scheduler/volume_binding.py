"""Getting a pod its volumes before it is bound: writes, waiting, giving up.

The core decides what the claims of a pod get and keeps it for them (`VolumeBook.reserve`). Here it
is written: a volume that exists is given to its claim, a claim whose volume has to be made is told
the node. Somebody else completes the binding, which may take minutes; the pod has its place on the
node meanwhile and nobody waits for it but itself. No task either: what is under way is a record
that is looked at when one of its objects changes.

Source of rules and texts: ``bindAPIUpdate`` and ``checkBindings`` of kube-scheduler's volume
binder, ``GetBindVolumeToClaim`` in k8s.io/component-helpers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from heapq import heappop, heappush
from typing import Any, Final, NamedTuple

from orchestrator.resources.errors import StatusError, conflict
from orchestrator.resources.objects import Key, Object, annotations_of, is_deleting
from orchestrator.scheduler.core.volumes import Reservation
from orchestrator.scheduler.core.volumes.claims import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    SELECTED_NODE,
)
from orchestrator.scheduler.core.volumes.persistent import ClaimKey, Places, volume_of
from orchestrator.store import Modify

BIND_TIMEOUT: Final = 600.0
"""Seconds until a pod whose volumes are not bound is tried anew: upstream's bindTimeoutSeconds."""

_CLAIMS: Final = "persistentvolumeclaims"
_VOLUMES: Final = "persistentvolumes"
_WAITING: Final = "not bound yet"

Look = Callable[[str, str, str], Object | None]
"""Finds an object as it is in the store, by resource, namespace and name."""


class Finished(NamedTuple):
    """A pod that waits for its volumes no longer.

    Attributes:
        uid: Of the pod.
        failure: Why it has to be scheduled anew; None when its volumes are bound.
    """

    uid: str
    failure: str | None


class _Pending:
    __slots__ = ("deadline", "reservation", "written")

    def __init__(self, reservation: Reservation, deadline: float) -> None:
        self.reservation = reservation
        self.deadline = deadline
        self.written = False  # until then the objects may look as if somebody had undone it


class VolumeBinder:
    """The pods that wait for their volumes; their reservations stay the caller's to release."""

    def __init__(self, look: Look) -> None:
        """Begin with nothing under way.

        Args:
            look: Reads the store; has to show a write as soon as that has been answered.
        """
        self._look = look
        self._deadlines: list[tuple[float, str]] = []  # a heap; the time is the pod's own, or past
        self._pending: dict[str, _Pending] = {}
        self._waiting_for: dict[Key, dict[str, None]] = {}
        self._changed: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, uid: str) -> bool:
        return uid in self._pending

    def begin(
        self, uid: str, reservation: Reservation, now: float, timeout: float = BIND_TIMEOUT
    ) -> list[Modify]:
        """Note what was decided for a pod; return the writes, for `written` to be told of.

        Args:
            uid: Of the pod.
            reservation: What its claims get.
            now: In seconds, on the clock that `take_finished` is asked by.
            timeout: Seconds from now until it is too late.
        """
        self._pending[uid] = _Pending(reservation, now + timeout)
        heappush(self._deadlines, (now + timeout, uid))
        for key in _keys(reservation):
            self._waiting_for.setdefault(key, {})[uid] = None
        return list(self._writes(reservation))

    def written(self, uid: str, results: Iterable[Object | StatusError]) -> Finished | None:
        """Take note of the answers to the writes; return the end, if there was a refusal."""
        pending = self._pending.get(uid)
        if pending is None:
            return None
        for result in results:
            if isinstance(result, StatusError):
                return self._finish(uid, str(result))
        pending.written = True
        self._changed[uid] = None
        return None

    def changed(self, key: Key) -> None:
        """Take note of a change of a claim or a volume."""
        if not self._pending:
            return
        for uid in self._waiting_for.get(key, ()):
            self._changed[uid] = None
        if key.resource == _VOLUMES:
            # A volume that was just made is waited for by whose claim names it.
            reference = (self._look(*key) or {}).get("spec", {}).get("claimRef") or {}
            claim = Key(_CLAIMS, reference.get("namespace") or "", reference.get("name") or "")
            for uid in self._waiting_for.get(claim, ()):
                self._changed[uid] = None

    def take_finished(self, now: float, labels_of: Callable[[str], Any]) -> list[Finished]:
        """Return the pods whose waiting is over; they are forgotten here.

        Args:
            now: In seconds.
            labels_of: Finds the labels of a node by its name; None for a node that is gone.
        """
        finished: list[Finished] = []
        changed, self._changed = self._changed, {}
        for uid in changed:
            pending = self._pending.get(uid)
            if pending is None or not pending.written:
                continue
            node = pending.reservation.node
            verdict = self._judge(pending.reservation, labels_of(node))
            if verdict is not _WAITING:
                finished.append(self._finish(uid, verdict or None))
        while (due := self.next_deadline()) is not None and due <= now:
            finished.append(self._finish(self._deadlines[0][1], "context deadline exceeded"))
        return finished

    def next_deadline(self) -> float | None:
        """Return when somebody will have waited for too long; None when nobody waits."""
        while self._deadlines:
            deadline, uid = self._deadlines[0]
            pending = self._pending.get(uid)
            if pending is not None and pending.deadline == deadline:
                return deadline
            heappop(self._deadlines)
        return None

    def node_changed(self, node: str) -> None:
        """Take note that a node changed, or is gone."""
        for uid, pending in self._pending.items():
            if pending.reservation.node == node:
                self._changed[uid] = None

    def cancel(self, uid: str) -> None:
        """Forget a pod: it is gone, or somebody else bound it."""
        pending = self._pending.pop(uid, None)
        if pending is None:
            return
        for key in _keys(pending.reservation):
            waiting = self._waiting_for.get(key, {})
            waiting.pop(uid, None)
            if not waiting:
                self._waiting_for.pop(key, None)

    # ---- writes

    def _writes(self, reservation: Reservation) -> Iterable[Modify]:
        for name, claim in reservation.volumes:
            present = self._look(_CLAIMS, *claim)
            change = partial(give_volume, claim, None if present is None else present["metadata"])
            yield Modify(_VOLUMES, "", name, change)
        for claim in reservation.provisions:
            change = partial(select_node, reservation.node)
            yield Modify(_CLAIMS, claim.namespace, claim.name, change)

    # ---- waiting

    def _judge(self, reservation: Reservation, labels: Any) -> str:
        """Return why it failed, `_WAITING`, or nothing when all is bound."""
        node = reservation.node
        if labels is None:
            return f'failed to get node "{node}": node "{node}" not found'
        verdicts = [
            *(self._judge_volume(name, claim, node, labels) for name, claim in reservation.volumes),
            *(self._judge_claim(claim, node, labels) for claim in reservation.provisions),
        ]
        failures = [verdict for verdict in verdicts if verdict and verdict is not _WAITING]
        if failures:
            return failures[0]
        return _WAITING if _WAITING in verdicts else ""

    def _judge_volume(self, name: str, key: ClaimKey, node: str, labels: Any) -> str:
        volume = self._look(_VOLUMES, "", name)
        claim = self._look(_CLAIMS, *key)
        if volume is None:
            return f'failed to check binding: could not find PersistentVolume "{name}"'
        if claim is None:
            return _no_claim("binding", key)
        if not _is_reachable(volume, labels):
            return _unreachable(name, node)
        reference = volume["spec"].get("claimRef") or {}
        if not reference.get("uid"):
            return f'ClaimRef got reset for pv "{name}"'
        if reference["uid"] != claim["metadata"]["uid"]:
            return f'pv "{name}" is for another claim by now'
        return "" if is_fully_bound(claim) else _WAITING

    def _judge_claim(self, key: ClaimKey, node: str, labels: Any) -> str:
        claim = self._look(_CLAIMS, *key)
        if claim is None:
            return _no_claim("provisioning pvc", key)
        if annotations_of(claim).get(SELECTED_NODE) != node:
            # Who makes volumes takes the annotation away to say that it cannot.
            return f'provisioning failed for PVC "{key.name}"'
        name = claim["spec"].get("volumeName")
        if name:
            volume = self._look(_VOLUMES, "", name)
            if volume is None:
                return _WAITING
            if not _is_reachable(volume, labels):
                return _unreachable(name, node)
        return "" if is_fully_bound(claim) else _WAITING

    def _finish(self, uid: str, failure: str | None) -> Finished:
        self.cancel(uid)
        return Finished(uid, None if failure is None else f"binding volumes: {failure}")


def give_volume(claim: ClaimKey, metadata: Any, current: Object) -> Object | None:
    """Return a volume that is for a claim; None when it is already.

    Args:
        claim: Which claim.
        metadata: Of the claim as it is known; None where it is gone.
        current: The volume.

    Raises:
        StatusError: It is somebody else's, or going; or the claim is gone.
    """
    spec = current["spec"]
    reference = spec.get("claimRef")
    name = current["metadata"]["name"]
    if metadata is None:
        raise conflict(_VOLUMES, name, f'the claim "{claim.name}" is gone')
    if is_deleting(current):
        raise conflict(_VOLUMES, name, "the volume is being deleted")
    if reference:
        same = (reference.get("namespace"), reference.get("name")) == tuple(claim)
        if not same or reference.get("uid") not in {None, "", metadata["uid"]}:
            raise conflict(_VOLUMES, name, "the volume is another claim's")
        if reference.get("uid"):
            return None
    wanted = {
        "kind": "PersistentVolumeClaim",
        "namespace": claim.namespace,
        "name": claim.name,
        "uid": metadata["uid"],
        "apiVersion": "v1",
        "resourceVersion": metadata["resourceVersion"],
    }
    changed = {**current, "spec": {**spec, "claimRef": wanted}}
    if reference:  # the user chose it, and goes on having it when the claim is gone
        return changed
    annotations = {**annotations_of(current), BOUND_BY_CONTROLLER: "yes"}
    return {**changed, "metadata": {**current["metadata"], "annotations": annotations}}


def select_node(node: str, current: Object) -> Object | None:
    """Return a claim whose volume is to be made for a node; None when it says so already.

    Raises:
        StatusError: It has a volume, is to be provisioned for another node, or is going.
    """
    name = current["metadata"]["name"]
    if is_deleting(current):
        raise conflict(_CLAIMS, name, "the claim is being deleted")
    if current["spec"].get("volumeName"):
        raise conflict(_CLAIMS, name, "the claim has a volume by now")
    annotations = annotations_of(current)
    selected = annotations.get(SELECTED_NODE)
    if selected == node:
        return None
    if selected:
        raise conflict(_CLAIMS, name, f"the claim is to be provisioned for node {selected}")
    metadata = {**current["metadata"], "annotations": {**annotations, SELECTED_NODE: node}}
    return {**current, "metadata": metadata}


def is_fully_bound(claim: Object) -> bool:
    """Tell whether a claim has its volume, and whoever binds them has finished."""
    return bool(claim["spec"].get("volumeName")) and BIND_COMPLETED in annotations_of(claim)


def _is_reachable(volume: Object, labels: Any) -> bool:
    affinity = volume_of(volume, Places()).affinity
    return affinity is None or affinity.matches(labels)


def _unreachable(volume: str, node: str) -> str:
    return (
        f'pv "{volume}" node affinity doesn\'t match node "{node}": no matching NodeSelectorTerms'
    )


def _no_claim(what: str, key: ClaimKey) -> str:
    claim = f'PersistentVolumeClaim "{key.namespace}/{key.name}"'
    return f"failed to check {what}: could not find {claim}"


def _keys(reservation: Reservation) -> Iterable[Key]:
    for name, claim in reservation.volumes:
        yield Key(_VOLUMES, "", name)
        yield Key(_CLAIMS, *claim)
    for claim in reservation.provisions:
        yield Key(_CLAIMS, *claim)
