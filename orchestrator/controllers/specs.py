"""Which controllers a cluster runs, for whoever composes one.

Those that every cluster needs are imported here; the others are loaded with the first that is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from actors import Actor
from orchestrator import controllers
from orchestrator.controllers.apiservices import AvailabilityController
from orchestrator.controllers.awaiting import AWAITED, Awaited
from orchestrator.controllers.clusterroles import ClusterRoleAggregationController
from orchestrator.controllers.config import ControllerConfig
from orchestrator.controllers.controller import Recorder
from orchestrator.controllers.garbage import GarbageCollector
from orchestrator.controllers.namespaces import NamespaceController, NamespaceDefaults
from orchestrator.controllers.nodes.actor import NodeLifecycleController
from orchestrator.store import EventRecorder, Store


class ControllerSpec(NamedTuple):
    """One controller to spawn.

    Attributes:
        name: For the actor's address.
        factory: Makes a new instance, again after a restart.
    """

    name: str
    factory: Callable[[], Actor[Any]]

    @property
    def awaited(self) -> Awaited | None:
        """What it may sleep without; None for one that is needed from the first moment."""
        return AWAITED.get(self.name)


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
            "deployment",
            lambda: controllers.DeploymentController(store, voice("deployment-controller")),
        ),
        ControllerSpec(
            "replicaset",
            lambda: controllers.ReplicaSetController(store, voice("replicaset-controller")),
        ),
        ControllerSpec(
            "replication",
            lambda: controllers.ReplicationController(store, voice("replication-controller")),
        ),
        ControllerSpec(
            "statefulset",
            lambda: controllers.StatefulSetController(store, voice("statefulset-controller")),
        ),
        ControllerSpec(
            "daemonset",
            lambda: controllers.DaemonSetController(store, voice("daemonset-controller")),
        ),
        ControllerSpec("job", lambda: controllers.JobController(store, voice("job-controller"))),
        ControllerSpec(
            "cronjob", lambda: controllers.CronJobController(store, voice("cronjob-controller"))
        ),
        ControllerSpec(
            "ttl-after-finished",
            lambda: controllers.FinishedJobController(
                store, voice("ttl-after-finished-controller")
            ),
        ),
        ControllerSpec(
            "disruption",
            lambda: controllers.DisruptionController(store, voice("controllermanager")),
        ),
        ControllerSpec(
            "horizontal-pod-autoscaler",
            lambda: controllers.AutoscalerController(
                store,
                voice("horizontal-pod-autoscaler"),
                settings.metrics or controllers.NoMetrics(),
                settings.autoscaling,
            ),
        ),
        ControllerSpec(
            "endpoints",
            lambda: controllers.EndpointsController(store, voice("endpoint-slice-controller")),
        ),
        ControllerSpec(
            "endpoints-mirroring",
            lambda: controllers.MirroringController(
                store, voice("endpoint-slice-mirroring-controller")
            ),
        ),
        ControllerSpec(
            "namespace",
            lambda: NamespaceController(store, voice("namespace-controller")),
        ),
        ControllerSpec(
            "namespace-defaults",
            lambda: NamespaceDefaults(store, voice("root-ca-cert-publisher"), settings.cluster_ca),
        ),
        ControllerSpec(
            "definitions",
            lambda: controllers.DefinitionController(store, voice("apiextensions-controller")),
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
            lambda: controllers.PolicyStatusController(
                store, voice("validatingadmissionpolicy-status")
            ),
        ),
        ControllerSpec(
            "storage-protection",
            lambda: controllers.ProtectionController(store, voice("pvc-protection-controller")),
        ),
        ControllerSpec(
            "volume-binding",
            lambda: controllers.VolumeBindingController(
                store, voice("persistentvolume-controller")
            ),
        ),
        ControllerSpec(
            "ephemeral-volume",
            lambda: controllers.EphemeralVolumeController(store, voice("ephemeral_volume")),
        ),
        ControllerSpec(
            "local-path",
            lambda: controllers.LocalPathProvisioner(
                store, voice("orchestrator.io/local-path"), settings
            ),
        ),
        ControllerSpec(
            "resource-quota",
            lambda: controllers.QuotaController(store, voice("resourcequota-controller")),
        ),
        ControllerSpec(
            "node-lifecycle",
            lambda: NodeLifecycleController(store, voice("node-controller"), settings),
        ),
        ControllerSpec(
            "taint-eviction",
            lambda: controllers.TaintEvictionController(store, voice("taint-eviction-controller")),
        ),
        ControllerSpec(
            "pod-collector",
            lambda: controllers.PodCollector(store, voice("pod-garbage-collector"), settings),
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
                lambda: controllers.TokenController(store, recorder, tokens, settings.cluster_ca),
            )
        )
    if (sign := settings.sign) is not None:
        signer = voice("certificate-controller")
        found.append(
            ControllerSpec(
                "certificate-signing", lambda: controllers.SigningController(store, signer, sign)
            )
        )
    if (authorizer := settings.authorizer) is not None:
        approver = voice("certificate-controller")
        found.append(
            ControllerSpec(
                "certificate-approving",
                lambda: controllers.ApprovingController(store, approver, authorizer),
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
    recorder = EventRecorder(store, "kube-apiserver")
    specs = [
        ControllerSpec(
            "system", lambda: controllers.SystemObjects(store, recorder, service_range, usage=usage)
        )
    ]
    if controllers.ServiceAddresses.served_by(store.registry):
        specs.append(
            ControllerSpec("addresses", lambda: controllers.ServiceAddresses(store, recorder))
        )
        ranges = EventRecorder(store, "service-cidr-controller")
        specs.append(
            ControllerSpec(
                "service-ranges", lambda: controllers.ServiceRanges(store, ranges, service_range)
            )
        )
    specs.append(ControllerSpec("leases", lambda: controllers.LeaseCollector(store, recorder)))
    return tuple(specs)
