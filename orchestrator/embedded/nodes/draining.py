"""Draining a node: which of its pods may go, and their evictions, as ``kubectl drain`` has them.

Source of the rules and words: k8s.io/kubectl/pkg/drain (filters.go, drain.go).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.embedded.errors import DrainError, WaitTimeoutError
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object, name_of, namespace_of, spec_of, status_of

if TYPE_CHECKING:
    from orchestrator.embedded.client.client import Client
    from orchestrator.embedded.clock.clocks import ClusterClock

DRAIN_SECONDS: Final = 600.0
"""Seconds of the cluster's time that a drain has by default; kubectl waits for ever."""

AGAIN_SECONDS: Final = 5.0
"""Seconds until an eviction is asked for again that a budget refused."""

_MIRROR: Final = "kubernetes.io/config.mirror"
_DAEMON_SETS: Final = "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)"
_LOCAL: Final = "cannot delete Pods with local storage (use --delete-emptydir-data to override)"
_ALONE: Final = "cannot delete Pods that declare no controller (use --force to override)"

Get = Callable[[str, str, str], Object | None]
"""Finds an object by resource, namespace and name."""


class Selection(NamedTuple):
    """What a drain does with the pods of a node.

    Attributes:
        evicted: Those that have to go.
        errors: Why it must not begin, in kubectl's words; empty when it may.
    """

    evicted: list[Object]
    errors: list[str]


def select_pods(
    pods: Sequence[Object],
    get: Get,
    *,
    delete_emptydir_data: bool = False,
    ignore_daemonsets: bool = False,
    force: bool = False,
) -> Selection:
    """Sort a node's pods out.

    Args:
        pods: All that are bound to it.
        get: Finds the DaemonSets that pods say they belong to.
        delete_emptydir_data: Let pods go whose data is lost with them.
        ignore_daemonsets: Leave pods of DaemonSets.
        force: Let pods go that nobody makes anew.
    """
    evicted = []
    refused: dict[str, list[str]] = {}
    for pod in pods:
        if _MIRROR in (pod["metadata"].get("annotations") or {}):
            continue
        owner = _controller_of(pod)
        over = status_of(pod).get("phase") in ("Succeeded", "Failed")
        if owner is not None and owner["kind"] == "DaemonSet" and not over:
            present = get("daemonsets.apps", namespace_of(pod), owner["name"]) is not None
            if present or not force:
                if not ignore_daemonsets:
                    refused.setdefault(_DAEMON_SETS, []).append(_title(pod))
                continue
        if not over and not delete_emptydir_data and _has_local_data(pod):
            refused.setdefault(_LOCAL, []).append(_title(pod))
        elif not over and owner is None and not force:
            refused.setdefault(_ALONE, []).append(_title(pod))
        else:
            evicted.append(pod)
    return Selection(evicted, [f"{why}: {', '.join(names)}" for why, names in refused.items()])


def _controller_of(pod: Object) -> Object | None:
    owners = pod["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


def _has_local_data(pod: Object) -> bool:
    return any("emptyDir" in volume for volume in spec_of(pod).get("volumes") or ())


def _title(pod: Object) -> str:
    return f"{namespace_of(pod)}/{name_of(pod)}"


class Drain:
    """One drain of one node that has been cordoned."""

    def __init__(
        self,
        node: str,
        client: Client,
        clock: ClusterClock,
        *,
        grace_seconds: int | None,
        timeout: float,
        delete_emptydir_data: bool,
        ignore_daemonsets: bool,
        force: bool,
    ) -> None:
        """Prepare; see `NodeHandle.drain`."""
        self._node = node
        self._client = client
        self._clock = clock
        self._grace = grace_seconds
        self._timeout = timeout
        self._data = delete_emptydir_data
        self._ignores = ignore_daemonsets
        self._force = force

    async def run(self, pods: Sequence[Object], get: Get) -> list[Object]:
        """Evict; returns the pods once they are gone.

        Args:
            pods: All that are bound to the node.
            get: Looks into the store.

        Raises:
            DrainError: Some must not go.
            WaitTimeoutError: Some are not gone in time.
            StatusError: The API refused an eviction for good.
        """
        selection = select_pods(
            pods,
            get,
            delete_emptydir_data=self._data,
            ignore_daemonsets=self._ignores,
            force=self._force,
        )
        if selection.errors:
            told = ", ".join(selection.errors)
            told = f"[{told}]" if len(selection.errors) > 1 else told
            raise DrainError(f'unable to drain node "{self._node}" due to error: {told}')

        def remains(pod: Object) -> bool:
            found = get("pods", namespace_of(pod), name_of(pod))
            return found is not None and found["metadata"]["uid"] == pod["metadata"]["uid"]

        end = self._clock.now() + self._timeout
        waiting, left, said = list(selection.evicted), list(selection.evicted), ""
        while left:
            refused = []
            for pod in waiting:
                if remains(pod) and (why := await self._refusal(pod)):
                    refused.append(pod)
                    said = why
            waiting = refused
            span = end - self._clock.now()
            if waiting:
                span = min(span, AGAIN_SECONDS)
            left = await self._wait(left, remains, span, forgo=not waiting)
            if left and self._clock.now() >= end:
                names = ", ".join(map(_title, left))
                raise WaitTimeoutError(
                    f"node {self._node} is not drained after {self._timeout:g} s of the cluster's "
                    f"time: {names} remain{f' ({said})' if waiting else ''}"
                )
        return selection.evicted

    async def _refusal(self, pod: Object) -> str:
        """Ask for an eviction; returns why it has to be asked for again, if it has."""
        try:
            await self._client.evict(name_of(pod), namespace_of(pod), grace_seconds=self._grace)
        except StatusError as error:
            if error.code == 404:
                return ""
            if error.code != 429:
                raise
            return error.message
        return ""

    async def _wait(
        self,
        pods: list[Object],
        remains: Callable[[Object], bool],
        seconds: float,
        *,
        forgo: bool,
    ) -> list[Object]:
        """Let time pass until all are gone, or for so many seconds; returns those that remain.

        Args:
            pods: Whom to wait for.
            remains: Whether one is still there.
            seconds: How long.
            forgo: Whether to stop as soon as all are gone; with others to be evicted first, it
                waits all of the time.
        """
        if forgo:
            with contextlib.suppress(TimeoutError):
                await self._clock.advance_until(
                    lambda: not any(map(remains, pods)), seconds=max(seconds, 1e-9)
                )
        else:
            await self._clock.advance(max(seconds, 0.0))
        return [pod for pod in pods if remains(pod)]
