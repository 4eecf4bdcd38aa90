"""Subresources, and the kinds that are asked rather than stored."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from orchestrator.api._bindings import binding_of, bound
from orchestrator.api._bodies import check_object_type, parse_object
from orchestrator.api._callers import caller_of, deleter_of
from orchestrator.api._evicting import Evictions
from orchestrator.api._logs import Logs
from orchestrator.api._options import delete_options, write_options
from orchestrator.api._proxies import Proxies
from orchestrator.api._requests import Request
from orchestrator.api._responses import Response, Stream, json_response
from orchestrator.api._reviews import answer_review
from orchestrator.api._routing import Target
from orchestrator.api._scaling import Scaling
from orchestrator.api._token_requests import TokenRequests, check_token_name
from orchestrator.api.streaming.upgrades import Upgrade
from orchestrator.egress import Egress
from orchestrator.resources.errors import bad_request
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, name_of
from orchestrator.resources.scales import scaling_of
from orchestrator.resources.timestamps import format_time
from orchestrator.store.admission import Attributes

if TYPE_CHECKING:
    from orchestrator.api._access import Access
    from orchestrator.api._resources import Resources
    from orchestrator.api.streaming.negotiating import Entrance
    from orchestrator.node.logs import PodLogs
    from orchestrator.node.pod_sessions import PodSessions
    from orchestrator.store import Store

_SUCCESS: Final[dict[str, Any]] = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Success",
    "code": 201,
}
_PLAIN: Final = ("status", "resize", "ephemeralcontainers", "approval")
"""Subresources that are a part of the object itself."""


class Subresources:
    """Answers what lies below an object's path."""

    def __init__(
        self,
        resources: Resources,
        store: Store,
        logs: PodLogs | None,
        access: Access,
        egress: Egress,
        sessions: PodSessions | None,
    ) -> None:
        self._resources = resources
        self._store = store
        self._writing = resources.writing
        self._scaling = Scaling(store, self._writing.managers)
        self._logs = Logs(store, logs)
        self._sessions = sessions
        self._access = access
        self._tokens = TokenRequests(store, access.accounts)
        self._proxies = Proxies(store, egress)
        self._evictions = Evictions(store)

    async def create_virtual(self, request: Request, target: Target) -> Response:
        """Answer a review, or bind a pod through the ``bindings`` collection."""
        if target.kind.kind == "Binding":
            binding = await self._writing.read_object(request, target.kind, "Warn")
            return await self._bind(request, target, name_of(binding), binding)
        write_options(request, "CreateOptions")
        asked = await self._writing.read_object(request, target.kind, "Warn")
        answer = answer_review(target.kind.kind, asked, request.user, target.scope, self._access)
        return await self._resources.respond(request, target.kind, answer, 201)

    async def answer(self, request: Request, target: Target) -> Response | Stream | Upgrade:
        """Answer a request for a subresource."""
        from orchestrator.api._resources import method_not_allowed

        name, method = target.subresource, request.method
        if name in _PLAIN:
            match method:
                case "GET":
                    return await self._resources.get(request, target)
                case "PUT":
                    return await self._writing.update(request, target, name)
                case "PATCH":
                    return await self._writing.patch(request, target, name)
                case _:
                    raise method_not_allowed()
        match name, method:
            case "scale", "GET":
                return await self._scale_response(
                    request, target.kind, self._resources.find(target)
                )
            case "scale", "PUT" | "PATCH":
                scaled = await self._scaling.write(request, target)
                return await self._scale_response(request, target.kind, scaled)
            case "log", "GET":
                return await self._logs.answer(request, self._resources.find(target))
            case "binding", "POST":
                kind = self._store.registry.by_kind("v1", "Binding")
                assert kind is not None
                binding = await self._writing.read_object(request, kind, "Warn")
                return await self._bind(request, target, target.name, binding)
            case "eviction", "POST":
                return await self._evict(request, target)
            case "finalize", "PUT":
                return await self._writing.update(request, target, name)
            case "proxy", _:
                return await self._proxies.answer(request, target)
            case (("exec" | "attach"), ("GET" | "POST")):
                from orchestrator.api.streaming.commands import RemoteCommands

                commands = RemoteCommands(self._entrance())
                return await commands.answer(request, target, partial(self._resources.find, target))
            case "portforward", ("GET" | "POST"):
                from orchestrator.api.streaming.ports import PortForwards

                forwards = PortForwards(self._entrance())
                return await forwards.answer(request, target, partial(self._resources.find, target))
            case "token", "POST":
                return await self._issue(request, target)
            case _:
                raise method_not_allowed()

    def _entrance(self) -> Entrance:
        from orchestrator.api.streaming.negotiating import Entrance

        return Entrance(self._store, self._sessions, self._access)

    async def _issue(self, request: Request, target: Target) -> Response:
        options = write_options(request, "CreateOptions")
        kind = self._tokens.kind
        asked = await self._writing.read_object(request, kind, options.validation)
        check_token_name(target.name, asked)
        account = self._resources.find(target)
        answer = self._tokens.answer(account, asked, dry_run=options.dry_run)
        return await self._resources.respond(request, kind, answer, 201)

    async def _scale_response(self, request: Request, kind: Kind, obj: Object) -> Response:
        if self._store.registry.is_converted(kind):
            obj = await self._store.conversion.one(obj, kind)
        scale = scaling_of(kind).read(obj)
        return json_response(scale, 200, request.accepted, pretty=request.pretty)

    async def _bind(self, request: Request, target: Target, name: str, binding: Object) -> Response:
        options = write_options(request, "CreateOptions")
        node = binding_of(binding)
        await self._store.admission.ask(
            Attributes(
                operation="CREATE",
                kind=self._store.registry.by_key("pods"),
                subresource="binding",
                namespace=target.scope,
                name=name,
                object=binding,
                dry_run=options.dry_run,
                caller=caller_of(request, "CreateOptions", options),
            )
        )
        now = format_time(self._store.clock.now())
        await self._store.modify(
            "pods",
            target.scope,
            name,
            lambda pod: bound(pod, binding, node, now),
            dry_run=options.dry_run,
            admit=False,
        )
        return json_response(_SUCCESS, 201, request.accepted)

    async def _evict(self, request: Request, target: Target) -> Response:
        check_object_type(request.content_type)
        body = parse_object(await request.body(), request.content_type, "Eviction")
        body = {"apiVersion": "policy/v1", "kind": "Eviction", **body}
        for field, go in (("metadata", "v1.ObjectMeta"), ("deleteOptions", "v1.DeleteOptions")):
            if not isinstance(body.get(field) or {}, dict):
                raise bad_request(
                    f"json: cannot unmarshal into Go struct field Eviction.{field} of type {go}"
                )
        named = name_of(body)
        if named and named != target.name:
            raise bad_request("name in URL does not match name in Eviction object")
        given = body.get("deleteOptions")
        options, dry_run = delete_options(request, given or {})
        dry_run = dry_run or bool(request.query.get("dryRun"))
        caller = deleter_of(request, given)
        await self._store.admission.ask(
            Attributes(
                operation="CREATE",
                kind=target.kind,
                subresource="eviction",
                namespace=target.scope,
                name=target.name,
                object=body,
                dry_run=dry_run,
                caller=caller,
            )
        )
        await self._evictions.evict(target.scope, target.name, options, caller, dry_run=dry_run)
        return json_response(_SUCCESS, 201, request.accepted)
