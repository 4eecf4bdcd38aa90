"""The scheduler's part of ``/metrics``."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families

from actors import ActorSystem
from actors.log import MemoryLog
from actors.testing import virtual
from orchestrator.api import ApiApplication, ApiConfig
from orchestrator.resources.kinds import registry
from orchestrator.scheduler import Scheduler
from orchestrator.scheduler.metrics import SchedulerMetrics
from orchestrator.store import Create, Store
from orchestrator.store.recording import EventRecorder

TOKEN = "secret"


def pod(name: str, cpu: str, **spec: object) -> dict[str, object]:
    """Make a pod."""
    container = {"name": "c", "image": "x", "resources": {"requests": {"cpu": cpu}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [container], **spec},
    }


@virtual
async def test_pods_are_counted_under_kube_schedulers_names() -> None:
    """Those that wait by queue, those that were tried by result, and how they came to wait."""
    metrics = SchedulerMetrics()
    async with ActorSystem("test", seed=1) as system:
        store = await Store.open(system, MemoryLog(), registry())
        recorder = EventRecorder(store, "default-scheduler")
        system.spawn(lambda: Scheduler(store, recorder, metrics=metrics), "scheduler")
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "n"},
            "status": {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "10"}},
        }
        gates = [{"name": "example.com/wait"}]
        pods = [
            *(pod(name, "1") for name in ("fits", "fits-too")),
            pod("large", "3"),
            pod("gated", "1", schedulingGates=gates),
        ]
        await store.write([Create("nodes", node), *(Create("pods", each) for each in pods)])
        await system.clock.sleep(1.0)
        app = ApiApplication(store, ApiConfig(token=TOKEN), scheduling=lambda: metrics)
        transport = httpx.ASGITransport(app=app)
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            answer = await client.get("/metrics", headers=headers)
        app.close()
    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name.startswith("scheduler_")
    }
    profile = ("profile", "default-scheduler")
    for labels, value in {
        ("scheduler_pending_pods", ("queue", "active")): 0,
        ("scheduler_pending_pods", ("queue", "backoff")): 0,
        ("scheduler_pending_pods", ("queue", "unschedulable")): 1,
        ("scheduler_pending_pods", ("queue", "gated")): 1,
        ("scheduler_schedule_attempts_total", profile, ("result", "scheduled")): 2,
        ("scheduler_schedule_attempts_total", profile, ("result", "unschedulable")): 1,
        ("scheduler_scheduling_algorithm_duration_seconds_count",): 3,
        ("scheduler_pod_scheduling_sli_duration_seconds_count", ("attempts", "1")): 2,
        ("scheduler_pod_scheduling_attempts_sum",): 2,
        ("scheduler_preemption_attempts_total",): 0,
        ("scheduler_preemption_victims_bucket", ("le", "64")): 0,
        ("scheduler_unschedulable_pods", ("plugin", "NodeResourcesFit"), profile): 1,
        (
            "scheduler_queue_incoming_pods_total",
            ("event", "UnschedulablePodAdd"),
            ("queue", "active"),
        ): 3,
    }.items():
        assert found.get(labels) == value, labels
