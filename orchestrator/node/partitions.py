"""Nodes that are cut off: their containers go on, and nothing passes between them and the API.

What such a node would have written waits here, the newest word of each pod, as a kubelet keeps it
in memory; what it would have heard of it does not hear, and lists anew once it is back. Its
heartbeats end at the moment of the cut, written ones and computed ones alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from orchestrator.node.outbox import Proposal
from orchestrator.node.surroundings import Recorder
from orchestrator.resources.objects import Object


class Partitions:
    """Which nodes are cut off, since when, and what their pods have to say.

    Shared by the nodes' parent, which is its only writer, and the manager.
    """

    def __init__(self, told: Callable[[str], None] | None = None) -> None:
        """Begin with none; ``told`` is called with each node that is cut off."""
        self._told = told
        self._since: dict[str, float] = {}
        self._kept: dict[str, dict[str, Proposal]] = {}

    def __bool__(self) -> bool:
        return bool(self._since)

    def __contains__(self, node: str) -> bool:
        return node in self._since

    def since(self, node: str) -> float | None:
        """Return when a node was cut off, seconds since the epoch; None: it is not."""
        return self._since.get(node)

    def cut(self, node: str, now: float) -> None:
        """Cut a node off; one that is already stays as it is."""
        if node in self._since:
            return
        self._since[node] = now
        if self._told is not None:
            self._told(node)

    def mend(self, node: str) -> list[Proposal]:
        """Let a node through again; returns what its pods said meanwhile."""
        self._since.pop(node, None)
        return list(self._kept.pop(node, {}).values())

    def keep(
        self, proposals: Iterable[Proposal], has: Callable[[str, str], bool]
    ) -> list[Proposal]:
        """Keep back what pods of nodes say that are cut off; returns the rest.

        Args:
            proposals: What pods say.
            has: Tells of a node and a uid whether the pod is the node's.
        """
        through = []
        for proposal in proposals:
            node = next((name for name in self._since if has(name, proposal.uid)), None)
            if node is None:
                through.append(proposal)
            else:
                self._kept.setdefault(node, {})[proposal.uid] = proposal
        return through


class CutRecorder:
    """A node's recorder of Events, none of which arrive as long as the node is cut off."""

    __slots__ = ("_is_cut", "_recorder")

    def __init__(self, recorder: Recorder, is_cut: Callable[[], bool]) -> None:
        """Pass on to ``recorder`` as long as ``is_cut`` says no."""
        self._recorder = recorder
        self._is_cut = is_cut

    def event(
        self,
        involved: Object,
        type: Literal["Normal", "Warning"],  # noqa: A002 - the API's word
        reason: str,
        message: str,
        *,
        field_path: str = "",
        instance: str | None = None,
    ) -> None:
        """Record an Event, or lose it."""
        if not self._is_cut():
            self._recorder.event(
                involved, type, reason, message, field_path=field_path, instance=instance
            )
