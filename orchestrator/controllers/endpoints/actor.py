"""The endpoints controller: knows which pods every Service has, decides, applies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestrator.controllers._pods import is_ready
from orchestrator.controllers.controller import Controller
from orchestrator.controllers.endpoints.core import decide_endpoints
from orchestrator.controllers.endpoints.members import (
    Member,
    is_automatic,
    is_eligible,
    member_of,
)
from orchestrator.controllers.endpoints.names import (
    ENDPOINTS,
    MANAGER,
    MANAGER_LABEL,
    OLD_MANAGER,
    OLD_MANAGER_LABEL,
    SERVICE_LABEL,
    SLICES,
)
from orchestrator.controllers.endpoints.topology import ZONE, route, zone_shares
from orchestrator.controllers.plans import Deletion, Emit, Plan
from orchestrator.resources.conditions import is_condition_true
from orchestrator.resources.objects import (
    Key,
    Object,
    labels_of,
    name_of,
    namespace_of,
    status_of,
    uid_of,
)
from orchestrator.resources.selectors import LabelSelector, set_selector
from orchestrator.store import ObjectEvent

SERVICES: Final = "services"
PODS: Final = "pods"
NODES: Final = "nodes"

_SECONDS_PER_MEMBER: Final = 0.00005
"""How long to gather changes, for each endpoint a Service has: about five times what it costs to
go through them, so that a Service with 10,000 pods takes a fifth of a core at the most while it
changes, and a small one waits for nothing."""

_LONGEST_WAIT: Final = 1.0
_SMALL: Final = 100
_MEMO_LIMIT: Final = 4096

Print = tuple[str, bool, bool, str, int]
"""What of a pod shows in an endpoint: address, readiness, deletion, uid, identity of containers."""


class _View:
    """A Service with its pods."""

    __slots__ = (
        "automatic",
        "key",
        "members",
        "noted",
        "prints",
        "routed",
        "selector",
        "service",
        "told",
    )

    def __init__(self, key: Key, service: Object, selector: LabelSelector) -> None:
        self.key = key
        self.service = service
        self.selector = selector
        self.prints: dict[str, Print] = {}
        self.members: dict[str, Member] = {}
        self.noted: dict[str, str] | None = None
        self.automatic = is_automatic(service)
        self.routed: dict[str, str] = {}
        self.told: str | None = None

    def continue_from(self, before: _View) -> None:
        """Take over what an earlier state of the same Service remembered."""
        self.noted, self.routed, self.told = before.noted, before.routed, before.told

    def trigger(self) -> str:
        """Return when the earliest change happened that was not there the last time.

        https://github.com/kubernetes/community/blob/master/sig-scalability/slos/network_programming_latency.md
        """
        noted = self.noted
        times = [
            member.since
            for name, member in self.members.items()
            if member.since and (noted is None or member.since > noted.get(name, ""))
        ]
        if noted is None:
            times.append(self.service["metadata"].get("creationTimestamp") or "")
        self.noted = {name: member.since for name, member in self.members.items()}
        return min(times, default="")


class EndpointsController(Controller[Key]):
    """Keeps EndpointSlices and Endpoints of every Service with a selector.

    One controller for both: what costs is knowing the pods of a Service.
    """

    resources = (NODES, SERVICES, PODS, SLICES, ENDPOINTS)

    def reset(self) -> None:
        """Forget which pods belong where."""
        self._zones: dict[str, str] = {}
        self._automatic: dict[Key, None] = {}
        self._views: dict[str, dict[str, _View]] = {}
        self._memo: dict[tuple[str, int], tuple[Object | None, tuple[_View, ...]]] = {}

    # -- events ----------------------------------------------------------------------------

    def observe(self, event: ObjectEvent) -> None:
        """Follow pods into the Services they match, and mark what that changed."""
        resource = event.key[0]
        if resource == PODS:
            self._observe_pod(event)
        elif resource == SERVICES:
            self._observe_service(event)
        elif resource == NODES:
            self._observe_node(event)
        elif resource == ENDPOINTS:
            if event.key.name in self._views.get(event.key.namespace, {}):
                self._mark(Key(SERVICES, event.key.namespace, event.key.name))
            elif event.previous is None and event.type != "DELETED":
                # Listed: its Service may have gone while nobody looked.
                self.queue.mark(Key(SERVICES, event.key.namespace, event.key.name))
        else:
            name = labels_of(event.object).get(SERVICE_LABEL)
            if name and name in self._views.get(event.key.namespace, {}):
                self._mark(Key(SERVICES, event.key.namespace, name))

    def _observe_node(self, event: ObjectEvent) -> None:
        if self._automatic:
            before = None if event.type == "DELETED" else event.previous
            if _resources(event.object) != _resources(before):
                for key in self._automatic:
                    self._mark(key)
        name = event.key.name
        zone = "" if event.type == "DELETED" else labels_of(event.object).get(ZONE, "")
        if zone == self._zones.get(name, ""):
            return  # nearly always: it only reported
        self._zones[name] = zone
        for pod in self.store.by_node(name):
            namespace, pod_name = namespace_of(pod), name_of(pod)
            for view in self._matching(namespace, pod["metadata"].get("labels")):
                if view.prints.pop(pod_name, None) is not None:
                    self._join(view, pod_name, pod)

    def _observe_pod(self, event: ObjectEvent) -> None:
        namespace, name = event.key[1], event.key[2]
        if not self._views.get(namespace):
            return
        pod = event.object
        labels = pod["metadata"].get("labels")
        views = self._matching(namespace, labels)
        if event.previous is not None:
            before = event.previous["metadata"].get("labels")
            if before is not labels and before != labels:
                for view in self._matching(namespace, before):
                    if view not in views:
                        self._leave(view, name)
        gone = event.type == "DELETED" or not is_eligible(pod)
        for view in views:
            if gone:
                self._leave(view, name)
            else:
                self._join(view, name, pod)

    def _matching(self, namespace: str, labels: Object | None) -> tuple[_View, ...]:
        # Pods of one template share one dictionary; the memo keeps it alive, so its id is its own.
        found = self._memo.get((namespace, id(labels)))
        if found is None:
            views = self._views.get(namespace, {}).values()
            matching = tuple(view for view in views if view.selector.matches(labels))
            if len(self._memo) >= _MEMO_LIMIT:
                self._memo.clear()
            found = self._memo[namespace, id(labels)] = (labels, matching)
        return found[1]

    def _join(self, view: _View, name: str, pod: Object) -> None:
        status, metadata = pod["status"], pod["metadata"]
        print_ = (
            status["podIP"],
            is_ready(pod),
            "deletionTimestamp" in metadata,
            metadata["uid"],
            id(pod["spec"].get("containers")),
        )
        if view.prints.get(name) == print_:
            return
        zone = self._zones.get(pod["spec"].get("nodeName") or "", "")
        member = member_of(view.service, pod, zone)
        view.prints[name] = print_
        if view.members.get(name) != member:
            view.members[name] = member
            self._mark(view.key)

    def _leave(self, view: _View, name: str) -> None:
        if view.prints.pop(name, None) is not None:
            del view.members[name]
            self._mark(view.key)

    def _observe_service(self, event: ObjectEvent) -> None:
        key = event.key
        self._memo.clear()
        views = self._views.setdefault(key.namespace, {})
        spec = event.object["spec"]
        self.queue.mark(key)
        selects = bool(spec.get("selector")) and spec.get("type") != "ExternalName"
        self._automatic.pop(key, None)
        if event.type == "DELETED" or not selects:
            views.pop(key.name, None)
            if not views:
                del self._views[key.namespace]
            return
        before = views.get(key.name)
        view = _View(key, event.object, set_selector(spec["selector"]))
        if before is not None and uid_of(before.service) == uid_of(event.object):
            view.continue_from(before)
        views[key.name] = view
        if view.automatic or view.told is not None:
            self._automatic[key] = None
        for pod in self.store.list(PODS, key.namespace, labels=view.selector):
            if is_eligible(pod):
                self._join(view, pod["metadata"]["name"], pod)

    def _mark(self, key: Key) -> None:
        view = self._views[key.namespace][key.name]
        size = len(view.members)
        if size < _SMALL:
            self.queue.mark(key)
        else:
            wait = min(_LONGEST_WAIT, size * _SECONDS_PER_MEMBER)
            self.queue.after(key, self.context.clock.monotonic() + wait)

    # -- decisions -------------------------------------------------------------------------

    def reconcile(self, key: Key, now: float) -> Plan | None:
        """Decide about one Service."""
        del now  # nothing here depends on time
        service = self.store.get(*key)
        endpoints = self.store.get(ENDPOINTS, key.namespace, key.name)
        view = self._views.get(key.namespace, {}).get(key.name)
        if service is None:
            # Slices have an owner reference; Endpoints never had one.
            if endpoints and labels_of(endpoints).get(OLD_MANAGER_LABEL) == OLD_MANAGER:
                return Plan(delete=[Deletion(ENDPOINTS, endpoints)])
            return None
        if view is None or uid_of(view.service) != uid_of(service):
            return None  # no selector, or its event is on the way
        slices = [
            found
            for found in self.store.by_owner(uid_of(service), SLICES)
            if labels_of(found).get(MANAGER_LABEL) == MANAGER
        ]
        members, events = self._routed(view)
        plan = decide_endpoints(view.service, members, slices, endpoints, view.trigger())
        plan.events += events
        return plan

    def _routed(self, view: _View) -> tuple[Sequence[Member], list[Emit]]:
        """Return a Service's endpoints with hints, if it asks for topology aware routing."""
        members = list(view.members.values())
        if not view.automatic:
            if view.told is None:
                return members, []
            told, view.told, view.routed = view.told, None, {}
            self._automatic.pop(view.key, None)
            return members, [] if told else [_hints_event(view.service, _DISABLED, on=False)]
        found = route(members, zone_shares(self.store.each(NODES)), view.routed)
        view.routed = {
            member.name: hints["forZones"][0]["name"]
            for member in found.members
            if (hints := member.endpoint.get("hints")) and hints.get("forZones")
        }
        if found.problem == view.told:
            return found.members, []
        view.told = found.problem
        text = found.problem or "Topology Aware Hints has been enabled"
        return found.members, [_hints_event(view.service, text, on=not found.problem)]


_DISABLED: Final = "Topology Aware Hints has been disabled"


def _hints_event(service: Object, text: str, *, on: bool) -> Emit:
    message = f"{text}, addressType: IPv4"
    if on:
        return Emit(service, "Normal", "TopologyAwareHintsEnabled", message)
    return Emit(service, "Warning", "TopologyAwareHintsDisabled", message)


def _resources(node: Object | None) -> tuple[object, ...]:
    """Return what of a node changes the shares of zones."""
    if node is None:
        return ()
    allocatable = status_of(node).get("allocatable") or {}
    return labels_of(node), allocatable.get("cpu"), is_condition_true(node, "Ready")
