"""Twins of the asynchronous classes: made by ``python -m tests.project.twins``.

Change those, not this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.embedded.sync.twins.rules import SyncFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from orchestrator.api.faults import ApiRequest
    from orchestrator.embedded.faults.faults import Faults
    from orchestrator.embedded.sync.portal import Portal
    from orchestrator.resources.errors import StatusError


class SyncFaults:
    """The synchronous twin of `Faults`: the same methods, without ``await``."""

    def __init__(self, portal: Portal, twin: Faults) -> None:
        """Speak to an asynchronous one on the portal's thread."""
        self._portal = portal
        self._async = twin

    @property
    def active(self) -> tuple[SyncFault, ...]:
        """The faults in force, in the order in which they act on a request."""
        return tuple(
            SyncFault(self._portal, each) for each in self._portal.run(lambda: self._async.active)
        )

    def __repr__(self) -> str:
        return self._portal.run(self._async.__repr__)

    def clear(self) -> None:
        """Stop all faults."""
        self._portal.run(self._async.clear)

    @property
    def controllers(self) -> tuple[str, ...]:
        """What `crash_controller` can crash: the controllers and the scheduler."""
        return self._portal.run(lambda: self._async.controllers)

    def crash_controller(self, name: str) -> None:
        """Let a controller fail: it loses all that it remembers, and starts anew after a moment.

        As when the process of upstream's controller manager is killed; the API goes on. The moment
        is of the cluster's time, and longer for one that fails again and again.

        Args:
            name: ``deployment``, ``scheduler`` and so on; one of `controllers`.

        Raises:
            ClusterError: There is none of that name.
        """
        self._portal.run(self._async.crash_controller, name)

    def restart(self) -> None:
        """Let the control plane go down and come back, at the same address.

        Store, controllers and scheduler begin anew from the log; connections are reset, watches
        with them; the nodes' containers go on, and faults of the API and of nodes stay in force.

        Raises:
            ClusterError: It can't start again.
        """
        self._portal.call(self._async.restart)

    def api(
        self,
        *,
        verb: str | Iterable[str] | None = None,
        kind: str | Iterable[str] | None = None,
        subresource: str | None = None,
        namespace: str | None = None,
        name: str | None = None,
        user: str | None = None,
        user_agent: str | None = None,
        where: Callable[[ApiRequest], Any] | None = None,
        times: int | None = None,
        after: int = 0,
        every: int = 1,
        probability: float = 1.0,
        error: int | str | StatusError | None = None,
        message: str | None = None,
        retry_after: int | None = None,
        latency: float | tuple[float, float] = 0.0,
        drop_watch: bool = False,
        stale_watch: bool | float = False,
        delay_watch: float = 0.0,
        events: int = 0,
    ) -> SyncFault:
        """Make a fault of the API; it acts within ``with``, or between its ``start`` and ``stop``.

        ```python
        settings = cluster.api.get("ConfigMap", "settings")
        with cluster.faults.api(verb="update", kind="ConfigMap", error=409, times=1) as fault:
            with pytest.raises(StatusError, match="please apply your changes to the latest"):
                cluster.api.replace(settings)
            cluster.api.replace(settings)
        assert fault.hits == 1
        ```

        Args:
            verb: Which requests: ``get``, ``list``, ``watch``, ``create``, ``update``, ``patch``
                (``apply`` for those that apply), ``delete``, ``deletecollection``, ``read`` or
                ``write`` for all of their sort, or several, also as ``"get,list"``.
            kind: Of which kinds, by any name that kubectl knows, or several; ``pods/eviction``
                means a subresource.
            subresource: Of which subresource: ``status``; ``*`` for any and for objects
                themselves. Unless given, objects themselves where ``kind`` is, else anything.
            namespace: In which namespaces; a pattern such as ``team-*``.
            name: Of which objects; a pattern.
            user: By whom; a pattern such as ``system:serviceaccount:default:*``.
            user_agent: By which client; a pattern such as ``kubectl*``.
            where: A function that is given each `ApiRequest` and says yes.
            times: How often it strikes at most.
            after: So many of the requests concerned get through first.
            every: After those, each n-th is struck.
            probability: Of those, this part is struck, by the cluster's seed.
            error: An HTTP code from 400 on, or a reason (``Conflict``, ``ServerTimeout``), which
                is answered in an API server's words; a `StatusError` of your own; ``reset``: the
                connection is reset before the request is looked at; ``timeout-after-write``: it is
                carried out, and answered with 504; ``reset-after-write``: it is carried out, and
                the connection reset; watches, followed logs, ``exec`` and the like are not carried
                out by either. A watch is told 410 in its stream, also one that is open already
                when ``verb`` names watches.
            message: Of the error, in place of an API server's.
            retry_after: Seconds for ``Retry-After``; 429 and 504 have 1 without it, 0 leaves it
                out.
            latency: Seconds by which requests take longer, or least and most. Real seconds for
                clients outside; the cluster's for its own `client`, who waits until somebody
                advances the clock.
            drop_watch: Watches are cut in the middle, those that are open too.
            stale_watch: Watches, also open ones, tell nothing until the fault stops, or for so
                many seconds of the cluster's time; then they tell everything.
            delay_watch: Watches tell everything so many seconds of the cluster's time later.
            events: With ``drop_watch`` or ``error=410``: so many events of each watch get through
                first.

        Returns:
            The fault, not yet in force; ``hits`` tells how often it struck.

        Raises:
            StatusError: 404, there is no such kind.
            ValueError: The arguments do not fit together.
        """
        return SyncFault(
            self._portal,
            self._portal.run(
                self._async.api,
                verb=verb,
                kind=kind,
                subresource=subresource,
                namespace=namespace,
                name=name,
                user=user,
                user_agent=user_agent,
                where=where,
                times=times,
                after=after,
                every=every,
                probability=probability,
                error=error,
                message=message,
                retry_after=retry_after,
                latency=latency,
                drop_watch=drop_watch,
                stale_watch=stale_watch,
                delay_watch=delay_watch,
                events=events,
            ),
        )
