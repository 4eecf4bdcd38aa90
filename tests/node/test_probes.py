"""Probes: thresholds and words in tables, and whole simulated pods in virtual time.

https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors import _lifecycle as lifecycle
from actors.testing import virtual
from orchestrator.node import simulated_node
from orchestrator.node.probes import Finding, Kind, Outcome, Probe, describe
from orchestrator.node.scripts import foresee

SIM = "simulation.orchestrator/"
S, W, F, E = Outcome.SUCCESS, Outcome.WARNING, Outcome.FAILURE, Outcome.ERRORED


@pytest.mark.parametrize(
    ("spec", "outcomes", "verdicts"),
    [
        ({}, [S, F, F, F, F], [True, None, None, False, False]),
        ({}, [F, F, S, F, F], [None, None, True, None, None]),
        ({"successThreshold": 2}, [S, F, S, S], [None, None, None, True]),
        ({"failureThreshold": 1}, [F, S, F], [False, True, False]),
        ({}, [F, F, E, F], [None, None, None, False]),
        ({}, [W, W], [True, True]),
    ],
)
def test_a_result_counts_when_its_threshold_is_reached(
    spec: dict[str, Any], outcomes: list[Outcome], verdicts: list[bool | None]
) -> None:
    """In a row; what could not be done counts neither way, a warning counts as a success."""
    probe = Probe(Kind.READINESS, spec)
    assert [probe.take(outcome) for outcome in outcomes] == verdicts


@pytest.mark.parametrize(
    ("delay", "now", "expected"), [(0, 100.0, 100.0), (30, 100.0, 120.0), (5, 100.0, 100.0)]
)
def test_the_first_probing_is_a_delay_after_the_containers_start(
    delay: int, now: float, expected: float
) -> None:
    """``initialDelaySeconds`` count from the start, whoever was restarted since."""
    probe = Probe(Kind.LIVENESS, {"initialDelaySeconds": delay})
    assert probe.first_at(90.0, now) == expected


@pytest.mark.parametrize(
    ("after", "expected"), [(100.0, 110.0), (110.0, 110.0), (110.5, 120.0), (131.0, 140.0)]
)
def test_turns_are_whole_periods_apart(after: float, expected: float) -> None:
    """Also when some of them were left out, since nothing could have come of them."""
    assert Probe(Kind.LIVENESS, {"periodSeconds": 10}).next_at(100.0, after) == expected


@pytest.mark.parametrize(
    ("kind", "outcome", "expected"),
    [
        (Kind.LIVENESS, F, ("Unhealthy", "Liveness probe failed: x")),
        (Kind.READINESS, W, ("ProbeWarning", "Readiness probe warning: x")),
        (Kind.STARTUP, E, ("Unhealthy", "Startup probe errored and resulted in unknown state: x")),
        (Kind.STARTUP, S, None),
    ],
)
def test_events_tell_of_results_in_the_kubelets_words(
    kind: Kind, outcome: Outcome, expected: tuple[str, str] | None
) -> None:
    """Scripts look for them."""
    assert describe(kind, Finding(outcome, "x")) == expected


@pytest.mark.parametrize(
    ("script", "kind", "now", "expected"),
    [
        ({}, Kind.LIVENESS, 5.0, (S, None)),
        ({"ready-after-seconds": "7"}, Kind.READINESS, 5.0, (F, 7.0)),
        ({"ready-after-seconds": "7"}, Kind.READINESS, 7.0, (S, None)),
        ({"ready-after-seconds": "7"}, Kind.LIVENESS, 5.0, (S, None)),
        ({"unready": "true"}, Kind.READINESS, 5.0, (F, None)),
        ({"unready": "false"}, Kind.READINESS, 5.0, (S, None)),
        ({"c.unready": "true"}, Kind.READINESS, 5.0, (F, None)),
        ({"d.unready": "true"}, Kind.READINESS, 5.0, (S, None)),
        ({"started-after-seconds": "9"}, Kind.STARTUP, 5.0, (F, 9.0)),
        ({"live-fails-after-seconds": "9"}, Kind.LIVENESS, 5.0, (S, 9.0)),
        ({"live-fails-after-seconds": "4"}, Kind.LIVENESS, 5.0, (F, None)),
        ({"live-fails-after-seconds": "x"}, Kind.LIVENESS, 5.0, (F, None)),
    ],
)
def test_annotations_script_the_probes_of_simulated_containers(
    script: dict[str, str], kind: Kind, now: float, expected: tuple[Outcome, float | None]
) -> None:
    """Each says how a probe goes and when that may change; seconds count from the start."""
    container = {"name": "c"}
    pod = {
        "metadata": {"annotations": {f"{SIM}{key}": value for key, value in script.items()}},
        "spec": {"containers": [container]},
    }
    forecast = foresee(pod, container, kind, 0.0, now)
    assert (forecast.finding.outcome, forecast.until) == expected


# -- whole pods


@pytest.fixture
def one(clusters: Any, simulated: Any) -> Any:
    """A cluster of one simulated node, with options for the runtime."""
    return lambda **options: clusters(simulated(**options), [simulated_node(1, events=True)])


def entry(cluster: Any, name: str) -> Any:
    """What the node keeps of a pod."""
    cell = cluster.system.guardian
    for child in ("nodes", "node-1"):
        cell = cell.rare().children[child]
    return cell.actor._pods[cluster.pod(name)["metadata"]["uid"]]


def probe(**more: Any) -> dict[str, Any]:
    """A probe's entry."""
    return {"httpGet": {"port": 80}, **more}


def ready(cluster: Any, name: str) -> dict[str, str]:
    """The status of a pod's readiness, with the reason."""
    found = {item["type"]: item for item in cluster.pod(name)["status"]["conditions"]}["Ready"]
    return {key: found[key] for key in ("status", "reason", "message") if key in found}


NOT_READY = {
    "status": "False",
    "reason": "ContainersNotReady",
    "message": "containers with unready status: [c]",
}


async def annotate(cluster: Any, name: str, **values: str | None) -> None:
    """Change a pod's script; None takes an annotation away."""

    def change(pod: Any) -> Any:
        found = dict(pod["metadata"].get("annotations") or {})
        for key, value in values.items():
            found.pop(SIM + key.replace("_", "-"), None)
            if value is not None:
                found[SIM + key.replace("_", "-")] = value
        return {**pod, "metadata": {**pod["metadata"], "annotations": found}}

    await cluster.store.modify("pods", "default", name, change)


def test_readiness_waits_for_its_delay_and_its_successes(one: Any) -> None:
    """Then the pod is ready, and costs nothing any more."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            container = {
                "readinessProbe": probe(initialDelaySeconds=5, periodSeconds=3, successThreshold=3)
            }
            begin = cluster.store.clock.now()
            await cluster.run("web", container=container)
            await cluster.until_running("web")
            assert (cluster.status("web")["started"], cluster.status("web")["ready"]) == (
                True,
                False,
            )
            assert ready(cluster, "web") == NOT_READY
            await cluster.until(lambda: cluster.status("web")["ready"])
            assert cluster.store.clock.now() - begin == pytest.approx(11, abs=0.1)
            assert ready(cluster, "web") == {"status": "True"}
            await asyncio.sleep(0.1)
            assert entry(cluster, "web").ref is None

    scenario()


def test_a_startup_probe_holds_back_the_others_and_gives_up_at_its_threshold(one: Any) -> None:
    """The container is killed and restarted, in the kubelet's words."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            container = {
                "startupProbe": probe(periodSeconds=2, failureThreshold=3),
                "livenessProbe": probe(),
            }
            annotations = {
                f"{SIM}started-after-seconds": "1000",
                f"{SIM}live-fails-after-seconds": "0",
            }
            await cluster.run("web", container=container, annotations=annotations)
            await cluster.until_running("web")
            assert (cluster.status("web")["started"], cluster.status("web")["ready"]) == (
                False,
                False,
            )
            await cluster.until(lambda: cluster.status("web")["restartCount"] == 1)
            told = cluster.events.messages("web", "Unhealthy")
            # The fourth is the next attempt's first.
            assert told == [f"Startup probe failed: {SIM}started-after-seconds"] * 4
            text = "Container c failed startup probe, will be restarted"
            assert cluster.events.messages("web", "Killing") == [text]
            assert cluster.status("web")["lastState"]["terminated"]["exitCode"] == 143

    scenario()


def test_a_started_container_is_probed_for_readiness_at_once(one: Any) -> None:
    """As soon as the startup probe has succeeded; nothing is probed for startup again."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            container = {
                "startupProbe": probe(periodSeconds=4, failureThreshold=30),
                "readinessProbe": probe(),
            }
            annotations = {f"{SIM}started-after-seconds": "10"}
            begin = cluster.store.clock.now()
            await cluster.run("web", container=container, annotations=annotations)
            await cluster.until(lambda: cluster.status("web").get("ready"), timeout=100)
            assert cluster.store.clock.now() - begin == pytest.approx(12, abs=0.1)
            assert len(cluster.events.messages("web", "Unhealthy")) == 3
            await asyncio.sleep(0.1)
            assert entry(cluster, "web").ref is None

    scenario()


@pytest.mark.parametrize(
    ("policy", "words", "phase"),
    [
        ("Always", "Container c failed liveness probe, will be restarted", "Running"),
        ("Never", "Container c failed liveness probe", "Failed"),
    ],
)
def test_a_container_that_fails_its_liveness_probe_is_killed(
    one: Any, policy: str, words: str, phase: str
) -> None:
    """And restarted, if the pod's policy lets it."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            container = {"livenessProbe": probe(periodSeconds=5, failureThreshold=2)}
            annotations = {f"{SIM}live-fails-after-seconds": "12"}
            await cluster.run(
                "web", container=container, annotations=annotations, restartPolicy=policy
            )
            await cluster.until_running("web")
            await asyncio.sleep(21)
            assert cluster.events.messages("web", "Killing") == [words]
            assert cluster.pod("web")["status"]["phase"] == phase
            assert cluster.status("web")["restartCount"] == (1 if policy == "Always" else 0)

    scenario()


def test_a_probes_own_grace_wins(one: Any) -> None:
    """``terminationGracePeriodSeconds`` of the probe, not of the pod."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            container = {
                "livenessProbe": probe(failureThreshold=1, terminationGracePeriodSeconds=4)
            }
            annotations = {f"{SIM}live-fails-after-seconds": "0", f"{SIM}stop-seconds": "never"}
            await cluster.run(
                "web",
                container=container,
                annotations=annotations,
                terminationGracePeriodSeconds=300,
            )
            await cluster.until(lambda: cluster.status("web").get("restartCount") == 1)
            ended = cluster.status("web")["lastState"]["terminated"]
            assert ended["exitCode"] == 137
            assert cluster.store.clock.now() == pytest.approx(
                cluster.manager._runtimes["simulated"]
                .known(cluster.pod("web")["metadata"]["uid"])[0]
                .started.started_at
                + 4,
                abs=0.1,
            )

    scenario()


def test_a_running_pods_readiness_follows_its_annotations(one: Any) -> None:
    """With a probe or without one, at rest or not; each change is a change of Ready and no more."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            await cluster.run("web")
            await cluster.until_running("web")
            await annotate(cluster, "web", unready="true")
            await cluster.until(lambda: ready(cluster, "web") == NOT_READY)
            assert (cluster.status("web")["started"], cluster.status("web")["ready"]) == (
                True,
                False,
            )
            text = f"Readiness probe failed: {SIM}unready"
            assert cluster.events.messages("web", "Unhealthy") == [text]
            await asyncio.sleep(100)
            assert cluster.events.messages("web", "Unhealthy") == [text]
            assert entry(cluster, "web").ref is None
            await annotate(cluster, "web", unready=None)
            await cluster.until(lambda: ready(cluster, "web") == {"status": "True"})
            assert cluster.status("web")["restartCount"] == 0

    scenario()


def test_a_restarted_actor_keeps_what_probes_have_told(one: Any) -> None:
    """A pod that was ready is not unready for a moment."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            container = {
                "readinessProbe": probe(periodSeconds=100, successThreshold=2),
                "startupProbe": probe(),
            }
            pod = await cluster.run("web", container=container, activeDeadlineSeconds=10000)
            await cluster.until(lambda: cluster.status("web").get("ready"), timeout=200)
            seen = []
            follower = cluster.store.follow(("pods",), lambda: None)
            node = cluster.manager._ref.rare().children["node-1"]
            lifecycle.fail(node.rare().children[pod["metadata"]["uid"]], RuntimeError())
            await asyncio.sleep(500)
            seen = [event.object for event in follower.take(100)]
            assert all(item["status"]["containerStatuses"][0]["ready"] for item in seen)
            assert ready(cluster, "web") == {"status": "True"}

    scenario()


def test_a_sidecar_that_has_not_started_holds_up_the_pod(one: Any) -> None:
    """Its startup probe decides when what follows may start.

    https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
    """

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            sidecar = {
                "name": "s",
                "image": "i",
                "restartPolicy": "Always",
                "startupProbe": probe(periodSeconds=1, failureThreshold=60),
                "readinessProbe": probe(),
            }
            annotations = {f"{SIM}s.started-after-seconds": "30", f"{SIM}s.unready": "true"}
            await cluster.run("web", initContainers=[sidecar], annotations=annotations)
            await asyncio.sleep(29)
            assert cluster.state("web")[0] == "waiting"
            assert cluster.pod("web")["status"]["phase"] == "Pending"
            await asyncio.sleep(2)
            assert cluster.state("web")[0] == "running"
            assert ready(cluster, "web")["message"] == "containers with unready status: [s]"

    scenario()


def test_a_readiness_gate_flips_readiness_when_its_condition_is_patched(one: Any) -> None:
    """Whoever writes it; the pod rests before and after.

    https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-readiness-gate
    """

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            gates = [{"conditionType": "example.com/a"}, {"conditionType": "example.com/b"}]
            await cluster.run("web", readinessGates=gates)
            await cluster.until_running("web")
            missing = "corresponding condition of pod readiness gate {} does not exist."
            assert ready(cluster, "web") == {
                "status": "False",
                "reason": "ReadinessGatesNotReady",
                "message": ", ".join(missing.format(f'"example.com/{k}"') for k in "ab"),
            }

            async def set_gates(status: str) -> None:
                def change(pod: Any) -> Any:
                    kept = [c for c in pod["status"]["conditions"] if "example" not in c["type"]]
                    new = [{"type": gate["conditionType"], "status": status} for gate in gates]
                    return {**pod, "status": {**pod["status"], "conditions": kept + new}}

                await cluster.store.modify(
                    "pods", "default", "web", change, subresource="status", admit=False
                )

            await set_gates("True")
            await cluster.until(lambda: ready(cluster, "web") == {"status": "True"})
            await asyncio.sleep(0.1)
            assert entry(cluster, "web").ref is None
            await set_gates("False")
            await cluster.until(lambda: ready(cluster, "web")["status"] == "False")

    scenario()
