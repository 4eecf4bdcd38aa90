"""The controllers of pods whose node is in trouble or gone."""

from __future__ import annotations

from typing import Final

from orchestrator.controllers.config import ControllerConfig
from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.nodes.eviction import (
    decide_eviction,
    decide_pod_collection,
    unfinished,
)
from orchestrator.controllers.nodes.lifecycle import PODS, RESOURCE
from orchestrator.controllers.nodes.taints import Taint, no_execute
from orchestrator.controllers.plans import Emit, Plan
from orchestrator.resources.objects import Key, is_deleting, name_of, namespace_of
from orchestrator.store import ObjectEvent, Store


class TaintEvictionController(Controller[Key]):
    """Deletes pods that do not tolerate a NoExecute taint of their node, or no longer."""

    resources = (RESOURCE, PODS)

    def reset(self) -> None:
        """Forget the taints and what was to be evicted."""
        self._taints: dict[str, list[Taint]] = {}
        self._scheduled: set[Key] = set()

    def observe(self, event: ObjectEvent) -> None:
        """Mark the pods of a node whose taints changed, and pods that came to such a node."""
        if event.key[0] == PODS:
            if not self._taints:
                return  # nearly always: nothing is evicting
            pod = event.object
            if event.type == "DELETED":
                self._scheduled.discard(event.key)
            elif pod["spec"].get("nodeName") in self._taints:
                before = event.previous
                if before is None or before["spec"] is not pod["spec"]:
                    self.queue.mark(event.key)
            return
        name = event.key.name
        taints = [] if event.type == "DELETED" else no_execute(event.object)
        if taints == self._taints.get(name, []):
            return
        if taints:
            self._taints[name] = taints
        else:
            del self._taints[name]
        for pod in self.store.by_node(name):
            self.queue.mark(Key(PODS, namespace_of(pod), name_of(pod)))

    def reconcile(self, key: Key, now: float) -> Plan | None:
        """Decide about one pod."""
        pod = self.store.get(*key)
        if pod is None:
            self._scheduled.discard(key)
            return None
        taints = self._taints.get(pod["spec"].get("nodeName") or "", [])
        plan = decide_eviction(pod, taints, now)
        if plan.requeue_after is not None:
            self._scheduled.add(key)
        elif key in self._scheduled:
            self._scheduled.discard(key)
            if not plan.delete and not is_deleting(pod):
                text = f"Cancelling deletion of Pod {key.namespace}/{key.name}"
                plan.events.append(Emit(pod, "Normal", "TaintManagerEviction", text))
        return plan


_EVERY_POD: Final = "pods"


class PodCollector(Controller[str]):
    """Removes pods of nodes that no longer exist, and others that nobody will finish."""

    resources = (RESOURCE,)

    def __init__(
        self, store: Store, recorder: Recorder, config: ControllerConfig | None = None
    ) -> None:
        super().__init__(store, recorder)
        self._config = config or ControllerConfig()

    def reset(self) -> None:
        """Look at all pods; those of missing nodes begin their quarantine."""
        self._missing: dict[str, float] = {}
        self.queue.mark(_EVERY_POD)

    def observe(self, event: ObjectEvent) -> None:
        """Note which nodes went and came."""
        if event.type == "DELETED":
            self._missing[event.key.name] = self.context.clock.now()
            self.queue.mark(_EVERY_POD)
        else:
            self._missing.pop(event.key.name, None)

    def reconcile(self, key: str, now: float) -> Plan | None:
        """Decide about all pods at once."""
        del key  # there is only one
        nodes = {name_of(node): node for node in self.store.list(RESOURCE)}
        keep = self._config.terminated_pod_threshold
        pods = unfinished(self.store.each(PODS), nodes, keep)
        used = {name for pod in pods if (name := pod["spec"].get("nodeName"))}
        self._missing = {name: self._missing.get(name, now) for name in used - nodes.keys()}
        return decide_pod_collection(pods, nodes, self._missing, now, self._config)
