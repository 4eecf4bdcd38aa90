"""Passing a request on to another server, and its answer back as it comes.

Source of the headers and words: k8s.io/apimachinery/pkg/util/proxy and net/http/httputil.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Final

from orchestrator.api._requests import Request
from orchestrator.api._responses import Response, Stream
from orchestrator.egress import Call, CallError, Egress, Upstream, explain_failure
from orchestrator.records import dataclass
from orchestrator.resources.errors import StatusError, service_unavailable

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS: Final = 30.0
"""To reach the other server; once it answers, it may take as long as the client waits."""

_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_NOT_PASSED_ON: Final = frozenset({*_HOP_BY_HOP, "host", "authorization", "content-length"})
_OURS: Final = ("impersonate-", "x-remote-")
"""What says who asks is this server's to say: a client's own word would be believed."""
_BODYLESS: Final = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})


@dataclass(frozen=True, slots=True)
class Forward:
    """Where a request goes.

    Attributes:
        scheme: ``http`` or ``https``.
        upstream: Whom to connect to.
        path: With the query, as it goes over the wire.
        authority: The ``Host`` that the other server sees; None for the address.
        headers: Set in place of the client's; a name may come several times.
        prefix: What of our own path stands before the other server's, for redirects; empty to
            pass them on as they are.
        ca_bundle: PEM of the authorities to trust; empty for the system's.
        verify: Whether the certificate is checked.
        client_certificate: Files of a certificate to show, and of its key.
    """

    scheme: str
    upstream: Upstream
    path: str
    authority: str | None = None
    headers: Sequence[tuple[str, str]] = ()
    prefix: str = ""
    ca_bundle: bytes = b""
    verify: bool = True
    client_certificate: tuple[str, str] | None = None


async def forward(egress: Egress, request: Request, to: Forward) -> Response | Stream:
    """Send a request on and return the answer, whose body is passed on as it comes.

    Raises:
        StatusError: 503, the other server can't be reached.
    """
    import anyio
    import httpx

    host = f"[{to.upstream.host}]" if ":" in to.upstream.host else to.upstream.host
    url = f"{to.scheme}://{host}:{to.upstream.port}/"
    call = Call(request.method, url, upstream=to.upstream)
    headers = _request_headers(request, to)
    try:
        client = await egress.client(
            to.ca_bundle, verify=to.verify, certificate=to.client_certificate
        )
        with anyio.fail_after(CONNECT_SECONDS):
            answer = await client.send(
                client.build_request(
                    request.method,
                    url,
                    headers=headers,
                    content=request.pieces() if _has_body(request) else None,
                    extensions={
                        "sni_hostname": to.upstream.server_name,
                        # The path as it came, which is what was authorized: a URL's dots would be
                        # resolved and its quotes written anew.
                        "target": to.path.encode("latin-1"),
                    },
                ),
                stream=True,
            )
    except TimeoutError:
        raise _unreachable(f"{call.destination} did not answer in time") from None
    except CallError as error:
        raise _unreachable(str(error)) from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise _unreachable(explain_failure(call, error)) from error
    kept = _answer_headers(answer, to)
    content_type = answer.headers.get("content-type", "").encode("latin-1")
    return Stream(_pieces(answer), content_type, kept, status=answer.status_code, forwarded=True)


def _unreachable(why: str) -> StatusError:
    return service_unavailable(f"error trying to reach service: {why}")


def _has_body(request: Request) -> bool:
    headers = request.headers
    if b"transfer-encoding" in headers:
        return True
    length = headers.get(b"content-length", b"")
    return length not in (b"", b"0") or (not length and request.method not in _BODYLESS)


def _request_headers(request: Request, to: Forward) -> list[tuple[bytes, bytes]]:
    dropped = {
        name.strip().lower()
        for header, value in request.repeated(b"connection")
        if header == b"connection"
        for name in value.decode("latin-1").split(",")
    }
    dropped |= _NOT_PASSED_ON
    dropped |= {name.lower() for name, _ in to.headers}
    kept = []
    for raw, value in request.repeated(b""):
        name = raw.decode("latin-1")
        if name not in dropped and not name.startswith(_OURS):
            kept.append((raw, value))
    length = request.headers.get(b"content-length")
    if length and _has_body(request):
        kept.append((b"content-length", length))
    if to.authority is not None:
        kept.append((b"host", to.authority.encode()))
    kept += [(name.encode("ascii"), value.encode()) for name, value in to.headers]
    if not any(name == b"accept-encoding" for name, _ in kept):
        kept.append((b"accept-encoding", b"identity"))
    return kept


def _answer_headers(answer: httpx.Response, to: Forward) -> list[tuple[bytes, bytes]]:
    kept = []
    for name, value in answer.headers.multi_items():
        if name in _HOP_BY_HOP or name == "content-type":
            continue
        text = _own_location(value, to) if name == "location" and to.prefix else value
        kept.append((name.encode("latin-1"), text.encode("latin-1")))
    return kept


def _own_location(location: str, to: Forward) -> str:
    """Lead a redirect back through this server, if it stays on the other one."""
    parts = urllib.parse.urlsplit(location)
    ours = {"", f"{to.upstream.host}:{to.upstream.port}", to.authority or ""}
    if parts.netloc not in ours or not parts.path.startswith("/"):
        return location
    return urllib.parse.urlunsplit(("", "", to.prefix + parts.path, parts.query, parts.fragment))


async def _pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.aiter_raw():
            yield piece
    finally:
        await answer.aclose()
