"""The twin on claims, volumes and disks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.scheduler.twin.asking import claiming, verdict
from tests.scheduler.twin.builders import ZONE, Object, expression, node, pod, thing

# ---- volumes


def claim_of(
    name: str, volume: str | None = None, mode: str = "ReadWriteOnce", **spec: Any
) -> Object:
    """Make a claim, bound if a volume is named."""
    done = {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}} if volume else {}
    bound = {"volumeName": volume} if volume else {}
    asked = {"requests": {"storage": "5Gi"}}
    return thing(
        name,
        metadata=done,
        spec={"accessModes": [mode], "resources": asked, **bound, **spec},
    )


def volume_of(name: str, labels: Mapping[str, str] | None = None, **spec: Any) -> Object:
    """Make a volume of 10Gi."""
    common = {"capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"]}
    return thing(
        name,
        namespace=None,
        metadata={"labels": labels or {}},
        spec={**common, **spec},
        status={"phase": "Available"},
    )


def on_nodes(label: str, value: str) -> Object:
    """Make a volume's node affinity."""
    terms = [{"matchExpressions": [expression(label, "In", value)]}]
    return {"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}}


LATE = thing(
    "late", namespace=None, provisioner="csi.example.com", volumeBindingMode="WaitForFirstConsumer"
)
LOCAL = {**LATE, "metadata": {"name": "local"}, "provisioner": "kubernetes.io/no-provisioner"}
ONE_POD = (
    "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
)
BIND = "node(s) didn't find available persistent volumes to bind"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param({}, (('persistentvolumeclaim "c" not found',), False), id="no-such-claim"),
        pytest.param(
            {"claims": [claim_of("c")]},
            (("pod has unbound immediate PersistentVolumeClaims",), False),
            id="unbound",
        ),
        pytest.param(
            {"claims": [claim_of("c", "v")]},
            (('persistentvolume "v" not found',), False),
            id="volume-gone",
        ),
        pytest.param(
            {
                "claims": [claim_of("c", "v")],
                "volumes": [volume_of("v", **on_nodes(ZONE, "z2"))],
            },
            (("node(s) didn't match PersistentVolume's node affinity",), False),
            id="out-of-reach",
        ),
        pytest.param(
            {"claims": [claim_of("c", "v")], "volumes": [volume_of("v", {ZONE: "z2__z3"})]},
            (("node(s) had no available volume zone",), False),
            id="another-zone",
        ),
        pytest.param(
            {"claims": [claim_of("c", "v")], "volumes": [volume_of("v", {ZONE: "z2__z1"})]},
            None,
            id="one-of-its-zones",
        ),
        pytest.param(
            {"claims": [claim_of("c", storageClassName="late")], "classes": [LATE]},
            None,
            id="to-be-provisioned",
        ),
        pytest.param(
            {
                "claims": [claim_of("c", storageClassName="late")],
                "classes": [
                    {
                        **LATE,
                        "allowedTopologies": [
                            {"matchLabelExpressions": [{"key": ZONE, "values": ["z2"]}]}
                        ],
                    }
                ],
            },
            ((BIND,), False),
            id="not-here",
        ),
        pytest.param(
            {
                "claims": [claim_of("c", storageClassName="local")],
                "classes": [LOCAL],
                "volumes": [volume_of("v", storageClassName="local", **on_nodes(ZONE, "z1"))],
            },
            None,
            id="a-local-volume",
        ),
        pytest.param(
            {
                "claims": [claim_of("c", storageClassName="local")],
                "classes": [LOCAL],
                "volumes": [volume_of("v", storageClassName="local", **on_nodes(ZONE, "z2"))],
            },
            ((BIND,), False),
            id="a-local-volume-elsewhere",
        ),
        pytest.param(
            {
                "claims": [claim_of("c", "v", "ReadWriteOncePod")],
                "volumes": [volume_of("v")],
                "pods": [claiming("c", on="n")],
            },
            (
                (ONE_POD,),
                True,
            ),
            id="one-pod-only",
        ),
    ],
)
def test_claims_choose_nodes(parts: Mapping[str, Any], expected: Any) -> None:
    """One node in zone z1, a pod with one claim."""
    assert verdict(claiming("c"), node("n", {ZONE: "z1"}), **parts) == expected


def test_a_driver_attaches_so_many_volumes_and_a_shared_one_counts_once() -> None:
    """Two at most; a volume that is there already is no new one."""
    claims = [claim_of(name, f"v-{name}") for name in "abc"]
    volumes = [volume_of(f"v-{name}", csi={"driver": "d", "volumeHandle": name}) for name in "abc"]
    drivers = [{"name": "d", "allocatable": {"count": 2}}]
    csi_node = thing("n", namespace=None, spec={"drivers": drivers})
    there = {**claiming("a", "b", on="n"), "metadata": {"name": "there"}}
    parts: dict[str, Any] = {
        "claims": claims,
        "volumes": volumes,
        "csi_nodes": [csi_node],
        "pods": [there],
    }
    assert verdict(claiming("c"), node("n"), **parts) == (
        ("node(s) exceed max volume count",),
        True,
    )
    assert verdict(claiming("b"), node("n"), **parts) is None


def test_a_disk_is_mounted_once() -> None:
    """Unless both only read it."""
    disk = {"name": "d", "gcePersistentDisk": {"pdName": "disk", "readOnly": True}}
    writing = {"name": "d", "gcePersistentDisk": {"pdName": "disk"}}
    there = pod("there", volumes=[disk], on="n")
    assert verdict(pod("p", volumes=[disk]), node("n"), pods=[there]) is None
    assert verdict(pod("p", volumes=[writing]), node("n"), pods=[there]) == (
        ("node(s) had no available disk",),
        True,
    )
