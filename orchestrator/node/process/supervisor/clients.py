"""Connections of daemons: accepted, read and written without ever waiting for one of them."""

# pathlib would cost a megabyte of a process that is to be small:
# ruff: noqa: PTH108, PTH110, PTH112

from __future__ import annotations

import os
import select
import socket
import struct
import time
from typing import TYPE_CHECKING

from . import wire
from .complaints import complain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .attaching import Attachment
    from .executions import Execution

_BACKLOG = 8 * 1024 * 1024
"""Bytes that may wait for a client that does not read, before it is dropped."""


class Client:
    """One connection.

    Attributes:
        fresh: Whether it has asked for nothing yet: only then it can become a session's.
        execution: The command that it is the session of, if any.
        attachment: The part in a container that it is the session of, if any.
    """

    __slots__ = ("attachment", "decoder", "execution", "fresh", "out", "socket")

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.socket = connection
        self.decoder = wire.Decoder()
        self.out = bytearray()
        self.fresh = True
        self.execution: Execution | None = None
        self.attachment: Attachment | None = None

    @property
    def is_session(self) -> bool:
        """Whether it is one session's."""
        return self.execution is not None or self.attachment is not None


class Clients:
    """All connections, and the socket that they come by.

    Attributes:
        alone_since: Monotonic seconds since when there is none; counts while there is none.
    """

    def __init__(
        self,
        directory: str,
        poll: select.epoll,
        serve: Callable[[Client, wire.Message], None],
        left: Callable[[Client], None],
    ) -> None:
        """Listen.

        Args:
            directory: Where the socket is.
            poll: Tells when there is something to `serve`.
            serve: Called with each request.
            left: Called when a client has disconnected, or was let go.
        """
        self._directory = directory
        self._poll = poll
        self._serve = serve
        self._left = left
        self._connected: dict[int, Client] = {}
        self._listener = _listen(directory)
        poll.register(self._listener.fileno(), select.EPOLLIN)
        self.alone_since = time.monotonic()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._connected)

    def serve(self, descriptor: int, events: int) -> bool:
        """Do what the poll found; False: the descriptor is not of a client."""
        if descriptor == self._listener.fileno():
            self._accept()
        elif descriptor in self._connected:
            self._read(self._connected[descriptor], events)
        else:
            return False
        return True

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        if struct.unpack("3i", peer)[1] not in (0, os.getuid()):
            connection.close()
            return
        self._connected[connection.fileno()] = Client(connection)
        self._poll.register(connection.fileno(), select.EPOLLIN)

    def stay_reachable(self) -> None:
        """Listen anew when somebody removed the socket; a daemon that starts asks by SIGHUP."""
        path = f"{self._directory}/supervisor.sock"
        if os.path.exists(path) or not os.path.isdir(self._directory):
            return
        try:
            listener = _listen(self._directory)
        except OSError as error:
            complain(f"cannot listen on {path}: {error}")
            return
        self._poll.unregister(self._listener.fileno())
        self._listener.close()
        self._listener = listener
        self._poll.register(listener.fileno(), select.EPOLLIN)

    def _drop(self, client: Client) -> None:
        descriptor = client.socket.fileno()
        if self._connected.pop(descriptor, None):
            self._poll.unregister(descriptor)
            client.socket.close()
            self._left(client)
        if not self._connected:
            self.alone_since = time.monotonic()

    def _read(self, client: Client, events: int) -> None:
        if events & select.EPOLLOUT:
            self._flush(client)
        if not events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
            return
        try:
            data = client.socket.recv(1 << 18)
            if not data:
                self._drop(client)
                return
            requests = client.decoder.feed(data)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            self._drop(client)
            return
        for request in requests:
            self._serve(client, request)
            client.fresh = False

    # -- what is told

    def send(self, client: Client, message: wire.Message) -> None:
        """Send a message; one that has left needs none."""
        if client.socket.fileno() not in self._connected:
            return
        client.out += wire.encode(message)
        if len(client.out) > _BACKLOG:
            self._drop(client)
        else:
            self._flush(client)

    def send_first(self, client: Client, message: wire.Message, descriptors: Sequence[int]) -> None:
        """Send a connection's first bytes, for which its buffer has room, with descriptors."""
        try:
            socket.send_fds(client.socket, [wire.encode(message)], descriptors)
        except OSError:
            self._drop(client)

    def tell(self, message: wire.Message) -> None:
        """Send a message to all that are no session's."""
        for client in list(self._connected.values()):
            if not client.is_session:
                self.send(client, message)

    def attached(self) -> list[tuple[Client, Attachment]]:
        """Return those that take part in a container's streams."""
        return [
            (client, client.attachment)
            for client in self._connected.values()
            if client.attachment is not None
        ]

    def _flush(self, client: Client) -> None:
        if client.socket.fileno() not in self._connected:
            return
        try:
            sent = client.socket.send(client.out)
            del client.out[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client)
            return
        wanted = select.EPOLLIN | (select.EPOLLOUT if client.out else 0)
        self._poll.modify(client.socket.fileno(), wanted)

    def flush_all(self) -> None:
        """Send all that waits, before the end; each client gets a second."""
        for client in list(self._connected.values()):
            client.socket.settimeout(1.0)
            try:
                client.socket.sendall(client.out)
            except OSError:
                continue


def _listen(directory: str) -> socket.socket:
    """Listen on ``supervisor.sock``, for the owner only.

    The path goes through a descriptor, because a socket's path may have 107 bytes at most.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    path = f"/proc/self/fd/{descriptor}/supervisor.sock"
    try:
        if os.path.lexists(path):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        previous = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(previous)
        listener.listen(128)
    finally:
        os.close(descriptor)
    return listener
