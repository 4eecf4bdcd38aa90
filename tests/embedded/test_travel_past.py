"""The past of an embedded cluster: read, compared, told revision by revision."""

from __future__ import annotations

import datetime as dt
import random

import pytest

from orchestrator import Cluster
from orchestrator.embedded.travel.changes import UnknownObjectError
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object
from orchestrator.store.history import VersionError
from tests.embedded.kit import EPOCH, config_map, deployment, on_a_real_loop

WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {
            "plural": "widgets",
            "singular": "widget",
            "kind": "Widget",
            "shortNames": ["wd"],
        },
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}


@on_a_real_loop
async def test_a_version_shows_what_was_there_then() -> None:
    """Changed and deleted objects are as they were; those made since are not there."""
    async with Cluster(listen=None, epoch=EPOCH) as cluster:
        await cluster.apply([config_map("a", x="1"), config_map("b", x="1")])
        before = cluster.version
        seen = {name: await cluster.api.get("configmap", name) for name in ("a", "b")}
        await cluster.apply([config_map("a", x="2"), config_map("c", x="1")])
        await cluster.api.delete("configmap", "b")
        past = cluster.at(before)
        assert past.get("cm", "a") == seen["a"]
        assert past.get("ConfigMap", "b") == seen["b"]
        assert past.find("configmaps", "c") is None
        with pytest.raises(StatusError, match='configmaps "c" not found'):
            past.get("configmaps", "c")
        now = cluster.at(cluster.version).list("cm", "default")
        assert [item["metadata"]["name"] for item in now if item.get("data", {}).get("x")] == [
            "a",
            "c",
        ]


@on_a_real_loop
async def test_the_past_is_listed_by_labels_fields_and_namespace() -> None:
    """As the present is; all namespaces unless one is given."""
    async with Cluster(listen=None, nodes=2) as cluster:
        await cluster.apply([deployment("web"), deployment("api", replicas=1)])
        await cluster.wait("deployment/web", "Available")
        await cluster.wait("deployment/api", "Available")
        version = cluster.version
        await cluster.delete([deployment("web"), deployment("api")])
        await cluster.clock.advance(minutes=1)
        assert await cluster.api.list("pods") == []
        past = cluster.at(version)
        assert len(past.list("po")) == 3
        assert len(past.list("pods", labels="app=web")) == 2
        assert len(past.list("pods", fields="status.phase=Running")) == 3
        assert past.list("pods", "kube-system") == []
        assert {item["metadata"]["name"] for item in past.list("nodes")} == {"node-1", "node-2"}
        assert past.time is not None


@on_a_real_loop
async def test_a_kind_whose_definition_is_gone_is_there_in_its_time() -> None:
    """Custom kinds come and go with the version looked at."""
    async with Cluster(listen=None) as cluster:
        before = cluster.version
        await cluster.apply(WIDGETS)
        widget = {
            "apiVersion": "example.com/v1",
            "kind": "Widget",
            "metadata": {"name": "one"},
            "size": 3,
        }
        await cluster.apply(widget)
        there = cluster.version
        await cluster.api.delete("crd", "widgets.example.com")
        await cluster.clock.advance(minutes=1)
        assert cluster.at(there).get("wd", "one")["size"] == 3
        for version in (before, cluster.version):
            with pytest.raises(StatusError, match="doesn't have a resource type"):
                cluster.at(version).list("widgets")
        assert [item.change for item in cluster.history("widget/one")][-1] == "removed"


@on_a_real_loop
async def test_versions_that_are_not_held_are_refused_with_those_that_are() -> None:
    """Of the future, of the time before a bounded history, and of a cluster that keeps none."""
    async with Cluster(listen=None, history=20_000) as cluster:
        last = cluster.version
        held = rf"{last + 1} is beyond the last one: versions \d+ to {last} are held"
        with pytest.raises(VersionError, match=held):
            cluster.at(last + 1)
        for turn in range(200):
            await cluster.apply(config_map("a", x=str(turn) * 50))
        with pytest.raises(VersionError, match=r"version 1 is no longer there: versions \d+ to"):
            cluster.at(1)
        assert cluster.at(cluster.version).get("cm", "a")["data"]["x"] == "199" * 50
        assert cluster.history("cm/a")[0].change == "held"
    async with Cluster(listen=None, history=0) as cluster:
        with pytest.raises(VersionError, match="keeps no history"):
            cluster.at(1)


@on_a_real_loop
async def test_two_versions_are_compared_field_by_field() -> None:
    """Added, removed, and changed objects with the paths and values; a text to read."""
    async with Cluster(listen=None, nodes=0) as cluster:
        await cluster.apply(deployment("web", replicas=0))
        await cluster.apply([config_map("a", x="1"), config_map("b")])
        await cluster.clock.settle()
        before = cluster.version
        web = deployment("web", replicas=0)
        web["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2"
        await cluster.apply([config_map("a", x="2", **{"y.z": "3"}), config_map("c"), web])
        await cluster.api.delete("cm", "b")
        after = cluster.version
        found = cluster.diff(before, after)
        assert [item.name for item in found.added] == ["configmap/c", "replicaset/web-5b954f7cf5"]
        assert [item.name for item in found.removed] == ["configmap/b"]
        changes = {}
        for item in found.changed:
            changes[item.name] = {field.path: (field.old, field.new) for field in item.fields}
        assert changes["configmap/a"]["data.x"] == ("1", "2")
        assert "data[y.z]" in changes["configmap/a"]
        path = "spec.template.spec.containers[main].image"
        assert changes["deployment/web"][path] == ("web:1", "web:2")
        assert "metadata.resourceVersion" not in changes["configmap/a"]
        text = str(found)
        assert "+ configmap/c (default)" in text
        assert '~ configmap/a (default)\n    data.x: "1" -> "2"\n    data[y.z]: + "3"' in text
        back = cluster.diff(after, before)
        assert [item.name for item in back.added] == ["configmap/b"]
        assert str(cluster.diff(after, after)) == (
            f"nothing differs between versions {after} and {after}"
        )


@on_a_real_loop
async def test_a_history_tells_who_changed_what_and_when() -> None:
    """Users with their field managers, and the cluster's own components by their names."""
    async with Cluster(listen=None, epoch=EPOCH) as cluster:
        await cluster.apply(deployment(replicas=1))
        await cluster.wait("deployment/web", "Available")
        await cluster.clock.advance(hours=1)
        async with cluster.client(user="alice", groups=("system:masters",)) as alice:
            await alice.patch("deployment", "web", {"spec": {"replicas": 2}})
        await cluster.wait("deployment/web", "Available")
        await cluster.api.delete("deployment", "web")
        found = cluster.history("deploy/web")
        assert found[0].change == "added"
        assert found[0].time == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        assert found[-1].change == "removed"
        (scaled,) = [item for item in found if "spec.replicas" in {f.path for f in item.fields}]
        assert scaled.user == "alice"
        assert scaled.manager
        assert scaled.time is not None
        assert scaled.time - found[0].time >= dt.timedelta(hours=1)
        assert {item.user for item in found} >= {"alice", "deployment-controller"}
        assert found[-1].object["spec"]["replicas"] == 2
        assert "by deployment-controller" in str(found)
        with pytest.raises(UnknownObjectError, match="near it were web"):
            cluster.history("deployment/wbe")
        with pytest.raises(UnknownObjectError, match="there was one in default"):
            cluster.history("deployment/web", "kube-system")
        with pytest.raises(ValueError, match="names no object"):
            cluster.history("deployments")


@pytest.mark.parametrize("seed", range(2))
@on_a_real_loop
async def test_whatever_was_seen_at_a_version_is_what_it_shows(seed: int) -> None:
    """Random creations, changes and deletions, some steps of time between."""
    chance = random.Random(seed)
    seen: dict[int, dict[str, dict[tuple[str, str], Object]]] = {}
    resources = ("configmaps", "pods", "deployments.apps", "events", "replicasets.apps", "nodes")
    async with Cluster(listen=None, nodes=2, seed=seed) as cluster:
        for _ in range(30):
            name = chance.choice("abc")
            match chance.randrange(5):
                case 0:
                    await cluster.apply(config_map(name, x=str(chance.random())))
                case 1:
                    await cluster.delete(config_map(name))
                case 2:
                    await cluster.apply(deployment(name, replicas=chance.randrange(3)))
                case 3:
                    await cluster.delete(deployment(name))
                case _:
                    await cluster.clock.advance(chance.choice((0.0, 1.0, 40.0)))
            seen[cluster.version] = {
                resource: {
                    (obj["metadata"].get("namespace", ""), obj["metadata"]["name"]): obj
                    for obj in cluster.store.list(resource)
                }
                for resource in resources
            }
        for version, state in seen.items():
            past = cluster.at(version)
            for resource, objects in state.items():
                plural = resource.partition(".")[0]
                found = past.list(plural)
                assert [id(obj) for obj in found] == [id(obj) for obj in objects.values()]
