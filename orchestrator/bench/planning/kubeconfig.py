"""How a kubeconfig says to reach a cluster, and as whom.

Source of the fields: ``k8s.io/client-go/tools/clientcmd/api/v1`` and
``k8s.io/client-go/pkg/apis/clientauthentication/v1``.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from orchestrator.bench.failures import UserError

_EXEC_DEADLINE: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach a cluster.

    Attributes:
        server: The API's URL, without a slash at its end.
        tls: How to verify it and what to show it; None for plain HTTP.
        headers: What says who asks.
        server_name: What the server's certificate names; None: the URL's host.
        proxy: A proxy's URL.
    """

    server: str
    tls: ssl.SSLContext | None
    headers: Mapping[str, str] = field(default_factory=dict)
    server_name: str | None = None
    proxy: str | None = None


@contextmanager
def read_access(config: Mapping[str, Any], path: Path, context: str | None) -> Iterator[Access]:
    """Read a kubeconfig; certificates that it holds inline are files as long as the block runs.

    Raises:
        UserError: Something is missing in it, or it asks for what is not supported.
    """
    name = context or config.get("current-context")
    if not name:
        raise UserError(f"{path}: it has no current-context; name one (--context)")
    chosen = _named(config, "contexts", name, path).get("context") or {}
    cluster = _named(config, "clusters", chosen.get("cluster"), path).get("cluster") or {}
    user: Mapping[str, Any] = {}
    if chosen.get("user"):
        user = _named(config, "users", chosen["user"], path).get("user") or {}
    server = str(cluster.get("server") or "").rstrip("/")
    if not server.startswith(("http://", "https://")):
        raise UserError(f"{path}: cluster {chosen.get('cluster')} has no server")
    with tempfile.TemporaryDirectory() as directory:
        files = _Files(path, Path(directory))
        credentials = _credentials(user, cluster, files)
        tls = _tls(cluster, credentials, files) if server.startswith("https://") else None
        yield Access(
            server=server,
            tls=tls,
            headers=_headers(credentials, files),
            server_name=cluster.get("tls-server-name"),
            proxy=cluster.get("proxy-url"),
        )


def _named(config: Mapping[str, Any], part: str, name: object, path: Path) -> Mapping[str, Any]:
    for entry in config.get(part) or ():
        if isinstance(entry, Mapping) and entry.get("name") == name:
            return entry
    raise UserError(f"{path}: there is no {name!r} among its {part}")


class _Files:
    """Turns what a kubeconfig holds, by path or inline, into files."""

    def __init__(self, config: Path, directory: Path) -> None:
        self.config = config
        self._directory = directory

    def find(self, part: Mapping[str, Any], field_name: str) -> Path | None:
        """Return the file that a field names or that its ``-data`` twin holds."""
        data = part.get(f"{field_name}-data")
        if data:
            try:
                content = base64.b64decode(str(data), validate=True)
            except binascii.Error:
                raise UserError(f"{self.config}: {field_name}-data is not base64") from None
            return self.keep(field_name, content)
        return self.by_path(part.get(field_name))

    def by_path(self, name: object) -> Path | None:
        """Return a file by a path that is relative to the kubeconfig's directory."""
        if not name:
            return None
        found = self.config.parent / str(name)
        if not found.is_file():
            raise UserError(f"{self.config}: it names {found}, which is not there")
        return found

    def keep(self, name: str, content: bytes) -> Path:
        """Write a file that only this user can read."""
        target = self._directory / name
        target.touch(mode=0o600)
        target.write_bytes(content)
        return target


def _credentials(
    user: Mapping[str, Any], cluster: Mapping[str, Any], files: _Files
) -> Mapping[str, Any]:
    if user.get("auth-provider"):
        raise UserError(
            f"{files.config}: auth-provider is a form that Kubernetes gave up in 1.26; "
            "make the kubeconfig anew with your provider's tool, or use a dump"
        )
    plugin = user.get("exec")
    return {**user, **_run_plugin(plugin, cluster, files)} if plugin else user


def _run_plugin(
    plugin: Mapping[str, Any], cluster: Mapping[str, Any], files: _Files
) -> dict[str, Any]:
    """Ask a credential plugin, as EKS's and GKE's kubeconfigs have one."""
    command = [str(plugin.get("command")), *(str(each) for each in plugin.get("args") or ())]
    if os.sep in command[0] and not Path(command[0]).is_absolute():
        command[0] = str(files.config.parent / command[0])
    environment = dict(os.environ)
    environment |= {str(each["name"]): str(each["value"]) for each in plugin.get("env") or ()}
    request: dict[str, Any] = {
        "kind": "ExecCredential",
        "apiVersion": plugin.get("apiVersion"),
        "spec": {"interactive": False},
    }
    if plugin.get("provideClusterInfo"):
        request["spec"]["cluster"] = {
            key: cluster[key]
            for key in ("server", "certificate-authority-data", "tls-server-name")
            if key in cluster
        }
    environment["KUBERNETES_EXEC_INFO"] = json.dumps(request)
    try:
        done = subprocess.run(  # noqa: S603 - the user's own kubeconfig says to run it
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=True,
            timeout=_EXEC_DEADLINE,
        )
        status = json.loads(done.stdout)["status"]
    except FileNotFoundError:
        hint = str(plugin.get("installHint") or "").strip()
        raise UserError(f"{files.config}: {command[0]} is not installed. {hint}".rstrip()) from None
    except (OSError, subprocess.SubprocessError) as error:
        raise UserError(f"{files.config}: its credential plugin failed: {error}") from error
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{files.config}: {command[0]} printed no ExecCredential") from None
    found: dict[str, Any] = {}
    if status.get("token"):
        found["token"] = status["token"]
    for field_name, key in (
        ("client-certificate", "clientCertificateData"),
        ("client-key", "clientKeyData"),
    ):
        if status.get(key):
            found[f"{field_name}-data"] = base64.b64encode(status[key].encode()).decode()
    return found


def _headers(user: Mapping[str, Any], files: _Files) -> dict[str, str]:
    if user.get("tokenFile"):
        token_file = files.by_path(user["tokenFile"])
        assert token_file is not None
        return {"Authorization": f"Bearer {token_file.read_text(encoding='utf-8').strip()}"}
    if user.get("token"):
        return {"Authorization": f"Bearer {user['token']}"}
    if user.get("username"):
        pair = f"{user['username']}:{user.get('password', '')}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any], files: _Files) -> ssl.SSLContext:
    authority = files.find(cluster, "certificate-authority")
    try:
        tls = ssl.create_default_context(cafile=authority)
        if cluster.get("insecure-skip-tls-verify"):
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        certificate = files.find(user, "client-certificate")
        if certificate is not None:
            tls.load_cert_chain(certificate, files.find(user, "client-key"))
    except ssl.SSLError as error:
        raise UserError(f"{files.config}: a certificate in it cannot be used: {error}") from error
    return tls
