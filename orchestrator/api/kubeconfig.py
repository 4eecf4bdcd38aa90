"""The kubeconfig that lets kubectl and client libraries in."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Final

from orchestrator.api.certificates import write_private

NAME: Final = "orchestrator"
"""Name of the cluster, the user and the context."""


def kubeconfig_data(
    server: str, *, ca_pem: str | None = None, token: str | None = None, namespace: str = ""
) -> dict[str, Any]:
    """Return a kubeconfig as the data that its YAML stands for.

    Args:
        server: URL of the API server, ``https://127.0.0.1:6443``.
        ca_pem: The CA certificate, carried inline; None for plain HTTP.
        token: Bearer token; None for a server that asks for none.
        namespace: Where clients look unless told otherwise; empty leaves it to them.
    """
    cluster: dict[str, Any] = {"server": server}
    if ca_pem is not None:
        cluster["certificate-authority-data"] = base64.b64encode(ca_pem.encode()).decode()
    context = {"cluster": NAME, "user": NAME} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": NAME, "user": {} if token is None else {"token": token}}],
        "contexts": [{"name": NAME, "context": context}],
        "current-context": NAME,
        "preferences": {},
    }


def kubeconfig(server: str, *, ca_pem: str | None = None, token: str | None = None) -> str:
    """Return a kubeconfig as YAML; see `kubeconfig_data`."""
    import yaml  # 10 ms, which a cluster without such a file need not pay

    config = kubeconfig_data(server, ca_pem=ca_pem, token=token)
    return yaml.safe_dump(config, sort_keys=False)


def write_kubeconfig(
    path: Path, server: str, *, ca_pem: str | None = None, token: str | None = None
) -> None:
    """Write the kubeconfig with mode 0600, whole or not at all; an old file is replaced."""
    write_private(path, kubeconfig(server, ca_pem=ca_pem, token=token).encode())
