"""The volume that admission adds to every pod, with its ServiceAccount's token: pure parts.

Clients in a pod look for the token where upstream's kubelet mounts it. Their way to the server is
upstream's too (``KUBERNETES_SERVICE_HOST``), but the Service's port 443 takes rights to listen on
that a daemon may not have: so a kubeconfig with the server's own address lies beside the token, and
a variable leads clients to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from orchestrator.node.volumes.files import Sources
from orchestrator.resources.objects import Object, spec_of

MOUNT_PATH: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
PREFIX: Final = "kube-api-access-"
"""Of the name of the volume that admission adds."""
KUBECONFIG: Final = "kubeconfig"
"""Name of the file beside the token."""

DIRECTORY_VARIABLE: Final = "ORCHESTRATOR_SERVICEACCOUNT"
"""Tells a container where its ``token``, ``ca.crt`` and ``namespace`` are."""

KUBECONFIG_VARIABLE: Final = "KUBECONFIG"
"""Leads clients to the API with that token, unless the container sets it itself."""


def is_token_volume(volume: Mapping[str, Any]) -> bool:
    """Tell whether a volume is the one that admission adds: three files and nothing else."""
    sources = (volume.get("projected") or {}).get("sources") or ()
    kinds = [kind for source in sources for kind in source]
    return volume.get("name", "").startswith(PREFIX) and sorted(kinds) == [
        "configMap",
        "downwardAPI",
        "serviceAccountToken",
    ]


def with_optional_authority(volume: Object) -> Object:
    """Return the volume with its CA optional: a cluster without TLS has none to publish."""
    projected = volume["projected"]
    kept = [
        {"configMap": {**source["configMap"], "optional": True}}
        if "configMap" in source
        else source
        for source in projected["sources"]
    ]
    return {**volume, "projected": {**projected, "sources": kept}}


def token_mount(pod: Object, container: Object) -> Object | None:
    """Return the volume with the token that a container mounts where clients look for it."""
    mounted = {
        mount.get("name")
        for mount in container.get("volumeMounts") or ()
        if mount.get("mountPath") == MOUNT_PATH
    }
    for volume in spec_of(pod).get("volumes") or ():
        if volume.get("name") in mounted and is_token_volume(volume):
            found: Object = volume
            return found
    return None


def kubeconfig(place: str, namespace: str, *, trusted: bool, sources: Sources) -> bytes:
    """Return a kubeconfig as JSON, which is YAML too.

    Args:
        place: Directory of the token as the container sees it.
        namespace: Where commands without ``-n`` go.
        trusted: Whether there is a ``ca.crt``.
        sources: To find the API server's address.
    """
    cluster: dict[str, str] = {"server": _server(sources)}
    if trusted:
        cluster["certificate-authority"] = f"{place}/ca.crt"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "default", "cluster": cluster}],
        "users": [{"name": "default", "user": {"tokenFile": f"{place}/token"}}],
        "contexts": [
            {
                "name": "default",
                "context": {"cluster": "default", "user": "default", "namespace": namespace},
            }
        ],
        "current-context": "default",
    }
    return orjson.dumps(config, option=orjson.OPT_INDENT_2)


def _server(sources: Sources) -> str:
    """Return the API server's own address: port 443 of its Service needs rights to listen."""
    endpoints = sources.get("endpoints", "default", "kubernetes") or {}
    for subset in endpoints.get("subsets") or ():
        for address in subset.get("addresses") or ():
            for port in subset.get("ports") or ():
                return f"{port.get('name') or 'https'}://{address['ip']}:{port['port']}"
    return "https://kubernetes.default.svc"
