"""The ReplicaSet controller: keeps the census, decides, applies."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from orchestrator.controllers._belonging import Belonging
from orchestrator.controllers._owners import controller_uid
from orchestrator.controllers._pods import is_active
from orchestrator.controllers.controller import Controller
from orchestrator.controllers.plans import Creation, Deletion, Emit, Plan, Update
from orchestrator.controllers.replicaset.census import (
    ACTIVE,
    READY,
    STRAY,
    Counts,
    Members,
    count_available,
)
from orchestrator.controllers.replicaset.core import (
    BURST,
    CONTROLLERS,
    PODS,
    RESOURCE,
    Observed,
    decide_replica_set,
)
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import (
    Key,
    Object,
    controller_of,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from orchestrator.store import ObjectEvent

_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
_PAIRS: Final = [a + b for a in _ALPHABET for b in _ALPHABET]
_TRIPLES: Final = [pair + c for pair in _PAIRS for c in _ALPHABET]


class ReplicaSetController(Controller[Key]):
    """Keeps as many pods of every ReplicaSet as its spec asks for."""

    resources = (RESOURCE, PODS)

    owner: ClassVar[str] = RESOURCE
    """Resource of the objects that it keeps pods for: see `ReplicationController`."""

    def reset(self) -> None:
        """Forget the census."""
        self._room: dict[Key, int] = {}
        self._members: dict[str, Members] = {}
        self._orphans: dict[str, dict[str, Object]] = {}
        self._failures: dict[Key, tuple[str, str]] = {}
        self._belonging = Belonging()

    # -- events ----------------------------------------------------------------------------

    def observe(self, event: ObjectEvent) -> None:
        """Count a pod, or take note of a ReplicaSet."""
        if event.key[0] == self.owner:
            self._observe_replica_set(event)
            return
        if not self._members:
            return  # nobody to count it for: the first one looks for orphans itself
        belonging = self._belonging
        if not belonging.see(event):
            return  # nothing that counts: it was bound, or annotated
        if belonging.moved:
            self._leave(event.key, belonging.former)
        uid = belonging.controller
        if uid is None:
            self._observe_orphan(event)
            return
        members = self._members.get(uid)
        if members is None:
            return
        if event.type == "DELETED":
            changed = members.drop(event.key[2])
        else:
            changed = members.put(event.key[2], event.object)
        if changed:
            self.queue.mark(Key(self.owner, members.namespace, members.name))

    def _leave(self, key: Key, uid: str | None) -> None:
        """Take a pod from its former controller, or from the orphans."""
        if uid is None:
            self._orphans.get(key.namespace, {}).pop(key.name, None)
            return
        members = self._members.get(uid)
        if members is not None and members.drop(key.name):
            self.queue.mark(Key(self.owner, members.namespace, members.name))

    def _observe_orphan(self, event: ObjectEvent) -> None:
        key = event.key
        orphans = self._orphans.setdefault(key.namespace, {})
        if event.type == "DELETED" or not is_active(event.object):
            orphans.pop(key.name, None)
            return
        orphans[key.name] = event.object
        labels = labels_of(event.object)
        for members in self._members.values():
            if members.namespace == key.namespace and members.selector.matches(labels):
                self.queue.mark(Key(self.owner, key.namespace, members.name))

    def _find_orphans(self) -> None:
        for pod in self.store.each(PODS):
            if controller_uid(pod) is None and is_active(pod):
                self._orphans.setdefault(namespace_of(pod), {})[name_of(pod)] = pod

    def _observe_replica_set(self, event: ObjectEvent) -> None:
        uid = uid_of(event.object)
        if event.type == "DELETED":
            self._members.pop(uid, None)
            if not self._members:
                self._orphans.clear()
            self._failures.pop(event.key, None)
            self._room.pop(event.key, None)
            self.queue.mark(event.key)
            return
        if not self._members:
            self._find_orphans()
        members = self._members.get(uid)
        if members is None or not members.is_for(event.object):
            counted = members.bits if members else {}
            members = self._members[uid] = Members(event.object)
            for name in counted:
                pod = self.store.get(PODS, event.key.namespace, name)
                if pod is not None and controller_uid(pod) == uid:
                    members.put(name, pod)
        self.queue.mark(event.key)

    # -- decisions -------------------------------------------------------------------------

    def reconcile(self, key: Key, now: float) -> Plan | None:
        """Decide about one ReplicaSet; one that is gone is the garbage collector's affair."""
        replica_set = self.store.get(*key)
        if replica_set is None:
            return None
        members = self._members.get(uid_of(replica_set))
        if members is None:
            return None  # its event is on the way
        failure = self._failures.pop(key, None)
        observed = Observed(
            resource=self.owner,
            counts=self._count(replica_set, members, now),
            active=lambda: self._pods(members, ACTIVE),
            on_node=lambda: self._family_on_nodes(replica_set),
            new_names=lambda number: self._new_names(members, number),
            strays=self._pods(members, STRAY) if members.stray else (),
            orphans=self._matching_orphans(members),
            failure=failure,
            room=0 if self._is_ending(key.namespace) else self._allowed(key, failed=bool(failure)),
        )
        plan = decide_replica_set(replica_set, observed, now)
        if plan.create:
            self._room[key] = observed.room
        return plan

    def _allowed(self, key: Key, *, failed: bool) -> int:
        """Return how many pods may be created now: one at first, then twice as many as last time.

        So what refuses one refuses hardly any others: upstream's slow start. It begins anew with
        a refusal, and not, as upstream, at every look: that would be a write for each power of two.
        """
        return 1 if failed else min(BURST, 2 * self._room.get(key, 0) or 1)

    def _is_ending(self, namespace: str) -> bool:
        """Tell whether nothing can be created any more."""
        found = self.store.get("namespaces", "", namespace)
        return found is not None and is_deleting(found)

    def _count(self, replica_set: Object, members: Members, now: float) -> Counts:
        seconds = replica_set["spec"].get("minReadySeconds") or 0
        available, soonest = members.ready, None
        if seconds:
            available, soonest = count_available(self._pods(members, READY), seconds, now)
        return Counts(
            active=members.active,
            ready=members.ready,
            labelled=members.labelled,
            available=available,
            terminating=members.terminating,
            next_available=soonest,
        )

    def _pods(self, members: Members, bit: int) -> list[Object]:
        get = self.store.get
        found = (get(PODS, members.namespace, name) for name in members.names(bit))
        return [pod for pod in found if pod is not None]

    def _family_on_nodes(self, replica_set: Object) -> dict[str, int]:
        """Count active pods by node, those of ReplicaSets with the same controller included."""
        owner = controller_of(replica_set)
        family = (
            self.store.by_owner(owner["uid"], self.owner) if owner is not None else [replica_set]
        )
        counted: dict[str, int] = {}
        for sibling in family:
            members = self._members.get(uid_of(sibling))
            for pod in self._pods(members, ACTIVE) if members else ():
                node = pod["spec"].get("nodeName") or ""
                counted[node] = counted.get(node, 0) + 1
        return counted

    def _matching_orphans(self, members: Members) -> list[Object]:
        orphans = self._orphans.get(members.namespace)
        if not orphans:
            return []
        return [pod for pod in orphans.values() if members.selector.matches(labels_of(pod))]

    def _new_names(self, members: Members, number: int) -> list[str]:
        chance = self.context.random.random
        prefix = f"{members.name}-"
        total, triples = len(_PAIRS) * len(_TRIPLES), len(_TRIPLES)
        names: dict[str, None] = {}
        while len(names) < number:
            pick = int(chance() * total)
            name = f"{prefix}{_PAIRS[pick // triples]}{_TRIPLES[pick % triples]}"
            if name not in members.bits:
                names[name] = None
        return list(names)

    # -- refusals --------------------------------------------------------------------------

    def failed(self, key: Key, item: Creation | Update | Deletion, error: StatusError) -> None:
        """Report a pod that could not be created or deleted; the status will say so too."""
        if item.resource != PODS or isinstance(item, Update) or error.reason == "AlreadyExists":
            return
        creating = isinstance(item, Creation)
        reason = "FailedCreate" if creating else "FailedDelete"
        self._failures[key] = (reason, error.message)
        replica_set: Any = self.store.get(*key)
        if replica_set is not None:
            verb = "creating" if creating else "deleting"
            self._record(Emit(replica_set, "Warning", reason, f"Error {verb}: {error.message}"))


class ReplicationController(ReplicaSetController):
    """Keeps as many pods of every ReplicationController as its spec asks for.

    As upstream's, it is the ReplicaSets' controller looking at another kind.
    """

    resources = (CONTROLLERS, PODS)
    owner = CONTROLLERS
