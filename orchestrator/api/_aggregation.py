"""API servers behind this one: an APIService with a Service takes a group and version over.

Source: kube-aggregator pkg/apiserver/{handler_proxy,handler_discovery}.go.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import orjson

from actors import get_logger
from orchestrator.api._requests import Request
from orchestrator.api._responses import Response, Stream
from orchestrator.egress import Call, CallError, Egress, resolve_service
from orchestrator.records import dataclass
from orchestrator.resources.errors import StatusError, service_unavailable
from orchestrator.resources.objects import Object, spec_of
from orchestrator.store.changes import Changes

if TYPE_CHECKING:
    from orchestrator.api._forwarding import Forward
    from orchestrator.resources.users import User
    from orchestrator.store import Store

RESOURCE: Final = "apiservices.apiregistration.k8s.io"
FRESH_SECONDS: Final = 30.0
"""How long what another server said of itself is believed; upstream asks about as often."""

ASK_SECONDS: Final = 5.0

_UNQUOTED: Final = "!#$&'*+^`|"
"""What the name of a header may hold besides what is never quoted; the rest is, and the percent
sign."""


@dataclass(frozen=True, slots=True)
class RemoteVersion:
    """One group and version that another server has.

    Attributes:
        group: Never empty.
        version: ``v1beta1``.
        group_priority: Groups with a higher one come first in discovery.
        version_priority: Likewise the versions of a group.
        service: The APIService object.
    """

    group: str
    version: str
    group_priority: int
    version_priority: int
    service: Object


class Aggregator:
    """Knows which requests are another server's, and passes them on.

    Attributes:
        generation: Grows when the set of remote versions or what is known of them changes.
    """

    def __init__(
        self,
        store: Store,
        egress: Egress,
        *,
        client_certificate: tuple[str, str] | None = None,
    ) -> None:
        """Read APIServices from ``store``, connect with ``egress``.

        Args:
            store: The cluster's objects.
            egress: Makes the connections.
            client_certificate: Files of the certificate by which other servers know this one, and
                of its key; they believe the ``X-Remote-User`` of nobody else.
        """
        self.generation = 0
        self._store = store
        self._egress = egress
        self._certificate = client_certificate
        self._remote: dict[tuple[str, str], RemoteVersion] = {}
        self._resources: dict[tuple[str, str], tuple[float, list[Any]]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._changes = Changes(store, [RESOURCE])
        self._log = get_logger("orchestrator.api")

    def close(self) -> None:
        """Stop following."""
        self._changes.close()
        if self._asking is not None:
            self._asking.cancel()

    def remote(self) -> dict[tuple[str, str], RemoteVersion]:
        """Return what other servers have, by group and version."""
        if self._changes.seen():
            self._refresh()
        return self._remote

    def _refresh(self) -> None:
        found = {}
        for service in self._store.list(RESOURCE):
            spec = spec_of(service)
            if spec.get("service"):
                version = RemoteVersion(
                    spec.get("group") or "",
                    spec.get("version") or "",
                    spec.get("groupPriorityMinimum") or 0,
                    spec.get("versionPriority") or 0,
                    service,
                )
                found[version.group, version.version] = version
        if found.keys() != self._remote.keys() or found:
            self.generation += 1
        self._remote = found
        self._resources = {key: kept for key, kept in self._resources.items() if key in found}

    def find(self, path: str) -> RemoteVersion | None:
        """Return whose a path is; None for this server's own."""
        remote = self.remote()
        if not remote or not path.startswith(("/apis/", "/openapi/v3/apis/")):
            return None
        page = path.removeprefix("/openapi/v3")
        parts = page.split("/", 4)
        if len(parts) < 4 or (len(parts) > 4 and page is not path):
            return None  # below a document there is nothing that reading documents allows to see
        return remote.get((parts[2], parts[3]))

    async def forward(self, request: Request, to: RemoteVersion) -> Response | Stream:
        """Pass a request on.

        Raises:
            StatusError: 503, the other server is not there.
        """
        from orchestrator.api._forwarding import Forward, forward

        query = f"?{request.raw_query}" if request.raw_query else ""
        place = self._place(to.service)
        return await forward(
            self._egress,
            request,
            Forward(
                "https",
                place.upstream,
                request.raw_path + query,
                authority=place.authority,
                headers=_user_headers(request.user),
                ca_bundle=place.ca_bundle,
                verify=place.verify,
                client_certificate=self._certificate,
            ),
        )

    def _place(self, service: Object) -> Forward:
        from orchestrator.api._forwarding import Forward

        spec = spec_of(service)
        named = spec["service"]
        port = named.get("port") or 443
        try:
            upstream = resolve_service(
                self._store, named["namespace"], named["name"], port, self._egress.chance
            )
        except StatusError as error:
            self._log.debug("aggregated server", error=error.message)
            raise service_unavailable("service unavailable") from error
        try:
            bundle = base64.b64decode(spec.get("caBundle") or "", validate=True)
        except binascii.Error as error:
            raise service_unavailable("service unavailable") from error
        return Forward(
            "https",
            upstream,
            "",
            authority=f"{upstream.server_name}:{port}",
            ca_bundle=bundle,
            verify=not spec.get("insecureSkipTLSVerify"),
        )

    # ---- discovery

    async def ask(self) -> None:
        """Learn what the other servers have, where that was not asked lately."""
        now = self._store.clock.monotonic()
        due = [
            version
            for key, version in self.remote().items()
            if key not in self._resources or now - self._resources[key][0] > FRESH_SECONDS
        ]
        if not due:
            return
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_all(due))
        await asyncio.shield(self._asking)

    async def _ask_all(self, due: Iterable[RemoteVersion]) -> None:
        await asyncio.gather(*(self._ask_one(version) for version in due))
        self.generation += 1

    async def _ask_one(self, version: RemoteVersion) -> None:
        path = f"/apis/{version.group}/{version.version}"
        listed: list[Any] = []
        try:
            document = orjson.loads(await self.read(version, path))
            listed = [one for one in document.get("resources") or () if isinstance(one, dict)]
        except (CallError, StatusError, ValueError, AttributeError) as error:
            self._log.debug("aggregated server does not tell what it has", error=str(error))
        key = (version.group, version.version)
        self._resources[key] = (self._store.clock.monotonic(), listed)

    async def read(self, version: RemoteVersion, path: str) -> bytes:
        """Read a document of another server.

        Raises:
            CallError: It does not answer.
            StatusError: 503, there is nobody to ask.
        """
        place = self._place(version.service)
        answer = await self._egress.request(
            Call(
                "GET",
                f"https://{place.authority}{path}",
                headers={
                    "accept": "application/json",
                    "X-Remote-User": "system:kube-aggregator",
                    "X-Remote-Group": "system:masters",
                },
                timeout=ASK_SECONDS,
                upstream=place.upstream,
                ca_bundle=place.ca_bundle,
                verify=place.verify,
                certificate=self._certificate,
            )
        )
        if answer.status != 200:
            raise CallError(f"{path} was answered with {answer.status}")
        return answer.body

    def known(self) -> list[tuple[RemoteVersion, list[Any]]]:
        """Return the remote versions, first in discovery first, with what is known of each.

        The resources are those of an ``APIResourceList``.
        """
        ordered = sorted(
            self.remote().values(),
            key=lambda one: (-one.group_priority, one.group, -one.version_priority, one.version),
        )
        nothing: tuple[float, list[Any]] = (0.0, [])
        return [(one, self._resources.get((one.group, one.version), nothing)[1]) for one in ordered]


def _user_headers(user: User) -> list[tuple[str, str]]:
    """Return the headers that tell another server who asks: one for each value, never joined."""
    headers = [("X-Remote-User", user.name)]
    if user.uid:
        headers.append(("X-Remote-Uid", user.uid))
    headers += [("X-Remote-Group", group) for group in user.groups]
    for name, values in user.extra.items():
        header = f"X-Remote-Extra-{quote(name, safe=_UNQUOTED)}"
        headers += [(header, value) for value in values]
    return headers
