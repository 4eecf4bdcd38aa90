"""Webhooks that a test answers itself: Python functions behind a real HTTPS server.

The API server cannot tell them from any others: they are named in a configuration, called over TLS
with the CA of its ``caBundle``, answer reviews, and fail as webhooks fail. Sources:
kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers and
kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning.
"""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures.thread
import inspect
import itertools
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from actors import RealClock
from orchestrator.api.certificates import Certificates, ensure_certificates
from orchestrator.api.server import ApiServer, Tls
from orchestrator.embedded.errors import ClusterError
from orchestrator.embedded.turns import MEANWHILE
from orchestrator.embedded.webhooks.answering import answering
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object

if TYPE_CHECKING:
    from orchestrator.api._requests import Receive, Scope, Send

Verdict: TypeAlias = bool | str | list[Any] | Mapping[str, Any] | None
"""What a handler says: None or True lets pass, False refuses, a text refuses with that message, a
list is a JSON patch, an object (with ``kind``) is what the new one is to be, and a mapping with
``allowed`` is the whole response. A `StatusError` raised refuses with its code and message."""

Handler: TypeAlias = Callable[[dict[str, Any]], Verdict | Awaitable[Verdict]]
"""Answers the ``request`` of an AdmissionReview."""

Converter: TypeAlias = Callable[[Object, str], Object | Awaitable[Object]]
"""Returns an object in the version asked for, ``example.com/v2``."""

Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""From a review's request to its response, without the uid."""

_TOLD: Final = 1000
"""Requests remembered of one webhook; the oldest go."""

_OWN: Final = {__file__, asyncio.threads.__file__, concurrent.futures.thread.__file__}
"""Files through which a handler is called: nobody has to read of them."""


@dataclass(slots=True)
class Webhook:
    """A webhook that is being served.

    Attributes:
        name: Of its configuration, or of the definition that it converts for.
        requests: What it was asked, the ``request`` of each review, in order.
    """

    name: str
    requests: list[dict[str, Any]] = field(default_factory=list)

    def note(self, request: dict[str, Any]) -> None:
        """Remember a request."""
        self.requests.append(request)
        del self.requests[:-_TOLD]


class WebhookServer:
    """One HTTPS server on a loopback port for all webhooks of a cluster.

    Attributes:
        stopped: Whether it has ended, as the cluster has or is about to.
    """

    def __init__(self, directory: Path) -> None:
        """Keep its certificates in ``directory``."""
        self._directory = directory
        self._numbers = itertools.count(1)
        self._answers: dict[str, Answer] = {}
        self._server: ApiServer | None = None
        self._starting = asyncio.Lock()
        self.stopped = False
        self._files: Certificates | None = None

    def certificates(self) -> Certificates:
        """Return certificate, key and CA of a server on the loopback address."""
        if self._files is None:
            # Checked against the machine's clock, wherever the cluster's stands.
            self._files = ensure_certificates(
                self._directory, RealClock().now(), common_name="webhook"
            )
        return self._files

    async def add(self, answer: Answer) -> tuple[str, dict[str, Any]]:
        """Serve a function at a path of its own; returns the path and the ``clientConfig``."""
        async with self._starting:
            files = await asyncio.to_thread(self.certificates)
            if self.stopped:
                raise ClusterError(MEANWHILE)
            if self._server is None:
                # The caller keeps its connections open, and does not look at one that is ended.
                server = ApiServer(
                    self, port=0, tls=Tls(files.certificate_file, files.key_file), stop_deadline=0
                )
                await server.start()
                self._server = server
        path = f"/{next(self._numbers)}"
        self._answers[path] = answer
        bundle = base64.b64encode(files.ca_pem.encode()).decode()
        return path, {"url": f"https://127.0.0.1:{self._server.port}{path}", "caBundle": bundle}

    def remove(self, path: str) -> None:
        """Serve a function no longer."""
        del self._answers[path]

    async def stop(self) -> None:
        """Listen no longer."""
        self.stopped = True
        async with self._starting:
            server, self._server = self._server, None
        if server is not None:
            await server.stop()

    def close(self) -> None:
        """Have no streams to end (for the server that hosts this)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one review (the ASGI interface)."""
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        answer = self._answers.get(scope["path"])
        status, said = 404, b"there is no such webhook (any more)"
        if answer is not None:
            try:
                review = orjson.loads(body)
                response = {"uid": review["request"]["uid"], **await answer(review["request"])}
                told = {"apiVersion": review["apiVersion"], "kind": review["kind"]}
                status, said = 200, orjson.dumps({**told, "response": response})
            except Exception as error:  # noqa: BLE001 - a handler that fails is a webhook that fails
                status, said = 500, _told(error).encode()
        headers = [(b"content-type", b"application/json" if status == 200 else b"text/plain")]
        headers.append((b"content-length", str(len(said)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": said})


def _told(error: Exception) -> str:
    """Say what went wrong first, and then where, as far as it was in the handler."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename in _OWN:
        trace = trace.tb_next
    where = "".join(traceback.format_tb(trace))
    return "".join(traceback.format_exception_only(error)).strip() + (f"\n{where}" if where else "")


def admission_answer(webhook: Webhook, handler: Handler) -> Answer:
    """Return what answers admission reviews with a handler."""

    async def answer(request: dict[str, Any]) -> dict[str, Any]:
        webhook.note(request)
        try:
            with answering(f"the webhook {webhook.name}"):
                verdict = await _called(handler, request)
        except StatusError as error:
            status = {"code": error.code, "message": error.message, "reason": error.reason}
            return {"allowed": False, "status": status}
        return response_of(verdict, request.get("object"))

    return answer


def conversion_answer(webhook: Webhook, convert: Converter) -> Answer:
    """Return what answers conversion reviews with a converter, object by object."""

    async def answer(request: dict[str, Any]) -> dict[str, Any]:
        webhook.note(request)
        version = request["desiredAPIVersion"]
        try:
            with answering(f"the conversion webhook of {webhook.name}"):
                made = [
                    {**await _called(convert, obj, version), "apiVersion": version}
                    for obj in request["objects"]
                ]
        except (StatusError, ValueError, KeyError) as error:
            said = error.message if isinstance(error, StatusError) else repr(error)
            return {"result": {"status": "Failure", "message": said}}
        return {"convertedObjects": made, "result": {"status": "Success"}}

    return answer


async def _called(function: Callable[..., Any], *args: Any) -> Any:
    """Call a handler: in a thread, unless it is a coroutine function, so that it may wait."""
    if inspect.iscoroutinefunction(function):
        return await function(*args)
    found = await asyncio.to_thread(function, *args)
    return await found if inspect.isawaitable(found) else found


def response_of(verdict: Any, obj: Object | None) -> dict[str, Any]:
    """Return the AdmissionResponse, without the uid, that a handler's verdict stands for.

    Raises:
        TypeError: It stands for none.
    """
    if verdict is None or verdict is True:
        return {"allowed": True}
    if verdict is False:
        return {"allowed": False}
    if isinstance(verdict, str):
        return {"allowed": False, "status": {"message": verdict}}
    if isinstance(verdict, Mapping) and "allowed" in verdict:
        return dict(verdict)
    if isinstance(verdict, Mapping) and "kind" in verdict:
        patch = list(json_patch(obj or {}, verdict))
    elif isinstance(verdict, Sequence):
        patch = list(verdict)
    else:
        raise TypeError(
            f"a webhook's handler returned {verdict!r}: give None or True, False, a message, a "
            "JSON patch (a list), the changed object, or a response with 'allowed'"
        )
    if not patch:
        return {"allowed": True}
    encoded = base64.b64encode(orjson.dumps(patch)).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": encoded}


def json_patch(old: Any, new: Any, path: str = "") -> list[dict[str, Any]]:
    """Return the JSON patch from one object to another; lists that differ are replaced whole."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return [] if old == new else [{"op": "replace", "path": path, "value": new}]
    steps: list[dict[str, Any]] = [
        {"op": "remove", "path": f"{path}/{_escaped(name)}"} for name in old if name not in new
    ]
    for name, value in new.items():
        below = f"{path}/{_escaped(name)}"
        if name not in old:
            steps.append({"op": "add", "path": below, "value": value})
        else:
            steps += json_patch(old[name], value, below)
    return steps


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
