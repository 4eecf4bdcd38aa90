"""What one does most with a cluster: apply objects, look at them, wait for them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING

from actors import VirtualClock
from orchestrator.embedded.arguments import span_of, text_of, texts_of
from orchestrator.embedded.cluster.life import ClusterLife
from orchestrator.embedded.errors import WaitTimeoutError
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object, name_of, namespace_of

if TYPE_CHECKING:
    from orchestrator.embedded.client.client import Client
    from orchestrator.embedded.kinds.manifests import Source
    from orchestrator.embedded.waiting.conditions import Condition


class ClusterObjects(ClusterLife):
    """Writes, reads and awaits objects."""

    @property
    def api(self) -> Client:
        """A client as the administrator, in the namespace ``default``."""
        return self._client("default")

    @contextlib.asynccontextmanager
    async def client(
        self, namespace: str = "default", *, user: str | None = None, groups: tuple[str, ...] = ()
    ) -> AsyncIterator[Client]:
        """Open a client in this program.

        Args:
            namespace: Where objects are that name none.
            user: Whom to impersonate; the administrator unless given. A ServiceAccount is
                ``system:serviceaccount:NAMESPACE:NAME``.
            groups: That user's groups, beside those that every user is in.
        """
        yield self._client(namespace, user, groups)

    def _client(
        self, namespace: str, user: str | None = None, groups: tuple[str, ...] = ()
    ) -> Client:
        from orchestrator.embedded.client.calls import Caller
        from orchestrator.embedded.client.client import Client

        text_of(namespace, "a namespace")
        if user is not None:
            text_of(user, "a user")
        elif groups:
            raise ValueError(f"groups={groups!r} are a user's: give user, too")
        groups = texts_of(groups, "groups")
        caller = Caller(self.asgi, presence=self._presence, user=user, groups=groups)
        return Client(caller, lambda: self.store.registry, self.clock, namespace)

    async def apply(self, source: Source, namespace: str = "default") -> list[Object]:
        """Apply objects on the server's side; what others look for comes first.

        Args:
            source: A path, a directory (also a kustomization, where kubectl is installed), YAML or
                JSON text, an object, or a list of any of them.
            namespace: Where objects go that name none.

        Returns:
            The objects as stored, in the order in which they were applied.

        Raises:
            ApplyError: Something cannot be read as an object.
            StatusError: The API refused one; those before it stay.
        """
        self._presence.require_here()
        from orchestrator.embedded.kinds.manifests import read_objects

        client = self._client(namespace)
        applied = []
        for obj in await read_objects(source):
            stored = await client.apply(obj)
            applied.append(stored)
            if obj["kind"] == "CustomResourceDefinition":
                await self.wait(f"customresourcedefinitions/{name_of(stored)}", "Established")
            elif obj["kind"] == "Namespace":
                # Pods that name no other account are refused until there is this one.
                await self.wait("serviceaccounts/default", "exists", namespace=name_of(stored))
        return applied

    async def delete(self, source: Source, namespace: str = "default") -> None:
        """Delete the objects of a source, the last applied first; those that are gone are fine.

        What they own goes too, as with ``kubectl delete``.
        """
        self._presence.require_here()
        from orchestrator.embedded.kinds.manifests import read_objects

        client = self._client(namespace)
        for obj in reversed(await read_objects(source)):
            kind = self.store.registry.by_kind(obj["apiVersion"], obj["kind"])
            where = namespace_of(obj) or namespace
            if kind is None:
                self._refuse_unknown(obj["apiVersion"], obj["kind"])
                continue
            if await client.find(kind.resource, name_of(obj), where) is None:
                continue
            await client.delete(kind.resource, name_of(obj), where, propagation="Background")

    def _refuse_unknown(self, version: str, kind: str) -> None:
        """Refuse a kind that cannot be gone: only custom ones are, with their definitions."""
        group = version.rpartition("/")[0]
        if any(each.group == group and each.custom is None for each in self.store.registry.kinds()):
            from orchestrator.embedded.kinds.names import nearly

            message = f'no matches for kind "{kind}" in version "{version}"'
            raise StatusError(
                404, "NotFound", f"{message}{nearly(self.store.registry, version, kind)}"
            )

    async def wait(
        self,
        target: str,
        condition: Condition | None = None,
        *,
        namespace: str = "default",
        labels: str | None = None,
        timeout: float = 30.0,
    ) -> Object | None:
        """Let time pass until an object, or all objects of a selection, are as wanted.

        Args:
            target: ``deployment/web``, or ``pods`` for all that ``labels`` select (at least one).
            condition: A condition's type (``Available``, ``Ready=False``), ``exists``, ``delete``,
                ``rollout``, ``jsonpath={.status.phase}=Running``, or a function of the object.
                Unless given it is what is wanted of the kind: ``Available`` of Deployments,
                ``Complete`` of Jobs, ``rollout`` of StatefulSets and DaemonSets, ``Established`` of
                definitions, ``Ready`` of all others.
            namespace: Where.
            labels: Which of them, where no one is named.
            timeout: Seconds of the cluster's time; when they are over and clients outside may still
                act, as many real seconds since the beginning.

        Returns:
            The object named, as it then is; None when there is none, or none was named.

        Raises:
            WaitTimeoutError: It did not come true in time; the text says how things stand.
            StatusError: 404, there is no such kind.
            ValueError: The target, the condition or the timeout cannot be read, or objects of the
                kind can never be so.
        """
        from orchestrator.embedded.waiting.conditions import check_of
        from orchestrator.embedded.waiting.possible import refuse_impossible, wanted_of
        from orchestrator.embedded.waiting.selections import Selection

        self._presence.require_here()
        span_of(timeout, "timeout")
        selection = Selection(lambda: self.store, target, namespace, labels)
        if condition is None:
            condition = wanted_of(selection.kind)
        holds = partial(selection.passes, check_of(condition))
        refuse_impossible(selection.kind, condition)
        async with self._presence.lasting():
            if isinstance(self.store.clock, VirtualClock):
                held = bool(await self.clock.until(holds, timeout))
            else:
                held = await selection.followed_until(holds, timeout)
        if not held:
            lingering = self.clock.lingering
            how = lingering.ended if lingering is not None else ""
            raise WaitTimeoutError(selection.describe(condition, timeout, how))
        return selection.named()

    async def watched(self, kind: str, *, timeout: float = 30.0) -> None:
        """Wait until a client outside watches a kind: an operator that was started is ready.

        What is done before is not told to it, but found when it first looks; the clock cannot
        know of an operator that has not come yet, and give it a turn.

        Args:
            kind: As for kubectl: ``shops``, ``pods``, ``deploy``.
            timeout: Real seconds.

        Raises:
            WaitTimeoutError: Nobody did in time.
            StatusError: 404, there is no such kind.
        """
        from orchestrator.embedded.kinds.names import find_kind, path_of_version

        self._presence.require_here()
        span_of(timeout, "timeout")
        found = find_kind(self.store.registry, kind)
        try:
            async with self._presence.lasting(), asyncio.timeout(timeout):
                await self._gate.visitors.wait_watching(path_of_version(found), found.plural)
        except TimeoutError:
            raise WaitTimeoutError(
                f"no client outside watched {found.plural} within {timeout:g} real seconds; open "
                f"are {', '.join(self._gate.visitors.watches) or 'no watches at all'}"
            ) from None
