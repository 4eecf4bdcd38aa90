"""The kubeconfig that lets kubectl and client libraries in."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Final

from orchestrator.api.certificates import write_private

NAME: Final = "orchestrator"
"""Name of the cluster, the user and the context."""


def kubeconfig(server: str, *, ca_pem: str | None = None, token: str | None = None) -> str:
    """Return a kubeconfig as YAML.

    Args:
        server: URL of the API server, ``https://127.0.0.1:6443``.
        ca_pem: The CA certificate, carried inline; None for plain HTTP.
        token: Bearer token; None for a server that asks for none.
    """
    import yaml  # 10 ms, which a cluster without such a file need not pay

    cluster: dict[str, Any] = {"server": server}
    if ca_pem is not None:
        cluster["certificate-authority-data"] = base64.b64encode(ca_pem.encode()).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": NAME, "user": {} if token is None else {"token": token}}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "current-context": NAME,
        "preferences": {},
    }
    return yaml.safe_dump(config, sort_keys=False)


def write_kubeconfig(
    path: Path, server: str, *, ca_pem: str | None = None, token: str | None = None
) -> None:
    """Write the kubeconfig with mode 0600, whole or not at all; an old file is replaced."""
    write_private(path, kubeconfig(server, ca_pem=ca_pem, token=token).encode())
