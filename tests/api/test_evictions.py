"""Evictions: a deletion that asks the pod's budget.

https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from orchestrator.api import ApiApplication
from orchestrator.resources.conditions import find_condition
from orchestrator.store import Store

from .conftest import TOKEN

PODS = "/api/v1/namespaces/default/pods"
BUDGETS = "poddisruptionbudgets.policy"
READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
UNREADY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}


@pytest.fixture
async def client(app: ApiApplication) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the administrator."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://t", headers=headers) as it:
        yield it


async def make_pod(store: Store, name: str, status: dict[str, Any] | None = None) -> Any:
    """Create a pod on a node, in a state."""
    spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}
    metadata = {"name": name, "namespace": "default", "labels": {"app": "web"}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    await store.create(pod, resource="pods", namespace="default")
    return await store.modify(
        "pods",
        "default",
        name,
        lambda old: {**old, "status": {**(old.get("status") or {}), **(status or READY)}},
        subresource="status",
        admit=False,
    )


async def make_budget(
    store: Store, name: str = "b", policy: str = "", **status: Any
) -> dict[str, Any]:
    """Create a budget with the status that the controller would give it."""
    spec: dict[str, Any] = {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}
    if policy:
        spec["unhealthyPodEvictionPolicy"] = policy
    metadata = {"name": name, "namespace": "default"}
    obj = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata}
    await store.create({**obj, "spec": spec}, resource=BUDGETS, namespace="default")
    counted = {
        "observedGeneration": 1,
        "expectedPods": 2,
        "desiredHealthy": 2,
        "currentHealthy": 2,
        "disruptionsAllowed": 0,
        **status,
    }
    return await store.modify(
        BUDGETS,
        "default",
        name,
        lambda old: {**old, "status": counted},
        subresource="status",
        admit=False,
    )


async def evict(
    client: httpx.AsyncClient, name: str, query: str = "", **options: Any
) -> httpx.Response:
    """Ask for an eviction."""
    body: dict[str, Any] = {"metadata": {"name": name}}
    if options:
        body["deleteOptions"] = options
    return await client.post(f"{PODS}/{name}/eviction{query}", json=body)


async def test_an_eviction_that_breaks_the_budget_is_429(
    client: httpx.AsyncClient, store: Store
) -> None:
    """It is not allowed because of the configured budget; the cause says what that needs."""
    await make_pod(store, "p")
    await make_budget(store)
    answer = await evict(client, "p")
    assert answer.status_code == 429
    body = answer.json()
    assert body["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    assert body["details"]["causes"] == [
        {
            "reason": "DisruptionBudget",
            "message": "The disruption budget b needs 2 healthy pods and has 2 currently",
        }
    ]
    pod = store.get("pods", "default", "p") or {}
    assert find_condition(pod, "DisruptionTarget") is None


@pytest.mark.parametrize(
    ("status", "message", "seconds"),
    [
        ({"observedGeneration": 0}, "The disruption budget b is still being processed", 10),
        (
            {
                "conditions": [
                    {
                        "type": "DisruptionAllowed",
                        "status": "False",
                        "reason": "SyncFailed",
                        "message": "jobs.batch does not implement the scale subresource",
                        "lastTransitionTime": "2026-01-01T00:00:00Z",
                    }
                ]
            },
            "does not allow evicting pods currently because it failed sync: jobs.batch does not",
            None,
        ),
    ],
    ids=["not observed", "failed"],
)
async def test_a_budget_that_is_not_counted_refuses_and_says_why(
    client: httpx.AsyncClient,
    store: Store,
    status: dict[str, Any],
    message: str,
    seconds: int | None,
) -> None:
    """The cause tells apart what will pass from what will not."""
    await make_pod(store, "p")
    await make_budget(store, **status)
    answer = await evict(client, "p")
    details = answer.json()["details"]
    assert (answer.status_code, details.get("retryAfterSeconds")) == (429, seconds)
    assert message in details["causes"][0]["message"]


async def test_an_allowed_eviction_spends_marks_and_deletes(
    client: httpx.AsyncClient, store: Store
) -> None:
    """The condition ``DisruptionTarget`` has reason ``EvictionByEvictionAPI``."""
    await make_pod(store, "p")
    await make_budget(store, disruptionsAllowed=1)
    assert (await evict(client, "p")).status_code == 201
    pod = store.get("pods", "default", "p") or {}
    assert "deletionTimestamp" in pod["metadata"]
    condition = find_condition(pod, "DisruptionTarget") or {}
    assert (condition["status"], condition["reason"], condition["message"]) == (
        "True",
        "EvictionByEvictionAPI",
        "Eviction API: evicting",
    )
    budget = store.get(BUDGETS, "default", "b") or {}
    assert budget["status"]["disruptionsAllowed"] == 0
    assert list(budget["status"]["disruptedPods"]) == ["p"]
    allowed = find_condition(budget, "DisruptionAllowed") or {}
    assert (allowed["status"], allowed["reason"]) == ("False", "InsufficientPods")


async def test_evictions_at_once_never_break_the_budget(
    client: httpx.AsyncClient, store: Store
) -> None:
    """Of ten at once as many pass as are allowed."""
    for at in range(10):
        await make_pod(store, f"p{at}")
    await make_budget(store, disruptionsAllowed=3)
    answers = await asyncio.gather(*(evict(client, f"p{at}") for at in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [429] * 7
    going = [pod for pod in store.list("pods") if "deletionTimestamp" in pod["metadata"]]
    assert len(going) == 3


@pytest.mark.parametrize(
    "status",
    [{"phase": "Succeeded"}, {"phase": "Failed"}, {"phase": "Pending"}],
    ids=lambda status: str(status["phase"]),
)
async def test_pods_that_serve_nobody_are_evicted_freely(
    client: httpx.AsyncClient, store: Store, status: dict[str, Any]
) -> None:
    """Ended and pending pods count for no budget, nor do two budgets matter."""
    await make_pod(store, "p", status)
    await make_budget(store)
    await make_budget(store, "c")
    assert (await evict(client, "p")).status_code == 201
    assert "disruptedPods" not in (store.get(BUDGETS, "default", "b") or {})["status"]


@pytest.mark.parametrize(
    ("policy", "healthy", "code"),
    [
        ("IfHealthyBudget", 2, 201),
        ("IfHealthyBudget", 1, 429),
        ("", 2, 201),
        ("", 1, 429),
        ("AlwaysAllow", 1, 201),
        ("AlwaysAllow", 2, 201),
    ],
)
async def test_unready_pods_go_by_the_policy(
    client: httpx.AsyncClient, store: Store, policy: str, healthy: int, code: int
) -> None:
    """IfHealthyBudget is the default; such an eviction spends nothing.

    https://kubernetes.io/docs/tasks/run-application/configure-pdb/#unhealthy-pod-eviction-policy
    """
    await make_pod(store, "p", UNREADY)
    before = await make_budget(store, policy=policy, currentHealthy=healthy)
    assert (await evict(client, "p")).status_code == code
    after = store.get(BUDGETS, "default", "b") or {}
    assert after["status"] == before["status"]


async def test_several_budgets_are_500(client: httpx.AsyncClient, store: Store) -> None:
    """There is a misconfiguration: multiple PodDisruptionBudgets refer to the same pod."""
    await make_pod(store, "p")
    await make_budget(store, disruptionsAllowed=1)
    await make_budget(store, "c", disruptionsAllowed=1)
    answer = await evict(client, "p")
    assert answer.status_code == 500
    assert answer.json()["message"] == (
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
        "support."
    )


@pytest.mark.parametrize(
    ("query", "options"), [("?dryRun=All", {}), ("", {"dryRun": ["All"]})], ids=["query", "body"]
)
async def test_a_dry_run_decides_and_changes_nothing(
    client: httpx.AsyncClient, store: Store, query: str, options: dict[str, Any]
) -> None:
    """Allowed or not, pod and budget stay as they are."""
    await make_pod(store, "p")
    await make_budget(store, disruptionsAllowed=1)
    before = store.sequence
    assert (await evict(client, "p", query, **options)).status_code == 201
    assert store.sequence == before
    await make_budget(store, "c")
    await store.delete(BUDGETS, "default", "b")
    before = store.sequence
    assert (await evict(client, "p", query, **options)).status_code == 429
    assert store.sequence == before


async def test_preconditions_hold_for_evictions(client: httpx.AsyncClient, store: Store) -> None:
    """A wrong uid or version is 409, the right ones evict, with the grace asked for."""
    pod = await make_pod(store, "p")
    for wrong in ({"uid": "another"}, {"resourceVersion": "1"}):
        answer = await evict(client, "p", preconditions=wrong)
        assert answer.status_code == 409
        assert "in the precondition" in answer.json()["message"]
    assert find_condition(store.get("pods", "default", "p") or {}, "DisruptionTarget") is None
    right = {"uid": pod["metadata"]["uid"], "resourceVersion": pod["metadata"]["resourceVersion"]}
    answer = await evict(client, "p", preconditions=right, gracePeriodSeconds=7)
    assert answer.status_code == 201
    going = store.get("pods", "default", "p") or {}
    assert going["metadata"]["deletionGracePeriodSeconds"] == 7


async def test_another_name_in_the_body_is_refused(client: httpx.AsyncClient, store: Store) -> None:
    """The body may leave the name out, not contradict it."""
    await make_pod(store, "p")
    answer = await client.post(f"{PODS}/p/eviction", json={"metadata": {"name": "q"}})
    assert answer.status_code == 400
    missing = await evict(client, "nobody")
    assert (missing.status_code, missing.json()["reason"]) == (404, "NotFound")
