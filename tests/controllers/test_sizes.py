"""The arithmetic of rollouts: tables, and the laws that hold for every rollout."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.controllers.deployment.sizes import (
    Limits,
    Sized,
    plan_new,
    plan_old,
    plan_proportional,
    resolve,
    rolling_limits,
)


@pytest.mark.parametrize(
    ("desired", "surge", "unavailable", "expected"),
    [
        (10, "25%", "25%", Limits(10, 3, 2)),
        (1, "25%", "25%", Limits(1, 1, 0)),
        (4, 0, 0, Limits(4, 0, 1)),
        (4, "0%", "10%", Limits(4, 0, 1)),
        (3, 1, 5, Limits(3, 1, 3)),
        (0, 1, 1, Limits(0, 1, 0)),
        (3, "100%", "0%", Limits(3, 3, 0)),
    ],
)
def test_surge_rounds_up_and_unavailable_down(
    desired: Any, surge: Any, unavailable: Any, expected: Any
) -> None:
    """Both zero would never move, so one may be unavailable."""
    assert rolling_limits(desired, surge, unavailable) == expected


def test_a_number_in_a_string_is_a_number() -> None:
    """int-or-string fields may carry either."""
    assert resolve("3", 10, up=True) == 3
    assert resolve(None, 10, up=True) == 0


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (0, [10], 3),
        (3, [10], 3),
        (3, [8], 5),
        (10, [0], 10),
        (12, [0], 10),
        (0, [], 10),
    ],
)
def test_the_new_set_grows_into_the_surge(new: Any, old: Any, expected: Any) -> None:
    """10 wanted, 3 above allowed."""
    sets = [Sized(str(at), replicas) for at, replicas in enumerate(old)]
    assert plan_new(Limits(10, 3, 2), Sized("new", new), sets) == expected


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        # (replicas, available) of the new set and of the old ones
        ((3, 0), [(10, 10)], {"0": 8}),
        ((3, 3), [(8, 8)], {"0": 5}),
        ((3, 0), [(8, 8)], {}),
        ((3, 0), [(8, 5)], {}),  # the floor is broken already, by others
        ((5, 0), [(4, 4), (4, 0)], {}),
        ((3, 0), [(3, 0), (8, 8)], {"0": 0}),  # what is broken goes first
        ((10, 10), [(2, 2), (1, 1)], {"0": 0, "1": 0}),
        ((3, 3), [(5, 9)], {}),  # the report is older than the wish
    ],
)
def test_old_sets_shrink_to_the_floor(new: Any, old: Any, expected: Any) -> None:
    """10 wanted, at least 8 available."""
    sets = [Sized(str(at), *numbers) for at, numbers in enumerate(old)]
    assert plan_old(Limits(10, 3, 2), Sized("new", *new), sets) == expected


@pytest.mark.parametrize(
    ("limits", "sets", "expected"),
    [
        (Limits(20, 5, 5), {"a": (8, 13), "b": (5, 13)}, {"a": 15, "b": 10}),
        (Limits(5, 2, 1), {"a": (8, 13), "b": (5, 13)}, {"a": 4, "b": 3}),
        (Limits(0, 0, 0), {"a": (8, 13), "b": (5, 13)}, {"a": 0, "b": 0}),
    ],
)
def test_scaling_is_shared_by_size(limits: Any, sets: Any, expected: Any) -> None:
    """The largest takes what rounding leaves over."""
    given_sets = [
        Sized(name, replicas, created=at, most_before=most)
        for at, (name, (replicas, most)) in enumerate(sets.items())
    ]
    assert plan_proportional(limits, given_sets, 0) == expected


@given(
    desired=st.integers(0, 40),
    added=st.integers(0, 10),
    sizes=st.lists(st.integers(0, 20), min_size=1, max_size=4),
)
def test_proportional_scaling_adds_up(desired: Any, added: Any, sizes: Any) -> None:
    """The sum is what is allowed, and no size is negative."""
    limits = Limits(desired, added, 0)
    sets = [
        Sized(str(at), size, created=at, most_before=sum(sizes)) for at, size in enumerate(sizes)
    ]
    planned = plan_proportional(limits, [rs for rs in sets if rs.replicas], 0)
    assert all(size >= 0 for size in planned.values())
    if planned:
        assert sum(planned.values()) == (limits.most if desired else 0)


class Rollout:
    """ReplicaSets as pods would have them: spec, real pods, and a status that may be old."""

    def __init__(self, limits: Any, old: Any) -> None:
        self.limits = limits
        self.spec = {"new": 0, **{f"old{at}": number for at, number in enumerate(old)}}
        self.ready = dict(self.spec)
        self.pending = dict.fromkeys(self.spec, 0)
        self.reported = dict(self.ready)

    def controller(self) -> None:
        def sized(name: str) -> Any:
            return Sized(name, self.spec[name], self.reported[name])

        old = [sized(name) for name in self.spec if name != "new"]
        size = plan_new(self.limits, sized("new"), old)
        if size != self.spec["new"]:
            self.spec["new"] = size
        else:
            self.spec.update(plan_old(self.limits, sized("new"), old))

    def replica_set(self, name: str) -> None:
        pods = self.ready[name] + self.pending[name]
        if pods < self.spec[name]:
            self.pending[name] += self.spec[name] - pods
        for _ in range(pods - self.spec[name]):  # those that are not ready go first
            kind = self.pending if self.pending[name] else self.ready
            kind[name] -= 1

    def pod(self, name: str) -> None:
        if self.pending[name]:
            self.pending[name] -= 1
            self.ready[name] += 1

    def report(self, name: str) -> None:
        self.reported[name] = self.ready[name]

    def available(self) -> Any:
        return sum(self.ready.values())

    def wanted(self) -> Any:
        return sum(self.spec.values())


@given(st.data())
def test_no_order_of_events_breaks_a_rollout(data: Any) -> None:
    """However late pods, reports and controllers are: never below the floor, never too many.

    And when everything has had its turn, only the new ReplicaSet is left, in full.
    """
    desired = data.draw(st.integers(1, 12), label="replicas")
    surge = data.draw(st.integers(0, 4), label="surge")
    unavailable = data.draw(st.integers(0, 4), label="unavailable")
    limits = rolling_limits(desired, surge, unavailable)
    cut = data.draw(st.integers(0, desired), label="first of two old sets")
    rollout = Rollout(limits, [cut, desired - cut])
    names = st.sampled_from(sorted(rollout.spec))
    steps = st.sampled_from(["controller", "replica_set", "pod", "report"])
    for _ in range(data.draw(st.integers(0, 60), label="steps")):
        step = data.draw(steps)
        if step == "controller":
            rollout.controller()
        else:
            getattr(rollout, step)(data.draw(names))
        assert rollout.available() >= limits.floor
        assert rollout.wanted() <= limits.most
    for _ in range(8 * desired + 20):
        for name in rollout.spec:
            rollout.replica_set(name)
            rollout.pod(name)
            rollout.report(name)
        rollout.controller()
        assert rollout.available() >= limits.floor
        assert rollout.wanted() <= limits.most
    assert rollout.spec == {"new": desired, "old0": 0, "old1": 0}
