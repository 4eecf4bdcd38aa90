"""ResourceQuotas: what counts, what is refused, and that what is used is always told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object
from orchestrator.resources.quota_usage import is_about, total, usage_of
from orchestrator.store import Create, Delete, DeleteOptions, Modify
from tests.admission.conftest import Admitting, admitting, pod

Part = dict[str, Any]


async def quota(admitting: Any, hard: Part, name: str = "q", **spec: Any) -> Object:
    """Make a quota of the default namespace."""
    made: Object = await admitting.given(
        "resourcequotas", "v1", "ResourceQuota", name=name, spec={"hard": hard, **spec}
    )
    return made


def used(admitting: Any, name: str = "q") -> Part:
    """Return what a quota says is used."""
    found: Part = admitting.store.get("resourcequotas", "default", name)["status"]["used"]
    return found


def resources(**sides: Part) -> Part:
    """Return a container with requests and limits."""
    return {"resources": sides}


async def test_a_namespace_is_full_at_its_number_of_pods(kit: Any) -> None:
    """Users and controllers are told what was asked for, what is used and what the limit is."""
    async with kit.admitting() as admitting:
        await quota(admitting, {"pods": "2"})
        results = await admitting.controllers("pods", *(kit.pod(name) for name in "abc"))
        assert [type(one) for one in results] == [dict, dict, str]
        why = "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2"
        assert results[2] == f'pods "c" is forbidden: {why}'
        assert await admitting.user("pods", kit.pod("d")) == f'pods "d" is forbidden: {why}'
        assert used(admitting) == {"pods": "2"}


async def test_a_removed_pod_makes_room_at_once(kit: Any) -> None:
    """Neither removal nor the end of a pod waits for a controller to count."""
    async with kit.admitting() as admitting:
        await quota(admitting, {"pods": "2", "count/pods": "5"})
        await admitting.controllers("pods", kit.pod("a"), kit.pod("b"))
        await admitting.store.delete("pods", "default", "a")
        assert used(admitting) == {"pods": "1", "count/pods": "1"}
        await admitting.store.modify(
            "pods",
            "default",
            "b",
            lambda old: {**old, "status": {**old["status"], "phase": "Failed"}},
            subresource="status",
            admit=False,
        )
        assert used(admitting) == {"pods": "0", "count/pods": "1"}


async def test_a_dry_run_uses_nothing_and_is_refused_all_the_same(kit: Any) -> None:
    """What it would use is not kept."""
    async with kit.admitting() as admitting:
        await quota(admitting, {"pods": "1"})
        await admitting.store.create(
            kit.pod("a"), resource="pods", namespace="default", dry_run=True
        )
        assert used(admitting) == {"pods": "0"}
        await admitting.controllers("pods", kit.pod("a"))
        with pytest.raises(StatusError, match="exceeded quota"):
            await admitting.store.create(
                kit.pod("b"), resource="pods", namespace="default", dry_run=True
            )


async def test_what_is_limited_has_to_be_named(kit: Any) -> None:
    """Each container that leaves it open is told."""
    async with kit.admitting() as admitting:
        await quota(admitting, {"limits.cpu": "1", "requests.memory": "1Gi"})
        told = await admitting.user(
            "pods", kit.pod("p", {}, resources(limits={"cpu": "1"}, requests={"cpu": "1"}))
        )
        assert told == (
            'pods "p" is forbidden: failed quota: q: must specify limits.cpu for: c1; '
            "requests.memory for: c1,c2"
        )


async def test_amounts_are_summed_up_in_the_notation_of_the_first(kit: Any) -> None:
    """Requests count under both of their names."""
    async with kit.admitting() as admitting:
        await quota(admitting, {"cpu": "1", "requests.cpu": "1", "limits.memory": "1Gi"})
        asked = resources(limits={"cpu": "1", "memory": "256Mi"}, requests={"cpu": "400m"})
        results = await admitting.controllers("pods", *(kit.pod(name, asked) for name in "abc"))
        assert results[2].endswith(
            "exceeded quota: q, requested: cpu=400m,requests.cpu=400m, "
            "used: cpu=800m,requests.cpu=800m, limited: cpu=1,requests.cpu=1"
        )
        assert used(admitting) == {"cpu": "800m", "requests.cpu": "800m", "limits.memory": "512Mi"}


async def test_a_quota_counts_what_is_there_already(kit: Any) -> None:
    """From its first version on, and again when its limits change."""
    async with kit.admitting() as admitting:
        await admitting.controllers("pods", kit.pod("a"), kit.pod("b"))
        made = await quota(admitting, {"pods": "1", "resourcequotas": "3"})
        assert made["status"] == {
            "hard": {"pods": "1", "resourcequotas": "3"},
            "used": {"pods": "2", "resourcequotas": "1"},
        }
        made = await admitting.store.update(
            {**made, "spec": {"hard": {"pods": "9", "count/configmaps": "1"}}},
            resource="resourcequotas",
            namespace="default",
            name="q",
        )
        assert made["status"]["hard"] == {"pods": "9", "count/configmaps": "1"}
        assert made["status"]["used"] == {"pods": "2", "count/configmaps": "0"}


@pytest.mark.parametrize(
    ("resource", "obj", "expected"),
    [
        ("pods", pod("p"), {"count/pods": "1", "pods": "1"}),
        (
            "services",
            {"spec": {"type": "NodePort", "ports": [{"port": 1}, {"port": 2}]}},
            {
                "count/services": "1",
                "services": "1",
                "services.nodeports": "2",
                "services.loadbalancers": "0",
            },
        ),
        (
            "services",
            {
                "spec": {
                    "type": "LoadBalancer",
                    "allocateLoadBalancerNodePorts": False,
                    "ports": [{"port": 1}, {"port": 2, "nodePort": 30001}],
                }
            },
            {
                "count/services": "1",
                "services": "1",
                "services.nodeports": "1",
                "services.loadbalancers": "1",
            },
        ),
        (
            "persistentvolumeclaims",
            {"spec": {"storageClassName": "gold", "resources": {"requests": {"storage": "2Gi"}}}},
            {
                "count/persistentvolumeclaims": "1",
                "persistentvolumeclaims": "1",
                "requests.storage": "2Gi",
                "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
                "gold.storageclass.storage.k8s.io/requests.storage": "2Gi",
            },
        ),
        ("secrets", {}, {"count/secrets": "1", "secrets": "1"}),
        ("deployments.apps", {}, {"count/deployments.apps": "1"}),
        ("widgets.example.com", {}, {"count/widgets.example.com": "1"}),
        (
            "pods",
            pod(
                "p",
                resources(
                    requests={"example.com/gpu": "2", "hugepages-2Mi": "4Mi"},
                    limits={"example.com/gpu": "2", "hugepages-2Mi": "4Mi"},
                ),
                overhead={"cpu": "10m"},
            ),
            {
                "count/pods": "1",
                "pods": "1",
                "requests.example.com/gpu": "2",
                "hugepages-2Mi": "4Mi",
                "requests.hugepages-2Mi": "4Mi",
                "cpu": "10m",
                "requests.cpu": "10m",
            },
        ),
        ("pods", {**pod("p"), "status": {"phase": "Succeeded"}}, {"count/pods": "1"}),
        (
            "pods",
            {
                **pod("p"),
                "metadata": {
                    "deletionTimestamp": "1970-01-01T00:00:10Z",
                    "deletionGracePeriodSeconds": 30,
                },
            },
            {"count/pods": "1"},
        ),
    ],
)
def test_an_object_uses(resource: str, obj: Object, expected: Part) -> None:
    """Under all the names that a quota may have for it."""
    told = {name: str(amount) for name, amount in usage_of(resource, obj, 100.0).items()}
    assert told == expected


ABROAD: Part = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [{"namespaces": ["other"]}]
    }
}


@pytest.mark.parametrize(
    ("spec", "scope", "values", "fits"),
    [
        ({"activeDeadlineSeconds": 1}, "Terminating", None, True),
        ({}, "Terminating", None, False),
        ({}, "NotTerminating", None, True),
        ({}, "BestEffort", None, True),
        ({}, "NotBestEffort", None, False),
        ({"affinity": ABROAD}, "CrossNamespacePodAffinity", None, True),
        ({}, "CrossNamespacePodAffinity", None, False),
        ({"priorityClassName": "high"}, "PriorityClass", ["high"], True),
        ({"priorityClassName": "low"}, "PriorityClass", ["high"], False),
        ({"priorityClassName": "low"}, "PriorityClass", None, True),
        ({}, "PriorityClass", None, False),
    ],
)
def test_scopes_choose_pods(spec: Part, scope: str, values: list[str] | None, fits: bool) -> None:
    """A quota is about those only; about nothing else at all."""
    term: Part = {"scopeName": scope, "operator": "In" if values else "Exists"}
    chosen = {"scopeSelector": {"matchExpressions": [{**term, "values": values or []}]}}
    assert is_about({"spec": chosen}, "pods", pod("p", **spec)) is fits
    assert not is_about({"spec": chosen}, "configmaps", {})


async def test_a_scoped_quota_lets_others_pass(kit: Any) -> None:
    """Pods outside of its scope neither count nor are refused."""
    async with kit.admitting() as admitting:
        await quota(admitting, {"pods": "1"}, scopes=["Terminating"])
        assert isinstance(await admitting.user("pods", kit.pod("a")), dict)
        first = await admitting.user("pods", kit.pod("b", activeDeadlineSeconds=60))
        assert isinstance(first, dict)
        second = await admitting.user("pods", kit.pod("c", activeDeadlineSeconds=60))
        assert "exceeded quota: q, requested: pods=1" in second
        assert used(admitting) == {"pods": "1"}


async def test_a_refused_service_gives_its_address_back(kit: Any) -> None:
    """Only what was created keeps an address."""
    async with kit.admitting() as admitting:
        await quota(admitting, {"services.nodeports": "0"})
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "s"},
            "spec": {
                "type": "NodePort",
                "clusterIP": "127.96.0.77",
                "ports": [{"port": 1}],
                "selector": {"a": "b"},
            },
        }
        told = await admitting.user("services", service)
        assert told == (
            'services "s" is forbidden: exceeded quota: q, requested: services.nodeports=1, '
            "used: services.nodeports=0, limited: services.nodeports=0"
        )
        spec = {**service["spec"], "type": "ClusterIP"}  # type: ignore[dict-item] # a part of JSON
        made = await admitting.user("services", {**service, "spec": spec})
        assert made["spec"]["clusterIP"] == "127.96.0.77"


STEP = st.tuples(st.sampled_from(["create", "delete", "finish"]), st.integers(0, 5))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(STEP, max_size=5), max_size=8))
def test_no_interleaving_uses_more_than_there_is(batches: list[list[tuple[str, int]]]) -> None:
    """Whatever is proposed together, used is the recount of what was acknowledged."""

    async def run() -> None:
        async with admitting() as one:
            await quota(one, {"pods": "2", "cpu": "1", "count/pods": "3"})
            for batch in batches:
                await asyncio.gather(*(step(one, *what) for what in batch))
                check(one)

    asyncio.run(run())


async def step(one: Admitting, what: str, number: int) -> None:
    """Do one thing; it may be refused."""
    name = f"p{number}"
    asked = {"cpu": f"{number + 1}00m"}
    if what == "create":
        await one.store.write([Create("pods", pod(name, resources(requests=asked, limits=asked)))])
    elif what == "delete":
        await one.store.write([Delete("pods", "default", name, DeleteOptions(0))])
    else:
        await one.store.write([Modify("pods", "default", name, succeeded, "status")])


def succeeded(old: Object) -> Object:
    """Let a pod end."""
    return {**old, "status": {**old["status"], "phase": "Succeeded"}}


def check(one: Admitting) -> None:
    """Compare what is said to be used with what is there, and with the limits."""
    hard = {"pods": 2, "cpu": 1, "count/pods": 3}
    there = [usage_of("pods", found, 0.0) for found in one.store.list("pods", "default")]
    counted = total(hard, there)
    assert used(one) == {name: str(amount) for name, amount in counted.items()}
    assert all(counted[name].nano <= limit * 10**9 for name, limit in hard.items())
