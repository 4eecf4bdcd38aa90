"""How API servers behind this one know that it is this one that passes requests on.

They trust what the headers say of the user only where the caller shows a certificate of the front
proxy's own authority. Which that is they read in the ConfigMap
``kube-system/extension-apiserver-authentication``.
Source: https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import orjson

from orchestrator.api.certificates import (
    RENEW_BEFORE,
    ensure_authority,
    make_leaf,
    write_private,
)
from orchestrator.records import dataclass
from orchestrator.resources.objects import Key, Object

CLIENT_NAME: Final = "front-proxy-client"
CONFIG_MAP: Final = Key("configmaps", "kube-system", "extension-apiserver-authentication")
_MANIFEST: Final = "front-proxy.json"


@dataclass(frozen=True, slots=True)
class FrontProxy:
    """The authority, and this server's own certificate of it."""

    ca_pem: str
    certificate_file: Path
    key_file: Path

    @property
    def client_certificate(self) -> tuple[str, str]:
        """Files of the certificate and of its key."""
        return str(self.certificate_file), str(self.key_file)


def ensure_front_proxy(directory: Path, now: float) -> FrontProxy:
    """Return the front proxy's files; make or renew what is missing or old.

    Args:
        directory: Where they are kept.
        now: Real seconds since the epoch.
    """
    ca_file = directory / "front-proxy-ca.crt"
    certificate_file = directory / "front-proxy-client.crt"
    key_file = directory / "front-proxy-client.key"
    if not _is_good(directory, (ca_file, certificate_file, key_file), now):
        authority = ensure_authority(
            ca_file, directory / "front-proxy-ca.key", now, "orchestrator-front-proxy-ca"
        )
        expires = make_leaf(authority, certificate_file, key_file, CLIENT_NAME, now)
        write_private(directory / _MANIFEST, orjson.dumps({"expires": expires}))
    return FrontProxy(ca_file.read_text("ascii"), certificate_file, key_file)


def _is_good(directory: Path, files: tuple[Path, ...], now: float) -> bool:
    try:
        expires = orjson.loads((directory / _MANIFEST).read_bytes())["expires"]
        return all(file.stat().st_size for file in files) and expires - now >= RENEW_BEFORE
    except (OSError, ValueError, KeyError, TypeError):
        return False


def authentication_config(client_ca: str, front_proxy: FrontProxy) -> Object:
    """Return the ConfigMap by which servers behind this one learn whom to trust.

    Args:
        client_ca: PEM of the authority of clients' certificates.
        front_proxy: The front proxy.
    """
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIG_MAP.name, "namespace": CONFIG_MAP.namespace},
        "data": {
            "client-ca-file": client_ca,
            "requestheader-allowed-names": json.dumps([CLIENT_NAME]),
            "requestheader-client-ca-file": front_proxy.ca_pem,
            "requestheader-extra-headers-prefix": json.dumps(["X-Remote-Extra-"]),
            "requestheader-group-headers": json.dumps(["X-Remote-Group"]),
            "requestheader-uid-headers": json.dumps(["X-Remote-Uid"]),
            "requestheader-username-headers": json.dumps(["X-Remote-User"]),
        },
    }
