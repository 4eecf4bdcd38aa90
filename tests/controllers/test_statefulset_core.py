"""Tables for what a StatefulSet decides, without a store.

https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from orchestrator.controllers._revisions import (
    in_order,
    resolve_revision,
    revision_data,
    revision_hash,
    surplus,
    template_of,
)
from orchestrator.controllers.plans import Creation, Plan, Update
from orchestrator.controllers.statefulset.census import Member, judge
from orchestrator.controllers.statefulset.core import HASH_LABEL, Observed, decide_stateful_set
from orchestrator.controllers.statefulset.identity import parse_pod_name, with_claims
from orchestrator.controllers.statefulset.retention import owned_claim
from orchestrator.controllers.statefulset.roster import fitting
from orchestrator.controllers.statefulset.row import Row, Terms
from orchestrator.controllers.statefulset.updating import most_unavailable, plan_update
from orchestrator.resources.objects import Object
from orchestrator.resources.selectors import label_selector

SELECTOR = label_selector({"matchLabels": {"app": "web"}})


def build(**spec: Any) -> Object:
    """Build a StatefulSet as the store would hold it."""
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "v1"}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "web", "namespace": "default", "uid": "set", "generation": 1},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template,
            "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            **spec,
        },
    }


def pod(ordinal: int, state: str = "ready", revision: str = "new") -> Object:
    """Build a pod; its state is ready, unready, ending, pending, failed, or ready@SECONDS."""
    word, _, since = state.partition("@")
    ready = word in {"ready", "ending"}
    phase = {"pending": "Pending", "failed": "Failed"}.get(word, "Running")
    condition = {
        "type": "Ready",
        "status": "True" if ready else "False",
        "lastTransitionTime": f"1970-01-01T00:00:{int(since or 0):02}Z",
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"web-{ordinal}",
            "namespace": "default",
            "uid": f"pod-{ordinal}",
            "labels": {
                "app": "web",
                "statefulset.kubernetes.io/pod-name": f"web-{ordinal}",
                "controller-revision-hash": revision,
            },
            **({"deletionTimestamp": "1970-01-01T00:00:09Z"} if word == "ending" else {}),
        },
        "spec": {"containers": []},
        "status": {"phase": phase, "conditions": [condition]},
    }


def member(ordinal: int, state: str = "ready", revision: str = "new") -> Member:
    """Judge a pod as the controller does."""
    return judge(pod(ordinal, state, revision), "web", SELECTOR)


def row_of(
    stateful_set: Object,
    members: Iterable[Member],
    now: float = 50,
    claim: Callable[[str], Object | None] = lambda _: None,
) -> Row:
    """Line up pods as the controller does."""
    spec = stateful_set["spec"]
    terms = Terms(
        (spec.get("ordinals") or {}).get("start", 0),
        spec["replicas"],
        spec.get("minReadySeconds", 0),
    )
    row = Row(terms, fitting(stateful_set, claim))
    for one in members:
        row.put(one, now)
    return row


def revision(stateful_set: Object, name: str = "new", number: int = 1) -> Object:
    """Build the ControllerRevision of a set's present template."""
    data = revision_data(stateful_set["spec"]["template"])
    return {"metadata": {"name": name, "uid": name}, "data": data, "revision": number}


def decide(stateful_set: Object, *members: Member, now: float = 50, **claims: Object) -> Plan:
    """Decide with the set's revision written down."""

    def claim(name: str) -> Object | None:
        return claims.get(name.replace("-", "_"))

    observed = Observed(
        row=row_of(stateful_set, members, now, claim),
        revisions=[revision(stateful_set)],
        revision=lambda _: None,
        claim=claim,
    )
    return decide_stateful_set(stateful_set, observed, now)


def told(plan: Plan) -> str:
    """Return what a plan does with pods: +made -deleted, in order."""
    made = [f"+{one.object['metadata']['name'][4:]}" for one in plan.create]
    gone = [f"-{one.object['metadata']['name'][4:]}" for one in plan.delete]
    return " ".join([*made, *gone])


@pytest.mark.parametrize(
    ("states", "ordered", "parallel"),
    [
        ("", "+0", "+0 +1 +2"),
        ("ready", "+1", "+1 +2"),
        ("pending", "", "+1 +2"),
        ("unready", "", "+1 +2"),
        ("ending", "", "+1 +2"),
        ("failed", "-0", "+1 +2 -0"),
        ("ready failed ready", "-1", "-1"),
        ("ready ready ready", "", ""),
        ("ready ready ready ready", "-3", "-3"),
        ("ready ready ready ready ready", "-4", "-4 -3"),
        ("ready ready ready ready unready", "-4", "-4 -3"),
        ("ready ready ready unready unready", "", "-4 -3"),
        ("ready ready ready ready ending", "", "-3"),
        ("unready ready ready ready", "", "-3"),
        ("ready ready ending ready", "", "-3"),
    ],
)
def test_what_is_made_and_deleted_for_three_replicas(
    states: str, ordered: str, parallel: str
) -> None:
    """One at a time and in order, or all at once."""
    members = [member(ordinal, state) for ordinal, state in enumerate(states.split())]
    assert told(decide(build(), *members)) == ordered
    assert told(decide(build(podManagementPolicy="Parallel"), *members)) == parallel


@pytest.mark.parametrize(
    ("start", "there", "result"),
    [(0, [0, 1, 2], ""), (2, [0, 1, 2], "+3"), (1, [0, 1, 2, 3], "-0"), (5, [], "+5")],
)
def test_the_row_begins_at_the_first_ordinal(start: int, there: list[int], result: str) -> None:
    """With ordinals.start pods have the ordinals from it on; others are scaled away.

    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#start-ordinal
    """
    stateful_set = build(ordinals={"start": start})
    assert told(decide(stateful_set, *(member(ordinal) for ordinal in there))) == result


def test_a_set_that_is_being_deleted_does_nothing_but_report() -> None:
    """Its pods go with it by the garbage collector."""
    stateful_set = build()
    stateful_set["metadata"]["deletionTimestamp"] = "1970-01-01T00:00:09Z"
    plan = decide(stateful_set, member(0))
    assert told(plan) == ""
    assert [update.subresource for update in plan.update] == ["status"]


@pytest.mark.parametrize(
    ("policy", "pods", "strategy", "result"),
    [
        ("OrderedReady", "old old old", {"partition": 0}, [2]),
        ("OrderedReady", "old old new", {"partition": 0}, [1]),
        ("OrderedReady", "old old old", {"partition": 2}, [2]),
        ("OrderedReady", "old old new", {"partition": 2}, []),
        ("OrderedReady", "old old old", {"maxUnavailable": 2}, [2, 1]),
        ("OrderedReady", "old old old", {"maxUnavailable": "34%"}, [2]),
        ("OrderedReady", "new new new", {"maxUnavailable": 3}, []),
        ("Parallel", "old old new!", {"maxUnavailable": 1}, []),
        ("Parallel", "old old! new", {"maxUnavailable": 1}, [1]),
        ("Parallel", "old! old! old", {"maxUnavailable": 1}, [1]),
        ("Parallel", "old! old old", {"maxUnavailable": 2}, [0, 2]),
        ("Parallel", "old old -", {"maxUnavailable": 2}, [1]),
        ("Parallel", "old! old old", {"partition": 1}, []),
    ],
)
def test_which_pods_make_way_for_the_new_revision(
    policy: str, pods: str, strategy: Object, result: list[int]
) -> None:
    """From the highest ordinal down to the partition, within maxUnavailable; ! is unavailable."""
    stateful_set = build(
        podManagementPolicy=policy,
        updateStrategy={"type": "RollingUpdate", "rollingUpdate": strategy},
    )
    members = (
        member(index, "unready" if word.endswith("!") else "ready", word.rstrip("!"))
        for index, word in enumerate(pods.split())
        if word != "-"
    )
    victims = plan_update(stateful_set, row_of(stateful_set, members), "new", 500)
    assert [one.ordinal for one in victims] == result


@pytest.mark.parametrize(
    ("value", "replicas", "most"),
    [(None, 10, 1), (3, 10, 3), ("30%", 10, 3), ("35%", 10, 3), ("1%", 10, 1), ("100%", 4, 4)],
)
def test_shares_of_unavailable_pods_are_rounded_down_but_never_to_none(
    value: Any, replicas: int, most: int
) -> None:
    """The absolute number is calculated from the percentage; it can't be 0."""
    rolling = {"maxUnavailable": value} if value is not None else {}
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    assert most_unavailable(build(updateStrategy=strategy), replicas) == most


def test_a_pod_is_available_when_it_was_ready_long_enough() -> None:
    """The next pod waits for minReadySeconds, and the controller wakes up when they are over."""
    stateful_set = build(minReadySeconds=30)
    plan = decide(stateful_set, member(0, "ready@40"), now=50)
    assert told(plan) == ""
    assert plan.requeue_after == 20
    (update,) = plan.update
    assert update.new["status"]["readyReplicas"] == 1
    assert update.new["status"]["availableReplicas"] == 0
    assert told(decide(stateful_set, member(0, "ready@40"), now=70)) == "+1"


@pytest.mark.parametrize(
    ("deleted", "scaled", "condemned", "owner"),
    [
        ("Retain", "Retain", False, None),
        ("Retain", "Retain", True, None),
        ("Delete", "Retain", False, "set"),
        ("Delete", "Retain", True, "set"),
        ("Retain", "Delete", False, None),
        ("Retain", "Delete", True, "pod-0"),
        ("Delete", "Delete", False, "set"),
        ("Delete", "Delete", True, "pod-0"),
    ],
)
@pytest.mark.parametrize("before", ["none", "set", "pod-0", "foreign"])
def test_who_owns_a_claim(
    deleted: str, scaled: str, condemned: bool, owner: str | None, before: str
) -> None:
    """The four retention policies, from whatever owned the claim before.

    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention
    """
    policy = {"whenDeleted": deleted, "whenScaled": scaled}
    stateful_set = build(persistentVolumeClaimRetentionPolicy=policy)
    metadata: Object = {"name": "data-web-0"}
    if before != "none":
        metadata["ownerReferences"] = [{"uid": before, "kind": "X", "name": "x"}]
    claim = {"metadata": metadata}
    result = owned_claim(claim, stateful_set, pod(0), condemned=condemned)
    owners = {ref["uid"] for ref in result["metadata"].get("ownerReferences") or ()}
    assert owners - {"foreign"} == ({owner} if owner else set())
    assert ("foreign" in owners) == (before == "foreign")
    assert owned_claim(result, stateful_set, pod(0), condemned=condemned) is result


def test_a_claim_that_something_else_controls_is_left_to_it() -> None:
    """The retention policy is ignored for such a claim."""
    policy = {"whenDeleted": "Delete", "whenScaled": "Delete"}
    stateful_set = build(persistentVolumeClaimRetentionPolicy=policy)
    references = [{"uid": "other", "controller": True}, {"uid": "set", "controller": True}]
    claim = {"metadata": {"name": "c", "ownerReferences": references}}
    result = owned_claim(claim, stateful_set, pod(0), condemned=False)
    assert result["metadata"]["ownerReferences"] == references[:1]


def test_claims_are_made_before_the_pod_that_uses_them() -> None:
    """A pod is written only when all of its claims are there and not about to go."""
    stateful_set = build(volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": {}}])
    plan = decide(stateful_set)
    assert [one.resource for one in plan.create] == ["persistentvolumeclaims"]
    assert plan.requeue_after is None
    claim: Object = {"metadata": {"name": "data-web-0", "uid": "c"}}
    assert told(decide(stateful_set, data_web_0=claim)) == "+0"
    claim["metadata"]["deletionTimestamp"] = "1970-01-01T00:00:09Z"
    assert told(decide(stateful_set, data_web_0=claim)) == ""


def test_a_claim_of_the_name_s_last_pod_is_waited_for() -> None:
    """With whenScaled: Delete it goes with that pod; the next one gets a new claim."""
    policy = {"whenDeleted": "Retain", "whenScaled": "Delete"}
    stateful_set = build(
        volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": {}}],
        persistentVolumeClaimRetentionPolicy=policy,
    )
    reference = {"kind": "Pod", "name": "web-0", "uid": "earlier"}
    claim = {"metadata": {"name": "data-web-0", "uid": "c", "ownerReferences": [reference]}}
    assert told(decide(stateful_set, data_web_0=claim)) == ""


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("web-0", ("web", 0)),
        ("a-b-12", ("a-b", 12)),
        ("web-01", None),
        ("web-", None),
        ("web", None),
        ("web-2147483648", None),
        ("web--1", ("web-", 1)),
    ],
)
def test_ordinals_are_read_off_names(name: str, parsed: tuple[str, int] | None) -> None:
    """Only the name that the set would give counts."""
    assert parse_pod_name(name) == parsed


def test_a_claim_takes_the_place_of_a_volume_of_its_name() -> None:
    """Volumes of the template with other names stay."""
    stateful_set = build(volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": {}}])
    volumes = [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]
    assert with_claims(stateful_set, 4, volumes) == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-4"}},
        {"name": "tmp", "emptyDir": {}},
    ]


# -- revisions -----------------------------------------------------------------------------


def test_a_revision_is_a_patch_that_replaces_the_template() -> None:
    """What kubectl sends to undo a rollout, with its keys in upstream's order."""
    template = {"spec": {"containers": []}, "metadata": {"labels": {"app": "web"}}}
    data = revision_data(template)
    assert data == {"spec": {"template": {**template, "$patch": "replace"}}}
    assert list(data["spec"]["template"]) == ["$patch", "metadata", "spec"]
    assert template_of({"data": data}) == template


def test_hashes_are_upstream_s() -> None:
    """FNV-1 of the JSON and the collision count, in an alphabet that spells no words."""
    assert revision_hash({}, 0) == _fnv(b"{}0")
    assert revision_hash({"a": "<&>"}, 1) == _fnv(b'{"a":"\\u003c\\u0026\\u003e"}1')


def _fnv(text: bytes) -> str:
    value = 2166136261
    for byte in text:
        value = value * 16777619 % 2**32 ^ byte
    return "".join("bcdfghjklmnpqrstvwxz2456789"[ord(digit) % 27] for digit in str(value))


def test_a_new_template_gets_the_next_number() -> None:
    """A revision that is not there yet is created, owned, labelled and annotated as its set."""
    stateful_set = build()
    stateful_set["metadata"]["annotations"] = {"kubernetes.io/change-cause": "why"}
    other = revision(build(template={"spec": {}}), "old", 4)
    resolved = resolve_revision(stateful_set, [other], HASH_LABEL, lambda _: None)
    assert isinstance(resolved.write, Creation)
    made = resolved.revision
    hashed = made["metadata"]["labels"][HASH_LABEL]
    assert made["metadata"]["name"] == f"web-{hashed}"
    assert made["revision"] == 5
    assert made["metadata"]["labels"] == {"app": "web", HASH_LABEL: hashed}
    assert made["metadata"]["annotations"] == {"kubernetes.io/change-cause": "why"}
    assert made["metadata"]["ownerReferences"][0]["uid"] == "set"


def test_a_template_that_was_there_before_is_renumbered() -> None:
    """Rolling back makes the old revision the newest; nothing is created."""
    stateful_set = build()
    old = revision(stateful_set, "old", 1)
    newer = revision(build(template={"spec": {}}), "newer", 7)
    resolved = resolve_revision(stateful_set, [old, newer], HASH_LABEL, lambda _: None)
    assert isinstance(resolved.write, Update)
    assert (resolved.revision["metadata"]["name"], resolved.revision["revision"]) == ("old", 8)


def test_a_name_that_is_taken_counts_as_a_collision() -> None:
    """Another name is tried until one is free; the count goes into the status."""
    stateful_set = build()
    foreign = revision(build(template={"spec": {}}), "foreign")
    first = resolve_revision(stateful_set, [], HASH_LABEL, lambda _: None)
    taken = {first.revision["metadata"]["name"]: foreign}
    resolved = resolve_revision(stateful_set, [], HASH_LABEL, taken.get)
    assert resolved.collisions == 1
    assert resolved.revision["metadata"]["name"] not in taken
    observed = Observed(
        row=row_of(stateful_set, []),
        revisions=[],
        revision=taken.get,
        claim=lambda _: None,
        burst=500,
    )
    plan = decide_stateful_set(stateful_set, observed, 0)
    assert [one.resource for one in plan.create] == ["controllerrevisions.apps"]
    assert plan.update[0].new["status"]["collisionCount"] == 1


@pytest.mark.parametrize(
    ("limit", "deleted"), [(None, []), (3, []), (2, ["a"]), (0, ["a", "b", "d"]), (-1, [])]
)
def test_the_lowest_revisions_that_nobody_uses_go_first(
    limit: int | None, deleted: list[str]
) -> None:
    """Those in use do not count against the limit."""
    numbers = {"d": 4, "a": 1, "c": 3, "b": 2}
    revisions = in_order(
        {"metadata": {"name": name}, "revision": number} for name, number in numbers.items()
    )
    gone = surplus(revisions, {"c"}, limit)
    assert [one.object["metadata"]["name"] for one in gone] == deleted
