"""The built-in provisioner's actor; what it does on the disk is given to it."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.controllers.config import ControllerConfig
from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.localpath.core import (
    decide_growth,
    decide_guarding,
    decide_provisioning,
    decide_removal,
    is_early,
    is_ours,
    is_removable,
    node_for,
    volume_name,
    wants_volume,
)
from orchestrator.controllers.plans import Emit, Plan
from orchestrator.controllers.volumes.facts import CLAIMS, CLASSES, VOLUMES, class_of, referenced
from orchestrator.resources.objects import Key, Object, name_of, spec_of, uid_of
from orchestrator.store import ObjectEvent, Store

NODES: Final = "nodes"
_FIRST_DELAY: Final = 1.0
_LONGEST_DELAY: Final = 300.0
"""Seconds until a directory that could not be deleted is tried again, and the most of them."""


class LocalPathProvisioner(Controller[Key]):
    """Makes a directory's volume for each claim of its classes, grows it, and deletes it.

    Its keys are claims and volumes. A directory comes into being when a pod mounts it; only its
    deletion is done from here, by what the configuration gives, which a simulated cluster lacks.
    """

    resources = (CLASSES, NODES, VOLUMES, CLAIMS)

    def __init__(self, store: Store, recorder: Recorder, config: ControllerConfig) -> None:
        super().__init__(store, recorder)
        self._directory = config.volume_directory
        self._remove = config.remove_volume
        self._removals: dict[Key, tuple[str, Any]] = {}
        self._failures: dict[Key, int] = {}

    def reset(self) -> None:
        """Forget who waits for a node, and what was said."""
        self._placeless: dict[Key, None] = {}
        self._told: dict[Key, tuple[str, str]] = {}

    def observe(self, event: ObjectEvent) -> None:
        """Mark claims and volumes; nodes and classes only where something waits for them."""
        resource, key = event.key.resource, event.key
        if resource == CLAIMS:
            self.queue.mark(key)
            if event.type == "DELETED" and (name := spec_of(event.object).get("volumeName")):
                self.queue.mark(Key(VOLUMES, "", name))
        elif resource == VOLUMES:
            self.queue.mark(key)
            claim = referenced(event.object)
            if claim is not None and is_ours(event.object):
                self.queue.mark(Key(CLAIMS, *claim))
        elif self._placeless:
            for waiting in self._placeless:
                self.queue.mark(waiting)

    def reconcile(self, key: Key, now: float) -> Plan | None:
        """Decide about one claim or volume."""
        found = self.store.get(*key)
        if key.resource == VOLUMES:
            if found is not None:
                return self._reconcile_volume(key, found)
            self._removals.pop(key, None)
            self._failures.pop(key, None)
            return None
        if found is not None and wants_volume(found):
            return self._provision(key, found)
        self._placeless.pop(key, None)
        self._told.pop(key, None)
        name = None if found is None else spec_of(found).get("volumeName")
        volume = self.store.get(VOLUMES, "", name) if name else None
        if found is None or volume is None or not is_ours(volume):
            return None
        return decide_growth(found, volume, now)

    def _provision(self, key: Key, claim: Object) -> Plan | None:
        storage_class = self.store.get(CLASSES, "", class_of(claim))
        if storage_class is None:
            self._placeless[key] = None
            return None
        if self.store.get(VOLUMES, "", volume_name(claim)) is not None:
            return None
        if is_early(claim, storage_class):
            return None
        nodes = {name_of(node): node for node in self.store.list(NODES)}
        choice = self.context.random.randrange(1 << 30)
        node = node_for(claim, storage_class, nodes, choice)
        plan = decide_provisioning(claim, storage_class, node, self._directory)
        if plan.create:
            self._placeless.pop(key, None)
        else:
            self._placeless[key] = None
            if plan.events:
                said = (uid_of(claim), plan.events[0].message)
                if self._told.get(key) == said:
                    plan.events.clear()
                self._told[key] = said
        return plan

    # -- removal ---------------------------------------------------------------------------

    def _reconcile_volume(self, key: Key, volume: Object) -> Plan | None:
        reference = referenced(volume)
        claim = None if reference is None else self.store.get(CLAIMS, *reference)
        if not is_removable(volume, claim):
            self._removals.pop(key, None)
            return decide_guarding(volume)
        if self._remove is None:
            return decide_removal(volume)
        uid, outcome = self._removals.get(key, ("", None))
        if uid != uid_of(volume):
            self._ask(key, volume)
            return None
        if outcome is _PENDING:
            return None
        if isinstance(outcome, Exception):
            del self._removals[key]
            return self._failed(key, volume, outcome)
        self._failures.pop(key, None)
        return decide_removal(volume)

    def _ask(self, key: Key, volume: Object) -> None:
        """Have a volume's directory deleted; what came of it is learned."""
        assert self._remove is not None
        path = (spec_of(volume).get("hostPath") or {}).get("path") or ""
        self._removals[key] = (uid_of(volume), _PENDING)
        self.learn(key, self._remove(name_of(volume), path))

    def learned(self, key: Key, value: Any) -> None:
        """Take note that a directory is gone, or why not."""
        known = self._removals.get(key)
        if known is not None:
            self._removals[key] = (known[0], value)

    def _failed(self, key: Key, volume: Object, error: Exception) -> Plan:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        plan = Plan()
        plan.events.append(Emit(volume, "Warning", "VolumeFailedDelete", str(error)))
        plan.look_again(min(_FIRST_DELAY * 2.0 ** min(failures, 60), _LONGEST_DELAY))
        return plan


_PENDING: Final = object()
