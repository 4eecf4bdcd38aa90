"""Random claims, volumes, classes and attachment limits for the twin's clusters."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.scheduler.twin.builders import HOST, ZONE, Object, expression, thing
from tests.scheduler.twin.strategies import CLAIMS

DRIVER = "csi.example.com"
DONE = "pv.kubernetes.io/bind-completed"
CLASSES = "storageclasses.storage.k8s.io"
VOLUMES = "persistentvolumes"
CLAIM_RESOURCE = "persistentvolumeclaims"
CSI_NODES = "csinodes.storage.k8s.io"

KINDS = (
    "bound", "bound", "late", "local", "one pod only", "in a zone", "missing", "now", "gone",
    "leaving",
)  # fmt: skip
PLACES: tuple[tuple[str, str] | None, ...] = (None, (ZONE, "z1"), (ZONE, "z2"), (HOST, "n0"))


class Storage(NamedTuple):
    """All storage objects of a cluster, by resource."""

    objects: dict[str, list[Object]]


def volume(
    name: str,
    *,
    size: str = "10Gi",
    place: tuple[str, str] | None = None,
    storage_class: str = "",
    claim: str | None = None,
    handle: str | None = None,
    labels: dict[str, str] | None = None,
) -> Object:
    """Make a volume, for a claim if one is named."""
    spec: dict[str, Any] = {
        "capacity": {"storage": size},
        "accessModes": ["ReadWriteOnce", "ReadWriteOncePod"],
        "storageClassName": storage_class,
    }
    if handle is not None:
        spec["csi"] = {"driver": DRIVER, "volumeHandle": handle}
    if place is not None:
        terms = [{"matchExpressions": [expression(place[0], "In", place[1])]}]
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": terms}}
    if claim is not None:
        spec["claimRef"] = {"namespace": "default", "name": claim, "uid": f"default/{claim}"}
    return thing(
        name,
        namespace=None,
        metadata={"labels": labels or {}},
        spec=spec,
        status={"phase": "Available" if claim is None else "Bound"},
    )


def claim(
    name: str,
    *,
    to: str | None = None,
    size: str = "5Gi",
    storage_class: str = "",
    mode: str = "ReadWriteOnce",
    leaving: bool = False,
) -> Object:
    """Make a claim, bound if a volume is named."""
    metadata: dict[str, Any] = {"uid": f"default/{name}"}
    spec: dict[str, Any] = {
        "accessModes": [mode],
        "resources": {"requests": {"storage": size}},
        "storageClassName": storage_class,
    }
    if to is not None:
        metadata["annotations"] = {DONE: "yes"}
        spec["volumeName"] = to
    if leaving:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    phase = "Pending" if to is None else "Bound"
    return thing(name, metadata=metadata, spec=spec, status={"phase": phase})


@st.composite
def storages(draw: st.DrawFn) -> Storage:
    """Draw the storage of a cluster: claims of every kind, local volumes, and limits."""
    topologies = draw(st.sampled_from([None, ["z1"], ["z1", "z2"]]))
    late: dict[str, Any] = {"provisioner": DRIVER, "volumeBindingMode": "WaitForFirstConsumer"}
    if topologies:
        expressions = [{"key": ZONE, "values": topologies}]
        late["allowedTopologies"] = [{"matchLabelExpressions": expressions}]
    local = {"provisioner": "kubernetes.io/no-provisioner"}
    classes = [
        thing("late", namespace=None, **late),
        thing("local", namespace=None, volumeBindingMode="WaitForFirstConsumer", **local),
        thing("now", namespace=None, provisioner=DRIVER, volumeBindingMode="Immediate"),
    ]
    shelf = st.tuples(st.sampled_from(["10Gi", "1Gi", "20Gi"]), st.sampled_from(PLACES))
    volumes = [
        volume(f"l{index}", size=size, place=place, storage_class="local")
        for index, (size, place) in enumerate(draw(st.lists(shelf, max_size=4)))
    ]
    claims = []
    for index in range(CLAIMS):
        name = f"c{index}"
        kind = draw(st.sampled_from(KINDS))
        place = draw(st.sampled_from(PLACES))
        match kind:
            case "bound" | "one pod only":
                mode = "ReadWriteOnce" if kind == "bound" else "ReadWriteOncePod"
                claims.append(claim(name, to=f"v{index}", mode=mode))
                volumes.append(volume(f"v{index}", place=place, claim=name, handle=name))
            case "in a zone":
                claims.append(claim(name, to=f"v{index}"))
                zones = {ZONE: draw(st.sampled_from(["z1", "z2__z3"]))}
                volumes.append(volume(f"v{index}", claim=name, labels=zones))
            case "late" | "local" | "now":
                size = draw(st.sampled_from(["5Gi", "15Gi"]))
                claims.append(claim(name, storage_class=kind, size=size))
            case "gone" | "leaving":
                claims.append(claim(name, to=f"v{index}", leaving=kind == "leaving"))
            case _:
                pass
    limits = draw(st.lists(st.sampled_from([None, 1, 2]), max_size=6))
    csi_nodes = [
        thing(
            f"n{index}",
            namespace=None,
            spec={"drivers": [{"name": DRIVER, "nodeID": "n", "allocatable": {"count": limit}}]},
        )
        for index, limit in enumerate(limits)
        if limit is not None
    ]
    return Storage(
        {CLASSES: classes, VOLUMES: volumes, CLAIM_RESOURCE: claims, CSI_NODES: csi_nodes}
    )
