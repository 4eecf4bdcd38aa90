"""Twins of the asynchronous classes: made by ``python -m tests.project.twins``.

Change those, not this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.embedded.sync.streams import entered
from orchestrator.embedded.sync.twins.client import SyncClient
from orchestrator.embedded.sync.twins.life import SyncLife

if TYPE_CHECKING:
    import contextlib

    from orchestrator.embedded.cluster.objects import ClusterObjects
    from orchestrator.embedded.kinds.manifests import Source
    from orchestrator.embedded.waiting.conditions import Condition
    from orchestrator.resources.objects import Object


class SyncObjects(SyncLife):
    """The synchronous twin of `ClusterObjects`: the same methods, without ``await``."""

    _async: ClusterObjects

    @property
    def api(self) -> SyncClient:
        """A client as the administrator, in the namespace ``default``."""
        return SyncClient(self._portal, self._portal.run(lambda: self._async.api))

    def client(
        self, namespace: str = "default", *, user: str | None = None, groups: tuple[str, ...] = ()
    ) -> contextlib.AbstractContextManager[SyncClient]:
        """Open a client in this program.

        Args:
            namespace: Where objects are that name none.
            user: Whom to impersonate; the administrator unless given. A ServiceAccount is
                ``system:serviceaccount:NAMESPACE:NAME``.
            groups: That user's groups, beside those that every user is in.
        """
        return entered(
            self._portal, self._async.client(namespace, user=user, groups=groups), SyncClient
        )

    def apply(self, source: Source, namespace: str = "default") -> list[Object]:
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
        return self._portal.call(self._async.apply, source, namespace)

    def delete(self, source: Source, namespace: str = "default") -> None:
        """Delete the objects of a source, the last applied first; those that are gone are fine.

        What they own goes too, as with ``kubectl delete``.
        """
        self._portal.call(self._async.delete, source, namespace)

    def wait(
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
        return self._portal.call(
            self._async.wait, target, condition, namespace=namespace, labels=labels, timeout=timeout
        )

    def watched(self, kind: str, *, timeout: float = 30.0) -> None:
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
        self._portal.call(self._async.watched, kind, timeout=timeout)
