"""DaemonSets."""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    invalid,
    not_negative,
    not_supported,
    required,
)
from orchestrator.resources.strategies._label_selectors import label_selector_problems
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._percentages import amount_of, at_most_all, int_or_percent
from orchestrator.resources.strategies._pod_defaults import default_template
from orchestrator.resources.strategies._pod_validation import template_problems
from orchestrator.resources.strategies._pod_warnings import template_warnings
from orchestrator.resources.strategies._sharing import Part, changed, filled
from orchestrator.resources.strategies._strategy import Strategy, build
from orchestrator.resources.strategies._workloads import (
    forever_checks,
    match_checks,
    selector_unchanged,
    status_counts,
)

TEMPLATE_GENERATION: Final = "deprecated.daemonset.template.generation"
"""Annotation that counts the changes of the template: a field of an API version long gone."""


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of DaemonSets."""
    return build(
        has_status=True,
        generation=True,
        default=_default,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _spec),
        update_checks=(metadata_update_check(), selector_unchanged),
        status_checks=(
            metadata_update_check(),
            status_counts(
                "currentNumberScheduled",
                "numberMisscheduled",
                "desiredNumberScheduled",
                "numberReady",
                "observedGeneration",
                "updatedNumberScheduled",
                "numberAvailable",
                "numberUnavailable",
                "collisionCount",
            ),
        ),
        first_status={
            "currentNumberScheduled": 0,
            "desiredNumberScheduled": 0,
            "numberMisscheduled": 0,
            "numberReady": 0,
        },
        prepare_create=lambda obj: _counted(obj, "1"),
        prepare_update=_count,
        warnings=template_warnings("spec", "template", names_pods=True),
    )


def _counted(obj: Object, generation: str) -> Object:
    metadata = obj.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    if annotations.get(TEMPLATE_GENERATION) == generation:
        return obj
    annotations = {TEMPLATE_GENERATION: generation, **annotations}
    annotations[TEMPLATE_GENERATION] = generation
    return {**obj, "metadata": {**metadata, "annotations": annotations}}


def _count(new: Object, old: Object) -> Object:
    """Count a change of the template, whatever the update says of the count."""
    before = (old["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION) or "1"
    after: Part = (new.get("spec") or {}).get("template") or {}
    if after != ((old.get("spec") or {}).get("template") or {}) and before.isdecimal():
        return _counted(new, str(int(before) + 1))
    return _counted(new, before)


def _default(obj: Object) -> Object:
    return changed(filled(obj, spec={}), "spec", _default_spec)


def _default_spec(spec: Part) -> Part:
    spec = filled(spec, updateStrategy={}, revisionHistoryLimit=10)
    spec = changed(spec, "updateStrategy", _update_strategy)
    return changed(filled(spec, template={}), "template", default_template)


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
    selector = spec.get("selector")
    found = label_selector_problems("spec.selector", selector) if selector else []
    found += match_checks(spec, "spec")
    if selector == {}:
        found.append(invalid("spec.selector", selector, "empty selector is invalid for daemonset"))
    found += template_problems(spec.get("template") or {}, "spec.template")
    found += forever_checks(spec, "spec", "DaemonSet")
    found += not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    found += _strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy")
    return found + not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))


def _strategy(strategy: Part, at: str) -> list[FieldError]:
    type_ = strategy.get("type")
    if type_ == "OnDelete":
        return []
    if type_ != "RollingUpdate":
        return [not_supported(at, strategy, ("RollingUpdate", "OnDelete"))]
    rolling = strategy.get("rollingUpdate")
    if rolling is None:
        return [required(f"{at}.rollingUpdate")]
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    at = f"{at}.rollingUpdate"
    found = [
        *int_or_percent(f"{at}.maxUnavailable", unavailable),
        *int_or_percent(f"{at}.maxSurge", surge),
        *at_most_all(f"{at}.maxUnavailable", unavailable),
        *at_most_all(f"{at}.maxSurge", surge),
    ]
    if amount_of(unavailable) and amount_of(surge):
        wrong = "may not be set when maxUnavailable is non-zero"
        found.append(invalid(f"{at}.maxSurge", surge, wrong))
    elif not amount_of(unavailable) and not amount_of(surge):
        found.append(required(f"{at}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return found
