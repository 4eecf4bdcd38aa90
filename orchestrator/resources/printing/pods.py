"""A pod's row: how far its containers are, in one word.

The order in which reasons win is upstream's (k8s.io/kubernetes/pkg/printers/internalversion).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.resources.conditions import is_condition_true
from orchestrator.resources.objects import Object, is_deleting, name_of, spec_of, status_of
from orchestrator.resources.printing.columns import AGE, NAME, NONE, Column, Printer, age, wide
from orchestrator.resources.printing.durations import since

_COLUMNS = (
    NAME,
    Column("Ready", "The aggregate readiness state of this pod for accepting traffic."),
    Column("Status", "The aggregate status of the containers in this pod."),
    Column(
        "Restarts",
        "The number of times the containers in this pod have been restarted and when the last "
        "container in this pod has restarted.",
    ),
    AGE,
    wide("IP", "core.v1.PodStatus/podIP"),
    wide("Node", "core.v1.PodSpec/nodeName"),
    wide("Nominated Node", "core.v1.PodStatus/nominatedNodeName"),
    wide("Readiness Gates", "core.v1.PodSpec/readinessGates"),
)

_ROW_CONDITIONS = {
    "Succeeded": "The pod has completed successfully.",
    "Failed": "The pod failed.",
}


class _Tally:
    """What the containers add up to."""

    def __init__(self, pod: Object) -> None:
        status = status_of(pod)
        self.reason: str = status.get("reason") or status.get("phase") or ""
        for condition in status.get("conditions") or ():
            gated = condition.get("reason") == "SchedulingGated"
            if condition.get("type") == "PodScheduled" and gated:
                self.reason = "SchedulingGated"
        self.restarts = 0
        self.restarted = ""
        self.ready = 0

    def count_restarts(self, status: Mapping[str, Any]) -> None:
        self.restarts += status.get("restartCount") or 0
        ended = (status.get("lastState") or {}).get("terminated") or {}
        self.restarted = max(self.restarted, ended.get("finishedAt") or "")

    def count_init(self, pod: Object, sidecars: set[str]) -> bool:
        """Go through the init containers; tell whether the pod still is at them."""
        declared = spec_of(pod).get("initContainers") or ()
        for index, status in enumerate(status_of(pod).get("initContainerStatuses") or ()):
            self.count_restarts(status)
            state = status.get("state") or {}
            ended, waiting = state.get("terminated"), state.get("waiting") or {}
            if ended is not None and not ended.get("exitCode"):
                continue
            if status.get("name") in sidecars and status.get("started"):
                self.ready += bool(status.get("ready"))
                continue
            if ended is not None:
                self.reason = f"Init:{_ended_text(ended)}"
            elif waiting.get("reason") and waiting["reason"] != "PodInitializing":
                self.reason = f"Init:{waiting['reason']}"
            else:
                self.reason = f"Init:{index}/{len(declared)}"
            return True
        return False

    def count_main(self, statuses: Iterable[Mapping[str, Any]], pod_ready: bool) -> None:
        """Go through the main containers; of several reasons the first container's wins."""
        running = False
        for status in statuses:
            self.count_restarts(status)
            state = status.get("state") or {}
            ended, waiting = state.get("terminated"), state.get("waiting") or {}
            if waiting.get("reason"):
                self.reason = waiting["reason"]
            elif ended is not None:
                self.reason = _ended_text(ended)
            elif status.get("ready") and state.get("running") is not None:
                running = True
                self.ready += 1
        if self.reason == "Completed" and running:
            self.reason = "Running" if pod_ready else "NotReady"


def _ended_text(ended: Mapping[str, Any]) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode', 0)}"


def _tally(pod: Object) -> tuple[_Tally, int]:
    """Return the tally and the number of containers that count for readiness."""
    spec, status = spec_of(pod), status_of(pod)
    sidecars = {
        container["name"]
        for container in spec.get("initContainers") or ()
        if container.get("restartPolicy") == "Always"
    }
    tally = _Tally(pod)
    initializing = tally.count_init(pod, sidecars)
    if not initializing or is_condition_true(pod, "Initialized"):
        tally.restarts, tally.restarted = 0, ""
        for one in status.get("initContainerStatuses") or ():
            if one.get("name") in sidecars:
                tally.count_restarts(one)
        mains = reversed(status.get("containerStatuses") or ())
        tally.count_main(mains, is_condition_true(pod, "Ready"))
    if is_deleting(pod):
        if status.get("reason") == "NodeLost":
            tally.reason = "Unknown"
        elif status.get("phase") not in {"Succeeded", "Failed"}:
            tally.reason = "Terminating"
    return tally, len(spec.get("containers") or ()) + len(sidecars)


def pod_status(pod: Object) -> str:
    """Return the pod's STATUS as ``kubectl get`` shows it."""
    return _tally(pod)[0].reason


def _cells(pod: Object, now: float) -> list[Any]:
    spec, status = spec_of(pod), status_of(pod)
    tally, total = _tally(pod)
    restarts = str(tally.restarts)
    if tally.restarts and tally.restarted:
        restarts = f"{restarts} ({since(tally.restarted, now)} ago)"
    ips = status.get("podIPs") or ()
    gates = spec.get("readinessGates") or ()
    met = sum(is_condition_true(pod, gate.get("conditionType") or "") for gate in gates)
    return [
        name_of(pod),
        f"{tally.ready}/{total}",
        tally.reason,
        restarts,
        age(pod, now),
        (ips[0].get("ip") if ips else status.get("podIP")) or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        f"{met}/{len(gates)}" if gates else NONE,
    ]


def _conditions(pod: Object) -> list[dict[str, Any]]:
    phase = status_of(pod).get("phase", "")
    message = _ROW_CONDITIONS.get(phase)
    if message is None:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": message}]


PRINTERS = {"pods": Printer(_COLUMNS, _cells, _conditions)}
