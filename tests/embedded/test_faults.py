"""Faults of the API, as the cluster's own client meets them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from orchestrator import Cluster
from orchestrator.api.faults import ApiRequest
from orchestrator.resources.errors import StatusError
from tests.embedded.kit import EPOCH, config_map, deployment, on_a_real_loop


def pod(name: str, **labels: str) -> dict[str, Any]:
    """Build a pod."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [{"name": "main", "image": "web:1"}]},
    }


async def refused(request: Any) -> StatusError:
    """Await a request that is refused; returns how."""
    with pytest.raises(StatusError) as caught:
        await request
    return caught.value


@on_a_real_loop
async def test_an_update_conflicts_as_often_as_asked_and_then_gets_through() -> None:
    """In upstream's words, and only that verb, kind and name."""
    async with Cluster(nodes=1, listen=None) as cluster:
        api = cluster.api
        one = await api.create(config_map("settings", colour="green"))
        other = await api.create(config_map("other", colour="green"))
        with cluster.faults.api(
            verb="update", kind="ConfigMap", name="sett*", error=409, times=2
        ) as fault:
            await api.replace(other)
            for _ in range(2):
                error = await refused(api.replace(one))
                assert (error.code, error.reason) == (409, "Conflict")
                assert error.message == (
                    'Operation cannot be fulfilled on configmaps "settings": the object has been '
                    "modified; please apply your changes to the latest version and try again"
                )
                assert error.details == {"name": "settings", "kind": "configmaps"}
            await api.replace(one)
            assert (fault.hits, fault.seen) == (2, 3)
            assert cluster.faults.active == (fault,)
            assert "verb=update kind=ConfigMap name=sett* times=2 error=409" in repr(cluster.faults)
        assert repr(cluster.faults) == "<Faults: none>"


@on_a_real_loop
async def test_each_code_has_upstreams_reason_and_words() -> None:
    """What a client reads to decide whether to try again."""
    table = {
        400: "BadRequest",
        401: "Unauthorized",
        403: "Forbidden",
        404: "NotFound",
        405: "MethodNotAllowed",
        409: "AlreadyExists",
        410: "Expired",
        413: "RequestEntityTooLarge",
        415: "UnsupportedMediaType",
        422: "Invalid",
        429: "TooManyRequests",
        500: "InternalError",
        502: "",
        503: "ServiceUnavailable",
        504: "Timeout",
    }
    async with Cluster(nodes=0, listen=None) as cluster:
        api = cluster.api
        for code, reason in table.items():
            with cluster.faults.api(verb="create", kind="cm", error=code):
                error = await refused(api.create(config_map()))
            assert (error.code, error.reason) == (code, reason)
            assert error.message
        with cluster.faults.api(kind="cm", error="ServerTimeout", retry_after=7):
            error = await refused(api.get("cm", "settings"))
        assert (error.code, error.reason) == (500, "ServerTimeout")
        assert error.details == {"kind": "configmaps", "retryAfterSeconds": 7}
        with cluster.faults.api(error=StatusError(418, "Teapot", "short and stout")):
            error = await refused(api.get("cm", "settings"))
        assert (error.code, error.message) == (418, "short and stout")
        with cluster.faults.api(verb="create", kind="cm", error=409):
            error = await refused(api.create(config_map()))
        assert error.message == 'configmaps "settings" already exists'
        assert await api.find("cm", "settings") is None


@on_a_real_loop
async def test_an_answer_is_lost_after_the_write_or_the_request_before_it() -> None:
    """504 and reset, with and without what was asked having been done."""
    async with Cluster(nodes=0, listen=None) as cluster:
        api = cluster.api
        with cluster.faults.api(verb="write", error="timeout-after-write"):
            error = await refused(api.create(config_map("one")))
        assert (error.code, error.reason) == (504, "Timeout")
        with (
            cluster.faults.api(verb="write", error="reset-after-write"),
            pytest.raises(ConnectionResetError),
        ):
            await api.create(config_map("two"))
        with cluster.faults.api(verb="write", error="reset"), pytest.raises(ConnectionResetError):
            await api.create(config_map("three"))
        found = {obj["metadata"]["name"] for obj in await api.list("configmaps")}
        assert found >= {"one", "two"}
        assert "three" not in found


@on_a_real_loop
async def test_who_what_and_where_are_matched() -> None:
    """Users, clients, namespaces, subresources, and any function of the request."""
    async with Cluster(nodes=1, listen=None) as cluster:
        await cluster.apply([config_map(), deployment()])
        api = cluster.api
        async with cluster.client(user="jane", groups=("system:masters",)) as jane:
            with cluster.faults.api(verb="get", error=403):
                error = await refused(api.get("cm", "settings"))
            assert 'forbidden: User "kubernetes-admin" cannot get' in error.message
            with cluster.faults.api(user="ja*", error=403):
                error = await refused(jane.get("cm", "settings"))
                await api.get("cm", "settings")
            assert error.message == (
                'configmaps "settings" is forbidden: User "jane" cannot get resource "configmaps" '
                'in API group "" in the namespace "default"'
            )
        with cluster.faults.api(user_agent="kubectl*", error=500) as fault:
            await api.get("cm", "settings")
            assert fault.seen == 0
        with cluster.faults.api(namespace="kube-*", error=500):
            await api.get("cm", "settings")
            await refused(api.get("cm", "other", namespace="kube-system"))
        with cluster.faults.api(kind="deploy/scale", error=500) as fault:
            await api.get("deploy", "web")
            await refused(api.scale("deploy", "web", 3))
        assert fault.hits == 1
        seen: list[ApiRequest] = []

        def is_red(request: ApiRequest) -> bool:
            seen.append(request)
            return (request.body or {}).get("data") == {"colour": "red"}

        with cluster.faults.api(verb="create,apply", where=is_red, error=500):
            await api.apply(config_map(colour="blue"))
            await refused(api.apply(config_map(colour="red")))
        assert [(one.verb, one.user, one.inside) for one in seen] == [
            ("apply", "kubernetes-admin", True)
        ] * 2


@on_a_real_loop
async def test_which_of_the_requests_are_struck_is_counted_or_drawn() -> None:
    """After so many, every n-th, so many times; and by chance, which a seed repeats."""

    async def struck(cluster: Cluster, **schedule: Any) -> list[int]:
        found = []
        with cluster.faults.api(verb="get", kind="cm", error=503, **schedule):
            for turn in range(1, 13):
                try:
                    await cluster.api.find("cm", "settings")
                except StatusError:
                    found.append(turn)
        return found

    draws = []
    for _ in range(2):
        async with Cluster(nodes=0, listen=None, seed=7) as cluster:
            assert await struck(cluster, after=2, every=3, times=2) == [5, 8]
            assert await struck(cluster, times=1) == [1]
            draws.append(await struck(cluster, probability=0.5))
    assert draws[0] == draws[1]
    assert 0 < len(draws[0]) < 12


@on_a_real_loop
async def test_latency_of_the_clusters_own_client_is_the_clusters_time() -> None:
    """Its request waits until the clock is advanced; then it is carried out."""
    async with Cluster(nodes=0, listen=None, epoch=EPOCH) as cluster:
        with cluster.faults.api(verb="create", latency=(20, 30)):
            creating = asyncio.create_task(cluster.api.create(config_map()))
            await cluster.clock.advance(19)
            assert await cluster.api.find("cm", "settings") is None
            assert not creating.done()
            await cluster.clock.advance(11)
            await creating
    async with Cluster(nodes=0, time="auto", epoch=EPOCH) as cluster:
        with cluster.faults.api(verb="create", latency=30):
            await cluster.api.create(config_map())
        assert cluster.clock.now() == EPOCH + 30


@on_a_real_loop
async def test_the_clusters_own_controllers_are_not_concerned() -> None:
    """Nobody outside can write, and a Deployment still rolls out."""
    async with Cluster(nodes=1, listen=None) as cluster:
        await cluster.apply(deployment())
        with cluster.faults.api(error=500):
            await cluster.wait("deployment/web", "Available")


@on_a_real_loop
async def test_a_fault_is_inert_until_it_starts_and_can_be_started_again() -> None:
    """As with ``unittest.mock``'s patchers."""
    async with Cluster(nodes=0, listen=None) as cluster:
        fault = cluster.faults.api(kind="cm", error=503)
        assert await cluster.api.find("cm", "settings") is None
        assert fault.start() is fault
        fault.start()
        assert repr(cluster.faults).count("kind=cm error=503") == 1
        await refused(cluster.api.get("cm", "settings"))
        fault.stop()
        fault.stop()
        assert await cluster.api.find("cm", "settings") is None
        fault.start()
        cluster.faults.clear()
        assert not cluster.faults.active
        assert fault.hits == 1


@on_a_real_loop
async def test_what_makes_no_sense_is_refused_at_once() -> None:
    """With what to write instead."""
    async with Cluster(nodes=0, listen=None) as cluster:
        table: list[tuple[dict[str, Any], str]] = [
            ({}, "would do nothing"),
            ({"error": 200}, "in 400 to 599"),
            ({"error": "Nope"}, "no reason that an API server gives"),
            ({"error": 500, "verb": "post"}, "verb='post'"),
            ({"drop_watch": True, "verb": "get"}, "for watches only"),
            ({"latency": 1, "events": 2}, "events tells when a watch ends"),
            ({"latency": (2, 1)}, "the least seconds come before the most"),
            ({"error": 500, "times": 0}, "times=0"),
            ({"error": 500, "probability": 2}, "probability=2"),
            ({"error": 500, "every": 0}, "every=0"),
            ({"error": 500, "after": -1}, "after=-1"),
            ({"error": 500, "kind": ["pods", "pods/log"]}, "one subresource"),
        ]
        for arguments, text in table:
            with pytest.raises(ValueError, match=text):
                cluster.faults.api(**arguments)
        with pytest.raises(StatusError, match='doesn\'t have a resource type "gizmo"'):
            cluster.faults.api(kind="gizmo", error=500)
