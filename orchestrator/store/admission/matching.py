"""Whether a policy or a webhook is about a request: rules, selectors, equivalent versions. Pure.

Source: k8s.io/apiserver pkg/admission/plugin/webhook/{generic,predicates}.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.resources.kinds import Kind, KindRegistry
from orchestrator.resources.objects import Object, labels_of, meta, name_of
from orchestrator.resources.selectors import LabelSelector
from orchestrator.store.admission.hooks import Attributes

_GROUP: Final = "admissionregistration.k8s.io"


def is_exempt(kind: Kind) -> bool:
    """Tell whether admission leaves a kind alone, so that nobody locks himself out."""
    return kind.group == _GROUP


def matched_kind(
    rules: Iterable[Object],
    operation: str,
    kind: Kind,
    subresource: str,
    registry: KindRegistry,
    *,
    equivalent: bool,
) -> Kind | None:
    """Return the version in which a webhook wants to see a request; None when it is not for it."""
    if any(rule_matches(rule, operation, kind, subresource) for rule in rules):
        return kind
    if not equivalent or not registry.is_converted(kind):
        return None
    for other in registry.kinds():
        if other.resource == kind.resource and other is not kind:
            for rule in rules:
                if rule_matches(rule, operation, other, subresource):
                    return other
    return None


def rule_matches(rule: Object, operation: str, kind: Kind, subresource: str) -> bool:
    """Tell whether one rule is about a request."""
    operations = rule.get("operations") or ()
    if "*" not in operations and operation not in operations:
        return False
    scope = rule.get("scope") or "*"
    if scope != "*" and (scope == "Namespaced") != kind.namespaced:
        return False
    return (
        _listed(rule.get("apiGroups"), kind.group)
        and _listed(rule.get("apiVersions"), kind.version)
        and any(
            _resource_matches(pattern, kind.plural, subresource)
            for pattern in rule.get("resources") or ()
        )
    )


def _listed(values: Sequence[str] | None, value: str) -> bool:
    return values is not None and ("*" in values or value in values)


def _resource_matches(pattern: str, plural: str, subresource: str) -> bool:
    resource, _, part = pattern.partition("/")
    return resource in ("*", plural) and part in (("*", subresource) if part else (subresource,))


def namespace_matches(
    selector: LabelSelector, attributes: Attributes, namespace: Object | None
) -> bool:
    """Tell whether a namespace selector lets a request through.

    Args:
        selector: The webhook's.
        attributes: The request.
        namespace: The object's namespace as the store has it; for a Namespace itself, that.
    """
    if selector.empty:
        return True
    is_namespace = attributes.kind.resource == "namespaces"
    if not attributes.kind.namespaced and not is_namespace:
        return True
    if is_namespace and attributes.object is not None and not attributes.subresource:
        return selector.matches(labels_of(attributes.object))
    return selector.matches(labels_of(namespace or {}))


def object_matches(selector: LabelSelector, attributes: Attributes) -> bool:
    """Tell whether the object's labels, before or after, are selected."""
    if selector.empty:
        return True
    return any(
        selector.matches(labels_of(obj))
        for obj in (attributes.object, attributes.old)
        if obj is not None and meta(obj)
    )


def namespace_name(attributes: Attributes) -> str:
    """Return the namespace whose labels count; empty where there is none."""
    if attributes.kind.resource == "namespaces":
        return attributes.name or name_of(attributes.object or {})
    return attributes.namespace
