"""Rollbacks by annotation, and ReplicaSets that cannot be created.

https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
"""

from __future__ import annotations

from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.controllers.deployment import DeploymentController
from orchestrator.controllers.deployment.rollback import decide_rollback, wanted_revision
from orchestrator.controllers.replicaset import ReplicaSetController

DEPLOYMENTS = "deployments.apps"
TO = "deprecated.deployment.rollback.to"
REVISION = "deployment.kubernetes.io/revision"


def deployment(worlds: Any, image: str, to: str) -> Any:
    """Build a Deployment that asks for a rollback."""
    made = worlds.deployment(image=image)
    made["metadata"]["annotations"] = {TO: to, REVISION: "3", "kubernetes.io/change-cause": "new"}
    return made


def replica_set(worlds: Any, image: str, revision: int) -> Any:
    """Build one of its ReplicaSets."""
    annotations = {REVISION: str(revision), "kubernetes.io/change-cause": f"r{revision}"}
    template = worlds.template({"app": "web", "pod-template-hash": f"h{revision}"}, image)
    return {
        "metadata": {"name": f"web-{revision}", "annotations": annotations},
        "spec": {"template": template},
    }


@pytest.mark.parametrize(
    ("to", "image", "reason", "message"),
    [
        ("1", "v1", "DeploymentRollback", 'Rolled back deployment "web" to revision 1'),
        ("0", "v2", "DeploymentRollback", 'Rolled back deployment "web" to revision 2'),
        (
            "3",
            "v3",
            "DeploymentRollbackTemplateUnchanged",
            'The rollback revision contains the same template as current deployment "web"',
        ),
        (
            "9",
            "v3",
            "DeploymentRollbackRevisionNotFound",
            "Unable to find the revision to rollback to.",
        ),
    ],
)
def test_a_rollback_takes_an_old_template_back(
    worlds: Any, to: str, image: str, reason: str, message: str
) -> None:
    """Whatever comes of it, it is asked for only once."""
    sets = [replica_set(worlds, f"v{at}", at) for at in (1, 2, 3)]
    asking = deployment(worlds, "v3", to)
    revision = wanted_revision(asking)
    assert revision is not None
    (update,) = decide_rollback(asking, sets, revision).update
    assert update.event is not None
    assert (update.event.reason, update.event.message) == (reason, message)
    template = update.new["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == image
    assert template["metadata"]["labels"] == {"app": "web"}
    annotations = update.new["metadata"]["annotations"]
    assert TO not in annotations
    restored = f"r{image[1]}" if reason == "DeploymentRollback" else "new"
    assert annotations["kubernetes.io/change-cause"] == restored


def test_without_an_earlier_revision_there_is_nothing_to_go_back_to(worlds: Any) -> None:
    """The first revision has no last one."""
    asking = deployment(worlds, "v1", "0")
    (update,) = decide_rollback(asking, [replica_set(worlds, "v1", 1)], 0).update
    assert update.event is not None
    assert update.event.message == "Unable to find last revision."


@pytest.mark.parametrize(("text", "revision"), [("2", 2), ("0", 0), ("x", None), (None, None)])
def test_only_a_number_asks_for_a_rollback(
    worlds: Any, text: str | None, revision: int | None
) -> None:
    """Anything else is only an annotation."""
    asking = deployment(worlds, "v1", text or "")
    if text is None:
        del asking["metadata"]["annotations"]
    assert wanted_revision(asking) == revision


@virtual
async def test_a_rollback_by_annotation_rolls_the_pods_back(worlds: Any) -> None:
    """The old ReplicaSet is the new one again."""
    async with worlds.world() as world:
        world.start(DeploymentController, ReplicaSetController)
        await world.create(DEPLOYMENTS, worlds.deployment(replicas=2))
        await world.settle()
        template = worlds.template({"app": "web"}, "v2")
        await world.spec(DEPLOYMENTS, "web", template=template)
        await world.settle(20)

        def ask(obj: Any) -> Any:
            annotations = {**obj["metadata"]["annotations"], TO: "1"}
            return {**obj, "metadata": {**obj["metadata"], "annotations": annotations}}

        await world.patch(DEPLOYMENTS, "web", ask)
        await world.settle(20)
        images = {pod["spec"]["containers"][0]["image"] for pod in world.pods(app="web")}
        assert images == {"v1"}
        found = world.get(DEPLOYMENTS, "web")["metadata"]["annotations"]
        assert (found[REVISION], TO in found) == ("3", False)
        assert world.recorded.messages("DeploymentRollback") == [
            'Rolled back deployment "web" to revision 1'
        ]


@virtual
async def test_a_replica_set_that_is_refused_is_reported(worlds: Any) -> None:
    """Insufficient quota is one of the reasons for which a Deployment fails to progress."""
    async with worlds.world() as world:
        world.start(DeploymentController, ReplicaSetController)
        quota = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "q", "namespace": "default"},
            "spec": {"hard": {"count/replicasets.apps": "0"}},
        }
        await world.create("resourcequotas", quota)
        await world.create(DEPLOYMENTS, worlds.deployment())
        await world.settle()
        found = worlds.condition(world.get(DEPLOYMENTS, "web"), "Progressing")
        assert (found["status"], found["reason"]) == ("False", "ReplicaSetCreateError")
        assert found["message"].startswith('Failed to create new replica set "web-')
        assert "exceeded quota: q" in found["message"]
        assert world.recorded.messages("ReplicaSetCreateError")[0] == found["message"]
        await world.spec("resourcequotas", "q", hard={"count/replicasets.apps": "5"})
        await world.until(lambda: len(world.pods(app="web")) == 3, 600)
        await world.settle()
        found = worlds.condition(world.get(DEPLOYMENTS, "web"), "Progressing")
        assert (found["status"], found["reason"]) == ("True", "NewReplicaSetAvailable")
