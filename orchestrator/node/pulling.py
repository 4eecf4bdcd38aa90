"""Images that cannot be pulled: what is told of it, and when it is tried again; pure.

Words and delays are the kubelet's (``images/image_manager.go``).
https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff
"""

from __future__ import annotations

from typing import Final, NamedTuple

from orchestrator.node.states import ContainerState, Phase, PullState
from orchestrator.resources.objects import Object

FIRST_DELAY: Final = 10.0
"""Seconds until an image is tried again; twice as long each time, up to `MAX_DELAY`."""
MAX_DELAY: Final = 300.0
_SHOWN: Final = 1.0
"""Seconds for which a failure is shown itself before the back-off is."""


class Pull(NamedTuple):
    """Why a container waits for its image.

    Attributes:
        reason: Of its ``waiting`` state.
        message: The same.
        state: For the next look.
        events: Type, reason and message of what is told.
    """

    reason: str
    message: str
    state: PullState
    events: tuple[tuple[str, str, str], ...] = ()


def decide_pull(container: ContainerState, spec: Object, error: str, now: float) -> Pull | None:
    """Decide how pulling an image goes, done by the pod's containers.

    Args:
        container: Which is to be started.
        spec: Its entry in the pod.
        error: Why the image cannot be pulled now, or ``""``.
        now: Seconds since the epoch.

    Returns:
        What it waits for; None: the image is there.
    """
    image, before = spec.get("image") or "", container.pull
    if before is not None and now < before.again_at:
        return Pull(
            "ImagePullBackOff",
            f'Back-off pulling image "{image}": ErrImagePull: {before.error}',
            before._replace(look_at=before.again_at),
            (
                ("Normal", "BackOff", f'Back-off pulling image "{image}"'),
                ("Warning", "Failed", "Error: ImagePullBackOff"),
            ),
        )
    if not error:
        return None
    policy = spec.get("imagePullPolicy")
    if container.phase is Phase.EXITED and policy != "Always":
        return None  # it is there from the attempt before
    if policy == "Never":
        said = f'Container image "{image}" is not present with pull policy of Never'
        again = now + FIRST_DELAY
        told = (
            ("Warning", "ErrImageNeverPull", said),
            (
                "Warning",
                "Failed",
                "Error: ErrImageNeverPull",
            ),
        )
        return Pull("ErrImageNeverPull", said, PullState(FIRST_DELAY, again, again, said), told)
    delay = FIRST_DELAY if before is None else min(2 * before.delay, MAX_DELAY)
    return Pull(
        "ErrImagePull",
        error,
        PullState(delay, now + delay, now + _SHOWN, error),
        (
            ("Normal", "Pulling", f'Pulling image "{image}"'),
            ("Warning", "Failed", f'Failed to pull image "{image}": {error}'),
            ("Warning", "Failed", "Error: ErrImagePull"),
        ),
    )
