"""Faults of the API, as clients outside meet them: over sockets, in protobuf, from kubectl."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, watch

from orchestrator import Cluster
from tests.embedded.kit import config_map, on_a_real_loop

JSON = {"Content-Type": "application/json"}


def open_(url: str, accept: str = "application/json") -> Any:
    """Open a URL on the loopback address."""
    request = urllib.request.Request(url, headers={"Accept": accept})
    return urllib.request.urlopen(request, timeout=10)


@on_a_real_loop
async def test_a_client_that_tries_again_on_conflict_gets_through() -> None:
    """The official Python client, with the loop that everybody writes."""
    async with Cluster(nodes=0) as cluster:
        await cluster.apply(config_map(count="0"))

        refusals = []

        def increment() -> int:
            api = client.CoreV1Api(config.new_client_from_config(str(cluster.kubeconfig)))
            for tries in range(1, 6):
                found = api.read_namespaced_config_map("settings", "default")
                found.data["count"] = str(int(found.data["count"]) + 1)
                try:
                    api.replace_namespaced_config_map("settings", "default", found)
                except client.ApiException as error:
                    refusals.append((error.status, json.loads(error.body)["reason"]))
                else:
                    return tries
            return 0

        with cluster.faults.api(verb="update", kind="ConfigMap", error=409, times=2) as fault:
            assert await asyncio.to_thread(increment) == 3
        assert refusals == [(409, "Conflict")] * 2
        assert fault.hits == 2
        found = await cluster.api.get("cm", "settings")
        assert found["data"] == {"count": "1"}


@on_a_real_loop
async def test_kubectl_tries_again_on_conflict_and_tells_of_what_it_cannot_help(
    tmp_path: Path,
) -> None:
    """``kubectl apply`` patches again; other clients are left alone."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("there is no kubectl")
    path = tmp_path / "settings.json"

    async with Cluster(nodes=0) as cluster:

        def run(colour: str) -> subprocess.CompletedProcess[str]:
            path.write_text(json.dumps(config_map(colour=colour)))
            command = (kubectl or "", "--kubeconfig", str(cluster.kubeconfig), "apply", "-f", path)
            return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

        assert "created" in (await asyncio.to_thread(run, "green")).stdout
        with cluster.faults.api(
            verb="patch", kind="ConfigMap", user_agent="kubectl*", error=409, times=1
        ) as fault:
            done = await asyncio.to_thread(run, "blue")
        assert (fault.hits, fault.seen) == (1, 2)
        assert (done.returncode, done.stderr) == (0, "")
        found = await cluster.api.get("cm", "settings")
        assert found["data"] == {"colour": "blue"}
        with cluster.faults.api(verb="patch", kind="ConfigMap", error=500):
            done = await asyncio.to_thread(run, "red")
        assert done.returncode == 1
        assert "Internal error occurred: a fault was injected" in done.stderr


@on_a_real_loop
async def test_answers_over_a_socket_have_their_headers_and_break_off_for_good() -> None:
    """``Retry-After``, a reset before and after the write, and real seconds of latency."""
    async with Cluster(nodes=0) as cluster:
        url = f"{cluster.url}/api/v1/namespaces/default/configmaps"

        def status(expected: int) -> Any:
            with pytest.raises(urllib.error.HTTPError) as caught:
                open_(url)
            caught.value.close()
            assert caught.value.code == expected
            return caught.value.headers.get("Retry-After")

        def broken(method: str, data: bytes | None = None) -> None:
            request = urllib.request.Request(url, data, JSON, method=method)
            with pytest.raises(ConnectionResetError):
                urllib.request.urlopen(request, timeout=10)

        with cluster.faults.api(error=429, retry_after=5):
            assert await asyncio.to_thread(status, 429) == "5"
        with cluster.faults.api(error=503):
            assert await asyncio.to_thread(status, 503) is None
        with cluster.faults.api(error="reset") as fault:
            await asyncio.to_thread(broken, "GET")
        assert fault.hits == 1
        with cluster.faults.api(error="reset-after-write"):
            await asyncio.to_thread(broken, "POST", json.dumps(config_map()).encode())
        assert await cluster.api.find("cm", "settings") is not None
        loop = asyncio.get_running_loop()
        before = loop.time()
        with cluster.faults.api(latency=0.05):
            await asyncio.to_thread(open_, url)
        assert loop.time() - before >= 0.05


@on_a_real_loop
async def test_open_watches_over_a_socket_go_stale_and_catch_up_and_are_cut() -> None:
    """Those that share their events with others too: their bytes are pushed, not sent."""
    async with Cluster(nodes=0) as cluster:
        url = f"{cluster.url}/api/v1/namespaces/default/configmaps?watch=1&resourceVersion="
        url += str(cluster.version)
        watches = [await asyncio.to_thread(open_, url) for _ in range(2)]

        async def read(at: int) -> str:
            line = await asyncio.to_thread(watches[at].readline)
            name: str = json.loads(line)["object"]["metadata"]["name"]
            return name

        await cluster.api.create(config_map("one"))
        assert [await read(0), await read(1)] == ["one", "one"]
        with cluster.faults.api(kind="configmaps", stale_watch=True, times=1) as fault:
            await cluster.api.create(config_map("two"))
            assert await read(1) == "two"
            reading = asyncio.create_task(read(0))
            await asyncio.sleep(0.05)
            assert not reading.done()
            await cluster.api.create(config_map("three"))
            assert await read(1) == "three"
        assert fault.hits == 1
        assert [await reading, await read(0)] == ["two", "three"]
        with cluster.faults.api(kind="configmaps", drop_watch=True) as fault:
            assert fault.hits == 2
            for at in range(2):
                with pytest.raises((OSError, ValueError)):
                    await read(at)


@on_a_real_loop
async def test_the_end_of_a_cluster_waits_for_no_watch_that_is_held_back() -> None:
    """Nor does one whose client left meanwhile stay."""
    loop = asyncio.get_running_loop()
    async with Cluster(nodes=0) as cluster:
        url = f"{cluster.url}/api/v1/namespaces/default/configmaps?watch=1&resourceVersion="
        url += str(cluster.version)
        with cluster.faults.api(stale_watch=True):
            left = await asyncio.to_thread(open_, url)
            await cluster.api.create(config_map("one"))
            await asyncio.to_thread(left.close)
        stale = cluster.faults.api(stale_watch=True).start()
        late = cluster.faults.api(delay_watch=3600).start()
        answers = [await asyncio.to_thread(open_, url) for _ in range(2)]
        assert min(stale.hits, late.hits) >= 2
        await cluster.api.create(config_map("two"))
        begin = loop.time()
    assert loop.time() - begin < 3
    for answer in answers:
        answer.close()


@on_a_real_loop
async def test_a_watch_whose_version_expired_begins_again_or_says_so() -> None:
    """The official Python client tries once more by itself, and then raises."""
    async with Cluster(nodes=0) as cluster:
        since = str(cluster.version)
        await cluster.api.create(config_map("one"))

        def first() -> str:
            api = client.CoreV1Api(config.new_client_from_config(str(cluster.kubeconfig)))
            events = watch.Watch().stream(
                api.list_namespaced_config_map, "default", resource_version=since
            )
            try:
                return str(next(events)["object"].metadata.name)
            finally:
                events.close()

        with cluster.faults.api(kind="configmaps", verb="watch", error=410, times=1) as fault:
            assert await asyncio.to_thread(first) == "one"
        assert fault.hits == 1
        with (
            cluster.faults.api(kind="configmaps", verb="watch", error=410),
            pytest.raises(client.ApiException, match="Expired: The resourceVersion"),
        ):
            await asyncio.to_thread(first)


@on_a_real_loop
async def test_watches_in_protobuf_are_told_in_protobuf() -> None:
    """As client-go's are that read built-in kinds; its frames are kept whole."""
    from orchestrator.api.protobuf import decode_object

    async with Cluster(nodes=0) as cluster:
        since = cluster.version
        url = f"{cluster.url}/api/v1/namespaces/default/configmaps?watch=1&resourceVersion={since}"
        await cluster.api.create(config_map("one"))
        await cluster.api.create(config_map("two"))

        def read() -> list[bytes]:
            frames = []
            with open_(url, "application/vnd.kubernetes.protobuf") as answer:
                while size := answer.read(4):
                    frames.append(answer.read(int.from_bytes(size, "big")))
            return frames

        with cluster.faults.api(error=410, events=1):
            first, last = await asyncio.to_thread(read)
        assert b"ADDED" in first
        assert b"one" in first
        assert b"ERROR" in last
        status = decode_object(last[last.index(b"k8s\x00") :])
        assert (status["code"], status["reason"]) == (410, "Expired")
