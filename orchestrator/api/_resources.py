"""The verbs on every kind: those that read are answered here, those that write beside it."""

from __future__ import annotations

import random
from functools import cached_property
from typing import TYPE_CHECKING, Final

import orjson

from orchestrator.api._lists import Lists
from orchestrator.api._requests import Request
from orchestrator.api._responses import Response, Stream, json_response
from orchestrator.api._routing import Target
from orchestrator.api._shapes import EncodedObjects, shape_object
from orchestrator.api.streaming.upgrades import Upgrade
from orchestrator.egress import Egress
from orchestrator.resources.errors import StatusError, not_found
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object

if TYPE_CHECKING:
    from orchestrator.api._access import Access
    from orchestrator.api._encodings import Messages
    from orchestrator.api._subresources import Subresources
    from orchestrator.api._writing import Writing
    from orchestrator.node.logs import PodLogs
    from orchestrator.node.pod_sessions import PodSessions
    from orchestrator.store import Store

_ASKED: Final = frozenset(
    {
        "Binding",
        "LocalSubjectAccessReview",
        "SelfSubjectAccessReview",
        "SelfSubjectReview",
        "SelfSubjectRulesReview",
        "SubjectAccessReview",
        "TokenReview",
    }
)
"""Kinds that are answered and never stored."""


def method_not_allowed() -> StatusError:
    """405: the path exists, the verb does not apply."""
    return StatusError(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
    )


class Resources:
    """Answers every request for a resource."""

    def __init__(
        self,
        store: Store,
        logs: PodLogs | None,
        access: Access,
        chance: random.Random,
        egress: Egress,
        sessions: PodSessions | None,
    ) -> None:
        self._store = store
        self._access = access
        self._encoded = EncodedObjects()
        self._messages: Messages | None = None
        self._lists = Lists(store, self._encoded, self.messages, chance)
        self._logs = logs
        self._egress = egress
        self._sessions = sessions

    @cached_property
    def writing(self) -> Writing:
        """The verbs that write, loaded with the first of them."""
        from orchestrator.api._writing import Writing

        return Writing(self, self._store, self._lists, self._access)

    @cached_property
    def _subresources(self) -> Subresources:
        from orchestrator.api._subresources import Subresources

        return Subresources(
            self, self._store, self._logs, self._access, self._egress, self._sessions
        )

    def messages(self) -> Messages:
        """Return the protobuf messages of objects; nothing is loaded before someone asks."""
        if self._messages is None:
            from orchestrator.api._encodings import Messages

            self._messages = Messages()
        return self._messages

    async def answer(self, request: Request, target: Target) -> Response | Stream | Upgrade:
        """Answer one request for ``target``.

        Raises:
            StatusError: Whatever was refused.
        """
        method = request.method
        kind = target.kind
        if target.watch and method != "GET":
            raise method_not_allowed()  # whatever the method, it was authorized as a watch
        if target.subresource:
            return await self._subresources.answer(request, target)
        verbs = kind.verbs
        if target.name:
            if method == "GET" and "get" in verbs:
                if target.watch:
                    return await self._lists.watch(request, target)
                return await self.get(request, target)
            if method == "PUT" and "update" in verbs:
                return await self.writing.update(request, target)
            if method == "PATCH" and "patch" in verbs:
                return await self.writing.patch(request, target)
            if method == "DELETE" and "delete" in verbs:
                return await self.writing.delete(request, target)
        elif method == "GET" and "list" in verbs:
            if target.watch or request.flag("watch"):
                return await self._lists.watch(request, target)
            return await self._lists.list(request, target)
        elif method == "POST" and "create" in verbs and kind.namespaced == bool(target.namespace):
            if kind.custom is not None:
                kind.custom.check_alive()
            if kind.kind in _ASKED:
                return await self._subresources.create_virtual(request, target)
            return await self.writing.create(request, target)
        elif method == "DELETE" and "deletecollection" in verbs:
            return await self.writing.delete_collection(request, target)
        raise method_not_allowed()

    async def get(self, request: Request, target: Target) -> Response:
        """Answer with one object."""
        if request.query:
            await self._lists.wait_for(request.parameter("resourceVersion"))
        obj = self.find(target)
        return await self.respond(request, target.kind, obj, stored=True)

    def find(self, target: Target) -> Object:
        """Return the committed object a path names; 404 otherwise."""
        obj = self._store.get(target.resource, target.scope, target.name)
        if obj is None:
            raise not_found(target.resource, target.name)
        return obj

    async def respond(
        self,
        request: Request,
        kind: Kind,
        obj: Object,
        status: int = 200,
        *,
        stored: bool = False,
    ) -> Response:
        """Answer with an object in the version, shape and encoding asked for.

        Args:
            request: The request.
            kind: The object's kind.
            obj: The object.
            status: HTTP code.
            stored: The object was read from the store, so that others may read it again.
        """
        accepted = request.accepted
        if self._store.registry.is_converted(kind):
            shown = await self._store.conversion.one(obj, kind)
            stored = stored and shown is obj
            obj = shown
        if accepted.shape:
            obj = shape_object(kind, obj, request, accepted, self._store.clock.now())
        elif accepted.encoding == "json" and not request.pretty:
            return Response(status, self._encoded(obj) if stored else orjson.dumps(obj))
        elif accepted.encoding == "protobuf":
            return self.messages().respond(obj, status, stored=stored)
        return json_response(obj, status, accepted, pretty=request.pretty)
