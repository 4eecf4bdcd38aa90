"""Nominations: who keeps room for whom."""

from __future__ import annotations

from orchestrator.resources.objects import Key
from orchestrator.scheduler.core import PodClass, PodState
from orchestrator.scheduler.core.nominations import Nominations

CLASS = PodClass({"containers": []})


def pod(name: str, priority: int = 0) -> PodState:
    """Make a pod."""
    return PodState(name, Key("pods", "default", name), CLASS, priority=priority)


def uids(pods: object) -> list[str]:
    """Return the uids of pods."""
    return [pod.uid for pod in pods]  # type: ignore[attr-defined] # pods of any sequence


def test_only_pods_of_the_same_or_a_higher_priority_are_heeded() -> None:
    """A pod need not fit beside those that it could preempt, nor beside its own nomination."""
    nominations = Nominations(lambda _: None)
    for name, priority in (("low", 1), ("equal", 5), ("high", 9)):
        nominations.add(pod(name, priority), "n")
    assert uids(nominations.heeded("n", 5)) == ["equal", "high"]
    assert uids(nominations.heeded("n", 5, "equal")) == ["high"]
    assert uids(nominations.unheeded("n", 5)) == ["low"]
    assert not nominations.heeded("other", 5)
    assert not nominations.unheeded("other", 5)


def test_a_pod_is_nominated_to_one_node_at_most_and_every_change_is_told() -> None:
    """A second nomination ends the first; saying the same again is no change."""
    told: list[str] = []
    nominations = Nominations(told.append)
    one = pod("one")
    nominations.add(one, "a")
    nominations.add(one, "a")
    nominations.add(one, "b")
    assert (nominations.node_of("one"), len(nominations)) == ("b", 1)
    assert not nominations.heeded("a", 0)
    assert nominations.remove("one") == "b"
    assert nominations.remove("one") == ""
    assert nominations.node_of("one") == ""
    assert told == ["a", "a", "b", "b"]


def test_what_has_ended_is_told_once_unless_it_was_made_anew() -> None:
    """So that those who wait for room hear of it."""
    nominations = Nominations(lambda _: None)
    one, two = pod("one"), pod("two")
    nominations.add(one, "a")
    nominations.add(two, "b")
    nominations.remove("one")
    nominations.remove("two")
    nominations.add(two, "b")
    assert nominations.take_ended() == [(one, "a")]
    assert nominations.take_ended() == []
    nominations.add(two, "a")
    assert nominations.take_ended() == [(two, "b")]
