"""What the containers of a cluster do that only pretend to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.embedded.cluster.life import ClusterLife
from orchestrator.embedded.errors import ClusterError

if TYPE_CHECKING:
    from orchestrator.embedded.containers.images import Amount, Image, ImageBook, Logs


class ClusterImages(ClusterLife):
    """Says what images do."""

    def image(
        self,
        name: str,
        *,
        start_seconds: float | None = None,
        ready_seconds: float | None = None,
        ready: bool | None = None,
        run_seconds: float | None = None,
        exit_code: int | None = None,
        crash_after: float | None = None,
        stop_seconds: float | None = None,
        refuse: str = "",
        logs: Logs = (),
        termination_message: str = "",
        cpu: Amount | None = None,
        memory: Amount | None = None,
    ) -> Image:
        """Say what containers of an image do, or let an async function be such a container.

        ```python
        cluster.image("web:1", start_seconds=2, ready_seconds=5, cpu="250m")
        cluster.image("broken:*", refuse="ErrImagePull: not found")

        @cluster.image("worker:1")
        async def worker(container):
            container.log("hello from", container.env["HOSTNAME"])
            await container.sleep(30)
        ```

        What a pod's annotations say (``simulation.orchestrator/...``) goes before it. It holds for
        containers that are started from now on; said again, it replaces what was said before.

        Args:
            name: As pods name it; without a tag it stands for all tags, and ``*`` for anything.
            start_seconds: From being asked to start to running.
            ready_seconds: From running to being ready.
            ready: False: not ready before its function calls ``container.set_ready(True)``.
            run_seconds: From running to ending by itself.
            exit_code: With which it ends then; at once, if nothing says when.
            crash_after: The same as ``run_seconds`` with an exit code of 1.
            stop_seconds: From SIGTERM to its end; at once unless given, infinity ignores it. A
                function decides by itself, see `Container`.
            refuse: Why it cannot be started. ``ErrImagePull: WHY`` is an image that cannot be
                pulled, which is tried again and again.
            logs: Lines that it writes when it is started, or pairs of seconds and a line; or a
                function of the `Container` that returns them.
            termination_message: What it leaves when it ends.
            cpu: How much it uses: ``250m``, ``80%`` of its request, ``100m,900m@60s``, or a
                function of its age in seconds.
            memory: The same.

        Raises:
            ClusterError: The cluster runs processes, or two of these contradict each other.
            ValueError: An amount cannot be read.
        """
        if self._presence.stage != "new":
            self._presence.require()
        if self.config.runtime == "process":
            raise ClusterError(
                f"image {name!r}: with runtime='process' containers are programs, and do what "
                "these do; make the cluster with runtime='simulated' to say what images do"
            )
        from orchestrator.embedded.containers.images import describe

        declared = describe(
            start_seconds=start_seconds,
            ready_seconds=ready_seconds,
            ready=ready,
            run_seconds=run_seconds,
            exit_code=exit_code,
            crash_after=crash_after,
            stop_seconds=stop_seconds,
            refuse=refuse,
            logs=logs,
            termination_message=termination_message,
            cpu=cpu,
            memory=memory,
        )
        return self._lookup.declare(name, declared)

    @property
    def images(self) -> ImageBook | None:
        """What was said of images; None while nothing was."""
        return self._lookup.book
