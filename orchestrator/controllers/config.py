"""Settings of the controllers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import field
from typing import Any, TypeAlias

from orchestrator.access import AccountTokens
from orchestrator.access.authorizing import Authorizer
from orchestrator.controllers.autoscaler.settings import AutoscalerSettings
from orchestrator.controllers.autoscaler.source import MetricsSource
from orchestrator.egress import Egress
from orchestrator.records import dataclass

Sign: TypeAlias = Callable[[bytes, tuple[str, ...], float, float], str]
"""As `orchestrator.access.authority.Authority.sign`."""

Heartbeat: TypeAlias = Callable[[str], float | None]
"""From a node's name to the wall seconds of its last sign of life; None: only its Lease tells."""

Reaches: TypeAlias = Callable[[str], bool]
"""From a node's name to whether it lives and is not cut off."""

Silences: TypeAlias = Callable[[Callable[[str], None]], None]
"""Takes whom to tell, instead of the one before, of each node whose computed heartbeats end."""

RemoveVolume: TypeAlias = Callable[[str, str], Coroutine[Any, Any, None]]
"""From a volume's name and path to the end of its directory; raises if that can't be deleted."""


def no_heartbeat(node: str) -> float | None:
    """Know of no heartbeat but the Leases in the store."""
    del node
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerConfig:
    """What the controllers need to know of their cluster.

    Attributes:
        cluster_ca: The CA as PEM, published in every namespace as ``kube-root-ca.crt``. Empty, and
            no such ConfigMap, for a cluster without TLS.
        tokens: Issues the tokens that Secrets hold; None leaves such Secrets empty.
        sign: Signs clients' certificates; None leaves requests unsigned.
        authorizer: Tells who may have a node's client certificate; None approves no request.
        node_monitor_period: Seconds between two looks at a node. Upstream's 5; it bounds how much
            later than the grace period a death is noticed.
        node_monitor_grace_period: Seconds without a heartbeat after which a node is not healthy.
            Upstream's 50 since 1.32: five missed renewals of a Lease of 40 s and some to spare.
        node_startup_grace_period: The same for a node that has never reported. Upstream's 60.
        node_eviction_rate: Nodes per second that are tainted with NoExecute, for each zone, after
            the first. Upstream's 0.1: a wave of failures is more often the network's than theirs.
        secondary_node_eviction_rate: The same in a large zone that is unhealthy. Upstream's 0.01.
        large_cluster_size: Nodes from which a zone is large; an unhealthy smaller one is left
            alone. Upstream's 50.
        unhealthy_zone_threshold: Share of nodes that are not ready which makes a zone unhealthy.
            Upstream's 0.55.
        pod_gc_period: Seconds between two collections of pods that nobody will finish.
            Upstream's 20.
        pod_gc_quarantine: Seconds a node has to be missing before its pods are removed: it may
            only be registering again. Upstream's 40.
        terminated_pod_threshold: Finished pods to keep; more are removed, the oldest first.
            Upstream's 12500.
        volume_directory: Where the volumes of the built-in provisioner are.
        remove_volume: Deletes one of them; None where there is nothing on the disk.
        heartbeat: Last sign of life of nodes whose heartbeats are computed, not written.
        reaches: Whether those go on until ``silences`` tells otherwise. Where they do not, a node
            is looked at again and again, as those are whose heartbeats are written.
        silences: Tells when they end; None where nobody does.
        metrics: Where autoscalers' metrics come from; None knows of none.
        autoscaling: How autoscalers work.
        egress: Asks the API servers behind APIServices; None leaves those without a condition.
        client_certificate: Files of the certificate, and of its key, by which those know this one.
    """

    cluster_ca: str = ""
    tokens: AccountTokens | None = None
    sign: Sign | None = None
    authorizer: Authorizer | None = None
    node_monitor_period: float = 5.0
    node_monitor_grace_period: float = 50.0
    node_startup_grace_period: float = 60.0
    node_eviction_rate: float = 0.1
    secondary_node_eviction_rate: float = 0.01
    large_cluster_size: int = 50
    unhealthy_zone_threshold: float = 0.55
    pod_gc_period: float = 20.0
    pod_gc_quarantine: float = 40.0
    terminated_pod_threshold: int = 12500
    volume_directory: str = "/var/lib/orchestrator/volumes"
    remove_volume: RemoveVolume | None = None
    heartbeat: Heartbeat = no_heartbeat
    reaches: Reaches = lambda _: False
    silences: Silences | None = None
    metrics: MetricsSource | None = None
    autoscaling: AutoscalerSettings = field(default_factory=AutoscalerSettings)
    egress: Egress | None = None
    client_certificate: tuple[str, str] | None = None
