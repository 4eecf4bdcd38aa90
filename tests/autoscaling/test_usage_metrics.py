"""``metrics.k8s.io`` as clients read it.

Behaviour: https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

from actors.testing import virtual
from orchestrator.node.usage import Reading, UsageMeter
from orchestrator.node.usage.measuring import read_trees
from orchestrator.resources.objects import Object
from orchestrator.resources.timestamps import format_time
from orchestrator.store import EventRecorder
from tests.autoscaling.worlds import DEPLOYMENTS, deployment, open_world

ROOT = "/apis/metrics.k8s.io/v1beta1"
TABLE = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}


@virtual
async def test_the_metrics_api_offers_usage_of_nodes_and_pods() -> None:
    """CPU is an average over a window in cores, memory is in bytes; #metrics-api."""
    async with open_world() as world:
        await world.create(deployment(replicas=2, containers=("main", "side")))
        await asyncio.sleep(20)
        pods = await world.get(f"{ROOT}/namespaces/default/pods")
        assert (pods["kind"], pods["apiVersion"]) == ("PodMetricsList", "metrics.k8s.io/v1beta1")
        first, second = pods["items"]
        assert first["metadata"]["name"] < second["metadata"]["name"]
        assert first["metadata"]["labels"]["app"] == "web"
        assert first["window"] == "15s"
        assert first["containers"] == [
            {"name": "main", "usage": {"cpu": "50000000n", "memory": "51200Ki"}},
            {"name": "side", "usage": {"cpu": "50000000n", "memory": "51200Ki"}},
        ]
        nodes = await world.get(f"{ROOT}/nodes")
        assert [item["metadata"]["name"] for item in nodes["items"]] == ["node-1", "node-2"]
        used = {item["usage"]["cpu"] for item in nodes["items"]}
        assert used == {"100000000n"}
        one = await world.get(f"{ROOT}/namespaces/default/pods/{first['metadata']['name']}")
        assert (one["kind"], one["containers"]) == ("PodMetrics", first["containers"])
        assert (await world.get(f"{ROOT}/nodes/node-1"))["kind"] == "NodeMetrics"


@virtual
async def test_metrics_can_be_selected_and_shown_as_tables() -> None:
    """Labels and fields select; a Table has metrics-server's columns."""
    async with open_world() as world:
        await world.create(deployment("web"))
        await world.create(deployment("db", script={"cpu-usage": "250m"}))
        await asyncio.sleep(20)
        assert await world.cpu("app=db") == {"db/main": "250000000n"}
        pods = await world.get(f"{ROOT}/pods", params={"labelSelector": "app=db"}, headers=TABLE)
        columns = [column["name"] for column in pods["columnDefinitions"]]
        assert columns == ["Name", "cpu", "memory", "Window"]
        assert pods["rows"][0]["cells"][1:] == ["250m", "50Mi", "15s"]
        name = pods["rows"][0]["cells"][0]
        by_name = {"fieldSelector": f"metadata.name={name},metadata.namespace=default"}
        assert len((await world.get(f"{ROOT}/pods", params=by_name))["items"]) == 1
        refused = await world.client.get(f"{ROOT}/pods", params={"fieldSelector": "status.phase=x"})
        assert refused.status_code == 400


@virtual
async def test_what_has_no_metrics_is_not_there() -> None:
    """Pods that do not run, and nodes that are not ready, are left out."""
    async with open_world() as world:
        await world.create(deployment("slow", script={"start-seconds": "100"}))
        await world.create(deployment("web", replicas=2))
        await asyncio.sleep(20)
        assert await world.cpu() == {"web/main": "50000000n 50000000n"}
        (slow,) = world.store.list("pods", "default", labels=_selector("app=slow"))
        missing = await world.client.get(
            f"{ROOT}/namespaces/default/pods/{slow['metadata']['name']}"
        )
        assert missing.status_code == 404
        assert missing.json()["message"] == (
            f'podmetrics.metrics.k8s.io "default/{slow["metadata"]["name"]}" not found'
        )
        await world.cluster.kill_node("node-1")
        assert len((await world.get(f"{ROOT}/nodes"))["items"]) == 1
        assert await world.cpu() == {"web/main": "50000000n"}
        gone = await world.client.get(f"{ROOT}/nodes/node-1")
        assert gone.json()["message"] == 'nodemetrics.metrics.k8s.io "node-1" not found'


@virtual
async def test_metrics_can_only_be_read() -> None:
    """Discovery lists get and list; nothing else is allowed."""
    async with open_world() as world:
        listed = await world.get(ROOT)
        assert [(one["name"], one["kind"], one["verbs"]) for one in listed["resources"]] == [
            ("nodes", "NodeMetrics", ["get", "list"]),
            ("pods", "PodMetrics", ["get", "list"]),
        ]
        groups = await world.get("/apis")
        assert groups["groups"][-1]["name"] == "metrics.k8s.io"
        v3 = await world.get("/openapi/v3")
        url = v3["paths"]["apis/metrics.k8s.io/v1beta1"]["serverRelativeURL"]
        schemas = (await world.get(url))["components"]["schemas"]
        assert "io.k8s.metrics.pkg.apis.metrics.v1beta1.PodMetrics" in schemas
        v2 = await world.get("/openapi/v2")
        assert f"{ROOT}/nodes/{{name}}" in v2["paths"]
        for answer in (
            await world.client.delete(f"{ROOT}/nodes"),
            await world.client.post(f"{ROOT}/namespaces/default/pods", json={}),
            await world.client.get(f"{ROOT}/pods", params={"watch": "1"}),
        ):
            assert answer.status_code == 405


@virtual
async def test_an_api_service_of_the_user_wins() -> None:
    """An APIService that leads to another server takes the group over until it is gone."""
    async with open_world() as world:
        await asyncio.sleep(5)
        name = "v1beta1.metrics.k8s.io"
        mine = world.store.get("apiservices.apiregistration.k8s.io", "", name)
        assert mine is not None
        assert mine["status"]["conditions"][0]["reason"] == "Local"

        def change(obj: Object) -> Object:
            service = {"name": "metrics-server", "namespace": "kube-system", "port": 443}
            spec = {**obj["spec"], "service": service, "insecureSkipTLSVerify": True}
            return {**obj, "spec": spec}

        await world.store.modify("apiservices.apiregistration.k8s.io", "", name, change)
        answer = await world.client.get(f"{ROOT}/nodes")
        assert answer.status_code == 503
        await world.store.delete("apiservices.apiregistration.k8s.io", "", name)
        await asyncio.sleep(5)
        assert (await world.get(f"{ROOT}/nodes"))["items"]


@virtual
async def test_without_metrics_nothing_is_served() -> None:
    """The setting leaves the group to whoever is installed."""
    async with open_world(metrics=False) as world:
        await asyncio.sleep(5)
        assert (await world.client.get(f"{ROOT}/nodes")).status_code == 404
        assert (
            world.store.get("apiservices.apiregistration.k8s.io", "", "v1beta1.metrics.k8s.io")
            is None
        )


@virtual
async def test_a_load_is_divided_among_the_ready_pods_of_its_group() -> None:
    """On a Deployment or in its template, and on a Service; it can be changed at any time."""
    async with open_world() as world:
        await world.create(deployment("web", replicas=4, annotations={"cpu-load": "2"}))
        await world.create(
            deployment(
                "api", replicas=2, script={"side.cpu-load": "600m"}, containers=("main", "side")
            )
        )
        await world.create(deployment("db", replicas=2))
        await world.create(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {
                    "name": "db",
                    "annotations": {"simulation.orchestrator/cpu-load": "100m,900m@60s"},
                },
                "spec": {"selector": {"app": "db"}, "ports": [{"port": 80}]},
            },
            "services",
        )
        await asyncio.sleep(20)
        assert await world.cpu() == {
            "web/main": " ".join(["500000000n"] * 4),
            "api/main": "50000000n 50000000n",
            "api/side": "300000000n 300000000n",
            "db/main": "50000000n 50000000n",
        }
        pods = world.store.list("pods", "default", labels=_selector("app=web"))
        await world.annotate("pods", pods[0]["metadata"]["name"], unready="true")
        await asyncio.sleep(50)
        used = await world.cpu()
        assert sorted(used["web/main"].split()) == ["0", *["666666666n"] * 3]
        assert used["db/main"] == "450000000n 450000000n"
        await world.annotate(DEPLOYMENTS, "web", cpu_load="300m")
        assert (await world.cpu("app=web"))["web/main"].count("100000000n") == 3
        assert len(world.store.list("replicasets.apps")) == 3


@virtual
async def test_an_annotation_that_cannot_be_read_is_told_of() -> None:
    """A pod of which nobody knows what it uses has no metrics, and an Event says why."""
    async with open_world() as world:
        await world.create(deployment("web", script={"cpu-usage": "lots"}))
        await world.create(deployment("api", annotations={"cpu-load": "50%"}))
        await asyncio.sleep(20)
        assert await world.cpu() == {"api/main": "50000000n"}
        await asyncio.sleep(1)
        (pod,) = world.store.list("pods", "default", labels=_selector("app=web"))
        ((reason, message),) = [
            event for event in world.events(pod["metadata"]["name"]) if event[0] == "InvalidUsage"
        ]
        assert reason == "InvalidUsage"
        assert "annotation simulation.orchestrator/cpu-usage: 'lots' is neither" in message
        assert "no share of a request" in world.events("api")[-1][1]


def _process(container: str, started: float) -> Object:
    state = {"running": {"startedAt": format_time(started)}}
    status = {"name": "c", "containerID": f"process://{container}", "state": state}
    return {
        "metadata": {"name": container, "namespace": "default", "uid": container},
        "spec": {"nodeName": "n1", "containers": [{"name": "c"}]},
        "status": {"phase": "Running", "containerStatuses": [status]},
    }


@virtual
async def test_processes_are_read_when_somebody_asks() -> None:
    """The first who asks waits a second; then rates are counted from the last reading."""
    readings: list[float] = []
    running = {"one": 0.0}

    async with open_world() as world:
        clock = world.store.clock

        async def measure() -> dict[str, Reading]:
            readings.append(clock.now())
            return {
                name: Reading(0.5 * (clock.now() - since), 4096) for name, since in running.items()
            }

        recorder = EventRecorder(world.store, "kubelet")
        meter = UsageMeter(world.store, recorder, lives=lambda node: node == "n1", measure=measure)
        pod = _process("one", clock.now())
        await asyncio.sleep(1000)
        assert readings == []
        (first,) = await meter.pods([pod])
        assert (round(first.window, 3), first.containers[0].cpu) == (1.0, 500_000_000)
        assert await meter.pods([pod]) == [first]
        assert len(readings) == 2
        await asyncio.sleep(15)
        (second,) = await meter.pods([pod])
        assert (round(second.window), second.containers[0].memory) == (15, 4096)
        assert len(readings) == 3
        await asyncio.sleep(1000)
        (third,) = await meter.pods([pod])
        assert (round(third.window, 3), len(readings)) == (1.0, 5)

        started = float(int(clock.now() + 1))
        new = _process("two", started)
        running["two"] = started
        assert await meter.pods([new]) == []
        await asyncio.sleep(4)
        (fourth,) = await meter.pods([new])
        assert fourth.window == readings[-1] - started
        assert fourth.containers[0].cpu == 500_000_000
        assert len(readings) == 6
        assert len(await meter.pods([pod, new, _process("unknown", started)])) == 2


def test_a_container_is_its_whole_process_tree(tmp_path: Path) -> None:
    """Children and grandchildren count, others do not."""
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdin is not None
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not children.read_text():
            pass
        found = read_trees({process.pid: "mine", 2**22 + 1: "gone"}, supervisor=1)
        alone = read_trees({int(children.read_text()): "child"}, supervisor=1)
        process.stdin.close()
    assert set(found) == {"mine"}
    assert found["mine"].memory > alone["child"].memory > 0
    assert read_trees({process.pid: "mine"}, supervisor=1) == {}

    for pid, stat in {
        10: "1 10 10 0 0 0 0 0 0 0 5 5 2 3 0 0 0 0 100 0 7",
        11: "10 10 10 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0 100 0 1",
        12: "1 12 12 0 0 0 0 0 0 0 50 0 0 0 0 0 0 0 100 0 2",
        13: "1 13 13 0 0 0 0 0 0 0 90 0 0 0 0 0 0 0 100 0 4",
    }.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a) b) S {stat}")
        (tmp_path / str(pid) / "environ").write_bytes(
            b"A=b\0ORCHESTRATOR_CONTAINER=c\0" if pid == 12 else b"A=b\0"
        )
    (tmp_path / "self").mkdir()
    read = read_trees({10: "c"}, supervisor=1, proc=tmp_path)
    assert set(read) == {"c"}
    assert round(read["c"].cpu * 100) == 15 + 1 + 50
    assert read["c"].memory == (7 + 1 + 2) * 4096


def _selector(text: str) -> Any:
    from orchestrator.resources.selectors import parse_label_selector

    return parse_label_selector(text)
