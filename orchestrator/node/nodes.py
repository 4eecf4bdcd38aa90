"""The node actor: one node's registration, heartbeat and pods."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, TypeAlias, assert_never

from actors import Actor, MailboxFull, Supervision
from orchestrator.node import pod_messages, registration
from orchestrator.node.addresses import AddressPool
from orchestrator.node.admission import is_terminal
from orchestrator.node.configs import NodeConfig
from orchestrator.node.node_pods import NodePod, NodePods, labelled_alike
from orchestrator.node.outbox import Outbox, Writer
from orchestrator.node.partitions import CutRecorder
from orchestrator.node.registration import LEASE_NAMESPACE
from orchestrator.node.runtime import ContainerExited, ContainerStarted, Runtime, RuntimeEvent
from orchestrator.node.surroundings import Reader, Recorder, Surroundings
from orchestrator.node.volumes.followers import Key
from orchestrator.records import dataclass
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object, namespace_of
from orchestrator.store.operations import Create, Modify, Operation

if TYPE_CHECKING:
    from orchestrator.node.volumes import VolumeDirectories

_LEASES = "leases.coordination.k8s.io"
_SEEN = pod_messages.PodSeen()
_POD = Supervision(max_restarts=1000, period=600.0)
"""A pod that fails again and again is tried for ever, at most every 30 s: it must not take its
node, and then the next one, along."""
_REGISTER_AGAIN = 1.0
"""Seconds until a registration or first heartbeat that was refused is repeated."""


UNDONE: Final[Object] = {}
"""In place of a pod: an earlier state was put back, in which it was not here as it is now."""


class NodeStore(Reader, Writer, Protocol):
    """The part of the store that a node needs."""

    def by_node(self, node: str) -> list[Object]:
        """Return the pods that are bound to a node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodsChanged:
    """Pods of this node in the order of their changes.

    None marks those that were removed, `UNDONE` those whose course never was.
    """

    changes: tuple[tuple[str, Object | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relist:
    """Events were missed: compare with what the store has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationChanged:
    """These ConfigMaps, Secrets, ServiceAccounts and claims changed."""

    keys: frozenset[Key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deregistered:
    """The Node object was deleted, though the node lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnected:
    """The node was cut off, and what it says and hears passes again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _RuntimeNoted:
    """There is runtime news to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Registered:
    results: tuple[Object | StatusError, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refused:
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beat:
    """Time to renew the Lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Register:
    """Time to register again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Renewed:
    results: tuple[Object | StatusError, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settled:
    """Nothing will happen to a pod by itself."""

    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cleared:
    """A pod's actor is done: nothing is left of the pod."""

    uid: str


Command: TypeAlias = (
    PodsChanged
    | Relist
    | ConfigurationChanged
    | Deregistered
    | Reconnected
    | _RuntimeNoted
    | _Registered
    | _Refused
    | _Register
    | _Beat
    | _Renewed
    | _Cleared
    | _Settled
)


@dataclass(frozen=True, slots=True)
class NodeParts:
    """What nodes of one manager share.

    Attributes:
        store: Committed state, and where to propose.
        recorder: For Events.
        outbox: For pods' statuses.
        answered: Called with a node's name when its registration was answered, and whether its Node
            is up to date by now.
        volumes: Where pods' volumes are on this machine, if anywhere.
    """

    store: NodeStore
    recorder: Recorder
    outbox: Outbox
    answered: Callable[[str, bool], None]
    volumes: VolumeDirectories | None = None


class NodeActor(Actor[Command]):
    """Runs one node. Its mailbox refuses when full; the manager sends one message a pass."""

    mailbox_limit: ClassVar[int] = 65536

    def __init__(
        self, config: NodeConfig, runtime: Runtime, parts: NodeParts, pods: NodePods
    ) -> None:
        """Prepare; a restarted node rebuilds itself from the store and the runtime.

        Args:
            config: What it is.
            runtime: What runs its containers.
            parts: What it shares with other nodes.
            pods: Its pods, shared with its parent.
        """
        self._config = config
        self._runtime = runtime
        self._parts = parts
        self._resting = pods
        self._news: list[RuntimeEvent] = []

    def started(self) -> None:
        """Take over pods and containers, then register."""
        config = self._config
        self._around = Surroundings(
            config=config,
            runtime=self._runtime,
            reader=self._parts.store,
            recorder=CutRecorder(self._parts.recorder, self._is_cut),
            outbox=self._parts.outbox,
            pool=AddressPool(config.pod_cidr),
            path=registration.container_path(),
            user=os.getuid(),
            allocatable={**config.capacity, **config.allocatable},
            volumes=self._parts.volumes,
        )
        self._resting.open(self._around)
        self._pods = self._resting.entries
        self._runtime.attach(config.name, self._note)
        if self._is_cut():
            self._parts.answered(config.name, False)
        else:
            self._resting.recount(self._parts.store.by_node(config.name))
            self._relist()
            self._register()
        if config.heartbeat is not None:
            self.context.every(config.heartbeat, _Beat())

    def stopped(self) -> None:
        """Hear no more of the runtime; what runs, runs on."""
        self._resting.close()
        self._runtime.detach(self._config.name)

    # -- messages

    def receive(self, message: Command) -> None:
        """Dispatch."""
        match message:
            case PodsChanged(changes=changes):
                for uid, pod in changes:
                    self._change(uid, pod)
            case _RuntimeNoted():
                self._forward()
            case _Cleared(uid=uid):
                self._clear(uid)
            case _Settled(uid=uid):
                self._rest(uid)
            case ConfigurationChanged(keys=keys):
                self._reconsider(keys)
            case Relist():
                self._relist()
                if self._parts.store.get("nodes", "", self._name) is None:
                    self._register()
            case Deregistered():
                self.context.log.warning("the Node was deleted, registering again", node=self._name)
                self._register()
            case Reconnected():
                self._relist()
                self._register()
            case _Beat():
                self._renew()
            case _Register():
                self._register()
            case _Registered(results=results):
                self._check_registered(results)
            case _Renewed(results=results):
                self._check_renewed(results)
            case _Refused(error=error):
                self.context.log.warning("node not registered", node=self._name, error=str(error))
                self._parts.answered(self._name, False)
                self.context.after(_REGISTER_AGAIN, _Register())
            case _:
                assert_never(message)

    @property
    def _name(self) -> str:
        return self._config.name

    def _is_cut(self) -> bool:
        return self._resting.cut

    # -- pods

    def _relist(self) -> None:
        """Bring pods and containers in line with the store."""
        present = {pod["metadata"]["uid"]: pod for pod in self._parts.store.by_node(self._name)}
        for uid, pod in present.items():
            if uid in self._pods:
                continue  # it has its address, or has given it back before its status was written
            over = is_terminal(pod)  # then others may have its address by now
            address = (pod.get("status") or {}).get("podIP")
            if address and not over:
                self._around.pool.claim(address, uid)
            for record in self._runtime.known(uid):  # its status may not be written yet
                if record.address and (record.exited is None or not over):
                    self._around.pool.claim(record.address, uid)
        # Sorted: the order in which containers end must not depend on a hash.
        known = self._runtime.pods(self._name)
        for uid in sorted(known - present.keys() - self._pods.keys()):
            for record in self._runtime.known(uid):
                if record.exited is None:
                    self._runtime.stop(record.started.id, 0)
                else:
                    self._runtime.remove(record.started.id)
        for uid in [uid for uid in self._pods if uid not in present]:
            self._change(uid, None)
        for uid, pod in present.items():
            self._change(uid, pod)

    def _undo(self, uid: str) -> None:
        """Let a pod never have been here; it may come as it was before."""
        around = self._around
        known = self._runtime.known(uid)
        entry = self._pods.pop(uid, None)
        self._resting.admissions.forget(uid)
        if entry is None and not known:
            return
        addresses = {record.address for record in known}
        if entry is not None:
            if entry.ref is not None:
                self.context.stop(entry.ref)
            for status in (entry.latest.get("status"), entry.proposed):
                addresses.add((status or {}).get("podIP") or "")
        self._runtime.forget(uid)
        for address in sorted(addresses):
            around.pool.release(address, self.context.clock.monotonic(), uid)
        around.outbox.forget(uid)
        around.unconfigured.discard(uid)
        around.followers.leave(uid)

    def _change(self, uid: str, pod: Object | None) -> None:
        entry = self._pods.get(uid)
        if pod is UNDONE:
            self._undo(uid)
        elif pod is None:
            if entry is not None and not entry.removed:
                entry.removed = True
                self._tell(uid, entry, pod_messages.PodRemoved())
        elif entry is None:
            address = (pod.get("status") or {}).get("podIP")
            if address and not is_terminal(pod):
                self._around.pool.claim(address, uid)
            if not (self._resting.begin(pod) or self._resting.resume(pod)):
                entry = self._pods[uid] = NodePod(pod)
                entry.refused = self._resting.refusal_of(pod)
                self._wake(uid, entry)
        elif entry.latest is not pod:
            known, entry.latest = entry.latest, pod
            status, spec = pod.get("status"), pod["spec"]
            if (
                (status is entry.proposed or status == entry.proposed)
                and (spec is known["spec"] or spec == known["spec"])
                and labelled_alike(pod, known)
                and "deletionTimestamp" not in pod["metadata"]
            ):
                return  # the pod's own words, come back
            self._tell(uid, entry, _SEEN)

    def _tell(self, uid: str, entry: NodePod, message: pod_messages.Message) -> None:
        """Tell a pod's actor; one at rest gets an actor instead, which looks at all there is."""
        if entry.ref is None:
            self._wake(uid, entry)
        else:
            entry.unheard += 1
            entry.ref.tell(message)

    def _wake(self, uid: str, entry: NodePod) -> None:
        """Give a pod an actor, which begins with a look at the entry and the runtime's records."""
        # What pods need that have something to decide is loaded with the first of them.
        from orchestrator.node.pods import PodActor

        around, cleared, settled = self._around, self._note_cleared, self._note_settled
        name, more = uid, 1
        while self.context.child(name) is not None:  # its predecessor has not ended yet
            more += 1
            name = f"{uid}.{more}"
        entry.unheard, entry.settled = 0, False
        entry.ref = self.context.spawn(
            lambda: PodActor(around, entry, cleared, settled), name, supervision=_POD
        )

    def _note_settled(self, uid: str) -> None:
        self.context.ref.tell(_Settled(uid=uid))

    def _rest(self, uid: str) -> None:
        """Do without a pod's actor until something happens, unless something has meanwhile."""
        entry = self._pods.get(uid)
        if entry is not None and entry.ref is not None and entry.settled and not entry.unheard:
            self.context.stop(entry.ref)
            entry.ref = None

    def _note_cleared(self, uid: str) -> None:
        self.context.ref.tell(_Cleared(uid=uid))

    def _clear(self, uid: str) -> None:
        entry = self._pods.get(uid)
        if entry is None or not entry.removed:
            return  # another one, put back in the place of the one that is meant
        del self._pods[uid]
        if entry.ref is not None:
            self.context.stop(entry.ref)

    def _reconsider(self, keys: frozenset[Key]) -> None:
        around = self._around
        namespaces = {namespace for _, namespace, _ in keys}
        told = set(around.followers.of(keys))
        for uid in sorted(around.unconfigured):
            entry = self._pods.get(uid)
            if entry is None:
                around.unconfigured.discard(uid)
            elif entry.ref is not None and namespace_of(entry.latest) in namespaces:
                around.unconfigured.discard(uid)
                told.add(uid)
        for uid in sorted(told):
            entry = self._pods.get(uid)
            if entry is None:
                around.followers.leave(uid)
            elif entry.ref is not None:
                self._tell(uid, entry, pod_messages.Reconsider())

    # -- the runtime's news

    def _note(self, event: RuntimeEvent) -> None:
        """The runtime's listener: may be called within any call to the runtime."""
        self._news.append(event)
        if len(self._news) == 1:
            try:
                self.context.ref.tell(_RuntimeNoted())
            except MailboxFull:  # a node so far behind reads the news later, with other messages
                self.context.after(0, _RuntimeNoted())

    def _forward(self) -> None:
        news, self._news = self._news, []
        for event in news:
            entry = self._pods.get(event.of.uid)
            if entry is not None:
                # One at rest needs no message: the runtime's record says what the news says.
                self._tell(event.of.uid, entry, pod_messages.RuntimeTold(event=event))
            elif isinstance(event, ContainerExited):
                self._runtime.remove(event.id)
            elif isinstance(event, ContainerStarted):
                self._runtime.stop(event.id, 0)  # of a pod that is gone

    # -- registration and heartbeat

    def _register(self) -> None:
        if self._is_cut():
            return  # it registers when it is back
        config, name = self._config, self._name
        operations: list[Operation] = []
        if self._parts.store.get("nodes", "", name) is None:
            operations.append(Create("nodes", registration.node_object(config)))
        else:
            operations.append(Modify("nodes", "", name, registration.spec_change(config)))
        now = self.context.clock.now()
        change = registration.status_change_of(config, self._runtime, now)
        operations.append(Modify("nodes", "", name, change, "status"))
        self.context.run(
            self._parts.store.write(operations, by="kubelet"),
            done=lambda results: _Registered(results=tuple(results)),
            failed=lambda error: _Refused(error=error),
        )

    def _check_registered(self, results: tuple[Object | StatusError, ...]) -> None:
        for result in results:
            if isinstance(result, StatusError):
                self.receive(_Refused(error=result))
                return
        if self._config.heartbeat is not None:
            self._renew()
        self._parts.answered(self._name, True)

    def _renew(self) -> None:
        node = self._parts.store.get("nodes", "", self._name)
        if node is None or self._is_cut():
            return
        now = self.context.clock.now()
        operation: Operation
        if self._parts.store.get(_LEASES, LEASE_NAMESPACE, self._name) is None:
            operation = Create(_LEASES, registration.lease_object(node, now))
        else:
            change = registration.lease_renewal(node, now)
            operation = Modify(_LEASES, LEASE_NAMESPACE, self._name, change)
        operations = [operation]
        ready = next(
            (item for item in node["status"].get("conditions") or () if item["type"] == "Ready"),
            None,
        )
        if ready is None or ready.get("status") != "True":
            # Others found the node silent; it speaks again.
            post = registration.status_change_of(self._config, self._runtime, now)
            operations.append(Modify("nodes", "", self._name, post, "status"))
        self.context.run(
            self._parts.store.write(operations, by="kubelet"),
            done=lambda results: _Renewed(results=tuple(results)),
            failed=lambda error: _Renewed(results=(_as_status(error),)),
        )

    def _check_renewed(self, results: tuple[Object | StatusError, ...]) -> None:
        for result in results:
            if isinstance(result, StatusError):
                self.context.log.warning("heartbeat refused", node=self._name, error=result.message)


def _as_status(error: Exception) -> StatusError:
    if isinstance(error, StatusError):
        return error
    return StatusError(500, "InternalError", str(error))
