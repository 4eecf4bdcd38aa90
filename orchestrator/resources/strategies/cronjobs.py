"""CronJobs."""

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
    one_listed,
    required,
)
from orchestrator.resources.schedules import ScheduleError, parse_schedule
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._pod_defaults import default_template
from orchestrator.resources.strategies._pod_warnings import template_warnings
from orchestrator.resources.strategies._sharing import Part, changed, filled
from orchestrator.resources.strategies._strategy import Strategy, build
from orchestrator.resources.strategies.jobs import job_spec_problems

_MAX_NAME: Final = 52
"""CronJobs leave room for the 11 characters that they append to the names of their Jobs."""


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of CronJobs."""
    return build(
        has_status=True,
        generation=True,
        default=_default,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _spec),
        creation_checks=(_zone_apart, _name),
        update_checks=(metadata_update_check(), _zone_stays_apart),
        status_checks=(metadata_update_check(),),
        first_status={},
        warnings=template_warnings("spec", "jobTemplate", "spec", "template", names_pods=True),
    )


def _name(obj: Object) -> list[FieldError]:
    name = (obj.get("metadata") or {}).get("name") or ""
    if len(name) <= _MAX_NAME:
        return []
    return [invalid("metadata.name", name, f"must be no more than {_MAX_NAME} characters")]


def _default(obj: Object) -> Object:
    return changed(filled(obj, spec={}), "spec", _default_spec)


def _default_spec(spec: Part) -> Part:
    spec = filled(
        spec,
        concurrencyPolicy="Allow",
        suspend=False,
        successfulJobsHistoryLimit=3,
        failedJobsHistoryLimit=1,
    )
    return changed(filled(spec, jobTemplate={}), "jobTemplate", _default_job_template)


def _default_job_template(job: Part) -> Part:
    return changed(filled(job, spec={}), "spec", _default_job_spec)


def _default_job_spec(spec: Part) -> Part:
    return changed(filled(spec, template={}), "template", default_template)


def _spec(obj: Object) -> list[FieldError]:
    spec: Part = obj.get("spec") or {}
    schedule = spec.get("schedule") or ""
    found: list[FieldError] = []
    if not schedule:
        found.append(required("spec.schedule"))
    else:
        try:
            parse_schedule(schedule)
        except ScheduleError as error:
            found.append(invalid("spec.schedule", schedule, str(error)))
    found += not_negative("spec.startingDeadlineSeconds", spec.get("startingDeadlineSeconds"))
    found += one_listed(
        "spec.concurrencyPolicy", spec.get("concurrencyPolicy"), ("Allow", "Forbid", "Replace")
    )
    found += _time_zone(spec.get("timeZone"))
    found += _job_template(spec.get("jobTemplate") or {}, "spec.jobTemplate.spec")
    for field in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        found += not_negative(f"spec.{field}", spec.get(field))
    return found


def _job_template(template: Part, at: str) -> list[FieldError]:
    spec: Part = template.get("spec") or {}
    found = job_spec_problems(spec, at)
    if (selector := spec.get("selector")) is not None:
        found.append(invalid(f"{at}.selector", selector, "`selector` will be auto-generated"))
    if spec.get("manualSelector"):
        found.append(not_supported(f"{at}.manualSelector", True, ("nil", "false")))
    return found


def _time_zone(zone: str | None) -> list[FieldError]:
    if zone is None:
        return []
    field = "spec.timeZone"
    if not zone:
        return [invalid(field, zone, "timeZone must be nil or non-empty string")]
    if zone.lower() == "local":
        wrong = (
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        )
        return [invalid(field, zone, wrong)]
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # A machine without the database can't tell; upstream brings its own.
        if available_timezones():
            return [invalid(field, zone, f"unknown time zone {zone}")]
    return []


def _zone_apart(obj: Object) -> list[FieldError]:
    """Refuse a time zone inside the schedule, which has a field of its own."""
    schedule = (obj.get("spec") or {}).get("schedule") or ""
    if "TZ" not in schedule:
        return []
    wrong = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
    return [invalid("spec.schedule", schedule, wrong)]


def _zone_stays_apart(new: Object, old: Object) -> list[FieldError]:
    """Let a schedule have a time zone that had one before, but not beside the field."""
    spec: Part = new.get("spec") or {}
    schedule = spec.get("schedule") or ""
    if "TZ" not in ((old.get("spec") or {}).get("schedule") or ""):
        return _zone_apart(new)
    if "TZ" in schedule and spec.get("timeZone") is not None:
        wrong = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
        return [invalid("spec.schedule", schedule, wrong)]
    return []
