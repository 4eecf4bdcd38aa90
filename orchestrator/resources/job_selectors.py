"""The selector and labels that tie a Job to its pods; they name the Job's uid.

Source: generateSelector in pkg/registry/batch/job/strategy.go of Kubernetes.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources.objects import Object

UID_LABEL: Final = "batch.kubernetes.io/controller-uid"
NAME_LABEL: Final = "batch.kubernetes.io/job-name"
OLD_UID_LABEL: Final = "controller-uid"
OLD_NAME_LABEL: Final = "job-name"


def with_own_selector(job: Object) -> Object:
    """Return a Job that has just got its uid with the selector made of it.

    One that brings its selector along (``manualSelector``) stays as it is.
    """
    spec = job.get("spec") or {}
    if spec.get("manualSelector"):
        return job
    metadata = job["metadata"]
    template = spec.get("template") or {}
    inner = template.get("metadata") or {}
    uid = metadata["uid"]
    labels = {
        **(inner.get("labels") or {}),
        OLD_NAME_LABEL: metadata["name"],
        NAME_LABEL: metadata["name"],
        OLD_UID_LABEL: uid,
        UID_LABEL: uid,
    }
    return {
        **job,
        "spec": {
            **spec,
            "selector": {"matchLabels": {UID_LABEL: uid}},
            "template": {**template, "metadata": {**inner, "labels": labels}},
        },
    }
