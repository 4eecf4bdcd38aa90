"""What the controller remembers of one DaemonSet: its pods by node, verdicts, what has changed.

Pods are remembered by name only: what they are is looked up in the store when their node is
judged, so that a decision never counts on an event that has not come yet. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from orchestrator.controllers._owners import controller_uid
from orchestrator.controllers.daemonset.fleet import Fleet
from orchestrator.controllers.daemonset.placement import Rules, Verdict
from orchestrator.controllers.daemonset.standing import Rollout, stand, view
from orchestrator.resources.objects import Key, Object, is_deleting, name_of
from orchestrator.resources.selectors import LabelSelector, label_selector

_NOBODY: Final[dict[str, None]] = {}


class Roster:
    """The pods and nodes of one DaemonSet.

    Attributes:
        key: The DaemonSet's.
        selector: Its ``spec.selector``, which cannot change.
        fleet: How it stands on each node, as of the last `judge`.
        strays: Pods that it controls and whose labels do not match.
        orphans: Pods that match and that nobody controls.
        revisions: Its ControllerRevisions.
    """

    def __init__(self, key: Key, daemon_set: Object) -> None:
        self.key = key
        self.selector: LabelSelector = label_selector(daemon_set["spec"].get("selector"))
        self.fleet = Fleet()
        self.strays: dict[str, None] = {}
        self.orphans: dict[str, None] = {}
        self.revisions: dict[str, None] = {}
        self._spec: Object | None = None
        self._rules = Rules.of(daemon_set)
        self._verdicts: dict[str, Verdict] = {}
        self._on: dict[str, dict[str, None]] = {}
        self._where: dict[str, str] = {}
        self._rollout: Rollout | None = None
        self._dirty: dict[str, None] = {}

    # -- what happens ----------------------------------------------------------------------

    def adjust(self, daemon_set: Object, nodes: Iterable[Object]) -> None:
        """Judge every node anew if the DaemonSet's spec is another than before."""
        if daemon_set["spec"] is self._spec:
            return
        self._spec = daemon_set["spec"]
        self._rules = Rules.of(daemon_set)
        for node in nodes:
            self.see(node)

    def see(self, node: Object) -> bool:
        """Judge a node; tell whether something else is to be there now."""
        name = name_of(node)
        verdict = self._rules.judge(node)
        if self._verdicts.get(name) is verdict:
            return False
        self._verdicts[name] = verdict
        self._dirty[name] = None
        return True

    def lose(self, node: str) -> bool:
        """Take note that a node is gone; tell whether that concerns the DaemonSet."""
        if self._verdicts.pop(node, None) is None:
            return False
        self._dirty[node] = None
        self.fleet.forget(node)
        return True

    def place(self, name: str, node: str) -> None:
        """Take note of a pod that is, or is to be, on a node."""
        before = self._where.get(name)
        if before is not None and before != node:
            self.displace(name)
        self._where[name] = node
        self._on.setdefault(node, {})[name] = None
        self._dirty[node] = None

    def displace(self, name: str) -> None:
        """Take note that a pod is gone, or no longer the DaemonSet's."""
        node = self._where.pop(name, None)
        if node is None:
            return
        names = self._on[node]
        del names[name]
        if not names:
            del self._on[node]
        self._dirty[node] = None

    def look_again(self, node: str) -> None:
        """Judge a node again at the next decision: something was written about it."""
        self._dirty[node] = None

    def node_of(self, name: str) -> str | None:
        """Return where a pod is, None for a pod that is not the DaemonSet's."""
        return self._where.get(name)

    # -- what it comes to ------------------------------------------------------------------

    def judge(self, rollout: Rollout, find: Callable[[str], Object | None], now: float) -> None:
        """Bring the fleet up to date: nodes that changed, and pods whose time has come.

        Args:
            rollout: What is asked of every node.
            find: Returns a pod of the namespace, None when there is none.
            now: Wall seconds.
        """
        if rollout != self._rollout:
            self._rollout = rollout
            self._dirty = dict.fromkeys([*self._verdicts, *self._on, *self._dirty])
        for node, moment in self.fleet.ripening.items():
            if moment <= now:
                self._dirty[node] = None
        dirty, self._dirty = self._dirty, {}
        dirty.pop("", None)  # of a pod that belongs nowhere nothing can be said
        for node in dirty:
            pods: list[Object] = []
            for name in list(self._on.get(node, _NOBODY)):
                pod = find(name)
                if pod is None:
                    self.displace(name)
                else:
                    pods.append(pod)
            verdict = self._verdicts.get(node, Verdict.GONE)
            self.fleet.put(node, stand(verdict, view(pods, rollout), rollout, now))

    def strangers(self, find: Callable[[str], Object | None]) -> list[Object]:
        """Return the pods that may have to be released or adopted."""
        found = {name: find(name) for name in (*self.strays, *self.orphans)}
        for name in list(self.orphans):
            pod = found[name]
            if pod is None or controller_uid(pod) is not None or is_deleting(pod):
                del self.orphans[name]
        return [pod for pod in found.values() if pod is not None]

    def names(self) -> list[str]:
        """Return the names of all its pods."""
        return list(self._where)
