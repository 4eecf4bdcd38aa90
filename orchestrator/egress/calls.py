"""HTTP requests of the server's own, with upstream's words for what fails.

The HTTP library is loaded with the first call: most clusters make none.
"""

from __future__ import annotations

import errno
import hashlib
import os
import random
import ssl
import urllib.parse
from collections import OrderedDict
from dataclasses import field
from typing import TYPE_CHECKING, Final

from orchestrator.egress.services import Upstream
from orchestrator.records import dataclass

if TYPE_CHECKING:
    import httpx

    from orchestrator.egress.dialing import Dial

ANSWER_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of an answer that is read as a whole."""

CONTEXTS_KEPT: Final = 64
"""TLS settings with connections that are kept open; the least used ones are closed."""


class CallError(Exception):
    """A request got no usable answer; the text is what Go's HTTP client says."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        method: ``POST``.
        url: As a person writes it, with the name of the host.
        body: Bytes to send.
        headers: More headers than the usual.
        timeout: Seconds for everything together.
        upstream: Whom to connect to, where it is not the URL's host.
        ca_bundle: PEM of the authorities to trust; empty for the system's.
        verify: Whether the certificate is checked.
        certificate: Files of the certificate to show, and of its key.
    """

    method: str
    url: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    timeout: float = 10.0
    upstream: Upstream | None = None
    ca_bundle: bytes = b""
    verify: bool = True
    certificate: tuple[str, str] | None = None

    @property
    def destination(self) -> str:
        """``host:port`` that is connected to."""
        if self.upstream is not None:
            return f"{self.upstream.host}:{self.upstream.port}"
        parts = urllib.parse.urlsplit(self.url)
        return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: HTTP code.
        headers: With lower-case names.
        body: Whole.
    """

    status: int
    headers: dict[str, str]
    body: bytes


class Egress:
    """Makes requests, keeping connections open by TLS settings."""

    def __init__(self, chance: random.Random) -> None:
        """Begin without a connection; ``chance`` chooses among endpoints.

        Attributes:
            dial: Asked first for each connection, where some addresses are in this program.
        """
        self.chance = chance
        self.dial: Dial | None = None
        self._clients: OrderedDict[str, httpx.AsyncClient] = OrderedDict()

    async def request(self, call: Call) -> Answer:
        """Make a request and read the whole answer.

        Raises:
            CallError: No answer, not in time, or one over `ANSWER_LIMIT`.
        """
        import anyio
        import httpx

        try:
            with anyio.fail_after(call.timeout):
                client = await self.client(
                    call.ca_bundle, verify=call.verify, certificate=call.certificate
                )
                async with client.stream(
                    call.method,
                    call.url if call.upstream is None else _direct(call),
                    content=call.body,
                    headers=_headers(call),
                    extensions=_extensions(call),
                ) as answer:
                    return await _read(answer)
        except TimeoutError:
            raise CallError(_failed(call, "context deadline exceeded")) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise CallError(_failed(call, explain_failure(call, error))) from error

    async def client(
        self,
        ca_bundle: bytes = b"",
        *,
        verify: bool = True,
        certificate: tuple[str, str] | None = None,
    ) -> httpx.AsyncClient:
        """Return the client that trusts some authorities.

        Args:
            ca_bundle: PEM of the authorities; empty for the system's.
            verify: Whether certificates are checked at all.
            certificate: Files of the certificate to show, and of its key.

        Raises:
            CallError: ``ca_bundle`` holds no certificates.
        """
        import httpcore
        import httpx

        from orchestrator.egress.dialing import DialingBackend

        trusted = hashlib.sha256(ca_bundle).hexdigest() if verify else "any"
        key = f"{trusted} {certificate}"
        client = self._clients.get(key)
        if client is not None:
            self._clients.move_to_end(key)
            return client
        # Nothing of the environment takes part: a proxy variable must not lead webhooks astray.
        context = _trust(ca_bundle, verify=verify)
        if certificate is not None:
            context.load_cert_chain(*certificate)
        limits = httpx.Limits(max_connections=256, max_keepalive_connections=16)
        transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False)
        # httpx has no parameter for it; its other pool was never used.
        transport._pool = httpcore.AsyncConnectionPool(  # noqa: SLF001 - see above
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=DialingBackend(self.dial),
        )
        client = self._clients[key] = httpx.AsyncClient(
            verify=context,
            timeout=None,  # noqa: S113 - every call has a deadline of its own
            trust_env=False,
            limits=limits,
            transport=transport,
        )
        if len(self._clients) > CONTEXTS_KEPT:
            _, oldest = self._clients.popitem(last=False)
            await oldest.aclose()
        return client

    async def close(self) -> None:
        """Close every connection."""
        clients, self._clients = self._clients, OrderedDict()
        for client in clients.values():
            await client.aclose()


def _trust(ca_bundle: bytes, *, verify: bool) -> ssl.SSLContext:
    if not verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if not ca_bundle:
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=ca_bundle.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise CallError(
            "unable to load root certificates: unable to parse bytes as PEM block"
        ) from (error)
    return context


def _direct(call: Call) -> str:
    """Return the URL with the address that is connected to."""
    assert call.upstream is not None
    host, port, _ = call.upstream
    parts = urllib.parse.urlsplit(call.url)
    literal = f"[{host}]" if ":" in host else host
    return urllib.parse.urlunsplit(parts._replace(netloc=f"{literal}:{port}"))


def _headers(call: Call) -> dict[str, str]:
    headers = dict(call.headers)
    if call.upstream is not None:
        headers["host"] = urllib.parse.urlsplit(call.url).netloc
    return headers


def _extensions(call: Call) -> dict[str, str]:
    return {"sni_hostname": call.upstream.server_name} if call.upstream is not None else {}


async def _read(answer: httpx.Response) -> Answer:
    pieces = []
    size = 0
    async for piece in answer.aiter_bytes():
        size += len(piece)
        if size > ANSWER_LIMIT:
            raise ValueError(f"the answer is larger than {ANSWER_LIMIT} bytes")
        pieces.append(piece)
    return Answer(answer.status_code, dict(answer.headers), b"".join(pieces))


def _failed(call: Call, why: str) -> str:
    return f'{call.method.capitalize()} "{call.url}": {why}'


def explain_failure(call: Call, error: BaseException) -> str:
    """Say why a request failed, in the words of Go's network library."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"tls: failed to verify certificate: x509: {_x509(seen)}"
        if (
            isinstance(seen, OSError)
            and seen.errno is not None
            and not isinstance(seen, ssl.SSLError)
        ):
            if seen.errno in errno.errorcode:
                text = os.strerror(seen.errno).lower()
                return f"dial tcp {call.destination}: connect: {text}"
            host = call.destination.rpartition(":")[0]
            return f"dial tcp: lookup {host}: no such host"
        if isinstance(seen, OSError) and "connect" in str(seen).lower():
            return f"dial tcp {call.destination}: connect: connection refused"
        seen = seen.__cause__ or seen.__context__
    return str(error) or type(error).__name__


def _x509(error: ssl.SSLCertVerificationError) -> str:
    if "self-signed" in error.verify_message or "issuer" in error.verify_message:
        return "certificate signed by unknown authority"
    if "expired" in error.verify_message:
        return "certificate has expired or is not yet valid"
    return error.verify_message or str(error)
