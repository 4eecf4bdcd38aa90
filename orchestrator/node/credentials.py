"""A pod's ServiceAccount token as files, since a process has no file system of its own.

Upstream's kubelet mounts the volume that admission adds to every pod at
``/var/run/secrets/kubernetes.io/serviceaccount``. All processes share the machine's one tree, so
here the files lie in a directory for each pod, and variables tell the container where.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import orjson

from orchestrator.access import AccountTokens
from orchestrator.resources.objects import Object, namespace_of, spec_of, uid_of

MOUNT_PATH: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
PREFIX: Final = "kube-api-access-"
"""Of the name of the volume that admission adds."""

DIRECTORY_VARIABLE: Final = "ORCHESTRATOR_SERVICEACCOUNT"
"""Tells a container where its ``token``, ``ca.crt`` and ``namespace`` are."""

KUBECONFIG_VARIABLE: Final = "KUBECONFIG"
"""Leads clients to the API with that token, unless the container sets it itself."""


class MissingCredentialsError(Exception):
    """What the token needs is not there yet; the message says what."""


class Reader(Protocol):
    """The part of the store that is read."""

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Return a committed object, or None."""


def is_token_volume(volume: Mapping[str, Any]) -> bool:
    """Tell whether a volume is the one that admission adds: three files and nothing else."""
    sources = (volume.get("projected") or {}).get("sources") or ()
    kinds = [kind for source in sources for kind in source]
    return volume.get("name", "").startswith(PREFIX) and sorted(kinds) == [
        "configMap",
        "downwardAPI",
        "serviceAccountToken",
    ]


def token_volume(pod: Object, container: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the volume with the token that a container mounts where clients look for it."""
    mounted = {
        mount.get("name")
        for mount in container.get("volumeMounts") or ()
        if mount.get("mountPath") == MOUNT_PATH
    }
    for volume in spec_of(pod).get("volumes") or ():
        if volume.get("name") in mounted and is_token_volume(volume):
            found: Mapping[str, Any] = volume
            return found
    return None


class PodCredentials:
    """Writes pods' tokens, and takes them away again."""

    def __init__(self, directory: Path, reader: Reader, tokens: AccountTokens) -> None:
        """Keep the files below ``directory``; nothing is touched before the first pod."""
        self._directory = directory
        self._reader = reader
        self._tokens = tokens

    def write(self, pod: Object, volume: Mapping[str, Any]) -> dict[str, str]:
        """Write a new token for a pod; return the variables that lead to it.

        Raises:
            MissingCredentialsError: The ServiceAccount or the ConfigMap is not there (yet).
            OSError: The files can't be written.
        """
        namespace = namespace_of(pod)
        sources = {
            kind: value
            for source in (volume.get("projected") or {}).get("sources") or ()
            for kind, value in source.items()
        }
        name = spec_of(pod).get("serviceAccountName") or "default"
        account = self._reader.get("serviceaccounts", namespace, name)
        if account is None:
            raise MissingCredentialsError(f'serviceaccount "{name}" not found')
        wanted = sources["serviceAccountToken"]
        issued = self._tokens.issue(
            account,
            str(uuid.uuid4()),
            audiences=[wanted["audience"]] if wanted.get("audience") else (),
            seconds=wanted.get("expirationSeconds") or 3600,
            bound={"kind": "Pod", **pod},
        )
        # A cluster without TLS has no CA to publish.
        authority = self._authority(namespace, sources["configMap"].get("name") or "")
        place = self._directory / uid_of(pod)
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(place / "token", issued.token)
        _write(place / "namespace", namespace)
        if authority:
            _write(place / "ca.crt", authority)
        _write(place / "kubeconfig", self._kubeconfig(place, namespace, bool(authority)))
        return {
            DIRECTORY_VARIABLE: str(place),
            KUBECONFIG_VARIABLE: str(place / "kubeconfig"),
        }

    def remove(self, uid: str) -> None:
        """Take a pod's files away, if it has any."""
        shutil.rmtree(self._directory / uid, ignore_errors=True)

    def _authority(self, namespace: str, name: str) -> str:
        bundle = self._reader.get("configmaps", namespace, name)
        return str((bundle or {}).get("data", {}).get("ca.crt") or "")

    def _kubeconfig(self, place: Path, namespace: str, trusted: bool) -> str:
        """Return a kubeconfig as JSON, which is YAML too."""
        cluster: dict[str, str] = {"server": self._server()}
        if trusted:
            cluster["certificate-authority"] = str(place / "ca.crt")
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "default", "cluster": cluster}],
            "users": [{"name": "default", "user": {"tokenFile": str(place / "token")}}],
            "contexts": [
                {
                    "name": "default",
                    "context": {"cluster": "default", "user": "default", "namespace": namespace},
                }
            ],
            "current-context": "default",
        }
        return orjson.dumps(config, option=orjson.OPT_INDENT_2).decode()

    def _server(self) -> str:
        """Return the API server's own address: port 443 of its Service needs rights to listen."""
        endpoints = self._reader.get("endpoints", "default", "kubernetes") or {}
        for subset in endpoints.get("subsets") or ():
            for address in subset.get("addresses") or ():
                for port in subset.get("ports") or ():
                    return f"{port.get('name') or 'https'}://{address['ip']}:{port['port']}"
        return "https://kubernetes.default.svc"


def _write(file: Path, text: str) -> None:
    """Write a file for its owner alone, whole or not at all."""
    temporary = file.with_name(f".{file.name}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    temporary.replace(file)
