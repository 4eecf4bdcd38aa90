"""Everything that is not a resource: health, version, discovery, OpenAPI, the list of paths."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from orchestrator.api._aggregation import Aggregator, RemoteVersion
from orchestrator.api._discovery import Discovery
from orchestrator.api._negotiation import PLAIN, discovery_version, parse_accept
from orchestrator.api._requests import Request
from orchestrator.api._responses import Response, json_response, text_response
from orchestrator.resources import usage_metrics
from orchestrator.resources.errors import StatusError, not_acceptable
from orchestrator.resources.usage_metrics import resource_list

if TYPE_CHECKING:
    from orchestrator.resources.kinds import KindRegistry

OPENAPI_V2_PROTOBUF: Final = b"application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
USAGE_DOCUMENT: Final = f"apis/{usage_metrics.GROUP}/{usage_metrics.VERSION}"
HEALTH: Final = ("/healthz", "/livez", "/readyz")
Check = Callable[[], str | None]
"""A health check: None when well, else what is wrong."""


class Served(Protocol):
    """Who knows the kinds that are served at the moment."""

    @property
    def registry(self) -> KindRegistry:
        """The kinds."""


class Pages:
    """Answers GET of the server's own pages."""

    def __init__(
        self,
        served: Served,
        address: str,
        checks: Mapping[str, Check],
        ready_checks: Mapping[str, Check],
        more: Mapping[str, Callable[[], Response]],
        aggregator: Aggregator | None = None,
        *,
        usage: bool = False,
    ) -> None:
        self._served = served
        self._address = address
        self._aggregator = aggregator
        self._registry = served.registry
        self._usage = usage
        self._remote = -1
        self._discovery = Discovery(self._registry, address)
        self._more = more
        self._checks = {"ping": lambda: None, **checks}
        self._ready_checks = {**self._checks, **ready_checks}
        self._openapi: dict[str, tuple[bytes, bytes]] = {}

    @cached_property
    def _version(self) -> dict[str, str]:
        major, _, minor = self._registry.version.partition(".")
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(
            platform.machine(), platform.machine()
        )
        return {
            "major": major,
            "minor": minor,
            "gitVersion": f"v{self._registry.version}.0",
            "gitCommit": "",
            "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": f"none (Python {platform.python_version()})",
            "compiler": sys.implementation.name,
            "platform": f"{sys.platform}/{machine}",
        }

    def answer(self, request: Request) -> Response | None:
        """Answer a GET; None when no page has that path."""
        remote = self._aggregator.generation if self._aggregator is not None else -1
        if self._served.registry is not self._registry or remote != self._remote:
            self._renew(remote)
        path = request.path.rstrip("/") or "/"
        if path == "/":
            return json_response({"paths": self._paths()}, pretty=True)
        if path == "/version":
            return json_response(self._version, pretty=True)
        if path in self._more:
            return self._more[path]()
        root, _, check = path[1:].partition("/")
        if f"/{root}" in HEALTH:
            return self._health(request, root, check)
        if root == "openapi":
            return self._openapi_page(request, check)
        if root in ("api", "apis"):
            return self._discover(request, path)
        return None

    def _renew(self, remote: int) -> None:
        """Describe the kinds that are served now; documents are built again when asked for."""
        self._registry, self._remote = self._served.registry, remote
        self._discovery = self._describe()
        self._openapi.clear()

    def _describe(self) -> Discovery:
        others = [(version.group, version.version, found) for version, found in self._others()]
        if self._serves_usage():
            others.append((usage_metrics.GROUP, usage_metrics.VERSION, resource_list()))
            others.sort(key=lambda one: one[0] == usage_metrics.GROUP)  # versions side by side
        return Discovery(self._registry, self._address, others)

    def _serves_usage(self) -> bool:
        """Tell whether the metrics of nodes and pods are this server's own at the moment."""
        here = (usage_metrics.GROUP, usage_metrics.VERSION)
        return self._usage and (self._aggregator is None or here not in self._aggregator.remote())

    def _others(self) -> list[tuple[RemoteVersion, list[Any]]]:
        return self._aggregator.known() if self._aggregator is not None else []

    def _paths(self) -> list[str]:
        paths = [
            *HEALTH,
            "/openapi/v2",
            "/openapi/v3",
            "/version",
            *self._more,
            *self._discovery.paths(),
        ]
        for page in HEALTH:
            checks = self._ready_checks if page == "/readyz" else self._checks
            paths += [f"{page}/{name}" for name in checks]
        return sorted(paths)

    def _discover(self, request: Request, path: str) -> Response | None:
        aggregated = ""
        if path in ("/api", "/apis"):
            aggregated = discovery_version(request.headers.get(b"accept", b""))
        found = self._discovery.find(path, aggregated)
        if found is None:
            return None
        data, etag = found
        if not aggregated:
            return _encoded(request, data)
        kind = f"application/json;g=apidiscovery.k8s.io;v={aggregated};as=APIGroupDiscoveryList"
        return tagged(request, data, etag, kind.encode(), [(b"vary", b"Accept")])

    def _health(self, request: Request, page: str, check: str) -> Response | None:
        checks = self._ready_checks if page == "readyz" else self._checks
        if check:
            if check not in checks:
                return None
            problem = checks[check]()
            if problem is None:
                return text_response("ok")
            return text_response(f"internal server error: {problem}\n", 500)
        excluded = set(request.query.get("exclude", ()))
        lines = []
        failed = False
        for name, run in checks.items():
            if name in excluded:
                lines.append(f"[+]{name} excluded: ok")
            elif (problem := run()) is None:
                lines.append(f"[+]{name} ok")
            else:
                failed = True
                lines.append(f"[-]{name} failed: {problem}")
        if failed:
            return text_response("\n".join([*lines, f"{page} check failed", ""]), 500)
        if "verbose" in request.query:
            return text_response("\n".join([*lines, f"{page} check passed", ""]))
        return text_response("ok")

    def _openapi_page(self, request: Request, page: str) -> Response | None:
        version, _, rest = page.partition("/")
        if version not in ("v2", "v3") or (version == "v2" and rest):
            return None
        content_type = b"application/json"
        if wants_only_protobuf(request):
            if version == "v3":
                raise not_acceptable(
                    "only the following media types are accepted: application/json"
                )
            page, content_type = "v2 protobuf", OPENAPI_V2_PROTOBUF
        cached = self._openapi.get(page)
        if cached is None:
            data = self._document(page, rest)
            if data is None:
                return None
            etag = f'"{hashlib.sha256(data).hexdigest().upper()}"'.encode()
            cached = self._openapi[page] = (data, etag)
        data, etag = cached
        return tagged(request, data, etag, content_type, [(b"vary", b"Accept")])

    def _document(self, page: str, group_version: str) -> bytes | None:
        from orchestrator.resources import openapi

        registry = self._registry
        if page == "v2 protobuf":
            from orchestrator.api.protobuf.openapi import openapi_v2_protobuf

            return openapi_v2_protobuf(registry, openapi.openapi_v2(registry)["definitions"])
        if page == "v2":
            return orjson.dumps(openapi.openapi_v2(registry, usage=self._serves_usage()))
        if page == "v3":
            index = openapi.openapi_v3_index(registry)
            for version, _ in self._others():
                name = f"apis/{version.group}/{version.version}"
                digest = version.service["metadata"]["uid"].replace("-", "").upper()
                url = f"/openapi/v3/{name}?hash={digest}"
                index["paths"][name] = {"serverRelativeURL": url}
            if self._serves_usage():
                index["paths"] |= openapi.openapi_v3_usage_index(registry)
            return orjson.dumps(index)
        if group_version == USAGE_DOCUMENT and self._serves_usage():
            return orjson.dumps(openapi.openapi_v3_usage(registry))
        try:
            return orjson.dumps(openapi.openapi_v3(registry, group_version.partition("/")[2]))
        except KeyError:
            return None


def _encoded(request: Request, data: bytes) -> Response:
    """Answer with a JSON document in the encoding asked for; JSON where there is no such one."""
    try:
        accepted = request.accepted
    except StatusError:
        accepted = PLAIN
    if accepted.encoding == "json":
        return Response(200, data)
    return json_response({"apiVersion": "v1", **orjson.loads(data)}, 200, accepted)


def wants_only_protobuf(request: Request) -> bool:
    """Tell whether a client takes the OpenAPI document in no other form than protobuf."""
    clauses = parse_accept(request.headers.get(b"accept", b""))
    return bool(clauses) and all("protobuf" in clause.media for clause in clauses)


def tagged(
    request: Request,
    data: bytes,
    etag: bytes,
    content_type: bytes,
    headers: list[tuple[bytes, bytes]],
) -> Response:
    """Answer with a document that clients may keep: 304 when they have it already."""
    headers = [(b"etag", etag), *headers]
    known = request.headers.get(b"if-none-match", b"")
    if known and etag in {tag.strip() for tag in known.split(b",")}:
        return Response(304, b"", content_type, headers)
    return Response(200, data, content_type, headers)
