"""Rules of the subresources of pods that are a part of them: status, resize, ephemeral containers.

Source: ValidatePodStatusUpdate, ValidatePodResize and ValidatePodEphemeralContainersUpdate in
pkg/apis/core/validation, and pkg/registry/core/pod/strategy.go of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from orchestrator.resources.errors import FieldError
from orchestrator.resources.objects import Object
from orchestrator.resources.pod_quality import quality_of_service
from orchestrator.resources.problems import forbidden, invalid, shown
from orchestrator.resources.quantities import QuantityError, parse
from orchestrator.resources.strategies._pod_annotations import MIRROR
from orchestrator.resources.strategies._pod_defaults import default_lone_pod_spec
from orchestrator.resources.strategies._pod_updates import annotation_problems
from orchestrator.resources.strategies._pod_validation import pod_problems
from orchestrator.resources.strategies._sharing import Part, changed, put, without
from orchestrator.resources.strategies._strategy import Prepare, ValidateUpdate

WHOLE: Final = "[]"
"""How upstream prints a path to the whole object."""
_RESIZED: Final = ("cpu", "memory")


def part_preparation(merge: Callable[[Part, Part], Part]) -> Prepare:
    """Make the ``prepare`` of a subresource that changes a part of a pod's spec.

    Args:
        merge: ``(new, old)``: the old spec with what the subresource changes of it.
    """

    def prepare(new: Object, old: Object) -> Object:
        given = changed(new, "spec", default_lone_pod_spec)
        before: Part = old["spec"]
        spec = merge(given.get("spec") or {}, before)
        metadata: Part = old["metadata"]
        sent: Part = new.get("metadata") or {}
        for field in ("resourceVersion", "managedFields"):
            if field in sent:
                metadata = put(metadata, field, sent[field])
        if spec != before:
            generation = (metadata.get("generation") or 0) + 1
            metadata = {**metadata, "generation": generation}
        return {**old, "metadata": metadata, "spec": spec}

    return prepare


def with_ephemeral_containers(new: Part, old: Part) -> Part:
    """Return the old spec with the new ephemeral containers."""
    return put(old, "ephemeralContainers", new.get("ephemeralContainers"))


def with_resources(new: Part, old: Part) -> Part:
    """Return the old spec with the new resources and resize policies of its containers."""
    spec = old
    for field in ("containers", "initContainers"):
        given = {container.get("name"): container for container in new.get(field) or ()}
        held: list[Part] = spec.get(field) or []
        resized = [
            _resized(container, given.get(container.get("name"), container)) for container in held
        ]
        if resized != held:
            spec = {**spec, field: resized}
    return spec


def _resized(container: Part, wanted: Part) -> Part:
    for field in ("resources", "resizePolicy"):
        container = put(container, field, wanted.get(field))
    return container


def ephemeral_check(metadata_update: ValidateUpdate) -> ValidateUpdate:
    """Make the check of a write to ``ephemeralcontainers``."""

    def check(new: Object, old: Object) -> list[FieldError]:
        if MIRROR in (old["metadata"].get("annotations") or {}):
            return [forbidden(WHOLE, "static pods do not support ephemeral containers")]
        found = metadata_update(new, old) + pod_problems(new) + annotation_problems(new, old)
        kept = {one.get("name"): one for one in new["spec"].get("ephemeralContainers") or ()}
        for container in old["spec"].get("ephemeralContainers") or ():
            name = container.get("name")
            existing = f'existing ephemeral containers "{name}" may not be'
            if name not in kept:
                found.append(forbidden("spec.ephemeralContainers", f"{existing} removed\n"))
            elif kept[name] != container:
                difference = f"- {shown(container)}\n+ {shown(kept[name])}\n"
                found.append(
                    forbidden("spec.ephemeralContainers", f"{existing} changed\n{difference}")
                )
        return found

    return check


def resize_check(metadata_update: ValidateUpdate) -> ValidateUpdate:
    """Make the check of a write to ``resize``."""

    def check(new: Object, old: Object) -> list[FieldError]:
        if refusal := _never_resized(new, old):
            return [forbidden(WHOLE, refusal)]
        after, before = new["spec"], old["spec"]
        found = metadata_update(new, old) + pod_problems(new)
        quality = (old.get("status") or {}).get("qosClass") or quality_of_service(before)
        if quality_of_service(after) != quality:
            wrong = "Pod QOS Class may not change as a result of resizing"
            found.append(invalid("spec", quality, wrong))
        for field in ("initContainers", "containers"):
            pairs = zip(after.get(field) or (), before.get(field) or (), strict=True)
            for index, (one, was) in enumerate(pairs):
                if field == "containers" or was.get("restartPolicy") == "Always":
                    found += _removals(one, was, f"spec.{field}[{index}].resources")
        for field in ("containers", "initContainers"):
            pairs = zip(after.get(field) or (), before.get(field) or (), strict=True)
            for one, was in pairs:
                found += _other_changes(one, was, field)
        return found

    return check


def _never_resized(new: Object, old: Object) -> str:
    for pod in (old, new):
        resources = pod["spec"].get("resources") or {}
        if resources.get("requests") or resources.get("limits"):
            return "pods with pod-level resources cannot be resized"
    if MIRROR in (old["metadata"].get("annotations") or {}):
        return "static pods cannot be resized"
    if (old["spec"].get("os") or {}).get("name") == "windows":
        return "windows pods cannot be resized"
    return ""


def _removals(new: Part, old: Part, at: str) -> list[FieldError]:
    return [
        forbidden(f"{at}.{side}", f"resource {side} cannot be removed")
        for side in ("requests", "limits")
        if set((old.get("resources") or {}).get(side) or ())
        - set((new.get("resources") or {}).get(side) or ())
    ]


def _other_changes(new: Part, old: Part, field: str) -> list[FieldError]:
    """Complain about changes of other things than cpu and memory."""
    if field == "initContainers" and old.get("restartPolicy") != "Always":
        if _amounts(new, ()) == _amounts(old, ()):
            return []
        return [forbidden("spec", "resources for non-sidecar init containers are immutable")]
    if _amounts(new, _RESIZED) == _amounts(old, _RESIZED):
        return []
    whose = " for sidecar containers" if field == "initContainers" else ""
    return [forbidden("spec", f"only cpu and memory resources{whose} are mutable")]


def _amounts(container: Part, but: tuple[str, ...]) -> dict[str, Any]:
    resources: Part = container.get("resources") or {}
    found: dict[str, Any] = {"claims": resources.get("claims") or []}
    for side in ("requests", "limits"):
        found[side] = {
            name: _size(amount) for name, amount in without(resources.get(side) or {}, *but).items()
        }
    return found


def _size(amount: Any) -> Any:
    try:
        return parse(amount).nano
    except QuantityError:
        return amount  # said already
