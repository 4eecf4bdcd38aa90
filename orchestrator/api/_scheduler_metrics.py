"""The scheduler's part of ``/metrics``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from orchestrator.scheduler.metrics import Histogram, SchedulerMetrics


def collect_scheduling(metrics: SchedulerMetrics) -> Iterable[Metric]:
    """Yield the present values, for the Prometheus library."""
    from prometheus_client.metrics_core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    total = CounterMetricFamily(
        "scheduler_schedule_attempts",
        "Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could "
        "not be scheduled, while 'error' means an internal scheduler problem.",
        labels=("result", "profile"),
    )
    durations = HistogramMetricFamily(
        "scheduler_scheduling_attempt_duration_seconds",
        "Scheduling attempt latency in seconds (scheduling algorithm + binding)",
        labels=("result", "profile"),
    )
    for (result, profile), series in tuple(metrics.attempts.items()):
        total.add_metric([result, profile], sum(series.buckets))
        durations.add_metric([result, profile], buckets_of(series), series.total)
    yield total
    yield durations
    waits = HistogramMetricFamily(
        "scheduler_pod_scheduling_sli_duration_seconds",
        "E2e latency for a pod being scheduled, from the time the pod enters the scheduling queue "
        "and might involve multiple scheduling attempts.",
        labels=("attempts",),
    )
    for attempts, series in tuple(metrics.waits.items()):
        waits.add_metric([attempts], buckets_of(series), series.total)
    yield waits
    for name, text, series in (
        (
            "scheduling_algorithm_duration_seconds",
            "Scheduling algorithm latency in seconds",
            metrics.decisions,
        ),
        (
            "pod_scheduling_attempts",
            "Number of attempts to successfully schedule a pod.",
            metrics.tries,
        ),
        ("preemption_victims", "Number of selected preemption victims", metrics.victims),
    ):
        yield HistogramMetricFamily(
            f"scheduler_{name}", text, buckets=buckets_of(series), sum_value=series.total
        )
    yield CounterMetricFamily(
        "scheduler_preemption_attempts",
        "Total preemption attempts in the cluster till now",
        value=metrics.preemptions,
    )
    yield from _queue_metrics(metrics, GaugeMetricFamily, CounterMetricFamily)


def _queue_metrics(metrics: SchedulerMetrics, gauge: Any, counter: Any) -> Iterable[Metric]:
    pending = gauge(
        "scheduler_pending_pods",
        "Number of pending pods, by the queue type. 'active' means number of pods in activeQ; "
        "'backoff' means number of pods in backoffQ; 'unschedulable' means number of pods in "
        "unschedulablePods that the scheduler attempted to schedule and failed; 'gated' is the "
        "number of unschedulable pods that the scheduler never attempted to schedule because they "
        "are gated.",
        labels=("queue",),
    )
    counts = metrics.pending()
    for queue in ("active", "backoff", "unschedulable", "gated"):
        pending.add_metric([queue], getattr(counts, queue))
    yield pending
    incoming = counter(
        "scheduler_queue_incoming_pods",
        "Number of pods added to scheduling queues by event and queue type.",
        labels=("queue", "event"),
    )
    for labels, count in sorted(metrics.incoming().items()):
        incoming.add_metric(labels, count)
    yield incoming
    rejected = gauge(
        "scheduler_unschedulable_pods",
        "The number of unschedulable pods broken down by plugin name. A pod will increment the "
        "gauge for all plugins that caused it to not schedule and so this metric have meaning only "
        "when broken down by plugin.",
        labels=("plugin", "profile"),
    )
    for labels, count in sorted(metrics.unschedulable().items()):
        rejected.add_metric(labels, count)
    yield rejected


def buckets_of(series: Histogram) -> list[tuple[str, float]]:
    """Return how many observations were at most each bound, the way Prometheus wants it."""
    found = []
    count = 0
    for bound, number in zip(
        (*(f"{bound:g}" for bound in series.bounds), "+Inf"), series.buckets, strict=True
    ):
        count += number
        found.append((bound, float(count)))
    return found
