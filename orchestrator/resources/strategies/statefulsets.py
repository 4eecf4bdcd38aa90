"""StatefulSets."""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    forbidden,
    if_given,
    invalid,
    not_negative,
    required,
)
from orchestrator.resources.strategies._defaults import default_claim
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._percentages import amount_of, at_most_all, int_or_percent
from orchestrator.resources.strategies._pod_defaults import default_template
from orchestrator.resources.strategies._pod_validation import template_problems
from orchestrator.resources.strategies._pod_warnings import template_warnings
from orchestrator.resources.strategies._sharing import Part, changed, each, filled, without
from orchestrator.resources.strategies._strategy import Strategy, build
from orchestrator.resources.strategies._workloads import (
    forever_checks,
    match_checks,
    selector_checks,
    status_counts,
)

_CHANGEABLE: Final = (
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
        # Pods are called after it, and their names are those of hosts: a label.
        create_checks=(metadata_check(names.dns_label, namespaced=True), _spec),
        update_checks=(metadata_update_check(), _update),
        status_checks=(
            status_counts(
                "replicas",
                "readyReplicas",
                "currentReplicas",
                "updatedReplicas",
                "availableReplicas",
                "observedGeneration",
                "collisionCount",
                within_replicas=(
                    "readyReplicas",
                    "currentReplicas",
                    "updatedReplicas",
                    "availableReplicas",
                ),
                ready_is="status.readyReplicas",
            ),
            metadata_update_check(),
        ),
        fields=("status.successful",),  # upstream lets it be asked for; it is always empty
        first_status={"replicas": 0, "availableReplicas": 0},
        warnings=template_warnings("spec", "template", names_pods=False),
    )


def _default(obj: Object) -> Object:
    return changed(filled(obj, spec={}), "spec", _default_spec)


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
    return changed(filled(spec, template={}), "template", default_template)


def _update_strategy(strategy: Part) -> Part:
    if not strategy.get("type"):
        strategy = filled({**strategy, "type": "RollingUpdate"}, rollingUpdate={})
    if strategy["type"] != "RollingUpdate":
        return strategy
    return changed(strategy, "rollingUpdate", lambda rolling: filled(rolling, partition=0))


def _claim(claim: Part) -> Part:
    return filled(default_claim(claim), apiVersion="v1", kind="PersistentVolumeClaim")


def _spec(obj: Object) -> list[FieldError]:
    spec: Part = obj.get("spec") or {}
    management = spec.get("podManagementPolicy")
    found: list[FieldError] = []
    if not management:
        found.append(required("spec.podManagementPolicy"))
    elif management not in {"OrderedReady", "Parallel"}:
        wrong = "must be 'OrderedReady' or 'Parallel'"
        found.append(invalid("spec.podManagementPolicy", management, wrong))
    found += _strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy")
    policy = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    for field in ("whenDeleted", "whenScaled"):
        here = f"spec.persistentVolumeClaimRetentionPolicy.{field}"
        found += if_given(here, policy.get(field), ("Retain", "Delete"))
    found += not_negative("spec.replicas", spec.get("replicas"))
    found += not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    found += not_negative("spec.ordinals.start", (spec.get("ordinals") or {}).get("start"))
    found += selector_checks(spec, "spec", "statefulset")
    found += match_checks(spec, "spec")
    found += template_problems(_with_claims(spec), "spec.template")
    return found + forever_checks(spec, "spec", "StatefulSet")


def _with_claims(spec: Part) -> Part:
    """Return the template with a volume for each claim, as its pods will have them."""
    template: Part = spec.get("template") or {}
    claims = spec.get("volumeClaimTemplates")
    if not claims:
        return template
    pod: Part = template.get("spec") or {}
    volumes = list(pod.get("volumes") or ())
    given = {volume.get("name") for volume in volumes}
    for claim in claims:
        name = (claim.get("metadata") or {}).get("name")
        if name not in given:
            volumes.append({"name": name, "persistentVolumeClaim": {"claimName": name}})
    return {**template, "spec": {**pod, "volumes": volumes}}


def _strategy(strategy: Part, at: str) -> list[FieldError]:
    type_, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if not type_:
        return [required(at)]
    if type_ == "OnDelete":
        if rolling is None:
            return []
        wrong = "only allowed for updateStrategy 'RollingUpdate'"
        return [invalid(f"{at}.rollingUpdate", rolling, wrong)]
    if type_ != "RollingUpdate":
        return [invalid(at, strategy, "must be 'RollingUpdate' or 'OnDelete'")]
    if rolling is None:
        return []
    found = not_negative(f"{at}.rollingUpdate.partition", rolling.get("partition"))
    most = rolling.get("maxUnavailable")
    if most is not None:
        field = f"{at}.rollingUpdate.maxUnavailable"
        found += int_or_percent(field, most)
        if amount_of(most) == 0:
            found.append(invalid(field, most, "cannot be 0"))
        found += at_most_all(field, most)
    return found


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
