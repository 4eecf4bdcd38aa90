"""What a decision asks of a StatefulSet's pods, found out once for each state of a pod. Pure."""

from __future__ import annotations

from typing import NamedTuple

from orchestrator.controllers._pods import ready_since
from orchestrator.controllers._revisions import POD_LABEL
from orchestrator.controllers.statefulset.identity import NAME_LABEL, parse_pod_name
from orchestrator.resources.objects import Object, labels_of, name_of
from orchestrator.resources.selectors import LabelSelector


class Member(NamedTuple):
    """One pod of a StatefulSet.

    Attributes:
        pod: As committed.
        ordinal: Its place in the row.
        matches: Whether it is the set's by labels and by name.
        phase: Its phase; empty before it was really made.
        ended: Whether it succeeded or failed.
        terminating: Whether it is being deleted.
        since: From when (wall seconds) it is ready while it runs; None when it is not.
        revision: The name of its ControllerRevision.
        named: Whether it carries its name as a label.
    """

    pod: Object
    ordinal: int
    matches: bool
    phase: str
    ended: bool
    terminating: bool
    since: float | None
    revision: str
    named: bool

    @property
    def ready(self) -> bool:
        """Whether it runs and is ready."""
        return self.since is not None

    def is_available(self, seconds: int, now: float) -> bool:
        """Tell whether it has been ready for so many seconds."""
        since = self.since
        return since is not None and (not seconds or since + seconds <= now)


def judge(pod: Object, name: str, selector: LabelSelector) -> Member:
    """Return what a decision has to know of a pod.

    Args:
        pod: As committed.
        name: The StatefulSet's.
        selector: Its parsed ``spec.selector``.
    """
    labels = labels_of(pod)
    parsed = parse_pod_name(name_of(pod))
    phase = (pod.get("status") or {}).get("phase") or ""
    return Member(
        pod=pod,
        ordinal=parsed[1] if parsed else -1,
        matches=parsed is not None and parsed[0] == name and selector.matches(labels),
        phase=phase,
        ended=phase in {"Succeeded", "Failed"},
        terminating="deletionTimestamp" in pod["metadata"],
        since=ready_since(pod) if phase == "Running" else None,
        revision=labels.get(POD_LABEL, ""),
        named=labels.get(NAME_LABEL) == name_of(pod),
    )


class Counts(NamedTuple):
    """The pods of a StatefulSet in numbers; the status has them under the same names."""

    replicas: int = 0
    ready: int = 0
    available: int = 0
    current: int = 0
    updated: int = 0
