"""The service actor: the listeners and the connections of one Service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from actors import Actor
from orchestrator.network.balancing import Balancer
from orchestrator.network.plans import NOTHING, Listener, ServicePlan
from orchestrator.network.relaying import Side
from orchestrator.resources.service_endpoints import Endpoint

DIAL_DEADLINE: Final = 3.0
"""Seconds an endpoint has to accept; then the next one is tried."""
RETRY_FIRST: Final = 1.0
RETRY_LAST: Final = 30.0
"""Seconds between attempts to listen where it failed; doubled each time."""
DRAIN_DEADLINE: Final = 30.0
"""Seconds the connections of a deleted Service may go on, as long as a pod's default grace."""
CONNECTION_LIMIT: Final = 8192
"""Connections of one Service at a time; one more is closed at once and counted as refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configure:
    """Listen and forward as the plan says. From the manager, at every change."""

    plan: ServicePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire:
    """The Service is gone: stop listening, let connections end, then stop. From the manager."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetStatistics:
    """Ask for `ServiceStatistics`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Retry:
    """Try again to listen where it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _DrainExpired:
    """A retired Service's connections had their time."""


Command: TypeAlias = Configure | Retire | GetStatistics | _Retry | _DrainExpired


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatistics:
    """What one Service did since its actor started.

    Attributes:
        listening: Addresses it accepts on now.
        connections: Open now.
        accepted: Taken in all.
        refused: Closed at once, for want of an endpoint or over the limit.
        redialled: Endpoints that did not accept, so that another one was tried.
    """

    listening: tuple[Listener, ...]
    connections: int
    accepted: int
    refused: int
    redialled: int


class Report(Protocol):
    """Tells the user that a listener failed; the manager makes it an Event."""

    def __call__(self, listener: Listener, error: OSError) -> None:
        """Report one failure."""


class ServiceActor(Actor[Command]):
    """Listens for one Service and relays its connections.

    A change of endpoints concerns new connections only; those that are open go on until an end
    closes them. A full mailbox refuses the manager's message, which sends the newest plan again.
    """

    mailbox_limit = 64

    def __init__(self, report: Report, plan: Callable[[], ServicePlan]) -> None:
        """Prepare to serve.

        Args:
            report: Told of each listener that fails, once until the plan changes.
            plan: The newest plan; asked at each start, also after a failure.
        """
        self._report = report
        self._newest = plan
        self._plan = NOTHING
        self._servers: dict[Listener, asyncio.Server] = {}
        self._balancers: dict[str, Balancer] = {}
        self._sides: set[Side] = set()
        self._failed: set[Listener] = set()
        self._retry_delay = RETRY_FIRST
        self._retry_waits = False
        self._retired = False
        self._accepted = self._refused = self._redialled = 0

    async def started(self) -> None:
        """Listen as the newest plan says."""
        self._plan = self._newest()
        await self._apply()

    async def receive(self, message: Command) -> ServiceStatistics | None:
        """Handle one command."""
        match message:
            case Configure(plan=plan):
                self._plan = plan
                self._failed.clear()
                self._retry_delay = RETRY_FIRST
                await self._apply()
            case _Retry():
                self._retry_waits = False
                await self._apply()
            case Retire():
                self._retired = True
                self._plan = NOTHING
                await self._apply()
                self.context.after(DRAIN_DEADLINE, _DrainExpired())
                self._stop_when_drained()
            case _DrainExpired():
                self.context.stop()
            case GetStatistics():
                return ServiceStatistics(
                    listening=tuple(self._servers),
                    connections=len(self._sides),
                    accepted=self._accepted,
                    refused=self._refused,
                    redialled=self._redialled,
                )
        return None

    async def stopped(self) -> None:
        """Close the listeners and break what is still connected."""
        await self._close(list(self._servers))
        for side in list(self._sides):
            side.abort()

    async def _apply(self) -> None:
        plan = self._plan
        for name, endpoints in plan.endpoints.items():
            balancer = self._balancers.get(name)
            if balancer is None:
                balancer = self._balancers[name] = Balancer(self.context.random)
            balancer.configure(endpoints, plan.affinity)
        wanted = {one for one in plan.listeners if plan.endpoints.get(one.port_name)}
        await self._close([one for one in self._servers if one not in wanted])
        for listener in plan.listeners:
            if listener in wanted and listener not in self._servers:
                await self._listen(listener)

    async def _close(self, listeners: Sequence[Listener]) -> None:
        """Stop listening.

        Accepting ends first and the sockets are closed a moment later: asyncio makes the transport
        of an accepted connection in a task of its own, which fails, and leaves the client hanging,
        when its server was closed meanwhile.
        """
        servers = [self._servers.pop(listener) for listener in listeners]
        if not servers:
            return
        loop = asyncio.get_running_loop()
        for server in servers:
            for listening in server.sockets:
                loop.remove_reader(listening.fileno())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for server in servers:
            server.close()

    async def _listen(self, listener: Listener) -> None:
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                self._accepting(listener.port_name), listener.address, listener.port
            )
        except OSError as error:
            self._listen_failed(listener, error)
            return
        self._failed.discard(listener)
        self._servers[listener] = server

    def _listen_failed(self, listener: Listener, error: OSError) -> None:
        if listener not in self._failed:
            self._failed.add(listener)
            self._report(listener, error)
        if not self._retry_waits:
            self._retry_waits = True
            self.context.after(self._retry_delay, _Retry())
            self._retry_delay = min(self._retry_delay * 2, RETRY_LAST)

    def _accepting(self, port_name: str) -> Callable[[], asyncio.Protocol]:
        def accept() -> asyncio.Protocol:
            return _Accepted(self, port_name)

        return accept

    def take(self, side: Side, port_name: str) -> None:
        """Find an endpoint for a connection that was just accepted."""
        balancer = self._balancers.get(port_name)
        if balancer is None or len(self._sides) >= CONNECTION_LIMIT or side.transport is None:
            self._refused += 1
            side.abort()
            return
        if not self.context.ref.alive:
            side.abort()
            return
        self._accepted += 1
        self._sides.add(side)
        client = str((side.transport.get_extra_info("peername") or ("",))[0])
        candidates = balancer.candidates(client, self.context.clock.monotonic())
        self.context.run(self._connect(side, balancer, client, candidates))

    async def _connect(
        self, side: Side, balancer: Balancer, client: str, candidates: Iterator[Endpoint]
    ) -> None:
        loop = asyncio.get_running_loop()
        for endpoint in candidates:
            if side.transport is None:
                return
            try:
                async with asyncio.timeout(DIAL_DEADLINE):
                    _, peer = await loop.create_connection(Side, endpoint.address, endpoint.port)
            except OSError:  # a TimeoutError is one, too
                self._redialled += 1
                continue
            balancer.connected(client, endpoint, self.context.clock.monotonic())
            side.join(peer)
            return
        self._refused += 1
        side.abort()

    def ended(self, side: Side) -> None:
        """Forget a connection that is over."""
        self._sides.discard(side)
        if self._retired:
            self._stop_when_drained()

    def _stop_when_drained(self) -> None:
        if not self._sides:
            self.context.stop()


class _Accepted(Side):
    """The client's side: asks its Service for an endpoint as soon as it is connected."""

    __slots__ = ("_port_name", "_service")

    def __init__(self, service: ServiceActor, port_name: str) -> None:
        super().__init__(service.ended)
        self._service = service
        self._port_name = port_name

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._service.take(self, self._port_name)
