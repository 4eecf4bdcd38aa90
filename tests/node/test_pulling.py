"""How an image goes that cannot be pulled: what a container waits with, and until when.

https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff
"""

from __future__ import annotations

import pytest

from orchestrator.node.pulling import decide_pull
from orchestrator.node.states import ContainerState, Phase, PullState

SPEC = {"name": "main", "image": "web:1", "imagePullPolicy": "IfNotPresent"}


def container(pull: PullState | None = None, phase: Phase = Phase.NEW) -> ContainerState:
    """Build a container that is to be started."""
    made = ContainerState("main")
    made.pull, made.phase = pull, phase
    return made


def test_an_image_that_is_there_is_not_spoken_of() -> None:
    """Neither at first nor when it has come by the time it is tried again."""
    assert decide_pull(container(), SPEC, "", 100.0) is None
    assert decide_pull(container(PullState(10, 100, 100, "gone")), SPEC, "", 100.0) is None


@pytest.mark.parametrize(
    ("before", "delay"),
    [(None, 10), (10, 20), (20, 40), (160, 300), (300, 300)],
)
def test_delays_double_up_to_five_minutes(before: float | None, delay: float) -> None:
    """The failure itself is shown for a second."""
    known = None if before is None else PullState(before, 100, 100, "gone")
    found = decide_pull(container(known), SPEC, "gone", 100.0)
    assert found is not None
    assert (found.reason, found.message) == ("ErrImagePull", "gone")
    assert found.state == PullState(delay, 100 + delay, 101, "gone")
    assert [event[:2] for event in found.events] == [
        ("Normal", "Pulling"),
        ("Warning", "Failed"),
        ("Warning", "Failed"),
    ]


def test_between_two_tries_it_is_the_back_off_that_is_shown() -> None:
    """Whether it could be pulled by now is not known before the next try."""
    found = decide_pull(container(PullState(10, 110, 101, "gone")), SPEC, "", 101.0)
    assert found is not None
    assert found.reason == "ImagePullBackOff"
    assert found.message == 'Back-off pulling image "web:1": ErrImagePull: gone'
    assert found.state == PullState(10, 110, 110, "gone")


@pytest.mark.parametrize(
    ("policy", "reason"), [("IfNotPresent", None), ("Never", None), ("Always", "ErrImagePull")]
)
def test_a_restart_pulls_only_what_is_always_pulled(policy: str, reason: str | None) -> None:
    """The image is there from the attempt before."""
    spec = {**SPEC, "imagePullPolicy": policy}
    found = decide_pull(container(phase=Phase.EXITED), spec, "gone", 100.0)
    assert (found and found.reason) == reason


def test_what_is_never_pulled_has_to_be_there() -> None:
    """``ErrImageNeverPull``, in the kubelet's words."""
    found = decide_pull(container(), {**SPEC, "imagePullPolicy": "Never"}, "gone", 100.0)
    assert found is not None
    assert found.reason == "ErrImageNeverPull"
    assert found.message == 'Container image "web:1" is not present with pull policy of Never'
