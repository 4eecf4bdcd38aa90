"""Coscheduling: pods of a group are placed all together or not at all.

The group is named by the label ``scheduling.x-k8s.io/pod-group``, as for the plugin of that name
in kubernetes-sigs/scheduler-plugins. How many belong together says a PodGroup object of
``scheduling.x-k8s.io`` (``spec.minMember``, ``spec.scheduleTimeoutSeconds``) where the cluster has
that kind, else the pods' annotation ``scheduling.x-k8s.io/min-member``.

A pod of a group takes its place and waits for a permit; the one that completes the group lets all
of them go. Two groups cannot block each other: groups take their places one after another, the
first pod of one calls the others at once, and as soon as one of them fits nowhere, all that the
group holds is given back and the next group has its turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias

from orchestrator.resources.objects import Object
from orchestrator.scheduler.extending.plugins import (
    MAX_WAIT,
    Handle,
    Plugin,
    Reject,
    Verdict,
    Wait,
)
from orchestrator.scheduler.extending.views import NodeView, PodView

GROUP_LABEL: Final = "scheduling.x-k8s.io/pod-group"
MIN_MEMBER: Final = "scheduling.x-k8s.io/min-member"
POD_GROUPS: Final = "podgroups.scheduling.x-k8s.io"

_PERMIT_SECONDS: Final = 60
_GROUPS_KEPT: Final = 4096
_LONGEST_REST: Final = 10.0
_DOUBLINGS: Final = 10  # more make no difference
_FINISHED: Final = frozenset({"Succeeded", "Failed"})


_GroupKey: TypeAlias = tuple[str, str]


class Group(NamedTuple):
    """What a group asks for.

    Attributes:
        namespace: Of the group and its pods.
        name: Of the group.
        min_member: Pods that make it worth running; 0 where nobody says so.
        seconds: How long its pods wait for one another.
    """

    namespace: str
    name: str
    min_member: int
    seconds: float

    @property
    def key(self) -> _GroupKey:
        """What tells it from other groups."""
        return self.namespace, self.name

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class _Turn(NamedTuple):
    """A group whose pods are taking their places; others have to wait.

    Attributes:
        group: Which.
        priority: Of its first pod.
    """

    group: Group
    priority: int


class _Members(NamedTuple):
    """The pods of a group.

    Attributes:
        revision: When they were listed.
        uids: Of those that run or could be placed, in order.
        bound: How many of them have a node, without those that the plugin itself counts.
    """

    revision: int
    uids: dict[str, None]
    bound: int


class _Rest:
    """A pause of a group that was given up.

    Attributes:
        until: When it ends.
        times: How many others came before it.
        called: Whether the group's pods will be called then.
    """

    __slots__ = ("called", "times", "until")

    def __init__(self, until: float, times: int) -> None:
        self.until = until
        self.times = times
        self.called = False


class Coscheduling(Plugin):
    """All or nothing for a group of pods.

    Arguments: ``permitWaitingTimeSeconds`` (60): how long a group's pods wait for one another;
    ``podGroupBackoffSeconds``: how long a group rests that was given up. Without it 1 s, twice as
    long each further time, 10 s at most, as single pods back off.
    """

    name: ClassVar[str] = "Coscheduling"

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        """Read the arguments."""
        super().__init__(args, handle)
        self._seconds = _number(args, "permitWaitingTimeSeconds", _PERMIT_SECONDS, least=1)
        self._backoff = _number(args, "podGroupBackoffSeconds", 0, least=0)
        known = {"permitWaitingTimeSeconds", "podGroupBackoffSeconds", "apiVersion", "kind"}
        if unknown := sorted(args.keys() - known):
            raise ValueError(f'strict decoding error: unknown field "{unknown[0]}"')
        self._rests: dict[_GroupKey, _Rest] = {}
        self._turn: _Turn | None = None
        self._held: dict[_GroupKey, dict[str, None]] = {}  # uids of pods with a place, not bound
        self._turned_away: dict[str, None] = {}  # uids of pods of other groups, in order
        self._known: dict[_GroupKey, _Members] = {}

    def pre_filter(self, pod: PodView) -> Verdict:
        """Refuse a pod whose group rests, or lacks pods."""
        group = self._group_of(pod)
        if group is None or not group.min_member:
            return None
        members = self._enough(group, pod.uid)
        rest = self._rests.get(group.key)
        left = 0.0 if rest is None else rest.until - self.handle.monotonic()
        if rest is not None and left > 0:
            if not rest.called:
                rest.called = True
                self.handle.activate(list(members.uids), after=left)
            return Reject(f"podGroup {group} failed recently", resolvable=False)
        count = len(members.uids)
        if count < group.min_member:
            return Reject(
                f"pre-filter pod {pod.name} cannot find enough sibling pods, current pods number: "
                f"{count}, minMember of group: {group.min_member}",
                resolvable=False,
            )
        turn = self._turn
        if turn is None or turn.group.key == group.key:
            return None
        if members.bound + len(self._held.get(group.key, ())) >= group.min_member:
            return None
        if self._held.get(turn.group.key) and turn.priority >= pod.priority:
            self._turned_away[pod.uid] = None
            return Reject(
                f"podGroup {group} waits for podGroup {turn.group} to be placed", resolvable=False
            )
        self._give_up(turn.group, f"podGroup {group} of a higher priority goes first")
        return None

    def permit(self, pod: PodView, node: NodeView) -> Verdict | Wait:
        """Let a pod wait until its group is complete; then let all go."""
        del node
        group = self._group_of(pod)
        if group is None:
            return None
        if not group.min_member:
            return Reject("PodGroup not found", resolvable=False)
        members = self._members(group)
        held = self._held.setdefault(group.key, {})
        held[pod.uid] = None
        if members.bound + len(held) >= group.min_member:
            for uid in held:
                self.handle.allow(uid, self.name)
            self._rests.pop(group.key, None)
            self._end_turn(group)
            return None
        if len(held) == 1:
            self._turn = _Turn(group, pod.priority)
            self.handle.activate([uid for uid in members.uids if uid != pod.uid])
        return Wait(group.seconds)

    def unreserve(self, pod: PodView, node: NodeView | None) -> None:
        """Give up the group when one of its pods loses its place."""
        del node
        group = self._group_of(pod)
        if group is not None:
            self._release(group, pod.uid)
            self._give_up(group, f"pod {pod.name} of its group lost its place")

    def post_filter(self, pod: PodView, message: str) -> None:
        """Give up the group when one of its pods fits nowhere."""
        del message
        group = self._group_of(pod)
        if group is None or not self._held.get(group.key):
            return
        if self._members(group).bound < group.min_member:
            why = f"PodGroup {group} gets rejected due to Pod {pod.name} is unschedulable"
            self._give_up(group, why)

    def post_bind(self, pod: PodView, node: NodeView) -> None:
        """Count a pod among those that are bound from now on."""
        del node
        group = self._group_of(pod)
        if group is not None:
            self._release(group, pod.uid)

    def _release(self, group: Group, uid: str) -> None:
        held = self._held.get(group.key)
        if held is not None:
            held.pop(uid, None)
            if not held:
                del self._held[group.key]

    def _give_up(self, group: Group, why: str) -> None:
        """Give back the places of those of a group's pods that wait for a permit."""
        waiting = {one.pod.uid for one in self.handle.waiting()}
        lost = [uid for uid in self._held.get(group.key, ()) if uid in waiting]
        if lost:
            self._begin_rest(group)
        for uid in lost:
            self.handle.reject(uid, self.name, why)
        self._end_turn(group)

    def _begin_rest(self, group: Group) -> None:
        """Let no pod of the group come up for a while, or it would go on failing without pause."""
        now = self.handle.monotonic()
        last = self._rests.get(group.key)
        times = 0 if last is None else last.times + 1
        if len(self._rests) >= _GROUPS_KEPT:
            self._rests = {key: rest for key, rest in self._rests.items() if rest.until > now}
        seconds = self._backoff or min(_LONGEST_REST, 2.0**times)
        self._rests[group.key] = _Rest(now + seconds, min(times, _DOUBLINGS))

    def _end_turn(self, group: Group) -> None:
        """Let the other groups go on."""
        if self._turn is not None and self._turn.group.key == group.key:
            self._turn = None
            turned_away, self._turned_away = self._turned_away, {}
            self.handle.activate(list(turned_away))

    def _group_of(self, pod: PodView) -> Group | None:
        name = pod.labels.get(GROUP_LABEL)
        if not name:
            return None
        found = self.handle.get(POD_GROUPS, pod.namespace, name)
        spec = {} if found is None else found.get("spec") or {}
        least = spec.get("minMember")
        if found is None:
            least = pod.annotations.get(MIN_MEMBER)
        seconds = spec.get("scheduleTimeoutSeconds") or self._seconds
        return Group(pod.namespace, name, _count(least), min(float(seconds), MAX_WAIT))

    def _enough(self, group: Group, uid: str) -> _Members:
        """Return a group's pods; only as many as were seen, while those are too few.

        Listing them all for each pod of a group that comes up would take a minute for thousands.
        The last one that is tried has seen the others.
        """
        known = self._known.get(group.key)
        if known is not None and len(known.uids) + 1 < group.min_member:
            known.uids[uid] = None
            return known
        return self._members(group)

    def _members(self, group: Group) -> _Members:
        """Return the pods of a group that run or could be placed."""
        revision = self.handle.revision
        known = self._known.get(group.key)
        if known is None or known.revision != revision:
            if len(self._known) >= _GROUPS_KEPT:
                self._known.clear()
            found = self.handle.list("pods", group.namespace, {GROUP_LABEL: group.name})
            pods = [pod for pod in found if _counts(pod)]
            held = self._held.get(group.key, {})
            uids = dict.fromkeys(_uid(pod) for pod in pods)
            bound = sum(
                bool(pod["spec"].get("nodeName")) and uid not in held
                for pod, uid in zip(pods, uids, strict=True)
            )
            known = self._known[group.key] = _Members(revision, uids, bound)
        return known


def _counts(pod: Object) -> bool:
    return (
        "deletionTimestamp" not in pod["metadata"]
        and (pod.get("status") or {}).get("phase") not in _FINISHED
        and not pod["spec"].get("schedulingGates")
    )


def _uid(pod: Object) -> str:
    uid: str = pod["metadata"]["uid"]
    return uid


def _count(text: Any) -> int:
    """Read a number of pods; what is none counts as nothing said."""
    try:
        return max(int(text), 0)
    except (TypeError, ValueError):
        return 0


def _number(args: Mapping[str, Any], field: str, default: int, *, least: int) -> float:
    value = args.get(field, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < least:
        raise ValueError(f"{field}: Invalid value: {value}: must be a number of at least {least}")
    return float(value)
