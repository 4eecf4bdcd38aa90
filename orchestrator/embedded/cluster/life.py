"""A cluster's life: how it starts, what stands behind it meanwhile, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from actors import VirtualClock
from orchestrator import witnesses
from orchestrator.api.faults import ApiFaults
from orchestrator.api.gate import INTERNAL, Gate
from orchestrator.api.serving import ServedCluster, ServingConfig
from orchestrator.cluster import BareCluster, ClusterConfig, Origin
from orchestrator.embedded.clock.clocks import ClusterClock, make_clock
from orchestrator.embedded.clock.lingering import Lingering
from orchestrator.embedded.cluster.lookups import ImageLookup
from orchestrator.embedded.cluster.settings import Setting
from orchestrator.embedded.errors import ClusterError
from orchestrator.embedded.presence import STARTED, STOPPED, Presence
from orchestrator.embedded.turns import heed

if TYPE_CHECKING:
    from orchestrator.api.application import ApiApplication
    from orchestrator.api.server import Application
    from orchestrator.store import Store

_NAMED_PORT: Final = 6443


class ClusterLife:
    """Starts a cluster, holds what it consists of, and stops it.

    What else a cluster can do stands in classes that continue this one, each in its own module.
    """

    clock: ClusterClock

    def __init__(self, config: ClusterConfig, setting: Setting) -> None:
        """Prepare; nothing is touched before `start`.

        Args:
            config: What the cluster is.
            setting: How its time passes, and how clients reach it.
        """
        self.config: Final = config
        self._setting: Final = setting
        self._presence = Presence()
        self._lookup = ImageLookup(self, self._presence)
        self._origin: Origin | None = None
        self._exits = contextlib.AsyncExitStack()
        self._stopping: asyncio.Task[None] | None = None
        self._core: BareCluster | None = None
        self._served: ServedCluster
        self._app: ApiApplication
        self._gate: Gate

    async def __aenter__(self) -> Self:
        if self._origin is None or self._core is None:  # a fork has started
            await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start everything; returns when requests are answered and all is at rest.

        Raises:
            ClusterError: It can't start, or was started before.
            OSError: The address can't be listened on.
        """
        if self._core is not None:
            raise ClusterError(STARTED)
        clock, drives = make_clock(self._setting.mode, self._setting.epoch)
        if drives and isinstance(self._setting.listen, Path):
            raise ClusterError(
                "time='auto' with a Unix socket wants a loop of virtual time (actors.testing), on "
                "which the clients run too: nobody could say when those elsewhere are done"
            )
        self.clock = ClusterClock(clock, self._setting.mode, self._presence)
        config = replace(self.config, clock=clock, simulated_images=self._lookup)
        core = self._core = BareCluster(config, self._origin)
        served = self._served = ServedCluster(core, self._serving(), wrap=self._make_gate)
        self._exits.push_async_callback(served.stop)
        self._presence.begin()
        try:
            await served.start()
            await self._exits.enter_async_context(self.clock.driven(drives))
            await self.clock.settle()
            if isinstance(clock, VirtualClock):
                clock.courtesy = self._gate.visitors.courtesy
                self.clock.lingering = Lingering(clock, self._gate.visitors)
            if not self._presence.is_a_twins:
                witnesses.started(self)
        except BaseException:
            self._presence.fail()
            await self._exits.aclose()
            raise

    async def stop(self) -> None:
        """End everything: clients' streams, pods, the log. Safe to call twice.

        What it was can be read on (`store`, `at`, `diff`, `history`).
        """
        if self._presence.stage == "begun":
            self._presence.require_here()
        if self._stopping is None:
            if self._presence.stage == "begun" and not self._presence.is_a_twins:
                witnesses.stopping(self)
            # Like all that concerns the whole of it, it goes on though whoever waits is cancelled.
            self._stopping = asyncio.create_task(self._stop(), name="cluster-stop")
            self._stopping.add_done_callback(heed)
        elif self._stopping.done():
            return
        await asyncio.shield(self._stopping)

    async def _stop(self) -> None:
        await self._presence.turns.close()
        try:
            await self._exits.aclose()
        finally:
            self._presence.end()
            if hasattr(self, "_gate"):
                self._gate.lead_to(_Gone())
            await self._exits.aclose()  # what was begun meanwhile

    def _serving(self) -> ServingConfig:
        listen = self._setting.listen
        if listen is None:
            return ServingConfig(listen=False)
        if isinstance(listen, Path):
            return ServingConfig(socket=listen)
        # No simulated container dials it; a free port in the log would make each run another one.
        named = _NAMED_PORT if self.config.runtime == "simulated" else None
        return ServingConfig(port=0, insecure_http=listen == "http", named_port=named)

    def _make_gate(self, app: ApiApplication) -> Application:
        before = self._app.tokens if hasattr(self, "_app") else {}
        self._app = app
        core = self.core
        if hasattr(self, "_gate"):  # the control plane was started again
            app.tokens.update(before)
            self._gate.faults.identify = app.name_of_user
            self._gate.lead_to(app)
            return self._gate
        faults = ApiFaults(
            core.store.clock,
            random.Random(f"{core.system.seed}/faults"),  # noqa: S311 - repeats on purpose
            identify=app.name_of_user,
            pause=self.clock.sleep,
            internal=INTERNAL,
        )
        self._gate = Gate(app, core.store.clock, faults, self._setting.grace)
        return self._gate

    @property
    def core(self) -> BareCluster:
        """What is behind the API: the store, the nodes, the actors.

        Raises:
            ClusterError: The cluster was not started.
        """
        self._presence.require_begun()
        assert self._core is not None, "it has begun"
        return self._core

    def __repr__(self) -> str:
        listen = self._setting.listen
        begun = self._presence.stage == "begun"
        place = self._served.url if begun and isinstance(listen, str) else listen or "no port"
        at = f"version {self._core.store.sequence}" if begun and self._core else "not running"
        return f"<Cluster of Kubernetes {self.config.kubernetes_version}, {place}, {at}>"

    def __getattr__(self, name: str) -> Any:
        """Say of what comes with the start that it is still to come."""
        if name == "clock" and self._core is None:
            self._presence.require_begun()
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def store(self) -> Store:
        """Its objects, as the controllers see them."""
        return self.core.store

    @property
    def asgi(self) -> Application:
        """The API as an ASGI application, for clients that can call one."""
        self._presence.require_begun()
        if self._presence.stage == "failed":
            self._presence.require()
        return self._gate

    @property
    def seed(self) -> int:
        """What its chance began with; pass it again to repeat a run."""
        return self.core.seed


class _Gone:
    """Stands where the API was."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        del scope, receive, send
        raise ClusterError(STOPPED)

    def close(self) -> None:
        """Have nothing to end."""
