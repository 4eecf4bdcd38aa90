"""Deployments."""

from __future__ import annotations

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    forbidden,
    invalid,
    not_negative,
    not_supported,
    required,
)
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._percentages import amount_of, at_most_all, int_or_percent
from orchestrator.resources.strategies._pod_defaults import default_template
from orchestrator.resources.strategies._pod_warnings import template_warnings
from orchestrator.resources.strategies._sharing import Part, changed, filled
from orchestrator.resources.strategies._strategy import Strategy, build
from orchestrator.resources.strategies._workloads import (
    selector_checks,
    selector_unchanged,
    status_counts,
    template_checks,
)


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of Deployments."""
    return build(
        has_status=True,
        generation=True,
        default=_default,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _spec),
        update_checks=(metadata_update_check(), selector_unchanged),
        status_metadata=("annotations", "finalizers", "ownerReferences"),
        status_checks=(
            metadata_update_check(),
            status_counts(
                "observedGeneration",
                "replicas",
                "updatedReplicas",
                "readyReplicas",
                "availableReplicas",
                "unavailableReplicas",
                "terminatingReplicas",
                "collisionCount",
                within_replicas=("updatedReplicas", "readyReplicas", "availableReplicas"),
            ),
        ),
        first_status={},
        warnings=template_warnings("spec", "template", names_pods=True),
    )


def _default(obj: Object) -> Object:
    return changed(filled(obj, spec={}), "spec", _default_spec)


def _default_spec(spec: Part) -> Part:
    spec = filled(
        spec, replicas=1, strategy={}, revisionHistoryLimit=10, progressDeadlineSeconds=600
    )
    spec = changed(spec, "strategy", _default_strategy)
    return changed(filled(spec, template={}), "template", default_template)


def _default_strategy(strategy: Part) -> Part:
    strategy = strategy if strategy.get("type") else {**strategy, "type": "RollingUpdate"}
    if strategy["type"] != "RollingUpdate":
        return strategy
    strategy = filled(strategy, rollingUpdate={})
    return changed(
        strategy,
        "rollingUpdate",
        lambda rolling: filled(rolling, maxUnavailable="25%", maxSurge="25%"),
    )


def _spec(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    found = [
        *not_negative("spec.replicas", spec.get("replicas")),
        *selector_checks(spec, "spec", "deployment"),
        *template_checks(spec, "spec", "ReplicaSet"),
        *_strategy(spec.get("strategy") or {}, "spec.strategy"),
        *not_negative("spec.minReadySeconds", spec.get("minReadySeconds")),
        *not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit")),
    ]
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        found += not_negative("spec.progressDeadlineSeconds", deadline)
        if deadline <= (spec.get("minReadySeconds") or 0):
            found.append(
                invalid(
                    "spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"
                )
            )
    return found


def _strategy(strategy: Part, at: str) -> list[FieldError]:
    type_ = strategy.get("type")
    rolling = strategy.get("rollingUpdate")
    if type_ == "Recreate":
        if rolling is None:
            return []
        return [
            forbidden(
                f"{at}.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'"
            )
        ]
    if type_ != "RollingUpdate":
        return [not_supported(f"{at}.type", type_ or "", ("Recreate", "RollingUpdate"))]
    if rolling is None:
        wrong = "this should be defaulted and never be nil"
        return [required(f"{at}.rollingUpdate", wrong)]
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    field = f"{at}.rollingUpdate.maxUnavailable"
    found = int_or_percent(field, unavailable)
    found += int_or_percent(f"{at}.rollingUpdate.maxSurge", surge)
    if amount_of(unavailable) == 0 and amount_of(surge) == 0:
        found.append(invalid(field, unavailable, "may not be 0 when `maxSurge` is 0"))
    return found + at_most_all(field, unavailable)
