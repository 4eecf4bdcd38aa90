"""The proxy subresource of pods, Services and nodes, to a server that is really there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.api import ApiApplication
from tests.api.behind import BehindServer
from tests.api.conftest import TOKEN

NAMESPACE = "/api/v1/namespaces/default"


@pytest.fixture
def behind() -> Iterator[BehindServer]:
    """A server without TLS."""
    server = BehindServer()
    yield server
    server.close()


async def add_pod(client: httpx.AsyncClient, port: int, ip: str = "127.0.0.1") -> None:
    """Create a pod at an address."""
    container = {"name": "c", "image": "c", "ports": [{"containerPort": port}]}
    body = {"metadata": {"name": "p"}, "spec": {"containers": [container]}}
    made = await client.post(f"{NAMESPACE}/pods", json=body)
    assert made.status_code == 201, made.text
    status = {"status": {"podIP": ip, "podIPs": [{"ip": ip}]}}
    merge = {"content-type": "application/merge-patch+json"}
    done = await client.patch(f"{NAMESPACE}/pods/p/status", json=status, headers=merge)
    assert done.status_code == 200, done.text


async def add_service(client: httpx.AsyncClient, port: int | None) -> None:
    """Create a Service, with an endpoint if a port is given."""
    ports = [{"name": "web", "port": 80}]
    body: dict[str, Any] = {"metadata": {"name": "s"}, "spec": {"ports": ports}}
    assert (await client.post(f"{NAMESPACE}/services", json=body)).status_code == 201
    if port is not None:
        labels = {"kubernetes.io/service-name": "s"}
        body = {
            "metadata": {"name": "s-1", "labels": labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["127.0.0.1"]}],
            "ports": [{"name": "web", "port": port}],
        }
        path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
        assert (await client.post(path, json=body)).status_code == 201


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_reaches_a_pod(
    client: httpx.AsyncClient, behind: BehindServer, method: str
) -> None:
    """With its path, query, body and headers, but not the caller's credentials."""
    await add_pod(client, behind.port)
    answer = await client.request(
        method,
        f"{NAMESPACE}/pods/p/proxy/a%2Fb/c?x=1&x=2",
        content=b"hello" if method in ("POST", "PUT", "PATCH") else None,
        headers={"x-mine": "yes"},
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-behind"] == "yes"
    seen = answer.json()
    assert (seen["method"], seen["path"]) == (method, "/a%2Fb/c?x=1&x=2")
    assert seen["body"] == ("hello" if method in ("POST", "PUT", "PATCH") else "")
    assert seen["headers"]["x-mine"] == "yes"
    assert seen["headers"]["host"] == f"127.0.0.1:{behind.port}"
    assert seen["headers"]["x-forwarded-uri"] == f"{NAMESPACE}/pods/p/proxy/a%2Fb/c"
    assert "authorization" not in seen["headers"]


async def test_the_name_may_say_scheme_and_port(
    client: httpx.AsyncClient, behind: BehindServer, tmp_path: Path
) -> None:
    """``[scheme:]name[:port]``; nobody's certificate is checked, as upstream."""
    await add_pod(client, 1)
    answer = await client.get(f"{NAMESPACE}/pods/http:p:{behind.port}/proxy/")
    assert answer.json()["path"] == "/"
    secure = BehindServer(tmp_path)
    try:
        answer = await client.get(f"{NAMESPACE}/pods/https:p:{secure.port}/proxy/x")
        assert answer.json()["path"] == "/x"
    finally:
        secure.close()


async def test_a_path_without_slash_is_redirected(client: httpx.AsyncClient) -> None:
    """So that relative links work."""
    await add_pod(client, 1)
    answer = await client.get(f"{NAMESPACE}/pods/p/proxy?x=1")
    assert answer.status_code == 301
    assert answer.headers["location"] == f"{NAMESPACE}/pods/p/proxy/?x=1"


async def test_a_redirect_of_the_pod_leads_back_through_the_api(
    client: httpx.AsyncClient, behind: BehindServer
) -> None:
    """A client that follows it must not need a way of its own to the pod."""
    behind.answers["/old"] = lambda: (302, {"location": "/new?y=1"}, b"")
    await add_pod(client, behind.port)
    answer = await client.get(f"{NAMESPACE}/pods/p/proxy/old")
    assert answer.status_code == 302
    assert answer.headers["location"] == f"{NAMESPACE}/pods/p/proxy/new?y=1"


async def test_a_pod_that_does_not_listen_is_a_503(client: httpx.AsyncClient) -> None:
    """In upstream's words, with the reason a client can act on."""
    await add_pod(client, 1)
    answer = await client.get(f"{NAMESPACE}/pods/p/proxy/")
    assert answer.status_code == 503
    assert answer.json()["message"] == (
        "error trying to reach service: dial tcp 127.0.0.1:1: connect: connection refused"
    )
    assert (await client.get(f"{NAMESPACE}/pods/none/proxy/")).status_code == 404


@pytest.mark.parametrize("name", ["s", "s:web", "s:80", "http:s:web"])
async def test_a_service_is_reached_by_its_endpoints(
    client: httpx.AsyncClient, behind: BehindServer, name: str
) -> None:
    """By the number or the name of its port."""
    await add_service(client, behind.port)
    answer = await client.get(f"{NAMESPACE}/services/{name}/proxy/where")
    assert answer.status_code == 200, answer.text
    assert answer.json()["path"] == "/where"


async def test_a_service_without_endpoints_says_so(client: httpx.AsyncClient) -> None:
    """503, in upstream's words."""
    await add_service(client, None)
    answer = await client.get(f"{NAMESPACE}/services/s/proxy/")
    assert (answer.status_code, answer.json()["message"]) == (
        503,
        'no endpoints available for service "s"',
    )
    answer = await client.get(f"{NAMESPACE}/services/s:other/proxy/")
    assert answer.json()["message"] == 'no service port "other" found for service "s"'


async def test_a_node_answers_as_its_kubelet_would(client: httpx.AsyncClient) -> None:
    """Its health, and the pods bound to it."""
    await client.post("/api/v1/nodes", json={"metadata": {"name": "n"}})
    assert (await client.get("/api/v1/nodes/n/proxy/healthz")).text == "ok"
    assert (await client.get("/api/v1/nodes/n:10250/proxy/pods")).json()["items"] == []
    assert (await client.get("/api/v1/nodes/n/proxy/none")).status_code == 404
    assert (await client.get("/api/v1/nodes/none/proxy/pods")).status_code == 404


async def test_a_path_is_passed_on_as_it_came(app: ApiApplication, behind: BehindServer) -> None:
    """Dots are the pod's to resolve; quotes stay, and so do repeated headers and odd bytes."""
    transport = httpx.ASGITransport(app)
    headers = [(b"authorization", f"Bearer {TOKEN}".encode())]
    async with httpx.AsyncClient(
        transport=transport, base_url="http://a", headers=headers
    ) as client:
        await add_pod(client, behind.port)
    sent: list[Any] = []

    async def send(part: Any) -> None:
        sent.append(part)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    await app(
        {
            "type": "http",
            "method": "GET",
            "path": f"{NAMESPACE}/pods/p/proxy/a/../b c",
            "raw_path": f"{NAMESPACE}/pods/p/pr%6fxy/a/../b%20c%2e".encode(),
            "query_string": b"a=%7e",
            "headers": [
                *headers,
                (b"x-note", b"\xff"),
                (b"x-many", b"1"),
                (b"x-many", b"2"),
                (b"x-hop", b"1"),
                (b"connection", b"X-Hop"),
                (b"connection", b"close"),
            ],
        },
        receive,
        send,
    )
    assert sent[0]["status"] == 200, sent
    (seen,) = behind.seen
    assert seen["path"] == "/a/../b%20c%2e?a=%7e"
    assert [value for name, value in seen["raw"] if name == "x-many"] == ["1", "2"]
    assert "x-hop" not in seen["headers"]


@pytest.mark.parametrize(
    "path",
    [
        f"{NAMESPACE}/pods/p:%C2%B2/proxy/",
        f"{NAMESPACE}/pods/p:{'9' * 5000}/proxy/",
        "/api/v1%2Fnodes/p/proxy/",
        "/api/v1/namespaces/default%2Fpods/p/proxy/",
    ],
)
async def test_a_place_that_is_none_is_the_callers_mistake(
    client: httpx.AsyncClient, path: str
) -> None:
    """Digits of other scripts and quoted slashes are 400s."""
    await add_pod(client, 80)
    assert (await client.get(path)).status_code == 400
