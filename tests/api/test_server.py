"""Hosting: ports, TLS files, tokens, and a stop that waits for nobody."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
import time
from pathlib import Path

import httpx
import pytest
import yaml

from orchestrator.api import (
    ApiApplication,
    ApiServer,
    InsecureAddressError,
    PortTakenError,
    Tls,
    ensure_certificates,
    ensure_token,
    kubeconfig,
)
from orchestrator.store import Store

DAY = 86400


async def test_a_taken_port_is_named(store: Store) -> None:
    """The error says which port, and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = ApiServer(ApiApplication(store), "127.0.0.1", port)
        with pytest.raises(PortTakenError, match=f"port {port} on .* is already in use"):
            await server.start()


def test_plain_http_stays_on_loopback(store: Store) -> None:
    """Unless it is said aloud."""
    app = ApiApplication(store)
    with pytest.raises(InsecureAddressError, match=r"plain HTTP on 0\.0\.0\.0"):
        ApiServer(app, "0.0.0.0", 0)
    ApiServer(app, "0.0.0.0", 0, allow_insecure=True)


async def test_stopping_ends_a_watch_quickly(store: Store) -> None:
    """A client that watches gets the end of its stream, and the server does not wait."""
    server = ApiServer(ApiApplication(store), "127.0.0.1", 0)
    await server.start()
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        path = "/api/v1/namespaces"
        async with client.stream("GET", path, params={"watch": "true"}) as stream:
            lines = stream.aiter_lines()
            assert '"ADDED"' in await anext(lines)
            async with asyncio.timeout(8):
                await server.stop()
                rest = [line async for line in lines]
    assert all('"ADDED"' in line for line in rest)


async def test_ten_megabytes_leave_the_connection_usable(store: Store) -> None:
    """The body is refused; the same connection answers the next request."""
    async with (
        ApiServer(ApiApplication(store), "127.0.0.1", 0) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        path = "/api/v1/namespaces/default/configmaps"
        answer = await client.post(path, content=b"x" * (10 << 20))
        assert (answer.status_code, answer.json()["reason"]) == (413, "RequestEntityTooLarge")
        assert (await client.get(path)).status_code == 200


async def test_clients_trust_the_ca_for_every_name(store: Store, tmp_path: Path) -> None:
    """The serving certificate is good for what clients call the server."""
    made = ensure_certificates(tmp_path, time.time(), ["127.96.0.1"])
    for file in (made.ca_file, made.key_file, tmp_path / "ca.key"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    tls = Tls(made.certificate_file, made.key_file)
    async with ApiServer(ApiApplication(store), "127.0.0.1", 0, tls) as server:
        context = ssl.create_default_context(cadata=made.ca_pem)
        async with httpx.AsyncClient(verify=context, base_url=server.url) as client:
            assert (await client.get("/version")).status_code == 200


def test_certificates_are_renewed_when_needed_only(tmp_path: Path) -> None:
    """Near their end, or for another name; the CA that kubeconfigs carry stays."""
    now = time.time()
    first = ensure_certificates(tmp_path, now)
    serving = first.certificate_file.read_bytes()
    assert ensure_certificates(tmp_path, now + DAY) == first
    assert first.certificate_file.read_bytes() == serving
    named = ensure_certificates(tmp_path, now, ["10.0.0.1"])
    other = named.certificate_file.read_bytes()
    assert other != serving
    late = ensure_certificates(tmp_path, now + 340 * DAY, ["10.0.0.1"])
    assert late.certificate_file.read_bytes() != other
    assert late.ca_pem == first.ca_pem


def test_a_token_is_made_once(tmp_path: Path) -> None:
    """And only its owner can read it."""
    file = tmp_path / "token"
    token = ensure_token(file)
    assert len(token) > 40
    assert ensure_token(file) == token
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_kubeconfig_has_one_context() -> None:
    """Cluster, user and context share a name; plain HTTP carries neither CA nor token."""
    config = yaml.safe_load(kubeconfig("https://127.0.0.1:1", ca_pem="PEM", token="t"))
    assert config["current-context"] == "orchestrator"
    assert config["users"][0]["user"] == {"token": "t"}
    assert "certificate-authority-data" in config["clusters"][0]["cluster"]
    plain = yaml.safe_load(kubeconfig("http://127.0.0.1:1"))
    assert plain["users"][0]["user"] == {}
