"""Where a cluster is read from: its API through a kubeconfig, or a dump that kubectl made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import yaml

from orchestrator.bench.failures import UserError
from orchestrator.bench.planning.observed import Observed, collect
from orchestrator.bench.progress import Progress


def read_cluster(path: Path, progress: Progress, context: str | None = None) -> Observed:
    """Read a cluster.

    Args:
        path: A kubeconfig, or a dump in JSON or YAML.
        progress: Shows how far reading is.
        context: Of the kubeconfig; None takes its current one.

    Raises:
        UserError: The file is neither, or the cluster does not answer.
    """
    value = _load(path)
    if isinstance(value, dict) and "clusters" in value and "contexts" in value:
        from orchestrator.bench.planning.kubeconfig import read_access
        from orchestrator.bench.planning.live import read_live

        with read_access(value, path, context) as access:
            return read_live(access, progress)
    if context is not None:
        raise UserError(f"{path}: is no kubeconfig, so it has no context {context}")
    if isinstance(value, dict) and isinstance(value.get("items"), list):
        return collect(_items(value), str(path))
    if isinstance(value, dict) and value.get("kind") == "Node":
        return collect([value], str(path))
    raise UserError(
        f"{path}: neither a kubeconfig nor a dump; "
        "make one by: kubectl get nodes,pods -A -o json > dump.json"
    )


def _items(value: dict[str, Any]) -> list[Any]:
    """Return a list's items; those of a ``PodList`` do not say their kind themselves."""
    kind = str(value.get("kind", "List")).removesuffix("List")
    if not kind:
        return list(value["items"])
    return [{"kind": kind, **item} if isinstance(item, dict) else item for item in value["items"]]


def _load(path: Path) -> Any:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    if text.lstrip()[:1] in {b"{", b"["}:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise UserError(
                f"{path}:{error.lineno}: not JSON: {error.msg}; was the dump cut off?"
            ) from error
    return load_yaml(text, path)[0]


def load_yaml(text: bytes, path: Path) -> list[Any]:
    """Return the documents of a YAML file, empty ones left out.

    Raises:
        UserError: It is no YAML, or there are none.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        documents = [each for each in yaml.load_all(text, Loader=loader) if each is not None]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not YAML: {error}") from error
    if not documents:
        raise UserError(f"{path}: there is nothing in it")
    return documents
