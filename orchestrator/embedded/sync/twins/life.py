"""Twins of the asynchronous classes: made by ``python -m tests.project.twins``.

Change those, not this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.embedded.sync.twins.clocks import SyncClock

if TYPE_CHECKING:
    from orchestrator.api.server import Application
    from orchestrator.cluster import BareCluster, ClusterConfig
    from orchestrator.embedded.cluster.life import ClusterLife
    from orchestrator.embedded.sync.portal import Portal
    from orchestrator.store import Store


class SyncLife:
    """The synchronous twin of `ClusterLife`: the same methods, without ``await``."""

    def __init__(self, portal: Portal, twin: ClusterLife) -> None:
        """Speak to an asynchronous one on the portal's thread."""
        self._portal = portal
        self._async = twin

    @property
    def clock(self) -> SyncClock:
        """See the attribute of the asynchronous one."""
        return SyncClock(self._portal, self._async.clock)

    @property
    def config(self) -> ClusterConfig:
        """See the attribute of the asynchronous one."""
        return self._async.config

    @property
    def core(self) -> BareCluster:
        """What is behind the API: the store, the nodes, the actors.

        Raises:
            ClusterError: The cluster was not started.
        """
        return self._portal.run(lambda: self._async.core)

    def __repr__(self) -> str:
        return self._portal.run(self._async.__repr__)

    @property
    def store(self) -> Store:
        """Its objects, as the controllers see them."""
        return self._portal.run(lambda: self._async.store)

    @property
    def asgi(self) -> Application:
        """The API as an ASGI application, for clients that can call one."""
        return self._portal.run(lambda: self._async.asgi)

    @property
    def seed(self) -> int:
        """What its chance began with; pass it again to repeat a run."""
        return self._portal.run(lambda: self._async.seed)
