"""The manager: follows Services and EndpointSlices and keeps one service actor for each Service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from actors import Actor, ActorRef, MailboxFull
from orchestrator.network.plans import NOTHING, Listener, ServicePlan, plan_service
from orchestrator.network.service import Command as ServiceCommand
from orchestrator.network.service import Configure, Retire, ServiceActor
from orchestrator.resources.objects import Object, labels_of, name_of, namespace_of
from orchestrator.store import Expired, Follower, Store

SERVICES: Final = "services"
SLICES: Final = "endpointslices.discovery.k8s.io"
SERVICE_NAME: Final = "kubernetes.io/service-name"
RETRY_SECONDS: Final = 0.1
"""Until a plan is sent again that a service actor had no room for."""


class Recorder(Protocol):
    """Makes Events; `orchestrator.store.EventRecorder` is one."""

    def event(self, involved: Object, type: str, reason: str, message: str) -> None:  # noqa: A002 - the API's word
        """Record one Event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changed:
    """The store has news for the follower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _SendAgain:
    """A plan could not be delivered; try those that are left."""


ServiceKey = tuple[str, str]
"""Namespace and name."""


class ServiceManager(Actor[_Changed | _SendAgain]):
    """Turns objects into plans and hands each to its service actor.

    Level-triggered: it reads what is, not what happened, so that a missed message costs nothing.
    """

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        *,
        node_port_addresses: Sequence[str] = ("127.0.0.1",),
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._node_port_addresses = tuple(node_port_addresses)
        self._follower: Follower | None = None
        self._services: dict[ServiceKey, Object] = {}
        self._slices: dict[ServiceKey, dict[str, Object]] = {}
        self._plans: dict[ServiceKey, ServicePlan] = {}
        self._actors: dict[ServiceKey, ActorRef[ServiceCommand]] = {}
        self._undelivered: set[ServiceKey] = set()
        self._spawned = 0

    def started(self) -> None:
        """List, then follow."""
        ref = self.context.ref
        self._follower = self._store.follow((SERVICES, SLICES), lambda: ref.tell(_Changed()))
        self._relist()

    def stopped(self) -> None:
        """Stop following; the service actors, its children, are stopped with it."""
        if self._follower is not None:
            self._follower.close()

    def receive(self, message: _Changed | _SendAgain) -> None:
        """Bring the plans of whatever changed up to date."""
        if isinstance(message, _SendAgain):
            again, self._undelivered = self._undelivered, set()
            for key in sorted(again):
                self._deliver(key)
            return
        assert self._follower is not None
        try:
            events = self._follower.take()
        except Expired:
            self._follower.restart(self._store.sequence)
            self._relist()
            return
        touched: set[ServiceKey] = set()
        for event in events:
            gone = event.type == "DELETED"
            if event.key.resource == SERVICES:
                touched.add(self._put_service(event.object, gone=gone))
            else:
                touched |= self._put_slice(event.object, gone=gone)
        for key in sorted(touched):
            self._update(key)

    def _relist(self) -> None:
        self._services.clear()
        self._slices.clear()
        for service in self._store.list(SERVICES):
            self._put_service(service, gone=False)
        for one in self._store.list(SLICES):
            self._put_slice(one, gone=False)
        for key in sorted({*self._services, *self._plans}):
            self._update(key)

    def _put_service(self, service: Object, *, gone: bool) -> ServiceKey:
        key = (namespace_of(service), name_of(service))
        if gone:
            self._services.pop(key, None)
        else:
            self._services[key] = service
        return key

    def _put_slice(self, one: Object, *, gone: bool) -> set[ServiceKey]:
        namespace, name = namespace_of(one), name_of(one)
        owner = labels_of(one).get(SERVICE_NAME)
        touched: set[ServiceKey] = set()
        if owner is not None:
            found = self._slices.setdefault((namespace, owner), {})
            if gone:
                found.pop(name, None)
                if not found:
                    del self._slices[namespace, owner]
            else:
                found[name] = one
            touched.add((namespace, owner))
        return touched

    def _update(self, key: ServiceKey) -> None:
        service = self._services.get(key)
        plan = NOTHING
        if service is not None:
            slices = self._slices.get(key, {}).values()
            plan = plan_service(service, slices, self._node_port_addresses)
        if not plan.listeners:
            self._plans.pop(key, None)
            self._retire(key)
        elif plan != self._plans.get(key):
            self._plans[key] = plan
            self._deliver(key)

    def _retire(self, key: ServiceKey) -> None:
        actor = self._actors.pop(key, None)
        if actor is not None:
            actor.tell(Retire())

    def _deliver(self, key: ServiceKey) -> None:
        plan = self._plans.get(key)
        if plan is None:
            return
        actor = self._actors.get(key)
        if actor is None or not actor.alive:
            self._actors[key] = self._spawn(key)  # starts with the newest plan
            return
        try:
            actor.tell(Configure(plan=plan))
        except MailboxFull:
            if not self._undelivered:
                self.context.after(RETRY_SECONDS, _SendAgain())
            self._undelivered.add(key)

    def _spawn(self, key: ServiceKey) -> ActorRef[ServiceCommand]:
        def report(listener: Listener, error: OSError) -> None:
            service = self._services.get(key)
            if service is not None:
                self._recorder.event(
                    service, "Warning", "FailedToListen", failure_text(listener, error)
                )

        # A deleted Service's actor may still drain when one of the same name appears: the
        # number keeps their names apart.
        self._spawned += 1
        return self.context.spawn(
            lambda: ServiceActor(report, lambda: self._plans.get(key, NOTHING)),
            f"{key[0]}.{key[1]}.{self._spawned}",
        )


def failure_text(listener: Listener, error: OSError) -> str:
    """Say what could not be listened on, why, and what to do about it."""
    where = f"cannot listen on {listener.address}:{listener.port}: {error.strerror or error}"
    if isinstance(error, PermissionError):
        return (
            f"{where}; ports under 1024 need the right to bind them: run as root, grant "
            "CAP_NET_BIND_SERVICE, lower net.ipv4.ip_unprivileged_port_start, or use a higher port"
        )
    return f"{where}; another program may use the port: end it, or change the Service's port"
