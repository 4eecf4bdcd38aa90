"""One pod's volumes: set up before its first container, kept up to date, handed to containers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from orchestrator.node.environment import PodFacts
from orchestrator.node.runtime import Mount
from orchestrator.node.surroundings import Surroundings
from orchestrator.node.volumes import accounts, presence
from orchestrator.node.volumes.atomic import DATA, make_directory, write_files
from orchestrator.node.volumes.claims import HostPath, claim_name, path_of_claim
from orchestrator.node.volumes.directories import VolumeDirectories
from orchestrator.node.volumes.files import KINDS, Context, File, VolumeError, volume_files
from orchestrator.node.volumes.hostpaths import settle_path
from orchestrator.node.volumes.ownership import give_to_group
from orchestrator.node.volumes.planning import (
    ROOT_VARIABLE,
    Place,
    PlanError,
    Planned,
    moved_directory,
    plan_links,
    plan_mounts,
)
from orchestrator.node.volumes.tokens import PodTokens
from orchestrator.resources.objects import Object, namespace_of

Tell: TypeAlias = Callable[[Literal["Normal", "Warning"], str, str], None]
"""Records an Event of a type, with a reason and a message, on the pod."""
_FIRST_RETRY = 0.5
_LAST_RETRY = 122.0
"""Seconds between attempts at what tells nobody when it changes, as the kubelet's."""


class Mounted(NamedTuple):
    """What a container gets of volumes.

    Attributes:
        mounts: To be made in its own mount namespace.
        variables: To be added to its environment.
        working_directory: The one it asked for, or what stands for it.
    """

    mounts: tuple[Mount, ...]
    variables: Mapping[str, str]
    working_directory: str


class PodVolumes:
    """The volumes of one pod on its node; cheap for a pod that has none.

    On a node that executes nothing it only says whether the objects are there.

    Attributes:
        ready: Whether containers may start.
        again_at: When to settle again whatever happens, seconds since the epoch, or None.
    """

    __slots__ = (
        "_around",
        "_begun",
        "_directories",
        "_failures",
        "_homeless",
        "_places",
        "_retry",
        "_tell",
        "_tokens",
        "_told",
        "again_at",
        "ready",
    )

    def __init__(self, around: Surroundings, pod: Object, tell: Tell, *, begun: bool) -> None:
        """Prepare.

        Args:
            around: The node.
            pod: The pod.
            tell: For Events.
            begun: Whether containers of the pod were started before: then what is missing by now
                is told, but keeps nothing waiting.
        """
        self._around = around
        self._tell = tell
        self._directories: VolumeDirectories | None = None
        if around.runtime.executes:
            volumes = pod["spec"].get("volumes") or ()
            self._directories = around.volumes if volumes else None
            self._homeless = {
                item["name"]: _words(item, VolumeError("this node has no directory for volumes"))
                for item in volumes
                if around.volumes is None and not accounts.is_token_volume(item)
            }
            self.ready = begun or not volumes
        else:
            self.ready = begun or not presence.refers(pod["spec"])
        self.again_at: float | None = None
        self._tokens: PodTokens | None = None
        if self._directories is not None and self._directories.tokens is not None:
            self._tokens = PodTokens(self._directories.tokens, around.reader)
        self._places: dict[str, Place] = {}
        self._failures: dict[str, str] = {}
        self._retry = _FIRST_RETRY
        self._told = self._begun = begun

    # -- setting up

    def settle(self, pod: Object, address: str, now: float) -> None:
        """Set up what is not, and bring up to date what may have changed; sets the attributes.

        Args:
            pod: As it is now.
            address: Its IP.
            now: Seconds since the epoch.
        """
        self.again_at = None
        uid = pod["metadata"]["uid"]
        if not self._around.runtime.executes:
            if self.ready:
                return
            found = presence.missing_of(pod, self._around.reader)
            failures = dict(zip(found, found, strict=True))
        elif self._directories is None:
            failures = self._homeless
        else:
            failures = self._set_up(pod, address, now)
        known = set(self._failures.values())
        for text in failures.values():
            if text not in known:
                self._tell("Warning", "FailedMount", text)
        self._failures = failures
        if not failures:
            self._retry = _FIRST_RETRY
            self.ready = True
        if failures or self._directories is not None:
            self._around.followers.follow(uid, presence.references_of(pod))
        else:
            self._around.followers.leave(uid)

    def _set_up(self, pod: Object, address: str, now: float) -> dict[str, str]:
        failures = {}
        again: list[float] = []
        context = self._context(pod, address, now)
        for volume in pod["spec"]["volumes"]:
            if KINDS.isdisjoint(volume) and volume["name"] in self._places:
                continue  # only files are renewed
            try:
                place = self._place(volume, pod, context)
            except (VolumeError, OSError) as error:
                failures[volume["name"]] = _words(volume, error)
                if isinstance(error, OSError) or not error.observed:
                    again.append(now + self._retry)
                place = self._earlier_place(volume, pod)
            if place is not None:
                self._places[volume["name"]] = place
        if again:
            self._retry = min(2 * self._retry, _LAST_RETRY)
        if self._tokens is not None and self._tokens.renew_at is not None:
            again.append(self._tokens.renew_at)
        self.again_at = min(again, default=None)
        return failures

    def _context(self, pod: Object, address: str, now: float) -> Context:
        around = self._around
        facts = PodFacts(
            address=address,
            host=around.config.address,
            allocatable=around.allocatable,
            services={},
            path=around.path,
        )

        def token(source: Object) -> str:
            if self._tokens is None:
                raise VolumeError("failed to fetch token: this node has nobody who issues tokens")
            return self._tokens.token(pod, source, now)

        return Context(pod, facts, around.reader, token)

    def _place(self, volume: Object, pod: Object, context: Context) -> Place | None:
        """Set up one volume and return where it is; None for one that is left out."""
        assert self._directories is not None
        uid, name = pod["metadata"]["uid"], volume["name"]
        if (source := volume.get("hostPath")) is not None:
            settle_path(HostPath(source["path"], source.get("type") or "", name))
            return Place(source["path"])
        if claim_name(pod, volume) is not None:
            found = path_of_claim(pod, volume, context.sources, begun=self._begun)
            settle_path(found)
            if found.type == "local" and not found.read_only:
                self._give(Path(found.path), pod)
            return Place(found.path, found.read_only)
        if KINDS.isdisjoint(volume):
            path = self._empty_directory(uid, name, volume.get("emptyDir") or {})
            self._give(path, pod)
            return Place(str(path), owned=True)
        path = self._directories.volume(uid, name)
        if not accounts.is_token_volume(volume):
            write_files(path, volume_files(volume, context), _group_of(pod))
            return Place(str(path), read_only=True)
        if self._tokens is None:
            return None
        files = volume_files(accounts.with_optional_authority(volume), context)
        files[accounts.KUBECONFIG] = File(self._kubeconfig(path, pod, "ca.crt" in files), 0o644)
        write_files(path, files, _group_of(pod))
        return Place(str(path), read_only=True)

    def _give(self, path: Path, pod: Object) -> None:
        """Let the pod's ``fsGroup`` use a volume, when it is set up first."""
        group = _group_of(pod)
        if group is None:
            return
        policy = (pod["spec"].get("securityContext") or {}).get("fsGroupChangePolicy")
        give_to_group(path, group, unless=self._begun or policy == "OnRootMismatch")

    def _earlier_place(self, volume: Object, pod: Object) -> Place | None:
        """Return where files are that were once whole: what was mounted stays mounted."""
        if KINDS.isdisjoint(volume) or self._directories is None:
            return None
        path = self._directories.volume(pod["metadata"]["uid"], volume["name"])
        return Place(str(path), read_only=True) if (path / DATA).exists() else None

    def _kubeconfig(self, path: Path, pod: Object, trusted: bool) -> bytes:
        seen_at = str(path) if self._around.runtime.mounts else accounts.MOUNT_PATH
        return accounts.kubeconfig(
            seen_at, namespace_of(pod), trusted=trusted, sources=self._around.reader
        )

    def _empty_directory(self, uid: str, name: str, source: Object) -> Path:
        assert self._directories is not None
        path = None
        if source.get("medium") == "Memory":
            path = self._directories.memory(uid, name)
        if path is None:
            path = self._directories.volume(uid, name)
        make_directory(path, 0o777)
        return path

    # -- containers

    def mounted(
        self, pod: Object, container: Object, variables: Mapping[str, str], *, other: bool
    ) -> Mounted:
        """Return what a container mounts, or what stands for it.

        Args:
            pod: As it is now.
            container: Its entry in the pod.
            variables: Its environment so far.
            other: Whether it becomes another user than the daemon's, who cannot enter the
                daemon's directories.

        Raises:
            PlanError: A path within a volume cannot be used, or a volume is not there any more.
            OSError: The disk says no.
        """
        directory = container.get("workingDir") or ""
        for mount in container.get("volumeMounts") or ():
            if mount["name"] not in self._places and mount["name"] in self._failures:
                raise PlanError(self._failures[mount["name"]])
        planned = plan_mounts(container, self._places, variables) if self._places else []
        if not planned:
            return Mounted((), {}, directory)
        mounts = tuple(_within(item, container) for item in planned)
        why_not = self._around.runtime.mounts
        token = accounts.token_mount(pod, container)
        found: dict[str, str] = {}
        if not why_not:
            self._tell_how(planned, token, "", "")
            if token is not None:
                found = _account(accounts.MOUNT_PATH)
            return Mounted(mounts, found, directory)
        assert self._directories is not None
        links = plan_links(mounts)
        root = self._directories.link(pod["metadata"]["uid"], container["name"], links)
        if token is not None and token["name"] in self._places and not other:
            found = _account(self._places[token["name"]].path)
        found[ROOT_VARIABLE] = str(root)
        for link in links:
            found[link.variable] = str(root / link.path)
        self._tell_how(planned, token, why_not, str(root.parent))
        return Mounted((), found, moved_directory(directory, mounts, str(root)))

    def _tell_how(
        self, planned: list[Planned], token: Object | None, why_not: str, roots: str
    ) -> None:
        """Say once for a pod how its containers find its volumes; all have the usual token."""
        usual = token["name"] if token is not None else ""
        if self._told or all(item.volume == usual for item in planned):
            return
        self._told = True
        if why_not:
            text = (
                f"Volumes are not mounted ({why_not}): they are at their mount paths below "
                f"{roots}/CONTAINER, which {ROOT_VARIABLE} names in each container, as "
                "ORCHESTRATOR_MOUNT_... names each mount; readOnly is not enforced"
            )
            self._tell("Warning", "VolumesNotMounted", text)
        else:
            text = "Volumes are mounted in a mount namespace of each container's own"
            self._tell("Normal", "VolumesMounted", text)


def _words(volume: Object, error: VolumeError | OSError) -> str:
    text = str(error)
    if text.startswith(("MountVolume.", "Unable to attach")):
        return text
    return f'MountVolume.SetUp failed for volume "{volume["name"]}" : {text}'


def _group_of(pod: Object) -> int | None:
    group = (pod["spec"].get("securityContext") or {}).get("fsGroup")
    return None if group is None else int(group)


def _account(place: str) -> dict[str, str]:
    return {
        accounts.DIRECTORY_VARIABLE: place,
        accounts.KUBECONFIG_VARIABLE: f"{place}/{accounts.KUBECONFIG}",
    }


def _within(planned: Planned, container: Object) -> Mount:
    """Go to the path within the volume, and make a directory of it where it is missing.

    A symbolic link in the volume must not lead out of it: whoever writes to the volume would
    choose what of the machine the container sees.
    """
    mount = planned.mount
    if not planned.within:
        return mount
    volume = Path(mount.source).resolve()
    path = (volume / planned.within).resolve()
    failed = (
        f'failed to prepare subPath for volumeMount "{planned.volume}" of container '
        f'"{container["name"]}"'
    )
    if not path.is_relative_to(volume):
        raise PlanError(failed)
    if not path.exists():
        try:
            mode = volume.stat().st_mode & 0o7777
            for parent in (*reversed(path.parents), path):
                if not parent.exists():
                    make_directory(parent, mode)
        except OSError as error:
            raise PlanError(f"{failed}: {error.strerror}") from error
    return mount._replace(source=os.fspath(path))
