"""The way to a webhook: by URL or by Service, always with TLS, always with a deadline."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import orjson

from orchestrator.egress import Answer, Call, CallError, Egress, Upstream, resolve_service
from orchestrator.egress.services import Reader
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object

_PORT: Final = 443
_HEADERS: Final = {"content-type": "application/json", "accept": "application/json, */*"}


class WebhookError(Exception):
    """A webhook could not be asked, or did not answer properly; the text is upstream's."""


class WebhookClient:
    """Posts reviews to webhooks."""

    def __init__(self, store: Reader, egress: Egress) -> None:
        """Look Services up in ``store``, connect with ``egress``."""
        self._store = store
        self._egress = egress

    async def post(self, config: Object, review: Object, seconds: float) -> Any:
        """Send a review and return the parsed answer.

        Args:
            config: The ``clientConfig`` of a webhook.
            review: What is sent.
            seconds: Deadline.

        Raises:
            WebhookError: With upstream's words.
        """
        url, upstream = self._place(config)
        if seconds:
            url += ("&" if "?" in url else "?") + f"timeout={seconds:g}s"
        call = Call(
            "POST",
            url,
            body=orjson.dumps(review),
            headers=_HEADERS,
            timeout=seconds or 30.0,
            upstream=upstream,
            ca_bundle=_bundle(config.get("caBundle") or ""),
        )
        try:
            answer = await self._egress.request(call)
        except CallError as error:
            raise WebhookError(str(error)) from error
        if not 200 <= answer.status < 300:
            raise WebhookError(_refused(answer))
        try:
            return orjson.loads(answer.body)
        except ValueError as error:
            raise WebhookError(f"the answer is no JSON: {error}") from error

    def _place(self, config: Object) -> tuple[str, Upstream | None]:
        url = config.get("url")
        if url:
            return str(url), None
        service = config.get("service")
        if not service:
            raise WebhookError("webhook configuration must have either service or URL")
        name, namespace = service["name"], service["namespace"]
        port = service.get("port") or _PORT
        try:
            upstream = resolve_service(self._store, namespace, name, port, self._egress.chance)
        except StatusError as error:
            raise WebhookError(error.message) from error
        path = (service.get("path") or "").lstrip("/")
        return f"https://{upstream.server_name}:{port}/{path}", upstream


def _bundle(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise WebhookError(f"unable to load root certificates: {error}") from error


def _refused(answer: Answer) -> str:
    """Say what a code stands for, in the words of client-go."""
    body = answer.body[:2048].decode("utf-8", "replace").strip()
    if answer.status == 404:
        return "the server could not find the requested resource"
    if answer.status >= 500:
        said = orjson.dumps(body or "unknown").decode()
        return f"an error on the server ({said}) has prevented the request from succeeding"
    return f"the server rejected our request for an unknown reason ({answer.status}: {body})"
