"""An API over a store in memory, without controllers: in process, or behind a real socket."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import httpx
import pytest

from actors import ActorSystem
from actors.log import MemoryLog
from orchestrator.access import AccountTokens
from orchestrator.access.authority import Authority
from orchestrator.api import (
    ApiApplication,
    ApiConfig,
    ApiServer,
    Tls,
    ensure_certificates,
    new_token,
    write_kubeconfig,
)
from orchestrator.controllers import ControllerConfig, controller_specs
from orchestrator.controllers.bootstrap import plan_policy
from orchestrator.controllers.definitions import DefinitionController
from orchestrator.egress import Egress
from orchestrator.resources.kinds import registry
from orchestrator.store import EventRecorder, Store

TOKEN = "secret-token"
CREDENTIALS = {
    "account-tokens",
    "certificate-signing",
    "clusterrole-aggregation",
    "namespace-defaults",
}
"""Controllers that a live server runs: those that clients' credentials need."""


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    """A store in memory with the system's namespaces."""
    async with ActorSystem("api-test") as system:
        yield await Store.open(system, MemoryLog(), registry("1.35"))


@pytest.fixture
async def app(store: Store) -> AsyncIterator[ApiApplication]:
    """The application that asks for `TOKEN`."""
    egress = Egress(random.SystemRandom())
    yield ApiApplication(store, ApiConfig(token=TOKEN), egress=egress)
    await egress.close()


@pytest.fixture
async def client(app: ApiApplication) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the token, in process."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://api",
        headers={"authorization": f"Bearer {TOKEN}"},
    ) as made:
        yield made


class LiveServer:
    """The API with TLS and a token on a thread of its own, for clients that are programs."""

    def __init__(self, directory: Path) -> None:
        self.kubeconfig = directory / "kubeconfig"
        self._directory = directory
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="api-test-server")

    def start(self) -> None:
        self._thread.start()
        self._ready.result(timeout=20)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=20)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        certificates = ensure_certificates(self._directory / "pki", time.time())
        token = new_token()
        async with ActorSystem("api-live") as system:
            store = await Store.open(system, MemoryLog(), registry("1.35"))
            recorder = EventRecorder(store, "apiextensions-controller")
            system.spawn(lambda: DefinitionController(store, recorder), "definitions")
            await store.write(plan_policy(store))
            accounts = AccountTokens(store)
            settings = ControllerConfig(
                cluster_ca=certificates.ca_pem,
                tokens=accounts,
                sign=Authority(certificates.ca_file, certificates.ca_file.with_suffix(".key")).sign,
            )
            for spec in controller_specs(store, settings):
                if spec.name in CREDENTIALS:
                    system.spawn(spec.factory, spec.name)
            app = ApiApplication(store, ApiConfig(token=token), accounts=accounts)
            tls = Tls(certificates.certificate_file, certificates.key_file, certificates.ca_file)
            async with ApiServer(app, "127.0.0.1", 0, tls) as server:
                write_kubeconfig(
                    self.kubeconfig, server.url, ca_pem=certificates.ca_pem, token=token
                )
                self._ready.set_result(None)
                await self._stop.wait()


@pytest.fixture(scope="session")
def live_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server for all kubectl tests; each takes a namespace of its own."""
    server = LiveServer(tmp_path_factory.mktemp("api"))
    server.start()
    yield server
    server.stop()


class Kubectl:
    """One kubectl with a kubeconfig, a home and a cache of its own."""

    def __init__(
        self, program: Path, minor: int, server: LiveServer, home: Path, namespace: str
    ) -> None:
        self.program = program
        self.minor = minor
        self.namespace = namespace
        self.home = home
        self.kubeconfig = server.kubeconfig
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "KUBECONFIG": str(server.kubeconfig),
        }

    def run(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """Run it in the test's namespace; returns stdout and stderr together."""
        done = subprocess.run(
            [str(self.program), "-n", self.namespace, *arguments],
            env={**self._environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        output = done.stdout + done.stderr
        assert done.returncode == code, f"{' '.join(arguments)}: {done.returncode}\n{output}"
        return output


@pytest.fixture
def new_kubectl(
    kubectl_minor: Callable[[Path], int], live_server: LiveServer, tmp_path: Path
) -> Callable[[Path], Kubectl]:
    """Return a function that gives a kubectl a new namespace, named after it."""

    def make(program: Path) -> Kubectl:
        namespace = f"{program.name.replace('.', '-')}-{os.urandom(3).hex()}"
        made = Kubectl(program, kubectl_minor(program), live_server, tmp_path, namespace)
        made.run("create", "namespace", made.namespace)
        return made

    return make


@pytest.fixture
def newest(kubectl: Path, new_kubectl: Callable[[Path], Kubectl]) -> Kubectl:
    """The newest kubectl in a new namespace, for what no version does in its own way."""
    return new_kubectl(kubectl)


@pytest.fixture
def kube(edge_kubectl: Path, new_kubectl: Callable[[Path], Kubectl]) -> Kubectl:
    """The oldest and the newest kubectl in turn, in a new namespace."""
    return new_kubectl(edge_kubectl)
