"""Twins of the asynchronous classes: made by ``python -m tests.project.twins``.

Change those, not this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.embedded.client.client import MANAGER
from orchestrator.embedded.sync.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal

    from orchestrator.embedded.client.client import Client, WatchEvent
    from orchestrator.embedded.client.conversing import CommandResult
    from orchestrator.embedded.sync.portal import Portal
    from orchestrator.resources.kinds import Kind
    from orchestrator.resources.objects import Object


class SyncClient:
    """The synchronous twin of `Client`: the same methods, without ``await``."""

    def __init__(self, portal: Portal, twin: Client) -> None:
        """Speak to an asynchronous one on the portal's thread."""
        self._portal = portal
        self._async = twin

    @property
    def namespace(self) -> str:
        """See the attribute of the asynchronous one."""
        return self._async.namespace

    def kind(self, name: str) -> Kind:
        """Return what the cluster knows of a kind.

        Raises:
            StatusError: 404, it has none of that name.
        """
        return self._portal.run(self._async.kind, name)

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object:
        """Return one object."""
        return self._portal.call(self._async.get, kind, name, namespace)

    def find(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """Return one object, or None when it does not exist."""
        return self._portal.call(self._async.find, kind, name, namespace)

    def list(
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
        return self._portal.call(
            self._async.list,
            kind,
            namespace,
            all_namespaces=all_namespaces,
            labels=labels,
            fields=fields,
        )

    def create(self, obj: Object, namespace: str | None = None) -> Object:
        """Create an object; returns it as stored."""
        return self._portal.call(self._async.create, obj, namespace)

    def replace(self, obj: Object, *, subresource: str | None = None) -> Object:
        """Replace an object; with its ``resourceVersion`` only if nobody changed it meanwhile."""
        return self._portal.call(self._async.replace, obj, subresource=subresource)

    def apply(
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
        return self._portal.call(self._async.apply, obj, namespace, manager=manager, force=force)

    def patch(
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
        return self._portal.call(
            self._async.patch, kind, name, patch, namespace, form=form, subresource=subresource
        )

    def delete(
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
        self._portal.call(
            self._async.delete,
            kind,
            name,
            namespace,
            grace_seconds=grace_seconds,
            propagation=propagation,
        )

    def scale(self, kind: str, name: str, replicas: int, namespace: str | None = None) -> None:
        """Change how many replicas are wanted."""
        self._portal.call(self._async.scale, kind, name, replicas, namespace)

    def evict(
        self, pod: str, namespace: str | None = None, *, grace_seconds: int | None = None
    ) -> None:
        """Ask for a pod to go, as ``kubectl drain`` does: a budget may refuse (429).

        Args:
            pod: Which pod.
            namespace: Where.
            grace_seconds: Until it is killed; its own unless given.
        """
        self._portal.call(self._async.evict, pod, namespace, grace_seconds=grace_seconds)

    def watch(
        self,
        kind: str,
        namespace: str | None = None,
        *,
        all_namespaces: bool = False,
        since: str | int | None = None,
        labels: str | None = None,
        fields: str | None = None,
    ) -> Stream[WatchEvent]:
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
        return Stream(
            self._portal,
            self._async.watch(
                kind,
                namespace,
                all_namespaces=all_namespaces,
                since=since,
                labels=labels,
                fields=fields,
            ),
        )

    def logs(
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
        return self._portal.call(
            self._async.logs, pod, namespace, container=container, previous=previous, tail=tail
        )

    def follow_logs(
        self, pod: str, namespace: str | None = None, *, container: str | None = None
    ) -> Stream[str]:
        """Follow what a container writes; the block iterates over lines."""
        return Stream(self._portal, self._async.follow_logs(pod, namespace, container=container))

    def exec(
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
        return self._portal.call(
            self._async.exec, pod, command, namespace, container=container, stdin=stdin
        )
