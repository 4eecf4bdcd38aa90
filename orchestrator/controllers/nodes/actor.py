"""The node lifecycle controller: heartbeats in, conditions, taints and unready pods out."""

from __future__ import annotations

from typing import Final

from orchestrator.controllers.config import ControllerConfig
from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.nodes.lifecycle import (
    RESOURCE,
    Health,
    decide_node,
    eviction_rate,
    next_look,
)
from orchestrator.controllers.nodes.taints import condition_status, is_evicting
from orchestrator.controllers.plans import Emit, Plan
from orchestrator.resources.objects import Object, labels_of, spec_of
from orchestrator.store import ObjectEvent, Store

LEASES: Final = "leases.coordination.k8s.io"
LEASE_NAMESPACE: Final = "kube-node-lease"
_PAUSE_PERIODS: Final = 3
"""Monitor periods by which a look that is late cannot be chance."""


class NodeLifecycleController(Controller[str]):
    """Watches that nodes report, and marks and taints those that do not.

    A sign of life counts from when this controller saw it, not by the time written in it: clocks
    of other machines may be wrong. So every node has a full grace period after a restart.
    """

    resources = (RESOURCE, LEASES)

    def __init__(
        self, store: Store, recorder: Recorder, config: ControllerConfig | None = None
    ) -> None:
        super().__init__(store, recorder)
        self._config = config or ControllerConfig()

    async def started(self) -> None:
        """List and follow, and hear of computed heartbeats that end."""
        if self._config.silences is not None:
            self._config.silences(self._silenced)
        await super().started()

    def _silenced(self, name: str) -> None:
        """Look at a node that died or was cut off: from now on it is silent."""
        self.queue.mark(name)
        self._wake()

    def reset(self) -> None:
        """Begin every node's grace anew."""
        self._seen: dict[str, float] = {}
        self._due: dict[str, float] = {}
        """Name → the monotonic moment at which a node is looked at again at the latest."""
        self._ahead = self._lead()
        self._renewed: dict[str, str] = {}
        self._registered: set[str] = set()
        self._well: dict[str, Object] = {}
        self._next_eviction: dict[str, float] = {}
        self._ready: dict[str, tuple[str, bool]] = {}
        self._zones: dict[str, list[int]] = {}  # zone -> nodes, nodes that are ready

    # -- events ----------------------------------------------------------------------------

    def observe(self, event: ObjectEvent) -> None:
        """Take note of a node's state or of a renewed Lease."""
        resource, namespace, name = event.key
        if resource == LEASES:
            if namespace == LEASE_NAMESPACE and event.type != "DELETED":
                renewed = (event.object.get("spec") or {}).get("renewTime") or ""
                if self._renewed.get(name) != renewed:
                    self._renewed[name] = renewed
                    self._sign_of_life(name)
            return
        if event.type == "DELETED":
            text = f"Node {name} event: Removing Node {name} from Controller"
            self._record(Emit(event.object, "Normal", "RemovingNode", text))
            self._count(name, None)
            self._seen.pop(name, None)
            self._renewed.pop(name, None)
            self._registered.discard(name)
            self._well.pop(name, None)
            self._due.pop(name, None)
            return
        ready = condition_status(event.object, "Ready") == "True"
        came_back = ready and not self._ready.get(name, ("", False))[1]
        self._count(name, (_zone(event.object), ready))
        if (
            event.previous is None
            or came_back
            or _reports(event.previous) != _reports(event.object)
        ):
            self._sign_of_life(name)
        self.queue.mark(name)

    def _count(self, name: str, state: tuple[str, bool] | None) -> None:
        """Keep the number of nodes and of ready ones in each zone."""
        before = self._ready.pop(name, None)
        for found, sign in ((before, -1), (state, 1)):
            if found is not None:
                counts = self._zones.setdefault(found[0], [0, 0])
                counts[0] += sign
                counts[1] += sign * found[1]
        if state is not None:
            self._ready[name] = state

    def _sign_of_life(self, name: str) -> None:
        silent = name in self._seen and not self._ready.get(name, ("", True))[1]
        self._seen[name] = self.context.clock.now()
        if silent:
            self.queue.mark(name)

    # -- decisions -------------------------------------------------------------------------

    def reconcile(self, key: str, now: float) -> Plan | None:
        """Decide about one node, and when it will have been silent for too long."""
        node = self.store.get(RESOURCE, "", key)
        if node is None:
            return None
        self._notice_pause(key, now)
        plan = self._decide_about(key, node, now)
        if plan.requeue_after is None:
            self._due.pop(key, None)
        else:
            self._due[key] = self.context.clock.monotonic() + plan.requeue_after
        return plan

    def _decide_about(self, key: str, node: Object, now: float) -> Plan:
        last_seen = self._seen.setdefault(key, now)
        computed = self._config.heartbeat(key)
        if computed is not None:
            last_seen = max(last_seen, computed)
        silence = now - last_seen
        beats = computed is not None and self._config.reaches(key)
        if self._well.get(key) is node and silence <= self._config.node_monitor_grace_period:
            return Plan() if beats else next_look(silence, self._config)
        all_down = bool(self._ready) and not any(ready for _, ready in self._zones.values())
        wait = self._eviction_wait(node, now)
        health = Health(last_seen=last_seen, may_evict=wait <= 0, all_down=all_down)
        ready = condition_status(node, "Ready")
        pods = [] if ready == "True" else self.store.by_node(key)
        plan = decide_node(node, pods, health, now, self._config)
        if key not in self._registered:
            self._registered.add(key)
            text = f"Node {key} event: Registered Node {key} in Controller"
            plan.events.append(Emit(node, "Normal", "RegisteredNode", text))
        if any(not is_evicting(node) and is_evicting(update.new) for update in plan.update):
            self._count_eviction(node, now)
        elif wait > 0:
            plan.look_again(wait)
        if ready == "True" and not len(plan):
            # Nothing but time can change this answer, for thousands of nodes.
            self._well[key] = node
            if beats:
                plan.requeue_after = None
        return plan

    def _notice_pause(self, key: str, now: float) -> None:
        """Give every node its grace anew when nobody looked for a while.

        The daemon was stopped, the machine slept, or its clock was set: nodes that report to this
        process were as silent as it was deaf. Then a look comes long after it was due, or the time
        of day runs away from the loop's.
        """
        moment = self.context.clock.monotonic()
        late = moment - self._due.get(key, moment)
        ahead = self._lead()
        pause = max(late, abs(ahead - self._ahead))
        if pause > _PAUSE_PERIODS * self._config.node_monitor_period:
            self.context.log.warning("looks at nodes again after a pause", seconds=round(pause))
            self._seen = dict.fromkeys(self._seen, now)
            self._ahead = ahead
            self._due.clear()

    def _lead(self) -> float:
        """Return by how much the time of day is ahead of the loop's."""
        clock = self.context.clock
        return clock.now() - clock.monotonic()

    def _eviction_wait(self, node: Object, now: float) -> float:
        """Return after how many seconds the node's zone may lose one more node."""
        zone = _zone(node)
        if self._rate(zone) <= 0:
            return self._config.node_monitor_period
        return self._next_eviction.get(zone, now) - now

    def _count_eviction(self, node: Object, now: float) -> None:
        zone = _zone(node)
        rate = self._rate(zone)
        if rate > 0:
            self._next_eviction[zone] = now + 1.0 / rate

    def _rate(self, zone: str) -> float:
        total, ready = self._zones.get(zone, (0, 0))
        return eviction_rate(total, total - ready, self._config)


def _zone(node: Object) -> str:
    labels = labels_of(node)
    region = labels.get("topology.kubernetes.io/region", "")
    return f"{region}/{labels.get('topology.kubernetes.io/zone', '')}"


def _reports(node: Object) -> list[object]:
    """Return what only a kubelet that is alive changes in a node."""
    return [
        (condition["type"], condition.get("lastHeartbeatTime"))
        for condition in (node.get("status") or {}).get("conditions") or ()
    ] + [spec_of(node).get("podCIDR")]
