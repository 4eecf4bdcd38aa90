"""Sessions inside pods: ``exec``, ``attach``, ``cp`` and ``port-forward`` by those who speak them.

https://kubernetes.io/docs/tasks/debug/debug-application/get-shell-running-container/
"""

from __future__ import annotations

import os
import pty
import re
import select
import socket
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import kr8s
import pytest
from kr8s._api import Api
from kr8s.objects import Pod as Kr8sPod
from kubernetes import client, config, stream
from kubernetes_asyncio import client as async_client
from kubernetes_asyncio import config as async_config
from kubernetes_asyncio.stream import WsApiClient
from lightkube import AsyncClient, Client, KubeConfig

from tests.clients.kubectl import Kubectl, next_line
from tests.clients.manifests import pod
from tests.e2e.daemon import Daemon

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("untidy"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

PORT = 8123
FAILS = ("sh", "-c", "echo out $COLOUR; echo err >&2; exit 3")


def server(name: str, directory: Path) -> dict[str, Any]:
    """Return a pod that serves the files of a directory at its own address."""
    made = pod(name)
    command = ["python3", "-m", "http.server", str(PORT), "--bind", "$(IP)"]
    made["spec"]["containers"][0].update(
        {
            "command": [*command, "--directory", str(directory)],
            "env": [
                {"name": "COLOUR", "value": "blue"},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            ],
            "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        }
    )
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pod serves: a file larger than all buffers on the way."""
    directory = tmp_path_factory.mktemp("files")
    (directory / "big").write_bytes(os.urandom(3_000_000))
    return directory


@pytest.fixture(scope="module")
def worker(daemon: Daemon, files: Path) -> str:
    """The name of a pod in ``default`` that all tests here visit."""
    settings = client.Configuration()
    config.load_kube_config(str(daemon.kubeconfig), client_configuration=settings)
    with client.ApiClient(settings) as api:
        core = client.CoreV1Api(api)
        core.create_namespaced_pod("default", server("worker", files))
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found = core.read_namespaced_pod("worker", "default")
            told = found.status.conditions or ()  # none before it is scheduled
            if any(one.type == "Ready" and one.status == "True" for one in told):
                return "worker"
            time.sleep(0.05)
    raise AssertionError("the pod does not get ready")


# -- kubectl, the oldest over SPDY and the newest over WebSocket


def test_kubectl_executes(kube: Kubectl, worker: str) -> None:
    """Output and errors apart, exit codes, input to its end, upstream's words for what fails."""
    done = kube.run(f"exec -n default {worker} --", *FAILS)
    assert (done.returncode, done.stdout) == (3, "out blue\n")
    assert done.stderr == "err\ncommand terminated with exit code 3\n"
    text = "line\n" * 20_000
    assert kube(f"exec -n default -i {worker} -- wc -c", stdin=text).split() == ["100000"]
    nothing = kube.refused(f"exec -n default {worker} -- nowhere")
    assert 'exec: "nowhere": executable file not found in $PATH: unknown' in nothing
    other = kube.refused(f"exec -n default {worker} -c other -- true")
    assert "container other is not valid for pod worker" in other


def test_kubectl_copies(newest: Kubectl, worker: str, files: Path, tmp_path: Path) -> None:
    """Both ways, by tar in the container; the bytes stay what they are."""
    target = tmp_path / "copied"
    newest(f"cp {files}/big default/{worker}:{target}")
    assert target.read_bytes() == (files / "big").read_bytes()
    newest(f"cp default/{worker}:{target} {tmp_path}/back")
    assert (tmp_path / "back").read_bytes() == target.read_bytes()


def test_kubectl_forwards(kube: Kubectl, worker: str, files: Path) -> None:
    """Many connections one after the other, and a port where nobody listens."""
    command = f"port-forward -n default {worker} :{PORT} :9"
    with kube.background(command) as process:
        found = [next_line(process.stdout, "127.0.0.1:") for _ in range(2)]
        first, second = (int(re.findall(r"127\.0\.0\.1:(\d+)", line)[0]) for line in found)
        with httpx.Client(base_url=f"http://127.0.0.1:{first}") as web:
            for _ in range(3):
                answer = web.get("/big", headers={"connection": "close"})
                assert answer.content == (files / "big").read_bytes()
        with socket.create_connection(("127.0.0.1", second)) as connection:
            connection.settimeout(10)
            assert connection.recv(1) == b""
        assert "connection refused" in next_line(process.stdout, "error forwarding port 9")


class Terminal:
    """A program at a terminal of its own."""

    def __init__(self, words: list[str], environment: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(self._master, (33, 101))
        self.process = subprocess.Popen(
            words, env=environment, stdin=slave, stdout=slave, stderr=slave, close_fds=True
        )
        os.close(slave)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def until(self, word: str) -> None:
        deadline = time.monotonic() + 20
        while word not in self.seen:
            left = deadline - time.monotonic()
            ready = select.select([self._master], [], [], max(0.0, left))[0]
            assert ready, f"{word!r} did not come:\n{self.seen}"
            try:
                self.seen += os.read(self._master, 4096).decode()
            except OSError:  # all who had the terminal have left
                assert word in self.seen, self.seen

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=10)
        os.close(self._master)


def test_kubectl_at_a_terminal(kube: Kubectl, worker: str) -> None:
    """The shell's terminal has this one's size, Ctrl-C reaches what runs there, the code comes."""
    words = kube.words(f"exec -n default -it {worker} -- sh", ())
    terminal = Terminal(words, {**kube.environment(), "TERM": "xterm"})
    try:
        # The size comes on a way of its own, and may do so after the first command.
        size = 'until [ "$(stty size)" = "33 101" ]; do sleep 0.1; done; echo size$((1+1))'
        terminal.type(f"{size}\n")
        terminal.until("size2")
        terminal.type("sleep 100 || echo ended$((2+2))\n")
        terminal.until("sleep 100")
        time.sleep(0.3)  # until the shell has begun to wait: what comes earlier ends nothing
        terminal.type("\x03")
        terminal.type("exit 7\n")
        terminal.until("exit code 7")
        assert terminal.process.wait(timeout=10) == 7
    finally:
        terminal.close()


def test_kubectl_runs_and_attaches(newest: Kubectl) -> None:
    """``run -i`` hands its input over, prints the output, tells the code and cleans up."""
    words = "run -i --rm --restart=Never shout --image=none --pod-running-timeout=30s --command --"
    done = newest.run(words, "sh", "-c", "tr a-z A-Z; exit 4", stdin="hello\n")
    assert "HELLO" in done.stdout
    assert done.returncode == 4
    assert "NotFound" in newest.refused("get pod shout")


# -- Python's clients


@pytest.fixture
def core(daemon: Daemon) -> Iterator[client.CoreV1Api]:
    """The official client."""
    settings = client.Configuration()
    config.load_kube_config(str(daemon.kubeconfig), client_configuration=settings)
    with client.ApiClient(settings) as api:
        yield client.CoreV1Api(api)


def test_the_official_client(core: client.CoreV1Api, worker: str, files: Path) -> None:
    """``stream()`` in both its forms, its exit code, and ports as sockets."""
    execute = core.connect_get_namespaced_pod_exec
    where = {"name": worker, "namespace": "default", "stdout": True, "tty": False}
    whole = stream.stream(execute, **where, command=list(FAILS), stderr=True, stdin=False)
    assert sorted(whole.splitlines()) == ["err", "out blue"]
    shell = stream.stream(
        execute, **where, command=["sh"], stderr=True, stdin=True, _preload_content=False
    )
    shell.write_stdin("echo one\n")
    assert shell.readline_stdout(timeout=10) == "one"
    shell.write_stdin("exit 4\n")
    shell.run_forever(timeout=10)
    assert shell.returncode == 4
    forward = core.connect_get_namespaced_pod_portforward
    ports = stream.portforward(forward, worker, "default", ports=f"{PORT},9")
    wire = ports.socket(PORT)
    wire.setblocking(True)
    wire.sendall(b"GET /big HTTP/1.0\r\n\r\n")
    answer = b""
    while data := wire.recv(65536):
        answer += data
    assert answer.endswith((files / "big").read_bytes())
    assert "connection refused" in ports.error(9)


async def test_kubernetes_asyncio(daemon: Daemon, worker: str) -> None:
    """Over a client made for WebSockets."""
    settings = async_client.Configuration()
    await async_config.load_kube_config(str(daemon.kubeconfig), client_configuration=settings)
    async with WsApiClient(settings) as api:
        core = async_client.CoreV1Api(api)
        options = {"stdout": True, "stderr": True, "stdin": False, "tty": False}
        execute = core.connect_get_namespaced_pod_exec
        whole = await execute(worker, "default", command=["echo", "hi"], **options)
        assert whole == "hi\n"
        running = await execute(
            worker, "default", command=list(FAILS), _preload_content=False, **options
        )
        async with running as socket_:
            messages = [message.data async for message in socket_]
        errors = b"".join(one[1:] for one in messages if one[0] == 3)
        assert WsApiClient.parse_error_data(errors) == 3


@pytest.fixture(scope="module")
def library_threads(daemon: Daemon) -> None:
    """Let the synchronous side start the threads that it keeps for the process's life."""
    Api._instances.clear()
    assert kr8s.api(kubeconfig=str(daemon.kubeconfig)).version()


@pytest.fixture
def kr8s_api(library_threads: None, daemon: Daemon) -> Iterator[Any]:
    """A client of ``kr8s``; the library keeps one for each thread and cluster."""
    assert library_threads is None
    Api._instances.clear()
    yield kr8s.api(kubeconfig=str(daemon.kubeconfig))
    Api._instances.clear()


def test_kr8s(kr8s_api: Any, worker: str, files: Path) -> None:
    """Synchronous, with its exit code, and a forwarded port."""
    found = Kr8sPod.get(worker, namespace="default", api=kr8s_api)
    done = found.exec(["echo", "hi"])
    assert (done.returncode, done.stdout) == (0, b"hi\n")
    failed = found.exec(list(FAILS), check=False)
    assert (failed.returncode, failed.stdout, failed.stderr) == (3, b"out blue\n", b"err\n")
    with found.portforward(PORT, local_port="auto") as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/big")
        assert answer.content == (files / "big").read_bytes()


async def test_lightkube(daemon: Daemon, worker: str) -> None:
    """Synchronous and asynchronous, with input to its end."""
    settings = KubeConfig.from_file(str(daemon.kubeconfig)).get()
    with Client(config=settings, namespace="default") as api:
        done = api.exec(worker, command=list(FAILS), stdout=True, stderr=True)
        assert (done.exit_code, done.stdout, done.stderr) == (3, "out blue\n", "err\n")
        given = api.exec(worker, command=["cat"], stdin="hello", stdout=True)
        assert given.stdout == "hello"
    api = AsyncClient(config=settings, namespace="default")
    given = await api.exec(worker, command=["cat"], stdin="hello", stdout=True)
    assert given.stdout == "hello"
    await api.close()
