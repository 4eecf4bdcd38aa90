"""Rows of the kinds that run pods."""

from __future__ import annotations

from typing import Any

from orchestrator.resources.conditions import is_condition_true
from orchestrator.resources.objects import (
    Object,
    controller_of,
    is_deleting,
    name_of,
    spec_of,
    status_of,
)
from orchestrator.resources.printing.columns import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    NONE,
    UNSET,
    Column,
    Printer,
    age,
    boolean,
    containers_of,
    integer,
    labels_text,
    named,
    selector_text,
    wide,
)
from orchestrator.resources.printing.durations import UNKNOWN, human_duration, since
from orchestrator.resources.timestamps import parse_time


def _template(obj: Object) -> list[str]:
    return containers_of(spec_of(obj).get("template"))


def _deployment(obj: Object, now: float) -> list[Any]:
    spec, status = spec_of(obj), status_of(obj)
    return [
        name_of(obj),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        age(obj, now),
        *_template(obj),
        selector_text(spec.get("selector")),
    ]


def _replicas(obj: Object, now: float) -> list[Any]:
    spec, status = spec_of(obj), status_of(obj)
    return [
        name_of(obj),
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age(obj, now),
        *_template(obj),
    ]


def _replica_set(obj: Object, now: float) -> list[Any]:
    return [*_replicas(obj, now), selector_text(spec_of(obj).get("selector"))]


def _replication_controller(obj: Object, now: float) -> list[Any]:
    return [*_replicas(obj, now), labels_text(spec_of(obj).get("selector"))]


def _stateful_set(obj: Object, now: float) -> list[Any]:
    ready = f"{status_of(obj).get('readyReplicas', 0)}/{spec_of(obj).get('replicas', 0)}"
    return [name_of(obj), ready, age(obj, now), *_template(obj)]


def _daemon_set(obj: Object, now: float) -> list[Any]:
    spec, status = spec_of(obj), status_of(obj)
    return [
        name_of(obj),
        status.get("desiredNumberScheduled", 0),
        status.get("currentNumberScheduled", 0),
        status.get("numberReady", 0),
        status.get("updatedNumberScheduled", 0),
        status.get("numberAvailable", 0),
        labels_text(((spec.get("template") or {}).get("spec") or {}).get("nodeSelector")),
        age(obj, now),
        *_template(obj),
        selector_text(spec.get("selector")),
    ]


def _job_status(obj: Object) -> str:
    for condition in ("Complete", "Failed"):
        if is_condition_true(obj, condition):
            return condition
    if is_deleting(obj):
        return "Terminating"
    for condition in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if is_condition_true(obj, condition):
            return condition
    return "Running"


def _job(obj: Object, now: float) -> list[Any]:
    spec, status = spec_of(obj), status_of(obj)
    succeeded, parallelism = status.get("succeeded", 0), spec.get("parallelism") or 0
    if spec.get("completions") is not None:
        completions = f"{succeeded}/{spec['completions']}"
    else:
        completions = f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"
    start, end = status.get("startTime"), status.get("completionTime")
    if not start:
        duration = ""
    else:
        duration = human_duration((parse_time(end) if end else now) - parse_time(start))
    return [
        name_of(obj),
        _job_status(obj),
        completions,
        duration,
        age(obj, now),
        *_template(obj),
        selector_text(spec.get("selector")),
    ]


def _cron_job(obj: Object, now: float) -> list[Any]:
    spec, status = spec_of(obj), status_of(obj)
    last = status.get("lastScheduleTime")
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    suspend = spec.get("suspend")
    return [
        name_of(obj),
        spec.get("schedule", ""),
        spec.get("timeZone") or NONE,
        UNSET if suspend is None else str(bool(suspend)),
        len(status.get("active") or ()),
        since(last, now) if last else NONE,
        age(obj, now),
        *containers_of(job.get("template")),
        selector_text(job.get("selector")),
    ]


def _pod_template(obj: Object, _now: float) -> list[Any]:
    template = obj.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    return [name_of(obj), *containers_of(template), labels_text(labels)]


def _controller(obj: Object, _now: float) -> str:
    owner = controller_of(obj)
    if owner is None:
        return NONE
    group, slash, _ = str(owner.get("apiVersion", "")).partition("/")
    kind = str(owner.get("kind", "")).lower()
    return f"{kind}.{group}/{owner.get('name')}" if slash else f"{kind}/{owner.get('name')}"


def _budget(obj: Object, now: float) -> list[Any]:
    spec = spec_of(obj)
    low, high = spec.get("minAvailable"), spec.get("maxUnavailable")
    return [
        name_of(obj),
        "N/A" if low is None else str(low),
        "N/A" if high is None else str(high),
        status_of(obj).get("disruptionsAllowed", 0),
        age(obj, now),
    ]


def _metric(kind: str, metric: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a metric's label in the TARGETS column and the part that holds its values."""
    part = metric.get(kind[:1].lower() + kind[1:]) or {}
    if kind in {"Resource", "ContainerResource"}:
        return f"{part.get('name', '')}: ", part
    return "", part


def _target(metric: dict[str, Any], status: dict[str, Any]) -> str:
    """Return one metric as ``cpu: 12%/50%``: what is over what should be."""
    kind = metric.get("type", "")
    label, part = _metric(kind, metric)
    current: dict[str, Any] = _metric(kind, status)[1].get("current") or {}
    target = part.get("target") or {}
    if target.get("averageUtilization") is not None:
        value = current.get("averageUtilization")
        shown = UNKNOWN if value is None else f"{value}%"
        return f"{label}{shown}/{target['averageUtilization']}%"
    if target.get("averageValue") is not None:
        average = "" if kind in {"Resource", "ContainerResource", "Pods"} else " (avg)"
        shown = current.get("averageValue") or UNKNOWN
        return f"{label}{shown}/{target['averageValue']}{average}"
    return f"{label}{current.get('value') or UNKNOWN}/{target.get('value', '')}"


def _targets(spec: dict[str, Any], status: dict[str, Any]) -> str:
    if "targetCPUUtilizationPercentage" in spec:
        value = status.get("currentCPUUtilizationPercentage")
        shown = UNKNOWN if value is None else f"{value}%"
        return f"cpu: {shown}/{spec['targetCPUUtilizationPercentage']}%"
    metrics = spec.get("metrics") or ()
    if not metrics:
        return NONE
    currents = [*(status.get("currentMetrics") or ()), {}, {}]
    text = ", ".join(_target(metric, currents[index]) for index, metric in enumerate(metrics[:2]))
    return f"{text} + {len(metrics) - 2} more..." if len(metrics) > 2 else text


def _autoscaler(obj: Object, now: float) -> list[Any]:
    spec, status = spec_of(obj), status_of(obj)
    target = spec.get("scaleTargetRef") or {}
    return [
        name_of(obj),
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _targets(spec, status),
        UNSET if spec.get("minReplicas") is None else str(spec["minReplicas"]),
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        age(obj, now),
    ]


def _scaled(kind: str, group: str = "apps.v1") -> tuple[Column, ...]:
    return (
        NAME,
        integer("Desired", f"{group}.{kind}Spec/replicas"),
        integer("Current", f"{group}.{kind}Status/replicas"),
        integer("Ready", f"{group}.{kind}Status/readyReplicas"),
        AGE,
        CONTAINERS,
        IMAGES,
        wide("Selector", f"{group}.{kind}Spec/selector"),
    )


_READY = Column("Ready", "Number of the pod with ready state")
_DAEMON = "apps.v1.DaemonSetStatus"
_SCALER = "autoscaling.v2.HorizontalPodAutoscaler"

PRINTERS = {
    "deployments.apps": Printer(
        (
            NAME,
            _READY,
            Column("Up-to-date", "apps.v1.DeploymentStatus/updatedReplicas"),
            Column("Available", "apps.v1.DeploymentStatus/availableReplicas"),
            AGE,
            CONTAINERS,
            IMAGES,
            wide("Selector", "apps.v1.DeploymentSpec/selector"),
        ),
        _deployment,
    ),
    "replicasets.apps": Printer(_scaled("ReplicaSet"), _replica_set),
    "replicationcontrollers": Printer(
        _scaled("ReplicationController", "core.v1"), _replication_controller
    ),
    "statefulsets.apps": Printer((NAME, _READY, AGE, CONTAINERS, IMAGES), _stateful_set),
    "daemonsets.apps": Printer(
        (
            NAME,
            integer("Desired", f"{_DAEMON}/desiredNumberScheduled"),
            integer("Current", f"{_DAEMON}/currentNumberScheduled"),
            integer("Ready", f"{_DAEMON}/numberReady"),
            integer("Up-to-date", f"{_DAEMON}/updatedNumberScheduled"),
            integer("Available", f"{_DAEMON}/numberAvailable"),
            Column("Node Selector", "core.v1.PodSpec/nodeSelector"),
            AGE,
            CONTAINERS,
            IMAGES,
            wide("Selector", "apps.v1.DaemonSetSpec/selector"),
        ),
        _daemon_set,
    ),
    "jobs.batch": Printer(
        (
            NAME,
            Column("Status", "Status of the job."),
            Column("Completions", "batch.v1.JobStatus/succeeded"),
            Column("Duration", "Time required to complete the job."),
            AGE,
            CONTAINERS,
            IMAGES,
            wide("Selector", "batch.v1.JobSpec/selector"),
        ),
        _job,
    ),
    "cronjobs.batch": Printer(
        (
            NAME,
            Column("Schedule", "batch.v1.CronJobSpec/schedule"),
            Column("Timezone", "batch.v1.CronJobSpec/timeZone"),
            boolean("Suspend", "batch.v1.CronJobSpec/suspend"),
            integer("Active", "batch.v1.CronJobStatus/active"),
            Column("Last Schedule", "batch.v1.CronJobStatus/lastScheduleTime"),
            AGE,
            CONTAINERS,
            IMAGES,
            wide("Selector", "batch.v1.JobSpec/selector"),
        ),
        _cron_job,
    ),
    "podtemplates": Printer(
        (
            NAME,
            Column("Containers", CONTAINERS.text),
            Column("Images", IMAGES.text),
            Column("Pod Labels", "The labels for the pod template."),
        ),
        _pod_template,
    ),
    "controllerrevisions.apps": Printer(
        (
            NAME,
            Column("Controller", "Controller of the object"),
            Column("Revision", "apps.v1.ControllerRevision/revision"),
            AGE,
        ),
        named(_controller, lambda obj, _now: obj.get("revision", 0), age),
    ),
    "poddisruptionbudgets.policy": Printer(
        (
            NAME,
            Column("Min Available", "The minimum number of pods that must be available."),
            Column("Max Unavailable", "The maximum number of pods that may be unavailable."),
            integer(
                "Allowed Disruptions",
                "Calculated number of pods that may be disrupted at this time.",
            ),
            AGE,
        ),
        _budget,
    ),
    "horizontalpodautoscalers.autoscaling": Printer(
        (
            NAME,
            Column("Reference", f"{_SCALER}Spec/scaleTargetRef"),
            Column("Targets", f"{_SCALER}Spec/metrics"),
            Column("MinPods", f"{_SCALER}Spec/minReplicas"),
            Column("MaxPods", f"{_SCALER}Spec/maxReplicas"),
            Column("Replicas", f"{_SCALER}Status/currentReplicas"),
            AGE,
        ),
        _autoscaler,
    ),
}
