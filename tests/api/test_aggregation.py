"""API servers behind this one, which APIServices name."""

from __future__ import annotations

import json
import random
import time
from collections.abc import AsyncIterator, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.api import ApiApplication
from orchestrator.api.front_proxy import authentication_config, ensure_front_proxy
from orchestrator.egress import Egress
from orchestrator.store import Store
from tests.api.behind import BehindServer

SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
GROUP = "/apis/metrics.example.com/v1beta1"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
RESOURCES = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": "metrics.example.com/v1beta1",
    "resources": [
        {
            "name": "nodes",
            "singularName": "node",
            "namespaced": False,
            "kind": "NodeMetrics",
            "verbs": ["get", "list"],
            "shortNames": ["nom"],
        },
        {
            "name": "nodes/status",
            "singularName": "",
            "namespaced": False,
            "kind": "NodeMetrics",
            "verbs": ["get"],
        },
    ],
}


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[BehindServer]:
    """A server with a certificate for the Service."""
    server = BehindServer(tmp_path, "metrics.default.svc")
    server.says(GROUP, RESOURCES)
    yield server
    server.close()


async def register(client: httpx.AsyncClient, behind: BehindServer, **more: Any) -> None:
    """Put a Service before the server, and an APIService before that."""
    namespace = "namespaces/default"
    service = {"metadata": {"name": "metrics"}, "spec": {"ports": [{"port": 443}]}}
    made = await client.post(f"/api/v1/{namespace}/services", json=service)
    assert made.status_code == 201, made.text
    endpoints = {
        "metadata": {"name": "metrics-1", "labels": {"kubernetes.io/service-name": "metrics"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"]}],
        "ports": [{"name": "", "port": behind.port}],
    }
    path = f"/apis/discovery.k8s.io/v1/{namespace}/endpointslices"
    assert (await client.post(path, json=endpoints)).status_code == 201
    spec = {
        "group": "metrics.example.com",
        "version": "v1beta1",
        "service": {"name": "metrics", "namespace": "default"},
        "caBundle": behind.bundle,
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        **more,
    }
    body = {"metadata": {"name": "v1beta1.metrics.example.com"}, "spec": spec}
    made = await client.post(SERVICES, json=body)
    assert made.status_code == 201, made.text


async def test_requests_of_the_group_go_to_the_server_behind(
    client: httpx.AsyncClient, behind: BehindServer
) -> None:
    """With the user in headers instead of credentials."""
    await register(client, behind)
    answer = await client.post(f"{GROUP}/nodes?x=1", json={"a": 1})
    assert answer.status_code == 200, answer.text
    seen = answer.json()
    assert (seen["method"], seen["path"], seen["body"]) == ("POST", f"{GROUP}/nodes?x=1", '{"a":1}')
    headers = seen["headers"]
    assert headers["x-remote-user"] == "kubernetes-admin"
    groups = [value for name, value in seen["raw"] if name == "x-remote-group"]
    assert groups == ["system:masters", "system:authenticated"]
    assert headers["host"] == "metrics.default.svc:443"
    assert "authorization" not in headers


async def test_a_client_cannot_pass_itself_off_as_another(
    client: httpx.AsyncClient, behind: BehindServer
) -> None:
    """What it says of itself in the aggregator's headers is dropped."""
    await register(client, behind)
    forged = {"x-remote-user": "root", "x-remote-group": "a", "x-remote-extra-scopes": "all"}
    seen = (await client.get(f"{GROUP}/nodes", headers=forged)).json()["headers"]
    assert seen["x-remote-user"] == "kubernetes-admin"
    assert "x-remote-extra-scopes" not in seen


async def test_discovery_has_the_group(client: httpx.AsyncClient, behind: BehindServer) -> None:
    """In the list of groups, in its own page, and in the aggregated form."""
    await register(client, behind)
    listed = (await client.get("/apis")).json()["groups"]
    assert listed[-1] == {
        "name": "metrics.example.com",
        "versions": [{"groupVersion": "metrics.example.com/v1beta1", "version": "v1beta1"}],
        "preferredVersion": {"groupVersion": "metrics.example.com/v1beta1", "version": "v1beta1"},
    }
    page = (await client.get("/apis/metrics.example.com")).json()
    assert page["name"] == "metrics.example.com"
    assert (await client.get(GROUP)).json() == RESOURCES
    found = (await client.get("/apis", headers={"accept": AGGREGATED})).json()["items"]
    (group,) = [item for item in found if item["metadata"]["name"] == "metrics.example.com"]
    kind = {"group": "metrics.example.com", "version": "v1beta1", "kind": "NodeMetrics"}
    assert group["versions"] == [
        {
            "version": "v1beta1",
            "resources": [
                {
                    "resource": "nodes",
                    "responseKind": kind,
                    "scope": "Cluster",
                    "singularResource": "node",
                    "verbs": ["get", "list"],
                    "shortNames": ["nom"],
                    "subresources": [
                        {"subresource": "status", "responseKind": kind, "verbs": ["get"]}
                    ],
                }
            ],
            "freshness": "Current",
        }
    ]
    index = (await client.get("/openapi/v3")).json()["paths"]
    assert "apis/metrics.example.com/v1beta1" in index


async def test_a_server_that_is_not_there_is_a_503_and_stale(
    client: httpx.AsyncClient, behind: BehindServer
) -> None:
    """The rest of the API goes on."""
    service = {"name": "gone", "namespace": "default"}
    await register(client, behind, service=service)
    answer = await client.get(f"{GROUP}/nodes")
    assert (answer.status_code, answer.json()["message"]) == (503, "service unavailable")
    found = (await client.get("/apis", headers={"accept": AGGREGATED})).json()["items"]
    (group,) = [item for item in found if item["metadata"]["name"] == "metrics.example.com"]
    assert group["versions"][0]["freshness"] == "Stale"
    assert (await client.get("/apis/apps/v1")).status_code == 200


async def test_a_certificate_of_another_authority_is_refused(
    client: httpx.AsyncClient, behind: BehindServer
) -> None:
    """Unless the APIService says not to look."""
    await register(client, behind, caBundle="")
    answer = await client.get(f"{GROUP}/nodes")
    assert answer.status_code == 503
    assert "certificate signed by unknown authority" in answer.json()["message"]
    name = f"{SERVICES}/v1beta1.metrics.example.com"
    found = (await client.get(name)).json()
    found["spec"]["insecureSkipTLSVerify"] = True
    assert (await client.put(name, json=found)).status_code == 200
    assert (await client.get(f"{GROUP}/nodes")).status_code == 200


async def test_a_group_that_is_unregistered_is_gone(
    client: httpx.AsyncClient, behind: BehindServer
) -> None:
    """From routing and from discovery."""
    await register(client, behind)
    assert (await client.get(f"{GROUP}/nodes")).status_code == 200
    name = f"{SERVICES}/v1beta1.metrics.example.com"
    assert (await client.delete(name)).status_code == 200
    assert (await client.get(f"{GROUP}/nodes")).status_code == 404
    groups = [group["name"] for group in (await client.get("/apis")).json()["groups"]]
    assert "metrics.example.com" not in groups


async def test_the_front_proxy_shows_its_certificate(store: Store, tmp_path: Path) -> None:
    """A server behind that asks for one believes nobody else; the keys are kept."""
    proxy = ensure_front_proxy(tmp_path / "pki", time.time())
    assert ensure_front_proxy(tmp_path / "pki", time.time()) == proxy
    behind = BehindServer(tmp_path / "behind", "metrics.default.svc", client_ca=proxy.ca_pem)
    egress = Egress(random.SystemRandom())
    try:
        for certificate, status in ((None, 503), (proxy.client_certificate, 200)):
            app = ApiApplication(store, egress=egress, client_certificate=certificate)
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
                if certificate is None:
                    await register(client, behind)
                answer = await client.get(f"{GROUP}/nodes")
                assert answer.status_code == status, answer.text
            app.close()
    finally:
        await egress.close()
        behind.close()


def test_servers_behind_learn_whom_to_trust(tmp_path: Path) -> None:
    """As the library of aggregated servers reads it."""
    proxy = ensure_front_proxy(tmp_path, time.time())
    data = authentication_config("the CA", proxy)["data"]
    assert data["client-ca-file"] == "the CA"
    assert data["requestheader-client-ca-file"] == proxy.ca_pem
    assert json.loads(data["requestheader-allowed-names"]) == ["front-proxy-client"]


async def test_who_asks_is_told_whatever_letters_the_name_has(
    client: httpx.AsyncClient, behind: BehindServer
) -> None:
    """Names are sent as UTF-8, keys of extra values quoted, values each in a header of its own."""
    await register(client, behind)
    acting = [
        (b"impersonate-user", "jürgen".encode()),
        (b"impersonate-group", b"a, b"),
        (b"impersonate-group", b"system:masters"),
        (b"impersonate-extra-a%0d%0ax-remote-user%3a", b"1"),
        (b"impersonate-extra-example.com%2fkey", b"2"),
        (b"impersonate-extra-example.com%2fkey", b"3"),
        (b"x-note", "grün".encode()),
    ]
    answer = await client.get(f"{GROUP}/nodes", headers=acting)
    assert answer.status_code == 200, answer.text
    sent = [(n, v.encode("latin-1").decode()) for n, v in answer.json()["raw"]]
    assert [pair for pair in sent if pair[0].startswith("x-remote-")] == [
        ("x-remote-user", "jürgen"),
        ("x-remote-group", "a, b"),
        ("x-remote-group", "system:masters"),
        ("x-remote-group", "system:authenticated"),
        ("x-remote-extra-a%0d%0ax-remote-user%3a", "1"),
        ("x-remote-extra-example.com%2fkey", "2"),
        ("x-remote-extra-example.com%2fkey", "3"),
    ]
    assert ("x-note", "grün") in sent


async def test_the_way_to_a_document_leads_nowhere_else(app: ApiApplication) -> None:
    """Who may read ``/openapi`` could reach every resource of the other server through dots."""
    headers = {"authorization": "Bearer secret-token"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a") as client:
        spec = {
            "group": "metrics.example.com",
            "version": "v1beta1",
            "service": {"name": "metrics", "namespace": "default"},
            "insecureSkipTLSVerify": True,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        }
        body = {"metadata": {"name": "v1beta1.metrics.example.com"}, "spec": spec}
        assert (await client.post(SERVICES, json=body, headers=headers)).status_code == 201
    # httpx would resolve the dots itself
    below = f"/openapi/v3{GROUP}/../../../../..{GROUP}/nodes"
    assert [code async for code in statuses(app, f"/openapi/v3{GROUP}", below)] == [503, 404]


async def statuses(app: ApiApplication, *paths: str) -> AsyncIterator[int]:
    """Ask for paths as they are; yields the codes of the answers."""
    for path in paths:
        sent: list[MutableMapping[str, Any]] = []

        async def send(part: MutableMapping[str, Any], sent: list[Any] = sent) -> None:
            sent.append(part)

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.disconnect"}

        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"authorization", b"Bearer secret-token")],
        }
        await app(scope, receive, send)
        yield sent[0]["status"]
