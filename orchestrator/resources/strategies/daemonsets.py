"""DaemonSets."""

from __future__ import annotations

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._pod_defaults import default_template
from orchestrator.resources.strategies._problems import not_negative, one_of
from orchestrator.resources.strategies._sharing import Part, changed, filled
from orchestrator.resources.strategies._strategy import Strategy, build
from orchestrator.resources.strategies._workloads import (
    replica_checks,
    selector_checks,
    selector_unchanged,
    template_checks,
)


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of DaemonSets."""
    return build(
        has_status=True,
        generation=True,
        default=_default,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _spec),
        update_checks=(metadata_update_check(), selector_unchanged),
        first_status={
            "currentNumberScheduled": 0,
            "desiredNumberScheduled": 0,
            "numberMisscheduled": 0,
            "numberReady": 0,
        },
    )


def _default(obj: Object) -> Object:
    return changed(obj, "spec", _default_spec)


def _default_spec(spec: Part) -> Part:
    spec = filled(spec, updateStrategy={}, revisionHistoryLimit=10)
    spec = changed(spec, "updateStrategy", _update_strategy)
    return changed(spec, "template", default_template)


def _update_strategy(strategy: Part) -> Part:
    strategy = strategy if strategy.get("type") else {**strategy, "type": "RollingUpdate"}
    if strategy["type"] != "RollingUpdate":
        return strategy
    strategy = filled(strategy, rollingUpdate={})
    return changed(
        strategy, "rollingUpdate", lambda rolling: filled(rolling, maxUnavailable=1, maxSurge=0)
    )


def _spec(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    return [
        *replica_checks(spec, "spec"),
        *selector_checks(spec, "spec", "daemonset"),
        *template_checks(spec, "spec", "DaemonSet"),
        *one_of(
            "spec.updateStrategy.type",
            (spec.get("updateStrategy") or {}).get("type"),
            ("OnDelete", "RollingUpdate"),
        ),
        *not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit")),
    ]
