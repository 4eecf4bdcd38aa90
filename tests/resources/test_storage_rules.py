"""Rules of StorageClasses, VolumeAttributesClasses and what CSI drivers tell of themselves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.resources.judging import Object, creation, defaulted, told, update

STORAGE = "storage.k8s.io/v1"


def storage(kind: str, **parts: Any) -> Object:
    """Return an object of the cluster with some top-level fields."""
    return {"apiVersion": STORAGE, "kind": kind, "metadata": {"name": "web"}, **parts}


def storage_class(**parts: Any) -> Object:
    """Return a StorageClass."""
    return storage("StorageClass", **{"provisioner": "example.com/disk", **parts})


def attributes_class(**parts: Any) -> Object:
    """Return a VolumeAttributesClass."""
    whole = {"driverName": "example.com", "parameters": {"iops": "1"}, **parts}
    return storage("VolumeAttributesClass", **whole)


def driver(**spec: Any) -> Object:
    """Return a CSIDriver."""
    return storage("CSIDriver", spec=spec)


def node(*drivers: Object) -> Object:
    """Return a CSINode."""
    return storage("CSINode", spec={"drivers": list(drivers)})


def capacity(**parts: Any) -> Object:
    """Return a CSIStorageCapacity."""
    whole = storage("CSIStorageCapacity", **{"storageClassName": "web", **parts})
    return {**whole, "metadata": {"name": "web", "namespace": "default"}}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (storage_class(), ""),
        (attributes_class(), ""),
        (driver(), ""),
        (node({"name": "a.b", "nodeID": "n", "topologyKeys": ["a.b/zone"]}), ""),
        (capacity(capacity="1Gi"), ""),
        (
            storage_class(
                provisioner="a b",
                parameters={"": "x"},
                reclaimPolicy="Recycle",
                volumeBindingMode="Later",
                allowedTopologies=[
                    {"matchLabelExpressions": [{"key": "zone", "values": ["a", "a"]}]},
                    {
                        "matchLabelExpressions": [
                            {"key": "zone", "values": ["a"]},
                            {"key": "zone", "values": []},
                        ]
                    },
                    {"matchLabelExpressions": [{"key": "zone", "values": ["a"]}]},
                ],
            ),
            """
            - provisioner: Invalid value: "a b": name part <qualified>
            - parameters: Invalid value: "": field can not be empty.
            - reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"
            - volumeBindingMode: Unsupported value: "Later": supported values: "Immediate",
              "WaitForFirstConsumer"
            - allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "a"
            - allowedTopologies[1].matchLabelExpressions[1].values: Required value
            - allowedTopologies[1].matchLabelExpressions[1].key: Duplicate value: "zone"
            - allowedTopologies[2].matchLabelExpressions: Duplicate value: ""
            """,
        ),
        (
            storage_class(provisioner="", parameters={str(n): "" for n in range(513)}),
            """
            - provisioner: Required value
            - parameters: Too long: may not be more than 512 bytes
            """,
        ),
        (
            attributes_class(driverName="", parameters={}),
            """
            - driverName: Required value
            - parameters: Required value: must contain at least one key/value pair
            """,
        ),
        (
            attributes_class(parameters={"a": "b" * 256 * 1024}),
            "- parameters: Too long: may not be more than 262144 bytes",
        ),
        (
            driver(
                fsGroupPolicy="Some",
                tokenRequests=[
                    {"audience": "a", "expirationSeconds": 1},
                    {"audience": "a"},
                    {"audience": "", "expirationSeconds": 2**32 + 1},
                ],
                volumeLifecycleModes=["Forever"],
                nodeAllocatableUpdatePeriodSeconds=9,
            ),
            """
            - spec.fsGroupPolicy: Unsupported value: "Some": supported values: "File", "None",
              "ReadWriteOnceWithFSType"
            - spec.tokenRequests[0].expirationSeconds: Invalid value: 1: may not specify a
              duration less than 10 minutes
            - spec.tokenRequests[1].audience: Duplicate value: "a"
            - spec.tokenRequests[2].expirationSeconds: Invalid value: 4294967297: may not specify
              a duration larger than 2^32 seconds
            - spec.volumeLifecycleModes: Unsupported value: "Forever": supported values:
              "Persistent", "Ephemeral"
            - spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 9: must be greater than or
              equal to 10 seconds
            """,
        ),
        (
            node(
                {"name": "a.b", "nodeID": "", "allocatable": {"count": -1}},
                {"name": "a.b", "nodeID": "n", "topologyKeys": ["", "z", "z"]},
                {"name": "c" * 64, "nodeID": "n" * 257},
            ),
            f"""
            - spec.drivers[0].nodeID: Required value
            - spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal
              to 0
            - spec.drivers[1].name: Duplicate value: "a.b"
            - spec.drivers[1]: Required value
            - spec.drivers[1]: Invalid value: "": name part must be non-empty
            - spec.drivers[1]: Invalid value: "": name part <qualified>
            - spec.drivers[1]: Duplicate value: "z"
            - spec.drivers[2].name: Too long: may not be more than 63 bytes
            - spec.drivers[2].nodeID: Invalid value: "{"n" * 257}": must be 256 characters or less
            """,
        ),
        (
            capacity(
                storageClassName="A",
                capacity="-1Gi",
                nodeTopology={"matchExpressions": [{"key": "a", "operator": "Near"}]},
            ),
            """
            - nodeTopology.matchExpressions[0].operator: Invalid value: "Near": not a valid
              selector operator
            - storageClassName: Invalid value: "A": <subdomain>
            - capacity: Invalid value: "-1Gi": must be greater than or equal to 0
            """,
        ),
    ],
)
def test_every_complaint_about_a_new_object(obj: Object, expected: str) -> None:
    """All at once, in upstream's order."""
    assert creation(obj) == told(expected)


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (
            storage_class(
                provisioner="b",
                parameters={"a": "b"},
                reclaimPolicy="Retain",
                volumeBindingMode="WaitForFirstConsumer",
                allowVolumeExpansion=True,
            ),
            storage_class(),
            """
            - parameters: Forbidden: updates to parameters are forbidden.
            - provisioner: Forbidden: updates to provisioner are forbidden.
            - reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.
            - volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable
            """,
        ),
        (
            attributes_class(driverName="b", parameters={"iops": "2"}),
            attributes_class(),
            """
            - driverName: Forbidden: updates to driverName are forbidden.
            - parameters: Forbidden: updates to parameters are forbidden.
            """,
        ),
        (
            driver(attachRequired=False, volumeLifecycleModes=["Ephemeral"], podInfoOnMount=True),
            driver(),
            """
            - spec.attachedRequired: Invalid value: false: field is immutable
            - spec.volumeLifecycleModes: Invalid value: ["Ephemeral"]: field is immutable
            """,
        ),
        (
            node({"name": "a.b", "nodeID": "m", "allocatable": {"count": 2}}),
            node({"name": "a.b", "nodeID": "n", "allocatable": {"count": 1}}),
            """
            - spec.drivers: Invalid value: {"Name":"a.b","NodeID":"m","TopologyKeys":null,
              "Allocatable":null}: field is immutable
            """.replace(',\n              "A', ',"A'),
        ),
        (
            node({"name": "a.b", "nodeID": "n", "allocatable": {"count": 2}}),
            node({"name": "a.b", "nodeID": "n", "allocatable": {"count": 1}}, {"name": "c.d"}),
            "",
        ),
        (
            capacity(storageClassName="b", nodeTopology={}, capacity="2Gi"),
            capacity(capacity="1Gi"),
            """
            - nodeTopology: Invalid value: {}: field is immutable
            - storageClassName: Invalid value: "b": field is immutable
            """,
        ),
    ],
)
def test_every_complaint_about_a_change(new: Object, old: Object, expected: str) -> None:
    """What may not change, in upstream's words."""
    assert update(new, old) == told(expected)


def test_the_number_of_a_drivers_volumes_may_change_since_1_34() -> None:
    """Before, a driver that stays may not change at all."""
    new, old = (
        node({"name": "a.b", "nodeID": "n", "allocatable": {"count": count}}) for count in (2, 1)
    )
    assert update(new, old, version="1.34") == []
    assert len(update(new, old, version="1.33")) == 1


def test_drivers_have_upstreams_defaults() -> None:
    """An empty list of modes is defaulted as an absent one is."""
    assert defaulted(driver(volumeLifecycleModes=[]))["spec"] == {
        "attachRequired": True,
        "podInfoOnMount": False,
        "storageCapacity": False,
        "fsGroupPolicy": "ReadWriteOnceWithFSType",
        "requiresRepublish": False,
        "seLinuxMount": False,
        "volumeLifecycleModes": ["Persistent"],
    }
