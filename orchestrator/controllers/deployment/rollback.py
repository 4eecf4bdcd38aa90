"""Rolling back by annotation, as clients of the retired ``extensions/v1beta1`` ask for it. Pure.

``kubectl rollout undo`` writes the old template itself and needs nothing of this.
Rules: k8s.io/kubernetes/pkg/controller/deployment/rollback.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestrator.controllers.deployment import revisions
from orchestrator.controllers.plans import Emit, EventKind, Plan, Update
from orchestrator.resources.objects import Object, annotations_of, name_of, with_meta

ROLLBACK_TO: Final = "deprecated.deployment.rollback.to"
_RESOURCE: Final = "deployments.apps"


def wanted_revision(deployment: Object) -> int | None:
    """Return the revision to roll back to, 0 for the last one; None when nobody asks for it."""
    try:
        return int(annotations_of(deployment)[ROLLBACK_TO])
    except (KeyError, ValueError):
        return None


def decide_rollback(deployment: Object, replica_sets: Sequence[Object], revision: int) -> Plan:
    """Return how to take an old template back; `decide_deployment` hands it on.

    Args:
        deployment: With the annotation.
        replica_sets: Its own.
        revision: As `wanted_revision` found it.
    """
    by_revision = {revisions.revision_of(rs): rs for rs in replica_sets}
    if revision == 0:
        older = sorted(by_revision)[:-1]
        if not older or older[-1] == 0:
            return _finish(deployment, "RevisionNotFound", "Unable to find last revision.")
        revision = older[-1]
    found = by_revision.get(revision)
    if found is None:
        text = "Unable to find the revision to rollback to."
        return _finish(deployment, "RevisionNotFound", text)
    template = revisions.without_hash(found["spec"]["template"])
    if revisions.same_template(deployment["spec"]["template"], template):
        text = (
            "The rollback revision contains the same template as current deployment "
            f'"{name_of(deployment)}"'
        )
        return _finish(deployment, "TemplateUnchanged", text)
    annotations = revisions.restored_annotations(deployment, found)
    back = {
        **with_meta(deployment, annotations=annotations),
        "spec": {**deployment["spec"], "template": template},
    }
    text = f'Rolled back deployment "{name_of(deployment)}" to revision {revision}'
    return _finish(back, "", text, deployment)


def _finish(new: Object, why: str, text: str, base: Object | None = None) -> Plan:
    """Return the plan that takes the annotation off, whatever came of it."""
    rest = {name: value for name, value in annotations_of(new).items() if name != ROLLBACK_TO}
    before = base or new
    kind: EventKind = "Warning" if why else "Normal"
    event = Emit(before, kind, f"DeploymentRollback{why}", text)
    cleared = with_meta(new, annotations=rest or None)
    return Plan(update=[Update(_RESOURCE, before, cleared, event=event)])
