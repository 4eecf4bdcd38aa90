"""Functions as containers of simulated pods, in virtual time.

What becomes of a pod is as upstream says it:
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from actors.testing import virtual
from orchestrator import Cluster, ClusterError, Container, Exit, StatusError
from orchestrator.resources.objects import Object
from tests.embedded.kit import EPOCH, on_a_real_loop


def pod(name: str = "one", image: str = "worker:1", **spec: Any) -> Object:
    """Build a pod of one container, ``main``; what ``main`` says goes into that."""
    main = {"name": "main", "image": image, **spec.pop("main", {})}
    metadata = {"name": name, **spec.pop("metadata", {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"restartPolicy": "Never", "containers": [main], **spec},
    }


def quiet(seed: int | None = None) -> Cluster:
    """Make a cluster of one node for callers in this program."""
    return Cluster(nodes=1, listen=None, epoch=EPOCH, seed=seed)


async def state_of(cluster: Cluster, name: str = "one") -> Object:
    """Return the state of a pod's first container."""
    found = await cluster.api.get("pods", name)
    state: Object = found["status"]["containerStatuses"][0]["state"]
    return state


@on_a_real_loop
async def test_a_function_runs_as_the_main_process() -> None:
    """It sees its environment, sleeps in the cluster's time, writes its log, and ends well."""
    async with quiet() as cluster:

        @cluster.image("worker:1")
        async def worker(container: Container) -> None:
            container.log("began in", container.env["WHERE"], container.args)
            await container.sleep(30)
            container.error("done")

        assert repr(worker) == "<Image worker:1>"
        env = [{"name": "WHERE", "value": "berlin"}]
        await cluster.apply(pod(main={"env": env, "args": ["--in", "$(WHERE)"]}))
        await cluster.wait("pods/one", "Ready")
        await cluster.clock.advance(29)
        assert "running" in await state_of(cluster)
        assert await cluster.api.logs("one") == "began in berlin ['--in', 'berlin']\n"
        await cluster.clock.advance(1)
        ended = (await state_of(cluster))["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (0, "Completed")
        assert ended["finishedAt"] == "2026-01-01T00:00:30Z"
        assert await cluster.api.logs("one", tail=1) == "done\n"


@on_a_real_loop
async def test_its_end_is_the_containers_end() -> None:
    """An integer is the exit code, `Exit` and ``sys.exit`` too; an exception is 1, with a trace."""

    async def returns(_: Container) -> int:
        return 7

    async def leaves(_: Container) -> None:
        raise Exit(3)

    async def exits(_: Container) -> None:
        raise SystemExit("no more")

    async def fails(_: Container) -> None:
        raise ValueError("broken")

    async def strays(_: Container) -> str:
        return "done"

    functions: dict[str, Callable[[Container], Awaitable[object]]] = {
        "returns": returns,
        "leaves": leaves,
        "exits": exits,
        "fails": fails,
        "strays": strays,
    }
    async with quiet() as cluster:
        for name, function in functions.items():
            cluster.image(name)(function)
            await cluster.apply(pod(name, image=f"{name}:latest"))
        await cluster.clock.advance(1)
        codes = {}
        for name in functions:
            codes[name] = (await state_of(cluster, name))["terminated"]["exitCode"]
        assert codes == {"returns": 7, "leaves": 3, "exits": 1, "fails": 1, "strays": 1}
        assert await cluster.api.logs("exits") == "no more\n"
        trace = (await cluster.api.logs("fails")).splitlines()
        assert trace[0] == "Traceback (most recent call last):"
        assert trace[1].endswith("in fails")
        assert trace[-1] == "ValueError: broken"
        assert "'done'" in await cluster.api.logs("strays")


@on_a_real_loop
async def test_it_runs_again_with_each_restart() -> None:
    """``previous`` reads the log of the life before; the crash-loop delay is upstream's."""
    async with quiet() as cluster:

        @cluster.image("worker:1")
        async def worker(container: Container) -> int | None:
            container.log("life", container.restart_count)
            if container.restart_count < 2:
                return 1
            await container.terminated
            return None

        await cluster.apply(pod(restartPolicy="Always"))
        await cluster.clock.advance(5)
        waiting = (await state_of(cluster))["waiting"]
        assert waiting["reason"] == "CrashLoopBackOff"
        await cluster.clock.advance(60)
        found = await cluster.api.get("pods", "one")
        assert found["status"]["containerStatuses"][0]["restartCount"] == 2
        assert await cluster.api.logs("one") == "life 2\n"
        assert await cluster.api.logs("one", previous=True) == "life 1\n"


@on_a_real_loop
async def test_sigterm_is_told_and_who_ignores_it_is_killed_after_the_grace() -> None:
    """A container that handles SIGTERM may take its time; the other gets SIGKILL."""
    ended: list[str] = []
    async with quiet() as cluster:

        @cluster.image("polite")
        async def polite(container: Container) -> None:
            await container.terminated
            assert container.terminated.is_set()
            await container.sleep(4)
            ended.append("polite")

        @cluster.image("deaf")
        async def deaf(container: Container) -> None:
            try:
                await container.sleep(1e6)
            finally:
                ended.append("deaf")

        await cluster.apply([pod("one", image="polite"), pod("two", image="deaf")])
        await cluster.wait("pods/one", "Ready")
        await cluster.api.delete("pods", "one")
        await cluster.api.delete("pods", "two", grace_seconds=10)
        await cluster.clock.advance(3)
        assert ended == []
        await cluster.clock.advance(1)
        assert ended == ["polite"]
        assert [item["metadata"]["name"] for item in await cluster.api.list("pods")] == ["two"]
        await cluster.clock.advance(5)
        assert ended == ["polite"]
        await cluster.clock.advance(1)
        assert ended == ["polite", "deaf"]
        assert await cluster.api.list("pods") == []


@on_a_real_loop
async def test_its_environment_is_a_processs_and_refused_as_such() -> None:
    """References to objects, the downward API and Services; a missing one keeps it waiting."""
    seen: dict[str, str] = {}
    async with quiet() as cluster:

        @cluster.image("worker:1")
        async def worker(container: Container) -> None:
            seen.update(container.env)

        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "store"},
            "spec": {"ports": [{"port": 80}], "clusterIP": "10.96.7.7"},
        }
        reference = {"configMapKeyRef": {"name": "settings", "key": "colour"}}
        env = [
            {"name": "COLOUR", "valueFrom": reference},
            {"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "BOTH", "value": "$(ME)-$(COLOUR)"},
        ]
        await cluster.apply([service, pod(main={"env": env})])
        await cluster.clock.advance(1)
        waiting = (await state_of(cluster))["waiting"]
        assert waiting == {
            "reason": "CreateContainerConfigError",
            "message": 'configmap "settings" not found',
        }
        settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
        await cluster.apply({**settings, "data": {"colour": "green"}})
        await cluster.wait("pods/one", "jsonpath={.status.phase}=Succeeded")
        assert seen["BOTH"] == "one-green"
        assert seen["STORE_SERVICE_HOST"] == "10.96.7.7"
        assert seen["HOSTNAME"] == "one"
        assert "HOME" not in seen


@on_a_real_loop
async def test_its_client_is_the_pods_account() -> None:
    """Roles count: what nothing allows is forbidden."""
    said: list[str] = []
    async with quiet() as cluster:

        @cluster.image("worker:1")
        async def worker(container: Container) -> None:
            found = await container.client.list("configmaps")
            said.append(f"{type(found).__name__} for {container.pod['metadata']['name']}")
            try:
                await container.client.list("secrets")
            except StatusError as error:
                said.append(error.message)

        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "reader"},
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}],
        }
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "reader"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "default"}],
        }
        await cluster.apply([role, binding, pod()])
        await cluster.wait("pods/one", "jsonpath={.status.phase}=Succeeded")
        assert said[0] == "list for one"
        assert said[1].startswith(
            'secrets is forbidden: User "system:serviceaccount:default:default" cannot list'
        )


@on_a_real_loop
async def test_its_client_is_anonymous_without_a_token_and_cut_off_with_its_node() -> None:
    """``automountServiceAccountToken: false``; and a partition, while the container goes on."""
    said: list[str] = []
    async with quiet() as cluster:

        @cluster.image("worker:1")
        async def worker(container: Container) -> None:
            for _ in range(2):
                try:
                    await container.client.list("pods")
                except (StatusError, ConnectionError) as error:
                    said.append(str(error))
                await container.sleep(20)

        await cluster.apply(pod(automountServiceAccountToken=False))
        await cluster.wait("pods/one", "Ready")
        await cluster.nodes["node-1"].partition()
        await cluster.clock.advance(30)
        assert 'User "system:anonymous" cannot list resource "pods"' in said[0]
        assert said[1] == "the API does not answer: node node-1 is cut off"


@on_a_real_loop
async def test_it_says_itself_whether_it_is_ready() -> None:
    """Without a probe; at first it is, unless its image says otherwise."""
    async with quiet() as cluster:

        @cluster.image("worker:1", ready=False)
        async def worker(container: Container) -> None:
            assert not container.ready
            await container.sleep(20)
            container.set_ready(True)
            await container.sleep(20)
            container.ready = False
            await container.terminated

        await cluster.apply(pod())
        before = cluster.clock.now()
        await cluster.wait("pods/one", "Ready")
        assert cluster.clock.now() - before == 20
        await cluster.wait("pods/one", "Ready=False")
        assert cluster.clock.now() - before == 40


@on_a_real_loop
async def test_what_it_says_is_the_answer_of_its_readiness_probe() -> None:
    """Which counts as often as it says: here three failures, ten seconds apart."""
    async with quiet() as cluster:

        @cluster.image("worker:1")
        async def worker(container: Container) -> None:
            await container.sleep(25)
            container.set_ready(False)
            await container.sleep(100)
            container.set_ready(True)
            await container.terminated

        probe = {"readinessProbe": {"httpGet": {"path": "/", "port": 80}}}
        await cluster.apply(pod(main=probe))
        await cluster.wait("pods/one", "Ready")
        await cluster.wait("pods/one", "Ready=False", timeout=100)
        assert 45 <= cluster.clock.now() - EPOCH <= 55
        messages = {event["message"] for event in cluster.store.list("events")}
        assert "Readiness probe failed: the container says that it is not ready" in messages
        await cluster.wait("pods/one", "Ready", timeout=100)
        assert 125 <= cluster.clock.now() - EPOCH <= 135


@on_a_real_loop
async def test_real_waiting_holds_time_up_only_where_it_says_so() -> None:
    """Time moves when the loop is at rest; ``held`` is for what the loop cannot see."""
    at: list[float] = []
    async with quiet() as cluster:

        @cluster.image("worker:1")
        async def worker(container: Container) -> None:
            with container.held():
                await asyncio.sleep(0.05)
                at.append(container.clock.now() - EPOCH)
            await asyncio.sleep(0.05)
            at.append(container.clock.now() - EPOCH)

        await cluster.apply(pod())
        await cluster.clock.advance(100)
        await asyncio.sleep(0.1)
        assert at == [0.0, 100.0]


@on_a_real_loop
async def test_nothing_of_a_function_outlives_the_cluster() -> None:
    """Its task ends with the cluster, after its ``finally``."""
    ended: list[str] = []
    async with quiet() as cluster:

        @cluster.image("worker:1")
        async def worker(container: Container) -> None:
            try:
                await container.sleep(1e9)
            finally:
                ended.append(container.name)

        await cluster.apply(pod())
        await cluster.wait("pods/one", "Ready")
        assert any(task.get_name().startswith("container:") for task in asyncio.all_tasks())
    assert ended == ["main"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


@on_a_real_loop
async def test_a_function_that_holds_back_its_end_is_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would go on in the program after the cluster; the warning names pod and line."""
    monkeypatch.setattr("orchestrator.node.simulated_processes._PATIENCE", 0.05)
    released = asyncio.Event()
    cluster = quiet()
    await cluster.start()

    @cluster.image("worker:1")
    async def worker(_: Container) -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue

    await cluster.apply(pod())
    await cluster.wait("pods/one", "Ready")
    try:
        with pytest.warns(
            RuntimeWarning, match=r"container:\S+:main:0 does not end.*test_images\.py:\d+"
        ):
            await cluster.stop()
    finally:
        released.set()
        await asyncio.sleep(0)


@on_a_real_loop
async def test_one_seed_is_one_history_with_functions_too() -> None:
    """To the byte, with what they write to the API themselves."""

    async def live() -> list[Any]:
        async with quiet(seed=5) as cluster:

            @cluster.image("worker:1")
            async def worker(container: Container) -> int:
                await container.sleep(1 + len(container.env["HOSTNAME"]))
                return container.restart_count % 2

            await cluster.apply([pod(name, restartPolicy="Always") for name in ("a", "bb", "ccc")])
            await cluster.clock.advance(minutes=10)
            store = cluster.store
            return [cluster.version] + [
                obj for kind in store.registry.kinds() for obj in store.list(kind.resource)
            ]

    first, second = await live(), await live()
    assert first == second


@on_a_real_loop
async def test_a_cluster_of_processes_has_no_such_images() -> None:
    """There containers are programs."""
    cluster = Cluster(runtime="process")
    with pytest.raises(ClusterError, match="with runtime='process' containers are programs"):
        cluster.image("worker:1")


@on_a_real_loop
async def test_a_function_that_is_not_async_is_refused() -> None:
    """It would stop the loop for all others."""

    def worker(container: Container) -> None:
        del container

    with pytest.raises(TypeError, match="make it `async def`"):
        quiet().image("worker:1")(worker)  # type: ignore[arg-type] # what is refused


@on_a_real_loop
async def test_a_restored_pod_runs_its_function_anew() -> None:
    """With no restart to be seen; what was started since the snapshot is ended."""
    lives: list[str] = []
    async with quiet() as cluster:

        @cluster.image("worker:1")
        async def worker(container: Container) -> None:
            who = f"{container.pod['metadata']['name']} {container.env['SIDE']}"
            lives.append(f"+{who}")
            try:
                await container.terminated
            finally:
                lives.append(f"-{who}")

        env = {"env": [{"name": "SIDE", "value": "left"}]}
        await cluster.apply(pod("one", main=env))
        await cluster.wait("pods/one", "Ready")
        snapshot = await cluster.snapshot()
        await cluster.apply(pod("two", main=env))
        await cluster.wait("pods/two", "Ready")
        await cluster.api.delete("pods", "one")
        await cluster.clock.advance(1)
        await cluster.restore(snapshot)
        await cluster.clock.advance(1)
        assert lives == ["+one left", "+two left", "-one left", "-two left", "+one left"]
        (status,) = (await cluster.api.get("pods", "one"))["status"]["containerStatuses"]
        assert status["restartCount"] == 0
        assert "running" in status["state"]


@on_a_real_loop
async def test_a_functions_client_speaks_to_the_fork_that_it_runs_in() -> None:
    """A fork has the images, and its own containers of them."""
    async with quiet() as cluster:

        @cluster.image("worker:1")
        async def worker(container: Container) -> None:
            await container.sleep(10)
            name = f"seen-{container.restart_count}"
            made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
            await container.client.create(made)
            await container.terminated

        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "all"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "cluster-admin",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "default"}],
        }
        await cluster.apply([binding, pod()])
        await cluster.wait("pods/one", "Ready")
        async with await cluster.fork() as fork:
            fork.image("worker:2")
            await fork.clock.advance(11)
            assert await fork.api.find("configmaps", "seen-0") is not None
            assert await cluster.api.find("configmaps", "seen-0") is None
        assert cluster.images is not None
        assert cluster.images.find("worker:2") is None


@on_a_real_loop
async def test_a_crash_of_its_node_ends_a_function_without_a_word() -> None:
    """It gets no SIGTERM; elsewhere, or when the node is back, it begins anew."""
    lives: list[str] = []
    async with quiet() as cluster:

        @cluster.image("worker:1")
        async def worker(container: Container) -> None:
            lives.append(f"life {container.restart_count}")
            try:
                await container.terminated
                lives.append("told")
            finally:
                lives.append("ended")

        await cluster.apply(pod(restartPolicy="Always"))
        await cluster.wait("pods/one", "Ready")
        await cluster.nodes["node-1"].crash()
        assert lives == ["life 0", "ended"]
        await cluster.nodes["node-1"].recover()
        await cluster.clock.advance(30)
        assert lives == ["life 0", "ended", "life 1"]


@on_a_real_loop
async def test_functions_are_init_containers_and_jobs_too() -> None:
    """Each in its turn; a Job counts what fails."""
    done: list[str] = []
    async with quiet() as cluster:

        @cluster.image("setup")
        async def setup(container: Container) -> None:
            await container.sleep(3)
            done.append(f"setup {container.name}")

        @cluster.image("worker:1")
        async def worker(container: Container) -> int:
            number = len(done)
            done.append(f"work {number}")
            container.termination_message = f"try {number}"
            return 0 if number > 2 else 1

        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "batch"},
            "spec": {
                "backoffLimit": 4,
                "template": {
                    "spec": {
                        "restartPolicy": "Never",
                        "initContainers": [{"name": "first", "image": "setup"}],
                        "containers": [{"name": "main", "image": "worker:1"}],
                    }
                },
            },
        }
        await cluster.apply(job)
        await cluster.wait("job/batch", "Complete", timeout=300)
        assert done == ["setup first", "work 1", "setup first", "work 3"]
        pods = await cluster.api.list("pods")
        messages = {
            item["status"]["containerStatuses"][0]["state"]["terminated"]["message"]
            for item in pods
        }
        assert messages == {"try 1", "try 3"}


@virtual
async def test_functions_live_in_automatic_time() -> None:
    """What they wait for does not make time pass; whoever waits for them does."""
    async with Cluster(nodes=1, time="auto") as cluster:

        @cluster.image("worker:1")
        async def worker(container: Container) -> None:
            await container.sleep(7200)

        await cluster.apply(pod())
        before = cluster.clock.now()
        await cluster.wait("pods/one", "jsonpath={.status.phase}=Succeeded", timeout=10_000)
        assert cluster.clock.now() - before == pytest.approx(7200, abs=1)


@on_a_real_loop
async def test_automatic_time_stands_while_only_functions_wait() -> None:
    """On a loop of real time too."""
    async with Cluster(nodes=1, time="auto", epoch=EPOCH) as cluster:

        @cluster.image("worker:1")
        async def worker(container: Container) -> None:
            await container.clock.sleep(7200)
            await container.terminated

        await cluster.apply(pod())
        await cluster.wait("pods/one", "Ready")
        before = cluster.clock.now()
        await asyncio.sleep(0.05)
        assert cluster.clock.now() == before < EPOCH + 100


@on_a_real_loop
async def test_functions_live_in_real_time_too() -> None:
    """Seconds are seconds then."""
    async with Cluster(nodes=1, listen=None, time="real") as cluster:

        @cluster.image("worker:1")
        async def worker(container: Container) -> int:
            await container.sleep(0.05)
            return 3

        await cluster.apply(pod())
        await cluster.wait("pods/one", "jsonpath={.status.phase}=Failed")
        assert (await state_of(cluster))["terminated"]["exitCode"] == 3


def test_programs_without_asyncio_have_functions_as_containers() -> None:
    """They run on the cluster's own loop, beside the program."""
    with Cluster.sync(nodes=1, listen=None, epoch=EPOCH) as cluster:

        @cluster.image("worker:1")
        async def worker(container: Container) -> None:
            container.log("from another thread")
            await container.sleep(5)

        cluster.apply(pod())
        cluster.wait("pods/one", "jsonpath={.status.phase}=Succeeded")
        assert cluster.api.logs("one") == "from another thread\n"
