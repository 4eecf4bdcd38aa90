"""A webhook that answers over HTTPS, and an API whose store calls it."""

from __future__ import annotations

import base64
import json
import random
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from actors import ActorSystem
from actors.log import MemoryLog
from orchestrator.api import ApiApplication, ApiConfig, ensure_certificates
from orchestrator.controllers.definitions import DefinitionController
from orchestrator.egress import Egress
from orchestrator.resources.kinds import registry
from orchestrator.store import EventRecorder, Store
from orchestrator.webhooks import (
    ConversionWebhooks,
    MutatingWebhooks,
    ValidatingWebhooks,
    WebhookClient,
)

Respond = Callable[[dict[str, Any]], dict[str, Any]]
"""From an AdmissionReview's request to its response, without the uid."""

NAMES = ["127.0.0.1", "hook.default.svc"]


class WebhookServer:
    """One HTTPS server; every path answers as its function says."""

    def __init__(self, directory: Path) -> None:
        made = ensure_certificates(directory, time.time(), NAMES)
        self.bundle = base64.b64encode(made.ca_file.read_bytes()).decode()
        self.paths: dict[str, Respond] = {}
        self.requests: list[dict[str, Any]] = []
        self.urls: list[str] = []
        self.hosts: list[str] = []
        self.code = 200
        self.delay = threading.Event()
        self.delay.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.urls.append(self.path)
                outer.hosts.append(self.headers["host"])
                outer.requests.append(review["request"])
                outer.delay.wait(10)
                answer = outer.answer(self.path.partition("?")[0], review)
                self.send_response(outer.code)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.certificate_file, made.key_file)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def answer(self, path: str, review: dict[str, Any]) -> bytes:
        """Return the body that answers a review."""
        request = review["request"]
        response = {"uid": request["uid"], **self.paths[path](request)}
        return json.dumps({**review, "request": None, "response": response}).encode()

    def config(self, path: str) -> dict[str, Any]:
        """Return the clientConfig that leads to a path."""
        return {"url": f"https://127.0.0.1:{self.port}{path}", "caBundle": self.bundle}

    def close(self) -> None:
        """Stop listening."""
        self.delay.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def webhook(tmp_path: Path) -> Iterator[WebhookServer]:
    """A server on a port of its own."""
    server = WebhookServer(tmp_path)
    yield server
    server.close()


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    """A store that calls webhooks."""
    async with ActorSystem("webhooks-test") as system:
        store = await Store.open(system, MemoryLog(), registry("1.35"))
        egress = Egress(random.SystemRandom())
        client = WebhookClient(store, egress)
        store.admission.hooks = (
            MutatingWebhooks(store, client),
            ValidatingWebhooks(store, client),
        )
        store.conversion.webhook = ConversionWebhooks(client)
        recorder = EventRecorder(store, "apiextensions-controller")
        system.spawn(lambda: DefinitionController(store, recorder), "definitions")
        yield store
        await egress.close()


@pytest.fixture
async def client(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an API over that store, in process."""
    app = ApiApplication(store, ApiConfig())
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as made:
        yield made
