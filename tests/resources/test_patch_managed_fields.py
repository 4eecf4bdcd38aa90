"""managedFields of ordinary writes."""

from __future__ import annotations

import copy
from typing import Any

from orchestrator.resources.definitions import definitions
from orchestrator.resources.patches import track_update, with_managed_fields
from orchestrator.resources.patches.managed_fields import ANCIENT, MAX_UPDATERS

DEPLOYMENT = definitions().definition("io.k8s.api.apps.v1.Deployment")
SERVICE = definitions().definition("io.k8s.api.core.v1.Service")
NOW = 1_700_000_000.0


def deployment(**spec: Any) -> dict[str, Any]:
    """Return a Deployment."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "uid": "1", "labels": {"app": "web"}},
        "spec": spec,
    }


def write(
    old: dict[str, Any] | None,
    new: dict[str, Any],
    manager: str,
    *,
    now: float = NOW,
    sub: str = "",
) -> dict[str, Any]:
    """Track a write and return the object with its entries."""
    before = copy.deepcopy((old, new))
    entries = track_update(old, new, DEPLOYMENT, manager, now, sub)
    assert (old, new) == before
    return with_managed_fields(new, entries)


def sets(obj: dict[str, Any]) -> dict[str, Any]:
    """Return what each manager owns."""
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"]["managedFields"]}


def test_a_create_owns_all_it_sets() -> None:
    """As upstream records it, dots included: in what is optional, not in what always is there."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default", "creationTimestamp": "x"},
        "spec": {
            "selector": {"app": "web"},
            "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        },
        "status": {"loadBalancer": {}},
    }
    [entry] = track_update(None, service, SERVICE, "kubectl-create", NOW)
    assert entry["fieldsV1"] == {
        "f:spec": {
            "f:selector": {},
            "f:ports": {
                ".": {},
                'k:{"port":80,"protocol":"TCP"}': {
                    ".": {},
                    "f:port": {},
                    "f:protocol": {},
                    "f:targetPort": {},
                },
            },
        }
    }
    assert (entry["operation"], entry["manager"]) == ("Update", "kubectl-create")


def test_an_update_owns_what_it_changes() -> None:
    """The one who had it before loses it; its time stays."""
    live = write(None, deployment(replicas=1, paused=False), "a")
    new = write(live, {**live, "spec": {"replicas": 2, "paused": False}}, "b", now=NOW + 60)
    assert sets(new) == {
        "a": {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": {"f:paused": {}}},
        "b": {"f:spec": {"f:replicas": {}}},
    }
    times = {entry["manager"]: entry["time"] for entry in new["metadata"]["managedFields"]}
    assert times == {"a": "2023-11-14T22:13:20Z", "b": "2023-11-14T22:14:20Z"}


def test_removed_fields_are_owned_by_nobody() -> None:
    """A manager with nothing left disappears."""
    live = write(None, deployment(replicas=1), "a")
    live = write(live, {**live, "spec": {"replicas": 1, "paused": True}}, "b")
    live = write(live, {**live, "spec": {"replicas": 1}}, "c")
    assert set(sets(live)) == {"a"}


def test_a_write_without_change_keeps_the_entries() -> None:
    """The very same list, so that a write of the same is a write of nothing."""
    live = write(None, deployment(replicas=1), "a")
    entries = track_update(live, copy.deepcopy(live), DEPLOYMENT, "b", NOW + 60)
    assert entries == live["metadata"]["managedFields"]


def test_subresources_are_managers_of_their_own() -> None:
    """A controller that writes spec and status is two entries, each with its part."""
    live = write(None, deployment(replicas=1), "ctl")
    new = {**live, "status": {"replicas": 1}, "spec": {"replicas": 5}}
    live = write(live, new, "ctl", sub="status")
    entries = live["metadata"]["managedFields"]
    assert [entry.get("subresource") for entry in entries] == [None, "status"]
    assert entries[1]["fieldsV1"] == {"f:status": {".": {}, "f:replicas": {}}} or entries[1][
        "fieldsV1"
    ] == {"f:status": {"f:replicas": {}}}


def test_an_untracked_object_stays_untracked() -> None:
    """Internal writers leave no entries, and an update by a user does not start them."""
    old = deployment(replicas=1)
    assert track_update(old, deployment(replicas=2), DEPLOYMENT, "a", NOW) == []


def test_one_empty_entry_resets() -> None:
    """An empty list does not, so that clients unaware of the field do no harm."""
    live = write(None, deployment(replicas=1), "a")
    reset = {**live, "metadata": {**live["metadata"], "managedFields": [{}]}}
    assert track_update(live, reset, DEPLOYMENT, "a", NOW) == []
    emptied = {**live, "metadata": {**live["metadata"], "managedFields": []}}
    kept = track_update(live, emptied, DEPLOYMENT, "a", NOW)
    assert kept == live["metadata"]["managedFields"]


def test_entries_rewritten_by_a_client_are_honoured() -> None:
    """Kubectl moves fields between managers when it migrates from client-side apply."""
    live = write(None, deployment(replicas=1), "kubectl-client-side-apply")
    [entry] = live["metadata"]["managedFields"]
    moved = [{**entry, "manager": "kubectl", "operation": "Apply"}]
    new = {**live, "metadata": {**live["metadata"], "managedFields": moved}}
    assert track_update(live, new, DEPLOYMENT, "kubectl", NOW) == moved


def test_malformed_entries_are_replaced_by_those_stored() -> None:
    """A client cannot break an object by sending nonsense."""
    live = write(None, deployment(replicas=1), "a")
    for nonsense in ([{"manager": "x"}], [7], [{"operation": "Apply", "fieldsV1": {"spec": 3}}]):
        new = {**live, "metadata": {**live["metadata"], "managedFields": nonsense}}
        kept = track_update(live, new, DEPLOYMENT, "a", NOW)
        assert kept == live["metadata"]["managedFields"]


def test_updaters_are_capped() -> None:
    """The oldest share one entry; no field loses its record."""
    live = write(None, deployment(), "first")
    names = [f"f{index}" for index in range(MAX_UPDATERS + 5)]
    for index, name in enumerate(names):
        labels = {**live["metadata"]["labels"], name: "x"}
        new = {**live, "metadata": {**live["metadata"], "labels": labels}}
        live = write(live, new, name, now=NOW + index)
    owners = sets(live)
    assert len(owners) == MAX_UPDATERS
    assert ANCIENT in owners
    found = {key for fields in owners.values() for key in fields["f:metadata"]["f:labels"]}
    assert found >= {f"f:{name}" for name in names}


def test_duplicate_items_do_not_confuse_tracking() -> None:
    """Environment variables may stand twice; a change of either is a change of both."""
    twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]

    def with_env(env: list[dict[str, str]]) -> dict[str, Any]:
        return deployment(template={"spec": {"containers": [{"name": "c", "env": env}]}})

    live = write(None, with_env(twice), "a")
    changed = with_env([twice[0], {"name": "A", "value": "3"}])
    changed["metadata"] = live["metadata"]
    new = write(live, changed, "b")
    assert "b" in sets(new)
