"""A cluster in this program: start it, use it, move its time, take it down."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, Self

from actors import VirtualClock
from orchestrator.api.faults import ApiFaults
from orchestrator.api.gate import INTERNAL, Gate
from orchestrator.api.serving import ServedCluster, ServingConfig
from orchestrator.api.visitors import GRACE
from orchestrator.cluster import BareCluster, ClusterConfig, Origin
from orchestrator.embedded.arguments import check_cluster, span_of
from orchestrator.embedded.calls import Caller
from orchestrator.embedded.client import Client, CommandResult
from orchestrator.embedded.clocks import ClusterClock, Mode, make_clock
from orchestrator.embedded.errors import ApplyError, ClusterError, WaitTimeoutError
from orchestrator.embedded.kinds import find_kind, path_of_version
from orchestrator.embedded.lingering import Lingering
from orchestrator.embedded.manifests import Source, read_objects
from orchestrator.embedded.selections import Selection
from orchestrator.embedded.waiting import Condition, check_of
from orchestrator.resources.objects import Object, name_of, namespace_of

if TYPE_CHECKING:
    from orchestrator.api.application import ApiApplication
    from orchestrator.api.certificates import Certificates
    from orchestrator.api.server import Application
    from orchestrator.embedded.access import Doors
    from orchestrator.embedded.containers import Home
    from orchestrator.embedded.definitions import Model
    from orchestrator.embedded.faults import Faults
    from orchestrator.embedded.hooking import Hooks
    from orchestrator.embedded.images import Amount, Image, ImageBook, Logs
    from orchestrator.embedded.nodes import Nodes
    from orchestrator.embedded.sync import SyncCluster
    from orchestrator.embedded.travel import Travels
    from orchestrator.embedded.travel_changes import Difference, Revisions
    from orchestrator.embedded.travel_past import Past
    from orchestrator.embedded.travel_snapshots import ClusterSnapshot
    from orchestrator.embedded.webhooks import Converter, Handler, Webhook
    from orchestrator.node.images import SimulatedImage
    from orchestrator.store import Store

P = ParamSpec("P")

HISTORY: Final = 32 * 1024 * 1024
"""Bytes of log payload that are kept by default: some 100,000 revisions."""

_NAMED_PORT: Final = 6443
_STOPPED: Final = "this cluster has stopped: make a new one"


class Cluster:
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

    clock: ClusterClock

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
        if isinstance(data_dir, str):
            data_dir = Path(data_dir)
        check_cluster(
            {
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
            }
        )
        mode: Mode = time or ("real" if runtime == "process" else "manual")
        if runtime == "process" and mode != "real":
            raise ClusterError(
                f"processes live in real time: time={mode!r} goes with runtime='simulated' only"
            )
        if mode == "auto" and listen is not None and not isinstance(listen, Path):
            if time is not None and listen != "http":
                raise ClusterError(
                    "time='auto' goes without ports: nobody could say when clients are done; "
                    "leave listen out, or choose time='manual'"
                )
            listen = None
        base = config or ClusterConfig()
        self.config: Final = replace(
            base,
            nodes=nodes,
            runtime=runtime,
            seed=seed,
            kubernetes_version=kubernetes_version,
            data_dir=data_dir,
            history=history,
            node_capacity=base.node_capacity if node_capacity is None else node_capacity,
        )
        self._mode: Mode = mode
        self._epoch = epoch
        self._listen = listen
        self._grace = client_grace
        self._images: ImageBook | None = None
        self._origin: Origin | None = None
        self._exits = contextlib.AsyncExitStack()
        self._core: BareCluster | None = None
        self._stopped = False
        self._served: ServedCluster
        self._app: ApiApplication
        self._gate: Gate

    @classmethod
    def sync(cls: Callable[P, Cluster], *args: P.args, **kwargs: P.kwargs) -> SyncCluster:
        """Make one for programs without asyncio: ``with Cluster.sync(nodes=3) as cluster``.

        It takes the same arguments and has the same methods, to be called without ``await``, from
        any thread; see `SyncCluster`.
        """
        from orchestrator.embedded.sync import SyncCluster

        return SyncCluster(cls(*args, **kwargs))

    # -- life

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
            raise ClusterError("this cluster was started before: make a new one")
        clock, drives = make_clock(self._mode, self._epoch)
        if drives and isinstance(self._listen, Path):
            raise ClusterError(
                "time='auto' with a Unix socket wants a loop of virtual time (actors.testing), on "
                "which the clients run too: nobody could say when those elsewhere are done"
            )
        self.clock = ClusterClock(clock, self._mode)
        config = replace(self.config, clock=clock, simulated_images=_Lookup(self))
        core = self._core = BareCluster(config, self._origin)
        served = self._served = ServedCluster(core, self._serving(), wrap=self._make_gate)
        self._exits.push_async_callback(served.stop)
        try:
            await served.start()
            await self._exits.enter_async_context(self.clock.driven(drives))
            await self.clock.settle()
            if isinstance(clock, VirtualClock):
                clock.courtesy = self._gate.visitors.courtesy
                self.clock.lingering = Lingering(clock, self._gate.visitors)
        except BaseException:
            await self._exits.aclose()
            raise

    async def stop(self) -> None:
        """End everything: clients' streams, pods, the log. Safe to call twice.

        What it was can be read on (`store`, `at`, `diff`, `history`).
        """
        await self._exits.aclose()
        if self._core is not None and hasattr(self, "_gate"):
            self._stopped = True
            self._gate.lead_to(_Gone())

    def _serving(self) -> ServingConfig:
        listen = self._listen
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
        self._gate = Gate(app, core.store.clock, faults, self._grace)
        return self._gate

    # -- the ways in

    @property
    def core(self) -> BareCluster:
        """What is behind the API: the store, the nodes, the actors.

        Raises:
            ClusterError: The cluster was not started.
        """
        if self._core is None:
            raise ClusterError("this cluster is not started: async with Cluster() as cluster")
        return self._core

    def _alive(self) -> None:
        self.core  # noqa: B018 - says what is wrong before the start
        if self._stopped:
            raise ClusterError(_STOPPED)

    def __getattr__(self, name: str) -> Any:
        """Say of what comes with the start that it is still to come."""
        if name == "clock" and self._core is None:
            self.core  # noqa: B018 - says so
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def store(self) -> Store:
        """Its objects, as the controllers see them."""
        return self.core.store

    @property
    def asgi(self) -> Application:
        """The API as an ASGI application, for clients that can call one."""
        self.core  # noqa: B018 - says what is wrong before the start
        if not hasattr(self, "_gate"):
            raise ClusterError("this cluster could not start: make a new one")
        return self._gate

    def httpx_transport(self, library: Any = None) -> Any:
        """Return a transport for ``httpx.AsyncClient`` that needs no socket, and streams.

        Requests have to be made in the loop that the cluster runs in; any host will do as their
        ``base_url``. Who shows no token is the administrator.

        Args:
            library: The module whose transport it is to be: ``httpx``, unless given, or one that
                continues it (lightkube has ``httpx2``).
        """
        from orchestrator.embedded.transports import ClusterTransport

        if library is None:
            import httpx as library
        return ClusterTransport(self.asgi, library)

    @property
    def url(self) -> str:
        """Where clients reach it.

        Raises:
            ClusterError: It does not listen on a port.
        """
        self._invite()
        return self._served.url

    @cached_property
    def kubeconfig(self) -> Path:
        """A kubeconfig for kubectl and all client libraries; gone with the cluster.

        Raises:
            ClusterError: It does not listen on a port.
        """
        return self._doors.write(self._doors.data())

    @property
    def kubeconfig_dict(self) -> dict[str, Any]:
        """The same as data, for libraries that take it so."""
        return self._doors.data()

    def kubeconfig_for(
        self, user: str, *, groups: tuple[str, ...] = (), namespace: str = "default"
    ) -> Path:
        """Write a kubeconfig with a token, for somebody who may do what roles let them do.

        Args:
            user: A name; of a ServiceAccount that exists ``system:serviceaccount:NAMESPACE:NAME``.
            groups: That user's groups, beside those that every user is in.
            namespace: Where its clients look unless told otherwise.

        Raises:
            ClusterError: There is no such ServiceAccount, or the cluster listens on no port.
        """
        return self._doors.write(self._doors.data(user, groups, namespace))

    def environment(self, kubeconfig: Path | None = None) -> dict[str, str]:
        """Return this process's environment with ``KUBECONFIG``, for programs that it starts.

        Args:
            kubeconfig: Whose; the administrator's unless given.
        """
        from orchestrator.embedded.access import environment_with

        cache = self.core.directory / "kubectl-cache"
        return environment_with(kubeconfig or self.kubeconfig, cache)

    def in_environment(
        self, kubeconfig: Path | None = None
    ) -> contextlib.AbstractContextManager[None]:
        """Set that environment in this process for a block, for libraries that look there.

        Those that looked on import (``kubernetes``, ``kubernetes_asyncio``) see it too, and kr8s
        forgets the client that it would hand out again.
        """
        from orchestrator.embedded.access import entered

        return entered(self.environment(kubeconfig))

    async def run(
        self,
        *command: str | Path,
        kubeconfig: Path | None = None,
        stdin: str | None = None,
        check: bool = True,
        timeout: float = 60.0,
    ) -> CommandResult:
        """Run a program, kubectl say, that finds the cluster; time passes while it runs.

        Args:
            *command: Program and arguments; no shell reads them.
            kubeconfig: Whose; the administrator's unless given.
            stdin: What it reads.
            check: Whether its failure is an error.
            timeout: Real seconds after which it is killed.

        Raises:
            ClusterError: It failed (the text has what it said), or is not installed.
            TimeoutError: It took longer.
        """
        from orchestrator.embedded.programs import run_program

        async with self.clock.running():
            return await run_program(
                command, self.environment(kubeconfig), stdin=stdin, check=check, timeout=timeout
            )

    @cached_property
    def _doors(self) -> Doors:
        from orchestrator.embedded.access import Doors

        self._invite()
        return Doors(self.core, self._served, lambda: self._app)

    def _invite(self) -> None:
        """Refuse who needs a port that is none, and expect who is told of it."""
        self._alive()
        if not isinstance(self._listen, str):
            raise ClusterError(
                "this cluster listens on no port: make it with listen='http', or use `client` or "
                "`asgi`"
            )
        if self.clock.lingering is not None:
            self.clock.lingering.invited = True

    @property
    def seed(self) -> int:
        """What its chance began with; pass it again to repeat a run."""
        return self.core.seed

    @property
    def version(self) -> int:
        """The ``resourceVersion`` of the present state."""
        return self.store.sequence

    @cached_property
    def _travels(self) -> Travels:
        # Loaded by who looks back: others start without it.
        from orchestrator.embedded.travel import Travels

        return Travels(self.core)

    def at(self, version: int) -> Past:
        """Read the state at a version, which `version` was at that moment.

        ```python
        before = cluster.version
        await cluster.api.delete("deployment", "web")
        assert cluster.at(before).get("deployment", "web")
        ```

        Raises:
            VersionError: It is still to come, or no longer held; see ``history``.
        """
        return self._travels.at(version)

    def diff(self, before: int, after: int | None = None) -> Difference:
        """Compare the states at two versions: what was added, removed and changed, and where.

        Print what comes back, or go through it.

        Args:
            before: The one version.
            after: The other one; the present unless given.

        Raises:
            VersionError: One of them is not held.
        """
        return self._travels.diff(before, self.version if after is None else after)

    def history(self, target: str, namespace: str = "default") -> Revisions:
        """Tell what became of an object: each revision, when, by whom, and what changed.

        Args:
            target: ``deployment/web``; it may be gone by now.
            namespace: Where; no matter for kinds without namespaces.

        Raises:
            StatusError: 404, there is and was no such kind.
            UnknownObjectError: There was no such object at any version held.
            VersionError: No history is kept.
        """
        return self._travels.history(target, namespace)

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
        there; a function of an image begins anew. Both go on independently, and each is to be
        stopped.

        Args:
            version: From where; the present unless given.

        Raises:
            VersionError: The version is still to come, or no longer held.
            ClusterError: The nodes run processes, of which there is no second.
        """
        self._alive()
        travels = self._travels
        if version is None:
            await travels.settle()
        origin, moment = await travels.origin(version)
        real = self._mode == "real" or not isinstance(self.store.clock, VirtualClock)
        config = self.config
        fork = Cluster(
            nodes=config.nodes,
            time=self._mode,
            seed=config.seed,
            epoch=None if real else moment,
            kubernetes_version=config.kubernetes_version,
            listen=None if isinstance(self._listen, Path) else self._listen,
            client_grace=self._grace,
            history=config.history,
            config=config,
        )
        fork._origin = origin
        fork._images = None if self._images is None else self._images.copy()
        await fork.start()
        return fork

    async def record(self, path: Path | str) -> None:
        """Write the log to a file, for ``orchestrator replay``, ``history`` and ``diff``.

        What is in it is what `history` keeps; a log that was there is replaced.

        Raises:
            LogError: It cannot be written, or something else is there.
        """
        self._alive()
        await self._travels.record(Path(path))

    async def snapshot(self) -> ClusterSnapshot:
        """Take note of all objects, to come back to with `restore` as often as one likes.

        ```python
        snap = await cluster.snapshot()
        ...                                    # a test
        await cluster.restore(snap)            # the next one begins where this one did
        ```

        It holds no copies, so it costs next to nothing.
        """
        self._alive()
        return await self._travels.snapshot()

    async def restore(self, snapshot: ClusterSnapshot) -> None:
        """Put back all objects as they were in a snapshot, with their old uids.

        Versions and the clock go on: what is put back gets new versions, all in one commit, and
        watches from before end with 410 ``Expired``, upon which clients list anew. Pods whose
        containers ran in the snapshot run again, with no restart to be seen (a function of an image
        begins anew); those that are not in it are gone. Nodes live, or have crashed, as then. What
        is neither is not put back: faults, and what a container has written.

        Raises:
            ClusterError: The snapshot is another cluster's, or the nodes run processes, which
                cannot be undone.
        """
        self._alive()
        await self._travels.restore(snapshot)

    @property
    def api(self) -> Client:
        """A client as the administrator, in the namespace ``default``."""
        return self._client("default")

    @cached_property
    def faults(self) -> Faults:
        """What can be made to go wrong between it and its clients."""
        from orchestrator.embedded.faults import Faults

        core = self.core
        return Faults(self._gate, core, self._served, self.clock)

    @cached_property
    def nodes(self) -> Nodes:
        """Its nodes by name, to let them crash, to cut them off, to drain them."""
        from orchestrator.embedded.nodes import Nodes

        return Nodes(self.core, self.api, self.clock)

    @contextlib.asynccontextmanager
    async def client(
        self, namespace: str = "default", *, user: str | None = None, groups: tuple[str, ...] = ()
    ) -> AsyncIterator[Client]:
        """Open a client in this program.

        Args:
            namespace: Where objects are that name none.
            user: Whom to impersonate; the administrator unless given. A ServiceAccount is
                ``system:serviceaccount:NAMESPACE:NAME``.
            groups: That user's groups, beside those that every user is in.
        """
        yield self._client(namespace, user, groups)

    def _client(
        self, namespace: str, user: str | None = None, groups: tuple[str, ...] = ()
    ) -> Client:
        caller = Caller(self.asgi, user=user, groups=groups)
        return Client(
            caller, lambda: self.store.registry, self.clock, self.core.sessions, namespace
        )

    # -- what its pods do

    def image(
        self,
        name: str,
        *,
        start_seconds: float | None = None,
        ready_seconds: float | None = None,
        ready: bool | None = None,
        run_seconds: float | None = None,
        exit_code: int | None = None,
        crash_after: float | None = None,
        stop_seconds: float | None = None,
        refuse: str = "",
        logs: Logs = (),
        termination_message: str = "",
        cpu: Amount | None = None,
        memory: Amount | None = None,
    ) -> Image:
        """Say what containers of an image do, or let an async function be such a container.

        ```python
        cluster.image("web:1", start_seconds=2, ready_seconds=5, cpu="250m")
        cluster.image("broken:*", refuse="ErrImagePull: not found")

        @cluster.image("worker:1")
        async def worker(container):
            container.log("hello from", container.env["HOSTNAME"])
            await container.sleep(30)
        ```

        What a pod's annotations say (``simulation.orchestrator/...``) goes before it. It holds for
        containers that are started from now on; said again, it replaces what was said before.

        Args:
            name: As pods name it; without a tag it stands for all tags, and ``*`` for anything.
            start_seconds: From being asked to start to running.
            ready_seconds: From running to being ready.
            ready: False: not ready before its function calls ``container.set_ready(True)``.
            run_seconds: From running to ending by itself.
            exit_code: With which it ends then; at once, if nothing says when.
            crash_after: The same as ``run_seconds`` with an exit code of 1.
            stop_seconds: From SIGTERM to its end; at once unless given, infinity ignores it. A
                function decides by itself, see `Container`.
            refuse: Why it cannot be started. ``ErrImagePull: WHY`` is an image that cannot be
                pulled, which is tried again and again.
            logs: Lines that it writes when it is started, or pairs of seconds and a line; or a
                function of the `Container` that returns them.
            termination_message: What it leaves when it ends.
            cpu: How much it uses: ``250m``, ``80%`` of its request, ``100m,900m@60s``, or a
                function of its age in seconds.
            memory: The same.

        Raises:
            ClusterError: The cluster runs processes, or two of these contradict each other.
            ValueError: An amount cannot be read.
        """
        if self.config.runtime == "process":
            raise ClusterError(
                f"image {name!r}: with runtime='process' containers are programs, and do what "
                "these do; make the cluster with runtime='simulated' to say what images do"
            )
        from orchestrator.embedded.images import ImageBook, describe

        if self._images is None:
            self._images = ImageBook()
        declared = describe(
            start_seconds=start_seconds,
            ready_seconds=ready_seconds,
            ready=ready,
            run_seconds=run_seconds,
            exit_code=exit_code,
            crash_after=crash_after,
            stop_seconds=stop_seconds,
            refuse=refuse,
            logs=logs,
            termination_message=termination_message,
            cpu=cpu,
            memory=memory,
        )
        return self._images.declare(name, declared)

    @property
    def images(self) -> ImageBook | None:
        """What was said of images; None while nothing was."""
        return self._images

    # -- what one does most

    async def apply(self, source: Source, namespace: str = "default") -> list[Object]:
        """Apply objects on the server's side; what others look for comes first.

        Args:
            source: A path, a directory (also a kustomization, where kubectl is installed), YAML or
                JSON text, an object, or a list of any of them.
            namespace: Where objects go that name none.

        Returns:
            The objects as stored, in the order in which they were applied.

        Raises:
            ApplyError: Something cannot be read as an object.
            StatusError: The API refused one; those before it stay.
        """
        client = self._client(namespace)
        applied = []
        for obj in await read_objects(source):
            stored = await client.apply(obj)
            applied.append(stored)
            if obj["kind"] == "CustomResourceDefinition":
                await self.wait(f"customresourcedefinitions/{name_of(stored)}", "Established")
            elif obj["kind"] == "Namespace":
                # Pods that name no other account are refused until there is this one.
                await self.wait("serviceaccounts/default", "exists", namespace=name_of(stored))
        return applied

    async def install_crd(
        self,
        model: Model | Source,
        *,
        group: str = "",
        version: str = "v1",
        kind: str | None = None,
        plural: str | None = None,
        scope: Literal["Namespaced", "Cluster"] = "Namespaced",
        status: Model | None = None,
        short_names: Sequence[str] = (),
    ) -> Object:
        """Define a kind, and wait until it is served: then `api` knows it by its name.

        Args:
            model: A pydantic model's class, or what else has a JSON Schema: of the whole object, if
                it has a field ``spec``; else of its spec. Or a definition, as `apply` takes it.
            group: API group, ``example.com``.
            version: The one version.
            kind: Name of the kind; the model's own unless given.
            plural: Name in paths; made of the kind unless given.
            scope: Whether objects are in namespaces.
            status: Model of the status, if the first has none; it takes anything unless given.
            short_names: Further names for kubectl.

        Returns:
            The last definition installed.

        Raises:
            ApplyError: There is no schema, no group, or no definition in what was given.
            StatusError: The API refuses the definition.
        """
        from orchestrator.embedded.definitions import definition_of, is_model

        source = model
        if group or is_model(model):
            source = definition_of(
                model,
                group=group,
                version=version,
                kind=kind,
                plural=plural,
                scope=scope,
                status=status,
                short_names=short_names,
            )
        applied = await self.apply(source)
        found = [obj for obj in applied if obj["kind"] == "CustomResourceDefinition"]
        if not found:
            raise ApplyError("there is no CustomResourceDefinition in what was given")
        return found[-1]

    async def install_kopf_peering(self) -> None:
        """Define kopf's peerings, and make one for operators everywhere and in ``default``."""
        from orchestrator.embedded.definitions import kopf_peerings

        await self.apply(kopf_peerings())

    @contextlib.asynccontextmanager
    async def webhook(
        self,
        handler: Handler,
        resources: str | Sequence[str],
        *,
        mutating: bool = False,
        operations: Sequence[str] = ("CREATE", "UPDATE"),
        name: str | None = None,
        timeout: int = 10,
        **options: Any,
    ) -> AsyncIterator[Webhook]:
        """Have a function asked about objects before they are stored, for a block.

        It is served over HTTPS on a loopback port, and called as any admission webhook is. The
        block gets the `Webhook`, which remembers what it was asked.

        Args:
            handler: Gets the ``request`` of each AdmissionReview. None or True lets pass, False or
                a text refuses, a list is a JSON patch, an object is what the new one is to be. It
                runs in a thread, unless it is a coroutine function.
            resources: Which kinds, by any of their names; ``pods/exec``; ``*`` for all.
            mutating: Whether it may change objects.
            operations: ``CREATE``, ``UPDATE``, ``DELETE``, ``CONNECT``, ``*``.
            name: Of the configuration.
            timeout: Real seconds that it has to answer.
            **options: Further fields of the webhook: ``failurePolicy="Ignore"``,
                ``objectSelector={...}``, ``matchConditions=[...]``.
        """
        async with self._hooks.admission(
            handler,
            resources,
            mutating=mutating,
            operations=operations,
            name=name,
            timeout=timeout,
            options=options,
        ) as webhook:
            yield webhook

    @contextlib.asynccontextmanager
    async def conversion_webhook(self, kind: str, convert: Converter) -> AsyncIterator[Webhook]:
        """Have a function convert custom objects between their versions, for a block.

        Args:
            kind: Whose objects; one with several versions.
            convert: Gets an object and the version wanted, ``example.com/v2``; returns it so.
        """
        async with self._hooks.conversion(kind, convert) as webhook:
            yield webhook

    def tls_files(self) -> Certificates:
        """Return certificate, key and CA for a server of the test's own on the loopback address.

        For ``kopf.WebhookServer``: ``cafile=files.ca_file, certfile=files.certificate_file,
        pkeyfile=files.key_file``.
        """
        return self._hooks.server.certificates()

    @cached_property
    def _hooks(self) -> Hooks:
        from orchestrator.embedded.hooking import Hooks
        from orchestrator.embedded.webhooks import WebhookServer

        server = WebhookServer(self.core.directory / "webhooks")
        self._exits.push_async_callback(server.stop)
        return Hooks(server, self.api, lambda: self.store.registry)

    async def delete(self, source: Source, namespace: str = "default") -> None:
        """Delete the objects of a source, the last applied first; those that are gone are fine."""
        client = self._client(namespace)
        for obj in reversed(await read_objects(source)):
            kind = self.store.registry.by_kind(obj["apiVersion"], obj["kind"])
            where = namespace_of(obj) or namespace
            if kind is None or await client.find(kind.resource, name_of(obj), where) is None:
                continue
            await client.delete(kind.resource, name_of(obj), where)

    async def wait(
        self,
        target: str,
        condition: Condition = "Ready",
        *,
        namespace: str = "default",
        labels: str | None = None,
        timeout: float = 30.0,
    ) -> Object | None:
        """Let time pass until an object, or all objects of a selection, are as wanted.

        Args:
            target: ``deployment/web``, or ``pods`` for all that ``labels`` select (at least one).
            condition: A condition's type (``Available``, ``Ready=False``), ``exists``, ``delete``,
                ``rollout``, ``jsonpath={.status.phase}=Running``, or a function of the object.
            namespace: Where.
            labels: Which of them, where no one is named.
            timeout: Seconds of the cluster's time; when they are over and clients outside may still
                act, as many real seconds since the beginning.

        Returns:
            The object named, as it then is; None when there is none, or none was named.

        Raises:
            WaitTimeoutError: It did not come true in time; the text says how things stand.
            StatusError: 404, there is no such kind.
            ValueError: The target, the condition or the timeout cannot be read.
        """
        self._alive()
        span_of(timeout, "timeout")
        selection = Selection(self.store, target, namespace, labels)
        holds = partial(selection.passes, check_of(condition))
        if isinstance(self.store.clock, VirtualClock):
            held = bool(await self.clock.until(holds, timeout))
        else:
            held = await selection.followed_until(holds, timeout)
        if not held:
            raise WaitTimeoutError(selection.describe(condition, timeout))
        return selection.named()

    async def watched(self, kind: str, *, timeout: float = 30.0) -> None:
        """Wait until a client outside watches a kind: an operator that was started is ready.

        What is done before is not told to it, but found when it first looks; the clock cannot
        know of an operator that has not come yet, and give it a turn.

        Args:
            kind: As for kubectl: ``shops``, ``pods``, ``deploy``.
            timeout: Real seconds.

        Raises:
            WaitTimeoutError: Nobody did in time.
            StatusError: 404, there is no such kind.
        """
        self._alive()
        found = find_kind(self.store.registry, kind)
        try:
            async with asyncio.timeout(timeout):
                await self._gate.visitors.wait_watching(path_of_version(found), found.plural)
        except TimeoutError:
            raise WaitTimeoutError(
                f"no client outside watched {found.plural} within {timeout:g} real seconds; open "
                f"are {', '.join(self._gate.visitors.watches) or 'no watches at all'}"
            ) from None


class _Gone:
    """Stands where the API was."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        del scope, receive, send
        raise ClusterError(_STOPPED)

    def close(self) -> None:
        """Have nothing to end."""


class _Lookup:
    """Looks images up, for a runtime that starts before anything was said of one."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @cached_property
    def home(self) -> Home:
        """What the cluster's containers share."""
        from orchestrator.embedded.containers import Home

        return Home(self._cluster)

    def __bool__(self) -> bool:
        return bool(self._cluster.images)

    def find(self, image: str) -> SimulatedImage | None:
        images = self._cluster.images
        return None if images is None else images.find(image)
