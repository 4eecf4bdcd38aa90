"""Twins of the asynchronous classes: made by ``python -m tests.project.twins``.

Change those, not this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.embedded.sync.streams import around
from orchestrator.embedded.sync.twins.life import SyncLife

if TYPE_CHECKING:
    import contextlib
    from pathlib import Path
    from typing import Any

    from orchestrator.embedded.access.permissions import Permission
    from orchestrator.embedded.client.conversing import CommandResult
    from orchestrator.embedded.cluster.access import ClusterAccess


class SyncAccess(SyncLife):
    """The synchronous twin of `ClusterAccess`: the same methods, without ``await``."""

    _async: ClusterAccess

    @property
    def url(self) -> str:
        """Where clients reach it.

        Raises:
            ClusterError: It does not listen on a port.
        """
        return self._portal.run(lambda: self._async.url)

    @property
    def socket(self) -> Path:
        """The Unix socket on which clients reach it.

        Raises:
            ClusterError: It does not listen on one.
        """
        return self._portal.run(lambda: self._async.socket)

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig for kubectl and all client libraries; gone with the cluster.

        Raises:
            ClusterError: It does not listen on a port.
        """
        return self._portal.run(lambda: self._async.kubeconfig)

    @property
    def kubeconfig_dict(self) -> dict[str, Any]:
        """The same as data, for libraries that take it so."""
        return self._portal.run(lambda: self._async.kubeconfig_dict)

    def kubeconfig_for(
        self, user: str, *, groups: tuple[str, ...] = (), namespace: str = "default"
    ) -> Path:
        """Write a kubeconfig with a token, for somebody who may do what roles let them do.

        Over plain HTTP the token stands in the server's path too: kubectl, helm and others made
        with client-go show their tokens over TLS only.

        Args:
            user: A name; of a ServiceAccount that exists ``system:serviceaccount:NAMESPACE:NAME``.
            groups: That user's groups, beside those that every user is in.
            namespace: Where its clients look unless told otherwise.

        Raises:
            ClusterError: There is no such ServiceAccount, or the cluster listens on no port.
        """
        return self._portal.run(
            self._async.kubeconfig_for, user, groups=groups, namespace=namespace
        )

    def token_for(self, user: str, *, groups: tuple[str, ...] = ()) -> str:
        """Return a token for ``Authorization: Bearer``, of somebody who may do what roles allow.

        It is good on every way in, also without a port, and does not expire.

        Args:
            user: A name; of a ServiceAccount that exists ``system:serviceaccount:NAMESPACE:NAME``.
            groups: That user's groups, beside those that every user is in.

        Raises:
            ClusterError: There is no such ServiceAccount.
        """
        return self._portal.run(self._async.token_for, user, groups=groups)

    def can(
        self,
        user: str,
        verb: str,
        resource: str,
        *,
        name: str = "",
        namespace: str = "default",
        groups: tuple[str, ...] = (),
    ) -> Permission:
        """Tell whether roles let somebody do something, as ``kubectl auth can-i`` does.

        ```py
        operator = "system:serviceaccount:default:operator"
        assert cluster.can(operator, "create", "deployments")
        assert not cluster.can(operator, "get", "secrets", name="master-key")
        ```

        Args:
            user: Who; a ServiceAccount is ``system:serviceaccount:NAMESPACE:NAME``, and need not
                exist.
            verb: ``get``, ``list``, ``watch``, ``create``, ``update``, ``patch``, ``delete``, ...
            resource: By any of its names, ``pods/log`` for a part of it, ``*`` for all, or a path
                that is no object's: ``/metrics``.
            name: Of one object; any unless given.
            namespace: Where; empty for all namespaces, no matter for kinds without them.
            groups: That user's groups, beside those that every user or ServiceAccount is in.

        Raises:
            StatusError: 404, there is no such kind.
        """
        return self._portal.call(
            self._async.can, user, verb, resource, name=name, namespace=namespace, groups=groups
        )

    def environment(self, kubeconfig: Path | None = None) -> dict[str, str]:
        """Return this process's environment with ``KUBECONFIG``, for programs that it starts.

        Args:
            kubeconfig: Whose; the administrator's unless given.
        """
        return self._portal.run(self._async.environment, kubeconfig)

    def in_environment(
        self, kubeconfig: Path | None = None
    ) -> contextlib.AbstractContextManager[None]:
        """Set that environment in this process for a block, for libraries that look there.

        Those that looked on import (``kubernetes``, ``kubernetes_asyncio``) see it too, and kr8s
        forgets the client that it would hand out again.
        """
        return around(self._portal, self._portal.run(self._async.in_environment, kubeconfig))

    def run(
        self,
        *command: str | Path,
        kubeconfig: Path | None = None,
        stdin: str | None = None,
        check: bool = True,
        timeout: float = 60.0,
    ) -> CommandResult:
        """Run a program, kubectl say, that finds the cluster; time passes while it runs.

        Args:
            *command: Program and arguments; no shell reads them.
            kubeconfig: Whose; the administrator's unless given.
            stdin: What it reads.
            check: Whether its failure is an error.
            timeout: Real seconds after which it is killed.

        Raises:
            ClusterError: It failed (the text has what it said), or is not installed.
            TimeoutError: It took longer.
        """
        return self._portal.call(
            self._async.run,
            *command,
            kubeconfig=kubeconfig,
            stdin=stdin,
            check=check,
            timeout=timeout,
        )
