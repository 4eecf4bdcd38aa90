"""What a container mounts, and where it finds it where it cannot mount: pure.

`plan_mounts` says what each ``volumeMounts`` entry comes to; `plan_links` says which paths and
variables stand for them on a machine without private mounts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from orchestrator.node.runtime import Mount
from orchestrator.resources.objects import Object

ROOT_VARIABLE: Final = "ORCHESTRATOR_ROOT"
"""Names the directory that has a container's volumes where they cannot be mounted."""
MOUNT_VARIABLE: Final = "ORCHESTRATOR_MOUNT_"
"""Begins the variables of single mounts; their path in capitals follows."""
_NESTED: Final = ".nested"
_REFERENCE = re.compile(r"\$\$|\$\(([^)]+)\)")
_READ_ONLY = {"Enabled": "recursive", "IfPossible": "if-possible"}


class Place(NamedTuple):
    """Where a volume's content is.

    Attributes:
        path: On the machine.
        read_only: Whether no container may write to it, as with volumes made of files.
        owned: Whether it is the pod's own: mount points may be made in it.
    """

    path: str
    read_only: bool = False
    owned: bool = False


class Planned(NamedTuple):
    """One mount before paths within volumes are looked at.

    Attributes:
        mount: With the volume's own path as its source.
        volume: The volume's name.
        within: Path within the volume, ``""`` for all of it.
    """

    mount: Mount
    volume: str
    within: str


class Link(NamedTuple):
    """A path that stands for a mount.

    Attributes:
        path: Within the container's root directory.
        target: What it leads to.
        variable: Environment variable that has the path.
    """

    path: str
    target: str
    variable: str


class PlanError(Exception):
    """A mount of a container makes no sense; the container waits, the text says why."""


def plan_mounts(
    container: Object, places: Mapping[str, Place], variables: Mapping[str, str]
) -> list[Planned]:
    """Return a container's mounts, outer ones first.

    Args:
        container: Its entry in the pod.
        places: Where volumes are, by name; mounts of others are left out.
        variables: Its environment, for ``subPathExpr``.

    Raises:
        PlanError: A ``subPathExpr`` that cannot be used.
    """
    planned = []
    for entry in container.get("volumeMounts") or ():
        place = places.get(entry["name"])
        if place is None:
            continue
        mount = Mount(
            source=place.path,
            target=str(PurePosixPath("/", entry["mountPath"])),
            read_only=_read_only(entry, place),
            follows=entry.get("mountPropagation") == "HostToContainer",
            owned=place.owned,
        )
        planned.append(Planned(mount, entry["name"], _within(entry, variables)))
    planned.sort(key=lambda item: len(PurePosixPath(item.mount.target).parts))
    return planned


def _read_only(entry: Object, place: Place) -> str:
    if entry.get("readOnly"):
        return _READ_ONLY.get(entry.get("recursiveReadOnly") or "", "flat")
    return "flat" if place.read_only else ""


def _within(entry: Object, variables: Mapping[str, str]) -> str:
    expression = entry.get("subPathExpr")
    if not expression:
        return str(entry.get("subPath") or "")
    path = _expand(expression, variables)
    if path.startswith("/"):
        raise PlanError(f"subPath `{path}` must not be an absolute path")
    if ".." in path.split("/"):
        raise PlanError("must not contain '..'")
    return path


def _expand(expression: str, variables: Mapping[str, str]) -> str:
    """Expand ``$(NAME)``; a variable that is missing is an error here, unlike in a command."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return "$"
        if name not in variables:
            raise PlanError(f'missing value for "{name}"')
        return variables[name]

    return _REFERENCE.sub(value, expression)


def plan_links(mounts: Iterable[Mount]) -> list[Link]:
    """Return the paths that stand for mounts, in the order of the mounts, outer ones first.

    Each is at the mount's path below the container's root directory, but for one within another
    mount: the volume there is not this container's alone, so it gets a path of its own.
    """
    links: list[Link] = []
    outer: list[PurePosixPath] = []
    taken: set[str] = set()
    for mount in mounts:
        target = PurePosixPath(mount.target)
        name = re.sub(r"[^A-Za-z0-9]+", "_", mount.target).strip("_").upper() or "ROOT"
        variable, number = f"{MOUNT_VARIABLE}{name}", 2
        while variable in taken:
            variable, number = f"{MOUNT_VARIABLE}{name}_{number}", number + 1
        taken.add(variable)
        path = mount.target.lstrip("/")
        if not path or any(target.is_relative_to(other) for other in outer):
            path = f"{_NESTED}/{variable.removeprefix(MOUNT_VARIABLE).lower()}"
        outer.append(target)
        links.append(Link(path, mount.source, variable))
    return links


def moved_directory(directory: str, mounts: Sequence[Mount], root: str) -> str:
    """Return where a working directory is on a machine without private mounts.

    Args:
        directory: Of the container, ``""`` for none.
        mounts: Its mounts.
        root: Its root directory.
    """
    wanted = PurePosixPath("/", directory) if directory else None
    for mount, link in reversed(list(zip(mounts, plan_links(mounts), strict=True))):
        if wanted is not None and wanted.is_relative_to(mount.target):
            return str(PurePosixPath(root, link.path, wanted.relative_to(mount.target)))
    return directory
