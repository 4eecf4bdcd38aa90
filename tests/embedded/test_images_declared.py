"""What images are said to do without a function, and what functions answer.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest

from orchestrator import Cluster, ClusterError, Container, Exit, StatusError
from orchestrator.embedded.containers.commands import Command, Connection
from orchestrator.embedded.containers.images import without_tag
from orchestrator.embedded.containers.serving import Request
from orchestrator.node.usage.objects import pod_metrics
from orchestrator.resources.objects import Object
from tests.embedded.kit import EPOCH, deployment, on_a_real_loop
from tests.embedded.test_images import pod, quiet, state_of


async def logs_of(cluster: Cluster, query: str, name: str = "one") -> str:
    """Return a pod's log as the API gives it for some options."""
    path = f"/api/v1/namespaces/default/pods/{name}/log?{query}"
    pieces: list[bytes] = []

    async def receive() -> Object:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        pieces.append(message.get("body", b""))

    where, _, options = path.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": where,
        "raw_path": where.encode(),
        "query_string": options.encode(),
        "headers": [],
        "orchestrator.internal": True,
    }
    await cluster.asgi(scope, receive, send)
    return b"".join(pieces).decode()


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("web", "web"),
        ("web:1", "web"),
        ("registry:5000/web", "registry:5000/web"),
        ("registry:5000/web:1", "registry:5000/web"),
        ("web@sha256:ab", "web"),
        ("web:1@sha256:ab", "web"),
    ],
)
def test_a_name_without_a_tag_is_told(image: str, name: str) -> None:
    """A port of a registry is no tag."""
    assert without_tag(image) == name


def test_the_nearest_name_says_what_an_image_does() -> None:
    """As given, then without a tag, then the pattern that was declared last."""
    cluster = quiet()
    for name in ("web:1", "web", "*", "registry/*"):
        cluster.image(name, termination_message=name)
    book = cluster.images
    assert book is not None
    found = {
        image: book.find(image)
        for image in ("web:1", "web:2", "registry/web:1", "other", "registry:5000/web")
    }
    said = {image: one and one.words["termination-message"] for image, one in found.items()}
    assert said == {
        "web:1": "web:1",
        "web:2": "web",
        "registry/web:1": "registry/*",
        "other": "*",
        "registry:5000/web": "*",
    }
    cluster.image("other", run_seconds=3)
    other = book.find("other")
    assert other is not None
    assert other.words == {"run-seconds": "3"}


def test_what_contradicts_itself_is_refused() -> None:
    """At the declaration, not when a pod comes."""
    cluster = quiet()
    with pytest.raises(ClusterError, match="crash_after and run_seconds both say"):
        cluster.image("web", crash_after=1, run_seconds=2)
    with pytest.raises(ClusterError, match=r"start_seconds: -1 seconds are none"):
        cluster.image("web", start_seconds=-1)
    with pytest.raises(ClusterError, match="an image has a name"):
        cluster.image("")
    with pytest.raises(ValueError, match="neither a quantity nor a percentage"):
        cluster.image("web", cpu="much")
    with pytest.raises(ValueError, match="there is no port 0"):
        cluster.image("web").port(0)


@on_a_real_loop
async def test_starts_readiness_and_ends_are_said_of_an_image() -> None:
    """In the cluster's seconds; a pod's annotations go first."""
    async with quiet() as cluster:
        cluster.image("web:1", start_seconds=2, ready_seconds=5)
        cluster.image("job:*", run_seconds=30)
        cluster.image("bad", crash_after=4)
        cluster.image("done", exit_code=0)
        quick = {"annotations": {"simulation.orchestrator/ready-after-seconds": "1"}}
        await cluster.apply(
            [
                pod("web", image="web:1"),
                pod("quick", image="web:1", metadata=quick),
                pod("job", image="job:7"),
                pod("bad", image="bad:1"),
                pod("done", image="done"),
            ]
        )
        await cluster.wait("pods/quick", "Ready")
        assert cluster.clock.now() - EPOCH == 3
        await cluster.wait("pods/web", "Ready")
        assert cluster.clock.now() - EPOCH == 7
        assert (await state_of(cluster, "bad"))["terminated"]["exitCode"] == 1
        assert (await state_of(cluster, "done"))["terminated"]["exitCode"] == 0
        assert "running" in await state_of(cluster, "job")
        await cluster.wait("pods/job", "jsonpath={.status.phase}=Succeeded")
        assert cluster.clock.now() - EPOCH == 30


@on_a_real_loop
async def test_an_image_that_cannot_be_pulled_is_tried_again_with_growing_delays() -> None:
    """``ErrImagePull``, then ``ImagePullBackOff``: 10 s, 20 s and so on, as a kubelet does."""
    async with quiet() as cluster:
        cluster.image("web:1", refuse="ErrImagePull: web:1: not found")
        await cluster.apply(pod(image="web:1"))
        seen: list[tuple[float, Object]] = []
        await cluster.clock.advance(0)
        for _ in range(40):
            waiting = (await state_of(cluster)).get("waiting") or {}
            if not seen or seen[-1][1] != waiting:
                seen.append((cluster.clock.now() - EPOCH, waiting))
            await cluster.clock.advance(1)
        refused = {"reason": "ErrImagePull", "message": "web:1: not found"}
        held = {
            "reason": "ImagePullBackOff",
            "message": 'Back-off pulling image "web:1": ErrImagePull: web:1: not found',
        }
        assert seen == [
            (0, refused),
            (1, held),
            (10, refused),
            (11, held),
            (30, refused),
            (31, held),
        ]
        events = {(event["reason"], event["message"]) for event in cluster.store.list("events")}
        assert {
            ("Pulling", 'Pulling image "web:1"'),
            ("Failed", 'Failed to pull image "web:1": web:1: not found'),
            ("Failed", "Error: ErrImagePull"),
            ("BackOff", 'Back-off pulling image "web:1"'),
            ("Failed", "Error: ImagePullBackOff"),
        } <= events
        assert (await cluster.api.get("pods", "one"))["status"]["phase"] == "Pending"
        cluster.image("web:1")
        await cluster.wait("pods/one", "Ready", timeout=60)


@on_a_real_loop
async def test_logs_are_read_with_all_options() -> None:
    """Tail, times, a moment to begin with; written by a declaration as by a function."""
    async with quiet() as cluster:
        cluster.image("worker:1", logs=["first", (10, "second"), (20, "third\nfourth")])
        cluster.image("named", logs=lambda container: [f"on {container.node}"])
        await cluster.apply([pod(), pod("two", image="named"), pod("mute", image="mute")])
        await cluster.clock.advance(15)
        assert await logs_of(cluster, "") == "first\nsecond\n"
        await cluster.clock.advance(15)
        assert await logs_of(cluster, "tailLines=2") == "third\nfourth\n"
        assert await logs_of(cluster, "sinceTime=2026-01-01T00:00:20Z") == "third\nfourth\n"
        assert await logs_of(cluster, "sinceSeconds=25") == "second\nthird\nfourth\n"
        assert await logs_of(cluster, "limitBytes=8") == "first\nse"
        stamped = await logs_of(cluster, "timestamps=true&tailLines=1")
        assert stamped == "2026-01-01T00:00:20.000000000Z fourth\n"
        assert await logs_of(cluster, "", "two") == "on node-1\n"
        assert await logs_of(cluster, "", "mute") == ""
        with pytest.raises(StatusError, match='previous terminated container "main" in pod "one"'):
            await cluster.api.logs("one", previous=True)


@on_a_real_loop
async def test_a_followed_log_ends_with_its_container() -> None:
    """Whoever follows gets each line when it is written, and never holds time up."""
    async with quiet() as cluster:

        @cluster.image("worker:1")
        async def worker(container: Container) -> None:
            for number in range(3):
                container.log(number)
                await container.sleep(3600)

        await cluster.apply(pod())
        await cluster.wait("pods/one", "Ready")
        heard: list[str] = []

        async def listen() -> None:
            async with cluster.api.follow_logs("one") as lines:
                heard.extend([line async for line in lines])

        listening = asyncio.create_task(listen())
        await cluster.clock.advance(hours=1, seconds=1)
        await cluster.clock.advance(hours=3)
        await asyncio.wait_for(listening, 5)
        assert heard == ["0", "1", "2"]


@on_a_real_loop
async def test_the_oldest_lines_go_when_a_log_gets_too_long() -> None:
    """As a kubelet's rotation: the newest 10 MiB are kept."""
    async with quiet() as cluster:

        @cluster.image("worker:1")
        async def worker(container: Container) -> None:
            for number in range(12):
                container.log(number, "x" * 1024 * 1024)
            await container.terminated

        await cluster.apply(pod())
        await cluster.wait("pods/one", "Ready")
        lines = (await cluster.api.logs("one")).splitlines()
        assert 9 * 1024 * 1024 < sum(map(len, lines)) <= 10 * 1024 * 1024
        assert lines[-1].startswith("11 x")
        assert len(lines[-1]) == 1024 * 1024 + 3


@on_a_real_loop
async def test_the_end_of_the_log_is_the_termination_message_where_that_is_asked_for() -> None:
    """``FallbackToLogsOnError``."""
    async with quiet() as cluster:
        cluster.image("bad", crash_after=1, logs=["out of luck"])
        policy = {"terminationMessagePolicy": "FallbackToLogsOnError"}
        await cluster.apply(pod(image="bad", main=policy))
        await cluster.clock.advance(2)
        assert (await state_of(cluster))["terminated"]["message"] == "out of luck\n"


@on_a_real_loop
async def test_a_function_answers_commands() -> None:
    """From its arguments and input to output, errors and exit code; the rest is built in."""
    async with quiet() as cluster:
        worker = cluster.image("worker:1", logs=["up"])

        @worker.exec
        async def run(command: Command) -> object:
            match command.argv:
                case ["whoami"]:
                    return f"{command.container.pod['metadata']['name']}\n"
                case ["upper"]:
                    await command.write((await command.read_all()).upper())
                    return None
                case ["fail"]:
                    await command.write_error("no\n")
                    return 4
                case ["leave"]:
                    raise Exit(6)
                case ["break"]:
                    raise ValueError("oh")
            return NotImplemented

        env = [{"name": "COLOUR", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
        await cluster.apply(pod(main={"env": env}))
        await cluster.wait("pods/one", "Ready")
        api = cluster.api
        assert await api.exec("one", ["whoami"]) == (0, "one\n", "")
        assert await api.exec("one", ["upper"], stdin="loud") == (0, "LOUD", "")
        assert await api.exec("one", ["fail"]) == (4, "", "no\n")
        assert await api.exec("one", ["leave"]) == (6, "", "")
        assert await api.exec("one", ["break"]) == (1, "", "ValueError: oh\n")
        assert await api.exec("one", ["echo", "hi"]) == (0, "hi\n", "")
        assert "COLOUR=one\n" in (await api.exec("one", ["env"])).stdout


@on_a_real_loop
async def test_a_container_may_answer_commands_by_itself() -> None:
    """Before its image does; the answer sees what its main process knows."""
    async with quiet() as cluster:

        @cluster.image("worker:1")
        async def worker(container: Container) -> None:
            done = 0

            @container.on_exec
            def progress(command: Command) -> str:
                return f"{done} of {command.argv[1]}"

            while True:
                await container.sleep(1)
                done += 1

        await cluster.apply(pod())
        await cluster.wait("pods/one", "Ready")
        await cluster.clock.advance(7)
        assert (await cluster.api.exec("one", ["progress", "10"])).stdout == "7 of 10"


@on_a_real_loop
async def test_functions_answer_probes() -> None:
    """Commands and ports; a liveness probe that fails restarts the container."""
    healthy, ready = True, False
    async with quiet() as cluster:
        web = cluster.image("web:1")

        @web.exec
        def check(command: Command) -> int:
            assert command.argv == ["check", "health"]
            return 0 if healthy else 1

        @web.port(8080)
        async def serve(connection: Connection) -> None:
            request = await connection.read()
            code = 200 if ready and request.startswith(b"GET /ready HTTP/1.1\r\n") else 503
            await connection.write(f"HTTP/1.1 {code} Said\r\nContent-Length: 0\r\n\r\n")

        probes = {
            "ports": [{"name": "http", "containerPort": 8080}],
            "livenessProbe": {
                "exec": {"command": ["check", "health"]},
                "periodSeconds": 5,
                "failureThreshold": 1,
            },
            "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 2},
            "startupProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        }
        await cluster.apply(pod(image="web:1", restartPolicy="Always", main=probes))
        await cluster.clock.advance(20)
        found = await cluster.api.get("pods", "one")
        (status,) = found["status"]["containerStatuses"]
        assert (status["started"], status["ready"], status["restartCount"]) == (True, False, 0)
        messages = {event["message"] for event in cluster.store.list("events")}
        assert "Readiness probe failed: HTTP probe failed with statuscode: 503" in messages
        ready = True
        await cluster.wait("pods/one", "Ready", timeout=5)
        healthy = False
        await cluster.clock.advance(10)
        found = await cluster.api.get("pods", "one")
        assert found["status"]["containerStatuses"][0]["restartCount"] >= 1


@on_a_real_loop
async def test_a_probe_of_a_port_that_nobody_serves_is_refused() -> None:
    """An image that serves some port says by that that it serves no other."""
    async with quiet() as cluster:

        @cluster.image("web:1").port(80)
        async def serve(connection: Connection) -> None:
            await connection.write("hello")

        probe = {"tcpSocket": {"port": 81}}
        await cluster.apply(
            [
                pod("one", image="web:1", main={"readinessProbe": {"tcpSocket": {"port": 80}}}),
                pod("two", image="web:1", main={"readinessProbe": probe}),
            ]
        )
        await cluster.clock.advance(5)
        assert (await cluster.wait("pods/one", "Ready", timeout=1)) is not None
        two = await cluster.api.get("pods", "two")
        assert not two["status"]["containerStatuses"][0]["ready"]
        messages = [event["message"] for event in cluster.store.list("events")]
        assert any(
            re.fullmatch(
                r"Readiness probe failed: dial tcp [0-9.]+:81: connect: connection refused.*", text
            )
            for text in messages
        )


@on_a_real_loop
async def test_what_an_image_uses_is_seen_by_metrics_and_autoscalers() -> None:
    """A quantity, or a function of a container's age; an annotation goes first."""
    async with quiet() as cluster:
        cluster.image("web:1", cpu=lambda age: "100m" if age < 60 else "900m", memory="64Mi")
        web = deployment(replicas=1)
        main = web["spec"]["template"]["spec"]["containers"][0]
        main["resources"] = {"requests": {"cpu": "500m"}}
        scaler = {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "maxReplicas": 2,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {
                            "name": "cpu",
                            "target": {"type": "Utilization", "averageUtilization": 60},
                        },
                    }
                ],
            },
        }
        note = {"annotations": {"simulation.orchestrator/cpu-usage": "7m"}}
        await cluster.apply([web, scaler, pod(image="web:1", metadata=note)])
        await cluster.clock.advance(45)
        meter = cluster.core.meter
        assert meter is not None
        (mine,) = await meter.pods([await cluster.api.get("pods", "one")])
        used = pod_metrics(mine)["containers"][0]["usage"]
        assert used == {"cpu": "7000000n", "memory": "65536Ki"}
        assert (await cluster.api.get("deployment", "web"))["spec"]["replicas"] == 1
        await cluster.clock.advance(60)
        assert (await cluster.api.get("deployment", "web"))["spec"]["replicas"] == 2


@on_a_real_loop
async def test_images_may_be_said_before_the_cluster_starts() -> None:
    """And anew while it runs, for what is started from then on."""
    cluster = quiet()
    cluster.image("web:1", ready=False)
    async with cluster:
        await cluster.apply(pod("one", image="web:1"))
        await cluster.clock.advance(5)
        assert not (await cluster.api.get("pods", "one"))["status"]["containerStatuses"][0]["ready"]
        cluster.image("web:1")
        await cluster.apply(pod("two", image="web:1"))
        await cluster.wait("pods/two", "Ready")


@on_a_real_loop
async def test_requests_to_ports_go_through_the_apis_proxies() -> None:
    """Of the pod, and of a Service in front of it; a port that nobody serves is refused."""
    async with Cluster(nodes=1, epoch=EPOCH) as cluster:

        @cluster.image("web:1").http(8080)
        async def answer(request: Request) -> object:
            match request.method, request.path:
                case "GET", "/hello":
                    who = request.container.pod["metadata"]["name"]
                    return {"from": who, "query": dict(request.query)}
                case "POST", "/echo":
                    return 201, request.body
                case "GET", "/gone":
                    return 410
            raise ValueError("what?")

        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
        }
        metadata = {"labels": {"app": "web"}}
        probe = {"readinessProbe": {"httpGet": {"path": "/hello", "port": 8080}}}
        await cluster.apply([service, pod(image="web:1", metadata=metadata, main=probe)])
        await cluster.wait("pods/one", "Ready")
        core = f"{cluster.url}/api/v1/namespaces/default"
        pods, services = f"{core}/pods/one:8080/proxy", f"{core}/services/web:80/proxy"
        async with httpx.AsyncClient(trust_env=False) as client:
            hello = await client.get(f"{pods}/hello?a=1")
            assert hello.json() == {"from": "one", "query": {"a": "1"}}
            echo = await client.post(f"{services}/echo", content=b"data")
            assert (echo.status_code, echo.content) == (201, b"data")
            assert (await client.get(f"{pods}/gone")).status_code == 410
            broken = await client.get(f"{pods}/other")
            assert (broken.status_code, broken.text) == (500, "ValueError: what?\n")
            refused = await client.get(f"{core}/pods/one:81/proxy/")
            assert refused.status_code == 503
            assert ":81: connect: connection refused" in refused.json()["message"]
        assert await cluster.api.logs("one") == "ValueError: what?\n"


@on_a_real_loop
async def test_functions_run_the_commands_of_hooks() -> None:
    """``postStart`` before the container counts as running, ``preStop`` before SIGTERM."""
    told: list[str] = []
    async with quiet() as cluster:
        web = cluster.image("web:1")

        @web
        async def serve(container: Container) -> None:
            await container.terminated
            told.append(f"SIGTERM at {container.clock.now() - EPOCH:g}")

        @web.exec
        async def run(command: Command) -> None:
            await command.sleep(4)
            told.append(f"{command.argv[0]} at {command.container.clock.now() - EPOCH:g}")

        hooks = {
            "postStart": {"exec": {"command": ["warm-up"]}},
            "preStop": {"exec": {"command": ["say-goodbye"]}},
        }
        await cluster.apply(pod(image="web:1", main={"lifecycle": hooks}))
        await cluster.wait("pods/one", "Ready")
        assert cluster.clock.now() - EPOCH == 4
        await cluster.api.delete("pods", "one")
        await cluster.wait("pods/one", "delete")
        assert told == ["warm-up at 4", "say-goodbye at 8", "SIGTERM at 8"]
