"""The StatefulSet controller: gathers pods, claims and revisions, decides, applies."""

from __future__ import annotations

from typing import Any

from orchestrator.controllers._claims import claim
from orchestrator.controllers._orphans import Orphans
from orchestrator.controllers._owners import controller_uid
from orchestrator.controllers._revisions import REVISIONS
from orchestrator.controllers.controller import Controller
from orchestrator.controllers.plans import Creation, Deletion, Emit, Plan, Update
from orchestrator.controllers.statefulset.census import Member, judge
from orchestrator.controllers.statefulset.core import (
    BURST,
    Observed,
    decide_stateful_set,
    failure,
)
from orchestrator.controllers.statefulset.identity import CLAIMS, PODS, RESOURCE, parse_pod_name
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Key, Object, is_deleting, meta, name_of, uid_of
from orchestrator.resources.selectors import LabelSelector, label_selector
from orchestrator.store import ObjectEvent


class StatefulSetController(Controller[Key]):
    """Keeps the pods and claims of every StatefulSet as its spec wants them.

    What is known of a pod is kept as long as the pod is the same object, so that a decision about
    a large set looks only at what changed.
    """

    resources = (RESOURCE, REVISIONS, PODS, CLAIMS)

    def reset(self) -> None:
        """Forget sets, their pods, and what belongs to nobody."""
        self._sets: dict[str, Key] = {}
        self._members: dict[str, dict[str, Member | None]] = {}
        self._strays: dict[Key, dict[str, None]] = {}
        self._revisions = Orphans()
        self._refused: set[Key] = set()
        self._references: Any = None
        self._controller: str | None = None

    # -- events ----------------------------------------------------------------------------

    def observe(self, event: ObjectEvent) -> None:
        """Mark a StatefulSet, or the one that something belongs or may belong to."""
        match event.key[0]:
            case "pods":
                self._observe_pod(event)
            case "persistentvolumeclaims":
                if event.type != "MODIFIED" or _has_other_owners(event):
                    self._mark_sets_of_claim(event.key)
            case "controllerrevisions.apps":
                self._observe_revision(event)
            case _:
                self._observe_set(event)

    def _observe_set(self, event: ObjectEvent) -> None:
        uid = uid_of(event.object)
        if event.type == "DELETED":
            self._sets.pop(uid, None)
            self._members.pop(uid, None)
            self._refused.discard(event.key)
        else:
            self._sets[uid] = event.key
        self.queue.mark(event.key)

    def _observe_revision(self, event: ObjectEvent) -> None:
        if self._revisions.observe(event):
            for stateful_set in self.store.list(RESOURCE, event.key.namespace):
                self.queue.mark(Key(RESOURCE, event.key.namespace, name_of(stateful_set)))
        self._mark(controller_uid(event.object))
        if event.previous is not None:
            self._mark(controller_uid(event.previous))

    def _observe_pod(self, event: ObjectEvent) -> None:
        pod, previous = event.object, event.previous
        metadata = pod["metadata"]
        references = metadata.get("ownerReferences")
        if previous is not None:
            earlier = previous["metadata"]
            before = earlier.get("ownerReferences")
            if (
                event.type == "MODIFIED"
                and before is references
                and previous.get("status") is pod.get("status")
                and earlier.get("labels") is metadata.get("labels")
                and ("deletionTimestamp" in earlier) == ("deletionTimestamp" in metadata)
            ):
                return  # nothing that counts: it was bound, or annotated
            if before is not references and before != references:
                self._mark(controller_uid(previous))
        if references is not self._references:
            # Pods of one owner share their references: one look is enough for a burst.
            self._references, self._controller = references, controller_uid(pod)
        self._mark(self._controller)
        gone = event.type == "DELETED"
        if gone or self._controller is None or self._strays:
            self._observe_stray(event.key, gone=gone)

    def _observe_stray(self, key: Key, *, gone: bool) -> None:
        """Note a pod that nobody controls and whose name a set would give; one gone is room."""
        parsed = parse_pod_name(key.name)
        if parsed is None:
            return
        parent = Key(RESOURCE, key.namespace, parsed[0])
        strays = self._strays.get(parent)
        if gone or self._controller is not None:
            if strays is not None:
                strays.pop(key.name, None)
                if not strays:
                    del self._strays[parent]
        else:
            self._strays.setdefault(parent, {})[key.name] = None
        if self.store.get(*parent) is not None:
            self.queue.mark(parent)

    def _mark(self, uid: str | None) -> None:
        key = self._sets.get(uid) if uid is not None else None
        if key is not None:
            self.queue.mark(key)

    def _mark_sets_of_claim(self, key: Key) -> None:
        """Mark every set whose claim this may have been: TEMPLATE-SET-ORDINAL, by its name."""
        parsed = parse_pod_name(key.name)
        rest = parsed[0] if parsed else ""
        while (at := rest.find("-")) >= 0:
            rest = rest[at + 1 :]
            if self.store.get(RESOURCE, key.namespace, rest) is not None:
                self.queue.mark(Key(RESOURCE, key.namespace, rest))

    # -- decisions -------------------------------------------------------------------------

    def reconcile(self, key: Key, now: float) -> Plan | None:
        """Decide about one StatefulSet; one that is gone is the garbage collector's affair."""
        stateful_set = self.store.get(*key)
        if stateful_set is None:
            return None
        selector = label_selector(stateful_set["spec"].get("selector"))
        members = self._gather(stateful_set, selector)
        strangers = [member.pod for member in members if not member.matches]
        strangers += self._adoptable(key, selector)
        claims = claim(stateful_set, strangers, selector, PODS).updates
        revisions, more = claim(stateful_set, self._history(stateful_set), selector, REVISIONS)
        if claims or more:
            return Plan(update=[*claims, *more])
        refused = key in self._refused
        self._refused.discard(key)
        get = self.store.get
        observed = Observed(
            members={member.ordinal: member for member in members if member.matches},
            revisions=revisions,
            revision=lambda name: get(REVISIONS, key.namespace, name),
            claim=lambda name: get(CLAIMS, key.namespace, name),
            burst=1 if refused else BURST,
        )
        return decide_stateful_set(stateful_set, observed, now)

    def _gather(self, stateful_set: Object, selector: LabelSelector) -> list[Member]:
        """Return the set's pods, judging only those that changed."""
        uid, name = uid_of(stateful_set), name_of(stateful_set)
        known = self._members.get(uid) or {}
        fresh: dict[str, Member | None] = {}
        for pod in self.store.by_owner(uid, PODS):
            own = pod["metadata"]["name"]
            member = known.get(own)
            if member is None or member.pod is not pod:
                member = judge(pod, name, selector) if controller_uid(pod) == uid else None
            fresh[own] = member
        self._members[uid] = fresh
        return [member for member in fresh.values() if member is not None]

    def _adoptable(self, key: Key, selector: LabelSelector) -> list[Object]:
        """Return pods without a controller that have a name and labels of the set's."""
        found: list[Object] = []
        for name in self._strays.get(key, ()):
            pod = self.store.get(PODS, key.namespace, name)
            if pod is not None and controller_uid(pod) is None:
                found.append(pod)
        return [pod for pod in found if selector.matches(pod["metadata"].get("labels") or {})]

    def _history(self, stateful_set: Object) -> list[Object]:
        uid = uid_of(stateful_set)
        owned = self.store.by_owner(uid, REVISIONS)
        orphans = self._revisions.of(stateful_set["metadata"]["namespace"])
        return [*(one for one in owned if controller_uid(one) == uid), *orphans]

    # -- refusals --------------------------------------------------------------------------

    def failed(self, key: Key, item: Creation | Update | Deletion, error: StatusError) -> None:
        """Report what could not be written, in upstream's words."""
        if item.resource not in {PODS, CLAIMS}:
            return
        first = key not in self._refused
        if isinstance(item, Creation):
            self._refused.add(key)
        stateful_set = self.store.get(*key)
        if stateful_set is None or error.reason == "AlreadyExists" or not first:
            return
        if isinstance(item, Creation):
            verb, what = "create", name_of(item.object)
        elif isinstance(item, Deletion):
            verb, what = "delete", name_of(item.object)
        else:
            verb, what = "update", name_of(item.base)
        kind = "Pod"
        if item.resource == CLAIMS:
            kind = "Claim"
            what = f"{what} for Pod {key.name}-{what.rpartition('-')[2]}"
        text = failure(stateful_set, verb, kind, what, error.message)
        self._record(Emit(stateful_set, "Warning", f"Failed{verb.title()}", text))


def _has_other_owners(event: ObjectEvent) -> bool:
    """Tell whether a change was one of owners, or the beginning of an end."""
    before = event.previous
    return (
        before is None
        or meta(before).get("ownerReferences") != meta(event.object).get("ownerReferences")
        or is_deleting(before) != is_deleting(event.object)
    )
