"""Volumes made of files, claims and mounts: the pure parts, as tables.

https://kubernetes.io/docs/concepts/storage/volumes/
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from orchestrator.access.accounts import Issued
from orchestrator.node.environment import PodFacts
from orchestrator.node.runtime import Mount
from orchestrator.node.volumes.atomic import state_name, write_files
from orchestrator.node.volumes.claims import HostPath, path_of_claim
from orchestrator.node.volumes.files import Context, File, VolumeError, volume_files
from orchestrator.node.volumes.followers import Followers
from orchestrator.node.volumes.hostpaths import settle_path
from orchestrator.node.volumes.planning import (
    Link,
    Place,
    PlanError,
    moved_directory,
    plan_links,
    plan_mounts,
)
from orchestrator.node.volumes.presence import missing_of, references_of, refers
from orchestrator.node.volumes.tokens import PodTokens
from orchestrator.resources.objects import Object

FACTS = PodFacts(
    address="10.0.0.9",
    host="10.0.0.1",
    allocatable={"cpu": "4", "memory": "8Gi"},
    services={},
    path="",
)


class Objects:
    """Committed objects by resource, namespace and name."""

    def __init__(self, **objects: Object) -> None:
        self.objects = objects

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        found: Object | None = self.objects.get(f"{resource}_{name}")
        return None if found is None or namespace not in ("", "default") else found


def encoded(text: str) -> str:
    """Return text as a Secret has it."""
    return base64.b64encode(text.encode()).decode()


OBJECTS = Objects(
    configmaps_settings={"data": {"a": "1", "b": "2"}, "binaryData": {"c": encoded("3")}},
    secrets_key={"data": {"user": encoded("me"), "word": encoded("pass")}},
)


def pod(*volumes: Object, **spec: Any) -> Object:
    """Return a pod with volumes."""
    limits = {"limits": {"cpu": "1500m"}, "requests": {"memory": "64Mi"}}
    metadata = {
        "name": "web",
        "namespace": "default",
        "uid": "u1",
        "labels": {"b": "2", "a": "1"},
        "annotations": {"note": 'say "hi"\nand go'},
    }
    containers = [{"name": "c", "resources": limits}]
    return {"metadata": metadata, "spec": {"volumes": volumes, "containers": containers, **spec}}


def files_of(volume: Object) -> dict[str, tuple[str, int]]:
    """Return what is in a volume."""
    context = Context(pod(volume), FACTS, OBJECTS, lambda source: f"token of {source['path']}")
    found = volume_files({"name": "v", **volume}, context)
    return {path: (file.content.decode(), file.mode) for path, file in found.items()}


ITEMS = [{"key": "a", "path": "deep/a"}, {"key": "c", "path": "c", "mode": 0o400}]


@pytest.mark.parametrize(
    ("volume", "files"),
    [
        (
            {"configMap": {"name": "settings"}},
            {"a": ("1", 0o644), "b": ("2", 0o644), "c": ("3", 0o644)},
        ),
        (
            {"configMap": {"name": "settings", "items": ITEMS, "defaultMode": 0o600}},
            {"deep/a": ("1", 0o600), "c": ("3", 0o400)},
        ),
        ({"configMap": {"name": "none", "optional": True}}, {}),
        (
            {
                "configMap": {
                    "name": "settings",
                    "optional": True,
                    "items": [{"key": "x", "path": "x"}, {"key": "a", "path": "a"}],
                }
            },
            {"a": ("1", 0o644)},
        ),
        (
            {"secret": {"secretName": "key", "defaultMode": 0o400}},
            {"user": ("me", 0o400), "word": ("pass", 0o400)},
        ),
        (
            {
                "downwardAPI": {
                    "items": [
                        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                        {"path": "notes", "fieldRef": {"fieldPath": "metadata.annotations"}},
                        {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}},
                        {"path": "one", "fieldRef": {"fieldPath": "metadata.labels['a']"}},
                        {
                            "path": "cpu",
                            "mode": 0o400,
                            "resourceFieldRef": {
                                "containerName": "c",
                                "resource": "limits.cpu",
                                "divisor": "1m",
                            },
                        },
                        {
                            "path": "memory",
                            "resourceFieldRef": {"containerName": "c", "resource": "limits.memory"},
                        },
                    ]
                }
            },
            {
                "labels": ('a="1"\nb="2"', 0o644),
                "notes": ('note="say \\"hi\\"\\nand go"', 0o644),
                "name": ("web", 0o644),
                "one": ("1", 0o644),
                "cpu": ("1500", 0o400),
                "memory": (str(8 << 30), 0o644),
            },
        ),
        (
            {
                "projected": {
                    "defaultMode": 0o440,
                    "sources": [
                        {"configMap": {"name": "settings", "items": ITEMS}},
                        {"secret": {"name": "key"}},
                        {"secret": {"name": "none", "optional": True}},
                        {"serviceAccountToken": {"path": "token"}},
                    ],
                }
            },
            {
                "deep/a": ("1", 0o440),
                "c": ("3", 0o400),
                "user": ("me", 0o440),
                "word": ("pass", 0o440),
                "token": ("token of token", 0o440),
            },
        ),
    ],
    ids=["all", "items", "absent", "absent-key", "secret", "downward", "projected"],
)
def test_a_volume_has_the_files_that_its_sources_say(
    volume: Object, files: dict[str, tuple[str, int]]
) -> None:
    """With their modes: an item's own, else the volume's, else 0644."""
    assert files_of(volume) == files


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"configMap": {"name": "none"}}, 'configmap "none" not found'),
        ({"secret": {"secretName": "none"}}, 'secret "none" not found'),
        (
            {"configMap": {"name": "settings", "items": [{"key": "x", "path": "x"}]}},
            "configmap references non-existent config key: x",
        ),
        (
            {"secret": {"secretName": "key", "items": [{"key": "x", "path": "x"}]}},
            "references non-existent secret key: x",
        ),
        (
            {"projected": {"sources": [{"configMap": {"name": "n"}}, {"secret": {"name": "m"}}]}},
            '[configmap "n" not found, secret "m" not found]',
        ),
    ],
)
def test_what_is_missing_is_told_in_the_kubelets_words(volume: Object, message: str) -> None:
    """All of it at once for a projected volume."""
    with pytest.raises(VolumeError) as caught:
        files_of(volume)
    assert str(caught.value) == message
    named = {"name": "v", **volume}
    if "projected" not in volume:
        told = [f'MountVolume.SetUp failed for volume "v" : {message}']
        assert missing_of(pod(named), OBJECTS) == told


@pytest.mark.parametrize(
    ("volume", "waits"),
    [
        ({"emptyDir": {}}, False),
        ({"hostPath": {"path": "/x"}}, False),
        ({"downwardAPI": {}}, False),
        ({"configMap": {"name": "x"}}, True),
        ({"secret": {"secretName": "x"}}, True),
        ({"projected": {"sources": []}}, True),
        ({"persistentVolumeClaim": {"claimName": "x"}}, True),
        ({"ephemeral": {}}, True),
    ],
)
def test_only_volumes_that_name_objects_are_looked_at_on_a_simulated_node(
    volume: Object, waits: bool
) -> None:
    """The usual token is none of them, so that ordinary pods cost nothing."""
    assert refers({"volumes": [{"name": "v", **volume}]}) is waits
    usual = {"name": "kube-api-access-x", "projected": {"sources": []}}
    assert not refers({"volumes": [usual]})


def test_a_pod_is_told_of_the_objects_that_its_volumes_name_and_of_no_others() -> None:
    """However many change beside them."""
    sources = [
        {"configMap": {"name": "a"}},
        {"secret": {"name": "b"}},
        {"serviceAccountToken": {"path": "token"}},
    ]
    references = references_of(
        pod(
            {"name": "1", "configMap": {"name": "settings"}},
            {"name": "2", "secret": {"secretName": "key"}},
            {"name": "3", "projected": {"sources": sources}},
            {"name": "4", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "own", "ephemeral": {"volumeClaimTemplate": {}}},
            {"name": "6", "emptyDir": {}},
        )
    )
    assert references == {
        ("configmaps", "default", "settings"),
        ("configmaps", "default", "a"),
        ("secrets", "default", "key"),
        ("secrets", "default", "b"),
        ("serviceaccounts", "default", "default"),
        ("persistentvolumeclaims", "default", "data"),
        ("persistentvolumeclaims", "default", "web-own"),
    }
    followers = Followers()
    assert not followers
    followers.follow("u1", references)
    followers.follow("u0", frozenset((("secrets", "default", "key"),)))
    assert followers.of([("secrets", "default", "key"), ("configmaps", "default", "a")]) == [
        "u0",
        "u1",
    ]
    assert followers.of([("secrets", "other", "key"), ("secrets", "default", "a")]) == []
    followers.follow("u1", frozenset())
    assert followers.of([("secrets", "default", "key")]) == ["u0"]
    followers.leave("u0")
    assert not followers


# -- the atomic writer


def seen(volume: Path) -> dict[str, str]:
    """Return the files that a container would see."""
    return {
        str(path.relative_to(volume)): path.read_text()
        for path in volume.glob("[!.]*/**/*")
        if path.is_file()
    } | {path.name: path.read_text() for path in volume.glob("[!.]*") if path.is_file()}


def state(**files: str) -> dict[str, File]:
    """Return files by their contents."""
    return {path.replace("__", "/"): File(text.encode(), 0o640) for path, text in files.items()}


def test_files_change_all_at_once_through_one_link(tmp_path: Path) -> None:
    """Names that are gone are taken away, and nothing of the earlier state is left."""
    volume = tmp_path / "v"
    assert write_files(volume, state(a="1", dir__b="2"))
    assert seen(volume) == {"a": "1", "dir/b": "2"}
    first = (volume / "..data").resolve()
    assert (volume / "a").resolve() == first / "a"
    assert (volume / "a").stat().st_mode & 0o777 == 0o640
    assert not write_files(volume, state(a="1", dir__b="2"))
    assert write_files(volume, state(a="3", c="4"))
    assert seen(volume) == {"a": "3", "c": "4"}
    assert not first.exists()
    assert sorted(path.name for path in volume.iterdir() if path.name.startswith("..")) == [
        state_name(state(a="3", c="4")),
        "..data",
    ]


def test_a_write_that_was_cut_off_is_repaired_by_the_next(tmp_path: Path) -> None:
    """Whatever it had made, the volume shows one state."""
    volume = tmp_path / "v"
    write_files(volume, state(a="1"))
    new = state(b="2")
    half = volume / state_name(new)
    half.mkdir()
    (half / "b").write_text("ha")
    (volume / "..data_tmp").symlink_to("nowhere")
    assert seen(volume) == {"a": "1"}
    write_files(volume, new)
    assert seen(volume) == {"b": "2"}
    (volume / "b").unlink()  # the renaming was done, the names were not
    write_files(volume, new)
    assert seen(volume) == {"b": "2"}


# -- paths of the machine


@pytest.mark.parametrize(
    ("kind", "path", "words"),
    [
        ("Directory", "none", "is not a directory"),
        ("Directory", "file", "is not a directory"),
        ("DirectoryOrCreate", "file", "is not a directory"),
        ("File", "none", "is not a file"),
        ("File", "dir", "is not a file"),
        ("FileOrCreate", "dir", "is not a file"),
        ("Socket", "file", "is not a socket file"),
        ("CharDevice", "file", "is not a character device"),
        ("BlockDevice", "file", "is not a block device"),
    ],
)
def test_a_host_path_must_be_what_its_type_says(
    tmp_path: Path, kind: str, path: str, words: str
) -> None:
    """In the kubelet's words; it is tried again, since the machine tells nobody of changes."""
    (tmp_path / "file").touch()
    (tmp_path / "dir").mkdir()
    with pytest.raises(VolumeError) as caught:
        settle_path(HostPath(str(tmp_path / path), kind, "v"))
    assert str(caught.value) == (
        f'MountVolume.SetUp failed for volume "v" : hostPath type check failed: '
        f"{tmp_path / path} {words}"
    )
    assert not caught.value.observed
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("kind", "path", "made"),
    [
        ("", "file", ""),
        ("", "dir", ""),
        ("", "new", "dir"),
        ("Directory", "dir", ""),
        ("DirectoryOrCreate", "new/deep", "dir"),
        ("File", "file", ""),
        ("FileOrCreate", "new", "file"),
        ("CharDevice", "/dev/null", ""),
        ("local", "file", ""),
    ],
)
def test_a_host_path_is_made_where_its_type_says_so(
    tmp_path: Path, kind: str, path: str, made: str
) -> None:
    """A directory or an empty file, and nothing else is touched."""
    (tmp_path / "file").write_text("kept")
    (tmp_path / "dir").mkdir()
    settle_path(HostPath(str(tmp_path / path), kind, "v"))
    if made:
        assert (tmp_path / path).is_dir() is (made == "dir")
        assert (tmp_path / path).stat().st_mode & 0o777 == (0o755 if made == "dir" else 0o644)
    assert (tmp_path / "file").read_text() == "kept"


def claim(**more: Any) -> Object:
    """Return a claim that is bound to the volume pv."""
    return {
        "metadata": {"name": "data", **more.pop("metadata", {})},
        "spec": {"volumeName": "pv"},
        "status": {"phase": "Bound"},
        **more,
    }


def volume(**spec: Any) -> Object:
    """Return a PersistentVolume."""
    return {"metadata": {"name": "pv"}, "spec": {"accessModes": ["ReadWriteOnce"], **spec}}


HOST = volume(hostPath={"path": "/srv/pv", "type": "DirectoryOrCreate"})
OWNED = {"ownerReferences": [{"uid": "u1", "controller": True}]}
GOING = claim(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
UNPROCESSED = (
    "Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], failed to "
    "process volumes=[v]: error processing PVC default/"
)


@pytest.mark.parametrize(
    ("source", "objects", "expected"),
    [
        (
            {"persistentVolumeClaim": {"claimName": "data", "readOnly": True}},
            {"persistentvolumeclaims_data": claim(), "persistentvolumes_pv": HOST},
            HostPath("/srv/pv", "DirectoryOrCreate", "pv", True),
        ),
        (
            {"persistentVolumeClaim": {"claimName": "data"}},
            {
                "persistentvolumeclaims_data": claim(),
                "persistentvolumes_pv": volume(local={"path": "/mnt/disk"}),
            },
            HostPath("/mnt/disk", "local", "pv"),
        ),
        (
            {"ephemeral": {"volumeClaimTemplate": {}}},
            {
                "persistentvolumeclaims_web-v": claim(metadata=OWNED),
                "persistentvolumes_pv": HOST,
            },
            HostPath("/srv/pv", "DirectoryOrCreate", "pv"),
        ),
        (
            {"persistentVolumeClaim": {"claimName": "data"}},
            {},
            UNPROCESSED + "data: failed to fetch PVC from API server: "
            'persistentvolumeclaims "data" not found',
        ),
        (
            {"persistentVolumeClaim": {"claimName": "data"}},
            {"persistentvolumeclaims_data": claim(status={"phase": "Pending"}, spec={})},
            UNPROCESSED + "data: PVC is not bound",
        ),
        (
            {"persistentVolumeClaim": {"claimName": "data"}},
            {"persistentvolumeclaims_data": GOING, "persistentvolumes_pv": HOST},
            UNPROCESSED + "data: PVC is being deleted",
        ),
        (
            {"persistentVolumeClaim": {"claimName": "data"}},
            {"persistentvolumeclaims_data": claim()},
            UNPROCESSED + "data: failed to fetch PV pv from API server: "
            'persistentvolumes "pv" not found',
        ),
        (
            {"ephemeral": {"volumeClaimTemplate": {}}},
            {"persistentvolumeclaims_web-v": claim(), "persistentvolumes_pv": HOST},
            UNPROCESSED + "web-v: PVC default/web-v was not created for pod default/web "
            "(pod is not owner)",
        ),
        (
            {"persistentVolumeClaim": {"claimName": "data"}},
            {
                "persistentvolumeclaims_data": claim(),
                "persistentvolumes_pv": volume(nfs={"server": "s", "path": "/"}),
            },
            (
                'MountVolume.SetUp failed for volume "pv" : a volume of type nfs is not supported '
                "by this node; processes can have hostPath and local volumes"
            ),
        ),
    ],
    ids=[
        "host",
        "local",
        "ephemeral",
        "absent",
        "unbound",
        "going",
        "no-volume",
        "not-owner",
        "nfs",
    ],
)
def test_a_claim_leads_to_the_path_of_its_volume(
    source: Object, objects: dict[str, Object], expected: HostPath | str
) -> None:
    """Once it is bound; what is in the way is told as the volume manager does."""
    named = {"name": "v", **source}
    if isinstance(expected, HostPath):
        assert path_of_claim(pod(named), named, Objects(**objects)) == expected
    else:
        with pytest.raises(VolumeError) as caught:
            path_of_claim(pod(named), named, Objects(**objects))
        assert str(caught.value) == expected


def test_a_pod_that_runs_keeps_a_claim_that_is_about_to_go() -> None:
    """The claim waits for it, by its finalizer."""
    named = {"name": "v", "persistentVolumeClaim": {"claimName": "data"}}
    objects = Objects(persistentvolumeclaims_data=GOING, persistentvolumes_pv=HOST)
    assert path_of_claim(pod(named), named, objects, begun=True).path == "/srv/pv"


# -- mounts

PLACES = {
    "data": Place("/host/data", owned=True),
    "settings": Place("/host/settings", read_only=True),
    "disk": Place("/srv/disk"),
}


@pytest.mark.parametrize(
    ("entry", "mount", "within"),
    [
        (
            {"name": "data", "mountPath": "/data/"},
            Mount("/host/data", "/data", "", False, True),
            "",
        ),
        ({"name": "settings", "mountPath": "etc/s"}, Mount("/host/settings", "/etc/s", "flat"), ""),
        (
            {"name": "disk", "mountPath": "/d", "readOnly": True, "recursiveReadOnly": "Enabled"},
            Mount("/srv/disk", "/d", "recursive"),
            "",
        ),
        (
            {
                "name": "disk",
                "mountPath": "/d",
                "readOnly": True,
                "recursiveReadOnly": "IfPossible",
            },
            Mount("/srv/disk", "/d", "if-possible"),
            "",
        ),
        (
            {"name": "disk", "mountPath": "/d", "readOnly": True, "recursiveReadOnly": "Disabled"},
            Mount("/srv/disk", "/d", "flat"),
            "",
        ),
        (
            {"name": "disk", "mountPath": "/d", "mountPropagation": "HostToContainer"},
            Mount("/srv/disk", "/d", "", True),
            "",
        ),
        (
            {"name": "disk", "mountPath": "/d", "subPath": "a/b"},
            Mount("/srv/disk", "/d"),
            "a/b",
        ),
        (
            {"name": "disk", "mountPath": "/d", "subPathExpr": "$(POD)/x$$y"},
            Mount("/srv/disk", "/d"),
            "web/x$y",
        ),
    ],
)
def test_a_volume_mount_says_how_and_where_a_volume_is_seen(
    entry: Object, mount: Mount, within: str
) -> None:
    """Volumes made of files are read-only whatever it says."""
    (planned,) = plan_mounts({"volumeMounts": [entry]}, PLACES, {"POD": "web"})
    assert (planned.mount, planned.within) == (mount, within)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("$(NONE)", 'missing value for "NONE"'),
        ("$(UP)/x", "must not contain '..'"),
        ("$(ROOT)", "subPath `/` must not be an absolute path"),
    ],
)
def test_a_sub_path_expression_must_stay_within_its_volume(expression: str, message: str) -> None:
    """Else the container waits."""
    entry = {"name": "disk", "mountPath": "/d", "subPathExpr": expression}
    with pytest.raises(PlanError) as caught:
        plan_mounts({"volumeMounts": [entry]}, PLACES, {"UP": "..", "ROOT": "/"})
    assert str(caught.value) == message


def test_outer_mounts_come_before_those_within_them() -> None:
    """Whatever the order in the manifest, else the outer would hide the inner."""
    entries = [
        {"name": "disk", "mountPath": "/a/b/c"},
        {"name": "data", "mountPath": "/a"},
        {"name": "settings", "mountPath": "/z"},
    ]
    planned = plan_mounts({"volumeMounts": entries}, PLACES, {})
    assert [item.mount.target for item in planned] == ["/a", "/z", "/a/b/c"]


def test_each_mount_has_a_path_and_a_variable_where_nothing_can_be_mounted() -> None:
    """At its own path below the root, but for one that lies within another."""
    mounts = [
        Mount("/1", "/a"),
        Mount("/2", "/etc/x-y"),
        Mount("/3", "/a/b"),
        Mount("/4", "/etc/x.y"),
    ]
    assert plan_links(mounts) == [
        Link("a", "/1", "ORCHESTRATOR_MOUNT_A"),
        Link("etc/x-y", "/2", "ORCHESTRATOR_MOUNT_ETC_X_Y"),
        Link(".nested/a_b", "/3", "ORCHESTRATOR_MOUNT_A_B"),
        Link("etc/x.y", "/4", "ORCHESTRATOR_MOUNT_ETC_X_Y_2"),
    ]
    assert moved_directory("/a/b/c", mounts, "/root") == "/root/.nested/a_b/c"
    assert moved_directory("/a/z", mounts, "/root") == "/root/a/z"
    assert moved_directory("/elsewhere", mounts, "/root") == "/elsewhere"
    assert moved_directory("", mounts, "/root") == ""


# -- tokens


class Issuer:
    """Issues tokens with numbers."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def issue(self, account: Object, identifier: str, **asked: Any) -> Any:
        self.asked.append(asked)
        return Issued(f"{account['metadata']['name']}-{len(self.asked)}", 0)


@pytest.mark.parametrize(
    ("seconds", "renewed_after"),
    [(3600, 2880.0), (600, 480.0), (1_000_000, 86_400.0)],
)
def test_a_token_is_renewed_when_four_fifths_of_its_life_are_over(
    seconds: int, renewed_after: float
) -> None:
    """Or after a day, whatever comes first; until then it stays the same."""
    account = {"metadata": {"name": "bot", "namespace": "default"}}
    issuer = Issuer()
    tokens = PodTokens(issuer, Objects(serviceaccounts_bot=account))  # type: ignore[arg-type] # a double
    bound = pod(serviceAccountName="bot")
    source = {"path": "token", "expirationSeconds": seconds, "audience": "vault"}
    assert tokens.token(bound, source, 100.0) == "bot-1"
    assert tokens.renew_at == 100.0 + renewed_after
    assert tokens.token(bound, source, 99.0 + renewed_after) == "bot-1"
    assert tokens.token(bound, source, 100.0 + renewed_after) == "bot-2"
    asked = issuer.asked[1]
    assert (asked["seconds"], asked["audiences"]) == (seconds, ["vault"])
    assert asked["bound"]["kind"] == "Pod"


def test_a_token_of_an_account_that_is_not_there_is_waited_for() -> None:
    """In the kubelet's words."""
    tokens = PodTokens(Issuer(), Objects())  # type: ignore[arg-type] # a double
    with pytest.raises(VolumeError) as caught:
        tokens.token(pod(), {"path": "token"}, 0.0)
    assert str(caught.value) == 'failed to fetch token: serviceaccounts "default" not found'
