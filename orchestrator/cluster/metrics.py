"""Who answers the metrics APIs for the cluster's own autoscalers.

An APIService that leads to a Service is asked there, as any client would be led there by the API.
Usage of pods comes from the meter of this cluster otherwise.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

import orjson

from orchestrator.controllers.autoscaler.source import MetricsError, Question
from orchestrator.egress import Call, CallError, Egress, resolve_service
from orchestrator.node.usage.meter import UsageMeter
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object, spec_of
from orchestrator.resources.usage_metrics import GROUP
from orchestrator.store import Store

ASK_SECONDS: Final = 10.0
_API_SERVICES: Final = "apiservices.apiregistration.k8s.io"
_ACCOUNT: Final = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
_WHO: Final = {"accept": "application/json", "X-Remote-User": _ACCOUNT}
"""As who the other server is asked: upstream's account for it."""
_NOT_FOUND: Final = "the server could not find the requested resource"
_UNAVAILABLE: Final = "the server is currently unable to handle the request"


class ClusterMetrics:
    """Asks whoever serves a metrics API."""

    def __init__(
        self,
        store: Store,
        egress: Egress,
        meter: UsageMeter | None,
        certificate: tuple[str, str] | None = None,
    ) -> None:
        """Prepare.

        Args:
            store: The cluster's objects.
            egress: Makes the connections.
            meter: Knows what pods use; None where that is another server's.
            certificate: Files of the certificate, and of its key, by which other servers know
                this one.
        """
        self._store = store
        self._egress = egress
        self._meter = meter
        self._certificate = certificate

    async def read(self, question: Question, pods: Sequence[Object]) -> Object:
        """Return the list that answers a question; ``pods`` are those that it is about.

        Raises:
            MetricsError: In the words of client-go.
        """
        for version in question.versions:
            service = self._store.get(_API_SERVICES, "", f"{version}.{question.group}")
            if service is not None and spec_of(service).get("service"):
                return await self._forward(question, version, service)
        if question.group == GROUP and self._meter is not None:
            from orchestrator.node.usage.objects import pod_metrics

            return {"items": [pod_metrics(usage) for usage in await self._meter.pods(pods)]}
        if question.group == "custom.metrics.k8s.io":
            raise MetricsError(f"no custom metrics API ({question.group}) registered")
        raise MetricsError(_about(_NOT_FOUND, question))

    async def _forward(self, question: Question, version: str, service: Object) -> Object:
        spec = spec_of(service)
        named = spec["service"]
        port = named.get("port") or 443
        path = f"/apis/{question.group}/{version}/{question.path}"
        query = f"?{urlencode(question.query)}" if question.query else ""
        try:
            upstream = resolve_service(
                self._store, named["namespace"], named["name"], port, self._egress.chance
            )
            answer = await self._egress.request(
                Call(
                    "GET",
                    f"https://{upstream.server_name}:{port}{path}{query}",
                    headers={**_WHO, "X-Remote-Group": "system:serviceaccounts"},
                    timeout=ASK_SECONDS,
                    upstream=upstream,
                    ca_bundle=base64.b64decode(spec.get("caBundle") or "", validate=True),
                    verify=not spec.get("insecureSkipTLSVerify"),
                    certificate=self._certificate,
                )
            )
        except (StatusError, CallError, binascii.Error) as error:
            raise MetricsError(_about(_UNAVAILABLE, question)) from error
        return _read(answer.status, answer.body, question)


def _read(status: int, body: bytes, question: Question) -> Object:
    """Read an answer; client-go shows the message of a ``Status``, and speaks for itself else."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        document = {}
    if status == 200 and document:
        return document
    if document.get("kind") == "Status" and document.get("message"):
        raise MetricsError(str(document["message"]))
    words = {404: _NOT_FOUND, 503: _UNAVAILABLE}
    default = f"the server responded with the status code {status} but did not return more "
    raise MetricsError(_about(words.get(status, f"{default}information"), question))


def _about(text: str, question: Question) -> str:
    return f"{text} (get {question.resource}.{question.group})"
