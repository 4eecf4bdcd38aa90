"""What must hold at every committed event, whatever happens; see the invariants of the store."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from orchestrator.resources.objects import Key, Object
from orchestrator.scheduler.core.requests import amount, request_of
from orchestrator.scheduler.preempting import is_preempted
from orchestrator.store import ObjectEvent, Store

FINISHED = frozenset({"Succeeded", "Failed"})
_URGENT = 2_000_001_000
HOLD = "simulation.example.com/hold"
"""The finalizer of the workload; only the workload clears it."""

FLOOR_SECONDS = 10.0
"""How old the spec of a Deployment may be on which a controller acts: it decides, writes, and the
ReplicaSet controller acts on what was written."""


class InvariantError(AssertionError):
    """Something that must never happen has happened."""


def digest_of(obj: Object) -> str:
    """Return a short fingerprint of an object."""
    data = orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def line_of(event: ObjectEvent) -> str:
    """Return an event as the history has it."""
    return f"{event.sequence} {event.type} {'/'.join(event.key)} {digest_of(event.object)}"


class Witness:
    """Sees every committed event of all lives of a cluster, checks it, and remembers.

    Attributes:
        history: A line for each event: what two runs of one seed must have in common.
        objects: The fold of all events.
        released: Uids of objects whose `HOLD` the workload has asked to clear.
        failures: What was violated.
        others: Further checks of every event, called when it is in ``objects``.
    """

    def __init__(
        self, now: Callable[[], float], *, strict_floor: bool, slow_disk: bool = False
    ) -> None:
        """Begin with nothing.

        Args:
            now: Virtual seconds.
            strict_floor: Whether rolling updates are held to their floor.
            slow_disk: Whether a pod may get ready between the decision to take away what is not
                and its going; see `_was_taken_for_unready`.
        """
        self.history: list[str] = []
        self.objects: dict[Key, Object] = {}
        self.released: set[str] = set()
        self.failures: list[InvariantError] = []
        self._now = now
        self._strict_floor = strict_floor
        self._slow_disk = slow_disk
        self._counted: dict[str, int] = {}
        self._bound: dict[str, str] = {}
        self._floors: dict[str, deque[tuple[float, int]]] = {}
        self._uids: set[str] = set()
        self.others: list[Callable[[ObjectEvent], None]] = []

    @property
    def sequence(self) -> int:
        """The last event seen; sequences begin at 1 and have no holes."""
        return len(self.history)

    def attach(self, store: Store) -> None:
        """See everything the store has published since the last life, and will publish."""
        kept = [
            event
            for kind in store.registry.kinds()
            for event in store._window.channel(kind.resource).events
        ]
        for event in sorted(kept, key=lambda event: event.sequence):
            if event.sequence > self.sequence:
                self.see(event)
                continue
            told, found = self.history[event.sequence - 1], line_of(event)
            self.require(told == found, f"what was published as {told} is {found} after a restart")
        projection = store._projection
        apply, apply_all = projection.apply, projection.apply_all

        def seen(event: ObjectEvent) -> None:
            apply(event)
            self.see(event)

        def seen_all(events: Sequence[ObjectEvent]) -> None:
            projection.apply = apply  # type: ignore[method-assign] # each event is seen once
            apply_all(events)
            projection.apply = seen  # type: ignore[method-assign] # as before
            for event in events:
                self.see(event)

        projection.apply = seen  # type: ignore[method-assign] # all events pass here, or below
        projection.apply_all = seen_all  # type: ignore[method-assign] # see above
        self.compare(store)

    def compare(self, store: Store) -> None:
        """Require the store to have what the events come to, and nothing else."""
        held = {Key(*key): obj for key, obj in store._projection.objects.items()}
        self.require(
            store.sequence == self.sequence,
            f"the store is at {store.sequence}, events were seen up to {self.sequence}: "
            "something acknowledged was lost, or published twice",
        )
        for key in held.keys() | self.objects.keys():
            here, there = self.objects.get(key), held.get(key)
            self.require(
                here is there or here == there,
                f"{key}: events say {_brief(here)}, the store has {_brief(there)}",
            )

    def require(self, holds: bool, what: str) -> None:
        """Note a violation."""
        if not holds:
            self.failures.append(InvariantError(f"[{self.sequence}] {what}"))

    def see(self, event: ObjectEvent) -> None:
        """Check one event against everything before it."""
        key, obj = event.key, event.object
        before = self.objects.get(key)
        self._check_order(event, before)
        self.history.append(line_of(event))
        if event.type == "DELETED":
            self.objects.pop(key, None)
            self._check_removed(event)
        else:
            self.objects[key] = obj
        if event.type == "ADDED":
            uid = obj["metadata"]["uid"]
            self.require(uid not in self._uids, f"{key}: the uid {uid} was given out before")
            self._uids.add(uid)
            self._check_place(key)
            self.require(not key[2].startswith("never-"), f"{key} was a rehearsal")
        if key[0] == "pods":
            self._check_pod(event)
        elif key[0] == "deployments.apps":
            self._note_floor(event)
        elif key[0] == "replicasets.apps":
            self._note_counted(event)
        elif key[0] == "services":
            self._check_service(event)
        for check in self.others:
            check(event)

    def _check_order(self, event: ObjectEvent, before: Object | None) -> None:
        key, obj = event.key, event.object
        self.require(
            event.sequence == self.sequence + 1, f"{key}: event {event.sequence} out of order"
        )
        self.require(
            obj["metadata"]["resourceVersion"] == str(event.sequence),
            f"{key}: event {event.sequence} carries {obj['metadata']['resourceVersion']}",
        )
        expected = "ADDED" if before is None else "MODIFIED or DELETED"
        self.require(event.type in expected, f"{key}: {event.type}, where {expected} was due")
        self.require(event.previous == before, f"{key}: the event has another past")
        if before is not None:
            old, new = before["metadata"], obj["metadata"]
            self.require(old["uid"] == new["uid"], f"{key}: its uid changed")
            self.require(
                new.get("generation", 0) >= old.get("generation", 0), f"{key}: generation fell"
            )
            self.require(
                "deletionTimestamp" not in old or "deletionTimestamp" in new,
                f"{key}: a deletion was taken back",
            )

    def _check_place(self, key: Key) -> None:
        namespace = key[1]
        if namespace and (found := self.objects.get(Key("namespaces", "", namespace))) is not None:
            deleting = "deletionTimestamp" in found["metadata"]
            self.require(not deleting, f"{key} was created in a namespace that is going away")
        elif namespace:
            self.require(False, f"{key} was created in no namespace")

    def _check_removed(self, event: ObjectEvent) -> None:
        key, metadata = event.key, event.object["metadata"]
        if HOLD in (metadata.get("finalizers") or ()):
            self.require(metadata["uid"] in self.released, f"{key} was removed under its finalizer")
        if key[0] == "namespaces":
            left = ["/".join(other) for other in self.objects if other[1] == key[2]]
            self.require(not left, f"{key} was removed with content left: {left}")

    # -- pods

    def _check_pod(self, event: ObjectEvent) -> None:
        pod, key = event.object, event.key
        uid, node = pod["metadata"]["uid"], pod["spec"].get("nodeName")
        if event.type == "DELETED":
            self._bound.pop(uid, None)
        elif node:
            first = self._bound.setdefault(uid, node)
            self.require(first == node, f"{key} was bound to {first} and then to {node}")
            if event.previous is None or not event.previous["spec"].get("nodeName"):
                self._check_room(node)
                self._check_company(event)
        else:
            self.require(uid not in self._bound, f"{key} lost its node")
        self.require(
            not is_preempted(pod) or pod["spec"]["priority"] < _URGENT,
            f"{key} was preempted, and nobody is more important",
        )
        previous = event.previous
        if previous is not None:
            phase = (previous.get("status") or {}).get("phase")
            now = (pod.get("status") or {}).get("phase")
            self.require(phase not in FINISHED or phase == now, f"{key}: {phase} became {now}")
            if self._strict_floor and "deletionTimestamp" not in previous["metadata"]:
                self._check_floor(event)

    def _check_room(self, name: str) -> None:
        node = self.objects.get(Key("nodes", "", name))
        if node is None:
            return  # bound at the moment the node went; nothing runs there
        limits = (node.get("status") or {}).get("allocatable") or {}
        pods = [
            request_of(pod["spec"])
            for key, pod in self.objects.items()
            if key[0] == "pods"
            and pod["spec"].get("nodeName") == name
            and (pod.get("status") or {}).get("phase") not in FINISHED
        ]
        used = {
            "cpu": sum(pod.cpu for pod in pods),
            "memory": sum(pod.memory for pod in pods),
            "pods": len(pods),
        }
        for resource, value in used.items():
            limit = amount(resource, limits.get(resource, "0"))
            self.require(value <= limit, f"{name} has {value} {resource} bound, room for {limit}")

    def _check_company(self, event: ObjectEvent) -> None:
        """No two shy pods of a namespace are bound to one node."""
        if event.object["metadata"].get("labels", {}).get("kind") != "shy":
            return
        node = event.object["spec"]["nodeName"]
        others = [
            str(key)
            for key, pod in self.objects.items()
            if key[0] == "pods"
            and key != event.key
            and key[1] == event.key[1]
            and pod["spec"].get("nodeName") == node
            and (pod["metadata"].get("labels") or {}).get("kind") == "shy"
            and (pod.get("status") or {}).get("phase") not in FINISHED
        ]
        self.require(not others, f"{event.key} was bound to {node}, beside {others}")

    def _check_service(self, event: ObjectEvent) -> None:
        """No two services have one address or one node port."""
        if event.type == "DELETED":
            return
        mine = _allocated(event.object)
        for key, other in self.objects.items():
            if key[0] == "services" and key != event.key and mine & _allocated(other):
                self.require(False, f"{event.key} has {mine & _allocated(other)} of {key}")

    # -- rolling updates

    def _note_floor(self, event: ObjectEvent) -> None:
        uid = event.object["metadata"]["uid"]
        floors = self._floors.setdefault(uid, deque())
        previous = event.previous
        if previous and previous["spec"]["replicas"] != event.object["spec"]["replicas"]:
            # A user's scaling is shared out over the ReplicaSets in proportion, as upstream does,
            # whatever that leaves available.
            floors.append((self._now(), 0))
        floors.append((self._now(), floor_of(event.object)))
        while len(floors) > 1 and floors[1][0] < self._now() - FLOOR_SECONDS:
            floors.popleft()

    def _check_floor(self, event: ObjectEvent) -> None:
        """A pod that was available begins to go: are there enough others?"""
        pod = event.object
        if event.type != "DELETED" and "deletionTimestamp" not in pod["metadata"]:
            return
        replica_set = self._controller(event.previous or pod, "replicasets.apps")
        owner = replica_set and self._controller(replica_set, "deployments.apps")
        if owner is None or replica_set is None or "deletionTimestamp" in owner["metadata"]:
            return
        namespace = self.objects.get(Key("namespaces", "", pod["metadata"]["namespace"]))
        if namespace is None or "deletionTimestamp" in namespace["metadata"]:
            return
        floors = self._floors[owner["metadata"]["uid"]]
        while len(floors) > 1 and floors[1][0] < self._now() - FLOOR_SECONDS:
            floors.popleft()
        floor = min(value for _, value in floors)
        if not self._is_available(event.previous or pod):
            return
        left = [
            family
            for key, other in self.objects.items()
            if key[0] == "pods"
            and self._is_available(other)
            and (family := self._controller(other, "replicasets.apps")) is not None
            and self._controller(family, "deployments.apps") is owner
        ]
        if len(left) < floor and self._slow_disk:
            beside = sum(family is replica_set for family in left)
            if self._was_taken_for_unready(replica_set, beside):
                return
        name = owner["metadata"]["name"]
        self.require(
            len(left) >= floor, f"{name}: {len(left)} pods left available, the floor is {floor}"
        )

    def _note_counted(self, event: ObjectEvent) -> None:
        """Remember how many available pods a ReplicaSet had reported when it was made smaller."""
        uid, previous = event.object["metadata"]["uid"], event.previous
        if event.type == "DELETED":
            self._counted.pop(uid, None)
        elif previous and event.object["spec"]["replicas"] < previous["spec"]["replicas"]:
            self._counted[uid] = (previous.get("status") or {}).get("availableReplicas") or 0

    def _was_taken_for_unready(self, replica_set: Object, beside: int) -> bool:
        """Tell whether a ReplicaSet only loses pods that were not ready when that was decided.

        A rollout takes away the pods of old ReplicaSets that are not available, whatever the floor
        says, as upstream's does: they add nothing to what is available. They may get ready before
        they go, and a ReplicaSet is told nothing but a number. Then at least as many stay as were
        counted when it was made smaller.

        Args:
            replica_set: Whose pod goes.
            beside: Its available pods that stay.
        """
        counted = self._counted.get(replica_set["metadata"]["uid"])
        return counted is not None and beside >= counted

    def _controller(self, obj: Object, resource: str) -> Object | None:
        for reference in obj["metadata"].get("ownerReferences") or ():
            if reference.get("controller"):
                key = Key(resource, obj["metadata"]["namespace"], reference["name"])
                found = self.objects.get(key)
                if found is not None and found["metadata"]["uid"] == reference["uid"]:
                    return found
        return None

    @staticmethod
    def _is_available(pod: Object) -> bool:
        if "deletionTimestamp" in pod["metadata"]:
            return False
        return is_ready(pod)


def _allocated(service: Object) -> set[str | int]:
    """Return what a service has to itself: its address and its node ports."""
    spec = service["spec"]
    ports = {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
    address = spec.get("clusterIP") or "None"
    return ports if address == "None" else {*ports, address}


def is_ready(pod: Object) -> bool:
    """Tell whether a pod's ``Ready`` condition is true."""
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in (pod.get("status") or {}).get("conditions") or ()
    )


def floor_of(deployment: Object) -> int:
    """Return how many pods a rolling update has to leave available; 0 for other strategies."""
    spec = deployment["spec"]
    if spec["strategy"]["type"] != "RollingUpdate":
        return 0
    rolling = spec["strategy"]["rollingUpdate"]
    desired: int = spec["replicas"]

    def resolve(value: int | str, *, up: bool) -> int:
        if isinstance(value, int):
            return value
        share = int(value[:-1]) * desired
        return -(-share // 100) if up else share // 100

    surge = resolve(rolling["maxSurge"], up=True)
    missing = resolve(rolling["maxUnavailable"], up=False)
    return desired - (1 if surge == 0 and missing == 0 else missing)


def _brief(obj: Any) -> str:
    return "nothing" if obj is None else f"version {obj['metadata']['resourceVersion']}"
