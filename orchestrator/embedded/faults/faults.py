"""What can be made to go wrong between an embedded cluster and its clients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from orchestrator.api.faults import (
    ApiFault,
    ApiRequest,
    Down,
    Effect,
    Matching,
    Schedule,
)
from orchestrator.api.faults.refusals import refusal_of
from orchestrator.api.faults.rules import GROUPS, LOSSES, VERBS, Loss
from orchestrator.embedded.arguments import text_of
from orchestrator.embedded.errors import ClusterError
from orchestrator.embedded.faults.checking import check_fault
from orchestrator.embedded.guessing import nearest
from orchestrator.embedded.kinds.names import check_subresource, find_kind
from orchestrator.resources.errors import StatusError

if TYPE_CHECKING:
    from orchestrator.api.gate import Gate
    from orchestrator.api.serving import ServedCluster
    from orchestrator.cluster import BareCluster
    from orchestrator.embedded.clock.clocks import ClusterClock
    from orchestrator.embedded.presence import Presence

_FOREVER: Final = float("inf")


_NEEDED: Final = frozenset({"store", "store-events", "store-housekeeper", "nodes"})
"""Actors without which there is no cluster: their failure ends it."""


class InjectedFaultError(Exception):
    """What a controller fails with that was made to; seen in the log only."""


class Faults:
    """Makes faults, and lists those in force; `Cluster.faults` is one.

    A fault concerns every client, whatever it is and however it came: kubectl, an operator, the
    cluster's own `client`, `Cluster.apply`. The cluster's controllers, scheduler and nodes do not
    pass here; nodes have faults of their own (`Cluster.nodes`).
    """

    def __init__(
        self,
        gate: Gate,
        core: BareCluster,
        served: ServedCluster,
        clock: ClusterClock,
        presence: Presence,
    ) -> None:
        """Made by `Cluster`."""
        self._presence = presence
        self._gate = gate
        self._point = gate.faults
        self._core = core
        self._served = served
        self._clock = clock

    @property
    def active(self) -> tuple[ApiFault, ...]:
        """The faults in force, in the order in which they act on a request."""
        return self._point.active

    def __repr__(self) -> str:
        return f"<Faults: {', '.join(map(repr, self.active)) or 'none'}>"

    def clear(self) -> None:
        """Stop all faults."""
        for fault in self.active:
            fault.stop()

    @property
    def controllers(self) -> tuple[str, ...]:
        """What `crash_controller` can crash: the controllers and the scheduler."""
        names = (ref.address.split("/") for ref in self._core.system.walk())
        return tuple(
            sorted(parts[2] for parts in names if len(parts) == 3 and parts[2] not in _NEEDED)
        )

    def crash_controller(self, name: str) -> None:
        """Let a controller fail: it loses all that it remembers, and starts anew after a moment.

        As when the process of upstream's controller manager is killed; the API goes on. The moment
        is of the cluster's time, and longer for one that fails again and again.

        Args:
            name: ``deployment``, ``scheduler`` and so on; one of `controllers`.

        Raises:
            ClusterError: There is none of that name.
        """
        self._presence.require_here()
        known = text_of(name, "the name of a controller").removesuffix("-controller")
        ref = self._core.system.find(f"/user/{known}")
        if ref is None or known in _NEEDED:
            near = nearest(known, self.controllers)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(self.controllers)}"
            raise ClusterError(f"no controller {name!r}: {hint}")
        self._core.system.crash(ref, InjectedFaultError(f"a fault was injected into {known}"))

    async def restart(self) -> None:
        """Let the control plane go down and come back, at the same address.

        Store, controllers and scheduler begin anew from the log; connections are reset, watches
        with them; the nodes' containers go on, and faults of the API and of nodes stay in force.

        Raises:
            ClusterError: It can't start again.
        """
        self._presence.require_here()
        await self._presence.turns.take(self._restart)
        await self._clock.settle()

    async def _restart(self) -> None:
        self._presence.restarts += 1
        self._point.cut_watches()
        self._gate.close()
        self._gate.lead_to(Down())
        try:
            await self._served.restart()
        except Exception:  # whatever it was: without a control plane there is no cluster
            self._presence.fail()
            raise

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
    ) -> ApiFault:
        """Make a fault of the API; it acts within ``with``, or between its ``start`` and ``stop``.

        ```python
        settings = await cluster.api.get("ConfigMap", "settings")
        with cluster.faults.api(verb="update", kind="ConfigMap", error=409, times=1) as fault:
            with pytest.raises(StatusError, match="please apply your changes to the latest"):
                await cluster.api.replace(settings)
            await cluster.api.replace(settings)
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
        given = {name: value for name, value in locals().items() if name != "self"}
        self._presence.require()
        check_fault(given)
        resources, part = self._kinds_of(kind, subresource)
        if subresource is None:
            subresource = part if part or resources else "*"
        of_watches = bool(drop_watch or stale_watch or delay_watch)
        verbs = _verbs_of(verb)
        if of_watches or events:
            if subresource not in (None, "", "*"):
                raise ValueError(
                    f"subresource={subresource!r}: objects are watched, not their subresources; "
                    "followed logs and exec take error and latency"
                )
            if verbs - {"watch"}:
                raise ValueError(
                    f"verb={verb!r}: drop_watch, stale_watch, delay_watch and events are for "
                    "watches only; leave verb out"
                )
            verbs = frozenset({"watch"})
        if error is None and not latency and not of_watches:
            raise ValueError(
                "this fault would do nothing: give it error, latency, drop_watch, stale_watch or "
                "delay_watch"
            )
        if events and not (drop_watch or error is not None):
            raise ValueError("events tells when a watch ends: give drop_watch or error=410 with it")
        low, high = latency if isinstance(latency, tuple) else (latency, latency)
        loss: Loss | None = next((one for one in LOSSES if one == error), None)
        return ApiFault(
            Matching(
                verbs=verbs,
                resources=resources,
                subresource=subresource,
                namespace=namespace,
                name=name,
                user=user,
                user_agent=user_agent,
                where=where,
            ),
            Schedule(times=times, after=after, every=every, probability=probability),
            Effect(
                refusal=None
                if error is None or loss is not None
                else refusal_of(error, message, retry_after),
                loss=loss,
                latency=(low, high),
                drop_watch=drop_watch,
                stale_watch=_FOREVER if stale_watch is True else float(stale_watch),
                delay_watch=delay_watch,
                events=events,
            ),
            f"fault of the API: {_described(given)}",
            self._point.switch,
        )

    def _kinds_of(
        self, kind: str | Iterable[str] | None, subresource: str | None
    ) -> tuple[frozenset[tuple[str, str]], str]:
        """Return the resources meant, and the subresource that they name."""
        names = [] if kind is None else kind.split(",") if isinstance(kind, str) else list(kind)
        found, parts = set(), set()
        for each in names:
            text, _, part = each.strip().partition("/")
            known = find_kind(self._core.store.registry, text)
            check_subresource(known, part or subresource or "")
            found.add((known.group, known.plural))
            parts.add(part)
        if len(parts) > 1:
            raise ValueError(f"kind={kind!r}: one fault has one subresource, or '*' for all")
        return frozenset(found), next(iter(parts), "")


def _verbs_of(verb: str | Iterable[str] | None) -> frozenset[str]:
    if verb is None or verb == "*":
        return frozenset()
    found: set[str] = set()
    for each in verb.split(",") if isinstance(verb, str) else verb:
        name = each.strip().lower()
        if name not in VERBS and name not in GROUPS:
            raise ValueError(
                f"verb={each!r}: requests {', '.join(VERBS)}; read and write mean all of a sort"
            )
        found |= GROUPS.get(name, {name})
    return frozenset(found)


def _described(given: Mapping[str, Any]) -> str:
    """Say in a line what a fault was asked to be: the arguments that say something."""
    told = []
    for name, value in given.items():
        if value in (None, False, 0, 0.0) or (name in ("every", "probability") and value == 1):
            continue
        told.append(f"{name}={_told(value)}")
    return " ".join(told)


def _told(value: Any) -> Any:
    if isinstance(value, StatusError):
        return f"{value.code} {value.reason}"
    return getattr(value, "__name__", value)
