"""A running cluster's HTTP face: certificates, token, server and kubeconfig in one.

The socket is taken before the cluster starts: a daemon whose port is taken must not first take the
running containers over and then end them.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from actors import RealClock
from orchestrator.api.application import ApiApplication, ApiConfig
from orchestrator.api.certificates import Certificates, ensure_certificates, load_library
from orchestrator.api.front_proxy import (
    CONFIG_MAP,
    FrontProxy,
    authentication_config,
    ensure_front_proxy,
)
from orchestrator.api.kubeconfig import kubeconfig_data, write_kubeconfig
from orchestrator.api.server import (
    ApiServer,
    Application,
    Tls,
    bind,
    bind_path,
    check_insecure,
)
from orchestrator.api.tokens import ensure_token
from orchestrator.controllers import ApiEndpoint, ensure_bootstrap
from orchestrator.records import dataclass

if TYPE_CHECKING:
    from orchestrator.cluster import BareCluster


ANY: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound
"""Hosts that mean every address of the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingConfig:
    """How a cluster is served.

    Attributes:
        host: Address to listen on.
        port: 0 takes a free one.
        insecure_http: Plain HTTP without a token; on a loopback address only.
        authorization_mode: ``RBAC`` decides by roles and bindings, ``AlwaysAllow`` lets every
            user do everything.
        kubeconfig: Where to write a kubeconfig, or None.
        log_requests: One debug line for each request.
        listen: False serves no socket: the application answers who calls it in this process.
        socket: Path of a Unix socket to listen on, in place of host and port; plain HTTP.
        named_port: What the Service ``kubernetes`` says its port is, and that it is HTTPS as in
            every cluster, where no container comes by it; what is listened on unless given.
    """

    host: str = "127.0.0.1"
    port: int = 6443
    insecure_http: bool = False
    authorization_mode: Literal["RBAC", "AlwaysAllow"] = "RBAC"
    kubeconfig: Path | None = None
    log_requests: bool = False
    listen: bool = True
    socket: Path | None = None
    named_port: int | None = None


def _endpoint(host: str, listener: socket.socket | None) -> str:
    """Return the address that the Service ``kubernetes`` leads to."""
    if host in ANY:
        return "127.0.0.1"
    if listener is not None and listener.family == socket.AF_INET:
        address: str = listener.getsockname()[0]
        return address
    return socket.gethostbyname(host)


class ServedCluster:
    """The API of one cluster: `prepare` it, start the cluster, then `serve`."""

    application: Application
    """What answers requests, once they are served."""

    def __init__(
        self,
        cluster: BareCluster,
        config: ServingConfig | None = None,
        *,
        wrap: Callable[[ApiApplication], Application] | None = None,
    ) -> None:
        """Prepare to serve ``cluster``; nothing is touched before `prepare`.

        Args:
            cluster: The cluster, not started.
            config: How to serve it.
            wrap: Puts something between the server and the application.
        """
        self.config = config or ServingConfig()
        self._cluster = cluster
        self._wrap = wrap
        self._listener: socket.socket | None = None
        self._server: ApiServer | None = None
        self._certificates: Certificates | None = None
        self._front_proxy: FrontProxy | None = None
        self._token: str | None = None

    async def start(self) -> None:
        """Prepare, start the cluster, and serve it.

        Raises:
            ClusterError: The cluster can't start.
            OSError: The address can't be listened on.
        """
        await self.prepare()
        await self._cluster.start()
        await self.serve()

    async def prepare(self) -> None:
        """Take the port, open the cluster's directory and make the certificates it lacks.

        Raises:
            PortTakenError: Somebody else listens there.
            OSError: The address is not of this machine, or the port needs more rights.
            InsecureAddressError: Plain HTTP on an address that is not loopback.
            ClusterError: The cluster's directory can't be used.
        """
        config, cluster = self.config, self._cluster
        insecure = config.insecure_http or config.socket is not None or not config.listen
        if config.socket is not None:
            self._listener = bind_path(config.socket)
        elif config.listen:
            if insecure:
                check_insecure(config.host)
            self._listener = bind(config.host, config.port)
        if insecure:
            await cluster.open()
        else:
            # Opening a new log is mostly waiting for the disk; so is writing keys.
            directory = cluster.config.data_dir or Path()
            loading = asyncio.create_task(asyncio.to_thread(load_library, directory / "pki"))
            try:
                await cluster.open()
            finally:
                await loading  # also when it did not open: a thread cannot be cancelled
            names = [str(cluster.service_range[1])]
            if config.host not in ANY:
                names.append(config.host)
            keys = cluster.directory / "pki"
            now = RealClock().now()
            self._certificates = await asyncio.to_thread(ensure_certificates, keys, now, names)
            self._front_proxy = await asyncio.to_thread(ensure_front_proxy, keys, now)
            cluster.certificate_authority = self._certificates.ca_pem
            cluster.client_certificate = self._front_proxy.client_certificate

    @property
    def url(self) -> str:
        """Where clients on this machine reach it; after `serve`."""
        assert self._server is not None, "serve() first"
        return self._server.url

    async def serve(self) -> None:
        """Answer requests, and let the cluster's ``kubernetes`` Service lead here."""
        config, listener = self.config, self._listener
        found = self._certificates
        self._begin()
        if listener is not None:
            tls = Tls(found.certificate_file, found.key_file, found.ca_file) if found else None
            self._server = ApiServer(
                self.application, config.host, self._port, tls, listener=listener
            )
            await self._server.start()
        await self._keep()
        if config.kubeconfig is not None and self._server is not None:
            self.write_kubeconfig(config.kubeconfig)

    async def restart(self) -> None:
        """Let the control plane end and begin anew on its log; the address stays the same.

        Clients' connections are reset. It takes a ``wrap`` that returns what it returned before,
        which the server goes on to call, and whatever comes meanwhile is its affair.

        Raises:
            ClusterError: It can't start again.
        """
        assert self._wrap is not None, "nothing leads from the server to a new application"
        self.application.close()
        if self._server is not None:
            self._server.reset()
        await self._cluster.restart()
        self._begin()
        await self._keep()

    @property
    def _port(self) -> int:
        # What has no port of its own is told to be where clients expect an API server.
        listener = self._listener
        if listener is not None and self.config.socket is None:
            port: int = listener.getsockname()[1]
            return port
        return self.config.port or 443

    def _begin(self) -> None:
        """Make the application that answers requests about the cluster as it runs now."""
        config, cluster, found = self.config, self._cluster, self._certificates
        front_proxy = self._front_proxy
        token = self._token = ensure_token(cluster.directory / "pki" / "token") if found else None
        app = ApiApplication(
            cluster.store,
            ApiConfig(
                token=token,
                authorization=config.authorization_mode,
                address=f"{config.host}:{self._port}",
                log_requests=config.log_requests,
            ),
            logs=cluster.logs,
            sessions=cluster.sessions,
            accounts=cluster.accounts,
            egress=cluster.egress,
            client_certificate=front_proxy.client_certificate if front_proxy else None,
            scheduling=lambda: cluster.scheduling_metrics,
            meter=cluster.meter,
        )
        self.application = self._wrap(app) if self._wrap is not None else app

    async def _keep(self) -> None:
        """Let the cluster's ``kubernetes`` Service lead here, and keep what clients expect."""
        cluster, found, front_proxy = self._cluster, self._certificates, self._front_proxy
        await ensure_bootstrap(
            cluster.store,
            ApiEndpoint(
                address=_endpoint(self.config.host, self._listener),
                port=self.config.named_port or self._port,
                service_range=str(cluster.service_range),
                scheme="https" if found or self.config.named_port else "http",
            ),
            [(CONFIG_MAP, authentication_config(found.ca_pem, front_proxy))]
            if found and front_proxy
            else [],
        )
        cluster.keep_system_objects()

    def kubeconfig(self, token: str | None = None, namespace: str = "") -> dict[str, Any]:
        """Return a kubeconfig's data, for the administrator unless there is a token; see `serve`.

        Args:
            token: Whose it is to be.
            namespace: Where its clients look unless told otherwise.
        """
        ca_pem = self._certificates.ca_pem if self._certificates else None
        shown = self._token if token is None else token
        return kubeconfig_data(self.url, ca_pem=ca_pem, token=shown, namespace=namespace)

    def write_kubeconfig(self, path: Path) -> None:
        """Write a kubeconfig for the administrator; after `serve`.

        Raises:
            ClusterError: It cannot be written there.
        """
        ca_pem = self._certificates.ca_pem if self._certificates else None
        try:
            write_kubeconfig(path, self.url, ca_pem=ca_pem, token=self._token)
        except OSError as error:
            from orchestrator.cluster import ClusterError

            raise ClusterError(
                f"cannot write the kubeconfig to {path}: {error.strerror}; choose another place "
                "for it"
            ) from error

    async def stop(self, *, clean: bool = True) -> None:
        """End streams, finish requests in flight, stop the cluster. Safe to call twice.

        Args:
            clean: As for `BareCluster.stop`.
        """
        server, self._server = self._server, None
        listener, self._listener = self._listener, None
        try:
            if server is not None:
                await server.stop()
            elif hasattr(self, "application"):
                self.application.close()
        finally:
            if listener is not None:
                listener.close()
                if self.config.socket is not None:  # its own: it has listened there
                    self.config.socket.unlink(missing_ok=True)
            await self._cluster.stop(clean=clean)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()
