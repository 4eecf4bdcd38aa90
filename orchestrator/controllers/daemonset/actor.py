"""The DaemonSet controller: keeps rosters, decides, applies."""

from __future__ import annotations

from functools import partial
from typing import Any

from orchestrator.controllers._claims import claim
from orchestrator.controllers._names import random_suffix
from orchestrator.controllers._orphans import Orphans
from orchestrator.controllers._owners import controller_uid
from orchestrator.controllers._revisions import (
    POD_LABEL,
    REVISIONS,
    hash_of,
    in_order,
    plan_writing,
    resolve_revision,
)
from orchestrator.controllers.controller import Controller
from orchestrator.controllers.daemonset.core import BURST, Observed, decide_daemon_set, surges
from orchestrator.controllers.daemonset.placement import (
    NODES,
    PODS,
    RESOURCE,
    generation_of,
    target_of,
)
from orchestrator.controllers.daemonset.roster import Roster
from orchestrator.controllers.daemonset.standing import Rollout
from orchestrator.controllers.plans import Creation, Deletion, Emit, Plan, Update
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import (
    Key,
    Object,
    is_deleting,
    labels_of,
    name_of,
    spec_of,
    uid_of,
)
from orchestrator.store import ObjectEvent


class DaemonSetController(Controller[Key]):
    """Keeps a pod of every DaemonSet on every node that fits.

    An event about a pod concerns one node of one DaemonSet, one about a node one look at each
    DaemonSet and no pod; most of a node's events, its reports, concern nobody.
    """

    resources = (RESOURCE, REVISIONS, NODES, PODS)

    def reset(self) -> None:
        """Forget every roster."""
        self._rosters: dict[str, Roster] = {}
        self._orphans = Orphans()
        self._revisions = Orphans()
        self._refused: set[Key] = set()
        self._references: Any = None
        self._controller: str | None = None

    # -- events ----------------------------------------------------------------------------

    def observe(self, event: ObjectEvent) -> None:
        """Mark the DaemonSets that an event concerns."""
        match event.key[0]:
            case "pods":
                self._observe_pod(event)
            case "nodes":
                self._observe_node(event)
            case "controllerrevisions.apps":
                self._observe_revision(event)
            case _:
                self._observe_daemon_set(event)

    def _observe_daemon_set(self, event: ObjectEvent) -> None:
        key, daemon_set = event.key, event.object
        uid = uid_of(daemon_set)
        self.queue.mark(key)
        if event.type == "DELETED":
            self._rosters.pop(uid, None)
            self._refused.discard(key)
            return
        if uid not in self._rosters:
            roster = self._rosters[uid] = Roster(key, daemon_set)
            for pod in self._orphans.of(key.namespace):
                if roster.selector.matches(labels_of(pod)):
                    roster.orphans[name_of(pod)] = None

    def _observe_node(self, event: ObjectEvent) -> None:
        node, previous = event.object, event.previous
        if event.type == "DELETED":
            for roster in self._rosters.values():
                if roster.lose(event.key.name):
                    self.queue.mark(roster.key)
            return
        if (
            previous is not None
            and previous.get("spec") == node.get("spec")
            and labels_of(previous) == labels_of(node)
        ):
            return
        for roster in self._rosters.values():
            if roster.see(node):
                self.queue.mark(roster.key)

    def _observe_revision(self, event: ObjectEvent) -> None:
        if self._revisions.observe(event):
            for roster in self._rosters.values():
                if roster.key.namespace == event.key.namespace:
                    self.queue.mark(roster.key)
        for obj in (event.object, event.previous):
            owner = self._rosters.get(controller_uid(obj) or "") if obj is not None else None
            if owner is not None:
                owner.revisions[event.key.name] = None
                if event.type == "DELETED":
                    del owner.revisions[event.key.name]
                self.queue.mark(owner.key)

    def _observe_pod(self, event: ObjectEvent) -> None:
        pod, previous = event.object, event.previous
        references = pod["metadata"].get("ownerReferences")
        if references is not self._references:
            # Pods of one owner share their references: one look is enough for a burst.
            self._references, self._controller = references, controller_uid(pod)
        controller = self._controller
        if previous is not None:
            before = previous["metadata"].get("ownerReferences")
            if before is not references and before != references:
                self._leave(controller_uid(previous), event)
        gone = event.type == "DELETED"
        if controller is None or gone:
            self._observe_orphan(event)
        roster = self._rosters.get(controller) if controller is not None else None
        if roster is None:
            return
        name = event.key.name
        roster.orphans.pop(name, None)
        if gone:
            roster.displace(name)
            roster.strays.pop(name, None)
        else:
            roster.place(name, target_of(pod))
            if roster.selector.matches(labels_of(pod)):
                roster.strays.pop(name, None)
            else:
                roster.strays[name] = None
        self.queue.mark(roster.key)

    def _leave(self, uid: str | None, event: ObjectEvent) -> None:
        """Take a pod from its former controller, or from those that nobody controls."""
        if uid is None:
            self._orphans.observe(event)
            return
        former = self._rosters.get(uid)
        if former is not None:
            former.displace(event.key.name)
            former.strays.pop(event.key.name, None)
            self.queue.mark(former.key)

    def _observe_orphan(self, event: ObjectEvent) -> None:
        """Offer a pod that nobody controls to those whose labels it has."""
        pod, previous = event.object, event.previous
        if not self._orphans.observe(event):
            return
        if (
            previous is not None
            and controller_uid(previous) is None
            and labels_of(previous) == labels_of(pod)
        ):
            return
        for roster in self._rosters.values():
            if roster.key.namespace == event.key.namespace and roster.selector.matches(
                labels_of(pod)
            ):
                roster.orphans[event.key.name] = None
                self.queue.mark(roster.key)

    # -- decisions -------------------------------------------------------------------------

    def reconcile(self, key: Key, now: float) -> Plan | None:
        """Decide about one DaemonSet; one that is gone is the garbage collector's affair."""
        daemon_set = self.store.get(*key)
        roster = self._rosters.get(uid_of(daemon_set)) if daemon_set is not None else None
        if daemon_set is None or roster is None or is_deleting(daemon_set):
            return None
        if roster.selector.empty:
            text = "This daemon set is selecting all pods. A non-empty selector is required."
            return Plan(events=[Emit(daemon_set, "Warning", "SelectingAll", text)])
        find = partial(self.store.get, PODS, key.namespace)
        claims = claim(daemon_set, roster.strangers(find), roster.selector, PODS).updates
        history, more = claim(
            daemon_set, self._history(uid_of(daemon_set), roster), roster.selector, REVISIONS
        )
        if claims or more:
            return Plan(update=[*claims, *more])
        revisions = in_order(history)
        resolved = resolve_revision(
            daemon_set, revisions, POD_LABEL, partial(self.store.get, REVISIONS, key.namespace)
        )
        if resolved.write is not None:
            return plan_writing(daemon_set, RESOURCE, resolved)
        rollout = Rollout(
            hash_of(resolved.revision, POD_LABEL),
            generation_of(daemon_set),
            surges(daemon_set),
            spec_of(daemon_set).get("minReadySeconds") or 0,
        )
        roster.adjust(daemon_set, self.store.each(NODES))
        roster.judge(rollout, find, now)
        refused = key in self._refused
        self._refused.discard(key)
        observed = Observed(
            fleet=roster.fleet,
            revision=resolved.revision,
            old=[one for one in revisions if name_of(one) != name_of(resolved.revision)],
            collisions=resolved.collisions,
            live=lambda: self._live(roster, find),
            new_name=lambda: self._new_name(key, roster),
            burst=1 if refused else BURST,
        )
        plan, nodes = decide_daemon_set(daemon_set, observed, now)
        # Remembered before it is written: the next look must find them, whatever comes first.
        for creation, node in zip(plan.create, nodes, strict=True):
            roster.place(name_of(creation.object), node)
        for deletion in plan.delete:
            place = roster.node_of(name_of(deletion.object))
            if place is not None:
                roster.look_again(place)
        return plan

    def _history(self, uid: str, roster: Roster) -> list[Object]:
        """Return a DaemonSet's revisions, and those that nobody controls."""
        namespace = roster.key.namespace
        found = (self.store.get(REVISIONS, namespace, name) for name in roster.revisions)
        own = [one for one in found if one is not None and controller_uid(one) == uid]
        return [*own, *self._revisions.of(namespace)]

    def _live(self, roster: Roster, find: Any) -> set[str]:
        """Return the revision hashes that a DaemonSet's pods carry."""
        pods = (find(name) for name in roster.names())
        return {labels_of(pod).get(POD_LABEL, "") for pod in pods if pod is not None}

    def _new_name(self, key: Key, roster: Roster) -> str:
        while True:
            name = f"{key.name}-{random_suffix(self.context.random)}"
            taken = self.store.get(PODS, key.namespace, name) is not None
            if not taken and roster.node_of(name) is None:
                return name

    # -- refusals --------------------------------------------------------------------------

    def failed(self, key: Key, item: Creation | Update | Deletion, error: StatusError) -> None:
        """Report pods that could not be created or deleted."""
        if item.resource != PODS or isinstance(item, Update):
            return
        daemon_set = self.store.get(*key)
        first = key not in self._refused
        creating = isinstance(item, Creation)
        if creating:
            self._refused.add(key)
            roster = self._rosters.get(uid_of(daemon_set)) if daemon_set is not None else None
            if roster is not None:
                roster.displace(name_of(item.object))
        if daemon_set is None or not first or error.reason == "AlreadyExists":
            return
        reason, verb = ("FailedCreate", "creating") if creating else ("FailedDelete", "deleting")
        self._record(Emit(daemon_set, "Warning", reason, f"Error {verb}: {error.message}"))
