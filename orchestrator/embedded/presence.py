"""Whether a cluster lives, and on which event loop: asked before anything is done to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final, Literal, TypeAlias

from orchestrator.embedded.errors import ClusterError
from orchestrator.embedded.turns import MEANWHILE, Turns

Stage: TypeAlias = Literal["new", "begun", "failed", "stopped"]
"""``failed``: it could not start, or not start again."""

STARTED: Final = "this cluster was started before: make a new one"
STOPPED: Final = "this cluster has stopped: make a new one"
_FAILED: Final = "this cluster could not start: make a new one"
NOT_STARTED: Final = "this cluster is not started: "
_LOOP_ENDED: Final = (
    "the event loop that this cluster was started on has ended, and the cluster with it: start, "
    "use and stop it within one asyncio.run, or use Cluster.sync()"
)
_OTHER_LOOP: Final = (
    "this cluster lives on another event loop than the one that this was called on: await its "
    "methods on the loop that it was started on, or use Cluster.sync(), which any thread may call"
)


class Presence:
    """Whether there is a cluster: from its start to its end, and on its event loop.

    Attributes:
        stage: How far it has come.
        restarts: How often its control plane went down to come back.
        start_by: How a user starts it, for who has forgotten to.
        is_a_twins: Whether users only know its synchronous twin.
        turns: In which what concerns all of it is done.
    """

    def __init__(self) -> None:
        """Be about a cluster that was not started yet."""
        self.stage: Stage = "new"
        self.start_by = "async with Cluster() as cluster"
        self.is_a_twins = False
        self.turns = Turns()
        self.restarts = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._limits: set[asyncio.Timeout] = set()

    def begin(self) -> None:
        """Note that it starts, on the running loop."""
        self.stage = "begun"
        self._loop = asyncio.get_running_loop()

    def fail(self) -> None:
        """Note that it could not start."""
        self._end("failed")

    def end(self) -> None:
        """Note that it has stopped; whoever waits in `lasting` is told."""
        if self.stage == "begun":
            self._end("stopped")

    def _end(self, stage: Stage) -> None:
        self.stage = stage
        for limit in self._limits:
            limit.reschedule(asyncio.get_running_loop().time())

    def require_begun(self) -> None:
        """Refuse what needs a cluster that was started, though it may have stopped by now.

        Raises:
            ClusterError: It was not.
        """
        if self.stage == "new":
            raise ClusterError(f"{NOT_STARTED}{self.start_by}")

    def require(self) -> None:
        """Refuse what needs a cluster that is there; from any thread.

        Raises:
            ClusterError: It was not started, could not start, or has stopped.
        """
        self.require_begun()
        if self.stage != "begun":
            raise ClusterError(STOPPED if self.stage == "stopped" else _FAILED)

    def require_here(self) -> None:
        """Refuse, beyond `require`, who calls from another event loop.

        Raises:
            ClusterError: This is not its loop, or that one has ended.
        """
        self.require()
        loop = self._loop
        assert loop is not None, "it has begun"
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:  # before the loop runs again, say in a test without one
            here = loop
        if here is not loop or loop.is_closed():
            raise ClusterError(_LOOP_ENDED if loop.is_closed() else _OTHER_LOOP)

    @contextlib.asynccontextmanager
    async def lasting(self) -> AsyncIterator[None]:
        """Wait for something of the cluster in the block, as long as there is a cluster.

        Raises:
            ClusterError: There is none here, or it has stopped meanwhile.
        """
        self.require_here()
        try:
            async with asyncio.timeout(None) as limit:
                self._limits.add(limit)
                try:
                    yield
                finally:
                    self._limits.discard(limit)
        except TimeoutError:
            if limit.expired():
                raise ClusterError(MEANWHILE) from None
            raise
