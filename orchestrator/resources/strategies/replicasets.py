"""ReplicaSets and ReplicationControllers."""

from __future__ import annotations

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import invalid, not_negative, required
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._pod_defaults import default_template
from orchestrator.resources.strategies._pod_validation import template_problems
from orchestrator.resources.strategies._pod_warnings import template_warnings
from orchestrator.resources.strategies._sharing import Part, changed, filled
from orchestrator.resources.strategies._strategy import Strategy, build
from orchestrator.resources.strategies._workloads import (
    forever_checks,
    selector_checks,
    selector_unchanged,
    status_counts,
    template_checks,
)


def strategy(kind: Kind) -> Strategy:
    """Build the rules of ReplicaSets or, for the core group, ReplicationControllers."""
    legacy = kind.group == ""
    return build(
        has_status=True,
        generation=True,
        default=_default_legacy if legacy else _default,
        create_checks=(
            metadata_check(names.dns_subdomain, namespaced=True),
            _legacy_spec if legacy else _spec,
        ),
        update_checks=(
            metadata_update_check(),
            *(() if legacy else (selector_unchanged,)),
        ),
        status_checks=(
            metadata_update_check(),
            status_counts(
                "replicas",
                "fullyLabeledReplicas",
                "readyReplicas",
                "availableReplicas",
                "terminatingReplicas",
                "observedGeneration",
                within_replicas=("fullyLabeledReplicas", "readyReplicas", "availableReplicas"),
            ),
        ),
        first_status={"replicas": 0},
        fields=("status.replicas",),
        warnings=template_warnings("spec", "template", names_pods=True),
    )


def _default_spec(spec: Part) -> Part:
    return changed(filled(spec, replicas=1, template={}), "template", default_template)


def _default(obj: Object) -> Object:
    return changed(filled(obj, spec={}), "spec", _default_spec)


def _default_legacy(obj: Object) -> Object:
    labels = ((obj.get("spec") or {}).get("template") or {}).get("metadata", {}).get("labels")
    if labels:
        obj = changed(obj, "spec", lambda spec: filled(spec, selector=labels))
        obj = changed(obj, "metadata", lambda metadata: filled(metadata, labels=labels))
    return changed(filled(obj, spec={}), "spec", _default_legacy_spec)


def _default_legacy_spec(spec: Part) -> Part:
    return changed(filled(spec, replicas=1), "template", default_template)


def _spec(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    return [
        *not_negative("spec.replicas", spec.get("replicas")),
        *not_negative("spec.minReadySeconds", spec.get("minReadySeconds")),
        *selector_checks(spec, "spec", "deployment"),  # upstream's word
        *template_checks(spec, "spec", "ReplicaSet"),
    ]


def _legacy_spec(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    selector, template = spec.get("selector") or {}, spec.get("template")
    found = not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    if not selector:
        found.append(required("spec.selector"))
    found += not_negative("spec.replicas", spec.get("replicas"))
    if template is None:
        return [*found, required("spec.template")]
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not selector.items() <= labels.items():
        wrong = "`selector` does not match template `labels`"
        found.append(invalid("spec.template.metadata.labels", labels, wrong))
    found += template_problems(template, "spec.template")
    return found + forever_checks(spec, "spec", "ReplicationController")
