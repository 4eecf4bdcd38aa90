"""``metrics.k8s.io``: what nodes and pods use, as metrics-server answers it.

It is served by this process. Where an APIService names another server, that one is asked instead:
see `orchestrator.api._aggregation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.api._options import ListOptions, list_options
from orchestrator.api._requests import Request
from orchestrator.api._responses import Response, json_response
from orchestrator.api._shapes import shape_list, shape_object
from orchestrator.node.usage.objects import node_metrics, pod_metrics
from orchestrator.resources.errors import StatusError, bad_request, not_found
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, labels_of, name_of, namespace_of
from orchestrator.resources.usage_metrics import GROUP, NODE_METRICS, POD_METRICS

if TYPE_CHECKING:
    from orchestrator.node.usage import UsageMeter
    from orchestrator.store import Store

ROOT: Final = f"/apis/{GROUP}/{NODE_METRICS.version}/"
_SELECTABLE: Final = ("metadata.name", "metadata.namespace")


class UsageMetrics:
    """Answers requests for metrics of nodes and pods."""

    def __init__(self, store: Store, meter: UsageMeter) -> None:
        """Answer what ``meter`` finds."""
        self._store = store
        self._meter = meter

    async def answer(self, request: Request) -> Response | None:
        """Answer a request below `ROOT`; None when there is nothing of that path.

        Raises:
            StatusError: Whatever was refused.
        """
        match request.path.removeprefix(ROOT).rstrip("/").split("/"):
            case ["nodes"]:
                request.kind = NODE_METRICS
                return await self._list(request, NODE_METRICS, None)
            case ["nodes", name]:
                request.kind = NODE_METRICS
                return await self._get(request, NODE_METRICS, "", name)
            case ["pods"]:
                request.kind = POD_METRICS
                return await self._list(request, POD_METRICS, None)
            case ["namespaces", namespace, "pods"]:
                request.kind = POD_METRICS
                return await self._list(request, POD_METRICS, namespace)
            case ["namespaces", namespace, "pods", name]:
                request.kind = POD_METRICS
                return await self._get(request, POD_METRICS, namespace, name)
            case _:
                return None

    async def _list(self, request: Request, kind: Kind, namespace: str | None) -> Response:
        _check_method(request)
        options = list_options(request)
        _check_fields(options)
        wanted = [obj for obj in self._store.list(kind.plural, namespace) if _selects(options, obj)]
        items = await self._metrics(kind, wanted)
        accepted = request.accepted
        metadata: dict[str, Any] = {}
        if accepted.shape:
            now = self._store.clock.now()
            shaped = shape_list(kind, items, metadata, request, accepted, now)
            return json_response(shaped, 200, accepted, pretty=request.pretty)
        document = {
            "kind": kind.list_kind,
            "apiVersion": kind.api_version,
            "metadata": metadata,
            "items": items,
        }
        return json_response(document, 200, accepted, pretty=request.pretty)

    async def _get(self, request: Request, kind: Kind, namespace: str, name: str) -> Response:
        _check_method(request)
        obj = self._store.get(kind.plural, namespace, name)
        found = await self._metrics(kind, [obj]) if obj is not None else []
        if not found:
            whose = f"{namespace}/{name}" if kind.namespaced else name
            raise not_found(f"{kind.kind.lower()}.{GROUP}", whose)
        accepted = request.accepted
        shaped = shape_object(kind, found[0], request, accepted, self._store.clock.now())
        return json_response(shaped, 200, accepted, pretty=request.pretty)

    async def _metrics(self, kind: Kind, objects: list[Object]) -> list[Object]:
        if kind is NODE_METRICS:
            return [node_metrics(usage) for usage in await self._meter.nodes(objects)]
        return [pod_metrics(usage) for usage in await self._meter.pods(objects)]


def _check_method(request: Request) -> None:
    watching = bool(request.query) and request.flag("watch")
    if request.method not in ("GET", "HEAD") or watching:
        raise StatusError(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )


def _check_fields(options: ListOptions) -> None:
    unknown = options.fields.unsupported(_SELECTABLE.__contains__) if options.fields else None
    if unknown is not None:
        raise bad_request(
            f'"{unknown}" is not a known field selector: only "metadata.name", "metadata.namespace"'
        )


def _selects(options: ListOptions, obj: Object) -> bool:
    if options.labels is not None and not options.labels.matches(labels_of(obj)):
        return False
    fields = {"metadata.name": name_of(obj), "metadata.namespace": namespace_of(obj)}
    return options.fields is None or options.fields.matches(fields)
