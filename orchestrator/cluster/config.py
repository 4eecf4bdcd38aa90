"""What a cluster is made of, said before it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from orchestrator.controllers.autoscaler.settings import AutoscalerSettings
from orchestrator.records import dataclass

if TYPE_CHECKING:
    from actors import Clock
    from orchestrator.node.images import Images
    from orchestrator.node.simulated_commands import Program
    from orchestrator.node.simulated_ports import Server
    from orchestrator.scheduler.configuration.files import Source as SchedulerSource
    from orchestrator.scheduler.extending import Plugin


class ClusterError(Exception):
    """A cluster can't start or go on; the message says what happened and what to do."""

    __module__ = "orchestrator"  # where users import it from, and what reports show


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """One cluster.

    Attributes:
        nodes: How many nodes it starts with.
        runtime: ``process`` runs containers as processes of this machine; ``simulated`` pods only
            pretend to run.
        data_dir: Where log, logs of containers and keys live. None keeps the log in memory and
            the rest in a temporary directory that goes with the cluster.
        kubernetes_version: Minor version served, ``1.31`` to the newest one packaged.
        seed: Makes names, choices and uids repeat; None draws a fresh seed.
        node_capacity: Quantities by resource, over what the runtime finds or assumes.
        node_heartbeat_seconds: Between Lease renewals of process nodes. Upstream's kubelet renews
            every 10 s.
        node_grace_seconds: Silence after which a node counts as unreachable; upstream's default
            since v1.32 is 50 s.
        node_events: Whether simulated nodes record an Event for each start of a container: on by
            default for small clusters, off from 50 nodes on, where Events would be most of the log.
        scheduler: The scheduler's configuration: a KubeSchedulerConfiguration's file, its content,
            or `SchedulerConfiguration`; None for upstream's default profile.
        scheduler_plugins: Plugins that profiles can enable by name, beside the built-in ones, those
            that ship and those of installed distributions. Without a configuration the default
            profile enables them all.
        metrics: Whether ``metrics.k8s.io`` is served from what nodes measure, so that ``kubectl
            top`` and autoscalers work. Turn it off where a metrics-server is installed as a whole,
            by Helm for example, and would find the names of its objects taken.
        simulated_program: Answers commands in simulated containers (``kubectl exec``); what it
            leaves, and all without it, a few built-in ones do. See
            `orchestrator.node.simulated_commands`.
        simulated_server: Answers connections to simulated pods' ports (``kubectl port-forward``);
            without it nobody listens. See `orchestrator.node.simulated_ports`.
        simulated_images: Says what simulated containers of which images do, functions among it. See
            `orchestrator.node.images`.
        autoscaling: How HorizontalPodAutoscalers work where they do not say; upstream's defaults.
        history: Bytes of log payload up to which the past is kept in memory, for those who look
            back beyond what watchers may ask for; a revision takes some ten times as many. 0 keeps
            nothing, None everything.
        clock: Where it takes its time from; None for the time of the loop it runs in.
        stop_seconds: How long a clean stop waits for containers before it kills them.
    """

    nodes: int = 3
    runtime: Literal["process", "simulated"] = "process"
    data_dir: Path | None = None
    kubernetes_version: str = "1.35"
    seed: int | None = None
    node_capacity: Mapping[str, str] = field(default_factory=dict)
    node_heartbeat_seconds: float = 10.0
    node_grace_seconds: float = 50.0
    node_events: bool | None = None
    scheduler: SchedulerSource | None = None
    scheduler_plugins: Sequence[type[Plugin]] = ()
    metrics: bool = True
    simulated_program: Program | None = None
    simulated_server: Server | None = None
    simulated_images: Images | None = None
    autoscaling: AutoscalerSettings = field(default_factory=AutoscalerSettings)
    history: int | None = 0
    clock: Clock | None = None
    stop_seconds: float = 10.0
