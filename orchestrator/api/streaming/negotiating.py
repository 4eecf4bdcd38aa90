"""What ``exec``, ``attach`` and ``port-forward`` have in common before a conversation begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from orchestrator.api._responses import Response, text_response
from orchestrator.resources.errors import StatusError, bad_request
from orchestrator.resources.objects import Object, name_of, spec_of
from orchestrator.store.admission import Attributes, Caller

if TYPE_CHECKING:
    from orchestrator.api._access import Access
    from orchestrator.api._requests import Request
    from orchestrator.api._routing import Target
    from orchestrator.node.pod_sessions import PodSessions
    from orchestrator.store import Store

_CREATE_TOO: Final = (1, 35)
"""From this version on upstream asks for the right to create for a WebSocket's GET as well
(``AuthorizePodWebsocketUpgradeCreatePermission``)."""


class Entrance:
    """What each connection into a pod has to pass, in upstream's order, before it begins."""

    def __init__(self, store: Store, sessions: PodSessions | None, access: Access) -> None:
        """Lead to ``sessions``; None where this server has no nodes."""
        self._store = store
        self._sessions = sessions
        self._access = access

    async def admit(
        self, request: Request, target: Target, find: Callable[[], Object], asked: Object
    ) -> tuple[Object, Object]:
        """Let a client in.

        Args:
            request: The request.
            target: What its path names.
            find: Returns the pod, or raises 404; not before admission was asked.
            asked: The options that it asks for.

        Returns:
            The options as admission left them, and the pod.

        Raises:
            StatusError: 400, 403 or 404.
        """
        options = await self._ask(request, target, asked)
        self._require_create(request)
        return options, find()

    def sessions(self, pod: Object) -> PodSessions:
        """Return who can reach a pod.

        Raises:
            StatusError: 400, nobody; 500, its node cannot be reached.
        """
        if not spec_of(pod).get("nodeName"):
            raise bad_request(f"pod {name_of(pod)} does not have a host assigned")
        if self._sessions is None:
            raise bad_request("this server has no nodes that run containers")
        self._sessions.require(pod)
        return self._sessions

    async def _ask(self, request: Request, target: Target, options: Object) -> Object:
        """Ask whom it concerns whether a client may connect."""
        admitted = await self._store.admission.ask(
            Attributes(
                operation="CONNECT",
                kind=target.kind,
                subresource=target.subresource,
                namespace=target.scope,
                name=target.name,
                object=options,
                caller=Caller(request.user, {}, request.warnings),
            )
        )
        return options if admitted is None else admitted

    def _require_create(self, request: Request) -> None:
        """Refuse a WebSocket into a pod to who may get but not create its subresource.

        A WebSocket's handshake is a GET, though what goes on over it changes things.
        """
        version = tuple(int(part) for part in self._store.registry.version.split(".")[:2])
        if request.websocket is not None and version >= _CREATE_TOO:
            self._access.require_create(request)


def unknown_protocol(offered: Any, known: list[str]) -> Response:
    """Refuse a WebSocket whose subprotocols nobody speaks here."""
    names = [name for name in known if name]
    text = f"requested protocol(s) are not supported: {list(offered)}; supports {names}\n"
    return text_response(text, 403)


def upgrade_required() -> StatusError:
    """Refuse a request that asks for no upgrade."""
    return bad_request("Upgrade request required")


def stream_protocols(request: Request) -> list[str]:
    """Return the versions that a SPDY client offers: a header that may come several times."""
    values = [value for _, value in request.repeated(b"x-stream-protocol-version")]
    return [name.strip() for value in values for name in value.decode("latin-1").split(",")]


def switching(protocol: str) -> list[tuple[bytes, bytes]]:
    """Return the headers of the answer that goes over to SPDY."""
    headers = [(b"connection", b"Upgrade"), (b"upgrade", b"SPDY/3.1")]
    if protocol:
        headers.append((b"x-stream-protocol-version", protocol.encode("latin-1")))
    return headers


def no_stream_protocol(offered: list[str], known: Sequence[str]) -> Response:
    """Refuse a SPDY client that speaks none of the versions known here; upstream's words."""
    text = (
        "unable to upgrade: unable to negotiate protocol: client supports "
        f"[{' '.join(offered)}], server accepts [{' '.join(known)}]\n"
    )
    answer = text_response(text, 403)
    answer.headers += [
        (b"x-accepted-stream-protocol-versions", name.encode("latin-1")) for name in known
    ]
    return answer
