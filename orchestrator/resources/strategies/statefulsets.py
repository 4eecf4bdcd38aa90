"""StatefulSets."""

from __future__ import annotations

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies._defaults import default_claim
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._pod_defaults import default_template
from orchestrator.resources.strategies._problems import forbidden, not_negative, one_of
from orchestrator.resources.strategies._sharing import Part, changed, each, filled, without
from orchestrator.resources.strategies._strategy import Strategy, build
from orchestrator.resources.strategies._workloads import (
    replica_checks,
    selector_checks,
    template_checks,
)

_CHANGEABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of StatefulSets."""
    return build(
        has_status=True,
        generation=True,
        default=_default,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _spec),
        update_checks=(metadata_update_check(), _update),
        first_status={"replicas": 0, "availableReplicas": 0},
    )


def _default(obj: Object) -> Object:
    return changed(obj, "spec", _default_spec)


def _default_spec(spec: Part) -> Part:
    spec = filled(
        spec,
        replicas=1,
        podManagementPolicy="OrderedReady",
        updateStrategy={},
        revisionHistoryLimit=10,
        persistentVolumeClaimRetentionPolicy={},
    )
    spec = changed(spec, "updateStrategy", _update_strategy)
    spec = changed(
        spec,
        "persistentVolumeClaimRetentionPolicy",
        lambda policy: filled(policy, whenDeleted="Retain", whenScaled="Retain"),
    )
    spec = changed(spec, "volumeClaimTemplates", each(_claim))
    return changed(spec, "template", default_template)


def _update_strategy(strategy: Part) -> Part:
    if not strategy.get("type"):
        strategy = filled({**strategy, "type": "RollingUpdate"}, rollingUpdate={})
    if strategy["type"] != "RollingUpdate":
        return strategy
    return changed(strategy, "rollingUpdate", lambda rolling: filled(rolling, partition=0))


def _claim(claim: Part) -> Part:
    return filled(default_claim(claim), apiVersion="v1", kind="PersistentVolumeClaim")


def _spec(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    return [
        *one_of(
            "spec.podManagementPolicy",
            spec.get("podManagementPolicy"),
            ("OrderedReady", "Parallel"),
        ),
        *one_of(
            "spec.updateStrategy.type",
            (spec.get("updateStrategy") or {}).get("type"),
            ("OnDelete", "RollingUpdate"),
        ),
        *replica_checks(spec, "spec"),
        *not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit")),
        *selector_checks(spec, "spec", "statefulset"),
        *template_checks(spec, "spec", "StatefulSet"),
    ]


def _update(new: Object, old: Object) -> list[FieldError]:
    after = without(new.get("spec") or {}, *_CHANGEABLE)
    before = without(old.get("spec") or {}, *_CHANGEABLE)
    if after == before:
        return []
    return [
        forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
            "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
            "'minReadySeconds' are forbidden",
        )
    ]
