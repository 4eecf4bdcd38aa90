"""The demo's story, step by step, told on a live terminal or as one JSON object."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from orchestrator.api.serving import ServedCluster, ServingConfig
from orchestrator.cli.demo.manifests import web_deployment, web_service
from orchestrator.cli.demo.traffic import Traffic, send_many, send_until
from orchestrator.cli.demo.waiting import wait_for
from orchestrator.cli.logs import configure_logs
from orchestrator.cluster import BareCluster, ClusterConfig, ClusterError
from orchestrator.resources.objects import (
    Object,
    annotations_of,
    labels_of,
    name_of,
    spec_of,
    status_of,
)

T = TypeVar("T")

DEPLOYMENTS = "deployments.apps"
REVISION = "deployment.kubernetes.io/revision"
STEPS = 7
STEP_DEADLINE = 40.0
"""Seconds after which a step counts as failed; each takes a few at most."""


@dataclass(slots=True)
class Step:
    """One finished step: what was done, what came of it, how long it took in seconds."""

    title: str
    result: str
    seconds: float


@dataclass(slots=True)
class Story:
    """The demo's state: the cluster, where to print, and what has happened so far."""

    cluster: BareCluster
    endpoint: ServedCluster
    console: Console
    progress: Progress
    task: TaskID
    steps: list[Step] = field(default_factory=list)

    async def step(self, title: str, work: Callable[[], Awaitable[str]]) -> None:
        """Run one step under its deadline and print what came of it."""
        self.progress.update(self.task, description=title)
        began = time.perf_counter()
        async with asyncio.timeout(STEP_DEADLINE):
            result = await work()
        seconds = time.perf_counter() - began
        self.progress.advance(self.task)
        self.steps.append(Step(title, result, seconds))
        self.console.print(
            f"[green]✓[/] [bold]{title}[/]  [dim]{seconds:.1f} s[/]\n  {result}", soft_wrap=True
        )

    def pods(self) -> list[Object]:
        """Return the web pods that are not on their way out, sorted by name."""
        return [
            pod
            for pod in self.cluster.store.list("pods", "default")
            if labels_of(pod).get("app") == "web" and "deletionTimestamp" not in pod["metadata"]
        ]

    async def settled(self, replicas: int) -> None:
        """Wait until the rollout is complete with ``replicas`` ready pods."""

        def done() -> bool:
            deployment = self.cluster.store.get(DEPLOYMENTS, "default", "web")
            if deployment is None:
                return False
            status = status_of(deployment)
            return bool(
                status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
                and status.get("updatedReplicas", 0) == replicas
                and status.get("readyReplicas", 0) == replicas
                and status.get("replicas", 0) == replicas
            )

        await wait_for(self.cluster.store, (DEPLOYMENTS,), done)

    def address(self) -> str:
        """Return the cluster IP of the Service."""
        service = self.cluster.store.get("services", "default", "web")
        assert service is not None
        return str(spec_of(service)["clusterIP"])


def _spread(pods: list[Object]) -> str:
    nodes = Counter(spec_of(pod).get("nodeName", "?") for pod in pods)
    return ", ".join(f"{count} on {node}" for node, count in sorted(nodes.items()))


async def _deploy(story: Story) -> str:
    store = story.cluster.store
    deployment = web_deployment(python=sys.executable, toleration_seconds=1)
    await store.create(web_service(), resource="services", namespace="default")
    await store.create(deployment, resource=DEPLOYMENTS, namespace="default")
    await story.settled(5)
    # Without readiness probes a pod counts as ready before its server listens.
    first = Traffic()
    while not first.answered:
        await send_many(story.address(), 8080, first, requests=5)
    return f"5 pods ready behind {story.address()}:8080: {_spread(story.pods())}"


async def _serve(story: Story) -> str:
    traffic = Traffic()
    began = time.perf_counter()
    await send_many(story.address(), 8080, traffic, requests=300)
    seconds = time.perf_counter() - began
    where = {name_of(pod): spec_of(pod).get("nodeName", "?") for pod in story.pods()}
    table = Table(box=None, padding=(0, 1))
    table.add_column("pod")
    table.add_column("node")
    table.add_column("answers", justify="right")
    table.add_column("")
    for pod, count in sorted(traffic.answered.items()):
        table.add_row(pod, where.get(pod, "?"), str(count), f"[blue]{'█' * (count // 3)}[/]")
    story.console.print(table)
    return (
        f"{traffic.sent} requests, {traffic.failed} failed, over {len(traffic.answered)} pods, "
        f"{traffic.sent / seconds:,.0f} a second"
    )


async def _scale(story: Story) -> str:
    def change(current: Object) -> Object:
        return {**current, "spec": {**current["spec"], "replicas": 8}}

    await story.cluster.store.modify(DEPLOYMENTS, "default", "web", change)
    await story.settled(8)
    return f"8 pods ready: {_spread(story.pods())}"


async def _roll(story: Story, change: Callable[[Object], Object], colour: str) -> str:
    traffic = Traffic()
    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(send_until(story.address(), 8080, traffic, done))
        await story.cluster.store.modify(DEPLOYMENTS, "default", "web", change)
        await story.settled(8)
        while (await _colours(story)).keys() != {colour}:
            pass  # the last old pods are still ending
        done.set()
    return (
        f"all answers are {colour} now; {traffic.sent:,} requests meanwhile, "
        f"{traffic.failed} failed"
    )


async def _colours(story: Story) -> Counter[str]:
    now = Traffic()
    await send_many(story.address(), 8080, now, requests=16)
    return now.colours


def _paint_green(current: Object) -> Object:
    template = current["spec"]["template"]
    first, *rest = template["spec"]["containers"]
    painted = {**first, "env": [{"name": "COLOR", "value": "green"}]}
    pod_spec = {**template["spec"], "containers": [painted, *rest]}
    return {
        **current,
        "spec": {**current["spec"], "template": {**template, "spec": pod_spec}},
    }


async def _roll_back(story: Story) -> str:
    replica_sets = story.cluster.store.list("replicasets.apps", "default")
    first = min(replica_sets, key=lambda found: int(annotations_of(found).get(REVISION, "0")))
    template = spec_of(first)["template"]
    labels = {k: v for k, v in labels_of(template).items() if k != "pod-template-hash"}
    metadata = {**template["metadata"], "labels": labels}

    def change(current: Object) -> Object:
        spec = {**current["spec"], "template": {**template, "metadata": metadata}}
        return {**current, "spec": spec}

    return await _roll(story, change, "blue")


async def _lose_node(story: Story) -> str:
    loads = Counter(spec_of(pod)["nodeName"] for pod in story.pods())
    victim, count = loads.most_common(1)[0]
    began = time.perf_counter()
    await story.cluster.kill_node(victim)

    def moved() -> bool:
        pods = story.pods()
        ready = [
            pod
            for pod in pods
            if any(
                condition["type"] == "Ready" and condition["status"] == "True"
                for condition in status_of(pod).get("conditions", ())
            )
        ]
        return len(ready) == 8 and all(spec_of(pod)["nodeName"] != victim for pod in pods)

    await wait_for(story.cluster.store, ("pods",), moved)
    seconds = time.perf_counter() - began
    return f"{victim} died with {count} pods; {seconds:.1f} s later 8 are ready: " + _spread(
        story.pods()
    )


async def _tell(story: Story) -> None:
    async def start() -> str:
        await story.endpoint.start()
        nodes = [name_of(node) for node in story.cluster.store.list("nodes")]
        return f"{', '.join(nodes)} ready, API at {story.endpoint.url}"

    await story.step("Start a cluster of three nodes", start)
    await story.step("Deploy web: 5 real processes behind a Service", lambda: _deploy(story))
    await story.step("Send requests to the Service", lambda: _serve(story))
    await story.step("Scale to 8", lambda: _scale(story))
    await story.step(
        "Rolling update to green under load", lambda: _roll(story, _paint_green, "green")
    )
    await story.step("Roll back to blue under load", lambda: _roll_back(story))
    await story.step("Kill a node", lambda: _lose_node(story))


def _summary(story: Story, directory: Path) -> dict[str, Any]:
    return {
        "seconds": round(sum(step.seconds for step in story.steps), 2),
        "steps": [
            {"title": step.title, "result": step.result, "seconds": round(step.seconds, 2)}
            for step in story.steps
        ],
        "eventsInLog": story.cluster.store.sequence,
        "kubeconfig": str(directory / "kubeconfig"),
    }


def _print_summary(console: Console, summary: dict[str, Any]) -> None:
    table = Table(title="Summary", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("step")
    table.add_column("seconds", justify="right")
    for step in summary["steps"]:
        table.add_row(step["title"], f"{step['seconds']:.1f}")
    table.add_row("[bold]in all[/]", f"[bold]{summary['seconds']:.1f}[/]")
    console.print()
    console.print(table)
    console.print(f"{summary['eventsInLog']} events are in the cluster's log.")


async def _run(directory: Path, console: Console, *, keep: bool) -> dict[str, Any]:
    config = ClusterConfig(
        nodes=3,
        data_dir=directory / "state",
        node_heartbeat_seconds=0.5,
        node_grace_seconds=2.0,
    )
    cluster = BareCluster(config)
    endpoint = ServedCluster(cluster, ServingConfig(port=0, kubeconfig=directory / "kubeconfig"))
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    story = Story(cluster, endpoint, console, progress, progress.add_task("", total=STEPS))
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Their default would end this process at once and leave the demo's containers behind.
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        with progress:
            await _tell(story)
        summary = _summary(story, directory)
        if keep:
            _print_summary(console, summary)
            console.print(
                f"\nThe cluster stays up until Ctrl-C:\n"
                f"  export KUBECONFIG={directory / 'kubeconfig'}\n"
                f"  kubectl get nodes,deploy,pods,svc -o wide",
                soft_wrap=True,  # a command that is broken in two can't be copied
            )
            await _interrupted()
    finally:
        await endpoint.stop()
    return summary


async def _interrupted() -> None:
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, asked.set)
    await asked.wait()


def run_demo(*, keep: bool, json_output: bool) -> int:
    """Run the demo in a directory of its own, removed at the end.

    Returns:
        The exit code: 0; 1 when a step failed, with the reason on standard error; 130 or 143 when a
        signal ended it early. The cluster and its processes are gone in every case.
    """
    import uvloop

    configure_logs("error", as_json=False)
    console = Console(quiet=json_output, highlight=False)
    directory = Path(tempfile.mkdtemp(prefix="orchestrator-demo-"))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            summary = runner.run(_run(directory, console, keep=keep))
    except KeyboardInterrupt:
        return 130
    except asyncio.CancelledError:
        return 143
    except TimeoutError:
        print(
            f"orchestrator demo: a step took longer than {STEP_DEADLINE:.0f} s; the machine may "
            "be overloaded: try again, or run 'orchestrator up --log-level debug' to see more",
            file=sys.stderr,
        )
        return 1
    except (ClusterError, OSError) as error:
        print(f"orchestrator demo: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if json_output:
        print(json.dumps(summary, indent=2))
    elif not keep:
        _print_summary(console, summary)
        console.print("\n[dim]Next:[/] orchestrator up --kubeconfig ./kubeconfig")
    return 0
