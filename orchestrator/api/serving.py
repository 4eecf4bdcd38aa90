"""A running cluster's HTTP face: certificates, token, server and kubeconfig in one.

The socket is taken before the cluster starts: a daemon whose port is taken must not first take the
running containers over and then end them.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from orchestrator.api.application import ApiApplication, ApiConfig
from orchestrator.api.certificates import ensure_certificates
from orchestrator.api.kubeconfig import write_kubeconfig
from orchestrator.api.server import ApiServer, Tls, bind, check_insecure
from orchestrator.api.tokens import ensure_token
from orchestrator.controllers import publish_api_server

if TYPE_CHECKING:
    from orchestrator.cluster import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingConfig:
    """How a cluster is served.

    Attributes:
        host: Address to listen on.
        port: 0 takes a free one.
        insecure_http: Plain HTTP without a token; on a loopback address only.
        kubeconfig: Where to write a kubeconfig, or None.
        log_requests: One debug line for each request.
    """

    host: str = "127.0.0.1"
    port: int = 6443
    insecure_http: bool = False
    kubeconfig: Path | None = None
    log_requests: bool = False


class ApiEndpoint:
    """The API of one cluster. `reserve` first, then start the cluster, then `serve` it."""

    def __init__(self, config: ServingConfig | None = None) -> None:
        """Prepare; nothing is touched before `reserve`."""
        self.config = config or ServingConfig()
        self._listener: socket.socket | None = None
        self._server: ApiServer | None = None

    def reserve(self) -> None:
        """Take the port.

        Raises:
            PortTakenError: Somebody else listens there.
            OSError: The address is not of this machine, or the port needs more rights.
            InsecureAddressError: Plain HTTP on an address that is not loopback.
        """
        if self._listener is None:
            if self.config.insecure_http:
                check_insecure(self.config.host)
            self._listener = bind(self.config.host, self.config.port)

    @property
    def url(self) -> str:
        """Where clients on this machine reach it; after `serve`."""
        assert self._server is not None, "serve() first"
        return self._server.url

    async def serve(self, cluster: Cluster) -> None:
        """Answer requests for ``cluster``, and let its ``kubernetes`` Service lead here."""
        self.reserve()
        assert self._listener is not None
        config = self.config
        port: int = self._listener.getsockname()[1]
        token: str | None = None
        tls: Tls | None = None
        ca_pem: str | None = None
        if not config.insecure_http:
            keys = cluster.directory / "pki"
            service = cluster.store.get("services", "default", "kubernetes")
            names = [config.host] if config.host not in {"0.0.0.0", "::"} else []  # noqa: S104 - compared with, not bound
            if service is not None:
                names.append(service["spec"]["clusterIP"])
            certificates = ensure_certificates(keys, cluster.store.clock.now(), names)
            token = ensure_token(keys / "token")
            tls = Tls(certificates.certificate_file, certificates.key_file)
            ca_pem = certificates.ca_pem
        app = ApiApplication(
            cluster.store,
            ApiConfig(
                token=token, address=f"{config.host}:{port}", log_requests=config.log_requests
            ),
            logs=cluster.logs,
        )
        self._server = ApiServer(app, config.host, port, tls, listener=self._listener)
        await self._server.start()
        await publish_api_server(cluster.store, config.host, port)
        if config.kubeconfig is not None:
            write_kubeconfig(config.kubeconfig, self._server.url, ca_pem=ca_pem, token=token)

    async def stop(self) -> None:
        """End streams, let requests in flight finish, give the port back. Safe to call twice."""
        server, self._server = self._server, None
        listener, self._listener = self._listener, None
        if server is not None:
            await server.stop()
        if listener is not None:
            listener.close()

    async def __aenter__(self) -> Self:
        self.reserve()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()
