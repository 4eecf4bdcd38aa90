"""Jobs, and what CronJobs share with them."""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    IMMUTABLE,
    immutable,
    invalid,
    not_negative,
    not_supported,
    required,
    too_long,
)
from orchestrator.resources.selectors import SelectorError, label_selector
from orchestrator.resources.strategies._formats import domain_prefixed_path
from orchestrator.resources.strategies._job_policies import (
    failure_policy_problems,
    success_policy_problems,
)
from orchestrator.resources.strategies._job_status import job_status_problems
from orchestrator.resources.strategies._label_selectors import label_selector_problems
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._pod_defaults import default_template
from orchestrator.resources.strategies._pod_validation import template_problems
from orchestrator.resources.strategies._pod_warnings import template_warnings
from orchestrator.resources.strategies._sharing import Part, changed, filled, put, without
from orchestrator.resources.strategies._strategy import Strategy, build

_NO_BACKOFF_LIMIT: Final = 2**31 - 1
_NUMBERS: Final = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
)
_MANAGER_LIMIT: Final = 63
_MANY: Final = 100_000
_MANY_AT_ONCE: Final = 10_000
_REPLACEMENTS: Final = ("Failed", "TerminatingOrFailed")
_FIXED: Final = (
    "completionMode",
    "podFailurePolicy",
    "backoffLimitPerIndex",
    "managedBy",
    "successPolicy",
)
_DIRECTIVES: Final = ("nodeSelector", "affinity", "tolerations", "schedulingGates")
"""Fields of the template's spec that may change before a suspended Job starts."""


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of Jobs."""
    return build(
        has_status=True,
        generation=True,
        default=_default,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _job),
        creation_checks=(_hostnames,),
        update_checks=(metadata_update_check(), _update),
        status_checks=(metadata_update_check(), job_status_problems),
        first_status={},
        fields=("status.successful",),
        warnings=template_warnings("spec", "template", names_pods=True),
    )


def _default(obj: Object) -> Object:
    obj = changed(filled(obj, spec={}), "spec", _default_spec)
    labels = ((obj.get("spec") or {}).get("template") or {}).get("metadata", {}).get("labels")
    if labels:
        obj = changed(obj, "metadata", lambda metadata: filled(metadata, labels=labels))
    return obj


def _default_spec(spec: Part) -> Part:
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec = {**spec, "completions": 1}
    limit = 6 if spec.get("backoffLimitPerIndex") is None else _NO_BACKOFF_LIMIT
    replacement = "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed"
    spec = filled(
        spec,
        parallelism=1,
        backoffLimit=limit,
        completionMode="NonIndexed",
        suspend=False,
        podReplacementPolicy=replacement,
        manualSelector=False,
    )
    spec = changed(spec, "podFailurePolicy", _default_failure_policy)
    return changed(filled(spec, template={}), "template", default_template)


def _default_failure_policy(policy: Part) -> Part:
    rules = policy.get("rules")
    if not rules:
        return policy
    new = [
        rule
        if all(one.get("status") for one in rule.get("onPodConditions") or ())
        else {
            **rule,
            "onPodConditions": [
                one if one.get("status") else {**one, "status": "True"}
                for one in rule["onPodConditions"]
            ],
        }
        for rule in rules
    ]
    return policy if new == rules else {**policy, "rules": new}


def _job(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    found = job_spec_problems(spec, "spec")
    selector = spec.get("selector")
    if selector is None:
        # One that is left out is made of the uid, which a new Job does not have yet.
        return [*found, required("spec.selector")] if spec.get("manualSelector") else found
    found += label_selector_problems("spec.selector", selector)
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    try:
        selects = label_selector(selector).matches(labels)
    except SelectorError:
        return found
    if not selects:
        wrong = "`selector` does not match template `labels`"
        found.append(invalid("spec.template.metadata.labels", labels, wrong))
    return found


def _hostnames(obj: Object) -> list[FieldError]:
    """Check that the pods of an indexed Job can be called by its name and their index."""
    spec = obj.get("spec") or {}
    found: list[FieldError] = []
    if not spec.get("manualSelector") and spec.get("selector") is not None:
        found.append(invalid("spec.selector", spec["selector"], "`selector` not auto-generated"))
    name, completions = obj["metadata"].get("name") or "", spec.get("completions") or 0
    if spec.get("completionMode") == "Indexed" and name and completions > 0:
        host = f"{name}-{completions - 1}"
        if names.dns_label(host):
            wrong = f"will not able to create pod with invalid DNS label: {host}"
            found.append(invalid("metadata.name", name, wrong))
    return found


def job_spec_problems(spec: Part, at: str) -> list[FieldError]:
    """Check the spec of a Job or of a template of one, but for its selector."""
    found: list[FieldError] = []
    for field in _NUMBERS:
        found += not_negative(f"{at}.{field}", spec.get(field))
    if (most := spec.get("maxFailedIndexes")) is not None:
        found += not_negative(f"{at}.maxFailedIndexes", most)
        if spec.get("backoffLimitPerIndex") is None:
            found.append(
                required(f"{at}.backoffLimitPerIndex", "when maxFailedIndexes is specified")
            )
    if (manager := spec.get("managedBy")) is not None:
        found += domain_prefixed_path(f"{at}.managedBy", manager)
        if len(manager) > _MANAGER_LIMIT:
            found.append(too_long(f"{at}.managedBy", _MANAGER_LIMIT))
    mode = spec.get("completionMode")
    if mode not in {None, "Indexed", "NonIndexed"}:
        found.append(not_supported(f"{at}.completionMode", mode, ("NonIndexed", "Indexed")))
    if mode == "Indexed":
        found += _indexed(spec, at)
    else:
        found += [
            invalid(f"{at}.{field}", spec[field], "requires indexed completion mode")
            for field in ("backoffLimitPerIndex", "maxFailedIndexes")
            if spec.get(field) is not None
        ]
    found += _policies(spec, at, indexed=mode == "Indexed")
    found += template_problems(spec.get("template") or {}, f"{at}.template")
    return found + _restart_policy(spec, f"{at}.template.spec.restartPolicy")


def _indexed(spec: Part, at: str) -> list[FieldError]:
    completions, parallelism = spec.get("completions"), spec.get("parallelism") or 0
    failed = spec.get("maxFailedIndexes")
    found: list[FieldError] = []
    if completions is None:
        return [required(f"{at}.completions", "when completion mode is Indexed")]
    if parallelism > _MANY:
        wrong = f"must be less than or equal to {_MANY} when completion mode is Indexed"
        found.append(invalid(f"{at}.parallelism", parallelism, wrong))
    if failed is not None and failed > completions:
        found.append(
            invalid(f"{at}.maxFailedIndexes", failed, "must be less than or equal to completions")
        )
    if failed is not None and failed > _MANY:
        wrong = f"must be less than or equal to {_MANY}"
        found.append(invalid(f"{at}.maxFailedIndexes", failed, wrong))
    if completions > _MANY and spec.get("backoffLimitPerIndex") is not None:
        wrong = (
            f"must be less than or equal to {_MANY_AT_ONCE} when completions are above {_MANY} and "
            "used with backoff limit per index"
        )
        if failed is None:
            found.append(
                required(
                    f"{at}.maxFailedIndexes", f"must be specified when completions is above {_MANY}"
                )
            )
        if parallelism > _MANY_AT_ONCE:
            found.append(invalid(f"{at}.parallelism", parallelism, wrong))
        if failed is not None and failed > _MANY_AT_ONCE:
            found.append(invalid(f"{at}.maxFailedIndexes", failed, wrong))
    return found


def _policies(spec: Part, at: str, *, indexed: bool) -> list[FieldError]:
    found: list[FieldError] = []
    failure, success = spec.get("podFailurePolicy"), spec.get("successPolicy")
    if failure is not None:
        found += failure_policy_problems(failure, spec, f"{at}.podFailurePolicy")
    if success is not None:
        if indexed:
            found += success_policy_problems(success, spec, f"{at}.successPolicy")
        else:
            found.append(
                invalid(f"{at}.successPolicy", success, "requires indexed completion mode")
            )
    replacement = spec.get("podReplacementPolicy")
    allowed = _REPLACEMENTS if failure is None else _REPLACEMENTS[:1]
    if replacement is not None and replacement not in allowed:
        found.append(not_supported(f"{at}.podReplacementPolicy", replacement, allowed))
    return found


def _restart_policy(spec: Part, at: str) -> list[FieldError]:
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")
    if policy in {None, "", "Always"}:
        # The default of pods is none for jobs: who leaves it out is asked to choose.
        return [required(at, 'valid values: "OnFailure", "Never"')]
    if policy not in {"OnFailure", "Never"}:
        return [not_supported(at, policy, ("OnFailure", "Never"))]
    if policy == "OnFailure" and spec.get("podFailurePolicy") is not None:
        wrong = 'only "Never" is supported when podFailurePolicy is specified'
        return [invalid(at, policy, wrong)]
    return []


def _update(new: Object, old: Object) -> list[FieldError]:
    after, before = new.get("spec") or {}, old.get("spec") or {}
    if after is before or after == before:
        return []
    found = _completions(after, before)
    found += immutable("spec.selector", after.get("selector"), before.get("selector"))
    kept = before.get("template")
    waits = before.get("suspend") and not (old.get("status") or {}).get("startTime")
    template = after.get("template") or {}
    if template != (_with_directives(kept or {}, template) if waits else kept):
        found.append(invalid("spec.template", template, IMMUTABLE))
    for field in _FIXED:
        found += immutable(f"spec.{field}", after.get(field), before.get(field))
    return found


def _completions(after: Part, before: Part) -> list[FieldError]:
    given, held = after.get("completions"), before.get("completions")
    if after.get("completionMode") != "Indexed":
        return immutable("spec.completions", given, held)
    if given == held or given is None or given == after.get("parallelism"):
        return []
    wrong = "can only be modified in tandem with spec.parallelism"
    return [invalid("spec.completions", given, wrong)]


def _with_directives(old: Part, new: Part) -> Part:
    """Return the old template with what may change of it before the Job starts."""
    spec: Part = old.get("spec") or {}
    given: Part = new.get("spec") or {}
    for field in _DIRECTIVES:
        if field == "affinity":
            nodes = (given.get("affinity") or {}).get("nodeAffinity")
            affinity = put(spec.get("affinity") or {}, "nodeAffinity", nodes)
            spec = put(spec, field, affinity or given.get(field))
        else:
            spec = put(spec, field, given.get(field))
    metadata = without(old.get("metadata") or {}, "labels", "annotations")
    for field in ("labels", "annotations"):
        metadata = put(metadata, field, (new.get("metadata") or {}).get(field))
    return put({**old, "spec": spec}, "metadata", metadata or new.get("metadata"))
