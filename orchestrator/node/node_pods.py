"""The pods of one node, as its parent and its actor share them.

What pods need is loaded with the first of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from actors import ActorRef, Clock
from orchestrator.node.admission import Admissions, Offer, PodAmounts, Refusal
from orchestrator.node.registration import node_object
from orchestrator.node.surroundings import PodEntry, Surroundings
from orchestrator.resources.objects import Object
from orchestrator.store import ObjectEvent

if TYPE_CHECKING:
    from orchestrator.node.alike import AlikeStatuses
    from orchestrator.node.resting import Resting


class NodePod(PodEntry):
    """A pod's entry with the part that is the node's alone.

    Attributes:
        ref: Its actor, None while it rests.
        ended: Whether it was ended at rest, and nothing has happened to it since: its containers
            have ended, the store is told so, and all that is left is to clean up.
    """

    __slots__ = ("ended", "ref")

    def __init__(self, latest: Object) -> None:
        super().__init__(latest)
        self.ref: ActorRef[Any] | None = None
        self.ended = False


class SharedByPods:
    """What the pods of all nodes share, made when the first of them needs it.

    Attributes:
        amounts: What pods ask for.
    """

    def __init__(self) -> None:
        self.amounts = PodAmounts()

    @cached_property
    def statuses(self) -> AlikeStatuses:
        """First and last statuses."""
        from orchestrator.node.alike import AlikeStatuses

        return AlikeStatuses()


class NodePods:
    """The pods of one node, shared by the node's actor and its parent.

    The parent routes what happens to pods. What concerns a pod at rest, or one that can rest from
    the start, it settles here in passing; a message to the node for each would cost twice as much
    as all that is done for the pod.

    Attributes:
        admissions: Which of them the node has taken, and which it has refused.
        cut: Whether nothing passes between the node and the API; its parent writes it.
        entries: By uid.
    """

    __slots__ = (
        "_around",
        "_clock",
        "_node",
        "_offer",
        "_own",
        "_resting",
        "_shared",
        "admissions",
        "cut",
        "entries",
    )

    def __init__(self, shared: SharedByPods, clock: Clock) -> None:
        """Prepare; nothing is settled before `open`."""
        self.entries: dict[str, NodePod] = {}
        self.cut = False
        self._shared = shared
        self._clock = clock
        self._around: Surroundings | None = None
        self._resting: Resting | None = None
        self._node: Object | None = None
        self._offer = self._own = Offer({})
        self.admissions = Admissions(shared.amounts, self._is_known)

    @property
    def expect_configuration(self) -> bool:
        """Whether any of them has to be told of changes of ConfigMaps and the like."""
        around = self._around
        return around is not None and bool(around.unconfigured or around.followers)

    def open(self, around: Surroundings) -> None:
        """Begin anew for a node that starts."""
        self.entries = {}
        self._around = around
        self._resting = None
        status = {"allocatable": around.allocatable}
        self._own = Offer({**node_object(around.config), "status": status})
        self._node, self._offer = None, self._own

    def close(self) -> None:
        """Leave everything to the node's actor, which has ended or is about to."""
        self._around = None

    def _is_known(self, uid: str) -> bool:
        """Whether the runtime knows containers of a pod."""
        return self._around is not None and bool(self._around.runtime.known(uid))

    def settle(self, event: ObjectEvent) -> bool:
        """Take in a change of a pod that is on the node; False: it is for the node's actor."""
        if self._around is None:
            return False
        pod = event.object
        metadata, spec = pod["metadata"], pod["spec"]
        entry = self.entries.get(metadata["uid"])
        if event.type == "DELETED":
            self.admissions.forget(metadata["uid"])
            return entry is not None and entry.ended and self._at_rest(self._around).forget(entry)
        before = event.previous
        if before is None or not before["spec"].get("nodeName"):
            refused = self.admissions.judge(pod, self._offered()) is not None
            if entry is None:
                return not refused and self._at_rest(self._around).begin(pod)
        else:
            self.admissions.note(pod, before)
        if entry is None:
            # Nothing but its binding: any later change may be behind others in a mailbox.
            return False
        if (
            entry.ref is None
            and pod.get("status") is entry.proposed
            and spec is entry.latest["spec"]
            and labelled_alike(pod, entry.latest)
            and (
                "deletionTimestamp" not in metadata
                or entry.ended
                or self._at_rest(self._around).end(pod, entry)
            )
        ):
            entry.latest = pod  # its own words, come back, or its end
            return True
        # What follows must not overtake this in the mailbox of the node's actor.
        entry.ended = False
        return False

    def _offered(self) -> Offer:
        """Return what the stored Node offers, or will when it is registered."""
        around = self._around
        if around is None:
            return self._offer
        node = around.reader.get("nodes", "", around.config.name)
        if node is not self._node:
            registered = node is not None and (node.get("status") or {}).get("allocatable")
            self._node = node
            self._offer = Offer(node) if node is not None and registered else self._own
        return self._offer

    def refusal_of(self, pod: Object) -> Refusal | None:
        """Return why the node does not take a pod; None: it does, or did before."""
        return self.admissions.judge(pod, self._offered())

    def recount(self, pods: Iterable[Object]) -> None:
        """Take over all pods that are bound to the node: changes may have been missed."""
        self.admissions.recount(pods, self._offered())

    def begin(self, pod: Object) -> bool:
        """Start a pod that can rest from the start; False: it needs an actor, nothing was done."""
        around = self._around
        if around is None or self.refusal_of(pod) is not None:
            return False
        return self._at_rest(around).begin(pod)

    def resume(self, pod: Object) -> bool:
        """Let a pod rest that ran before its node was started anew; False: it needs an actor."""
        return self._around is not None and self._at_rest(self._around).resume(pod)

    def _at_rest(self, around: Surroundings) -> Resting:
        if self._resting is None:
            # Loaded with the first pod, as all that pods need.
            from orchestrator.node.resting import Resting

            self._resting = Resting(around, self._shared.statuses, self._clock, self.entries)
        return self._resting


def labelled_alike(pod: Object, other: Object) -> bool:
    """Whether two revisions of a pod have the same annotations and labels."""
    one, two = pod["metadata"], other["metadata"]
    for field in ("annotations", "labels"):
        mine, its = one.get(field), two.get(field)
        if mine is not its and mine != its:
            return False
    return True
