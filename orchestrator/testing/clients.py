"""Clients of the well-known libraries for a cluster, ready for use: one line each."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from orchestrator.embedded import Cluster, ClusterError
from orchestrator.embedded.sync import SyncCluster

if TYPE_CHECKING:
    import kr8s
    import kubernetes
    import kubernetes_asyncio
    import lightkube

_HOST = "http://cluster"
"""Any will do where there is no port."""


@overload
def lightkube_client(
    cluster: Cluster,
    *,
    user: str | None = None,
    groups: tuple[str, ...] = (),
    namespace: str = "default",
    **options: Any,
) -> lightkube.AsyncClient: ...
@overload
def lightkube_client(
    cluster: SyncCluster,
    *,
    user: str | None = None,
    groups: tuple[str, ...] = (),
    namespace: str = "default",
    **options: Any,
) -> lightkube.Client: ...
def lightkube_client(
    cluster: Cluster | SyncCluster,
    *,
    user: str | None = None,
    groups: tuple[str, ...] = (),
    namespace: str = "default",
    **options: Any,
) -> lightkube.AsyncClient | lightkube.Client:
    """Return lightkube's client: an `AsyncClient`, or a `Client` for a `SyncCluster`.

    It goes through the cluster's port. Where there is none it goes through the Unix socket, on a
    `SyncCluster`, or needs no socket at all, on the loop of a `Cluster`.

    ```python
    from lightkube.resources.core_v1 import Node
    from orchestrator.testing import lightkube_client

    async with lightkube_client(cluster, field_manager="my-operator") as client:
        nodes = [node async for node in client.list(Node)]
    ```

    Args:
        cluster: Whose.
        user: Who it is; the administrator unless given, and a ServiceAccount is
            ``system:serviceaccount:NAMESPACE:NAME``.
        groups: That user's groups.
        namespace: Where it looks unless told otherwise.
        **options: Further arguments of the client: ``field_manager``, ``timeout``.

    Raises:
        ClusterError: There is no such ServiceAccount, or no way in.
    """
    import lightkube
    from lightkube.config import models

    server = _address_of(cluster)
    if server and server.startswith("https"):
        path = _kubeconfig_of(cluster, user, groups)
        config = lightkube.KubeConfig.from_file(str(path)).get()
    else:
        token = None if user is None else cluster.token_for(user, groups=groups)
        # What is not looked at need not be read: the certificates of the world's authorities.
        place = models.Cluster(server=server or _HOST, insecure=True)
        config = lightkube.KubeConfig.from_one(cluster=place, user=models.User(token=token)).get()
    given = {"config": config, "namespace": namespace, **options}
    if server is None and "transport" not in given:
        given["transport"] = _transport_of(cluster)
    if isinstance(cluster, Cluster):
        return lightkube.AsyncClient(**given)
    return lightkube.Client(**given)


def kubernetes_client(
    cluster: Cluster | SyncCluster,
    *,
    user: str | None = None,
    groups: tuple[str, ...] = (),
) -> kubernetes.client.ApiClient:
    """Return an ``ApiClient`` of the official library; a context manager, which blocks.

    ```py
    with kubernetes_client(sync_cluster) as client:
        kubernetes.client.CoreV1Api(client).list_node()
    ```

    Args:
        cluster: Whose; it has to listen on a port.
        user: Who it is, as in `lightkube_client`.
        groups: That user's groups.

    Raises:
        ClusterError: There is no such ServiceAccount, or no port.
    """
    import kubernetes

    path = _kubeconfig_of(cluster, user, groups)
    return kubernetes.config.new_client_from_config(str(path))


async def kubernetes_asyncio_client(
    cluster: Cluster,
    *,
    user: str | None = None,
    groups: tuple[str, ...] = (),
) -> kubernetes_asyncio.client.ApiClient:
    """Return an ``ApiClient`` of the asynchronous library; to be used in ``async with``.

    ```python
    import kubernetes_asyncio
    from orchestrator.testing import kubernetes_asyncio_client

    async with await kubernetes_asyncio_client(cluster) as client:
        await kubernetes_asyncio.client.CoreV1Api(client).list_node()
    ```

    Args:
        cluster: Whose; it has to listen on a port.
        user: Who it is, as in `lightkube_client`.
        groups: That user's groups.

    Raises:
        ClusterError: There is no such ServiceAccount, or no port.
    """
    import kubernetes_asyncio

    path = _kubeconfig_of(cluster, user, groups)
    return await kubernetes_asyncio.config.new_client_from_config(str(path))


@overload
def kr8s_client(
    cluster: Cluster,
    *,
    user: str | None = None,
    groups: tuple[str, ...] = (),
    namespace: str = "default",
) -> Awaitable[kr8s.asyncio.Api]: ...
@overload
def kr8s_client(
    cluster: SyncCluster,
    *,
    user: str | None = None,
    groups: tuple[str, ...] = (),
    namespace: str = "default",
) -> kr8s.Api: ...
def kr8s_client(
    cluster: Cluster | SyncCluster,
    *,
    user: str | None = None,
    groups: tuple[str, ...] = (),
    namespace: str = "default",
) -> Awaitable[kr8s.asyncio.Api] | kr8s.Api:
    """Return kr8s' ``Api``: to be awaited, or ready for a `SyncCluster`.

    ```python
    from orchestrator.testing import kr8s_client

    api = await kr8s_client(cluster)
    pods = [pod async for pod in api.get("pods")]
    ```

    Args:
        cluster: Whose; it has to listen on a port.
        user: Who it is, as in `lightkube_client`.
        groups: That user's groups.
        namespace: Where it looks unless told otherwise.

    Raises:
        ClusterError: There is no such ServiceAccount, or no port.
    """
    import kr8s
    import kr8s.asyncio

    path = str(_kubeconfig_of(cluster, user, groups))
    if isinstance(cluster, Cluster):
        return kr8s.asyncio.api(kubeconfig=path, namespace=namespace)
    return kr8s.api(kubeconfig=path, namespace=namespace)


def _kubeconfig_of(
    cluster: Cluster | SyncCluster, user: str | None, groups: tuple[str, ...]
) -> Path:
    return cluster.kubeconfig if user is None else cluster.kubeconfig_for(user, groups=groups)


def _address_of(cluster: Cluster | SyncCluster) -> str | None:
    """Return the address of a cluster that listens on a port."""
    try:
        return cluster.url
    except ClusterError:
        cluster.api  # noqa: B018 - says what is wrong with one that does not run
        return None


def _transport_of(cluster: Cluster | SyncCluster) -> Any:
    import httpx2  # lightkube's

    if isinstance(cluster, Cluster):
        return cluster.httpx_transport(httpx2)
    return httpx2.HTTPTransport(uds=str(cluster.socket), verify=False)
