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
    WaitingPod,
)
from orchestrator.scheduler.extending.views import NodeView, PodView

GROUP_LABEL: Final = "scheduling.x-k8s.io/pod-group"
MIN_MEMBER: Final = "scheduling.x-k8s.io/min-member"
POD_GROUPS: Final = "podgroups.scheduling.x-k8s.io"

_PERMIT_SECONDS: Final = 60
_GROUPS_KEPT: Final = 256
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

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


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
        self._current: Group | None = None  # whose pods are taking their places
        self._turned_away: dict[str, None] = {}  # uids of pods of other groups, in order
        self._known: dict[_GroupKey, tuple[int, list[Object]]] = {}

    def pre_filter(self, pod: PodView) -> Verdict:
        """Refuse a pod whose group rests, or lacks pods."""
        group = self._group_of(pod)
        if group is None or not group.min_member:
            return None
        members = self._members(group)
        rest = self._rests.get(group[:2])
        left = 0.0 if rest is None else rest.until - self.handle.monotonic()
        if rest is not None and left > 0:
            if not rest.called:
                rest.called = True
                self.handle.activate([_uid(one) for one in members], after=left)
            return Reject(f"podGroup {group} failed recently", resolvable=False)
        count = len(members)
        if count < group.min_member:
            return Reject(
                f"pre-filter pod {pod.name} cannot find enough sibling pods, current pods number: "
                f"{count}, minMember of group: {group.min_member}",
                resolvable=False,
            )
        current = self._current
        if current is None or current[:2] == group[:2]:
            return None
        if sum(map(self._is_placed, members)) >= group.min_member:
            return None
        waiting = self._waiting(current)
        if waiting and max(one.pod.priority for one in waiting) >= pod.priority:
            self._turned_away[pod.uid] = None
            return Reject(
                f"podGroup {group} waits for podGroup {current} to be placed", resolvable=False
            )
        self._give_up(current, f"podGroup {group} of a higher priority goes first")
        return None

    def permit(self, pod: PodView, node: NodeView) -> Verdict | Wait:
        """Let a pod wait until its group is complete; then let all go."""
        del node
        group = self._group_of(pod)
        if group is None:
            return None
        if not group.min_member:
            return Reject("PodGroup not found", resolvable=False)
        siblings = [one for one in self._members(group) if _uid(one) != pod.uid]
        placed = sum(map(self._is_placed, siblings))
        if placed + 1 >= group.min_member:
            for waiting in self._waiting(group):
                self.handle.allow(waiting.pod.uid, self.name)
            self._rests.pop(group[:2], None)
            self._end_turn(group)
            return None
        if not placed:
            self._current = group
            self.handle.activate([_uid(one) for one in siblings])
        return Wait(group.seconds)

    def unreserve(self, pod: PodView, node: NodeView | None) -> None:
        """Give up the group when one of its pods loses its place."""
        del node
        group = self._group_of(pod)
        if group is not None:
            self._give_up(group, f"pod {pod.name} of its group lost its place")

    def post_filter(self, pod: PodView, message: str) -> None:
        """Give up the group when one of its pods fits nowhere."""
        del message
        group = self._group_of(pod)
        if group is None:
            return
        waiting = {one.pod.uid for one in self._waiting(group)}
        members = [one for one in self._members(group) if _uid(one) not in waiting]
        if sum(map(self._is_placed, members)) < group.min_member:
            why = f"PodGroup {group} gets rejected due to Pod {pod.name} is unschedulable"
            self._give_up(group, why)

    def _give_up(self, group: Group, why: str) -> None:
        waiting = self._waiting(group)
        if waiting:
            self._begin_rest(group)
        for one in waiting:
            self.handle.reject(one.pod.uid, self.name, why)
        self._end_turn(group)

    def _begin_rest(self, group: Group) -> None:
        """Let no pod of the group come up for a while, or it would go on failing without pause."""
        now = self.handle.monotonic()
        last = self._rests.get(group[:2])
        times = 0 if last is None else last.times + 1
        if len(self._rests) >= _GROUPS_KEPT:
            self._rests = {key: rest for key, rest in self._rests.items() if rest.until > now}
        seconds = self._backoff or min(_LONGEST_REST, 2.0**times)
        self._rests[group[:2]] = _Rest(now + seconds, min(times, _DOUBLINGS))

    def _end_turn(self, group: Group) -> None:
        """Let the other groups go on."""
        if self._current is not None and self._current[:2] == group[:2]:
            self._current = None
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

    def _members(self, group: Group) -> list[Object]:
        """Return the pods of a group that run or could be placed."""
        revision = self.handle.revision
        known = self._known.get(group[:2])
        if known is None or known[0] != revision:
            if len(self._known) >= _GROUPS_KEPT:
                self._known.clear()
            pods = self.handle.list("pods", group.namespace, {GROUP_LABEL: group.name})
            known = self._known[group[:2]] = revision, [pod for pod in pods if _counts(pod)]
        return known[1]

    def _is_placed(self, pod: Object) -> bool:
        return bool(self.handle.place_of(_uid(pod)))

    def _waiting(self, group: Group) -> list[WaitingPod]:
        return [
            one
            for one in self.handle.waiting()
            if one.pod.namespace == group.namespace
            and one.pod.labels.get(GROUP_LABEL) == group.name
        ]


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
