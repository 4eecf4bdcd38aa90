"""The twin on spread and affinity between pods, with values worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scheduler.twin import Profile, Snapshot, filter_all
from tests.scheduler.twin.asking import feasible, points, zoned
from tests.scheduler.twin.builders import (
    HOST,
    PREFERRED,
    REQUIRED,
    ZONE,
    Object,
    node,
    pod,
    selector,
    spread,
    term,
    thing,
    weighted,
)

# ---- PodTopologySpread


def test_a_crowded_domain_takes_no_more() -> None:
    """Zones of 2 and 0 pods and a skew of 1: only the empty zone."""
    counted = {"foo": ""}
    pods = [pod(f"p{index}", labels=counted, on="n0") for index in range(2)]
    snapshot = Snapshot(nodes=zoned(4, ["z1", "z2"]), pods=pods)
    wants = pod("p", labels=counted, topologySpreadConstraints=[spread(ZONE, selector(foo=""))])
    assert feasible(snapshot, wants) == "n1 n3"
    assert filter_all(snapshot, wants)["n0"] == (
        "PodTopologySpread",
        ("node(s) didn't match pod topology spread constraints",),
        True,
    )
    leaving = [pod("p0", labels=counted, on="n0", metadata={"deletionTimestamp": "2026"})]
    assert feasible(Snapshot(nodes=snapshot.nodes, pods=leaving), wants) == "n0 n1 n2 n3"
    elsewhere = [pod("p0", labels=counted, on="n0", namespace="other")]
    assert feasible(Snapshot(nodes=snapshot.nodes, pods=elsewhere), wants) == "n0 n1 n2 n3"


def test_a_pod_that_does_not_count_itself_may_join_a_fuller_domain() -> None:
    """The skew is that of others when the pod does not match its own selector."""
    pods = [pod("p0", labels={"foo": ""}, on="n0")]
    wants = pod("p", topologySpreadConstraints=[spread(ZONE, selector(foo=""))])
    assert feasible(Snapshot(nodes=zoned(2, ["z1", "z2"]), pods=pods), wants) == "n0 n1"


def test_nodes_without_the_label_are_no_domain() -> None:
    """They are rejected for good, and their pods do not count."""
    nodes = [*zoned(2, ["z1", "z2"]), node("bare")]
    pods = [pod("p0", labels={"foo": ""}, on="n0"), pod("p1", labels={"foo": ""}, on="bare")]
    wants = pod("p", labels={"foo": ""}, topologySpreadConstraints=[spread(ZONE, selector(foo=""))])
    found = filter_all(Snapshot(nodes=nodes, pods=pods), wants)["bare"]
    assert found is not None
    assert found.reasons == (
        "node(s) didn't match pod topology spread constraints (missing required label)",
    )
    assert not found.resolvable
    assert feasible(Snapshot(nodes=nodes, pods=pods), wants) == "n1"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "n0 n1"),
        ({"minDomains": 2}, "n0 n1"),
        ({"minDomains": 3}, ""),
    ],
)
def test_too_few_domains_make_the_least_nothing(fields: Object, expected: str) -> None:
    """One pod in each of two zones: with three wanted, each is as if the third were empty."""
    counted = {"foo": ""}
    pods = [pod(f"p{index}", labels=counted, on=f"n{index}") for index in range(2)]
    wants = pod(
        "p",
        labels=counted,
        topologySpreadConstraints=[spread(ZONE, selector(foo=""), **fields)],
    )
    assert feasible(Snapshot(nodes=zoned(2, ["z1", "z2"]), pods=pods), wants) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, "n0"),
        ({"nodeTaintsPolicy": "Honor"}, "n0"),
        ({"nodeAffinityPolicy": "Ignore"}, ""),
    ],
)
def test_nodes_the_pod_cannot_use_count_by_policy(policy: Object, expected: str) -> None:
    """An empty zone that the pod's selector leaves out keeps others from taking it if it counts."""
    nodes = [
        node("n0", {ZONE: "z1", "use": "yes"}),
        node("n1", {ZONE: "z2", "use": "no"}),
    ]
    pods = [pod("p0", labels={"foo": ""}, on="n0")]
    wants = pod(
        "p",
        labels={"foo": ""},
        nodeSelector={"use": "yes"},
        topologySpreadConstraints=[spread(ZONE, selector(foo=""), **policy)],
    )
    assert feasible(Snapshot(nodes=nodes, pods=pods), wants) == expected


def test_a_tainted_empty_zone_counts_unless_taints_are_honored() -> None:
    """Ignore is the default of nodeTaintsPolicy."""
    taint = [{"key": "k", "effect": "NoSchedule"}]
    nodes = [node("n0", {ZONE: "z1"}), node("n1", {ZONE: "z2"}, taints=taint)]
    pods = [pod("p0", labels={"foo": ""}, on="n0")]
    for policy, expected in ("Ignore", ""), ("Honor", "n0"):
        constraint = spread(ZONE, selector(foo=""), nodeTaintsPolicy=policy)
        wants = pod("p", labels={"foo": ""}, topologySpreadConstraints=[constraint])
        assert feasible(Snapshot(nodes=nodes, pods=pods), wants) == expected


def test_match_label_keys_count_only_pods_of_one_revision() -> None:
    """The pods of another revision are not in the way."""
    pods = [pod("p0", labels={"foo": "", "rev": "1"}, on="n0")]
    constraint = spread(ZONE, selector(foo=""), matchLabelKeys=["rev", "absent"])
    snapshot = Snapshot(nodes=zoned(2, ["z1", "z2"]), pods=pods)
    for revision, expected in ("1", "n1"), ("2", "n0 n1"):
        labels = {"foo": "", "rev": revision}
        wants = pod("p", labels=labels, topologySpreadConstraints=[constraint])
        assert feasible(snapshot, wants) == expected


def test_soft_constraints_prefer_the_emptier_domain() -> None:
    """Upstream's test: hosts with 2, 1 and 0 pods; ln(5) a pod, so raw 3, 2, 0."""
    pods = [
        pod(f"p{index}", labels={"foo": ""}, on=on) for index, on in enumerate(["n0", "n0", "n1"])
    ]
    wants = pod(
        "p",
        labels={"foo": ""},
        topologySpreadConstraints=[spread(HOST, selector(foo=""), hard=False)],
    )
    snapshot = Snapshot(nodes=[*zoned(3, ["z"]), node("bare")], pods=pods)
    # 2 * 1.609 -> 3, 1.609 -> 2, 0; the node without the label gets nothing.
    assert points("PodTopologySpread", snapshot, wants) == [0, 2 * 33, 200, 0]
    alone = Snapshot(nodes=zoned(2, ["z"]))
    assert points("PodTopologySpread", alone, wants) == [200, 200]


def test_zones_weigh_by_how_many_there_are() -> None:
    """Zone counts by ln(2 + 2), and the skew less one is added: differences get watered down."""
    pods = [pod(f"p{index}", labels={"foo": ""}, on="n0") for index in range(4)]
    constraints = [spread(ZONE, selector(foo=""), skew=3, hard=False)]
    wants = pod("p", labels={"foo": ""}, topologySpreadConstraints=constraints)
    # z1: 4 * 1.386 + 2 = 7.5 -> 8, z2: 2; 100 * (8 + 2 - 8) / 8 = 25, 100 * 8 / 8.
    snapshot = Snapshot(nodes=zoned(4, ["z1", "z2"]), pods=pods)
    assert points("PodTopologySpread", snapshot, wants) == [50, 200, 50, 200]


def test_the_systems_constraints_follow_services_and_controllers() -> None:
    """Hosts at a skew of 3 and zones at 5, for pods some service or controller selects."""
    nodes = zoned(2, ["z1", "z2"])
    pods = [pod("p0", labels={"app": "web"}, on="n0")]
    wants = pod("p", labels={"app": "web"})
    service = thing("web", spec={"selector": {"app": "web"}})
    assert points("PodTopologySpread", Snapshot(nodes=nodes, pods=pods), wants) == [0, 0]
    # n0: 1.386 + 2 + 1.386 + 4 = 8.77 -> 9, n1: 6; 100 * 6 / 9 and 100.
    served = Snapshot(nodes=nodes, pods=pods, services=[service])
    assert points("PodTopologySpread", served, wants) == [132, 200]
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "controller": True}
    owned = pod("p", labels={"app": "web"}, metadata={"ownerReferences": [owner]})
    replica_set = thing("web", spec={"selector": selector(app="web")})
    assert points(
        "PodTopologySpread", Snapshot(nodes=nodes, pods=pods, replica_sets=[replica_set]), owned
    ) == [132, 200]
    own = Profile(default_constraints=(spread(HOST, selector(), skew=1, hard=False),))
    assert points("PodTopologySpread", served, wants, own) == [0, 200]


# ---- InterPodAffinity


def wanting(kind: str, *terms: Object, **fields: Any) -> Object:
    """Make a pod with required terms."""
    return pod("p", affinity={kind: {REQUIRED: list(terms)}}, **fields)


@pytest.mark.parametrize(
    ("wants", "expected", "reason"),
    [
        pytest.param(
            wanting("podAffinity", term(ZONE, selector(app="db"))),
            "n0 n2",
            "node(s) didn't match pod affinity rules",
            id="near",
        ),
        pytest.param(
            wanting("podAntiAffinity", term(ZONE, selector(app="db"))),
            "n1 n3",
            "node(s) didn't match pod anti-affinity rules",
            id="away",
        ),
        pytest.param(
            wanting("podAffinity", term("absent", selector(app="db"))),
            "",
            "node(s) didn't match pod affinity rules",
            id="no-such-topology",
        ),
        pytest.param(
            wanting("podAffinity", term(ZONE, selector(app="me")), labels={"app": "me"}),
            "n0 n1 n2 n3",
            "",
            id="the-first-of-a-series",
        ),
        pytest.param(
            wanting("podAffinity", term(ZONE, selector(app="me"))),
            "",
            "node(s) didn't match pod affinity rules",
            id="not-one-of-the-series",
        ),
        pytest.param(
            wanting("podAffinity", term(ZONE, selector(app="db"), namespaces=["other"])),
            "",
            "node(s) didn't match pod affinity rules",
            id="another-namespace",
        ),
        pytest.param(
            wanting("podAffinity", term(ZONE, selector(app="db"), namespaceSelector={})),
            "n0 n2",
            "node(s) didn't match pod affinity rules",
            id="all-namespaces",
        ),
        pytest.param(
            wanting(
                "podAffinity",
                term(ZONE, selector(app="db"), namespaceSelector=selector(team="a")),
            ),
            "n0 n2",
            "node(s) didn't match pod affinity rules",
            id="namespaces-by-label",
        ),
        pytest.param(
            wanting(
                "podAffinity",
                term(ZONE, selector(app="db"), matchLabelKeys=["rev"]),
                labels={"rev": "2"},
            ),
            "",
            "node(s) didn't match pod affinity rules",
            id="another-revision",
        ),
        pytest.param(
            wanting(
                "podAntiAffinity",
                term(ZONE, selector(app="db"), mismatchLabelKeys=["rev"]),
                labels={"rev": "1"},
            ),
            "n0 n1 n2 n3",
            "",
            id="all-but-the-own-revision",
        ),
        pytest.param(
            pod("p", labels={"app": "hated"}),
            "n1 n2 n3",
            "node(s) didn't satisfy existing pods anti-affinity rules",
            id="symmetry",
        ),
    ],
)
def test_required_terms_choose_nodes(wants: Object, expected: str, reason: str) -> None:
    """A database on n0 in zone z1, that will not share its host with the hated."""
    database = pod(
        "db",
        labels={"app": "db", "rev": "1"},
        on="n0",
        affinity={"podAntiAffinity": {REQUIRED: [term(HOST, selector(app="hated"))]}},
    )
    space = thing("default", namespace=None, metadata={"labels": {"team": "a"}})
    snapshot = Snapshot(nodes=zoned(4, ["z1", "z2"]), pods=[database], namespaces=[space])
    assert feasible(snapshot, wants) == expected
    rejections = {found for found in filter_all(snapshot, wants).values() if found}
    assert {found.reasons for found in rejections} == ({(reason,)} if reason else set())
    attracted = reason == "node(s) didn't match pod affinity rules"
    assert all(found.resolvable is not attracted for found in rejections)


def test_one_pod_must_match_all_affinity_terms() -> None:
    """Two pods that match one term each do not do."""
    wants = wanting("podAffinity", term(ZONE, selector(a="")), term(ZONE, selector(b="")))
    nodes = zoned(2, ["z1", "z2"])
    apart = [pod("a", labels={"a": ""}, on="n0"), pod("b", labels={"b": ""}, on="n0")]
    assert feasible(Snapshot(nodes=nodes, pods=apart), wants) == ""
    both = [pod("ab", labels={"a": "", "b": ""}, on="n0")]
    assert feasible(Snapshot(nodes=nodes, pods=both), wants) == "n0"


def test_preferred_terms_of_both_sides_are_scored() -> None:
    """Weights add by domain; required affinity of others counts 1; scaled from least to most."""
    mine = {
        "podAffinity": {PREFERRED: [weighted(8, term(ZONE, selector(app="db")))]},
        "podAntiAffinity": {PREFERRED: [weighted(3, term(HOST, selector(app="noise")))]},
    }
    wants = pod("p", labels={"app": "me"}, affinity=mine)
    pods = [
        pod("db", labels={"app": "db"}, on="n0"),
        pod("noise", labels={"app": "noise"}, on="n1"),
        pod(
            "fan",
            on="n2",
            affinity={"podAffinity": {REQUIRED: [term(HOST, selector(app="me"))]}},
        ),
    ]
    # n0: 8; n1: -3; n2: 8 + 1; n3: 0. From -3 to 9: 91, 0, 100, 25; twice.
    snapshot = Snapshot(nodes=zoned(4, ["z1", "z2"]), pods=pods)
    assert points("InterPodAffinity", snapshot, wants) == [182, 0, 200, 50]
    indifferent = pod("q", labels={"app": "me"})
    assert points("InterPodAffinity", snapshot, indifferent) == [0, 0, 200, 0]
    unweighted = Profile(hard_affinity_weight=0)
    assert points("InterPodAffinity", snapshot, indifferent, unweighted) == [0, 0, 0, 0]
    ignoring = Profile(ignore_preferred_terms_of_others=True)
    assert points("InterPodAffinity", snapshot, indifferent, ignoring) == [0, 0, 0, 0]
