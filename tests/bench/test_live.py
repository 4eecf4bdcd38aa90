"""Reading a cluster over HTTP: what a kubeconfig says, pages, refusals."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlparse

import pytest
import yaml

from orchestrator.bench.failures import UserError
from orchestrator.bench.planning.sources import read_cluster
from orchestrator.bench.progress import Progress
from tests.bench.clusters import node, pod


class Api(BaseHTTPRequestHandler):
    """Lists three nodes in two pages and a pod, to whoever has the token; nothing else."""

    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """Answer a list."""
        url = urlparse(self.path)
        query = parse_qs(url.query)
        Api.seen.append(self.headers.get("Authorization", ""))
        if self.headers.get("Authorization") not in {"Bearer secret", "Basic dTpw"}:
            self.answer(401, {"kind": "Status", "message": "Unauthorized"})
        elif url.path == "/api/v1/nodes":
            first = "continue" not in query
            names = ["a", "b"] if first else ["c"]
            items = [{**node(name), "kind": None} for name in names]
            more = {"continue": "more"} if first else {}
            self.answer(200, {"kind": "NodeList", "metadata": more, "items": items})
        elif url.path == "/api/v1/pods":
            self.answer(200, {"kind": "PodList", "metadata": {}, "items": [pod("x", "a")]})
        else:
            self.answer(403, {"kind": "Status", "message": "you may not list that"})

    def answer(self, code: int, value: dict[str, Any]) -> None:
        """Send JSON."""
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """The URL of an API server."""
    Api.seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def kubeconfig(directory: Path, server: str, user: dict[str, Any], **more: Any) -> Path:
    """Write a kubeconfig."""
    path = directory / "kubeconfig"
    config = {
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
        **more,
    }
    path.write_text(yaml.safe_dump(config))
    return path


def test_pages_are_put_together_and_refusals_noted(tmp_path: Path, server: str) -> None:
    """All nodes of both pages; what may not be listed is said to be left out."""
    observed = read_cluster(kubeconfig(tmp_path, server, {"token": "secret"}), Progress())
    assert [each["metadata"]["name"] for each in observed.nodes] == ["a", "b", "c"]
    assert [each["metadata"]["name"] for each in observed.running] == ["x"]
    assert "StorageClass not looked at: 403: you may not list that" in observed.notes


def test_a_credential_plugin_is_asked(tmp_path: Path, server: str) -> None:
    """As those of EKS and GKE are: it prints an ExecCredential."""
    plugin = tmp_path / "plugin"
    plugin.write_text(
        "#!/bin/sh\ncase $KUBERNETES_EXEC_INFO in *ExecCredential*) ;; *) exit 1;; esac\n"
        'echo "{\\"status\\": {\\"token\\": \\"$1$KIND\\"}}"\n'
    )
    plugin.chmod(0o755)
    user = {
        "exec": {"command": "./plugin", "args": ["sec"], "env": [{"name": "KIND", "value": "ret"}]}
    }
    assert len(read_cluster(kubeconfig(tmp_path, server, user), Progress()).nodes) == 3


def test_tokens_in_files_and_passwords_are_sent(tmp_path: Path, server: str) -> None:
    """Paths are relative to the kubeconfig."""
    (tmp_path / "token").write_text("secret\n")
    read_cluster(kubeconfig(tmp_path, server, {"tokenFile": "token"}), Progress())
    read_cluster(kubeconfig(tmp_path, server, {"username": "u", "password": "p"}), Progress())
    assert set(Api.seen) == {"Bearer secret", "Basic dTpw"}


@pytest.mark.parametrize(
    ("user", "more", "complaint"),
    [
        ({"token": "wrong"}, {}, "listing /api/v1/nodes: 401: Unauthorized"),
        ({"tokenFile": "none"}, {}, "it names .*none, which is not there"),
        ({"auth-provider": {"name": "gcp"}}, {}, "auth-provider is a form that Kubernetes gave up"),
        (
            {"exec": {"command": "no-such-plugin", "installHint": "Get it at example.com"}},
            {},
            "no-such-plugin is not installed. Get it at example.com",
        ),
        ({"exec": {"command": "true"}}, {}, "true printed no ExecCredential"),
        ({"exec": {"command": "false"}}, {}, "its credential plugin failed"),
        ({}, {"current-context": ""}, "it has no current-context; name one"),
        ({}, {"current-context": "there"}, "there is no 'there' among its contexts"),
        ({}, {"users": []}, "there is no 'u' among its users"),
        ({}, {"clusters": [{"name": "c", "cluster": {}}]}, "cluster c has no server"),
        (
            {"client-certificate-data": "bm90aGluZw==", "client-key-data": "bm90aGluZw=="},
            {"clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}]},
            "a certificate in it cannot be used",
        ),
        (
            {"client-certificate-data": "%"},
            {"clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}]},
            "client-certificate-data is not base64",
        ),
    ],
)
def test_what_keeps_us_out_is_told(
    tmp_path: Path, server: str, user: dict[str, Any], more: dict[str, Any], complaint: str
) -> None:
    """With what to do where there is something to do."""
    with pytest.raises(UserError, match=complaint):
        read_cluster(kubeconfig(tmp_path, server, user, **more), Progress())


def test_a_cluster_that_is_not_there_is_named(tmp_path: Path) -> None:
    """By its URL; and a context is chosen by name."""
    config = kubeconfig(tmp_path, "http://127.0.0.1:1", {}, **{"current-context": "other"})
    with pytest.raises(UserError, match=r"http://127.0.0.1:1 does not answer: "):
        read_cluster(config, Progress(), "here")
