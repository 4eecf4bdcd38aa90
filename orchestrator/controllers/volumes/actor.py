"""The controller that binds claims and volumes: gathers, decides, applies."""

from __future__ import annotations

from typing import Final, TypeVar

from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.plans import Emit, Plan
from orchestrator.controllers.protection.core import claims_of
from orchestrator.controllers.volumes.claims import WAIT_FOR_POD, Around, decide_claim
from orchestrator.controllers.volumes.demands import Demand
from orchestrator.controllers.volumes.facts import (
    CLAIMS,
    CLASSES,
    SELECTED_NODE,
    VOLUMES,
    ClaimKey,
    class_of,
    is_default,
    is_unbound,
    key_of,
    referenced,
    waits_for_consumer,
)
from orchestrator.controllers.volumes.matching import Shelves, choose, free_fits
from orchestrator.controllers.volumes.offers import Offers
from orchestrator.controllers.volumes.reclaiming import decide_volume
from orchestrator.resources.objects import (
    Key,
    Object,
    annotations_of,
    is_deleting,
    meta,
    name_of,
    spec_of,
    status_of,
    uid_of,
)
from orchestrator.store import ObjectEvent, Store

PATIENCE: Final = 15.0
"""Seconds a pod may take to be scheduled before its claim says so; upstream looks that often."""

_K = TypeVar("_K")
_V = TypeVar("_V")
_W = TypeVar("_W")
_ENDED: Final = frozenset({"Succeeded", "Failed"})


class _Told:
    """The last that was said about a claim without a volume, so that it is said once."""

    __slots__ = ("since", "text", "uid")

    def __init__(self, emit: Emit) -> None:
        self.uid = uid_of(emit.involved)
        self.text = (emit.reason, emit.message)
        self.since: float | None = None  # when a pod was first seen that may be scheduled at once


class VolumeBindingController(Controller[Key]):
    """Binds claims to volumes, and releases volumes whose claims are gone.

    Its keys are claims and volumes. Pods are followed from the first claim on that waits for one.
    """

    resources = (CLASSES, VOLUMES, CLAIMS)

    def __init__(self, store: Store, recorder: Recorder) -> None:
        super().__init__(store, recorder)
        self._follows_pods = False

    def reset(self) -> None:
        """Forget who wants what: a full list follows."""
        self._follows_pods = False
        self._shelves = Shelves()
        self._offers = Offers()
        self._reserved: dict[ClaimKey, dict[str, None]] = {}
        self._references: dict[str, ClaimKey] = {}
        self._naming: dict[str, dict[ClaimKey, None]] = {}
        self._named: dict[ClaimKey, str] = {}
        self._consumers: dict[ClaimKey, dict[str, None]] = {}
        self._seated: dict[ClaimKey, dict[str, str]] = {}
        self._told: dict[ClaimKey, _Told] = {}

    # -- events ----------------------------------------------------------------------------

    def observe(self, event: ObjectEvent) -> None:
        """Mark what an event concerns, and keep the indexes."""
        match event.key.resource:
            case "pods":
                self._observe_pod(event)
            case "persistentvolumeclaims":
                self._observe_claim(event)
            case "persistentvolumes":
                self._observe_volume(event)
            case _:
                self._observe_class(event)

    def _observe_claim(self, event: ObjectEvent) -> None:
        claim = event.object
        key = ClaimKey(event.key.namespace, event.key.name)
        gone = event.type == "DELETED"
        name = "" if gone else spec_of(claim).get("volumeName") or ""
        before = self._named.get(key, "")
        if before != name:
            if before:
                _discard(self._naming, before, key)
                del self._named[key]
            if name:
                self._named[key] = name
                self._naming.setdefault(name, {})[key] = None
        if gone or name or not is_unbound(claim) or is_deleting(claim):
            self._offers.leave(key)
        else:
            self._offers.wait(key, Demand.of(claim))
        for volume in {before, name} - {""}:
            self.queue.mark(Key(VOLUMES, "", volume))
        for volume in self._reserved.get(key, ()):
            self.queue.mark(Key(VOLUMES, "", volume))
        self.queue.mark(event.key)

    def _observe_volume(self, event: ObjectEvent) -> None:
        name, volume = event.key.name, event.object
        gone = event.type == "DELETED"
        if gone:
            self._shelves.remove(name)
        else:
            self._shelves.put(volume)
            self.queue.mark(event.key)
        wanted = None if gone else referenced(volume)
        before = self._references.get(name)
        if before != wanted:
            if before is not None:
                _discard(self._reserved, before, name)
                del self._references[name]
            if wanted is not None:
                self._references[name] = wanted
                self._reserved.setdefault(wanted, {})[name] = None
        for claim in (before, wanted, *self._naming.get(name, ())):
            if claim is not None:
                self.queue.mark(Key(CLAIMS, *claim))

    def _observe_class(self, event: ObjectEvent) -> None:
        self._mark_waiting(event.key.name)
        if is_default(event.object):
            self._mark_waiting("")

    def _mark_waiting(self, storage_class: str) -> None:
        for claim in self._offers.of(storage_class):
            self.queue.mark(Key(CLAIMS, *claim))

    def _observe_pod(self, event: ObjectEvent) -> None:
        pod = event.object
        if not spec_of(pod).get("volumes"):
            return
        lives = event.type != "DELETED" and status_of(pod).get("phase") not in _ENDED
        node = spec_of(pod).get("nodeName") or ""
        for name in claims_of(pod):
            key = ClaimKey(event.key.namespace, name)
            if lives and not node:
                self._consumers.setdefault(key, {})[event.key.name] = None
            elif key in self._consumers:
                _discard(self._consumers, key, event.key.name)
            if lives and node:
                self._seated.setdefault(key, {})[event.key.name] = node
            elif key in self._seated:
                _discard(self._seated, key, event.key.name)
            if key in self._told:
                self.queue.mark(Key(CLAIMS, *key))

    # -- decisions -------------------------------------------------------------------------

    def reconcile(self, key: Key, now: float) -> Plan | None:
        """Decide about one claim or volume."""
        if key.resource == CLAIMS:
            return self._reconcile_claim(key, now)
        volume = self.store.get(*key)
        if volume is None:
            return None
        plan = decide_volume(volume, self._claim, now)
        if key.name in self._shelves and not self._offers.is_taken(key.name):
            self._offer(volume)
        return plan

    def _reconcile_claim(self, key: Key, now: float) -> Plan | None:
        claim_key = ClaimKey(key.namespace, key.name)
        self._offers.settle(claim_key)
        claim = self.store.get(*key)
        if claim is None:
            self._told.pop(claim_key, None)
            self._offer_on(claim_key)
            return None
        name = class_of(claim)
        storage_class = self.store.get(CLASSES, "", name) if name else None
        if not self._follows_pods and _waits_for_pod(claim, storage_class):
            self._follows_pods = True
            self.include(("pods",))
        around = Around(
            volume=self._volume,
            choose=self._choose,
            storage_class=storage_class,
            default_class=self._default_class(),
            consumers=lambda: sorted(self._consumers.get(claim_key, ())),
            seat=lambda: self._seat(claim_key),
        )
        plan = decide_claim(claim, around, now)
        self._offer_on(claim_key)
        self._say_once(plan, claim_key, now)
        return plan

    def _seat(self, claim: ClaimKey) -> str:
        """Return a node that is there, on which there is a pod that uses the claim."""
        for node in self._seated.get(claim, {}).values():
            if self.store.get("nodes", "", node) is not None:
                return node
        return ""

    def _volume(self, name: str) -> Object | None:
        return self.store.get(VOLUMES, "", name)

    def _claim(self, key: ClaimKey) -> Object | None:
        return self.store.get(CLAIMS, *key)

    def _choose(self, claim: Object, delayed: bool) -> Object | None:  # of a callback
        key = key_of(claim)
        reserved = [self._volume(name) for name in self._reserved.get(key, ())]
        found = choose(
            claim,
            [volume for volume in reserved if volume is not None],
            self._shelves,
            self._untaken,
            delayed=delayed or is_deleting(claim),
        )
        if found is not None:
            self._offers.take(name_of(found), key)
        return found

    def _untaken(self, name: str) -> Object | None:
        return None if self._offers.is_taken(name) else self._volume(name)

    def _default_class(self) -> str | None:
        """Return the default class; of several the newest, as admission does."""
        found = [each for each in self.store.list(CLASSES) if is_default(each)]
        found.sort(key=name_of)
        newest = max(
            found, key=lambda each: meta(each).get("creationTimestamp") or "", default=None
        )
        return None if newest is None else name_of(newest)

    def _offer(self, volume: Object) -> None:
        """Point one of the claims that a free volume would do for to it."""
        name = class_of(volume)
        if name and waits_for_consumer(self.store.get(CLASSES, "", name)):
            return
        for key in self._offers.candidates(volume):
            claim = self._claim(key)
            if claim is not None and not is_deleting(claim) and free_fits(volume, claim):
                self._offers.offer(name_of(volume), key)
                self.queue.mark(Key(CLAIMS, *key))
                return

    def _offer_on(self, key: ClaimKey) -> None:
        """Have free volumes that a claim could have taken, and did not, offered to others."""
        for volume in self._offers.answer(key):
            if volume in self._shelves and not self._offers.is_taken(volume):
                self.queue.mark(Key(VOLUMES, "", volume))

    def _say_once(self, plan: Plan, key: ClaimKey, now: float) -> None:
        """Keep back what was said already, and for a while that a pod is not scheduled yet."""
        if not plan.events:
            self._told.pop(key, None)
        kept: list[Emit] = []
        for emit in plan.events:
            last = self._told.get(key)
            if last is None or last.uid != uid_of(emit.involved):
                last = None
            elif last.text == (emit.reason, emit.message):
                continue
            elif emit.reason == WAIT_FOR_POD:
                last.since = last.since or now
                if now < last.since + PATIENCE:
                    plan.look_again(last.since + PATIENCE - now)
                    continue
            self._told[key] = _Told(emit)
            kept.append(emit)
        plan.events[:] = kept


def _waits_for_pod(claim: Object, storage_class: Object | None) -> bool:
    return (
        waits_for_consumer(storage_class)
        and is_unbound(claim)
        and not annotations_of(claim).get(SELECTED_NODE)
    )


def _discard(index: dict[_K, dict[_V, _W]], key: _K, item: _V) -> None:
    """Take one item out of an index of sets, and the set with the last one."""
    items = index[key]
    items.pop(item, None)
    if not items:
        del index[key]
