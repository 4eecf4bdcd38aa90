"""Who uses which claims and volumes, and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from orchestrator.scheduler.core.volumes.attachments import NodeVolumes
from orchestrator.scheduler.core.volumes.disks import Disk
from orchestrator.scheduler.core.volumes.migration import Attachment
from orchestrator.scheduler.core.volumes.persistent import ClaimKey


class ClaimUse(NamedTuple):
    """How a pod uses a claim.

    Attributes:
        key: Which claim.
        ephemeral: It is made for the pod (a generic ephemeral volume), not named by it.
    """

    key: ClaimKey
    ephemeral: bool


class PodVolumes:
    """The volumes of one pod.

    Attributes:
        uid: Of the pod.
        name: ``namespace/name`` of the pod.
        claims: Its claims, in their order.
        disks: Disks it names itself that pods may not share.
        attachments: In-tree volumes it names itself.
        node: Where it counts; empty while it counts nowhere.
        held: What it has attached there.
    """

    __slots__ = ("attachments", "claims", "disks", "held", "name", "node", "uid")

    def __init__(
        self,
        uid: str,
        name: str,
        claims: tuple[ClaimUse, ...],
        disks: tuple[Disk, ...] = (),
        attachments: tuple[Attachment, ...] = (),
    ) -> None:
        self.uid = uid
        self.name = name
        self.claims = claims
        self.disks = disks
        self.attachments = attachments
        self.node = ""
        self.held: tuple[Attachment, ...] = ()


class Usage:
    """Pods by uid, the claims they name, and the volumes on each node.

    Attributes:
        pods: Pods whose volumes matter.
        nodes: What is attached to each node, and its limits; only nodes with any.
    """

    def __init__(self) -> None:
        self.pods: dict[str, PodVolumes] = {}
        self.nodes: dict[str, NodeVolumes] = {}
        # A claim has one user as a rule, and then no dictionary of its own. Sets would not do:
        # the order of users shows in the order in which they are tried again.
        self._users: dict[ClaimKey, str | dict[str, None]] = {}
        self._placed: dict[ClaimKey, int] = {}
        self._revisions: dict[ClaimKey, int] = {}
        self._count = 0

    def node(self, name: str) -> NodeVolumes:
        """Return what is attached to a node, to change it."""
        found = self.nodes.get(name)
        if found is None:
            found = self.nodes[name] = NodeVolumes()
        return found

    def tidy(self, name: str) -> None:
        """Forget a node that nothing is known of."""
        found = self.nodes.get(name)
        if found is not None and found.empty:
            del self.nodes[name]

    def add(self, pod: PodVolumes) -> Iterator[str]:
        """Note a pod; yield the uids of pods that were alone with a claim and no longer are."""
        self.pods[pod.uid] = pod
        for key, _ in pod.claims:
            users = self._users.get(key)
            if users is None:
                self._users[key] = pod.uid
            elif isinstance(users, dict):
                users[pod.uid] = None
            elif users != pod.uid:
                self._users[key] = {users: None, pod.uid: None}
                # From now on there may be kept answers for pods that share it, also for those that
                # come when it is no longer shared.
                self._touch(key)
                yield users

    def remove(self, uid: str) -> None:
        """Forget a pod that counts nowhere."""
        pod = self.pods.pop(uid, None)
        for key, _ in () if pod is None else pod.claims:
            users = self._users.get(key)
            if isinstance(users, dict):
                users.pop(uid, None)
                if len(users) == 1:
                    self._users[key] = next(iter(users))
            elif users == uid:
                del self._users[key]

    def users(self, key: ClaimKey) -> Iterable[str]:
        """Return the uids of the pods that name a claim."""
        users = self._users.get(key, ())
        return (users,) if isinstance(users, str) else users

    def is_shared(self, key: ClaimKey) -> bool:
        """Tell whether more than one pod names a claim."""
        return isinstance(self._users.get(key), dict)

    def is_placed(self, key: ClaimKey) -> bool:
        """Tell whether a pod on a node names a claim."""
        return key in self._placed

    def revision(self, key: ClaimKey) -> int:
        """Return a number that grows when pods that name the claim come to nodes or leave them."""
        return self._revisions.get(key, 0)

    def lose(self, key: ClaimKey) -> None:
        """Take note that a claim is gone."""
        self._revisions.pop(key, None)

    def attach(self, pod: PodVolumes, node: str, held: Iterable[Attachment]) -> None:
        """Count a pod on a node."""
        pod.node = node
        pod.held = tuple(held)
        there = self.node(node)
        for attachment in pod.held:
            there.attach(attachment)
        for disk in pod.disks:
            there.count_disk(disk, 1)
        for key, ephemeral in pod.claims:
            if not ephemeral:
                self._placed[key] = self._placed.get(key, 0) + 1
                if key in self._revisions:
                    self._touch(key)

    def detach(self, pod: PodVolumes) -> None:
        """Uncount a pod."""
        # Claims need not be attached to anything, so the node may have been tidied meanwhile.
        there = self.node(pod.node)
        for attachment in pod.held:
            there.detach(attachment)
        for disk in pod.disks:
            there.count_disk(disk, -1)
        for key, ephemeral in pod.claims:
            if not ephemeral:
                self._placed[key] -= 1
                if not self._placed[key]:
                    del self._placed[key]
                if key in self._revisions:
                    self._touch(key)
        self.tidy(pod.node)
        pod.node = ""
        pod.held = ()

    def hold(self, pod: PodVolumes, held: Iterable[Attachment]) -> None:
        """Count other volumes for a pod that is on a node: its claims have been bound."""
        now = tuple(held)
        if now == pod.held:
            return
        there = self.node(pod.node)
        for attachment in now:
            there.attach(attachment)
        for attachment in pod.held:
            there.detach(attachment)
        pod.held = now

    def _touch(self, key: ClaimKey) -> None:
        self._count += 1
        self._revisions[key] = self._count
