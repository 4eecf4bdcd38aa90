"""A whole cluster asks its policies, says how they fit, and evaluates conditions of webhooks."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from orchestrator.api import ApiApplication, ApiConfig
from orchestrator.cluster import BareCluster, ClusterConfig

MAPS = "/api/v1/namespaces/default/configmaps"
GROUP = "/apis/admissionregistration.k8s.io/v1"
RULE = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "operations": ["CREATE"],
    "resources": ["configmaps"],
}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """A client of a cluster's API, in process."""
    async with BareCluster(ClusterConfig(nodes=0, runtime="simulated")) as cluster:
        transport = httpx.ASGITransport(app=ApiApplication(cluster.store, ApiConfig()))
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as made:
            yield made


async def create(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> httpx.Response:
    """Create one object."""
    return await client.post(path, json=body)


async def test_a_cluster_enforces_policies_and_checks_their_types(
    client: httpx.AsyncClient,
) -> None:
    """Both without anything but the objects themselves."""
    policy = {
        "metadata": {"name": "p"},
        "spec": {
            "matchConstraints": {"resourceRules": [RULE]},
            "validations": [
                {"expression": "!has(object.data) || object.data.size() < 2"},
                {"expression": "!has(object.dat)"},
            ],
        },
    }
    binding = {
        "metadata": {"name": "b"},
        "spec": {"policyName": "p", "validationActions": ["Deny"]},
    }
    policies = f"{GROUP}/validatingadmissionpolicies"
    assert (await create(client, policies, policy)).status_code == 201
    assert (await create(client, f"{policies[:-3]}ybindings", binding)).status_code == 201
    refused = await create(client, MAPS, {"metadata": {"name": "m"}, "data": {"a": "1", "b": "2"}})
    assert refused.status_code == 422
    for _ in range(200):
        status = (await client.get(f"{policies}/p")).json().get("status") or {}
        if status.get("observedGeneration"):
            break
        await asyncio.sleep(0)
    (warning,) = status["typeChecking"]["expressionWarnings"]
    assert warning["fieldRef"] == "spec.validations[1].expression"
    assert "undefined field 'dat'" in warning["warning"]


@pytest.mark.parametrize(
    ("expression", "code", "told"),
    [
        ("'check' in object.metadata.labels", 500, "failed calling webhook"),
        ("!('check' in object.metadata.labels)", 201, ""),
        (
            "object.metadata.labels.gone == 'x'",
            403,
            (
                "configmaps \"m\" is forbidden: expression 'object.metadata.labels.gone == 'x'' "
                "resulted in error: no such key: gone"
            ),
        ),
        ("object.metadata.labels.gone == 'x' && request.operation == 'DELETE'", 201, ""),
    ],
)
async def test_conditions_of_webhooks_are_evaluated(
    client: httpx.AsyncClient, expression: str, code: int, told: str
) -> None:
    """A webhook that can't be reached shows whether it was called."""
    hook = {
        "name": "a.example.com",
        "clientConfig": {"url": "https://127.0.0.1:1/none"},
        "rules": [RULE],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "matchConditions": [{"name": "c", "expression": expression}],
    }
    body = {"metadata": {"name": "hook"}, "webhooks": [hook]}
    made = await create(client, f"{GROUP}/validatingwebhookconfigurations", body)
    assert made.status_code == 201, made.text
    answer = await create(client, MAPS, {"metadata": {"name": "m", "labels": {"check": "y"}}})
    assert answer.status_code == code, answer.text
    assert told in answer.text.replace('\\"', '"')


def test_a_cluster_loads_no_compiler_before_there_is_a_policy() -> None:
    """Start-up must not pay for what most clusters never use."""
    program = (
        "import sys, orchestrator.cluster\n"
        "print([one for one in sys.modules if one.startswith('orchestrator.resources.cel.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "['orchestrator.resources.cel.patience']"
