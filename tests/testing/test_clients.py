"""Other people's clients, made for a cluster in a line each, as the administrator or as others."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import kr8s
import kr8s.asyncio
import kubernetes
import kubernetes_asyncio
import pytest
from lightkube import ApiError
from lightkube.resources.core_v1 import ConfigMap, Node

from orchestrator import Cluster, ClusterError, StatusError
from orchestrator.testing import (
    kr8s_client,
    kubernetes_asyncio_client,
    kubernetes_client,
    lightkube_client,
)
from tests.embedded.kit import on_a_real_loop

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # kr8s' connections

READER = "system:serviceaccount:default:reader"
ROLES = """
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: kube-system}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
- {apiGroups: [""], resources: [configmaps, pods/log], verbs: [get, list]}
- {apiGroups: [""], resources: [secrets], resourceNames: [mine], verbs: [get]}
- {nonResourceURLs: [/metrics], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects:
- {kind: ServiceAccount, name: reader, namespace: default}
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


@pytest.fixture(autouse=True)
def untidy() -> Iterator[None]:
    """Collect the connections that kr8s leaves to the collector, before others' tests do."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.parametrize("listen", ["http", "https", "socket", None])
@on_a_real_loop
async def test_lightkube_by_every_way_in(tmp_path: Path, listen: str | None) -> None:
    """A port, TLS, a Unix socket, none of it; and as somebody who may not do all."""
    way: Any = tmp_path / "api.sock" if listen == "socket" else listen
    async with Cluster(nodes=2, listen=way) as cluster:
        await cluster.apply(ROLES)
        async with lightkube_client(cluster) as client:
            assert len([node async for node in client.list(Node)]) == 2
        async with lightkube_client(cluster, user=READER, namespace="kube-system") as client:
            assert client.namespace == "kube-system"
            assert [found.metadata.name async for found in client.list(ConfigMap)]
            with pytest.raises(ApiError, match="cannot list resource"):
                [node async for node in client.list(Node)]


@pytest.mark.parametrize("listen", ["http", "socket"])
def test_lightkube_without_asyncio(tmp_path: Path, listen: Literal["http", "socket"]) -> None:
    """By a port or by the socket; its options go to the library."""
    with Cluster.sync(nodes=2, listen=listen if listen == "http" else tmp_path / "s") as cluster:
        cluster.apply(ROLES)
        with lightkube_client(cluster, field_manager="me") as client:
            assert len(list(client.list(Node))) == 2
            body = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "b"},
                "data": {"x": "1"},
            }
            client.apply(ConfigMap.from_dict(body))
        assert cluster.history("configmap/b")[-1].manager == "me"
        with lightkube_client(cluster, user="bob", groups=("painters",)) as client:
            assert list(client.list(ConfigMap))
            with pytest.raises(ApiError, match='User "bob" cannot list'):
                list(client.list(Node))


@on_a_real_loop
async def test_the_others_need_a_port() -> None:
    """kubernetes, kubernetes_asyncio and kr8s."""
    async with Cluster(nodes=2) as cluster:
        await cluster.apply(ROLES)
        async with await kubernetes_asyncio_client(cluster) as client:
            nodes = await kubernetes_asyncio.client.CoreV1Api(client).list_node()
            assert len(nodes.items) == 2
        with kubernetes_client(cluster, user=READER) as blocking:
            core = kubernetes.client.CoreV1Api(blocking)
            assert (await asyncio.to_thread(core.list_namespaced_config_map, "default")).items
            with pytest.raises(kubernetes.client.ApiException) as caught:
                await asyncio.to_thread(core.list_node)
            assert caught.value.status == 403
        api = await kr8s_client(cluster, namespace="kube-system")
        assert api.namespace == "kube-system"
        assert len([node async for node in api.get("nodes")]) == 2
    async with Cluster(listen=None, nodes=0) as cluster:
        with pytest.raises(ClusterError, match="listens on no port"):
            await kubernetes_asyncio_client(cluster)


def test_kr8s_without_asyncio() -> None:
    """Its synchronous side, as another."""
    with Cluster.sync(nodes=2) as cluster:
        cluster.apply(ROLES)
        assert len(list(kr8s_client(cluster).get("nodes"))) == 2
        api = kr8s_client(cluster, user=READER)
        assert list(api.get("configmaps"))
        with pytest.raises(kr8s.ServerError, match="cannot list resource"):
            list(api.get("nodes"))


@pytest.mark.parametrize("listen", ["http", None])
@on_a_real_loop
async def test_a_token_goes_with_any_client(listen: Literal["http"] | None) -> None:
    """Without a port too; and it stays good."""
    async with Cluster(nodes=1, listen=listen) as cluster:
        await cluster.apply(ROLES)
        token = cluster.token_for(READER)
        assert cluster.token_for("bob") == cluster.token_for("bob")
        await cluster.clock.advance(days=2)
        transport = cluster.httpx_transport()
        for user, shown in ((READER, token), ("bob", cluster.token_for("bob"))):
            headers = {"authorization": f"Bearer {shown}"}
            async with httpx.AsyncClient(
                transport=transport, base_url="http://cluster", headers=headers
            ) as client:
                answer = await client.get("/api/v1/nodes")
            assert answer.status_code == 403
            assert f'User "{user}" cannot list resource "nodes"' in answer.json()["message"]
        with pytest.raises(ClusterError, match="no ServiceAccount nobody"):
            cluster.token_for("system:serviceaccount:default:nobody")


@on_a_real_loop
async def test_roles_are_asked_as_kubectl_auth_can_i_does() -> None:
    """Kinds by any name, parts of them, one object, paths, groups; and it says by which binding."""
    async with Cluster(nodes=0, listen=None) as cluster:
        await cluster.apply(ROLES)
        allowed = await cluster.can(READER, "list", "cm")
        assert allowed
        assert 'ClusterRoleBinding "reader"' in allowed.reason
        assert await cluster.can(READER, "get", "pods/log", namespace="")
        assert await cluster.can(READER, "get", "/metrics")
        assert await cluster.can(READER, "get", "secrets", name="mine")
        assert await cluster.can("bob", "list", "configmaps", groups=("painters",))
        assert await cluster.can("system:serviceaccount:x:y", "create", "selfsubjectaccessreviews")
        for user, verb, resource in (
            (READER, "delete", "configmaps"),
            (READER, "get", "pods"),
            (READER, "get", "secrets"),
            (READER, "get", "/logs"),
            (READER, "list", "*"),
            ("bob", "list", "configmaps"),
            ("bob", "create", "deployments.apps"),
        ):
            refused = await cluster.can(user, verb, resource)
            assert not refused, (user, verb, resource)
            assert refused.reason == ""
        with pytest.raises(StatusError, match="shops"):
            await cluster.can("bob", "get", "shops")


def test_a_socket_is_told_of_only_where_there_is_one(tmp_path: Path) -> None:
    """The error says how to have one."""
    with Cluster.sync(nodes=0, listen=tmp_path / "s") as cluster:
        assert cluster.socket == tmp_path / "s"
    with (
        Cluster.sync(nodes=0) as cluster,
        pytest.raises(ClusterError, match=r"make it with listen=Path\('api.sock'\)"),
    ):
        cluster.socket  # noqa: B018 - is refused
