"""Plugins of one's own: what they may say, what they see, what goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from orchestrator.scheduler.extending import (
    Depends,
    NodeView,
    Plugin,
    PodView,
    Reject,
    Verdict,
    Wait,
    filter_plugin,
    permit_plugin,
    score_plugin,
)
from orchestrator.scheduler.extending.adapting import PluginFailed
from orchestrator.scheduler.extending.plugins import points_of
from orchestrator.scheduler.extending.registry import PluginError, find_plugins, registry_of
from tests.scheduler.extending.driving import Scheduling, node, pod

NODES = [node("a", colour="red"), node("b", colour="green"), node("c", colour="green")]


@filter_plugin("Green", depends_on=Depends.NODE)
def green(pod: PodView, node: NodeView) -> Verdict:
    """Only green nodes."""
    del pod
    return None if node.labels.get("colour") == "green" else "node(s) were not green"


@score_plugin("ByName", depends_on=Depends.NODE)
def by_name(pod: PodView, node: NodeView) -> int:
    """Later letters are better."""
    del pod
    return ord(node.name) - ord("a")


def test_a_filter_is_a_function_of_a_few_lines() -> None:
    """Its reason stands in the message like those of built-in plugins."""
    scheduling = Scheduling(NODES, green)
    assert scheduling.place(pod("p")) in {"b", "c"}
    message = scheduling.place(pod("q", cpu="5"))
    assert message.startswith("0/3 nodes are available: 3 Insufficient cpu.")
    message = scheduling.place(pod("r", cpu="3500m"))
    only_red = Scheduling(NODES[:1], green)
    assert only_red.place(pod("p")).startswith("0/1 nodes are available: 1 node(s) were not green.")


def test_a_score_decides_with_its_weight() -> None:
    """Two points of a hundred are little beside the built-in scores, and decide with weight 50."""
    plugins = {"score": {"enabled": [{"name": "ByName", "weight": 50}]}}
    scheduling = Scheduling(NODES, by_name, profile={"plugins": plugins})
    assert [scheduling.place(pod(f"p{number}", cpu="10m")) for number in range(3)] == ["c"] * 3


def test_answers_about_a_node_are_kept_until_it_changes() -> None:
    """Which is what `depends_on` says; the safe default asks anew for each pod."""
    asked: list[str] = []

    @filter_plugin("Kept", depends_on=Depends.NODE)
    def kept(pod: PodView, node: NodeView) -> Verdict:
        del pod
        asked.append(node.name)
        return node.labels["colour"] == "green"

    scheduling = Scheduling(NODES, kept)
    for number in range(5):
        scheduling.place(pod(f"p{number}", cpu="10m"))
    assert sorted(asked) == ["a", "b", "c"]
    scheduling.cluster.put_node(node("a", colour="green"), NODES[0])
    scheduling.place(pod("q", cpu="10m"))
    assert sorted(asked) == ["a", "a", "b", "c"]


def test_a_plugin_that_depends_on_everything_is_asked_about_every_pod() -> None:
    """And sees the pod itself."""

    @filter_plugin("Named")
    def named(pod: PodView, node: NodeView) -> Verdict:
        return pod.annotations.get("where") == node.annotations["about"]

    scheduling = Scheduling(NODES, named)
    assert scheduling.place(pod("p", annotations={"where": "c"})) == "c"
    assert scheduling.place(pod("q", annotations={"where": "a"})) == "a"
    message = scheduling.place(pod("r", annotations={"where": "z"}))
    assert message.startswith("0/3 nodes are available: 3 node(s) didn't satisfy plugin Named.")


def test_no_more_nodes_are_asked_about_than_upstream_does() -> None:
    """In a large cluster a share of the feasible ones is enough, and each pod begins elsewhere."""
    asked: list[str] = []

    @filter_plugin("Counts")
    def counts(pod: PodView, node: NodeView) -> Verdict:
        asked.append(f"{pod.name} {node.name}")
        return None

    scheduling = Scheduling([node(f"n{number}") for number in range(500)], counts)
    for number in range(3):
        scheduling.place(pod(f"p{number}", cpu="10m"))
    assert len(asked) == len(set(asked)) == 3 * 230  # 50 - 500 / 125 percent
    assert len({one.partition(" ")[2] for one in asked}) == 500


@pytest.mark.parametrize(
    ("depends", "attribute", "told"),
    [
        (Depends.NODE, "pods", "Depends.PODS"),
        (Depends.NODE, "free", "Depends.PODS"),
        (Depends.PODS, "annotations", "Depends.EVERYTHING"),
        (Depends.PODS, "object", "Depends.EVERYTHING"),
    ],
)
def test_what_was_not_declared_is_not_told_of_a_node(
    depends: Depends, attribute: str, told: str
) -> None:
    """A kept answer would be wrong soon; the message says what to declare."""

    @filter_plugin("Curious", depends_on=depends)
    def curious(pod: PodView, node: NodeView) -> Verdict:
        del pod
        return bool(getattr(node, attribute))

    with pytest.raises(PluginFailed, match=f"declare depends_on = {told}") as caught:
        Scheduling(NODES, curious).place(pod("p"))
    assert str(caught.value).startswith('running Filter plugin "Curious": looked at ')


@pytest.mark.parametrize("attribute", ["name", "uid", "annotations", "priority", "object"])
def test_what_was_not_declared_is_not_told_of_a_pod(attribute: str) -> None:
    """What is kept holds for all pods of a class."""

    @score_plugin("Curious", depends_on=Depends.PODS)
    def curious(pod: PodView, node: NodeView) -> int:
        del node
        return len(str(getattr(pod, attribute)))

    with pytest.raises(PluginFailed, match=r"declare depends_on = Depends\.EVERYTHING"):
        Scheduling(NODES, curious).place(pod("p"))


def test_views_tell_amounts_in_the_schedulers_units() -> None:
    """CPU in millicores, memory in bytes."""
    seen: list[tuple[Any, ...]] = []

    @filter_plugin("Looks", depends_on=Depends.PODS)
    def looks(pod: PodView, node: NodeView) -> Verdict:
        free = node.free
        seen.append((pod.requests, free["cpu"], free["pods"], [one.name for one in node.pods]))
        return None

    scheduling = Scheduling([node("a")], looks)
    scheduling.place(pod("p", cpu="1500m"))
    scheduling.place(pod("q", cpu="1"))
    assert seen[0] == ({"cpu": 1500, "pods": 1}, 4000, 110, [])
    assert seen[-1][1:] == (2500, 109, ["p"])


def test_scores_of_all_nodes_can_be_normalised() -> None:
    """A raw score may then be any number."""

    class Biggest(Plugin):
        def score(self, pod: PodView, node: NodeView) -> int:
            del pod
            return node.allocatable["cpu"]

        def normalise(self, scores: Mapping[str, int]) -> Mapping[str, int]:
            highest = max(scores.values())
            return {name: 100 * score // highest for name, score in scores.items()}

    plugins = {"score": {"disabled": [{"name": "*"}], "enabled": [{"name": "Biggest"}]}}
    nodes = [node("a", "2"), node("b", "8"), node("c", "4")]
    assert Scheduling(nodes, Biggest, profile={"plugins": plugins}).place(pod("p")) == "b"


def test_a_score_out_of_bounds_is_an_error() -> None:
    """In upstream's words."""

    @score_plugin("Loud")
    def loud(pod: PodView, node: NodeView) -> int:
        del pod, node
        return 101

    with pytest.raises(PluginFailed, match="returns an invalid score 101, it should in the range"):
        Scheduling(NODES, loud).place(pod("p"))


def test_a_pre_filter_saves_looking_at_nodes() -> None:
    """Its reason is told once for all nodes."""

    class Labelled(Plugin):
        def pre_filter(self, pod: PodView) -> Verdict:
            return None if "team" in pod.labels else Reject("pod has no team", resolvable=False)

    scheduling = Scheduling(NODES, Labelled)
    assert scheduling.place(pod("p")).startswith("0/3 nodes are available: pod has no team.")
    assert scheduling.place(pod("q", labels={"team": "x"})) in {"a", "b", "c"}


def test_reservations_are_undone_in_reverse_when_a_plugin_refuses() -> None:
    """Whether it was called before or not."""
    heard: list[str] = []

    class First(Plugin):
        def reserve(self, pod: PodView, node: NodeView) -> Verdict:
            heard.append(f"first {pod.name} on {node.name}")
            return None

        def unreserve(self, pod: PodView, node: NodeView | None) -> None:
            heard.append(f"first not {pod.name}")

    class Second(Plugin):
        def reserve(self, pod: PodView, node: NodeView) -> Verdict:
            return f"{node.name} is not for {pod.name}"

        def unreserve(self, pod: PodView, node: NodeView | None) -> None:
            heard.append(f"second not {pod.name}")

    scheduling = Scheduling(NODES[:1], First, Second)
    assert scheduling.place(pod("p")) == "0/1 nodes are available: 1 a is not for p."
    assert heard == ["first p on a", "second not p", "first not p"]
    assert not scheduling.cluster.pods


def test_a_permit_waits_and_times_out() -> None:
    """The place is kept meanwhile; the message is upstream's."""

    @permit_plugin("Slow")
    def slow(pod: PodView, node: NodeView) -> Wait:
        del pod, node
        return Wait(90)

    scheduling = Scheduling([node("a", "1")], slow)
    assert scheduling.place(pod("p")) == "waits"
    assert "Insufficient cpu" in scheduling.place(pod("q"))
    scheduling.now = 90
    scheduling.settle()
    assert scheduling.refused["p"] == (
        "0/1 nodes are available: 1 rejected due to timeout after waiting 1m30s at plugin Slow."
    )
    assert not scheduling.cluster.pods


def test_a_plugin_lets_a_waiting_pod_go() -> None:
    """Through its handle."""
    bound: list[str] = []

    class Pairs(Plugin):
        def permit(self, pod: PodView, node: NodeView) -> Verdict | Wait:
            del pod, node
            others = self.handle.waiting()
            if not others:
                return Wait(10)
            self.handle.allow(others[0].pod.uid, "Pairs")
            return None

        def post_bind(self, pod: PodView, node: NodeView) -> None:
            bound.append(f"{pod.name} on {node.name}")

    scheduling = Scheduling(NODES[:1], Pairs)
    assert scheduling.place(pod("p")) == "waits"
    scheduling.place(pod("q"))
    assert scheduling.bound == {"p": "a", "q": "a"}
    assert sorted(bound) == ["p on a", "q on a"]


def test_errors_where_nothing_can_be_refused_are_reported() -> None:
    """The pod is not to suffer from it."""

    class Clumsy(Plugin):
        def post_bind(self, pod: PodView, node: NodeView) -> None:
            raise KeyError(f"{pod.name} {node.name}")

    scheduling = Scheduling(NODES[:1], Clumsy)
    assert scheduling.place(pod("p")) == "a"
    assert list(map(str, scheduling.failures)) == ["running PostBind plugin \"Clumsy\": 'p a'"]


@pytest.mark.parametrize("seconds", [0, -1, 901])
def test_a_permit_waits_for_a_sensible_time(seconds: float) -> None:
    """At most a quarter of an hour, as upstream."""
    with pytest.raises(ValueError, match="a permit can wait for up to 900 seconds"):
        Wait(seconds)


def test_a_plugin_extends_what_it_overrides() -> None:
    """Nothing has to be declared twice."""
    assert points_of(green) == {"filter"}
    assert registry_of(find_plugins([green, by_name]))["ByName"] == {"score"}
    assert "Coscheduling" in find_plugins()


def passes(*_: object) -> None:
    """Let everything pass."""


@pytest.mark.parametrize(
    ("plugins", "message"),
    [
        ([type("NodeName", (Plugin,), {"filter": passes})], "NodeName is a built-in"),
        ([green, green], "two scheduler plugins are called Green"),
        ([type("Idle", (Plugin,), {})], "overrides no method"),
        ([object()], "is no scheduler plugin"),
    ],
)
def test_what_cannot_be_a_plugin_is_refused(plugins: list[type[Plugin]], message: str) -> None:
    """With the reason."""
    with pytest.raises(PluginError, match=message):
        find_plugins(plugins)


def test_an_installed_plugin_that_cannot_be_loaded_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may be somebody else's."""
    point = EntryPoint("Theirs", "no_such_package:Plugin", "")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: [point])
    with pytest.raises(PluginError, match="entry point Theirs = no_such_package:Plugin: ModuleNot"):
        find_plugins()


def test_a_function_must_take_what_it_is_given() -> None:
    """Said where it is decorated."""
    with pytest.raises(TypeError, match=r"a filter function takes \(pod, node\), not \(pod\)"):
        filter_plugin("Short")(lambda pod: None)  # type: ignore[arg-type, misc] # on purpose


def test_arguments_are_the_plugins_own() -> None:
    """Wrong ones are refused when the scheduler starts, by name."""

    class Limited(Plugin):
        depends_on = Depends.PODS

        def filter(self, pod: PodView, node: NodeView) -> Verdict:
            del pod
            return len(node.pods) < int(self.args["limit"])

    profile = {
        "plugins": {"multiPoint": {"enabled": [{"name": "Limited"}]}},
        "pluginConfig": [{"name": "Limited", "args": {"limit": 1}}],
    }
    scheduling = Scheduling(NODES[:1], Limited, profile=profile)
    assert scheduling.place(pod("p")) == "a"
    assert "didn't satisfy plugin Limited" in scheduling.place(pod("q"))
    wrong = {
        "plugins": {"multiPoint": {"enabled": [{"name": "Coscheduling"}]}},
        "pluginConfig": [{"name": "Coscheduling", "args": {"permitWaitingTimeSeconds": 0}}],
    }
    with pytest.raises(ValueError, match='initializing plugin "Coscheduling": permitWaitingTime'):
        Scheduling(NODES, profile=wrong)


def test_the_core_is_told_what_answers_depend_on() -> None:
    """So that it keeps them no longer than they hold."""
    framework = Scheduling(NODES, green, by_name).framework
    assert [one.depends for one in framework.filters if one.name == "Green"] == [Depends.NODE]
    assert [one.depends for one, _ in framework.scores if one.name == "ByName"] == [Depends.NODE]
