"""One cluster: builds the parts a `ClusterConfig` asks for, and ends them in the right order."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import cached_property
from ipaddress import IPv4Network
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from actors import Actor, ActorSystem, RealClock, Supervision
from actors.log import EventLog, LogError, MemoryLog
from orchestrator import webhooks
from orchestrator.access import AccountTokens, RbacAuthorizer, SigningKey
from orchestrator.access.authority import Authority
from orchestrator.cluster.addresses import AddressClaim, AddressesInUseError, claim_addresses
from orchestrator.cluster.config import ClusterConfig, ClusterError
from orchestrator.cluster.directories import data_directory, temporary_directory
from orchestrator.cluster.dormant import Dormant
from orchestrator.cluster.metrics import ClusterMetrics
from orchestrator.cluster.node_configs import ANY_NODE, AskedNode, describe_node
from orchestrator.controllers.awaiting import SCHEDULER, Awaited
from orchestrator.controllers.config import ControllerConfig
from orchestrator.controllers.localpath.classes import ensure_default_class
from orchestrator.controllers.specs import controller_specs, system_specs
from orchestrator.egress import Egress
from orchestrator.node import (
    NodeConfig,
    NodeManager,
    Runtime,
    RuntimeUnavailableError,
    SimulatedRuntime,
)
from orchestrator.node.logs import NodeLogs, PodLogs
from orchestrator.node.pod_sessions import NodeSessions, PodSessions
from orchestrator.node.runtime import Courses
from orchestrator.node.usage.meter import UsageMeter
from orchestrator.policies import (
    Evaluator,
    MatchConditions,
    MutatingPolicies,
    ValidatingPolicies,
)
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Object
from orchestrator.store import Store
from orchestrator.store.admission.late import LateHook
from orchestrator.store.history import History
from orchestrator.store.recording import EventRecorder
from orchestrator.webhooks.client import WebhookClient
from orchestrator.webhooks.conversion import ConversionWebhooks

if TYPE_CHECKING:
    from orchestrator.node.usage import Measure
    from orchestrator.scheduler import Scheduler
    from orchestrator.scheduler.configuration import SchedulerConfiguration
    from orchestrator.scheduler.extending.registry import Plugins
    from orchestrator.scheduler.metrics import SchedulerMetrics

SIMULATED_SERVICES: Final = IPv4Network("10.96.0.0/16")
"""Cluster IPs where nothing listens: upstream's customary range."""

KEEP_ALIVE: Final = Supervision(max_restarts=1000, period=600.0)
"""For what works on the store's objects: one that fails again and again is tried for ever, at
most every 30 s, and what it does rests meanwhile. Ending the daemon would help nobody: the API is
what a user needs to put things right. Store and nodes are different: without them nothing works,
so their failure ends the daemon with a message."""

NODE_PORTS_UP_TO: Final = 16
"""Nodes whose own addresses listen on node ports, as upstream's do, beside 127.0.0.1: each costs a
socket for every node port."""


def seed_of_life(seed: int | None, sequence: int) -> int | None:
    """Return the seed of a cluster that starts on a log whose last record is ``sequence``.

    A cluster that is started again on its log must not draw the uids and container ids a second
    time that its objects have from its first life.
    """
    if seed is None or sequence == 0:
        return seed
    return random.Random(f"{seed}/{sequence}").getrandbits(64)  # noqa: S311 - repeats on purpose


class Origin(NamedTuple):
    """What a cluster begins with that goes on from another one's past.

    Attributes:
        log: Its own by now.
        keys: A directory of keys and certificates; copied.
        nodes: Those that lived.
        added: How many were added to those that it was configured with.
        courses: How far its containers had come.
    """

    log: EventLog
    keys: Path
    nodes: Sequence[NodeConfig]
    added: int
    courses: Courses


class BareCluster:
    """A whole cluster inside this process, without its HTTP face.

    Use it as an async context manager, or call `start` and `stop`. `orchestrator.api.serving` puts
    the API server in front of it.

    Attributes:
        config: What it was built from.
        seed: What its chance began with, also once it was started again; set by `start`.
        system: Its actors; set by `start`.
        store: Its objects; set by `start`.
        nodes: Its nodes; set by `start`.
        logs: Its containers' logs; set by `start`.
        sessions: The way into its containers; set by `start`.
        meter: Finds what its nodes and pods use; set by `start`, None where that is turned off.
        egress: Makes the calls that leave the cluster; set by `start`.
        accounts: Its ServiceAccounts' tokens; set by `start`.
        certificate_authority: PEM that the namespaces publish as ``kube-root-ca.crt``; whoever
            serves the API with TLS sets it between `open` and `start`.
        client_certificate: Files of the certificate, and of its key, by which API servers behind
            this one know it; set like the authority.
    """

    seed: int
    system: ActorSystem
    store: Store
    nodes: NodeManager
    logs: PodLogs
    sessions: PodSessions
    meter: UsageMeter | None
    egress: Egress
    accounts: AccountTokens

    def __init__(self, config: ClusterConfig | None = None, origin: Origin | None = None) -> None:
        """Prepare; nothing is touched before `start`.

        Args:
            config: What to build.
            origin: What another cluster left it, where it is to go on from that one's past.
        """
        self.config = config or ClusterConfig()
        self._origin = origin
        self.certificate_authority = ""
        self.client_certificate: tuple[str, str] | None = None
        self._exits = contextlib.AsyncExitStack()
        self._life = contextlib.AsyncExitStack()
        self._runtime: Runtime | None = None
        self._restarting = False
        self._directory: Path
        self._claim: AddressClaim | None = None
        self._event_log: EventLog | None = None
        self._scheduling: SchedulerConfiguration | None = None
        self._scheduler_plugins: Plugins = {}
        self._ends_containers = True
        self._added = 0 if origin is None else origin.added

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def directory(self) -> Path:
        """Where this cluster keeps its files: the data directory or a temporary one."""
        return self._directory

    @property
    def added(self) -> int:
        """How many nodes were added to those that it was configured with, gone ones too."""
        return self._added

    @cached_property
    def scheduling_metrics(self) -> SchedulerMetrics:
        """What its scheduler counts, through all of its restarts."""
        from orchestrator.scheduler.metrics import SchedulerMetrics

        return SchedulerMetrics()

    @property
    def log(self) -> EventLog:
        """Its event log; known after `open`."""
        assert self._event_log is not None, "the cluster was opened"
        return self._event_log

    @property
    def service_range(self) -> IPv4Network:
        """Where cluster IPs come from; known after `open`."""
        return self._claim.block.services if self._claim else SIMULATED_SERVICES

    async def open(self) -> None:
        """Take the data directory and the addresses, and nothing more. `start` does it if need be.

        Raises:
            ClusterError: The directory belongs to a running daemon, or is not a cluster's; or the
                scheduler's configuration cannot be used.
        """
        async with self._undone():
            self._read_scheduling()
            self._directory = self._prepare_directory()
            self._event_log = await self._open_log()
            self._exits.push_async_callback(self._event_log.close)
            if self.config.runtime == "process":
                self._claim = claim_addresses(self._directory)
                self._exits.callback(self._claim.release)

    def _read_scheduling(self) -> None:
        """Find the scheduler's plugins and what its configuration makes of them.

        Raises:
            ValueError: Something in them cannot be used.
        """
        given, source = self.config.scheduler_plugins, self.config.scheduler
        if source is None and not given:
            return  # nothing to enable: the plugins need not even be looked for
        from orchestrator.scheduler.configuration.files import load_configuration
        from orchestrator.scheduler.extending.registry import enabling, find_plugins, registry_of

        self._scheduler_plugins = find_plugins(given)
        if source is None:
            source = enabling(given)
        self._scheduling = load_configuration(source, registry_of(self._scheduler_plugins))

    async def start(self) -> None:
        """Start everything; returns when every node is registered.

        Raises:
            ClusterError: It can't start; what was started has been stopped again, and containers
                of an earlier run were left alone.
        """
        if self._event_log is None:
            await self.open()
        assert self._event_log is not None
        self._exits.push_async_callback(self._end_life)
        async with self._undone():
            await self._start(self._event_log)

    async def restart(self) -> None:
        """Let the control plane end and begin anew on its log, as after a failure of its machine.

        `system`, `store` and all that works on them are new ones; the nodes' containers go on.
        Nobody is served meanwhile.

        Raises:
            ClusterError: It can't start again; everything has been stopped.
        """
        assert self._event_log is not None, "start() first"
        async with self._undone():
            self._restarting = True
            await self._end_life()
            await self._start(self._event_log)
            self._restarting = False

    async def _end_life(self) -> None:
        life, self._life = self._life, contextlib.AsyncExitStack()
        await life.aclose()

    @contextlib.asynccontextmanager
    async def _undone(self) -> AsyncIterator[None]:
        """Undo what was done so far if the block fails, and name known causes for what they are."""
        try:
            yield
        except BaseException as error:
            self._ends_containers = False
            await self._exits.aclose()
            known = (LogError, AddressesInUseError, RuntimeUnavailableError, OSError, ValueError)
            if isinstance(error, known):
                raise ClusterError(str(error)) from error
            raise

    async def _start(self, log: EventLog) -> None:
        config = self.config
        before = self.system.seed if self._restarting else config.seed
        seed = seed_of_life(before, log.last_sequence)
        self.system = ActorSystem("cluster", clock=config.clock or RealClock(), seed=seed)
        await self._life.enter_async_context(self.system)
        if not self._restarting:
            self.seed = self.system.seed
        self.store = await Store.open(
            self.system,
            log,
            registry(config.kubernetes_version),
            seeded=config.seed is not None,
            history=None if config.history == 0 else History(config.history),
            service_cidr=str(self.service_range),
        )
        self._ask_about_writes()
        key = SigningKey(self._directory / "pki" / "sa.key")
        self.accounts = AccountTokens(self.store, key)
        runtime, measure = self._open_runtime()
        nodes = self._node_configs()
        volumes = None
        if config.runtime == "process":
            from orchestrator.node.volumes import VolumeDirectories

            volumes = VolumeDirectories(self._directory / "mounts", self.accounts)
        kubelet = EventRecorder(self.store, "kubelet")
        if self._restarting:
            self.nodes = self.nodes.successor(self.store, kubelet, volumes)
        else:
            self.nodes = NodeManager(self.store, kubelet, [runtime], nodes, volumes)
            if self._origin is not None:
                self.nodes.put_back(self._origin.courses)
        self.meter = None
        if config.metrics:
            self.meter = UsageMeter(
                self.store,
                kubelet,
                lives=self.nodes.reaches,
                measure=measure,
                declared=runtime.declared,
                lag=runtime.lag,
            )
        await ensure_default_class(self.store)
        self._spawn_controllers()
        self._spawn_scheduler()
        self._life.push_async_callback(self._stop_nodes)
        await self.nodes.start(self.system)
        if config.runtime == "process":
            from orchestrator.network import ServiceManager

            services = EventRecorder(self.store, "service-proxy")
            listening = ("127.0.0.1", *(node.address for node in nodes[:NODE_PORTS_UP_TO]))
            self._spawn(
                "services",
                lambda: ServiceManager(self.store, services, node_port_addresses=listening),
            )

    def _open_runtime(self) -> tuple[Runtime, Measure | None]:
        """Make what runs containers, or take it over from the life before; and the ways to it."""
        config, clock = self.config, self.system.clock
        runtime, measure = self._runtime, None
        if config.runtime == "process":
            # Loaded here, as all that only some clusters have: a simulated one starts sooner.
            from orchestrator.node import ProcessConfig, ProcessRuntime

            assert self._claim is not None
            if runtime is None:
                directory = self._directory / "process"
                processes = ProcessConfig(directory=directory, hold=self._claim.processes)
                runtime = ProcessRuntime(processes, clock)
            assert isinstance(runtime, ProcessRuntime)
            self.logs = NodeLogs(runtime, clock, unreachable=self._unreachable)
            measure = runtime.usage
        else:
            if runtime is None:
                runtime = SimulatedRuntime(
                    clock,
                    self.system.random,
                    program=config.simulated_program,
                    server=config.simulated_server,
                    images=config.simulated_images,
                )
            assert isinstance(runtime, SimulatedRuntime)
            self.logs = NodeLogs(None, clock, runtime, unreachable=self._unreachable)
            self.egress.dial = runtime.dial
        self._runtime = runtime
        self.sessions = NodeSessions(runtime, self._unreachable)
        return runtime, measure

    def _ask_about_writes(self) -> None:
        # Which endpoint of a Service is called is no part of a seed's history.
        self.egress = Egress(random.SystemRandom())
        self._life.push_async_callback(self.egress.close)
        client = WebhookClient(self.store, self.egress)
        access = RbacAuthorizer(self.store)
        evaluator = Evaluator()
        conditions = MatchConditions(self.store, access)
        self.store.admission.hooks = (
            MutatingPolicies(self.store, access, evaluator),
            LateHook(
                self.store,
                "mutatingwebhookconfigurations.admissionregistration.k8s.io",
                lambda: webhooks.MutatingWebhooks(self.store, client, conditions),
            ),
            ValidatingPolicies(self.store, access, evaluator),
            LateHook(
                self.store,
                "validatingwebhookconfigurations.admissionregistration.k8s.io",
                lambda: webhooks.ValidatingWebhooks(self.store, client, conditions),
            ),
        )
        self.store.conversion.webhook = ConversionWebhooks(client)

    def _spawn_controllers(self) -> None:
        grace = self.config.node_grace_seconds
        keys = self._directory / "pki"
        storage: dict[str, Any] = {}
        if self.config.runtime == "process":  # a simulated cluster touches no disk
            from orchestrator.node.volumes import ProvisionedVolumes

            place = self._directory / "volumes"
            storage = {
                "volume_directory": str(place),
                "remove_volume": ProvisionedVolumes(place).remove,
            }
        settings = ControllerConfig(
            **storage,
            cluster_ca=self.certificate_authority,
            tokens=self.accounts,
            sign=Authority(keys / "ca.crt", keys / "ca.key").sign,
            authorizer=RbacAuthorizer(self.store),
            node_monitor_grace_period=grace,
            node_monitor_period=min(5.0, grace / 4),
            heartbeat=self.nodes.heartbeat,
            reaches=self.nodes.reaches,
            silences=self.nodes.tell_silences,
            metrics=ClusterMetrics(self.store, self.egress, self.meter, self.client_certificate),
            autoscaling=self.config.autoscaling,
            egress=self.egress,
            client_certificate=self.client_certificate,
        )
        for spec in controller_specs(self.store, settings):
            self._spawn(spec.name, spec.factory, spec.awaited)

    def _spawn_scheduler(self) -> None:
        recorder = EventRecorder(self.store, "default-scheduler")

        def make_scheduler() -> Scheduler:
            # Loaded with the first pod, as the controllers with what they are for.
            from orchestrator.scheduler import Scheduler
            from orchestrator.scheduler.configuration import DEFAULT_CONFIGURATION

            return Scheduler(
                self.store,
                recorder,
                configuration=self._scheduling or DEFAULT_CONFIGURATION,
                plugins=self._scheduler_plugins,
                metrics=self.scheduling_metrics,
            )

        if self._scheduling is not None:
            make_scheduler()  # which tells what is wrong with plugins' arguments
        self._spawn("scheduler", make_scheduler, SCHEDULER)

    def _spawn(
        self, name: str, factory: Callable[[], Actor[Any]], awaited: Awaited | None = None
    ) -> None:
        """Spawn what works on the store's objects; it sleeps while there is none of the awaited."""
        if awaited is not None:
            self.system.spawn(
                lambda: Dormant(self.store, awaited, factory), name, supervision=KEEP_ALIVE
            )
        else:
            self.system.spawn(factory, name, supervision=KEEP_ALIVE)

    def keep_system_objects(self) -> None:
        """Make the objects that clients expect of a served cluster, and keep them from then on."""
        usage = self.meter is not None
        for name, factory in system_specs(self.store, str(self.service_range), usage=usage):
            self._spawn(name, factory)

    def _prepare_directory(self) -> Path:
        if self.config.data_dir is None:
            directory = temporary_directory(self, self._exits)
            if self._origin is not None and self._origin.keys.exists():
                shutil.copytree(self._origin.keys, directory / "pki")
            return directory
        return data_directory(self.config.data_dir)

    async def _open_log(self) -> EventLog:
        if self._origin is not None:
            return self._origin.log
        if self.config.data_dir is None:
            return MemoryLog()
        from actors.log import SqliteLog

        return await SqliteLog.open(self._directory / "cluster.db")

    def _node_configs(self) -> list[NodeConfig]:
        if self._origin is not None:
            return list(self._origin.nodes)
        return [self._node_config(number) for number in range(1, self.config.nodes + 1)]

    def _node_config(self, number: int, asked: AskedNode = ANY_NODE) -> NodeConfig:
        block = None if self._claim is None else self._claim.block
        return describe_node(self.config, block, number, asked)

    async def add_node(
        self,
        name: str | None = None,
        *,
        capacity: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        taints: tuple[Mapping[str, str], ...] = (),
    ) -> str:
        """Start one more node; returns its name once it is registered.

        Args:
            name: ``node-N`` unless given.
            capacity: Over what the cluster's nodes have.
            labels: Beyond the well-known ones.
            taints: As in ``spec.taints``.

        Raises:
            ClusterError: There is a node of that name, it can't be one, or there is no address.
        """
        present = {*self.nodes.names, *self.nodes.fallen}
        self._added += 1
        while name is None and f"node-{self.config.nodes + self._added}" in present:
            self._added += 1
        number = self.config.nodes + self._added
        try:
            described = self._node_config(number, AskedNode(name, capacity, labels, taints))
        except ValueError as error:
            raise ClusterError(str(error)) from error
        if described.name in present:
            raise ClusterError(f"there is a node {described.name!r} already: choose another name")
        await self.nodes.add(described)
        return described.name

    def _unreachable(self, pod: Object) -> str | None:
        return self.nodes.unreachable(pod)

    async def kill_node(self, name: str) -> None:
        """Let a node die as if its machine had lost power.

        Raises:
            ClusterError: There is no living node of that name.
        """
        if name not in self.nodes.names:
            living = ", ".join(self.nodes.names) or "none"
            raise ClusterError(f"no node {name!r} to kill: the living nodes are {living}")
        await self.nodes.kill(name)

    async def _stop_nodes(self) -> None:
        self.system.ending = True
        if self._restarting and self.system.failure is None:
            await self.nodes.leave()
            return
        clean = self._ends_containers and self.system.failure is None
        # Without a data directory there is no next daemon that could take them over.
        clean = clean or self.config.data_dir is None
        await self.nodes.stop(clean=clean, grace=self.config.stop_seconds)

    async def stop(self, *, clean: bool = True) -> None:
        """End all containers, then all actors, then close the log. Safe to call twice.

        Args:
            clean: False leaves the containers of a data directory to the next start, as a killed
                daemon would. A cluster whose actors failed leaves them in any case.

        Raises:
            SystemFailed: An actor that the cluster cannot do without failed too often.
        """
        self._ends_containers = self._ends_containers and clean
        await self._exits.aclose()
