"""Hosting: the ASGI application behind uvicorn, on the loop that is already running.

Why uvicorn (uvloop, httptools) and not granian's embedded server: with a fixed body both answer
about as fast (`benchmarks/api.py --granian` measures it), granian calls its embedded mode
experimental, and it takes the listening socket and the shutdown into its own hands.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import ssl
from pathlib import Path
from typing import Any, Final, Protocol, Self

import uvicorn

from orchestrator.api._connections import Connection
from orchestrator.api._hosting import Hosted
from orchestrator.api._requests import Receive, Scope, Send
from orchestrator.records import dataclass

STOP_DEADLINE: Final = 5
"""Seconds that requests in flight have to finish once the server stops."""

KEEP_ALIVE: Final = 75
"""Seconds an idle connection stays open: longer than clients pause between requests."""

BACKLOG: Final = 1024

WEBSOCKET_LIMIT: Final = 32 << 20
"""Bytes of a message that a WebSocket's client may send, upstream's ``DefaultMaxPayloadBytes``:
some clients send a command's whole input as one."""


class PortTakenError(OSError):
    """The address cannot be listened on because somebody else does."""


class InsecureAddressError(ValueError):
    """Plain HTTP was asked for on an address that others can reach."""


class Application(Protocol):
    """What is hosted: an ASGI application that can be told to end its streams."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

    def close(self) -> None:
        """End watches and followed logs; no new ones start."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Serving certificate and key, and whose clients' certificates count; all PEM files.

    Attributes:
        certificate_file: What the server shows.
        key_file: Its key.
        client_ca_file: CA of clients' certificates; None asks clients for none.
    """

    certificate_file: Path
    key_file: Path
    client_ca_file: Path | None = None


class ApiServer:
    """One listening socket and the application behind it."""

    def __init__(
        self,
        app: Application,
        host: str = "127.0.0.1",
        port: int = 6443,
        tls: Tls | None = None,
        *,
        allow_insecure: bool = False,
        stop_deadline: int = STOP_DEADLINE,
        listener: socket.socket | None = None,
    ) -> None:
        """Prepare to host ``app``.

        Args:
            app: The application.
            host: Address to listen on.
            port: 0 takes a free one; see `port` after `start`.
            tls: None serves plain HTTP.
            allow_insecure: Let plain HTTP listen on more than loopback.
            stop_deadline: Seconds requests in flight have to finish in `stop`.
            listener: A socket from `bind` that already listens there; closed in `stop`.

        Raises:
            InsecureAddressError: Plain HTTP on an address that is not loopback.
        """
        if tls is None and not allow_insecure:
            check_insecure(host)
        self._app = app
        self._host = host
        self._port = port
        self._tls = tls
        self._stop_deadline = stop_deadline
        self._hosted: Hosted | None = None
        self._ended = asyncio.Event()
        self._socket = listener

    @property
    def port(self) -> int:
        """The port listened on; the real one once the server has started."""
        return self._port

    @property
    def url(self) -> str:
        """Where clients on this machine reach it."""
        host = self._host
        if host in ("0.0.0.0", ""):  # noqa: S104 - compared with, not bound
            host = "127.0.0.1"
        elif host == "::":
            host = "::1"
        if ":" in host:
            host = f"[{host}]"
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}"

    async def start(self) -> None:
        """Listen; returns when connections are answered.

        Raises:
            PortTakenError: Somebody else listens there.
            OSError: The address is not of this machine, or the port needs more rights.
        """
        if self._socket is None:
            self._socket = bind(self._host, self._port)
        if self._socket.family != socket.AF_UNIX:
            self._port = self._socket.getsockname()[1]
        options: dict[str, Any] = {}
        if self._tls is not None:
            options = {
                "ssl_certfile": str(self._tls.certificate_file),
                "ssl_keyfile": str(self._tls.key_file),
            }
            if self._tls.client_ca_file is not None:
                options |= {
                    "ssl_ca_certs": str(self._tls.client_ca_file),
                    "ssl_cert_reqs": ssl.CERT_OPTIONAL,
                }
        config = uvicorn.Config(
            self._app,
            loop="none",
            http=Connection,
            ws="none",  # the connection loads it when one is asked for
            ws_max_size=WEBSOCKET_LIMIT,
            ws_per_message_deflate=False,
            ws_ping_interval=None,
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=self._stop_deadline,
            **options,
        )
        hosted = Hosted(config)
        try:
            await hosted.start(self._socket)
        except BaseException:
            self._socket.close()
            raise
        self._hosted = hosted

    async def stop(self) -> None:
        """End streams, let requests in flight finish within the deadline, close everything."""
        self._app.close()
        hosted, self._hosted = self._hosted, None
        if hosted is None or self._socket is None:
            return
        try:
            await hosted.stop(self._stop_deadline)
        finally:
            self._socket.close()
            self._ended.set()

    def reset(self) -> None:
        """Reset all connections; new ones are answered."""
        if self._hosted is not None:
            for connection in list(self._hosted.connections):
                connection.reset()

    async def wait(self) -> None:
        """Return when the server has been stopped."""
        if self._hosted is not None:
            await self._ended.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_insecure(host: str) -> None:
    """Refuse plain HTTP on an address that others can reach.

    Raises:
        InsecureAddressError: It is not loopback.
    """
    if not is_loopback(host):
        message = (
            f"plain HTTP on {host} would let everyone who can reach it in without a word; "
            "listen on 127.0.0.1, or use TLS"
        )
        raise InsecureAddressError(message)


def _keep_alive(listener: socket.socket) -> None:
    """Have the kernel notice clients that vanish; connections inherit it. Go's values."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 9)):
        if hasattr(socket, name):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def bind(host: str, port: int) -> socket.socket:
    """Return a bound socket that allows a restart at once.

    Raises:
        PortTakenError: With the address, and what to do.
        OSError: Any other refusal, with the address in its words.
    """
    # Text would load the codec of international names, which takes 2 ms.
    name: str | bytes = host.encode() if host.isascii() else host
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise OSError(f"cannot listen on {host!r}: {error.strerror}") from error
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _keep_alive(listener)
        listener.bind(address)
        # Listening now, not when the server gets to it, finds a taken port here.
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            message = (
                f"port {port} on {host} is already in use by another program; stop that program "
                "or choose another port (0 takes a free one)"
            )
            raise PortTakenError(error.errno, message) from error
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


def bind_path(path: Path) -> socket.socket:
    """Return a socket that listens at a path of the file system, for this user only.

    A socket that nobody listens at any more, since its program was killed, is replaced.

    Raises:
        OSError: There is something at the path, or it is too long for a socket (107 bytes).
    """
    if _is_abandoned(path):
        path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        what = error.strerror or str(error)
        if error.errno == errno.EADDRINUSE:
            by = "somebody listens there" if path.is_socket() else "it is there, no socket"
            what = f"{what}: {by}; choose another path"
        raise OSError(error.errno, f"cannot listen on {path}: {what}") from error
    return listener


def _is_abandoned(path: Path) -> bool:
    """Tell whether there is a socket at a path at which nobody listens."""
    if not path.is_socket():
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        try:
            asking.connect(str(path))
        except OSError as error:
            return error.errno == errno.ECONNREFUSED
    return False
