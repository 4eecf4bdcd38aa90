"""Sessions in containers: commands and attached consoles, one connection each.

A connection whose first request is ``exec`` or ``attach`` is that session's from then on: the
answer carries the descriptors of its streams, and the one event is
``{"event": "ended", "exit_code": n}``. What may follow is ``kill`` for a command and ``end_input``
for who attached, who may be told ``{"event": "input_ended"}`` when another's end was the input's.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from . import attaching, executions, processes

if TYPE_CHECKING:
    from . import wire
    from .attaching import Attachment
    from .clients import Client, Clients
    from .containers import Container
    from .executions import Execution
    from .pumping import Pumps

OPERATIONS = ("exec", "attach")
"""What a connection begins with that is to be a session's."""


class Sessions:
    """All sessions of a supervisor."""

    def __init__(self, clients: Clients, pumps: Pumps) -> None:
        """Begin without any.

        Args:
            clients: To tell those whose sessions end.
            pumps: To copy containers' streams.
        """
        self._clients = clients
        self._pumps = pumps
        self._executions: dict[int, tuple[Execution, Client]] = {}

    def begin(self, client: Client, request: wire.Message, container: Container | None) -> None:
        """Begin a session, or say why there is none.

        Args:
            client: Whose connection it is to be.
            request: One of `OPERATIONS`.
            container: The container asked for, None when it does not run.
        """
        descriptors: list[int] = []
        try:
            if not client.fresh:
                answer: wire.Message = {"error": "a command needs a connection of its own"}
            elif container is None:
                answer = {"error": "the container does not run", "kind": "gone"}
            elif request["op"] == "attach":
                answer, descriptors = self._attach(client, request, container)
            else:
                answer, descriptors = self._execute(client, request, container)
        except processes.StartError as error:
            answer = {"error": str(error), "kind": "refused"}
        except (KeyError, TypeError, ValueError, OSError) as error:
            answer = {"error": str(error) or repr(error), "kind": "failed"}
        try:
            self._clients.send_first(client, {"id": request.get("id"), **answer}, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _attach(
        self, client: Client, request: wire.Message, container: Container
    ) -> tuple[wire.Message, list[int]]:
        wanted = [str(name) for name in request["streams"]]
        client.attachment, names, descriptors = attaching.attach(container, wanted)
        self._pumps.attach(client.attachment.tees)
        return {"ok": {"streams": names, "input": client.attachment.has_input}}, descriptors

    def _execute(
        self, client: Client, request: wire.Message, container: Container
    ) -> tuple[wire.Message, list[int]]:
        client.execution, descriptors = executions.execute(
            container,
            [str(word) for word in request["argv"]],
            [str(name) for name in request["streams"]],
            tty=bool(request["tty"]),
        )
        self._executions[client.execution.pid] = client.execution, client
        return {"ok": {"pid": client.execution.pid}}, descriptors

    def serve(self, client: Client, request: wire.Message) -> None:
        """Do what a session's client asks for."""
        execution, attachment = client.execution, client.attachment
        if request.get("op") == "kill" and execution and execution.pid in self._executions:
            execution.kill()
        elif request.get("op") == "end_input" and attachment and attachment.has_input:
            self._end_input(attachment)

    def leave(self, client: Client) -> None:
        """Hang up on the command, or the part in a container, of a client that has left."""
        execution, attachment = client.execution, client.attachment
        if execution is not None and execution.pid in self._executions:
            execution.hang_up(time.monotonic())
        if attachment is not None:
            if attachment.has_input:
                self._end_input(attachment)
            self._pumps.detach(attachment.container, attachment.tees)

    def _end_input(self, attachment: Attachment) -> None:
        attachment.has_input = False
        container = attachment.container
        if not container.stdin_once or container.is_terminal:
            return
        container.close_input()
        for client, other in self._clients.attached():
            if other.container is container and other.has_input:
                other.has_input = False
                # It has a descriptor of its own.
                self._clients.send(client, {"event": "input_ended"})

    def reap(self, pid: int, status: int) -> bool:
        """Tell of a command's end; False: the process is none of these."""
        if pid not in self._executions:
            return False
        _, client = self._executions.pop(pid)
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        code = 128 + number if number else os.WEXITSTATUS(status)
        self._clients.send(client, {"event": "ended", "exit_code": code})
        return True

    def end(self, container: Container) -> None:
        """Tell those who have attached to a container that it has ended."""
        for client, attachment in self._clients.attached():
            if attachment.container is container:
                self._clients.send(client, {"event": "ended", "exit_code": 0})

    def deadlines(self) -> list[float]:
        """Return the monotonic seconds at which `enforce` has something to do."""
        return [one.kill_at for one, _ in self._executions.values() if one.kill_at is not None]

    def enforce(self, now: float) -> None:
        """Kill the commands that were hung up on and did not end."""
        for execution, _ in list(self._executions.values()):
            if execution.kill_at is not None and now >= execution.kill_at:
                execution.kill()
