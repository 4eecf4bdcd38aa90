"""Rules of ``metadata``, the same for every kind but for the form of the name.

Source: k8s.io/apimachinery/pkg/api/validation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    duplicate,
    each_invalid,
    forbidden,
    immutable,
    invalid,
    not_negative,
    required,
    too_long,
)
from orchestrator.resources.strategies._strategy import ValidateCreate, ValidateUpdate

NameCheck = Callable[[str], list[str]]

ANNOTATIONS_LIMIT: Final = 256 * 1024
"""Bytes of all annotation keys and values together."""

_STANDARD_FINALIZERS: Final = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
_FIXED: Final = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)


def metadata_check(name_check: NameCheck, *, namespaced: bool) -> ValidateCreate:
    """Make the check of a kind's ``metadata``."""
    known_good = lru_cache(maxsize=1024)(lambda text: tuple(name_check(text)))

    def check(obj: Object) -> list[FieldError]:
        metadata: dict[str, Any] = obj.get("metadata") or {}
        found: list[FieldError] = []
        name = metadata.get("name") or ""
        generated = metadata.get("generateName") or ""
        if generated:
            # The suffix comes later: a prefix may end where a whole name may not.
            found += each_invalid(
                "metadata.generateName", generated, known_good(generated.rstrip("-.") + "0")
            )
        if name:
            found += each_invalid("metadata.name", name, known_good(name))
        elif not generated:
            found.append(required("metadata.name", "name or generateName is required"))
        found += _namespace(metadata.get("namespace") or "", namespaced=namespaced)
        found += not_negative("metadata.generation", metadata.get("generation"))
        found += label_problems("metadata.labels", metadata.get("labels"))
        found += annotation_problems("metadata.annotations", metadata.get("annotations"))
        if metadata.get("ownerReferences"):
            found += _owners("metadata.ownerReferences", metadata["ownerReferences"])
        if metadata.get("finalizers"):
            found += _finalizers("metadata.finalizers", metadata["finalizers"])
        return found

    return check


def metadata_update_check() -> ValidateUpdate:
    """Make the check of what may not change in ``metadata``."""
    return _update


def _update(new: Object, old: Object) -> list[FieldError]:
    after: dict[str, Any] = new.get("metadata") or {}
    before: dict[str, Any] = old.get("metadata") or {}
    found: list[FieldError] = []
    for field in _FIXED:
        value = after.get(field)
        if value is not None:
            found += immutable(f"metadata.{field}", value, before.get(field))
    if before.get("deletionTimestamp"):
        added = sorted(set(after.get("finalizers") or ()) - set(before.get("finalizers") or ()))
        if added:
            listed = ", ".join(f'"{name}"' for name in added)
            found.append(
                forbidden(
                    "metadata.finalizers",
                    "no new finalizers can be added if the object is being deleted, "
                    f"found new finalizers []string{{{listed}}}",
                )
            )
    return found + _written(after, before)


def _written(after: dict[str, Any], before: dict[str, Any]) -> list[FieldError]:
    """Check what a write may change, wherever else it is checked: also one to ``status``."""
    found: list[FieldError] = []
    for field, check in _WRITTEN.items():
        value = after.get(field)
        if value and value is not before.get(field):
            found += check(f"metadata.{field}", value)
    return found


def _namespace(namespace: str, *, namespaced: bool) -> list[FieldError]:
    if not namespaced:
        if namespace:
            return [forbidden("metadata.namespace", "not allowed on this type")]
        return []
    if not namespace:
        return [required("metadata.namespace")]
    return each_invalid("metadata.namespace", namespace, names.dns_label(namespace))


def label_problems(field: str, labels: Mapping[str, str] | None) -> list[FieldError]:
    """Check a map of labels."""
    found: list[FieldError] = []
    for key, value in (labels or {}).items():
        found += each_invalid(field, key, names.qualified_name(key))
        found += each_invalid(field, value, names.label_value(value))
    return found


def annotation_problems(field: str, annotations: Mapping[str, str] | None) -> list[FieldError]:
    """Check a map of annotations: keys, and the size of all together."""
    if not annotations:
        return []
    found: list[FieldError] = []
    size = 0
    for key, value in annotations.items():
        found += each_invalid(field, key, names.qualified_name(key.lower()))
        size += len(key.encode()) + len(value.encode())
    if size > ANNOTATIONS_LIMIT:
        found.append(too_long(field, ANNOTATIONS_LIMIT))
    return found


def _owners(field: str, references: list[dict[str, Any]]) -> list[FieldError]:
    found: list[FieldError] = []
    controller = ""
    for index, reference in enumerate(references):
        at = f"{field}[{index}]"
        if not reference.get("apiVersion"):
            found.append(invalid(f"{at}.apiVersion", "", "version must not be empty"))
        found += [
            invalid(f"{at}.{part}", "", f"{part} must not be empty")
            for part in ("kind", "name", "uid")
            if not reference.get(part)
        ]
        if (reference.get("apiVersion"), reference.get("kind")) == ("v1", "Event"):
            found.append(
                invalid(at, reference, "/v1, Kind=Event is disallowed from being an owner")
            )
        if reference.get("controller"):
            name = reference.get("name", "")
            if controller:
                found.append(
                    invalid(
                        field,
                        references,
                        "Only one reference can have Controller set to true. Found "
                        f'"true" in references for {controller} and {name}',
                    )
                )
            controller = controller or name
    return found


def finalizer_problems(field: str, name: str) -> list[FieldError]:
    """Check the name of a finalizer: a standard one, or one with a domain."""
    problems = names.qualified_name(name)
    found = each_invalid(field, name, problems)
    if not problems and "/" not in name and name not in _STANDARD_FINALIZERS:
        wrong = "name is neither a standard finalizer name nor is it fully qualified"
        found.append(invalid(field, name, wrong))
    return found


def _finalizers(field: str, finalizers: list[str]) -> list[FieldError]:
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, name in enumerate(finalizers):
        at = f"{field}[{index}]"
        found += finalizer_problems(at, name)
        if name in seen:
            found.append(duplicate(at, name))
        seen.add(name)
    if {"orphan", "foregroundDeletion"} <= seen:
        found.append(
            invalid(
                field, finalizers, "finalizers orphan and foregroundDeletion cannot be both set"
            )
        )
    return found


_WRITTEN: Final[dict[str, Callable[[str, Any], list[FieldError]]]] = {
    "labels": label_problems,
    "annotations": annotation_problems,
    "ownerReferences": _owners,
    "finalizers": _finalizers,
}
"""Checks of parts of metadata, in upstream's order."""
