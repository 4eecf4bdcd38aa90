"""The StatefulSet controller: gathers pods, claims and revisions, decides, applies."""

from __future__ import annotations

from functools import partial

from orchestrator.controllers._belonging import Belonging
from orchestrator.controllers._claims import claim
from orchestrator.controllers._orphans import Orphans
from orchestrator.controllers._owners import controlled, controller_uid
from orchestrator.controllers._revisions import REVISIONS
from orchestrator.controllers.controller import Controller
from orchestrator.controllers.plans import Creation, Deletion, Emit, Plan, Update
from orchestrator.controllers.statefulset.core import (
    BURST,
    Observed,
    decide_stateful_set,
    failure,
)
from orchestrator.controllers.statefulset.identity import CLAIMS, PODS, RESOURCE, parse_pod_name
from orchestrator.controllers.statefulset.roster import Roster, pod_of_claim
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Key, Object, is_deleting, meta, name_of, uid_of
from orchestrator.resources.selectors import LabelSelector
from orchestrator.store import ObjectEvent


class StatefulSetController(Controller[Key]):
    """Keeps the pods and claims of every StatefulSet as its spec wants them.

    A set has a roster from its first look on, so that later ones judge only what changed.
    """

    resources = (RESOURCE, REVISIONS, PODS, CLAIMS)

    def reset(self) -> None:
        """Forget sets, their pods, and what belongs to nobody."""
        self._sets: dict[str, Key] = {}
        self._rosters: dict[str, Roster] = {}
        self._strays: dict[Key, dict[str, None]] = {}
        self._revisions = Orphans()
        self._refused: set[Key] = set()
        self._belonging = Belonging()

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
            self._rosters.pop(uid, None)
            self._refused.discard(event.key)
        else:
            self._sets[uid] = event.key
        self.queue.mark(event.key)

    def _observe_revision(self, event: ObjectEvent) -> None:
        if self._revisions.observe(event):
            for stateful_set in self.store.list(RESOURCE, event.key.namespace):
                self.queue.mark(Key(RESOURCE, event.key.namespace, name_of(stateful_set)))
        uid = controller_uid(event.object)
        roster = self._rosters.get(uid) if uid is not None else None
        if roster is not None:
            if event.type == "DELETED":
                roster.revisions.pop(event.key.name, None)
            else:
                roster.revisions[event.key.name] = None
        self._mark(uid)
        if event.previous is not None:
            self._mark(controller_uid(event.previous))

    def _observe_pod(self, event: ObjectEvent) -> None:
        belonging = self._belonging
        counts = belonging.see(event)
        if not counts:
            # It was bound, or annotated: no reason to look, but the next look sees it as it is.
            self._touch(controller_uid(event.object), event.key.name)
            return
        if belonging.moved:
            self._touch(belonging.former, event.key.name)
            self._mark(belonging.former)
        self._touch(belonging.controller, event.key.name)
        self._mark(belonging.controller)
        gone = event.type == "DELETED"
        if gone or belonging.controller is None or self._strays:
            self._observe_stray(event.key, gone=gone)

    def _touch(self, uid: str | None, pod: str) -> None:
        roster = self._rosters.get(uid) if uid is not None else None
        if roster is not None:
            roster.touch(pod)

    def _observe_stray(self, key: Key, *, gone: bool) -> None:
        """Note a pod that nobody controls and whose name a set would give; one gone is room."""
        parsed = parse_pod_name(key.name)
        if parsed is None:
            return
        parent = Key(RESOURCE, key.namespace, parsed[0])
        strays = self._strays.get(parent)
        if gone or self._belonging.controller is not None:
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
            stateful_set = self.store.get(RESOURCE, key.namespace, rest)
            if stateful_set is not None:
                pod = pod_of_claim(key.name, rest)
                if pod is not None:
                    self._touch(uid_of(stateful_set), pod)
                self.queue.mark(Key(RESOURCE, key.namespace, rest))

    # -- decisions -------------------------------------------------------------------------

    def reconcile(self, key: Key, now: float) -> Plan | None:
        """Decide about one StatefulSet; one that is gone is the garbage collector's affair."""
        stateful_set = self.store.get(*key)
        if stateful_set is None:
            return None
        roster = self._roster(key, stateful_set)
        find_claim = partial(self.store.get, CLAIMS, key.namespace)
        roster.judge(stateful_set, partial(self.store.get, PODS, key.namespace), find_claim, now)
        strangers = [*roster.strangers.values(), *self._adoptable(key, roster.selector)]
        claims = claim(stateful_set, strangers, roster.selector, PODS).updates
        history = self._history(stateful_set, roster)
        revisions, more = claim(stateful_set, history, roster.selector, REVISIONS)
        plan = Plan(update=[*claims, *more])
        if not plan.update:
            refused = key in self._refused
            self._refused.discard(key)
            observed = Observed(
                row=roster.row,
                revisions=revisions,
                revision=partial(self.store.get, REVISIONS, key.namespace),
                claim=find_claim,
                burst=1 if refused else BURST,
            )
            plan = decide_stateful_set(stateful_set, observed, now)
        _expect(plan, roster)
        return plan

    def _roster(self, key: Key, stateful_set: Object) -> Roster:
        uid = uid_of(stateful_set)
        roster = self._rosters.get(uid)
        if roster is None:
            owned = self.store.keys_by_owner(uid)
            pods = (each.name for each in owned if each.resource == PODS)
            roster = self._rosters[uid] = Roster(key, stateful_set, pods)
            roster.revisions.update(
                dict.fromkeys(each.name for each in owned if each.resource == REVISIONS)
            )
        return roster

    def _adoptable(self, key: Key, selector: LabelSelector) -> list[Object]:
        """Return pods without a controller that have a name and labels of the set's."""
        found: list[Object] = []
        for name in self._strays.get(key, ()):
            pod = self.store.get(PODS, key.namespace, name)
            if pod is not None and controller_uid(pod) is None:
                found.append(pod)
        return [pod for pod in found if selector.matches(pod["metadata"].get("labels") or {})]

    def _history(self, stateful_set: Object, roster: Roster) -> list[Object]:
        namespace = roster.key.namespace
        found = (self.store.get(REVISIONS, namespace, name) for name in roster.revisions)
        own = controlled((one for one in found if one is not None), uid_of(stateful_set))
        return [*own, *self._revisions.of(namespace)]

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


def _expect(plan: Plan, roster: Roster) -> None:
    """Have the next look judge what this one writes about, whatever comes first: event or answer.

    Revisions that are adopted are known by then, too.
    """
    for creation in plan.create:
        if creation.resource == PODS:
            roster.touch(name_of(creation.object))
        elif creation.resource == REVISIONS:
            roster.revisions[name_of(creation.object)] = None
    for update in plan.update:
        if update.resource == PODS:
            roster.touch(name_of(update.base))
        elif update.resource == REVISIONS:
            roster.revisions[name_of(update.base)] = None
    for deletion in plan.delete:
        if deletion.resource == PODS:
            roster.touch(name_of(deletion.object))


def _has_other_owners(event: ObjectEvent) -> bool:
    """Tell whether a change was one of owners, or the beginning of an end."""
    before = event.previous
    return (
        before is None
        or meta(before).get("ownerReferences") != meta(event.object).get("ownerReferences")
        or is_deleting(before) != is_deleting(event.object)
    )
