"""Client by client, each reached as its documentation has it, while time stands until told."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import kopf
import kopf.testing
import kr8s
import kr8s.asyncio
import kubernetes
import kubernetes.stream
import kubernetes_asyncio
import pytest
from kr8s.asyncio.objects import Deployment as AsyncKr8sDeployment
from kr8s.objects import Deployment as Kr8sDeployment
from lightkube import ApiError, AsyncClient, Client, KubeConfig
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap

from orchestrator import Cluster, ClusterError
from tests.embedded.kit import EPOCH, config_map, deployment, on_a_real_loop
from tests.embedded.operators import SHOP_KIND, kr8s_api, make_operator, shop

pytestmark = [
    pytest.mark.usefixtures("untidy"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

READER = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects:
- {kind: ServiceAccount, name: reader}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: painters}
"""


@pytest.fixture(scope="module", autouse=True)
def library_threads() -> None:
    """Let kr8s' synchronous side start the thread that it keeps for the process's life."""

    async def start() -> None:
        async with Cluster(nodes=0) as cluster:
            path = str(cluster.kubeconfig)
            await asyncio.to_thread(lambda: kr8s.api(kubeconfig=path).version())

    asyncio.run(start())


@on_a_real_loop
async def test_kubernetes_from_a_thread() -> None:
    """By file and by dictionary; its watch waits for what time brings."""
    async with Cluster() as cluster:

        def session(client: Any) -> list[tuple[str, int | None]]:
            apps = kubernetes.client.AppsV1Api(client)
            apps.create_namespaced_deployment("default", deployment(replicas=2))
            seen = []
            watch = kubernetes.watch.Watch()
            for event in watch.stream(
                apps.list_namespaced_deployment, "default", timeout_seconds=20
            ):
                seen.append((event["type"], event["object"].status.available_replicas))
                if seen[-1][1] == 2:
                    watch.stop()
            client.close()
            return seen

        by_dict = kubernetes.config.new_client_from_config_dict(cluster.kubeconfig_dict)
        async with cluster.clock.running():
            seen = await asyncio.to_thread(session, by_dict)
        assert seen[-1][1] == 2  # ADDED, if time was faster than the watch
        by_file = kubernetes.config.new_client_from_config(str(cluster.kubeconfig))
        core = kubernetes.client.CoreV1Api(by_file)
        pods = await asyncio.to_thread(core.list_namespaced_pod, "default")
        assert len(pods.items) == 2

        def hello() -> str:
            said: str = kubernetes.stream.stream(
                core.connect_get_namespaced_pod_exec,
                pods.items[0].metadata.name,
                "default",
                command=["echo", "hello"],
                stdout=True,
            )
            return said

        assert await asyncio.to_thread(hello) == "hello\n"
        by_file.close()


@on_a_real_loop
async def test_kubernetes_asyncio_in_the_same_loop() -> None:
    """A watch of its own sees what happens as the test moves time."""
    async with Cluster(epoch=EPOCH) as cluster:
        settings = kubernetes_asyncio.client.Configuration()
        await kubernetes_asyncio.config.load_kube_config_from_dict(
            cluster.kubeconfig_dict, client_configuration=settings
        )
        async with kubernetes_asyncio.client.ApiClient(settings) as client:
            core = kubernetes_asyncio.client.CoreV1Api(client)
            await core.create_namespaced_config_map("default", config_map("a"))
            seen: list[str] = []

            async def follow() -> None:
                async with kubernetes_asyncio.watch.Watch() as watch:
                    async for event in watch.stream(core.list_namespaced_pod, "default"):
                        seen.extend([event["object"].status.phase])

            following = asyncio.create_task(follow())
            await cluster.watched("pods")
            await cluster.apply(deployment(replicas=1))
            await cluster.clock.advance(minutes=1)
            assert seen[0] == "Pending"
            assert seen[-1] == "Running"
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following


@on_a_real_loop
async def test_kr8s_in_the_same_loop_and_from_a_thread() -> None:
    """By the environment, and by the path."""
    async with Cluster() as cluster:
        with cluster.in_environment():
            async with kr8s_api() as api:
                web = await AsyncKr8sDeployment(deployment(replicas=1), api=api)
                await web.create()
                async with cluster.clock.running():
                    await web.wait("condition=Available", timeout=20)
                assert [pod.name async for pod in api.get("pods")]
        other = deployment("other", replicas=1)

        def session() -> int:
            api = kr8s.api(kubeconfig=str(cluster.kubeconfig))
            made = Kr8sDeployment(other, api=api)
            made.create()
            made.wait("condition=Available", timeout=20)
            return len(list(api.get("deployments")))

        async with cluster.clock.running():
            assert await asyncio.to_thread(session) == 2


@on_a_real_loop
async def test_lightkube_in_the_same_loop_and_from_a_thread() -> None:
    """By file, by dictionary and by the environment."""
    async with Cluster() as cluster:
        client = AsyncClient(KubeConfig.from_file(str(cluster.kubeconfig)).get())
        await client.create(Deployment.from_dict(deployment()))
        async with cluster.clock.running():
            await client.wait(Deployment, "web", for_conditions=["Available"])
        await client.close()

        def session() -> list[str]:
            with Client(KubeConfig.from_env().get()) as client:
                client.create(ConfigMap.from_dict(config_map("mine")))
                return [found.metadata.name for found in client.list(ConfigMap)]

        with cluster.in_environment():
            assert "mine" in await asyncio.to_thread(session)
        assert KubeConfig.from_dict(cluster.kubeconfig_dict).get().cluster.server == cluster.url


@contextlib.asynccontextmanager
async def running_by_itself(registry: kopf.OperatorRegistry) -> AsyncIterator[Any]:
    """Run an operator as kopf's documentation has it for tests, in a thread with its own loop."""
    runner = kopf.testing.KopfRunner(
        ["run", "--standalone", "--namespace=default"], registry=registry, timeout=20
    )
    await asyncio.to_thread(runner.__enter__)
    try:
        yield runner
    finally:
        await asyncio.to_thread(runner.__exit__, None, None, None)


@on_a_real_loop
async def test_kopf_runs_in_a_thread_by_its_own_runner() -> None:
    """https://docs.kopf.dev/en/stable/testing ."""
    async with Cluster(epoch=EPOCH) as cluster:
        await cluster.apply(SHOP_KIND)
        with cluster.in_environment():
            async with running_by_itself(make_operator()) as runner:
                await cluster.watched("shops")
                await cluster.apply(shop("a"))
                await cluster.wait("shop/a", "jsonpath={.status.phase}=Open")
                await cluster.wait("deployment/a", "Available")
        assert runner.exit_code == 0
        assert runner.exception is None


@on_a_real_loop
async def test_others_than_the_administrator_do_what_roles_let_them_do() -> None:
    """A ServiceAccount, a user and a user's group, each with a token; years later as well."""
    async with Cluster(nodes=1) as cluster:
        await cluster.apply([READER, config_map("settings")])
        account = "system:serviceaccount:default:reader"
        ways = [
            (cluster.kubeconfig_for(account), account),
            (cluster.kubeconfig_for("ann"), "ann"),
            (cluster.kubeconfig_for("bob", groups=("painters",)), "bob"),
        ]
        await cluster.clock.advance(days=2)
        for path, name in ways:
            client = AsyncClient(KubeConfig.from_file(str(path)).get())
            assert client.namespace == "default"
            assert (await client.get(ConfigMap, "settings")).metadata is not None
            with pytest.raises(ApiError) as caught:
                await client.delete(ConfigMap, "settings")
            assert f'User "{name}" cannot delete resource "configmaps"' in str(caught.value)
            await client.close()
        with pytest.raises(ClusterError, match="no ServiceAccount nobody"):
            cluster.kubeconfig_for("system:serviceaccount:default:nobody")


@on_a_real_loop
async def test_code_that_names_no_cluster_finds_the_one_whose_environment_it_is() -> None:
    """Also in libraries that looked when they were imported, or keep their first client."""
    for nodes in (1, 2):
        async with Cluster(nodes=nodes) as cluster:
            with cluster.in_environment():
                async with kr8s_api() as api:
                    assert len([node async for node in api.get("nodes")]) == nodes
                settings = kubernetes.client.Configuration()
                kubernetes.config.load_kube_config(client_configuration=settings)
                assert settings.host == cluster.url
                found = kubernetes_asyncio.client.Configuration()
                await kubernetes_asyncio.config.load_kube_config(client_configuration=found)
                assert found.host == cluster.url
    assert str(cluster.kubeconfig) != kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION


LATE = """
import json, time, urllib.request, sys
time.sleep(0.4)
body = json.dumps({"metadata": {"name": "late"}}).encode()
url = sys.argv[1] + "/api/v1/namespaces/default/configmaps"
headers = {"content-type": "application/json"}
urllib.request.urlopen(urllib.request.Request(url, body, headers)).read()
"""


@on_a_real_loop
async def test_a_program_that_has_yet_to_come_is_waited_for() -> None:
    """It was told where the cluster is, so it is expected."""
    async with Cluster(nodes=0) as cluster:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", LATE, cluster.url)
        await cluster.wait("configmaps/late", "exists", timeout=20)
        assert await process.wait() == 0
