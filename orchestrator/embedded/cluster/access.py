"""The ways into a cluster from outside: its address, credentials, programs that are told them."""

from __future__ import annotations

import contextlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.embedded.cluster.life import ClusterLife
from orchestrator.embedded.errors import ClusterError

if TYPE_CHECKING:
    from orchestrator.embedded.access.kubeconfigs import Doors
    from orchestrator.embedded.access.permissions import Permission
    from orchestrator.embedded.client.conversing import CommandResult


class ClusterAccess(ClusterLife):
    """Lets clients of all kinds in."""

    @property
    def url(self) -> str:
        """Where clients reach it.

        Raises:
            ClusterError: It does not listen on a port.
        """
        self._invite()
        return self._served.url

    @property
    def socket(self) -> Path:
        """The Unix socket on which clients reach it.

        Raises:
            ClusterError: It does not listen on one.
        """
        self._presence.require()
        if not isinstance(self._setting.listen, Path):
            raise ClusterError(
                "this cluster listens on no Unix socket: make it with listen=Path('api.sock'), or "
                "use `url`"
            )
        return self._setting.listen

    @cached_property
    def kubeconfig(self) -> Path:
        """A kubeconfig for kubectl and all client libraries; gone with the cluster.

        Raises:
            ClusterError: It does not listen on a port.
        """
        self._invite()
        return self._doors.write(self._doors.data())

    @property
    def kubeconfig_dict(self) -> dict[str, Any]:
        """The same as data, for libraries that take it so."""
        self._invite()
        return self._doors.data()

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
        self._invite()
        return self._doors.write(self._doors.data(user, groups, namespace))

    def token_for(self, user: str, *, groups: tuple[str, ...] = ()) -> str:
        """Return a token for ``Authorization: Bearer``, of somebody who may do what roles allow.

        It is good on every way in, also without a port, and does not expire.

        Args:
            user: A name; of a ServiceAccount that exists ``system:serviceaccount:NAMESPACE:NAME``.
            groups: That user's groups, beside those that every user is in.

        Raises:
            ClusterError: There is no such ServiceAccount.
        """
        self._presence.require()
        return self._doors.token(user, groups)

    async def can(
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
        assert await cluster.can(operator, "create", "deployments")
        assert not await cluster.can(operator, "get", "secrets", name="master-key")
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
        from orchestrator.embedded.access.permissions import permission_of, review_of

        self._presence.require_here()
        review = review_of(
            self.store.registry, user, verb, resource, name, namespace=namespace, groups=groups
        )
        from orchestrator.embedded.client.calls import Caller

        caller = Caller(self.asgi, presence=self._presence)
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        return permission_of(await caller.call("POST", path, body=review))

    def environment(self, kubeconfig: Path | None = None) -> dict[str, str]:
        """Return this process's environment with ``KUBECONFIG``, for programs that it starts.

        Args:
            kubeconfig: Whose; the administrator's unless given.
        """
        from orchestrator.embedded.access.kubeconfigs import environment_with

        cache = self.core.directory / "kubectl-cache"
        return environment_with(kubeconfig or self.kubeconfig, cache)

    def in_environment(
        self, kubeconfig: Path | None = None
    ) -> contextlib.AbstractContextManager[None]:
        """Set that environment in this process for a block, for libraries that look there.

        Those that looked on import (``kubernetes``, ``kubernetes_asyncio``) see it too, and kr8s
        forgets the client that it would hand out again.
        """
        from orchestrator.embedded.access.kubeconfigs import entered

        return entered(self.environment(kubeconfig))

    def httpx_transport(self, library: Any = None) -> Any:
        """Return a transport for ``httpx.AsyncClient`` that needs no socket, and streams.

        Requests have to be made in the loop that the cluster runs in; any host will do as their
        ``base_url``. Who shows no token is the administrator.

        Args:
            library: The module whose transport it is to be: ``httpx``, unless given, or one that
                continues it (lightkube has ``httpx2``).
        """
        from orchestrator.embedded.client.transports import ClusterTransport

        if library is None:
            import httpx as library
        return ClusterTransport(self.asgi, library, self._presence)

    async def run(
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
        from orchestrator.embedded.access.programs import run_program

        async with self.clock.running():
            return await run_program(
                command, self.environment(kubeconfig), stdin=stdin, check=check, timeout=timeout
            )

    @cached_property
    def _doors(self) -> Doors:
        from orchestrator.embedded.access.kubeconfigs import Doors

        return Doors(self.core, self._served, lambda: self._app)

    def _invite(self) -> None:
        """Refuse who needs a port that is none, and expect who is told of it."""
        self._presence.require()
        if not isinstance(self._setting.listen, str):
            raise ClusterError(
                "this cluster listens on no port: make it with listen='http', or use `client` or "
                "`asgi`"
            )
        if self.clock.lingering is not None:
            self.clock.lingering.invited = True
