"""The pods of a Job. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from orchestrator.controllers._templates import pod_from_template
from orchestrator.controllers.job.pods import (
    FAILURES,
    FINALIZER,
    IGNORED_FAILURES,
    INDEX,
    counted_failures,
    ignored_failures,
    is_indexed,
)
from orchestrator.controllers.job.policies import judge_failure
from orchestrator.resources.objects import Object, name_of, spec_of

_ENVIRONMENT: Final = {
    "name": "JOB_COMPLETION_INDEX",
    "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}},
}
_LONGEST_PREFIX: Final = 58
"""Bytes of a name that are kept before five random characters."""


class PodMaker:
    """Makes pods of one Job that share all that they have in common."""

    def __init__(self, job: Object, suffix: Callable[[], str]) -> None:
        """Make pods of a Job; ``suffix`` draws five random characters."""
        self._job = job
        self._suffix = suffix
        pod = pod_from_template(job, spec_of(job).get("template") or {})
        metadata = pod["metadata"]
        finalizers = metadata.get("finalizers") or []
        if FINALIZER not in finalizers:
            pod = {**pod, "metadata": {**metadata, "finalizers": [*finalizers, FINALIZER]}}
        if is_indexed(job):
            pod = {**pod, "spec": _with_index_in_environment(pod["spec"])}
        self._pod = pod

    def make(self) -> Object:
        """Return a pod of a Job without indexes."""
        prefix = f"{name_of(self._job)}-"[:_LONGEST_PREFIX]
        metadata = {**self._pod["metadata"], "name": f"{prefix}{self._suffix()}"}
        return {**self._pod, "metadata": metadata}

    def make_for(self, index: int, replaced: Object | None) -> Object:
        """Return a pod that works on an index.

        Args:
            index: Which.
            replaced: The last pod that failed at it, if that has to be remembered.
        """
        tail = f"-{index}-"
        prefix = f"{name_of(self._job)}"[: _LONGEST_PREFIX - len(tail)] + tail
        metadata = self._pod["metadata"]
        annotations = {**(metadata.get("annotations") or {}), INDEX: str(index)}
        if spec_of(self._job).get("backoffLimitPerIndex") is not None:
            annotations.update(self._failures(replaced))
        return {
            **self._pod,
            "metadata": {
                **metadata,
                "generateName": prefix,
                "name": f"{prefix}{self._suffix()}",
                "labels": {**(metadata.get("labels") or {}), INDEX: str(index)},
                "annotations": annotations,
            },
            "spec": {**self._pod["spec"], "hostname": f"{name_of(self._job)}-{index}"},
        }

    def _failures(self, replaced: Object | None) -> dict[str, str]:
        counted = ignored = 0
        if replaced is not None:
            counted, ignored = counted_failures(replaced), ignored_failures(replaced)
            if judge_failure(self._job, replaced).counts:
                counted += 1
            else:
                ignored += 1
        found = {FAILURES: str(counted)}
        if ignored:
            found[IGNORED_FAILURES] = str(ignored)
        return found


def _with_index_in_environment(spec: Object) -> Object:
    new = dict(spec)
    for field in ("initContainers", "containers"):
        if spec.get(field):
            new[field] = [_told(container) for container in spec[field]]
    return new


def _told(container: Object) -> Object:
    environment = container.get("env") or []
    if any(item.get("name") == _ENVIRONMENT["name"] for item in environment):
        return container
    return {**container, "env": [*environment, _ENVIRONMENT]}
