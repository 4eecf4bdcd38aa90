"""The ``proxy`` subresource of pods, Services and nodes.

Source of the words: k8s.io/kubernetes pkg/registry/core/{pod,service,node} strategies and storage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote

import orjson

from orchestrator.api._forwarding import Forward, forward
from orchestrator.api._requests import Request
from orchestrator.api._responses import Response, Stream, text_response
from orchestrator.api._routing import Target
from orchestrator.egress import Egress, Upstream, resolve_service
from orchestrator.resources.errors import StatusError, bad_request, not_found
from orchestrator.resources.objects import Object, spec_of, status_of
from orchestrator.store.admission import Attributes, Caller

if TYPE_CHECKING:
    from orchestrator.store import Store

_OPTIONS: Final = {
    "pods": "PodProxyOptions",
    "services": "ServiceProxyOptions",
    "nodes": "NodeProxyOptions",
}
_DEFAULT_PORT: Final = 80
_PORT_DIGITS: Final = 5


class Place(NamedTuple):
    """What the name in a proxy's path says: ``[scheme:]name[:port]``."""

    scheme: str
    name: str
    port: str


def parse_place(text: str, what: str) -> Place:
    """Take a name apart.

    Raises:
        StatusError: 400, it has another form.
    """
    match text.split(":"):
        case [name]:
            return Place("http", name, "")
        case [name, port]:
            return Place("http", name, port)
        case [scheme, name, port] if scheme in ("http", "https", ""):
            return Place(scheme or "http", name, port)
        case _:
            raise bad_request(f'invalid {what} request "{text}"')


class Proxies:
    """Answers what is proxied."""

    def __init__(self, store: Store, egress: Egress) -> None:
        """Look up in ``store``, connect with ``egress``."""
        self._store = store
        self._egress = egress

    async def answer(self, request: Request, target: Target) -> Response | Stream:
        """Pass a request on to what its path names."""
        rest = _rest_of(request, target)
        if not rest and request.method in ("GET", "HEAD"):
            query = f"?{request.raw_query}" if request.raw_query else ""
            moved = (b"location", f"{request.raw_path}/{query}".encode("latin-1"))
            return Response(301, b"", b"text/plain; charset=utf-8", [moved])
        plural = target.kind.plural
        place = parse_place(target.name, plural[:-1])
        kind = target.kind
        await self._store.admission.ask(
            Attributes(
                operation="CONNECT",
                kind=kind,
                subresource="proxy",
                namespace=target.scope,
                name=target.name,
                object={"kind": _OPTIONS[plural], "apiVersion": "v1", "path": rest},
                caller=Caller(request.user, {}, request.warnings),
            )
        )
        if plural == "nodes":
            return self._node(request, place, rest)
        upstream = self._upstream(target, place)
        prefix = request.raw_path[: len(request.raw_path) - len(rest)]
        host = request.headers.get(b"host", b"").decode("latin-1")
        headers = (("X-Forwarded-Uri", request.raw_path), ("X-Forwarded-Host", host))
        to = Forward(
            place.scheme,
            upstream,
            (rest or "/") + (f"?{request.raw_query}" if request.raw_query else ""),
            headers=headers,
            prefix=prefix,
            verify=False,  # whoever proxies to a pod or Service trusts the cluster, as upstream
        )
        return await forward(self._egress, request, to)

    def _upstream(self, target: Target, place: Place) -> Upstream:
        if target.kind.plural == "services":
            return resolve_service(
                self._store, target.scope, place.name, place.port, self._egress.chance
            )
        pod = self._store.get("pods", target.scope, place.name)
        if pod is None:
            raise not_found("pods", place.name)
        address = status_of(pod).get("podIP")
        if not address:
            raise bad_request("address not allowed")
        return Upstream(address, _pod_port(pod, place.port), place.name)

    def _node(self, request: Request, place: Place, rest: str) -> Response:
        """Answer for a kubelet: the nodes live in this process and serve nothing themselves."""
        if self._store.get("nodes", "", place.name) is None:
            raise not_found("nodes", place.name)
        if request.method not in ("GET", "HEAD"):
            raise StatusError(405, "MethodNotAllowed", "Method Not Allowed")
        match rest.strip("/"):
            case "healthz" | "healthz/ping" | "healthz/syncloop":
                return text_response("ok")
            case "pods" | "runningpods":
                pods = {
                    "kind": "PodList",
                    "apiVersion": "v1",
                    "metadata": {},
                    "items": self._store.by_node(place.name),
                }
                return Response(200, orjson.dumps(pods))
            case _:
                return text_response("404 page not found\n", 404)


def _rest_of(request: Request, target: Target) -> str:
    """Return what follows ``/proxy`` in the path, still quoted.

    Raises:
        StatusError: 400, the path is quoted so that ``proxy`` is not a part of its own.
    """
    parts = request.raw_path.split("/")
    # /api/v1/namespaces/NAMESPACE/pods/NAME/proxy, or /api/v1/nodes/NAME/proxy
    at = 5 if target.namespace is None else 7
    if len(parts) <= at or unquote(parts[at]) != "proxy":
        raise bad_request(f'invalid proxy request "{request.raw_path}"')
    return "".join(f"/{part}" for part in parts[at + 1 :])


def _pod_port(pod: Object, asked: str) -> int:
    if asked:
        if asked.isascii() and asked.isdigit() and len(asked) <= _PORT_DIGITS:
            return int(asked)
        raise bad_request(f'invalid pod request "{pod["metadata"]["name"]}:{asked}"')
    ports: list[dict[str, Any]] = [
        port
        for container in spec_of(pod).get("containers") or ()
        for port in container.get("ports") or ()
    ]
    return ports[0]["containerPort"] if ports else _DEFAULT_PORT
