"""The controllers: what keeps the actual state on its way to the desired one.

Each is loaded when it is first asked for: most clusters have objects for a few of them.
"""

from typing import TYPE_CHECKING, Final

from orchestrator.lazily import exports

if TYPE_CHECKING:
    from orchestrator.controllers.accounts.actor import TokenController
    from orchestrator.controllers.apiservices.actor import AvailabilityController
    from orchestrator.controllers.autoscaler.actor import AutoscalerController
    from orchestrator.controllers.autoscaler.source import NoMetrics
    from orchestrator.controllers.bootstrap import ApiEndpoint, bootstrap_objects, ensure_bootstrap
    from orchestrator.controllers.certificates.actor import ApprovingController, SigningController
    from orchestrator.controllers.clusterroles.actor import ClusterRoleAggregationController
    from orchestrator.controllers.config import ControllerConfig
    from orchestrator.controllers.controller import Controller, Recorder
    from orchestrator.controllers.cronjob.actor import CronJobController
    from orchestrator.controllers.daemonset.actor import DaemonSetController
    from orchestrator.controllers.definitions.actor import DefinitionController
    from orchestrator.controllers.deployment.actor import DeploymentController
    from orchestrator.controllers.disruption.actor import DisruptionController
    from orchestrator.controllers.endpoints.actor import EndpointsController
    from orchestrator.controllers.ephemeral.actor import EphemeralVolumeController
    from orchestrator.controllers.garbage.actor import GarbageCollector
    from orchestrator.controllers.job.actor import JobController
    from orchestrator.controllers.localpath.actor import LocalPathProvisioner
    from orchestrator.controllers.mirroring.actor import MirroringController
    from orchestrator.controllers.namespaces.actor import NamespaceController, NamespaceDefaults
    from orchestrator.controllers.nodes.actor import NodeLifecycleController
    from orchestrator.controllers.nodes.pods import PodCollector, TaintEvictionController
    from orchestrator.controllers.policies.actor import PolicyStatusController
    from orchestrator.controllers.protection.actor import ProtectionController
    from orchestrator.controllers.quotas.actor import QuotaController
    from orchestrator.controllers.replicaset.actor import (
        ReplicaSetController,
        ReplicationController,
    )
    from orchestrator.controllers.specs import ControllerSpec, controller_specs, system_specs
    from orchestrator.controllers.statefulset.actor import StatefulSetController
    from orchestrator.controllers.system.actor import SystemObjects
    from orchestrator.controllers.system.addresses import ServiceAddresses
    from orchestrator.controllers.system.leases import LeaseCollector
    from orchestrator.controllers.system.ranges import ServiceRanges
    from orchestrator.controllers.ttl.actor import FinishedJobController
    from orchestrator.controllers.volumes.actor import VolumeBindingController

_HOMES: Final = {
    "ApiEndpoint": "orchestrator.controllers.bootstrap",
    "ApprovingController": "orchestrator.controllers.certificates.actor",
    "AutoscalerController": "orchestrator.controllers.autoscaler.actor",
    "AvailabilityController": "orchestrator.controllers.apiservices.actor",
    "ClusterRoleAggregationController": "orchestrator.controllers.clusterroles.actor",
    "Controller": "orchestrator.controllers.controller",
    "ControllerConfig": "orchestrator.controllers.config",
    "ControllerSpec": "orchestrator.controllers.specs",
    "CronJobController": "orchestrator.controllers.cronjob.actor",
    "DaemonSetController": "orchestrator.controllers.daemonset.actor",
    "DefinitionController": "orchestrator.controllers.definitions.actor",
    "DeploymentController": "orchestrator.controllers.deployment.actor",
    "DisruptionController": "orchestrator.controllers.disruption.actor",
    "EndpointsController": "orchestrator.controllers.endpoints.actor",
    "EphemeralVolumeController": "orchestrator.controllers.ephemeral.actor",
    "FinishedJobController": "orchestrator.controllers.ttl.actor",
    "GarbageCollector": "orchestrator.controllers.garbage.actor",
    "JobController": "orchestrator.controllers.job.actor",
    "LeaseCollector": "orchestrator.controllers.system.leases",
    "LocalPathProvisioner": "orchestrator.controllers.localpath.actor",
    "MirroringController": "orchestrator.controllers.mirroring.actor",
    "NamespaceController": "orchestrator.controllers.namespaces.actor",
    "NamespaceDefaults": "orchestrator.controllers.namespaces.actor",
    "NoMetrics": "orchestrator.controllers.autoscaler.source",
    "NodeLifecycleController": "orchestrator.controllers.nodes.actor",
    "PodCollector": "orchestrator.controllers.nodes.pods",
    "PolicyStatusController": "orchestrator.controllers.policies.actor",
    "ProtectionController": "orchestrator.controllers.protection.actor",
    "QuotaController": "orchestrator.controllers.quotas.actor",
    "Recorder": "orchestrator.controllers.controller",
    "ReplicaSetController": "orchestrator.controllers.replicaset.actor",
    "ReplicationController": "orchestrator.controllers.replicaset.actor",
    "ServiceAddresses": "orchestrator.controllers.system.addresses",
    "ServiceRanges": "orchestrator.controllers.system.ranges",
    "SigningController": "orchestrator.controllers.certificates.actor",
    "StatefulSetController": "orchestrator.controllers.statefulset.actor",
    "SystemObjects": "orchestrator.controllers.system.actor",
    "TaintEvictionController": "orchestrator.controllers.nodes.pods",
    "TokenController": "orchestrator.controllers.accounts.actor",
    "VolumeBindingController": "orchestrator.controllers.volumes.actor",
    "bootstrap_objects": "orchestrator.controllers.bootstrap",
    "controller_specs": "orchestrator.controllers.specs",
    "ensure_bootstrap": "orchestrator.controllers.bootstrap",
    "system_specs": "orchestrator.controllers.specs",
}
__all__ = [
    "ApiEndpoint",
    "ApprovingController",
    "AutoscalerController",
    "AvailabilityController",
    "ClusterRoleAggregationController",
    "Controller",
    "ControllerConfig",
    "ControllerSpec",
    "CronJobController",
    "DaemonSetController",
    "DefinitionController",
    "DeploymentController",
    "DisruptionController",
    "EndpointsController",
    "EphemeralVolumeController",
    "FinishedJobController",
    "GarbageCollector",
    "JobController",
    "LeaseCollector",
    "LocalPathProvisioner",
    "MirroringController",
    "NamespaceController",
    "NamespaceDefaults",
    "NoMetrics",
    "NodeLifecycleController",
    "PodCollector",
    "PolicyStatusController",
    "ProtectionController",
    "QuotaController",
    "Recorder",
    "ReplicaSetController",
    "ReplicationController",
    "ServiceAddresses",
    "ServiceRanges",
    "SigningController",
    "StatefulSetController",
    "SystemObjects",
    "TaintEvictionController",
    "TokenController",
    "VolumeBindingController",
    "bootstrap_objects",
    "controller_specs",
    "ensure_bootstrap",
    "system_specs",
]

__getattr__ = exports(__name__, _HOMES)
