"""A small client of the cluster that runs in the same program: the API without a socket."""

from __future__ import annotations

import contextlib
import shlex
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Self

import orjson

from orchestrator.embedded.arguments import text_of, whole_of
from orchestrator.embedded.client.calls import error_from
from orchestrator.embedded.kinds.names import find_kind, nearly, path_of
from orchestrator.resources.errors import StatusError, bad_request
from orchestrator.resources.objects import Object, annotations_of, name_of, namespace_of

if TYPE_CHECKING:
    from orchestrator.embedded.client.calls import Caller
    from orchestrator.embedded.client.conversing import CommandResult
    from orchestrator.embedded.clock.clocks import ClusterClock
    from orchestrator.resources.kinds import Kind, KindRegistry

MANAGER: Final = "orchestrator-library"
"""Field manager of what is applied without another name."""

PATCHES: Final = {
    "strategic": "application/strategic-merge-patch+json",
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
}


class WatchEvent(NamedTuple):
    """One piece of a watch.

    Attributes:
        type: ``ADDED``, ``MODIFIED``, ``DELETED`` or ``BOOKMARK``.
        object: As it is after the change; of a deletion, as it was last.
    """

    type: str
    object: Object


class Client:
    """Speaks to the API as any client does, through the whole of it but the socket.

    Kinds are named as for kubectl: ``pods``, ``deploy``, ``Widget``, ``widgets.example.com``.
    Objects are plain JSON data. What the API refuses is raised as `StatusError`.

    Attributes:
        namespace: Where objects are that name none.
    """

    def __init__(
        self,
        caller: Caller,
        registry: Callable[[], KindRegistry],
        clock: ClusterClock,
        namespace: str = "default",
    ) -> None:
        """Made by `Cluster.client`."""
        self.namespace = namespace
        self._caller = caller
        self._registry = registry
        self._clock = clock

    def kind(self, name: str) -> Kind:
        """Return what the cluster knows of a kind.

        Raises:
            StatusError: 404, it has none of that name.
        """
        return find_kind(self._registry(), name)

    async def get(self, kind: str, name: str, namespace: str | None = None) -> Object:
        """Return one object."""
        found: Object = await self._caller.call("GET", self._path(kind, namespace, name))
        return found

    async def find(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """Return one object, or None when it does not exist."""
        try:
            return await self.get(kind, name, namespace)
        except StatusError as error:
            if error.code == 404 and error.reason == "NotFound":
                return None
            raise

    async def list(
        self,
        kind: str,
        namespace: str | None = None,
        *,
        all_namespaces: bool = False,
        labels: str | None = None,
        fields: str | None = None,
    ) -> list[Object]:
        """Return the objects of a kind, ordered by namespace and name.

        Args:
            kind: Which.
            namespace: Where; the client's own unless given.
            all_namespaces: Everywhere.
            labels: A label selector, ``app=web,tier!=cache``.
            fields: A field selector, ``status.phase=Running``.
        """
        found = self.kind(kind)
        where = None if all_namespaces else self._where(namespace)
        query = _selectors(labels, fields)
        listed = await self._caller.call("GET", path_of(found, where), query=query)
        head = {"apiVersion": found.api_version, "kind": found.kind}
        return [head | item for item in listed["items"]]

    async def create(self, obj: Object, namespace: str | None = None) -> Object:
        """Create an object; returns it as stored."""
        path = self._path_for(obj, namespace, named=False)
        created: Object = await self._caller.call("POST", path, body=obj)
        return created

    async def replace(self, obj: Object, *, subresource: str | None = None) -> Object:
        """Replace an object; with its ``resourceVersion`` only if nobody changed it meanwhile."""
        path = self._path_for(obj, None, subresource)
        replaced: Object = await self._caller.call("PUT", path, body=obj)
        return replaced

    async def apply(
        self,
        obj: Object,
        namespace: str | None = None,
        *,
        manager: str = MANAGER,
        force: bool = True,
    ) -> Object:
        """Apply an object on the server's side: create it, or make it so.

        Args:
            obj: What it should be.
            namespace: Where, if it does not say.
            manager: Who owns the fields that are named.
            force: Take fields over from other managers; without it that is a 409.
        """
        applied: Object = await self._caller.call(
            "PATCH",
            self._path_for(obj, namespace),
            query={"fieldManager": manager, "force": force},
            body=obj,
            content_type="application/apply-patch+yaml",
        )
        return applied

    async def patch(
        self,
        kind: str,
        name: str,
        patch: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        namespace: str | None = None,
        *,
        form: Literal["strategic", "merge", "json"] | None = None,
        subresource: str | None = None,
    ) -> Object:
        """Change parts of an object.

        Args:
            kind: Which kind.
            name: Which object.
            patch: A list is a JSON patch, anything else a merge patch: strategic for built-in
                kinds, plain for custom ones.
            namespace: Where.
            form: Says which of the three it is.
            subresource: ``status`` or ``scale``.
        """
        found = self.kind(kind)
        if form is not None and form not in PATCHES:
            raise ValueError(f"form={form!r}: choose one of {', '.join(PATCHES)}")
        if form is None:
            plain: Literal["strategic", "merge"] = "merge" if found.custom else "strategic"
            form = plain if isinstance(patch, Mapping) else "json"
        parts = (subresource,) if subresource else ()
        patched: Object = await self._caller.call(
            "PATCH",
            self._path(kind, namespace, name, *parts),
            body=patch,
            content_type=PATCHES[form],
        )
        return patched

    async def delete(
        self,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        grace_seconds: int | None = None,
        propagation: Literal["Background", "Foreground", "Orphan"] | None = None,
    ) -> None:
        """Delete an object.

        Args:
            kind: Which kind.
            name: Which object.
            namespace: Where.
            grace_seconds: For pods: until they are killed.
            propagation: What becomes of what it owns; the kind's default unless given, which is
                to go as well, but ``Orphan`` for Jobs: their pods stay.
        """
        if grace_seconds is not None:
            whole_of(grace_seconds, "grace_seconds")
        options = {"gracePeriodSeconds": grace_seconds, "propagationPolicy": propagation}
        body = {name: value for name, value in options.items() if value is not None}
        await self._caller.call("DELETE", self._path(kind, namespace, name), body=body or None)

    async def scale(
        self, kind: str, name: str, replicas: int, namespace: str | None = None
    ) -> None:
        """Change how many replicas are wanted."""
        whole_of(replicas, "replicas")
        await self.patch(
            kind,
            name,
            {"spec": {"replicas": replicas}},
            namespace,
            form="merge",
            subresource="scale",
        )

    async def evict(
        self, pod: str, namespace: str | None = None, *, grace_seconds: int | None = None
    ) -> None:
        """Ask for a pod to go, as ``kubectl drain`` does: a budget may refuse (429).

        Args:
            pod: Which pod.
            namespace: Where.
            grace_seconds: Until it is killed; its own unless given.
        """
        where = self._where(namespace)
        path = self._path("pods", namespace, pod, "eviction")
        body: dict[str, Any] = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": where},
        }
        if grace_seconds is not None:
            whole_of(grace_seconds, "grace_seconds")
            body["deleteOptions"] = {"gracePeriodSeconds": grace_seconds}
        await self._caller.call("POST", path, body=body)

    @contextlib.asynccontextmanager
    async def watch(
        self,
        kind: str,
        namespace: str | None = None,
        *,
        all_namespaces: bool = False,
        since: str | int | None = None,
        labels: str | None = None,
        fields: str | None = None,
    ) -> AsyncIterator[AsyncIterator[WatchEvent]]:
        """Watch the objects of a kind; the block iterates over what happens.

        Args:
            kind: Which.
            namespace: Where; the client's own unless given.
            all_namespaces: Everywhere.
            since: A ``resourceVersion``; without one the present objects come first, as ADDED.
            labels: A label selector.
            fields: A field selector.

        Raises:
            StatusError: 410 once the version asked for is no longer held: list again.
        """
        where = None if all_namespaces else self._where(namespace)
        query = {"watch": True, "resourceVersion": since, **_selectors(labels, fields)}
        async with (
            self._caller.stream(path_of(self.kind(kind), where), query) as pieces,
            contextlib.aclosing(self._events(pieces)) as events,
        ):
            yield events

    async def _events(self, pieces: AsyncIterator[bytes]) -> AsyncGenerator[WatchEvent, None]:
        async for line in self._lines(pieces):
            event = orjson.loads(line)
            if event["type"] == "ERROR":
                raise error_from(event["object"])
            yield WatchEvent(event["type"], event["object"])

    def _lines(self, pieces: AsyncIterator[bytes]) -> _Lines:
        return _Lines(pieces, self._clock)

    async def logs(
        self,
        pod: str,
        namespace: str | None = None,
        *,
        container: str | None = None,
        previous: bool = False,
        tail: int | None = None,
    ) -> str:
        """Return what a container has written so far.

        Args:
            pod: Which pod.
            namespace: Where.
            container: Which of its containers, where there are several.
            previous: Of the life before the last restart.
            tail: Only so many lines, the last ones.
        """
        query = {"container": container, "previous": previous or None, "tailLines": tail}
        data = await self._caller.text(
            "GET", self._path("pods", namespace, pod, "log"), query=query
        )
        return data.decode("utf-8", "replace")

    @contextlib.asynccontextmanager
    async def follow_logs(
        self, pod: str, namespace: str | None = None, *, container: str | None = None
    ) -> AsyncIterator[AsyncIterator[str]]:
        """Follow what a container writes; the block iterates over lines."""
        path = self._path("pods", namespace, pod, "log")
        async with self._caller.stream(path, {"follow": True, "container": container}) as pieces:

            async def lines() -> AsyncGenerator[str, None]:
                async for line in self._lines(pieces):
                    yield line.decode("utf-8", "replace")

            async with contextlib.aclosing(lines()) as read:
                yield read

    async def exec(
        self,
        pod: str,
        command: Sequence[str],
        namespace: str | None = None,
        *,
        container: str | None = None,
        stdin: str | None = None,
    ) -> CommandResult:
        """Run a command in a container, and wait for its end.

        Args:
            pod: Which pod.
            command: Program and arguments; no shell reads them.
            namespace: Where.
            container: Which container, the one that kubectl takes (mostly the first) unless given.
            stdin: What the command reads.

        Raises:
            StatusError: There is no such pod, its container does not run, or the command could
                not be started.
            TypeError: The command is one text.
        """
        if isinstance(command, str):
            raise TypeError(
                f"give the command as a list, {shlex.split(command)}: no shell reads it"
            )
        if stdin is not None and not isinstance(stdin, str):
            raise TypeError(f"give stdin as text, not {type(stdin).__name__}")
        if container is None:
            container = _first_container(await self.get("pods", pod, namespace))
        query = {
            "command": list(command),
            "container": container,
            "stdin": stdin is not None,
            "stdout": True,
            "stderr": True,
        }
        path = self._path("pods", namespace, pod, "exec")
        with self._clock.waiting():
            return await self._caller.run(path, query, None if stdin is None else stdin.encode())

    # -- paths

    def _path(self, kind: str, namespace: str | None, name: str, *parts: str) -> str:
        if not text_of(name, f"the name of one of the {kind}") or "/" in name:
            raise ValueError(
                f"the name {name!r}: give it alone, the kind and the namespace are arguments of "
                "their own"
            )
        return path_of(self.kind(kind), self._where(namespace), name, *parts)

    def _where(self, namespace: str | None) -> str:
        """Return a namespace, or the client's own.

        Raises:
            TypeError: It is no text.
        """
        return self.namespace if namespace is None else text_of(namespace, "a namespace")

    def _path_for(
        self,
        obj: Object,
        namespace: str | None,
        subresource: str | None = None,
        *,
        named: bool = True,
    ) -> str:
        if not isinstance(obj, Mapping):
            raise TypeError(
                f"give one object as a dictionary, not {type(obj).__name__}; cluster.apply takes "
                "lists, files and objects of other libraries"
            )
        version, kind = obj.get("apiVersion", ""), obj.get("kind", "")
        found = self._registry().by_kind(version, kind)
        if found is None:
            message = f'no matches for kind "{kind}" in version "{version}"'
            near = nearly(self._registry(), str(version), str(kind))
            raise StatusError(404, "NotFound", f"{message}{near}")
        _require_metadata(obj)
        where = namespace_of(obj) or self._where(namespace)
        name = name_of(obj)
        if not named:
            return path_of(found, where)
        if not name:
            raise bad_request("name is required: give the object metadata.name")
        return path_of(found, where, name, *((subresource,) if subresource else ()))


def _require_metadata(obj: Object) -> None:
    metadata = obj.get("metadata")
    if metadata is not None and not isinstance(metadata, Mapping):
        raise TypeError(
            f"metadata of this {obj['kind']} is {metadata!r}: give a dictionary, {{'name': 'web'}}"
        )


def _selectors(labels: str | None, fields: str | None) -> dict[str, str | None]:
    for name, given, example in (
        ("labels", labels, "app=web,tier!=db"),
        ("fields", fields, "status.phase=Running"),
    ):
        if given is not None and not isinstance(given, str):
            raise TypeError(f"give {name} as text, '{example}', not {given!r}")
    return {"labelSelector": labels, "fieldSelector": fields}


def _first_container(pod: Object) -> str:
    """Return the container that kubectl takes where none is named."""
    said = annotations_of(pod).get("kubectl.kubernetes.io/default-container")
    return str(said or pod["spec"]["containers"][0]["name"])


class _Lines:
    """Cuts a stream into lines; who waits for one lets time pass, where waiting does."""

    def __init__(self, pieces: AsyncIterator[bytes], clock: ClusterClock) -> None:
        self._pieces = pieces
        self._clock = clock
        self._lines: deque[bytes] = deque()
        self._rest = b""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._lines:
            with self._clock.waiting():
                piece = await anext(self._pieces, None)
            if piece is None:
                last, self._rest = self._rest, b""
                if not last:
                    raise StopAsyncIteration
                return last
            *lines, self._rest = (self._rest + piece).split(b"\n")
            self._lines.extend(line for line in lines if line)
        return self._lines.popleft()
