"""What can be applied: files, directories, text, objects; and in which order."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from orchestrator.api._bodies import YamlError, parse_yaml_documents
from orchestrator.embedded.errors import ApplyError
from orchestrator.embedded.guessing import nearest
from orchestrator.resources.objects import Object

Source: TypeAlias = "str | Path | Mapping[str, Any] | Iterable[Any]"
"""A path, YAML or JSON text, an object, a list of any of them. An object of another library (a
kr8s or lightkube object, a ``kubernetes`` model) counts if it has ``to_dict``, or pydantic's
``model_dump``."""

_FIRST: Final = {
    "Namespace": 0,
    "CustomResourceDefinition": 1,
    "StorageClass": 2,
    "PriorityClass": 2,
    "ServiceAccount": 3,
    "Secret": 3,
    "ConfigMap": 3,
    "ResourceQuota": 3,
    "LimitRange": 3,
    "ClusterRole": 4,
    "Role": 4,
    "ClusterRoleBinding": 5,
    "RoleBinding": 5,
    "PersistentVolume": 6,
    "PersistentVolumeClaim": 7,
    "Service": 8,
}
"""Kinds that others look for when they are made, in this order; all others come last."""

_KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_KUSTOMIZE_SECONDS: Final = 60.0


async def read_objects(source: Source) -> list[Object]:
    """Return the objects of a source, lists taken apart, in the order in which to apply them.

    Raises:
        ApplyError: Something in it cannot be read as an object.
        OSError: A file cannot be read.
    """
    found = await _read(source, "the argument")
    return sorted(found, key=lambda obj: _FIRST.get(obj["kind"], 9))


async def _read(source: Source, where: str) -> list[Object]:
    if isinstance(source, Path):
        return await _read_path(source)
    if isinstance(source, str):
        if not source.strip():
            raise ApplyError(f"{where} is an empty text")
        if not any(mark in source for mark in ("\n", "{", ": ")):
            return await _read_path(Path(source))
        return _read_text(source, where)
    if isinstance(source, Mapping):
        return _taken_apart(source, where)
    if isinstance(source, bytes | bytearray):
        raise ApplyError(f"{where} is bytes: decode them, or give the path of the file")
    convert = getattr(source, "to_dict", None)
    if convert is not None:
        return _taken_apart(convert(), where)
    dump = getattr(source, "model_dump", None)
    if dump is not None and not isinstance(source, type):
        return _taken_apart(dump(mode="json", by_alias=True, exclude_none=True), where)
    if isinstance(source, Iterable):
        pieces: list[Object] = []
        for at, item in enumerate(source):
            pieces += await _read(item, f"item {at} of {where}")
        return pieces
    raise ApplyError(
        f"{where} is a {type(source).__name__}: give a path, YAML text, a dictionary or a list"
    )


async def _read_path(path: Path) -> list[Object]:
    texts = _texts_at(path)
    if texts is None:
        return _read_text(await _kustomize(path), str(path))
    return [obj for file, text in texts for obj in _read_text(text, str(file))]


def _texts_at(path: Path) -> list[tuple[Path, str]] | None:
    """Return the files at a path and what is in them; None for a kustomization, to be built."""
    if not path.is_dir():
        try:
            return [(path, path.read_text(encoding="utf-8"))]
        except FileNotFoundError:
            raise ApplyError(f"{path}: no such file{_near(path)}") from None
        except UnicodeDecodeError as error:
            raise ApplyError(f"{path} is no text in UTF-8: {error}") from None
    if any((path / name).is_file() for name in _KUSTOMIZATIONS):
        return None
    files = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml", ".json"))
    if not files:
        raise ApplyError(f"{path} has no .yaml, .yml or .json file and no kustomization")
    return [pair for file in files for pair in _texts_at(file) or ()]


def _near(path: Path) -> str:
    """Say what else a missing file might be, or where it was looked for."""
    place = path.parent if path.parent.is_dir() else Path()
    near = nearest(path.name, (each.name for each in place.iterdir()))
    if near:
        return f": did you mean {place / near}?"
    found = "" if path.is_absolute() else f" in {Path.cwd()}"
    return f"{found}; YAML text has to have a line break"


async def _kustomize(path: Path) -> str:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise ApplyError(f"{path} is a kustomization: kubectl has to be installed to build it")
    process = await asyncio.create_subprocess_exec(
        kubectl,
        "kustomize",
        str(path),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_KUSTOMIZE_SECONDS):
            out, errors = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        raise ApplyError(f"kubectl kustomize {path}: {errors.decode('utf-8', 'replace').strip()}")
    return out.decode()


def _read_text(text: str, where: str) -> list[Object]:
    try:
        documents = parse_yaml_documents(text.encode())
    except YamlError as error:
        raise ApplyError(f"{where} is no YAML: {error}") from error
    found: list[Object] = []
    for at, document in enumerate(documents):
        if document is not None:
            found += _taken_apart(document, f"document {at + 1} of {where}")
    return found


def _taken_apart(obj: Any, where: str) -> list[Object]:
    if not isinstance(obj, Mapping):
        raise ApplyError(f"{where} is a {type(obj).__name__}, not an object")
    for name in ("apiVersion", "kind"):
        if not isinstance(obj.get(name), str) or not obj[name]:
            raise ApplyError(f"{where} has no {name}")
    if not isinstance(obj.get("metadata", {}), Mapping | None):
        raise ApplyError(f"metadata of {where} is {obj['metadata']!r}: give a dictionary")
    if obj["kind"].endswith("List") and isinstance(obj.get("items"), list):
        return [
            piece
            for at, item in enumerate(obj["items"])
            for piece in _taken_apart(item, f"item {at} of {where}")
        ]
    return [dict(obj)]
