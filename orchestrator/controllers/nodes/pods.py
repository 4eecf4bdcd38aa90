"""The controllers of pods whose node is in trouble or gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orchestrator.controllers._pods import is_terminal
from orchestrator.controllers.config import ControllerConfig
from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.nodes.eviction import decide_eviction, decide_pod_collection
from orchestrator.controllers.nodes.lifecycle import PODS, RESOURCE
from orchestrator.controllers.nodes.taints import Taint, no_execute
from orchestrator.controllers.plans import Emit, Plan
from orchestrator.resources.objects import Key, Object, is_deleting, name_of, namespace_of
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
    """Removes pods of nodes that no longer exist, and others that nobody will finish.

    It keeps note of the pods that it could ever want to remove. Where there are none, it rests.
    """

    resources = (RESOURCE, PODS)

    def __init__(
        self, store: Store, recorder: Recorder, config: ControllerConfig | None = None
    ) -> None:
        super().__init__(store, recorder)
        self._config = config or ControllerConfig()

    def reset(self) -> None:
        """Forget nodes and pods; those of missing nodes begin their quarantine anew."""
        self._missing: dict[str, float] = {}
        self._nodes: set[str] = set()
        self._odd: set[Key] = set()
        self._finished: set[Key] = set()

    # -- events ----------------------------------------------------------------------------

    def observe(self, event: ObjectEvent) -> None:
        """Note which nodes went and came, and which pods may be for this controller."""
        if event.key[0] == PODS:
            self._observe_pod(event.key, event.object, gone=event.type == "DELETED")
        elif event.type == "DELETED":
            name = event.key.name
            self._nodes.discard(name)
            self._missing[name] = self.context.clock.now()
            for pod in self.store.by_node(name):
                self._odd.add(Key(PODS, namespace_of(pod), name_of(pod)))
            self.queue.mark(_EVERY_POD)
        elif event.key.name not in self._nodes:
            self._nodes.add(event.key.name)
            if self._missing.pop(event.key.name, None) is not None:
                self.queue.mark(_EVERY_POD)

    def _observe_pod(self, key: Key, pod: Object, *, gone: bool) -> None:
        node = pod["spec"].get("nodeName")
        terminal = is_terminal(pod)
        if gone or not (
            "deletionTimestamp" in pod["metadata"]
            or (node not in self._nodes if node else terminal)
        ):
            self._odd.discard(key)
        elif key not in self._odd:
            self._odd.add(key)
            self._look_soon()
        if gone or not terminal:
            self._finished.discard(key)
        elif key not in self._finished:
            self._finished.add(key)
            if len(self._finished) > self._config.terminated_pod_threshold:
                self._look_soon()

    def _look_soon(self) -> None:
        self.queue.after(_EVERY_POD, self.context.clock.monotonic() + self._config.pod_gc_period)

    # -- decisions -------------------------------------------------------------------------

    def reconcile(self, key: str, now: float) -> Plan | None:
        """Decide about all of them at once."""
        del key  # there is only one
        candidates = set(self._odd)
        if len(candidates) + len(self._finished) > self._config.terminated_pod_threshold:
            candidates |= self._finished
        if not candidates:
            return None
        found = [pod for at in sorted(candidates) if (pod := self.store.get(*at)) is not None]
        nodes = {
            name: node
            for pod in found
            if (name := pod["spec"].get("nodeName"))
            and (node := self.store.get(RESOURCE, "", name)) is not None
        }
        homeless = {name for pod in found if (name := pod["spec"].get("nodeName"))} - nodes.keys()
        self._missing = {name: self._missing.get(name, now) for name in homeless}
        # A pod that its node came back to is odd no longer.
        self._odd = {
            at
            for at in self._odd
            if (pod := self.store.get(*at)) is not None and _is_odd(pod, nodes)
        }
        return decide_pod_collection(found, nodes, self._missing, now, self._config)


def _is_odd(pod: Object, nodes: Mapping[str, Object]) -> bool:
    name = pod["spec"].get("nodeName")
    if is_deleting(pod):
        return True
    return name not in nodes if name else is_terminal(pod)
