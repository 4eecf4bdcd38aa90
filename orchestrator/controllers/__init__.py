"""The controllers: what keeps the actual state on its way to the desired one."""

from orchestrator.controllers.bootstrap import ApiEndpoint, bootstrap_objects, ensure_bootstrap
from orchestrator.controllers.config import ControllerConfig
from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.deployment import DeploymentController
from orchestrator.controllers.endpoints import EndpointsController
from orchestrator.controllers.garbage import GarbageCollector
from orchestrator.controllers.namespaces import NamespaceController, NamespaceDefaults
from orchestrator.controllers.nodes import (
    NodeLifecycleController,
    PodCollector,
    TaintEvictionController,
)
from orchestrator.controllers.replicaset import ReplicaSetController
from orchestrator.controllers.specs import ControllerSpec, controller_specs, system_specs

__all__ = [
    "ApiEndpoint",
    "Controller",
    "ControllerConfig",
    "ControllerSpec",
    "DeploymentController",
    "EndpointsController",
    "GarbageCollector",
    "NamespaceController",
    "NamespaceDefaults",
    "NodeLifecycleController",
    "PodCollector",
    "Recorder",
    "ReplicaSetController",
    "TaintEvictionController",
    "bootstrap_objects",
    "controller_specs",
    "ensure_bootstrap",
    "system_specs",
]
