"""Jobs and CronJobs."""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._pod_defaults import default_template
from orchestrator.resources.strategies._pod_validation import template_problems
from orchestrator.resources.strategies._problems import (
    invalid,
    not_negative,
    not_supported,
    one_of,
    required,
)
from orchestrator.resources.strategies._sharing import Part, changed, filled
from orchestrator.resources.strategies._strategy import Strategy, build

_NO_BACKOFF_LIMIT: Final = 2**31 - 1
_NUMBERS: Final = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
)
_MAX_NAME: Final = 52
"""CronJobs leave room for the 11 characters that they append to the names of their Jobs."""


def strategy(kind: Kind) -> Strategy:
    """Build the rules of Jobs or CronJobs."""
    scheduled = kind.kind == "CronJob"
    return build(
        has_status=True,
        generation=True,
        default=_default_cron_job if scheduled else _default_job,
        create_checks=(
            metadata_check(_cron_job_name if scheduled else names.dns_subdomain, namespaced=True),
            _cron_job if scheduled else _job,
        ),
        update_checks=(metadata_update_check(),),
        first_status={},
        fields=() if scheduled else ("status.successful",),
    )


def _cron_job_name(name: str) -> list[str]:
    problems = names.dns_subdomain(name)
    if len(name) > _MAX_NAME:
        problems.append(f"must be no more than {_MAX_NAME} characters")
    return problems


def _default_job(obj: Object) -> Object:
    return changed(obj, "spec", _default_job_spec)


def _default_job_spec(spec: Part) -> Part:
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
    )
    return changed(spec, "template", default_template)


def _default_cron_job(obj: Object) -> Object:
    return changed(obj, "spec", _default_cron_job_spec)


def _default_cron_job_spec(spec: Part) -> Part:
    spec = filled(
        spec,
        concurrencyPolicy="Allow",
        suspend=False,
        successfulJobsHistoryLimit=3,
        failedJobsHistoryLimit=1,
    )
    return changed(
        spec,
        "jobTemplate",
        lambda job: changed(
            job, "spec", lambda inner: changed(inner, "template", default_template)
        ),
    )


def _job(obj: Object) -> list[FieldError]:
    return _job_spec(obj.get("spec") or {}, "spec")


def _job_spec(spec: Part, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    for field in _NUMBERS:
        found += not_negative(f"{at}.{field}", spec.get(field))
    mode = spec.get("completionMode")
    if mode not in {None, "Indexed", "NonIndexed"}:
        found.append(not_supported(f"{at}.completionMode", mode, ("Indexed", "NonIndexed")))
    if mode == "Indexed" and spec.get("completions") is None:
        found.append(required(f"{at}.completions", "when completion mode is Indexed"))
    template = spec.get("template") or {}
    found += template_problems(template, f"{at}.template")
    policy = (template.get("spec") or {}).get("restartPolicy")
    if policy == "Always":
        # The default of pods is none for jobs: who leaves it out is asked to choose.
        field = f"{at}.template.spec.restartPolicy"
        found.append(required(field, 'valid values: "OnFailure", "Never"'))
    return found


def _cron_job(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    found: list[FieldError] = []
    schedule = spec.get("schedule") or ""
    if not schedule:
        found.append(required("spec.schedule"))
    elif len(schedule.split()) != 5 and not schedule.startswith("@"):
        found.append(
            invalid(
                "spec.schedule",
                schedule,
                f"expected exactly 5 fields, found {len(schedule.split())}: "
                f"[{' '.join(schedule.split())}]",
            )
        )
    found += not_negative("spec.startingDeadlineSeconds", spec.get("startingDeadlineSeconds"))
    found += one_of(
        "spec.concurrencyPolicy",
        spec.get("concurrencyPolicy"),
        ("Allow", "Forbid", "Replace"),
    )
    for field in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        found += not_negative(f"spec.{field}", spec.get(field))
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    return [*found, *_job_spec(job, "spec.jobTemplate.spec")]
