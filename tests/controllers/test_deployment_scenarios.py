"""Deployments with a real store, ReplicaSets and a kubelet that only reports."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from actors.testing import virtual
from orchestrator.controllers.deployment import DeploymentController
from orchestrator.controllers.replicaset import ReplicaSetController
from orchestrator.resources.conditions import find_condition


@virtual
async def test_a_deployment_gets_its_pods(worlds):
    """A new Deployment ends with one ReplicaSet and all pods available."""
    async with worlds.world() as world:
        world.start(DeploymentController, ReplicaSetController)
        await world.create("deployments.apps", worlds.deployment(replicas=3))
        await world.settle()
        assert len(world.pods(app="web")) == 3
        status = world.get("deployments.apps", "web")["status"]
        print(status, world.recorded.events)
        assert status["availableReplicas"] == 3
