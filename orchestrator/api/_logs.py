"""``pods/log``: which container, which options, and what is refused before a stream begins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from orchestrator.api._requests import Request
from orchestrator.api._responses import Response, Stream, text_response
from orchestrator.resources.errors import FieldError, bad_request, invalid
from orchestrator.resources.log_refusals import log_refusal
from orchestrator.resources.objects import Object, name_of, spec_of
from orchestrator.resources.timestamps import parse_time

if TYPE_CHECKING:
    from orchestrator.node.logs import LogOptions, PodLogs
    from orchestrator.store import Store


def choose_container(pod: Object, asked: str) -> str:
    """Return the container whose log is meant.

    Raises:
        StatusError: 400 in upstream's words: none named and several there, or no such container.
    """
    spec = spec_of(pod)
    containers = [container["name"] for container in spec.get("containers") or ()]
    inits = [container["name"] for container in spec.get("initContainers") or ()]
    ephemeral = [container["name"] for container in spec.get("ephemeralContainers") or ()]
    name = name_of(pod)
    if not asked:
        annotated = (pod["metadata"].get("annotations") or {}).get(
            "kubectl.kubernetes.io/default-container"
        )
        if len(containers) == 1 and not inits and not ephemeral:
            return str(containers[0])
        if annotated in containers:
            return str(annotated)
        if len(containers) == 1:
            return str(containers[0])
        text = f"a container name must be specified for pod {name}, choose one of: "
        text += f"[{' '.join(containers)}]"
        if inits:
            text += f" or one of the init containers: [{' '.join(inits)}]"
        if ephemeral:
            text += f" or one of the ephemeral containers: [{' '.join(ephemeral)}]"
        raise bad_request(text)
    if asked not in (*containers, *inits, *ephemeral):
        raise bad_request(f"container {asked} is not valid for pod {name}")
    return asked


def refuse_without_log(pod: Object, container: str, previous: bool) -> None:
    """Refuse a container that has no log (yet).

    Raises:
        StatusError: 400 in the kubelet's words.
    """
    if refusal := log_refusal(pod, container, previous=previous):
        raise bad_request(refusal)


def log_options(request: Request) -> LogOptions:
    """Read the options of a log request.

    Raises:
        StatusError: 400 for what cannot be parsed, 422 with every cause for what makes no sense.
    """
    from orchestrator.node.logs import LogOptions

    tail = request.number("tailLines")
    since_seconds = request.number("sinceSeconds")
    limit = request.number("limitBytes")
    since_text = request.parameter("sinceTime")
    since_time: float | None = None
    causes = []
    if since_text:
        try:
            since_time = parse_time(since_text)
        except ValueError as error:
            raise bad_request(str(error)) from error
    if tail is not None and tail < 0:
        causes.append(_at_least("tailLines", tail, 0))
    if limit is not None and limit < 1:
        causes.append(_at_least("limitBytes", limit, 1, strictly=True))
    if since_seconds is not None and since_time is not None:
        causes.append(
            FieldError(
                "FieldValueForbidden",
                "",
                "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
            )
        )
    elif since_seconds is not None and since_seconds < 1:
        causes.append(_at_least("sinceSeconds", since_seconds, 1, strictly=True))
    if causes:
        raise invalid("PodLogOptions", "", "", causes)
    return LogOptions(
        follow=request.flag("follow"),
        tail_lines=tail,
        since_seconds=since_seconds,
        since_time=since_time,
        previous=request.flag("previous"),
        timestamps=request.flag("timestamps"),
        limit_bytes=limit,
    )


def _at_least(field: str, value: int, least: int, *, strictly: bool = False) -> FieldError:
    rule = (
        f"must be greater than {least - 1}"
        if strictly
        else (f"must be greater than or equal to {least}")
    )
    return FieldError("FieldValueInvalid", field, f"Invalid value: {value}: {rule}")


class Logs:
    """Answers log requests from the node that runs the pod."""

    def __init__(self, store: Store, logs: PodLogs | None) -> None:
        self._store = store
        self._logs = logs

    async def answer(self, request: Request, pod: Object) -> Response | Stream:
        """Stream a container's log."""
        options = log_options(request)
        container = choose_container(pod, request.parameter("container"))
        if not spec_of(pod).get("nodeName"):
            # Upstream has nobody to ask and answers with nothing.
            return text_response("")
        refuse_without_log(pod, container, options.previous)
        if self._logs is None:
            raise bad_request("this server has no nodes that keep logs")
        chunks: AsyncIterator[bytes] = await self._logs.open(pod, container, options)
        return Stream(chunks, b"text/plain")
