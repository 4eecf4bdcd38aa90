"""``pods/portforward``: which ports, over which protocol, and what is refused.

kubectl speaks SPDY, since 1.31 in a WebSocket; Python's clients name their ports in the query and
get two channels for each. Sources: k8s.io/apiserver pkg/util/proxy/streamtunnel.go, k8s.io/kubelet
pkg/cri/streaming/portforward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from orchestrator.api._responses import Response, text_response
from orchestrator.api.streaming.carriers import WebSocketTunnel
from orchestrator.api.streaming.channels import FORWARDS, choose_protocol
from orchestrator.api.streaming.forwarding import ChannelForwarder, PodPorts, SpdyForwarder
from orchestrator.api.streaming.negotiating import (
    Entrance,
    no_stream_protocol,
    stream_protocols,
    switching,
    unknown_protocol,
    upgrade_required,
)
from orchestrator.api.streaming.upgrades import Upgrade
from orchestrator.node.sessions import NotRunningError
from orchestrator.resources.errors import bad_request
from orchestrator.resources.objects import Object, name_of, uid_of

if TYPE_CHECKING:
    from orchestrator.api._requests import Request
    from orchestrator.api._routing import Target

_PROTOCOL: Final = "portforward.k8s.io"
TUNNEL: Final = f"SPDY/3.1+{_PROTOCOL}"
"""The subprotocol of SPDY within a WebSocket."""


def parse_ports(values: tuple[str, ...]) -> list[int]:
    """Read the ``ports`` of a query, which may come several times and have commas.

    Raises:
        StatusError: 400, one is no port.
    """
    ports = []
    for text in ",".join(values).split(",") if values else ():
        if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) < 1 << 16):
            raise bad_request(f'unable to parse "{text}" as a port')
        if int(text) < 1:
            raise bad_request(f'port "{text}" must be > 0')
        ports.append(int(text))
    return ports


class PortForwards:
    """Answers ``portforward``."""

    def __init__(self, entrance: Entrance) -> None:
        """Answer those whom ``entrance`` lets in."""
        self._entrance = entrance

    async def answer(
        self, request: Request, target: Target, find: Callable[[], Object]
    ) -> Response | Upgrade:
        """Begin to forward.

        Args:
            request: The request.
            target: What its path names.
            find: Returns the pod, or raises 404; not before admission was asked.

        Raises:
            StatusError: 400, 403 or 404.
        """
        ports = parse_ports(request.query.get("ports", ()))
        options = {"kind": "PodPortForwardOptions", "apiVersion": "v1"}
        asked = {**options, "ports": ports} if ports else options
        admitted, pod = await self._entrance.admit(request, target, find, asked)
        ports = list(admitted.get("ports") or ())
        sessions = self._entrance.sessions(pod)
        try:
            sessions.check(pod)
        except NotRunningError as error:
            return text_response(f"{error}\n", 500)
        place = PodPorts(lambda port: sessions.connect(pod, port), name_of(pod), uid_of(pod))
        socket = request.websocket
        if socket is None:
            return self._over_spdy(request, place)
        if TUNNEL in socket.offered:

            async def tunnel() -> None:
                await socket.accept(TUNNEL)
                await SpdyForwarder(place, WebSocketTunnel(socket)).serve()

            return Upgrade(tunnel)
        protocol = choose_protocol(socket.offered, FORWARDS)
        if protocol is None:
            return unknown_protocol(socket.offered, [TUNNEL, *FORWARDS])
        if not ports:
            raise bad_request('query parameter "ports" is required')

        async def serve() -> None:
            await socket.accept(protocol.name)
            await ChannelForwarder(place, socket, protocol, ports).serve()

        return Upgrade(serve)

    @staticmethod
    def _over_spdy(request: Request, place: PodPorts) -> Response | Upgrade:
        takeover, offered = request.spdy, stream_protocols(request)
        if takeover is None:
            raise upgrade_required()
        if offered and _PROTOCOL not in offered:
            return no_stream_protocol(offered, [_PROTOCOL])

        async def serve() -> None:
            await SpdyForwarder(place, takeover(switching(_PROTOCOL if offered else ""))).serve()

        return Upgrade(serve)
