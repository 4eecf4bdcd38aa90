"""``/metrics`` for Prometheus, under upstream's names where the meaning is the same.

The Prometheus library is loaded with the first scrape; until then counting is this package's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from orchestrator.api._flow_control import FlowControl
from orchestrator.api._request_metrics import BUCKETS, RequestMetrics, Series
from orchestrator.api._responses import Response
from orchestrator.api._scheduler_metrics import collect_scheduling

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

    from orchestrator.scheduler.metrics import SchedulerMetrics
    from orchestrator.store import Store

_REQUEST: Final = ("verb", "group", "version", "resource", "subresource", "scope")


class Metrics:
    """Answers scrapes."""

    def __init__(
        self,
        store: Store,
        requests: RequestMetrics,
        flows: FlowControl,
        scheduling: Callable[[], SchedulerMetrics] | None = None,
    ) -> None:
        """Tell of ``store``, of ``requests``, of what ``flows`` let through, and of scheduling."""
        self._scheduling = scheduling
        self._flows = flows
        self._store = store
        self._requests = requests
        self._registry: CollectorRegistry | None = None

    def answer(self, accept: str) -> Response:
        """Answer one scrape, in the text format that the scraper prefers."""
        from prometheus_client.exposition import choose_encoder

        if self._registry is None:
            self._registry = self._collectors()
        encode, content_type = choose_encoder(accept)
        return Response(200, encode(self._registry), content_type.encode("latin-1"))

    def _collectors(self) -> CollectorRegistry:
        from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector

        registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        registry.register(self)
        return registry

    def collect(self) -> Iterable[Metric]:
        """Yield the present values, for the Prometheus library."""
        from prometheus_client.metrics_core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        total = CounterMetricFamily(
            "apiserver_request",
            "Counter of apiserver requests broken out for each verb, dry run value, group, "
            "version, resource, scope, component, and HTTP response code.",
            labels=("verb", "dry_run", *_REQUEST[1:], "component", "code"),
        )
        durations = HistogramMetricFamily(
            "apiserver_request_duration_seconds",
            "Response latency distribution in seconds for each verb, dry run value, group, "
            "version, resource, subresource, scope and component.",
            labels=("verb", "dry_run", *_REQUEST[1:], "component"),
        )
        for labels, series in tuple(self._requests.series.items()):
            *named, dry_run = labels
            values = [named[0], dry_run, *named[1:], "apiserver"]
            for code, count in tuple(series.codes.items()):
                total.add_metric([*values, str(code)], count)
            durations.add_metric(values, _buckets(series), series.seconds)
        yield total
        yield durations
        running = GaugeMetricFamily(
            "apiserver_longrunning_requests",
            "Gauge of all active long-running apiserver requests broken out by verb, group, "
            "version, resource, scope and component.",
            labels=(*_REQUEST, "component"),
        )
        for labels, count in tuple(self._requests.long_running.items()):
            running.add_metric([*labels[:-1], "apiserver"], count)
        yield running
        in_flight = GaugeMetricFamily(
            "apiserver_current_inflight_requests",
            "Number of requests of this apiserver that are being answered, by kind.",
            labels=("request_kind",),
        )
        for name, count in self._requests.in_flight.items():
            in_flight.add_metric([name], count)
        yield in_flight
        yield from self._flow_metrics(GaugeMetricFamily, CounterMetricFamily)
        yield from self._store_metrics(GaugeMetricFamily)
        if self._scheduling is not None:
            yield from collect_scheduling(self._scheduling())

    def _flow_metrics(self, gauge: Any, counter: Any) -> Iterable[Metric]:
        named = ("priority_level",)
        families = (
            (
                gauge(
                    "apiserver_flowcontrol_current_executing_requests",
                    "Number of requests that are being answered.",
                    labels=named,
                ),
                "seated",
            ),
            (
                gauge(
                    "apiserver_flowcontrol_current_inqueue_requests",
                    "Number of requests that wait for a seat.",
                    labels=named,
                ),
                "waiting",
            ),
            (
                counter(
                    "apiserver_flowcontrol_dispatched_requests",
                    "Number of requests that got a seat.",
                    labels=named,
                ),
                "served",
            ),
            (
                counter(
                    "apiserver_flowcontrol_rejected_requests",
                    "Number of requests that were answered with 429.",
                    labels=named,
                ),
                "refused",
            ),
        )
        rooms = self._flows.rooms()
        for family, field in families:
            for room in rooms:
                family.add_metric([room.level.name], getattr(room, field))
            yield family

    def _store_metrics(self, gauge: Any) -> Iterable[Metric]:
        statistics = self._store.statistics()
        objects = gauge(
            "apiserver_storage_objects",
            "Number of stored objects at the time of last check split by kind.",
            labels=("resource",),
        )
        for resource, count in statistics.objects.items():
            objects.add_metric([resource], count)
        yield objects
        build = gauge(
            "kubernetes_build_info",
            "A metric with a constant '1' value labeled by the version of Kubernetes served.",
            labels=("git_version",),
        )
        build.add_metric([f"v{self._store.registry.version}.0"], 1)
        yield build
        for name, text, value in (
            ("sequence", "Sequence number of the last committed event.", statistics.sequence),
            (
                "pending_writes",
                "Objects with a decided write on its way to the log.",
                statistics.pending,
            ),
            ("window_events", "Events kept in memory for watchers.", statistics.window),
            ("followers", "Watchers and actors that follow the store.", statistics.followers),
        ):
            yield gauge(f"orchestrator_store_{name}", text, value=value)


def _buckets(series: Series) -> list[tuple[str, float]]:
    found = []
    count = 0
    for bound, number in zip((*map(_bound, BUCKETS), "+Inf"), series.buckets, strict=True):
        count += number
        found.append((bound, float(count)))
    return found


def _bound(seconds: float) -> str:
    return f"{seconds:g}"
