"""Twins of the asynchronous classes: made by ``python -m tests.project.twins``.

Change those, not this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator.embedded.client import MANAGER
from orchestrator.embedded.draining import DRAIN_SECONDS
from orchestrator.embedded.lingering import RATE
from orchestrator.embedded.sync.portal import Portal
from orchestrator.embedded.sync.streams import Stream, around, as_is, entered

if TYPE_CHECKING:
    import contextlib
    import datetime as dt
    import random
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import Any, Literal, Self

    from orchestrator.api.certificates import Certificates
    from orchestrator.api.faults import ApiFault, ApiRequest, Effect, Matching, Schedule
    from orchestrator.api.server import Application
    from orchestrator.cluster import BareCluster
    from orchestrator.embedded.client import Client, CommandResult, WatchEvent
    from orchestrator.embedded.clocks import ClusterClock, Mode
    from orchestrator.embedded.cluster import Cluster
    from orchestrator.embedded.definitions import Model
    from orchestrator.embedded.faults import Faults
    from orchestrator.embedded.images import Amount, Image, ImageBook, Logs
    from orchestrator.embedded.manifests import Source
    from orchestrator.embedded.nodes import NodeHandle, Nodes, State
    from orchestrator.embedded.travel_changes import Difference, Revisions
    from orchestrator.embedded.travel_past import Past
    from orchestrator.embedded.travel_snapshots import ClusterSnapshot
    from orchestrator.embedded.waiting import Condition
    from orchestrator.embedded.webhooks import Converter, Handler, Webhook
    from orchestrator.resources.errors import StatusError
    from orchestrator.resources.kinds import Kind
    from orchestrator.resources.objects import Object
    from orchestrator.store import Store


class SyncClock:
    """The synchronous twin of `ClusterClock`: the same methods, without ``await``."""

    def __init__(self, portal: Portal, twin: ClusterClock) -> None:
        """Speak to an asynchronous one on the portal's thread."""
        self._portal = portal
        self._async = twin

    @property
    def mode(self) -> Mode:
        """See the attribute of the asynchronous one."""
        return self._async.mode

    def now(self) -> float:
        """Seconds since 1970."""
        return self._portal.run(self._async.now)

    @property
    def time(self) -> dt.datetime:
        """The same as a moment in UTC."""
        return self._portal.run(lambda: self._async.time)

    def advance(
        self, seconds: float = 0.0, *, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0
    ) -> None:
        """Let time pass, and everything that falls due in it happen.

        On real time this waits.

        Raises:
            ValueError: The time is negative, or without an end.
        """
        self._portal.call(self._async.advance, seconds, minutes=minutes, hours=hours, days=days)

    def advance_until(
        self,
        condition: Callable[[], Any],
        *,
        seconds: float = 0.0,
        minutes: float = 0.0,
        hours: float = 0.0,
        days: float = 0.0,
    ) -> Any:
        """Let time pass until something holds, at most so long (an hour, if nothing is said).

        The condition may be an async function, such as one that asks the API. When that time is
        over and clients outside may still act, it goes on in real time (not for an async one).

        Returns:
            What the condition said: something true, as soon as it was.

        Raises:
            TimeoutError: It did not hold within that time.
        """
        return self._portal.ask(
            self._async.advance_until,
            condition,
            seconds=seconds,
            minutes=minutes,
            hours=hours,
            days=days,
        )

    def running(self, rate: float = RATE) -> contextlib.AbstractContextManager[None]:
        """Let time pass by itself while the block is at work; on real time it does so anyway.

        For a block that waits, in real time, for a client which waits for the cluster: a
        ``kubectl rollout status``, a library's own ``wait``. What falls due happens in order, and
        clients outside get their turns as when time is advanced.

        Args:
            rate: Seconds of the cluster's time in a real second, at most.
        """
        return entered(self._portal, self._async.running(rate), as_is)

    def held(self) -> contextlib.AbstractContextManager[Any]:
        """Let no time pass while the block is at work in real time, in a thread or a socket.

        For code of a test or an operator that others cannot see being busy. The block itself can't
        advance, or wait for what takes time.
        """
        return around(self._portal, self._portal.run(self._async.held))

    def settle(self) -> None:
        """Wait until all that can happen at this moment has happened; on real time, a moment."""
        self._portal.call(self._async.settle)

    def sleep(self, seconds: float) -> None:
        """Wait for so much of the cluster's time; with ``manual``, for somebody to advance it."""
        self._portal.call(self._async.sleep, seconds)

    def shown_to(
        self, *packages: str, skew: float = 0.0
    ) -> contextlib.AbstractContextManager[None]:
        """Let modules that read the computer's clock read this one for the block.

        For libraries that compare timestamps of their own (kopf's retries, leases), above all on a
        loop of virtual time.

        ```python
        import kopf

        with cluster.clock.shown_to("kopf"):  # and your operator's own package
            ...
        ```

        Args:
            *packages: Names of loaded packages and modules.
            skew: Seconds by which they see it wrong: ahead, or behind if negative.

        Raises:
            ValueError: Nothing of that name is loaded.
        """
        return around(self._portal, self._portal.run(self._async.shown_to, *packages, skew=skew))


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
            propagation: What becomes of what it owns; the kind's default unless given.
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
            container: Which container, the first one unless given.
            stdin: What the command reads.

        Raises:
            StatusError: There is no such pod, its container does not run, or the command could
                not be started.
            TypeError: The command is one text.
        """
        return self._portal.call(
            self._async.exec, pod, command, namespace, container=container, stdin=stdin
        )


class SyncFault:
    """The synchronous twin of `ApiFault`: the same methods, without ``await``."""

    def __init__(self, portal: Portal, twin: ApiFault) -> None:
        """Speak to an asynchronous one on the portal's thread."""
        self._portal = portal
        self._async = twin

    @property
    def matching(self) -> Matching:
        """See the attribute of the asynchronous one."""
        return self._async.matching

    @property
    def schedule(self) -> Schedule:
        """See the attribute of the asynchronous one."""
        return self._async.schedule

    @property
    def effect(self) -> Effect:
        """See the attribute of the asynchronous one."""
        return self._async.effect

    @property
    def description(self) -> str:
        """See the attribute of the asynchronous one."""
        return self._async.description

    @property
    def hits(self) -> int:
        """See the attribute of the asynchronous one."""
        return self._async.hits

    @property
    def seen(self) -> int:
        """See the attribute of the asynchronous one."""
        return self._async.seen

    def __enter__(self) -> Self:
        self._portal.run(self._async.__enter__)
        return self

    def __exit__(self, *_: object) -> None:
        self._portal.run(self._async.__exit__, *_)

    def __repr__(self) -> str:
        return self._portal.run(self._async.__repr__)

    def strikes(self, request: ApiRequest, chance: random.Random) -> bool:
        """Tell whether it strikes a request, and count it."""
        return self._portal.run(self._async.strikes, request, chance)


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
                the connection reset. A watch is told 410 in its stream, also one that is open
                already when ``verb`` names watches.
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


class SyncNode:
    """The synchronous twin of `NodeHandle`: the same methods, without ``await``."""

    def __init__(self, portal: Portal, twin: NodeHandle) -> None:
        """Speak to an asynchronous one on the portal's thread."""
        self._portal = portal
        self._async = twin

    @property
    def name(self) -> str:
        """See the attribute of the asynchronous one."""
        return self._async.name

    def __repr__(self) -> str:
        return self._portal.run(self._async.__repr__)

    @property
    def object(self) -> Object:
        """Its Node object.

        Raises:
            ClusterError: There is none (any more).
        """
        return self._portal.run(lambda: self._async.object)

    @property
    def ready(self) -> bool:
        """Whether the cluster takes it to be ready: a dead one is, for a while."""
        return self._portal.run(lambda: self._async.ready)

    @property
    def schedulable(self) -> bool:
        """Whether it is not cordoned."""
        return self._portal.run(lambda: self._async.schedulable)

    @property
    def pods(self) -> list[Object]:
        """The pods that are bound to it, of all namespaces, by namespace and name."""
        return self._portal.run(lambda: self._async.pods)

    @property
    def state(self) -> State:
        """How it really is, whatever the cluster knows of it."""
        return self._portal.run(lambda: self._async.state)

    def crash(self) -> None:
        """Let it lose power: its containers are gone, and so are its heartbeats.

        Raises:
            ClusterError: It is crashed already, or not of this program.
        """
        self._portal.call(self._async.crash)

    def recover(self) -> None:
        """Switch it on again after a crash: its pods' containers restart, as their policy says.

        Raises:
            ClusterError: It has not crashed.
        """
        self._portal.call(self._async.recover)

    def partition(self) -> None:
        """Cut it off from the API: its containers go on.

        Heartbeats, statuses and Events do not arrive, and it does not hear of new pods or of
        deletions. One that is cut off stays so.

        Raises:
            ClusterError: It has crashed, or is not of this program.
        """
        self._portal.call(self._async.partition)

    def heal(self) -> None:
        """End its partition: it tells what has become of its pods, and hears what it missed.

        Raises:
            ClusterError: It has crashed, or is not of this program.
        """
        self._portal.call(self._async.heal)

    def remove(self) -> None:
        """Take it away for good: its containers, and its Node object.

        The cluster deletes its pods a while later, as those of any node that is gone.

        Raises:
            StatusError: The API refused to delete the object.
        """
        self._portal.call(self._async.remove)

    def cordon(self) -> None:
        """Let no more pods be scheduled on it."""
        self._portal.call(self._async.cordon)

    def uncordon(self) -> None:
        """Let pods be scheduled on it again."""
        self._portal.call(self._async.uncordon)

    def taint(
        self,
        key: str,
        value: str = "",
        effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None,
    ) -> None:
        """Add a taint, or change the value of one that it has.

        Args:
            key: Its key, or all of it as for ``kubectl taint``: ``dedicated=gpu:NoSchedule``.
            value: Its value.
            effect: Where the key does not say; ``NoSchedule`` unless given.

        Raises:
            ValueError: It cannot be read.
        """
        self._portal.call(self._async.taint, key, value, effect)

    def untaint(self, key: str) -> None:
        """Remove taints: all of a key, or those of a key and an effect (``key:NoExecute``).

        Raises:
            ClusterError: It has no such taint.
        """
        self._portal.call(self._async.untaint, key)

    def drain(
        self,
        *,
        grace_seconds: int | None = None,
        timeout: float = DRAIN_SECONDS,
        delete_emptydir_data: bool = False,
        ignore_daemonsets: bool = False,
        force: bool = False,
    ) -> list[Object]:
        """Cordon it and evict its pods as ``kubectl drain`` does; returns when they are gone.

        Evictions that a PodDisruptionBudget refuses are asked for again every five seconds of the
        cluster's time, which passes meanwhile.

        Args:
            grace_seconds: For the pods, in place of their own.
            timeout: Seconds of the cluster's time for all of it.
            delete_emptydir_data: Evict pods with an ``emptyDir``, whose data goes with them.
            ignore_daemonsets: Leave pods of DaemonSets where they are.
            force: Evict pods of no controller, which nobody makes anew.

        Returns:
            The pods that were evicted.

        Raises:
            DrainError: Some pods must not go unless one of the above says so, in kubectl's words;
                the node stays cordoned, and nothing was evicted.
            WaitTimeoutError: Some are not gone in time.
            StatusError: The API refused something for good.
        """
        return self._portal.call(
            self._async.drain,
            grace_seconds=grace_seconds,
            timeout=timeout,
            delete_emptydir_data=delete_emptydir_data,
            ignore_daemonsets=ignore_daemonsets,
            force=force,
        )


class SyncNodes(Mapping[str, "SyncNode"]):
    """The synchronous twin of `Nodes`: the same methods, without ``await``."""

    def __init__(self, portal: Portal, twin: Nodes) -> None:
        """Speak to an asynchronous one on the portal's thread."""
        self._portal = portal
        self._async = twin

    def __getitem__(self, name: str) -> SyncNode:
        return SyncNode(self._portal, self._portal.run(self._async.__getitem__, name))

    def __iter__(self) -> Iterator[str]:
        return self._portal.run(self._async.__iter__)

    def __len__(self) -> int:
        return self._portal.run(self._async.__len__)

    def __repr__(self) -> str:
        return self._portal.run(self._async.__repr__)

    def add(
        self,
        name: str | None = None,
        *,
        capacity: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        taints: tuple[str, ...] = (),
    ) -> SyncNode:
        """Start one more node; returns once it is registered and ready.

        Args:
            name: ``node-N`` unless given.
            capacity: Quantities by resource, over what the cluster's nodes have.
            labels: Beyond the well-known ones.
            taints: As for ``kubectl taint``: ``dedicated=gpu:NoSchedule``.

        Raises:
            ClusterError: There is a node of that name already.
            ValueError: A taint cannot be read.
        """
        return SyncNode(
            self._portal,
            self._portal.call(
                self._async.add, name, capacity=capacity, labels=labels, taints=taints
            ),
        )


class SyncMethods:
    """The synchronous twin of `Cluster`: the same methods, without ``await``."""

    def __init__(self, portal: Portal, twin: Cluster) -> None:
        """Speak to an asynchronous one on the portal's thread."""
        self._portal = portal
        self._async = twin

    @property
    def clock(self) -> SyncClock:
        """See the attribute of the asynchronous one."""
        return SyncClock(self._portal, self._async.clock)

    @property
    def core(self) -> BareCluster:
        """What is behind the API: the store, the nodes, the actors.

        Raises:
            ClusterError: The cluster was not started.
        """
        return self._portal.run(lambda: self._async.core)

    @property
    def store(self) -> Store:
        """Its objects, as the controllers see them."""
        return self._portal.run(lambda: self._async.store)

    @property
    def asgi(self) -> Application:
        """The API as an ASGI application, for clients that can call one."""
        return self._portal.run(lambda: self._async.asgi)

    @property
    def url(self) -> str:
        """Where clients reach it.

        Raises:
            ClusterError: It does not listen on a port.
        """
        return self._portal.run(lambda: self._async.url)

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

    @property
    def seed(self) -> int:
        """What its chance began with; pass it again to repeat a run."""
        return self._portal.run(lambda: self._async.seed)

    @property
    def version(self) -> int:
        """The ``resourceVersion`` of the present state."""
        return self._portal.run(lambda: self._async.version)

    def at(self, version: int) -> Past:
        """Read the state at a version, which `version` was at that moment.

        ```python
        before = cluster.version
        cluster.api.delete("deployment", "web")
        assert cluster.at(before).get("deployment", "web")
        ```

        Raises:
            VersionError: It is still to come, or no longer held; see ``history``.
        """
        return self._portal.run(self._async.at, version)

    def diff(self, before: int, after: int | None = None) -> Difference:
        """Compare the states at two versions: what was added, removed and changed, and where.

        Print what comes back, or go through it.

        Args:
            before: The one version.
            after: The other one; the present unless given.

        Raises:
            VersionError: One of them is not held.
        """
        return self._portal.run(self._async.diff, before, after)

    def history(self, target: str, namespace: str = "default") -> Revisions:
        """Tell what became of an object: each revision, when, by whom, and what changed.

        Args:
            target: ``deployment/web``; it may be gone by now.
            namespace: Where; no matter for kinds without namespaces.

        Raises:
            StatusError: 404, there is and was no such kind.
            UnknownObjectError: There was no such object at any version held.
            VersionError: No history is kept.
        """
        return self._portal.run(self._async.history, target, namespace)

    def record(self, path: Path | str) -> None:
        """Write the log to a file, for ``orchestrator replay``, ``history`` and ``diff``.

        What is in it is what `history` keeps; a log that was there is replaced.

        Raises:
            LogError: It cannot be written, or something else is there.
        """
        self._portal.call(self._async.record, path)

    def snapshot(self) -> ClusterSnapshot:
        """Take note of all objects, to come back to with `restore` as often as one likes.

        ```python
        snap = cluster.snapshot()
        ...                                    # a test
        cluster.restore(snap)            # the next one begins where this one did
        ```

        It holds no copies, so it costs next to nothing.
        """
        return self._portal.call(self._async.snapshot)

    def restore(self, snapshot: ClusterSnapshot) -> None:
        """Put back all objects as they were in a snapshot, with their old uids.

        Versions and the clock go on: what is put back gets new versions, all in one commit, and
        watches from before end with 410 ``Expired``, upon which clients list anew. Pods whose
        containers ran in the snapshot run again, with no restart to be seen (a function of an image
        begins anew); those that are not in it are gone. Nodes live, or have crashed, as then. What
        is neither is not put back: faults, and what a container has written.

        Raises:
            ClusterError: The snapshot is another cluster's, or the nodes run processes, which
                cannot be undone.
        """
        self._portal.call(self._async.restore, snapshot)

    @property
    def api(self) -> SyncClient:
        """A client as the administrator, in the namespace ``default``."""
        return SyncClient(self._portal, self._portal.run(lambda: self._async.api))

    @property
    def faults(self) -> SyncFaults:
        """What can be made to go wrong between it and its clients."""
        return SyncFaults(self._portal, self._portal.run(lambda: self._async.faults))

    @property
    def nodes(self) -> SyncNodes:
        """Its nodes by name, to let them crash, to cut them off, to drain them."""
        return SyncNodes(self._portal, self._portal.run(lambda: self._async.nodes))

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

    def image(
        self,
        name: str,
        *,
        start_seconds: float | None = None,
        ready_seconds: float | None = None,
        ready: bool | None = None,
        run_seconds: float | None = None,
        exit_code: int | None = None,
        crash_after: float | None = None,
        stop_seconds: float | None = None,
        refuse: str = "",
        logs: Logs = (),
        termination_message: str = "",
        cpu: Amount | None = None,
        memory: Amount | None = None,
    ) -> Image:
        """Say what containers of an image do, or let an async function be such a container.

        ```python
        cluster.image("web:1", start_seconds=2, ready_seconds=5, cpu="250m")
        cluster.image("broken:*", refuse="ErrImagePull: not found")

        @cluster.image("worker:1")
        async def worker(container):
            container.log("hello from", container.env["HOSTNAME"])
            container.sleep(30)
        ```

        What a pod's annotations say (``simulation.orchestrator/...``) goes before it. It holds for
        containers that are started from now on; said again, it replaces what was said before.

        Args:
            name: As pods name it; without a tag it stands for all tags, and ``*`` for anything.
            start_seconds: From being asked to start to running.
            ready_seconds: From running to being ready.
            ready: False: not ready before its function calls ``container.set_ready(True)``.
            run_seconds: From running to ending by itself.
            exit_code: With which it ends then; at once, if nothing says when.
            crash_after: The same as ``run_seconds`` with an exit code of 1.
            stop_seconds: From SIGTERM to its end; at once unless given, infinity ignores it. A
                function decides by itself, see `Container`.
            refuse: Why it cannot be started. ``ErrImagePull: WHY`` is an image that cannot be
                pulled, which is tried again and again.
            logs: Lines that it writes when it is started, or pairs of seconds and a line; or a
                function of the `Container` that returns them.
            termination_message: What it leaves when it ends.
            cpu: How much it uses: ``250m``, ``80%`` of its request, ``100m,900m@60s``, or a
                function of its age in seconds.
            memory: The same.

        Raises:
            ClusterError: The cluster runs processes, or two of these contradict each other.
            ValueError: An amount cannot be read.
        """
        return self._portal.run(
            self._async.image,
            name,
            start_seconds=start_seconds,
            ready_seconds=ready_seconds,
            ready=ready,
            run_seconds=run_seconds,
            exit_code=exit_code,
            crash_after=crash_after,
            stop_seconds=stop_seconds,
            refuse=refuse,
            logs=logs,
            termination_message=termination_message,
            cpu=cpu,
            memory=memory,
        )

    @property
    def images(self) -> ImageBook | None:
        """What was said of images; None while nothing was."""
        return self._portal.run(lambda: self._async.images)

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

    def install_crd(
        self,
        model: Model | Source,
        *,
        group: str = "",
        version: str = "v1",
        kind: str | None = None,
        plural: str | None = None,
        scope: Literal["Namespaced", "Cluster"] = "Namespaced",
        status: Model | None = None,
        short_names: Sequence[str] = (),
    ) -> Object:
        """Define a kind, and wait until it is served: then `api` knows it by its name.

        Args:
            model: A pydantic model's class, or what else has a JSON Schema: of the whole object, if
                it has a field ``spec``; else of its spec. Or a definition, as `apply` takes it.
            group: API group, ``example.com``.
            version: The one version.
            kind: Name of the kind; the model's own unless given.
            plural: Name in paths; made of the kind unless given.
            scope: Whether objects are in namespaces.
            status: Model of the status, if the first has none; it takes anything unless given.
            short_names: Further names for kubectl.

        Returns:
            The last definition installed.

        Raises:
            ApplyError: There is no schema, no group, or no definition in what was given.
            StatusError: The API refuses the definition.
        """
        return self._portal.call(
            self._async.install_crd,
            model,
            group=group,
            version=version,
            kind=kind,
            plural=plural,
            scope=scope,
            status=status,
            short_names=short_names,
        )

    def install_kopf_peering(self) -> None:
        """Define kopf's peerings, and make one for operators everywhere and in ``default``."""
        self._portal.call(self._async.install_kopf_peering)

    def webhook(
        self,
        handler: Handler,
        resources: str | Sequence[str],
        *,
        mutating: bool = False,
        operations: Sequence[str] = ("CREATE", "UPDATE"),
        name: str | None = None,
        timeout: int = 10,
        **options: Any,
    ) -> contextlib.AbstractContextManager[Webhook]:
        """Have a function asked about objects before they are stored, for a block.

        It is served over HTTPS on a loopback port, and called as any admission webhook is. The
        block gets the `Webhook`, which remembers what it was asked.

        Args:
            handler: Gets the ``request`` of each AdmissionReview. None or True lets pass, False or
                a text refuses, a list is a JSON patch, an object is what the new one is to be. It
                runs in a thread, unless it is a coroutine function.
            resources: Which kinds, by any of their names; ``pods/exec``; ``*`` for all.
            mutating: Whether it may change objects.
            operations: ``CREATE``, ``UPDATE``, ``DELETE``, ``CONNECT``, ``*``.
            name: Of the configuration.
            timeout: Real seconds that it has to answer.
            **options: Further fields of the webhook: ``failurePolicy="Ignore"``,
                ``objectSelector={...}``, ``matchConditions=[...]``.
        """
        return entered(
            self._portal,
            self._async.webhook(
                handler,
                resources,
                mutating=mutating,
                operations=operations,
                name=name,
                timeout=timeout,
                **options,
            ),
            as_is,
        )

    def conversion_webhook(
        self, kind: str, convert: Converter
    ) -> contextlib.AbstractContextManager[Webhook]:
        """Have a function convert custom objects between their versions, for a block.

        Args:
            kind: Whose objects; one with several versions.
            convert: Gets an object and the version wanted, ``example.com/v2``; returns it so.
        """
        return entered(self._portal, self._async.conversion_webhook(kind, convert), as_is)

    def tls_files(self) -> Certificates:
        """Return certificate, key and CA for a server of the test's own on the loopback address.

        For ``kopf.WebhookServer``: ``cafile=files.ca_file, certfile=files.certificate_file,
        pkeyfile=files.key_file``.
        """
        return self._portal.run(self._async.tls_files)

    def delete(self, source: Source, namespace: str = "default") -> None:
        """Delete the objects of a source, the last applied first; those that are gone are fine."""
        self._portal.call(self._async.delete, source, namespace)

    def wait(
        self,
        target: str,
        condition: Condition = "Ready",
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
            namespace: Where.
            labels: Which of them, where no one is named.
            timeout: Seconds of the cluster's time; when they are over and clients outside may still
                act, as many real seconds since the beginning.

        Returns:
            The object named, as it then is; None when there is none, or none was named.

        Raises:
            WaitTimeoutError: It did not come true in time; the text says how things stand.
            StatusError: 404, there is no such kind.
            ValueError: The target, the condition or the timeout cannot be read.
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
