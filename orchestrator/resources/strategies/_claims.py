"""Validation of claims of storage, by themselves and as templates inside pods.

Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    NOT_NEGATIVE,
    NOT_POSITIVE,
    each_invalid,
    forbidden,
    if_given,
    invalid,
    not_supported,
    required,
)
from orchestrator.resources.quantities import QuantityError, canonical, parse
from orchestrator.resources.strategies._label_selectors import label_selector_problems
from orchestrator.resources.strategies._metadata import annotation_problems, label_problems
from orchestrator.resources.strategies._sharing import Part

ACCESS_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES: Final = ("Block", "Filesystem")
_TEMPLATE_METADATA: Final = frozenset({"labels", "annotations", "creationTimestamp"})


def claim_template_problems(template: Part, at: str) -> list[FieldError]:
    """Check the template of a claim that a pod brings along."""
    metadata: Part = template.get("metadata") or {}
    found = annotation_problems(f"{at}.metadata.annotations", metadata.get("annotations"))
    found += label_problems(f"{at}.metadata.labels", metadata.get("labels"))
    found += [
        forbidden(f"{at}.metadata.{field}", "cannot be set")
        for field, value in metadata.items()
        if value and field not in _TEMPLATE_METADATA
    ]
    return found + claim_spec_problems(template.get("spec") or {}, f"{at}.spec")


def claim_spec_problems(spec: Part, at: str) -> list[FieldError]:
    """Check what a claim asks for."""
    modes = spec.get("accessModes") or ()
    found = [] if modes else [required(f"{at}.accessModes", "at least 1 access mode is required")]
    if (selector := spec.get("selector")) is not None:
        found += label_selector_problems(f"{at}.selector", selector)
    found += access_mode_problems(modes, f"{at}.accessModes")
    found += _storage((spec.get("resources") or {}).get("requests") or {}, f"{at}.resources")
    if storage_class := spec.get("storageClassName"):
        found += each_invalid(
            f"{at}.storageClassName", storage_class, names.dns_subdomain(storage_class)
        )
    found += if_given(f"{at}.volumeMode", spec.get("volumeMode"), VOLUME_MODES)
    found += _sources(spec.get("dataSource"), spec.get("dataSourceRef"), at)
    if attributes := spec.get("volumeAttributesClassName"):
        field = f"{at}.volumeAttributesClassName"
        found += each_invalid(field, attributes, names.dns_subdomain(attributes))
    return found


def _sources(source: Part | None, reference: Part | None, at: str) -> list[FieldError]:
    """Check the two fields that say what a new volume is filled with."""
    found: list[FieldError] = []
    for field, given in (("dataSource", source), ("dataSourceRef", reference)):
        if given is not None:
            found += _source(given, f"{at}.{field}")
    namespace = (reference or {}).get("namespace") or ""
    if namespace:
        field = f"{at}.dataSourceRef.namespace"
        found += each_invalid(field, namespace, names.dns_label(namespace))
    if source is None or reference is None:
        return found
    # What upstream shows as the value has nothing to show.
    if namespace:
        why = "may not be specified when dataSourceRef.namespace is specified"
        found.append(invalid(at, {}, why))
    elif any(source.get(field) != reference.get(field) for field in ("apiGroup", "kind", "name")):
        found.append(invalid(at, {}, "must match dataSourceRef"))
    return found


def _source(source: Part, at: str) -> list[FieldError]:
    found = [required(f"{at}.{field}") for field in ("name", "kind") if not source.get(field)]
    group, kind = source.get("apiGroup") or "", source.get("kind") or ""
    if not group and kind != "PersistentVolumeClaim":
        why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        found.append(invalid(at, kind, why))
    if group:
        found += each_invalid(f"{at}.apiGroup", group, names.dns_subdomain(group))
    return found


def access_mode_problems(modes: list[str] | tuple[str, ...], at: str) -> list[FieldError]:
    """Check the ways in which a volume is accessed."""
    found = [not_supported(at, mode, ACCESS_MODES) for mode in modes if mode not in ACCESS_MODES]
    known = {mode for mode in modes if mode in ACCESS_MODES}
    if "ReadWriteOncePod" in known and len(known) > 1:
        found.append(forbidden(at, "may not use ReadWriteOncePod with other access modes"))
    return found


def _storage(requests: Part, at: str) -> list[FieldError]:
    amount = requests.get("storage")
    if amount is None:
        return [required(f"{at}[storage]")]
    try:
        size = parse(amount).nano
    except QuantityError:
        return []  # decoding refuses it
    if size > 0:
        return []
    found = [invalid(f"{at}[storage]", canonical(amount), NOT_POSITIVE)]
    if size < 0:
        found.insert(0, invalid(f"{at}[storage]", canonical(amount), NOT_NEGATIVE))
    return found
