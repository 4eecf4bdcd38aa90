"""A cluster in this program: start it, use it, move its time, take it down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, ParamSpec

from actors import VirtualClock
from orchestrator.api.visitors import GRACE
from orchestrator.cluster import ClusterConfig
from orchestrator.embedded.arguments import check_cluster
from orchestrator.embedded.clock.clocks import Mode
from orchestrator.embedded.cluster.access import ClusterAccess
from orchestrator.embedded.cluster.extensions import ClusterExtensions
from orchestrator.embedded.cluster.images import ClusterImages
from orchestrator.embedded.cluster.past import ClusterPast
from orchestrator.embedded.cluster.settings import setting_of
from orchestrator.embedded.cluster.troubles import ClusterTroubles

if TYPE_CHECKING:
    from orchestrator.embedded.sync import SyncCluster

P = ParamSpec("P")

HISTORY: Final = 32 * 1024 * 1024
"""Bytes of log payload that are kept by default: some 100,000 revisions."""


class Cluster(ClusterAccess, ClusterExtensions, ClusterImages, ClusterTroubles, ClusterPast):
    """A real API server, scheduler, controllers and nodes inside this program.

    Use it as an async context manager, or call `start` and `stop`. By default its nodes are
    simulated and its clock stands still: `wait` and ``clock.advance`` let time pass. Clients reach
    it at `url` or with `kubeconfig`; `client` needs no socket.

    ```python
    async with Cluster() as cluster:
        await cluster.apply("app.yaml")
        await cluster.wait("deployment/web", "Available")
        await cluster.clock.advance(hours=1)
    ```

    Attributes:
        clock: Its time; known once it has started.
    """

    def __init__(
        self,
        *,
        nodes: int = 3,
        runtime: Literal["simulated", "process"] = "simulated",
        time: Mode | None = None,
        seed: int | None = None,
        epoch: float | None = None,
        kubernetes_version: str = "1.35",
        node_capacity: Mapping[str, str] | None = None,
        listen: Literal["http", "https"] | Path | None = "http",
        data_dir: Path | str | None = None,
        client_grace: float = GRACE,
        history: int | None = HISTORY,
        config: ClusterConfig | None = None,
    ) -> None:
        """Prepare; nothing is touched before `start`.

        Args:
            nodes: How many nodes it starts with.
            runtime: ``simulated`` pods only pretend to run; ``process`` runs containers as
                processes of this machine.
            time: How time passes; ``manual`` for simulated pods and ``real`` for processes, unless
                given. ``auto`` goes without ports only; with a Unix socket on a loop of virtual
                time (`actors.testing`), for clients on that same loop.
            seed: Makes names, uids and choices repeat; see `seed` for the one drawn without it.
            epoch: The moment at which a clock that is not real begins, in seconds since 1970; now,
                unless given. With it and a seed, histories are the same byte for byte.
            kubernetes_version: Minor version served, ``1.31`` to the newest.
            node_capacity: Quantities by resource, over what nodes have by default.
            listen: ``http`` or ``https`` on a free port of the loopback address, the path of a Unix
                socket, or None for callers in this program only.
            data_dir: Where to keep the log on disk; in memory unless given.
            client_grace: Real seconds of silence after which clients outside are taken to have
                done what they do, so that time may move on.
            history: Bytes of log up to which the past is kept in memory, for `at`, `diff`,
                `history` and `fork`; a revision of an object takes some ten times as many. None
                keeps everything, 0 nothing.
            config: Everything else; what is given here beside it goes first.

        Raises:
            ClusterError: One of the arguments can't be meant, or two contradict each other.
        """
        given = {
            "nodes": nodes,
            "runtime": runtime,
            "time": time,
            "seed": seed,
            "epoch": epoch,
            "kubernetes_version": kubernetes_version,
            "node_capacity": node_capacity,
            "listen": listen,
            "client_grace": client_grace,
            "history": history,
            "data_dir": data_dir,
            "config": config,
        }
        check_cluster(given)
        base = config or ClusterConfig()
        config = replace(
            base,
            nodes=nodes,
            runtime=runtime,
            seed=seed,
            kubernetes_version=kubernetes_version,
            data_dir=Path(data_dir) if isinstance(data_dir, str) else data_dir,
            history=history,
            node_capacity=base.node_capacity if node_capacity is None else node_capacity,
        )
        super().__init__(config, setting_of(given))

    @classmethod
    def sync(cls: Callable[P, Cluster], *args: P.args, **kwargs: P.kwargs) -> SyncCluster:
        """Make one for programs without asyncio: ``with Cluster.sync(nodes=3) as cluster``.

        It takes the same arguments and has the same methods, to be called without ``await``, from
        any thread; see `SyncCluster`.
        """
        from orchestrator.embedded.sync import SyncCluster

        return SyncCluster(cls(*args, **kwargs))

    async def fork(self, version: int | None = None) -> Cluster:
        """Start a second cluster that goes on from this one's present, or from its past.

        ```python
        before = cluster.version
        async with await cluster.fork(before) as fork:
            await fork.clock.advance(days=1)      # this cluster's clock stands
        ```

        It has the same objects, uids, tokens, configuration and functions of images, a port of its
        own (none where this one has a Unix socket), and keeps its log in memory. Its clock begins
        at that moment's time, its history with this one's. Simulated containers that ran then run
        there, with the rest of their time; a function of an image begins anew, and so does the wait
        of what had still to start at a past version. Both go on independently, and each is to be
        stopped.

        Args:
            version: From where; the present unless given.

        Raises:
            VersionError: The version is still to come, or no longer held.
            ClusterError: The nodes run processes, of which there is no second.
        """
        self._presence.require_here()
        origin, moment = await self._presence.turns.take(lambda: self._travels.origin(version))
        config, setting = self.config, self._setting
        real = setting.mode == "real" or not isinstance(self.store.clock, VirtualClock)
        fork = Cluster(
            nodes=config.nodes,
            time=setting.mode,
            seed=config.seed,
            epoch=None if real else moment,
            kubernetes_version=config.kubernetes_version,
            listen=None if isinstance(setting.listen, Path) else setting.listen,
            client_grace=setting.grace,
            history=config.history,
            config=config,
        )
        fork._origin = origin
        fork._presence.is_a_twins = self._presence.is_a_twins
        fork._lookup.put_back(self._lookup.kept())
        await fork.start()
        return fork
