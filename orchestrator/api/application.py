"""The API as an ASGI application: authentication, dispatch, deadlines, errors, sending.

A raw application, without a framework: one function call leads from the HTTP server to the handler,
and an answer is two ASGI messages.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Final, Literal

from actors import get_logger
from orchestrator.access import (
    ALWAYS_ALLOW,
    AccountTokens,
    GrantGuard,
    RbacAuthorizer,
    SigningGuard,
)
from orchestrator.access.authorizing import MASTERS
from orchestrator.api._access import Access
from orchestrator.api._aggregation import Aggregator
from orchestrator.api._attributes import attributes_of
from orchestrator.api._deadlines import Deadlines
from orchestrator.api._deprecations import deprecation_warning
from orchestrator.api._flow_control import FlowControl
from orchestrator.api._issuer import issuer_pages
from orchestrator.api._metrics import Metrics
from orchestrator.api._negotiation import PLAIN, Accepted
from orchestrator.api._pages import Check, Pages
from orchestrator.api._request_metrics import Labels, RequestMetrics, labels_of
from orchestrator.api._requests import APPLY_PATCH, DisconnectedError, Receive, Request, Scope, Send
from orchestrator.api._resources import Resources, method_not_allowed
from orchestrator.api._responses import (
    ABORT,
    PUSH,
    Response,
    Stream,
    error_response,
)
from orchestrator.api._routing import Target, resolve
from orchestrator.api._sending import Sender, send_whole
from orchestrator.api.streaming.upgrades import Upgrade
from orchestrator.egress import Egress
from orchestrator.records import dataclass
from orchestrator.resources.errors import StatusError, internal_error
from orchestrator.resources.flowcontrol import FlowRequest
from orchestrator.resources.usage_metrics import GROUP as API_GROUP
from orchestrator.resources.usage_metrics import VERSION as API_VERSION
from orchestrator.resources.users import User
from orchestrator.store.admission import Hook

if TYPE_CHECKING:
    from orchestrator.api._usage_metrics import UsageMetrics
    from orchestrator.node.logs import PodLogs
    from orchestrator.node.pod_sessions import PodSessions
    from orchestrator.node.usage import UsageMeter
    from orchestrator.scheduler.metrics import SchedulerMetrics
    from orchestrator.store import Store

USAGE_ROOT: Final = f"/apis/{API_GROUP}/{API_VERSION}/"
"""Where the metrics of nodes and pods are."""

_LONG: Final = 504
_SWITCHED: Final = 101


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiConfig:
    """How the API behaves.

    Attributes:
        token: The administrator's bearer token; None makes everyone without credentials the
            administrator.
        authorization: ``RBAC`` decides by roles and bindings, ``AlwaysAllow`` lets every user do
            everything.
        anonymous: Whether requests without credentials are the user ``system:anonymous``, who may
            see what its roles say, or are refused with 401.
        address: ``host:port`` told to clients in ``/api``.
        request_seconds: Deadline of a request that is not a watch or a followed log; upstream's
            ``--request-timeout``.
        body_seconds: Deadline of a body's arrival.
        log_requests: Write one debug line for each request.
        ready_checks: Further checks of ``/readyz`` by name.
    """

    token: str | None = None
    authorization: Literal["RBAC", "AlwaysAllow"] = "RBAC"
    anonymous: bool = True
    address: str = ""
    request_seconds: float = 60.0
    body_seconds: float = 60.0
    log_requests: bool = False
    ready_checks: Mapping[str, Check] = field(default_factory=dict)


class ApiApplication:
    """The Kubernetes API over one store."""

    def __init__(
        self,
        store: Store,
        config: ApiConfig | None = None,
        *,
        logs: PodLogs | None = None,
        sessions: PodSessions | None = None,
        accounts: AccountTokens | None = None,
        egress: Egress | None = None,
        client_certificate: tuple[str, str] | None = None,
        scheduling: Callable[[], SchedulerMetrics] | None = None,
        meter: UsageMeter | None = None,
    ) -> None:
        """Serve ``store``.

        Args:
            store: The cluster's objects.
            config: How to behave.
            logs: Where containers' logs come from; without it, ``pods/log`` is refused.
            sessions: Where ``exec`` and the like reach pods; without it, they are refused.
            accounts: ServiceAccounts' tokens; None signs them with a key that ends with this.
            egress: Connects to pods, Services and aggregated servers; its owner closes it.
            client_certificate: Files of the certificate, and of its key, by which aggregated
                servers know this one.
            scheduling: Returns what the scheduler counts, for ``/metrics``; called at a scrape.
            meter: Finds what nodes and pods use; None leaves ``metrics.k8s.io`` to others.
        """
        self.config = config or ApiConfig()
        self._store = store
        authorizer = RbacAuthorizer(store) if self.config.authorization == "RBAC" else ALWAYS_ALLOW
        self._guards: tuple[Hook, ...] = (
            GrantGuard(store, authorizer),
            SigningGuard(authorizer),
        )
        store.admission.hooks = (*store.admission.hooks, *self._guards)
        self._access = Access(
            self.config.token,
            accounts or AccountTokens(store),
            authorizer,
            anonymous=self.config.anonymous,
        )
        chance = random.SystemRandom()
        egress = egress or Egress(chance)
        self._resources = Resources(store, logs, self._access, chance, egress, sessions)
        self._aggregator = Aggregator(store, egress, client_certificate=client_certificate)
        self._usage: UsageMetrics | None = None
        if meter is not None:
            from orchestrator.api._usage_metrics import UsageMetrics

            self._usage = UsageMetrics(store, meter)
        self._pages = Pages(
            store,
            self.config.address,
            {},
            self.config.ready_checks,
            issuer_pages(self._access.accounts, self.config.address),
            self._aggregator,
            usage=meter is not None,
        )
        self._deadlines = Deadlines(self.config.request_seconds)
        self._bodies = Deadlines(self.config.body_seconds)
        self._sender = Sender(store)
        self._requests = RequestMetrics()
        self._flows = FlowControl(store)
        self._metrics = Metrics(store, self._requests, self._flows, scheduling)
        self._log = get_logger("orchestrator.api")

    def close(self) -> None:
        """End every stream; requests in flight finish, new streams end at once."""
        hooks = self._store.admission.hooks
        self._store.admission.hooks = tuple(one for one in hooks if one not in self._guards)
        self._access.authorizer.close()
        self._aggregator.close()
        self._flows.close()
        self._deadlines.close()
        self._bodies.close()
        self._sender.close()

    def name_of_user(self, scope: Scope) -> str:
        """Return who asks, or is impersonated; empty where the credentials are bad."""
        request = Request(scope, _silence, self._bodies)
        try:
            return self._access.identify(request).name
        except StatusError:
            return ""

    @property
    def tokens(self) -> dict[str, User]:
        """Who is let in by bearer tokens of their own."""
        return self._access.tokens

    def add_token(self, token: str, user: User) -> None:
        """Let a user in who shows this bearer token."""
        self._access.tokens[token] = user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (the ASGI interface)."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                from orchestrator.api._websockets import serve_websocket

                await serve_websocket(self, scope, receive, send)
            else:
                await _agree(receive, send)
            return
        request = Request(scope, receive, self._bodies)
        started = self._store.clock.monotonic()
        try:
            response = await self._answer(request)
        except DisconnectedError:
            return
        except StatusError as error:
            response = error_response(error, self._error_encoding(request))
        except Exception as error:  # noqa: BLE001 - a fault in one request must not reach others
            self._log.error(
                "request failed",
                method=request.method,
                path=request.path,
                audit_id=request.identifier.decode("latin-1"),
                exc_info=error,
            )
            response = error_response(internal_error(str(error) or type(error).__name__))
        if isinstance(response, Stream):
            extensions = scope.get("extensions") or {}
            if response.attach is not None and (push := extensions.get(PUSH)):
                response.attach(push)
            labels = self._labels(request)
            self._requests.begun(labels)
            try:
                await self._sender.stream(request, response, send, extensions.get(ABORT))
            finally:
                self._requests.ended(labels)
            status = response.status
        elif isinstance(response, Upgrade):
            labels = self._labels(request)
            self._requests.begun(labels)
            try:
                await self._sender.converse(request, response)
            finally:
                self._requests.ended(labels)
            status = _SWITCHED
        else:
            status = response.status
            await send_whole(request, response, send)
            labels = self._labels(request)
        self._requests.finished(labels, status, self._store.clock.monotonic() - started)
        if self.config.log_requests:
            self._log.debug(
                "request",
                method=request.method,
                path=request.path,
                status=status,
                seconds=round(self._store.clock.monotonic() - started, 6),
                user_agent=request.user_agent,
                audit_id=request.identifier.decode("latin-1"),
            )

    def _labels(self, request: Request) -> Labels:
        query = request.query
        return labels_of(
            request.method,
            request.target,
            request.path,
            watch=bool(query) and request.flag("watch"),
            apply=request.method == "PATCH" and request.content_type == APPLY_PATCH,
            dry_run="dryRun" in query,
        )

    @staticmethod
    def _error_encoding(request: Request) -> Accepted:
        try:
            return Accepted(request.accepted.encoding)
        except StatusError:
            return PLAIN

    async def _answer(self, request: Request) -> Response | Stream | Upgrade:
        path = request.path
        self._access.admit(request)
        if (remote := self._aggregator.find(path)) is not None:
            return await self._aggregator.forward(request, remote)
        if self._usage is not None and path.startswith(USAGE_ROOT):
            found = await self._usage.answer(request)
            if found is not None:
                return found
        registry = self._store.registry
        target = resolve(registry, path)
        if target is not None:
            request.target = target
            # A Scale is one whatever it is of, and has its protobuf form.
            request.kind = None if target.subresource == "scale" else target.kind
            warning = deprecation_warning(target.kind, registry.version)
            if warning:
                request.warnings.append(warning)
            if MASTERS in request.user.groups:
                return await self._act(request, target)
            seat = await self._flows.enter(request.user, flow_request(request, target))
            try:
                response = await self._act(request, target)
            finally:
                seat.leave()
            response.headers += seat.headers
            return response
        if path.startswith("/api") and self._aggregator.remote():
            await self._aggregator.ask()
        if path == "/metrics" and request.method in ("GET", "HEAD"):
            return self._metrics.answer(request.headers.get(b"accept", b"").decode("latin-1"))
        if request.method in ("GET", "HEAD"):
            page = self._pages.answer(request)
            if page is not None:
                return page
        elif self._pages.answer(request) is not None:
            raise method_not_allowed()
        raise StatusError(404, "NotFound", "the server could not find the requested resource", {})

    async def _act(self, request: Request, target: Target) -> Response | Stream | Upgrade:
        read_only = request.method in ("GET", "HEAD")
        in_flight, kind = self._requests.in_flight, "readOnly" if read_only else "mutating"
        in_flight[kind] += 1
        try:
            if read_only or target.subresource == "proxy":
                return await self._resources.answer(request, target)
            return await self._deadlines.run(self._resources.answer(request, target))
        except TimeoutError:
            raise StatusError(
                _LONG,
                "Timeout",
                "Timeout: request did not complete within the allotted timeout",
                {"retryAfterSeconds": 1},
            ) from None
        finally:
            in_flight[kind] -= 1


def flow_request(request: Request, target: Target) -> FlowRequest:
    """Describe a request to flow control."""
    asked = attributes_of(request)
    part = f"/{target.subresource}" if target.subresource else ""
    return FlowRequest(asked.verb, asked.group, f"{asked.resource}{part}", asked.namespace)


async def _silence() -> dict[str, str]:
    return {"type": "http.disconnect"}


async def _agree(receive: Receive, send: Send) -> None:
    """Take part in the lifespan protocol of a server that has one."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "lifespan.shutdown.complete"})
            return
