"""``pods/exec`` and ``pods/attach``: what is asked for, what is refused, and over which protocol.

A refusal comes before the connection is taken over, where the client's protocol can see one there;
with version 5 upstream's API server accepts first and tells on the error channel, and so does this
one. Sources: k8s.io/kubernetes pkg/registry/core/pod (strategy.go, rest/subresources.go),
pkg/kubelet/server, k8s.io/kubelet pkg/cri/streaming/remotecommand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from orchestrator.api._logs import choose_container
from orchestrator.api._responses import Response, text_response
from orchestrator.api.streaming.channels import (
    COMMANDS,
    ERROR,
    STDERR,
    STDOUT,
    V5,
    ChannelProtocol,
    Piece,
    choose_protocol,
    decode_piece,
    encode_piece,
)
from orchestrator.api.streaming.conversing import Conversation, converse
from orchestrator.api.streaming.negotiating import (
    Entrance,
    no_stream_protocol,
    stream_protocols,
    switching,
    unknown_protocol,
    upgrade_required,
)
from orchestrator.api.streaming.upgrades import Takeover, Upgrade, WebSocket
from orchestrator.node.sessions import (
    AttachRequest,
    ExecRequest,
    NotConnectedError,
    NotRunningError,
    Session,
)
from orchestrator.resources.errors import bad_request
from orchestrator.resources.objects import Object

if TYPE_CHECKING:
    from orchestrator.api._requests import Request
    from orchestrator.api._routing import Target
    from orchestrator.node.pod_sessions import PodSessions

_KINDS: Final = {"exec": "PodExecOptions", "attach": "PodAttachOptions"}


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """``PodExecOptions`` and ``PodAttachOptions``."""

    container: str
    command: tuple[str, ...]
    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


def asked_options(request: Request, subresource: str) -> Object:
    """Return the options that a request's query asks for, as the object that admission sees."""
    options: dict[str, Any] = {"kind": _KINDS[subresource], "apiVersion": "v1"}
    for field in ("stdin", "stdout", "stderr", "tty"):
        if request.flag(field):
            options[field] = True
    if container := request.parameter("container"):
        options["container"] = container
    if subresource == "exec":
        options["command"] = list(request.query.get("command", ()))
    return options


def command_options(options: Object) -> CommandOptions:
    """Read the options as admission left them.

    Raises:
        StatusError: 400, no stream at all is asked for, or no command where one has to be.
    """
    tty = bool(options.get("tty"))
    found = CommandOptions(
        container=options.get("container") or "",
        command=tuple(options.get("command") or ()),
        stdin=bool(options.get("stdin")),
        stdout=bool(options.get("stdout")),
        # A terminal has one stream for both: upstream passes over the wish.
        stderr=bool(options.get("stderr")) and not tty,
        tty=tty,
    )
    if not (found.stdin or found.stdout or found.stderr):
        raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
    if "command" in options and not found.command:
        raise bad_request("you must specify at least one command for the container")
    return found


class RemoteCommands:
    """Answers ``exec`` and ``attach``."""

    def __init__(self, entrance: Entrance) -> None:
        """Answer those whom ``entrance`` lets in."""
        self._entrance = entrance

    async def answer(
        self, request: Request, target: Target, find: Callable[[], Object]
    ) -> Response | Upgrade:
        """Begin a conversation with a container.

        Args:
            request: The request.
            target: What its path names.
            find: Returns the pod, or raises 404; not before admission was asked.

        Raises:
            StatusError: 400, 403 or 404.
        """
        name = target.subresource
        asked = asked_options(request, name)
        admitted, pod = await self._entrance.admit(request, target, find, asked)
        options = command_options(admitted)
        container = choose_container(pod, options.container)
        sessions = self._entrance.sessions(pod)
        begin = self._beginning(sessions, pod, container, options, attach=name == "attach")
        socket = request.websocket
        if socket is None:
            takeover = request.spdy
            if takeover is None:
                raise upgrade_required()
            refusal = refuse_ended(sessions, pod, container)
            return refusal or over_spdy(request, takeover, begin, options)
        protocol = choose_protocol(socket.offered, COMMANDS)
        if protocol is None:
            return unknown_protocol(socket.offered, list(COMMANDS))
        if protocol is not V5 and (refusal := refuse_ended(sessions, pod, container)):
            return refusal
        ends = ChannelEnds(socket, protocol)

        async def serve() -> None:
            await socket.accept(protocol.name)
            # What is empty tells the client that all is ready.
            lowest = STDOUT if options.stdout else STDERR if options.stderr else ERROR
            await ends.send(lowest, b"")
            await converse(begin, ends)

        return Upgrade(serve)

    def _beginning(
        self,
        sessions: PodSessions,
        pod: Object,
        container: str,
        options: CommandOptions,
        *,
        attach: bool,
    ) -> Conversation:
        async def begin() -> Session:
            try:
                identity = sessions.find(pod, container)
            except NotRunningError as error:
                raise NotConnectedError(f"unable to upgrade connection: {error}") from error
            if attach:
                return await sessions.attach(
                    identity,
                    AttachRequest(
                        stdin=options.stdin, stdout=options.stdout, stderr=options.stderr
                    ),
                )
            return await sessions.execute(
                identity,
                ExecRequest(
                    command=options.command,
                    stdin=options.stdin,
                    stdout=options.stdout,
                    stderr=options.stderr,
                    tty=options.tty,
                    pod=pod,
                ),
            )

        failed = "attaching to container" if attach else "executing command in container"
        return Conversation(begin, f"error {failed}", f"[{' '.join(options.command)}]")


def refuse_ended(sessions: PodSessions, pod: Object, container: str) -> Response | None:
    """Refuse a container that does not run before the upgrade, in the kubelet's words."""
    try:
        sessions.find(pod, container)
    except NotRunningError as error:
        return text_response(f"{error}\n", 500)
    return None


def over_spdy(
    request: Request, takeover: Takeover, begin: Conversation, options: CommandOptions
) -> Response | Upgrade:
    """Converse over SPDY in place of HTTP, as kubectl before 1.30 does."""
    from orchestrator.api.streaming.spdy import commands as spdy

    offered = stream_protocols(request)
    version = spdy.choose_version(offered)
    if version is None:
        return no_stream_protocol(offered, spdy.NAMES)
    wanted = [name for name in ("stdin", "stdout", "stderr") if getattr(options, name)]

    async def serve() -> None:
        carrier = takeover(switching(version.name if offered else ""))
        ends = spdy.SpdyEnds(carrier, version, wanted, tty=options.tty)
        try:
            await ends.open()
            await converse(begin, ends)
        except spdy.StreamsMissingError:
            return
        finally:
            await ends.close()

    return Upgrade(serve)


class ChannelEnds:
    """A client that speaks in channels over a WebSocket."""

    def __init__(self, socket: WebSocket, protocol: ChannelProtocol) -> None:
        self._socket = socket
        self._protocol = protocol

    async def send(self, channel: int, data: bytes) -> None:
        """Send to a channel."""
        await self._socket.send(encode_piece(self._protocol, channel, data))

    async def receive(self) -> Piece | None:
        """Return the client's next piece; None once it has left."""
        while (message := await self._socket.receive()) is not None:
            piece = decode_piece(self._protocol, message)
            if piece is not None and (piece.channel != 255 or self._protocol.closes):
                return piece
        return None

    async def finish(self, status: Object) -> None:
        """Say how it ended, as the protocol's version has it, and close."""
        import orjson

        if self._protocol.status:
            await self.send(ERROR, orjson.dumps(status))
        elif status["status"] != "Success":
            await self.send(ERROR, status["message"].encode())
        await self._socket.close()

    def is_gone(self) -> bool:
        """Tell whether the client has left."""
        return self._socket.is_gone()

    def nudge(self) -> None:
        """Ping the client."""
        self._socket.nudge()
