"""Snapshots of an embedded cluster, and the way back to them."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import json
import random
import time
import uuid
from typing import Any

import httpx
import pytest

from orchestrator import Cluster
from orchestrator.embedded import ClusterError
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Key, Object, name_of, namespace_of
from orchestrator.store.codec import Decoder, unpack_key
from tests.embedded.kit import config_map, deployment, on_a_real_loop
from tests.embedded.test_images import pod
from tests.embedded.test_travel_past import WIDGETS


def state_of(cluster: Cluster) -> dict[tuple[str, str, str], Object]:
    """Return all objects without what a restore may change."""
    return {key: plain(obj) for key, obj in cluster.store.objects().items()}


def plain(obj: Object) -> Object:
    """Return an object without its version."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    return {**obj, "metadata": metadata}


def assert_same(found: dict[Any, Object], wanted: dict[Any, Object]) -> None:
    """Compare, and name what differs rather than print two clusters."""
    assert set(found) == set(wanted)
    differing = {key: (found[key], wanted[key]) for key in wanted if found[key] != wanted[key]}
    assert differing == {}


def service(name: str, **spec: Any) -> Object:
    """Build a Service."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "web"}, **spec},
    }


@on_a_real_loop
async def test_all_objects_are_as_they_were_with_their_uids_and_stay_so() -> None:
    """Changed, deleted and new ones; nothing of it moves when the controllers have looked."""
    async with Cluster(listen=None) as cluster:
        await cluster.apply([config_map("a", x="1"), config_map("b"), deployment("web")])
        await cluster.wait("deployment/web", "Available")
        await cluster.clock.settle()
        wanted, before = state_of(cluster), cluster.clock.now()
        snap = await cluster.snapshot()
        assert snap.version == cluster.version
        await cluster.apply(
            [config_map("a", x="2"), config_map("c"), deployment("web", replicas=5)]
        )
        await cluster.apply(deployment("other"))
        await cluster.api.delete("cm", "b")
        await cluster.wait("deployment/web", "Available")
        await cluster.api.delete("deployment", "web")
        await cluster.clock.advance(minutes=2)
        version = cluster.version
        await cluster.restore(snap)
        assert_same(state_of(cluster), wanted)
        assert cluster.version > version
        versions = {int(obj["metadata"]["resourceVersion"]) for obj in cluster.store.list("pods")}
        assert min(versions) > version
        await cluster.clock.settle()
        assert_same(state_of(cluster), wanted)
        assert cluster.clock.now() == before + 120
        await cluster.clock.advance(minutes=1)
        pods = await cluster.api.list("pods")
        assert {pod["metadata"]["uid"] for pod in pods} == {
            obj["metadata"]["uid"] for key, obj in wanted.items() if key[0] == "pods"
        }
        assert {pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods} == {0}


@on_a_real_loop
async def test_the_cluster_goes_on_from_what_was_put_back() -> None:
    """Controllers, scheduler and nodes work on it, as often as one comes back."""
    async with Cluster(listen=None) as cluster:
        await cluster.apply(deployment("web"))
        await cluster.wait("deployment/web", "Available")
        snap = await cluster.snapshot()
        for turn in range(3):
            await cluster.api.patch("deployment", "web", {"spec": {"replicas": 4 + turn}})
            await cluster.wait(
                "deployment/web", f"jsonpath={{.status.availableReplicas}}={4 + turn}"
            )
            await cluster.restore(snap)
            assert len(await cluster.api.list("pods")) == 2
        (pod, _) = await cluster.api.list("pods")
        await cluster.api.delete("pod", pod["metadata"]["name"])
        await cluster.clock.advance(minutes=1)
        pods = await cluster.api.list("pods")
        assert len(pods) == 2
        assert pod["metadata"]["uid"] not in {item["metadata"]["uid"] for item in pods}
        assert all(item["status"]["phase"] == "Running" for item in pods)


@on_a_real_loop
async def test_watches_from_before_end_with_410_and_lists_of_then_are_refused() -> None:
    """A restore is nothing that clients can follow: they list anew, also where nothing changed."""
    async with Cluster(listen=None) as cluster:
        await cluster.apply(config_map("a", x="1"))
        snap = await cluster.snapshot()
        before = cluster.version
        await cluster.apply(config_map("a", x="2"))
        ends: dict[str, list[Any]] = {"configmaps": [], "secrets": []}

        async def watch(kind: str) -> None:
            try:
                async with cluster.client() as api, api.watch(kind) as events:
                    async for event in events:
                        ends[kind].append(event)
            except StatusError as error:
                ends[kind].append(error)

        tasks = [asyncio.create_task(watch(kind)) for kind in ends]
        await cluster.clock.settle()
        await cluster.restore(snap)
        await asyncio.wait_for(asyncio.gather(*tasks), 10)
        for kind, seen in ends.items():
            assert is_expired(seen[-1]), (kind, seen[-1])
        store = cluster.store
        with pytest.raises(StatusError) as refused:
            store.list_page("configmaps", resource_version=str(before), match="Exact")
        assert refused.value.code == 410
        assert cluster.at(before).get("cm", "a")["data"] == {"x": "1"}
        later = cluster.version
        await cluster.apply(config_map("a", x="3"))
        (event,) = store.follow(["configmaps"], lambda: None, after=later).take()
        assert event.object["data"] == {"x": "3"}


@on_a_real_loop
async def test_a_watch_over_http_gets_410_and_one_from_the_list_after_it_goes_on() -> None:
    """As a client outside sees it, also for a kind of which nothing was put back."""
    async with Cluster() as cluster, httpx.AsyncClient(base_url=cluster.url, timeout=10) as http:
        await cluster.apply(config_map("a", x="1"))
        snap = await cluster.snapshot()
        await cluster.apply(config_map("a", x="2"))

        async def only_line(plural: str, version: int, began: asyncio.Event) -> Any:
            query = {"watch": "1", "resourceVersion": str(version)}
            async with http.stream("GET", f"/api/v1/{plural}", params=query) as answer:
                began.set()
                (line,) = [line async for line in answer.aiter_lines()]
                return json.loads(line)

        begun = [asyncio.Event() for _ in range(4)]
        plurals = ("configmaps", "secrets", "configmaps", "secrets")
        watches = [
            asyncio.create_task(only_line(plural, cluster.version, event))
            for plural, event in zip(plurals, begun, strict=True)
        ]
        for event in begun:
            await event.wait()
        await asyncio.sleep(0)
        await cluster.restore(snap)
        for seen in await asyncio.gather(*watches):
            assert (seen["type"], seen["object"]["code"]) == ("ERROR", 410)
            assert seen["object"]["reason"] == "Expired"
        listed = (await http.get("/api/v1/configmaps")).json()
        version = listed["metadata"]["resourceVersion"]
        await cluster.apply(config_map("a", x="3"))
        async with cluster.api.watch("configmaps", since=version) as events:
            assert (await anext(events)).object["data"] == {"x": "3"}
        late = await only_line("configmaps", snap.version, asyncio.Event())
        assert late["object"]["code"] == 410


def is_expired(seen: Any) -> bool:
    """Tell whether a watch was told to list again."""
    if isinstance(seen, StatusError):
        return seen.code == 410 and seen.reason == "Expired"
    return bool(seen.type == "ERROR" and seen.object["code"] == 410)


@on_a_real_loop
async def test_addresses_ports_quotas_and_namespaces_come_out_right() -> None:
    """What was given out since is free again; what was given back is held again."""
    async with Cluster(listen=None) as cluster:
        quota = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "few"},
            "spec": {"hard": {"configmaps": "2"}},
        }
        await cluster.apply([service("one", type="NodePort", clusterIP="10.96.9.9"), quota])
        (one,) = [s for s in await cluster.api.list("services") if s["metadata"]["name"] == "one"]
        port = one["spec"]["ports"][0]["nodePort"]
        await cluster.clock.settle()
        snap = await cluster.snapshot()
        await cluster.api.delete("service", "one")
        taken = service("two", type="NodePort", clusterIP="10.96.9.9")
        taken["spec"]["ports"][0]["nodePort"] = port
        await cluster.apply([taken, service("three", clusterIP="10.96.9.8")])
        await cluster.apply([config_map("a"), config_map("b")])
        await cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}})
        await cluster.apply(config_map("a"), namespace="new")
        with pytest.raises(StatusError, match="exceeded quota"):
            await cluster.apply(config_map("c"))
        await cluster.restore(snap)
        with pytest.raises(StatusError, match="already allocated"):
            await cluster.apply(taken)
        await cluster.apply(service("three", clusterIP="10.96.9.8"))
        await cluster.apply([config_map("a"), config_map("b")])
        with pytest.raises(StatusError, match="exceeded quota"):
            await cluster.apply(config_map("c"))
        with pytest.raises(StatusError, match='namespaces "new" not found'):
            await cluster.apply(config_map("a"), namespace="new")


@on_a_real_loop
async def test_custom_kinds_come_and_go_with_their_definitions() -> None:
    """A kind made since is not served; one that went is, with its objects."""
    async with Cluster(listen=None) as cluster:
        widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "one"}}
        without = await cluster.snapshot()
        await cluster.apply([WIDGETS, {**widget, "size": 1}])
        await cluster.clock.settle()
        there = await cluster.snapshot()
        await cluster.restore(without)
        with pytest.raises(StatusError, match="doesn't have a resource type"):
            await cluster.api.list("widgets")
        await cluster.restore(there)
        (found,) = await cluster.api.list("widgets")
        assert found["size"] == 1
        await cluster.apply({**widget, "size": 2})
        await cluster.restore(there)
        assert (await cluster.api.get("widget", "one"))["size"] == 1


@on_a_real_loop
async def test_tokens_of_accounts_hold_where_their_account_is() -> None:
    """One that was deleted comes back with its uid; one made since is gone."""
    async with Cluster(listen=None) as cluster:
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}
        bare = await cluster.snapshot()
        await cluster.apply(account)
        snap = await cluster.snapshot()
        made = await cluster.api.get("serviceaccount", "robot")
        token = cluster.core.accounts.issue(made, str(uuid.UUID(int=1))).token

        async def holds() -> bool:
            review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
            asked = await cluster.api.create({**review, "metadata": {}, "spec": {"token": token}})
            return bool(asked["status"].get("authenticated"))

        assert await holds()
        await cluster.api.delete("serviceaccount", "robot")
        await cluster.restore(snap)
        assert await holds()
        await cluster.restore(bare)
        assert not await holds()


@on_a_real_loop
async def test_events_since_are_gone_and_told_anew() -> None:
    """Nothing that was still to be written comes after the restore, and counts begin again."""
    async with Cluster(listen=None) as cluster:
        snap = await cluster.snapshot()
        wanted = await cluster.api.list("events")
        for _ in range(2):
            await cluster.apply(deployment("web", replicas=3))
            await cluster.wait("deployment/web", "Available")
            await cluster.clock.advance(seconds=5)
            events = await cluster.api.list("events")
            counts = [e["count"] for e in events if e["reason"] == "ScalingReplicaSet"]
            assert counts == [1]
            await cluster.restore(snap)
            await cluster.clock.advance(seconds=5)
            assert await cluster.api.list("events") == wanted


@on_a_real_loop
async def test_nodes_live_as_they_did() -> None:
    """One that crashed is back with its pods, one that was added is gone, one that went is here."""
    async with Cluster(listen=None) as cluster:
        await cluster.apply(deployment("web", replicas=6))
        await cluster.wait("deployment/web", "Available")
        await cluster.clock.advance(seconds=30)
        snap, wanted = await cluster.snapshot(), state_of(cluster)
        for minutes in (0, 10):
            await cluster.nodes["node-1"].crash()
            await cluster.nodes["node-2"].remove()
            await cluster.nodes["node-3"].partition()
            await cluster.nodes.add()
            await cluster.clock.advance(minutes=minutes)
            await cluster.restore(snap)
            assert_same(state_of(cluster), wanted)
            await cluster.clock.settle()
            assert_same(state_of(cluster), wanted)
            assert set(cluster.core.nodes.names) == {"node-1", "node-2", "node-3"}
        await cluster.clock.advance(minutes=10)
        for pod in await cluster.api.list("pods"):
            assert pod["status"]["phase"] == "Running"
            assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
        await cluster.nodes["node-1"].crash()
        down = await cluster.snapshot()
        await cluster.nodes["node-1"].recover()
        await cluster.restore(down)
        assert cluster.core.nodes.fallen == ("node-1",)
        node = await cluster.wait("node/node-1", "Ready=Unknown", timeout=120)
        assert node is not None


@on_a_real_loop
async def test_functions_of_images_run_again_after_a_restore_and_in_a_fork() -> None:
    """From their beginning, once, with no restart to be seen; those of pods that are gone end."""
    running: list[str] = []

    async with Cluster(listen=None, nodes=1) as cluster:

        @cluster.image("worker:1")
        async def worker(container: Any) -> None:
            name = container.env.get("WHO", "?")
            running.append(name)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                running.remove(name)

        def pod(name: str) -> Object:
            main = {"name": "main", "image": "worker:1", "env": [{"name": "WHO", "value": name}]}
            metadata = {"name": name}
            return {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": metadata,
                "spec": {"containers": [main]},
            }

        await cluster.apply(pod("a"))
        await cluster.wait("pod/a", "Ready")
        snap, wanted = await cluster.snapshot(), state_of(cluster)
        await cluster.api.delete("pod", "a")
        await cluster.apply(pod("b"))
        await cluster.wait("pod/b", "Ready")
        await cluster.clock.advance(minutes=1)
        assert running == ["b"]
        await cluster.restore(snap)
        await cluster.clock.settle()
        assert running == ["a"]
        assert_same(state_of(cluster), wanted)
        async with await cluster.fork() as fork:
            await fork.clock.settle()
            assert running == ["a", "a"]
            found = await fork.api.get("pod", "a")
            assert found["status"]["containerStatuses"][0]["restartCount"] == 0
        assert running == ["a"]


@on_a_real_loop
async def test_a_snapshot_is_put_back_in_its_own_cluster_of_simulated_nodes_only() -> None:
    """Elsewhere uids, keys and addresses are others; processes cannot be undone."""
    async with Cluster(listen=None) as one, Cluster(listen=None) as other:
        with pytest.raises(ClusterError, match="another cluster"):
            await other.restore(await one.snapshot())


OPERATIONS = ("map", "unmap", "scale", "drop", "job", "time", "kill", "stateful", "daemon", "label")


async def do_something(cluster: Cluster, chance: random.Random) -> None:
    """Change something at random."""
    name = chance.choice("abc")
    web = deployment(name, replicas=chance.randrange(4))
    job: Object = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"job-{name}"},
        "spec": {
            "completions": 2,
            "template": {
                "metadata": {"annotations": {"simulation.orchestrator/run-seconds": "5"}},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "main", "image": "work"}],
                },
            },
        },
    }
    stateful = {**web, "kind": "StatefulSet", "metadata": {"name": f"set-{name}"}}
    daemon: Object = {**web, "kind": "DaemonSet", "metadata": {"name": f"daemon-{name}"}}
    daemon["spec"] = {key: web["spec"][key] for key in ("selector", "template")}
    match chance.choice(OPERATIONS):
        case "map":
            await cluster.apply(config_map(name, x=str(chance.random())))
        case "unmap":
            await cluster.delete(config_map(name))
        case "scale":
            await cluster.apply(web)
        case "drop":
            await cluster.delete(chance.choice((web, job, stateful, daemon)))
        case "job" if await cluster.api.find("job", f"job-{name}") is None:
            await cluster.apply(job)
        case "kill":
            for pod in (await cluster.api.list("pods"))[:2]:
                with contextlib.suppress(StatusError):  # one of its own may have been quicker
                    await cluster.api.delete("pod", pod["metadata"]["name"])
        case "stateful":
            await cluster.apply(stateful)
        case "daemon":
            await cluster.apply(daemon)
        case "label":
            for pod in (await cluster.api.list("pods"))[:1]:
                patch = {"metadata": {"labels": {"x": str(chance.randrange(9))}}}
                with contextlib.suppress(StatusError):
                    await cluster.api.patch("pod", pod["metadata"]["name"], patch)
        case _:
            await cluster.clock.advance(chance.choice((0.5, 3.0, 40.0)))


@pytest.mark.parametrize("seed", range(4))
@on_a_real_loop
async def test_whatever_happens_a_restore_equals_its_snapshot(seed: int) -> None:
    """Up to versions; indexes agree with it, and the cluster comes to rest as it should."""
    chance = random.Random(seed)
    async with Cluster(listen=None, nodes=2, seed=seed) as cluster:
        for _ in range(3):
            for _ in range(8):
                await do_something(cluster, chance)
            await cluster.clock.settle()
            snap, wanted = await cluster.snapshot(), state_of(cluster)
            for _ in range(2):
                for _ in range(8):
                    await do_something(cluster, chance)
                await cluster.restore(snap)
                assert_same(state_of(cluster), wanted)
                assert_indexes(cluster)
        assert_same(await folded(cluster), dict(cluster.store.objects()))
        await cluster.clock.advance(minutes=10)
        for pod in cluster.store.list("pods"):
            assert pod["status"]["phase"] in ("Running", "Succeeded"), pod["status"]
        for kind in ("deployments.apps", "statefulsets.apps"):
            for obj in cluster.store.list(kind):
                want = obj["spec"]["replicas"]
                assert obj["status"].get("readyReplicas", 0) == want, obj
        for job in cluster.store.list("jobs.batch"):
            assert job["status"]["succeeded"] == 2, job


async def folded(cluster: Cluster) -> dict[Any, Object]:
    """Read the log from its beginning to its end."""
    assert cluster._core is not None
    decoder = Decoder()
    found: dict[Any, Object] = {}
    async for records in cluster._core.log.read():
        for sequence, text, data in records:
            key = unpack_key(text)
            obj = decoder.fold(sequence, key, data, found.pop(key, None))
            if obj is not None:
                found[key] = obj
    return found


def assert_indexes(cluster: Cluster) -> None:
    """What is looked up by owner and by node is what all objects say."""
    pods = cluster.store.list("pods")
    for node in ("node-1", "node-2"):
        mine = [pod for pod in pods if pod["spec"].get("nodeName") == node]
        assert sorted(map(id, cluster.store.by_node(node))) == sorted(map(id, mine))
    owned: dict[str, set[Key]] = {}
    for key, obj in cluster.store.objects().items():
        for reference in obj["metadata"].get("ownerReferences") or ():
            owned.setdefault(reference["uid"], set()).add(key)
    for uid, keys in owned.items():
        assert set(cluster.store.keys_by_owner(uid)) == keys
    for kind in ("pods", "configmaps"):
        listed = [(namespace_of(obj), name_of(obj)) for obj in cluster.store.list(kind)]
        assert listed == sorted(key[1:] for key in cluster.store.objects() if key[0] == kind)


@on_a_real_loop
async def test_to_make_everything_anew_takes_less_long_than_a_copy_of_it() -> None:
    """In processor time, the best of some runs; see benchmarks/embedded.py for milliseconds."""
    async with Cluster(listen=None, nodes=5) as cluster:
        await cluster.apply(deployment("web", replicas=100))
        await cluster.wait("deployment/web", "Available")
        await cluster.apply([config_map(f"c{n}", x="1") for n in range(400)])
        await cluster.clock.settle()
        snap = await cluster.snapshot()
        objects = list(cluster.store.objects().values())
        taken, copied = [], []
        for _ in range(3):
            await cluster.delete([config_map(f"c{n}") for n in range(400)])
            await cluster.api.delete("deployment", "web")
            await cluster.clock.advance(minutes=2)
            began = time.process_time()
            await cluster.restore(snap)
            taken.append(time.process_time() - began)
            began = time.process_time()
            copy.deepcopy(objects)
            copied.append(time.process_time() - began)
        assert min(taken) < min(copied) * 0.6
        assert gc.isenabled()


@on_a_real_loop
async def test_the_collector_stays_as_it_was_whatever_comes_of_a_restore() -> None:
    """Off where the program has turned it off, on where the restore fails."""
    async with Cluster(listen=None, nodes=1) as cluster:
        snap = await cluster.snapshot()
        await cluster.apply(config_map("a"))
        gc.disable()
        try:
            await cluster.restore(snap)
            assert not gc.isenabled()
        finally:
            gc.enable()
        await cluster.apply(config_map("a"))
        assert cluster._core is not None
        await cluster._core.log.close()
        with pytest.raises(StatusError, match="refused the write"):
            await cluster.restore(snap)
        assert gc.isenabled()


@on_a_real_loop
async def test_what_containers_have_done_is_undone_where_their_pods_are_as_they_were() -> None:
    """Functions begin anew, and what ends after some time has the rest that it had."""
    async with Cluster(listen=None, nodes=1) as cluster:
        seen: list[int] = []

        @cluster.image("worker:1")
        async def worker(container: Any) -> None:
            for count in range(1000):
                seen.append(count)
                await container.sleep(10)

        def pod(name: str, image: str, **annotations: str) -> Object:
            spec = {"restartPolicy": "Never", "containers": [{"name": "main", "image": image}]}
            marks = {
                f"simulation.orchestrator/{key}-seconds": it for key, it in annotations.items()
            }
            metadata = {"name": name, "annotations": marks}
            return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}

        await cluster.apply([pod("a", "worker:1"), pod("b", "work", run="60")])
        await cluster.clock.advance(25)
        snap, wanted = await cluster.snapshot(), state_of(cluster)
        for _ in range(2):
            await cluster.clock.advance(30)
            await cluster.restore(snap)
            assert_same(state_of(cluster), wanted)
            await cluster.clock.settle()
            assert_same(state_of(cluster), wanted)
            assert seen[-1] == 0
        await cluster.clock.advance(34)
        assert (await cluster.api.get("pod", "b"))["status"]["phase"] == "Running"
        await cluster.clock.advance(2)
        assert (await cluster.api.get("pod", "b"))["status"]["phase"] == "Succeeded"
        assert (await cluster.api.get("pod", "a"))["status"]["phase"] == "Running"
        assert seen[-4:] == [0, 1, 2, 3]


def timed(name: str) -> Object:
    """Build a pod, of which an image of its name tells what it does in time."""
    spec = {
        "restartPolicy": "Never",
        "containers": [{"name": "main", "image": f"{name}:1"}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


async def left_of(cluster: Cluster) -> dict[str, float]:
    """Return in how many seconds each timed pod gets to where its image takes it."""
    began, left = cluster.clock.now(), {}
    for name, wanted in (
        ("ends", "jsonpath={.status.phase}=Succeeded"),
        ("crashes", "jsonpath={.status.phase}=Failed"),
        ("begins", "jsonpath={.status.phase}=Running"),
        ("readies", "Ready"),
    ):
        await cluster.wait(f"pod/{name}", wanted, timeout=120)
        left[name] = cluster.clock.now() - began
    return left


@on_a_real_loop
async def test_a_snapshot_after_a_restore_gives_back_the_time_that_its_containers_had_left() -> (
    None
):
    """Their stored start says by then that they are older than they have been let be."""
    async with Cluster(listen=None, nodes=1, epoch=0) as cluster:
        cluster.image("ends:1", run_seconds=60)
        cluster.image("crashes:1", crash_after=70)
        cluster.image("begins:1", start_seconds=80)
        cluster.image("readies:1", ready_seconds=90)
        await cluster.apply([timed(name) for name in ("ends", "crashes", "begins", "readies")])
        whole = {"ends": 60.0, "crashes": 70.0, "begins": 80.0, "readies": 90.0}

        def after(seconds: float) -> dict[str, float]:
            return {name: turn - seconds for name, turn in whole.items()}

        await cluster.clock.advance(25)
        first = await cluster.snapshot()
        await cluster.clock.advance(100)
        await cluster.restore(first)
        await cluster.clock.advance(10)
        await cluster.apply(config_map())
        version, second = cluster.version, await cluster.snapshot()
        await cluster.clock.advance(20)
        await cluster.restore(second)
        async with await cluster.fork() as fork:
            assert await left_of(fork) == after(35)
        assert await left_of(cluster) == after(35)
        await cluster.restore(first)
        assert await left_of(cluster) == after(25)
        await cluster.restore(second)
        await cluster.clock.advance(5)
        third = await cluster.snapshot()
        await cluster.clock.advance(5)
        await cluster.restore(third)
        assert await left_of(cluster) == after(40)
        async with await cluster.fork(version) as fork:  # where delays begin anew
            assert await left_of(fork) == after(35) | {"begins": 80.0, "readies": 80.0}


@on_a_real_loop
async def test_images_do_again_what_they_did() -> None:
    """What a test says of images is no concern of the next one; a snapshot serves many."""
    async with Cluster(listen=None, nodes=1) as cluster:
        first = await cluster.snapshot()
        cluster.image("web:1", run_seconds=5, exit_code=0)
        second = await cluster.snapshot()
        one = pod("one", "web:1")
        for _ in range(2):
            cluster.image("web:1", refuse="ErrImagePull: not found")
            cluster.image("*", refuse="ErrImagePull: not found either")
            await cluster.restore(second)
            await cluster.apply(one)
            await cluster.wait("pod/one", "jsonpath={.status.phase}=Succeeded")
            await cluster.restore(first)
            assert not cluster.images
            await cluster.apply(one)
            await cluster.clock.advance(60)
            assert (await cluster.api.get("pods", "one"))["status"]["phase"] == "Running"
