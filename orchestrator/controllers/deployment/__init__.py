"""Deployments: rollouts, rollbacks and scaling through ReplicaSets."""

from orchestrator.controllers.deployment.actor import DeploymentController
from orchestrator.controllers.deployment.core import decide_deployment

__all__ = ["DeploymentController", "decide_deployment"]
