"""Which controllers a cluster runs, for whoever composes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from actors import Actor
from orchestrator.controllers.accounts import TokenController
from orchestrator.controllers.apiservices import AvailabilityController
from orchestrator.controllers.autoscaler import AutoscalerController
from orchestrator.controllers.autoscaler.source import NoMetrics
from orchestrator.controllers.certificates import ApprovingController, SigningController
from orchestrator.controllers.clusterroles import ClusterRoleAggregationController
from orchestrator.controllers.config import ControllerConfig
from orchestrator.controllers.controller import Recorder
from orchestrator.controllers.cronjob import CronJobController
from orchestrator.controllers.daemonset import DaemonSetController
from orchestrator.controllers.definitions import DefinitionController
from orchestrator.controllers.deployment import DeploymentController
from orchestrator.controllers.disruption import DisruptionController
from orchestrator.controllers.endpoints import EndpointsController
from orchestrator.controllers.ephemeral import EphemeralVolumeController
from orchestrator.controllers.garbage import GarbageCollector
from orchestrator.controllers.job import JobController
from orchestrator.controllers.localpath import LocalPathProvisioner
from orchestrator.controllers.mirroring import MirroringController
from orchestrator.controllers.namespaces import NamespaceController, NamespaceDefaults
from orchestrator.controllers.nodes import (
    NodeLifecycleController,
    PodCollector,
    TaintEvictionController,
)
from orchestrator.controllers.policies import PolicyStatusController
from orchestrator.controllers.protection import ProtectionController
from orchestrator.controllers.quotas import QuotaController
from orchestrator.controllers.replicaset import ReplicaSetController, ReplicationController
from orchestrator.controllers.statefulset import StatefulSetController
from orchestrator.controllers.ttl import FinishedJobController
from orchestrator.controllers.volumes import VolumeBindingController
from orchestrator.store import EventRecorder, Store


class ControllerSpec(NamedTuple):
    """One controller to spawn.

    Attributes:
        name: For the actor's address.
        factory: Makes a new instance, again after a restart.
    """

    name: str
    factory: Callable[[], Actor[Any]]


def controller_specs(
    store: Store,
    config: ControllerConfig | None = None,
    recorder: Callable[[str], Recorder] | None = None,
) -> tuple[ControllerSpec, ...]:
    """Return every controller of a cluster.

    They are independent of one another and of their order; each takes what it needs from the
    store when it starts.

    Args:
        store: What they read, follow and write.
        config: Periods and the cluster's CA; None takes upstream's values.
        recorder: From a component's name, upstream's, to where its Events go; None records them
            in the store.
    """
    settings = config or ControllerConfig()
    voice: Callable[[str], Recorder] = recorder or (lambda name: EventRecorder(store, name))
    specs: tuple[ControllerSpec, ...] = (
        ControllerSpec(
            "deployment", lambda: DeploymentController(store, voice("deployment-controller"))
        ),
        ControllerSpec(
            "replicaset", lambda: ReplicaSetController(store, voice("replicaset-controller"))
        ),
        ControllerSpec(
            "replication", lambda: ReplicationController(store, voice("replication-controller"))
        ),
        ControllerSpec(
            "statefulset", lambda: StatefulSetController(store, voice("statefulset-controller"))
        ),
        ControllerSpec(
            "daemonset", lambda: DaemonSetController(store, voice("daemonset-controller"))
        ),
        ControllerSpec("job", lambda: JobController(store, voice("job-controller"))),
        ControllerSpec("cronjob", lambda: CronJobController(store, voice("cronjob-controller"))),
        ControllerSpec(
            "ttl-after-finished",
            lambda: FinishedJobController(store, voice("ttl-after-finished-controller")),
        ),
        ControllerSpec(
            "disruption", lambda: DisruptionController(store, voice("controllermanager"))
        ),
        ControllerSpec(
            "horizontal-pod-autoscaler",
            lambda: AutoscalerController(
                store,
                voice("horizontal-pod-autoscaler"),
                settings.metrics or NoMetrics(),
                settings.autoscaling,
            ),
        ),
        ControllerSpec(
            "endpoints", lambda: EndpointsController(store, voice("endpoint-slice-controller"))
        ),
        ControllerSpec(
            "endpoints-mirroring",
            lambda: MirroringController(store, voice("endpoint-slice-mirroring-controller")),
        ),
        ControllerSpec(
            "namespace", lambda: NamespaceController(store, voice("namespace-controller"))
        ),
        ControllerSpec(
            "namespace-defaults",
            lambda: NamespaceDefaults(store, voice("root-ca-cert-publisher"), settings.cluster_ca),
        ),
        ControllerSpec(
            "definitions", lambda: DefinitionController(store, voice("apiextensions-controller"))
        ),
        ControllerSpec(
            "garbage-collector",
            lambda: GarbageCollector(store, voice("garbage-collector-controller")),
        ),
        ControllerSpec(
            "clusterrole-aggregation",
            lambda: ClusterRoleAggregationController(
                store, voice("clusterrole-aggregation-controller")
            ),
        ),
        ControllerSpec(
            "policy-status",
            lambda: PolicyStatusController(store, voice("validatingadmissionpolicy-status")),
        ),
        ControllerSpec(
            "storage-protection",
            lambda: ProtectionController(store, voice("pvc-protection-controller")),
        ),
        ControllerSpec(
            "volume-binding",
            lambda: VolumeBindingController(store, voice("persistentvolume-controller")),
        ),
        ControllerSpec(
            "ephemeral-volume",
            lambda: EphemeralVolumeController(store, voice("ephemeral_volume")),
        ),
        ControllerSpec(
            "local-path",
            lambda: LocalPathProvisioner(store, voice("orchestrator.io/local-path"), settings),
        ),
        ControllerSpec(
            "resource-quota", lambda: QuotaController(store, voice("resourcequota-controller"))
        ),
        ControllerSpec(
            "node-lifecycle",
            lambda: NodeLifecycleController(store, voice("node-controller"), settings),
        ),
        ControllerSpec(
            "taint-eviction",
            lambda: TaintEvictionController(store, voice("taint-eviction-controller")),
        ),
        ControllerSpec(
            "pod-collector",
            lambda: PodCollector(store, voice("pod-garbage-collector"), settings),
        ),
    )
    specs = (*_credentials(store, settings, voice), *specs)
    egress = settings.egress
    if egress is None:
        return specs
    availability = ControllerSpec(
        "api-services",
        lambda: AvailabilityController(
            store, voice("apiservice-status-controller"), egress, settings.client_certificate
        ),
    )
    return (*specs, availability)


def _credentials(
    store: Store, settings: ControllerConfig, voice: Callable[[str], Recorder]
) -> tuple[ControllerSpec, ...]:
    """Return the controllers that need a key; a cluster without one does without them."""
    found: list[ControllerSpec] = []
    if (tokens := settings.tokens) is not None:
        recorder = voice("serviceaccount-token-controller")
        found.append(
            ControllerSpec(
                "account-tokens",
                lambda: TokenController(store, recorder, tokens, settings.cluster_ca),
            )
        )
    if (sign := settings.sign) is not None:
        signer = voice("certificate-controller")
        found.append(
            ControllerSpec("certificate-signing", lambda: SigningController(store, signer, sign))
        )
    if (authorizer := settings.authorizer) is not None:
        approver = voice("certificate-controller")
        found.append(
            ControllerSpec(
                "certificate-approving", lambda: ApprovingController(store, approver, authorizer)
            )
        )
    return tuple(found)


def system_specs(
    store: Store, service_range: str, *, usage: bool = False
) -> tuple[ControllerSpec, ...]:
    """Return the controllers of the objects that clients expect of a served cluster.

    Args:
        store: What they read, follow and write.
        service_range: Addresses of Services, in CIDR form.
        usage: Whether the server answers ``metrics.k8s.io`` itself.
    """
    # A cluster that is not served does not need them, so it does not load them either.
    from orchestrator.controllers.system import (
        LeaseCollector,
        ServiceAddresses,
        ServiceRanges,
        SystemObjects,
    )

    recorder = EventRecorder(store, "kube-apiserver")
    specs = [
        ControllerSpec("system", lambda: SystemObjects(store, recorder, service_range, usage=usage))
    ]
    if ServiceAddresses.served_by(store.registry):
        specs.append(ControllerSpec("addresses", lambda: ServiceAddresses(store, recorder)))
        ranges = EventRecorder(store, "service-cidr-controller")
        specs.append(
            ControllerSpec("service-ranges", lambda: ServiceRanges(store, ranges, service_range))
        )
    specs.append(ControllerSpec("leases", lambda: LeaseCollector(store, recorder)))
    return tuple(specs)
