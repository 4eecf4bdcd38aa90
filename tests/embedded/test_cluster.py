"""A cluster inside a program: started, used, moved through time, taken down."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from actors.testing import virtual
from orchestrator import Cluster
from orchestrator.embedded import ApplyError, ClusterError, WaitTimeoutError
from orchestrator.resources.errors import StatusError
from tests.embedded.kit import EPOCH, config_map, deployment, on_a_real_loop

CRON_JOB = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "nightly"},
    "spec": {
        "schedule": "0 * * * *",
        "jobTemplate": {
            "spec": {
                "template": {
                    "metadata": {"annotations": {"simulation.orchestrator/run-seconds": "5"}},
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [{"name": "main", "image": "work"}],
                    },
                }
            }
        },
    },
}


def fetch(url: str) -> Any:
    """Return the JSON document at a URL."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # loopback
        return json.load(answer)


@on_a_real_loop
async def test_a_deployment_becomes_available_without_a_word_about_time() -> None:
    """The shortest program there is."""
    async with Cluster() as cluster:
        await cluster.apply(deployment())
        found = await cluster.wait("deployment/web", "Available")
        assert found is not None
        assert found["status"]["availableReplicas"] == 2
        assert len(await cluster.api.list("pods", labels="app=web")) == 2


@on_a_real_loop
async def test_the_clock_stands_until_it_is_told_to_advance() -> None:
    """Real time is nothing to it; a virtual hour fires a CronJob and ends its pod."""
    async with Cluster(epoch=EPOCH, listen=None) as cluster:
        before = cluster.clock.now()
        await cluster.apply(CRON_JOB)
        await asyncio.sleep(0.05)
        assert cluster.clock.now() == before == EPOCH
        assert await cluster.api.list("jobs") == []
        await cluster.clock.advance(hours=1, seconds=10)
        assert cluster.clock.now() == EPOCH + 3610
        (job,) = await cluster.api.list("jobs")
        assert job["status"]["succeeded"] == 1
        await cluster.clock.advance(days=1)
        assert cluster.clock.time.isoformat() == "2026-01-02T01:00:10+00:00"


async def find_more(obj: Any) -> bool:
    """Stand for a condition that would have to be awaited."""
    return bool(obj)


@on_a_real_loop
async def test_time_passes_until_the_api_says_so() -> None:
    """A condition may be awaited: a coroutine is not taken for something true."""
    async with Cluster(epoch=EPOCH, listen=None) as cluster:
        await cluster.apply(CRON_JOB)
        jobs = await cluster.clock.advance_until(lambda: cluster.api.list("jobs"), hours=2)
        assert len(jobs) == 1
        assert EPOCH + 3600 <= cluster.clock.now() < EPOCH + 3700
        with pytest.raises(ValueError, match="find_more is async"):
            await cluster.wait("jobs", find_more)
        with pytest.raises(TimeoutError, match="within 5 s"):
            await cluster.clock.advance_until(lambda: cluster.api.find("jobs", "no"), seconds=5)


@on_a_real_loop
async def test_waiting_moves_time_as_far_as_it_needs() -> None:
    """A pod that gets ready after ninety seconds is waited for ninety seconds, not longer."""
    async with Cluster(epoch=EPOCH, listen=None) as cluster:
        slow = deployment(replicas=1)
        slow["spec"]["template"]["metadata"]["annotations"] = {
            "simulation.orchestrator/start-seconds": "90"
        }
        await cluster.apply(slow)
        await cluster.wait("deployment/web", "Available", timeout=300)
        assert 90 <= cluster.clock.now() - EPOCH < 91


@on_a_real_loop
async def test_who_waits_in_vain_is_told_how_things_stand() -> None:
    """The conditions, and the object's last Events."""
    async with Cluster(nodes=1, listen=None) as cluster:
        huge = deployment("huge", replicas=1)
        container = huge["spec"]["template"]["spec"]["containers"][0]
        container["resources"] = {"requests": {"cpu": "4000"}}
        await cluster.apply(huge)
        before = cluster.clock.now()
        with pytest.raises(WaitTimeoutError) as caught:
            await cluster.wait("pods", "Ready", labels="app=huge", timeout=20)
        assert cluster.clock.now() == before + 20
        text = str(caught.value)
        assert text.startswith("pods did not come to Ready within 20 s of the cluster's time\n")
        assert "PodScheduled=False (Unschedulable)" in text
        assert "FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu." in text
        with pytest.raises(WaitTimeoutError, match="it does not exist"):
            await cluster.wait("deployment/none", timeout=1)


@on_a_real_loop
async def test_any_client_reaches_it_at_its_url_or_by_its_kubeconfig() -> None:
    """Plain HTTP on a loopback port; the kubeconfig goes with the cluster."""
    async with Cluster() as cluster:
        await cluster.apply(config_map(colour="green"))
        found = await asyncio.to_thread(
            fetch, f"{cluster.url}/api/v1/namespaces/default/configmaps/settings"
        )
        assert found["data"] == {"colour": "green"}
        path = cluster.kubeconfig
        assert yaml.safe_load(path.read_text())["clusters"][0]["cluster"]["server"] == cluster.url
        url = cluster.url
    assert not path.exists()
    with pytest.raises(OSError, match="refused"):
        await asyncio.to_thread(fetch, url)


@on_a_real_loop
async def test_it_may_listen_on_a_unix_socket(tmp_path: Path) -> None:
    """For its user only; the socket goes with the cluster."""
    path = tmp_path / "api.sock"
    async with Cluster(listen=path):
        assert path.stat().st_mode & 0o777 == 0o600
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b'"gitVersion"' in await reader.read()
        writer.close()
        await writer.wait_closed()
    assert not path.exists()


@on_a_real_loop
async def test_one_seed_and_one_epoch_give_one_history() -> None:
    """Names, uids and timestamps, to the byte."""

    async def live() -> list[Any]:
        async with Cluster(seed=7, epoch=EPOCH, listen=None) as cluster:
            await cluster.apply([deployment(replicas=3), CRON_JOB])
            await cluster.wait("deployment/web", "Available")
            await cluster.clock.advance(hours=2, minutes=1)
            await cluster.api.scale("deployment", "web", 1)
            await cluster.clock.advance(minutes=1)
            store = cluster.store
            return [cluster.seed, cluster.version] + [
                obj for kind in store.registry.kinds() for obj in store.list(kind.resource)
            ]

    first, second = await live(), await live()
    assert len(first) > 60
    assert first == second


@virtual
async def test_automatic_time_moves_when_all_is_quiet() -> None:
    """On a loop of virtual time it is the loop's own."""
    async with Cluster(time="auto") as cluster:
        before = cluster.clock.now()
        await asyncio.sleep(3600)
        assert cluster.clock.now() - before == pytest.approx(3600)


@on_a_real_loop
async def test_automatic_time_moves_for_whoever_waits() -> None:
    """On an ordinary loop: for a sleep on the cluster's clock, and for a watch."""
    async with Cluster(time="auto", epoch=EPOCH) as cluster:
        await cluster.clock.sleep(7200)
        assert cluster.clock.now() == EPOCH + 7200
        await cluster.apply(CRON_JOB)
        async with cluster.api.watch("jobs") as events:
            async for event in events:
                if event.object.get("status", {}).get("succeeded"):
                    break
        assert EPOCH + 3 * 3600 <= cluster.clock.now() < EPOCH + 3 * 3600 + 60


@on_a_real_loop
async def test_what_cannot_be_is_refused_with_what_to_do() -> None:
    """Before anything is started, where possible."""
    with pytest.raises(ClusterError, match="processes live in real time"):
        Cluster(runtime="process", time="manual")
    with pytest.raises(ClusterError, match="goes without ports"):
        Cluster(time="auto", listen="https")
    with pytest.raises(ClusterError, match="leave epoch out"):
        async with Cluster(time="real", epoch=EPOCH):
            pass
    with pytest.raises(ClusterError, match="is not started: async with"):
        Cluster().url  # noqa: B018 - it raises
    async with Cluster(listen=None) as cluster:
        with pytest.raises(ClusterError, match="listens on no port"):
            cluster.url  # noqa: B018 - it raises
        with pytest.raises(ClusterError, match="started before"):
            await cluster.start()
        with pytest.raises(ValueError, match="time does not go back"):
            await cluster.clock.advance(-1)


@on_a_real_loop
async def test_sources_of_all_shapes_are_applied_in_a_workable_order(tmp_path: Path) -> None:
    """Text, files, a directory, lists and lists of lists; namespaces before what is in them."""
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(config_map("from-directory")))
    (tmp_path / "a.json").write_text(json.dumps(config_map("from-json")))
    (tmp_path / "notes.txt").write_text("no manifest")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "team"},
        "spec": {"containers": [{"name": "main", "image": "web:1"}]},
    }
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    async with Cluster(listen=None) as cluster:
        applied = await cluster.apply(
            [
                {"apiVersion": "v1", "kind": "List", "items": [pod, namespace]},
                yaml.safe_dump_all([config_map("one"), config_map("two")]),
                tmp_path,
            ]
        )
        assert applied[0]["metadata"]["name"] == "team"
        names = {obj["metadata"]["name"] for obj in await cluster.api.list("configmaps")}
        assert {"one", "two", "from-directory", "from-json"} <= names
        await cluster.wait("pod/p", "Ready", namespace="team")
        await cluster.delete([pod, namespace, config_map("one"), config_map("never-was")])
        await cluster.wait("namespace/team", "delete", timeout=60)
        assert await cluster.api.find("configmaps", "one") is None


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("missing.yaml", "missing.yaml: no such file"),
        ("kind: Pod\nmetadata: {}\n", "document 1 of the argument has no apiVersion"),
        ([{"apiVersion": "v1"}], "item 0 of the argument has no kind"),
        ("a: [\n", "the argument is no YAML"),
        ("a: 1\na: 2\n", 'the argument is no YAML: line 2: key "a" already set in map'),
        ("", "the argument is an empty text"),
        (7, "the argument is a int"),
    ],
)
@on_a_real_loop
async def test_what_is_no_object_is_refused_with_its_place(source: Any, complaint: str) -> None:
    """Nothing of it is applied."""
    async with Cluster(nodes=0, listen=None) as cluster:
        with pytest.raises(ApplyError) as caught:
            await cluster.apply(source)
        assert str(caught.value).startswith(complaint)


@on_a_real_loop
async def test_yaml_is_read_as_kubectl_reads_it(tmp_path: Path) -> None:
    """A date stays text, keys become text, and files are UTF-8 whatever the computer's language."""
    text = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  annotations: {since: 2026-01-01, until: 2026-01-02T03:04:05Z}
data: {1: "größer"}
"""
    (tmp_path / "settings.yaml").write_text(text, encoding="utf-8")
    async with Cluster(nodes=0, listen=None) as cluster:
        for source in (text, tmp_path):
            (settings,) = await cluster.apply(source)
            annotations = {"since": "2026-01-01", "until": "2026-01-02T03:04:05Z"}
            assert settings["metadata"]["annotations"] == annotations
            assert settings["data"] == {"1": "größer"}


@on_a_real_loop
async def test_kinds_go_by_the_names_that_kubectl_knows() -> None:
    """And an unknown one is refused in its words."""
    async with Cluster(nodes=1, listen=None) as cluster:
        for name in ("deploy", "Deployment", "deployments.apps", "deployments.v1.apps"):
            assert cluster.api.kind(name).kind == "Deployment"
        with pytest.raises(StatusError, match='doesn\'t have a resource type "nonsense"'):
            await cluster.api.list("nonsense")
