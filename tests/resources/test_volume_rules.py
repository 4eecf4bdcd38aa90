"""Rules of PersistentVolumes, claims of them and their attachments."""

from __future__ import annotations

from typing import Any

import pytest

from tests.resources.judging import Object, creation, defaulted, merged, told, update

HOST = {"path": "/data"}
CSI = {"driver": "a.b", "volumeHandle": "h"}


def volume(**spec: Any) -> Object:
    """Return a PersistentVolume on the node's disk, or with other fields."""
    whole = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": HOST}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "web"},
        "spec": merged(whole, spec),
    }


def claim(**spec: Any) -> Object:
    """Return a PersistentVolumeClaim, the example with other fields."""
    whole = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        **spec,
    }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": whole,
    }


def bound(**spec: Any) -> Object:
    """Return a claim that has its volume."""
    status = {"phase": "Bound", "capacity": {"storage": "1Gi"}}
    return {**claim(volumeName="v", **spec), "status": status}


def request(amount: str) -> Object:
    """Return the part of a claim that asks for an amount."""
    return {"requests": {"storage": amount}}


def attachment(status: Object | None = None, **spec: Any) -> Object:
    """Return a VolumeAttachment, the example with other fields."""
    whole = {"attacher": "a.b", "nodeName": "n", "source": {"persistentVolumeName": "v"}, **spec}
    made = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "VolumeAttachment",
        "metadata": {"name": "web"},
        "spec": whole,
    }
    return made if status is None else {**made, "status": status}


def on(source: str, **fields: Any) -> Object:
    """Return a PersistentVolume on another kind of storage."""
    return volume(hostPath=None, **{source: fields})


def needed(source: str, *fields: str) -> str:
    """Return the complaints about fields that a source needs."""
    return "\n".join(f"- spec.{source}.{field}: Required value" for field in fields)


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (volume(), ""),
        (on("csi", **CSI), ""),
        (
            volume(
                hostPath=None,
                local={"path": "/d"},
                nodeAffinity={
                    "required": {
                        "nodeSelectorTerms": [
                            {"matchExpressions": [{"key": "a", "operator": "Exists"}]}
                        ]
                    }
                },
            ),
            "",
        ),
        (
            volume(
                accessModes=["ReadWriteOncePod", "ReadWriteOnce", "Some"],
                capacity={"storage": "0", "cpu": "-1500m"},
                persistentVolumeReclaimPolicy="Burn",
                nodeAffinity={},
                nfs={"server": "s", "path": "/"},
                storageClassName="A",
                volumeMode="Tape",
                volumeAttributesClassName="",
            ),
            """
            - spec.accessModes: Unsupported value: "Some": supported values: "ReadOnlyMany",
              "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"
            - spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes
            - spec.capacity: Unsupported value: {"storage":"0","cpu":"-1500m"}: supported values:
              "storage"
            - spec.capacity[storage]: Invalid value: "0": must be greater than zero
            - spec.capacity[cpu]: Invalid value: -2: must be a valid resource quantity
            - spec.capacity[cpu]: Invalid value: "-1500m": must be greater than zero
            - spec.persistentVolumeReclaimPolicy: Unsupported value: "Burn": supported values:
              "Delete", "Recycle", "Retain"
            - spec.nodeAffinity.required: Required value: must specify required node constraints
            - spec.nfs: Forbidden: may not specify more than 1 volume type
            - spec.storageClassName: Invalid value: "A": <subdomain>
            - spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"
            - spec.volumeAttributesClassName: Required value: an empty string is disallowed
            - spec.csi: Required value: has to be specified when using volumeAttributesClassName
            """,
        ),
        (
            {**volume(), "spec": {}},
            """
            - spec.accessModes: Required value
            - spec.capacity: Required value
            - spec.capacity: Unsupported value: null: supported values: "storage"
            - spec: Required value: must specify a volume type
            """,
        ),
        (
            volume(hostPath={"path": "/"}, persistentVolumeReclaimPolicy="Recycle"),
            """
            - spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath
              mount of '/'
            """,
        ),
        (
            on("local", path="/a/../b"),
            """
            - spec.local.path: Invalid value: "/a/../b": must not contain '..'
            - spec.nodeAffinity: Required value: Local volume requires node affinity
            """,
        ),
        (
            on("csi", nodePublishSecretRef={"name": "A"}, controllerExpandSecretRef={}),
            """
            - spec.csi.driver: Required value
            - spec.csi.driver: Invalid value: "": <subdomain>
            - spec.csi.volumeHandle: Required value
            - spec.csi.controllerExpandSecretRef.name: Required value
            - spec.csi.controllerExpandSecretRef.namespace: Required value
            - spec.csi.nodePublishSecretRef.name: Invalid value: "A": <subdomain>
            - spec.csi.nodePublishSecretRef.namespace: Required value
            """,
        ),
        (
            on("glusterfs", endpointsNamespace=""),
            needed("glusterfs", "endpoints", "path")
            + '\n- spec.glusterfs.endpointsNamespace: Invalid value: "": if the endpointnamespace '
            "is set, it must be a valid namespace name",
        ),
        (
            on("cinder", secretRef={}),
            needed("cinder", "volumeID", "secretRef.name", "secretRef.namespace"),
        ),
        (
            on("azureFile", secretNamespace=""),
            needed("azureFile", "secretName", "shareName", "secretNamespace"),
        ),
        (
            on("storageos", secretRef={}),
            needed("storageos", "volumeName", "secretRef.name", "secretRef.namespace"),
        ),
        (on("rbd"), needed("rbd", "monitors", "image")),
        (on("cephfs"), needed("cephfs", "monitors")),
        (on("scaleIO"), needed("scaleIO", "gateway", "system", "volumeName")),
        (on("vsphereVolume"), needed("vsphereVolume", "volumePath")),
        (on("photonPersistentDisk"), needed("photonPersistentDisk", "pdID")),
        (on("portworxVolume"), needed("portworxVolume", "volumeID")),
        (claim(), ""),
        (
            claim(
                accessModes=[],
                resources={},
                storageClassName="A",
                volumeAttributesClassName="B",
                dataSource={"kind": "PersistentVolumeClaim", "name": "a"},
                dataSourceRef={"kind": "Thing"},
            ),
            """
            - spec.accessModes: Required value: at least 1 access mode is required
            - spec.resources[storage]: Required value
            - spec.storageClassName: Invalid value: "A": <subdomain>
            - spec.dataSourceRef.name: Required value
            - spec.dataSourceRef: Invalid value: "Thing": must be 'PersistentVolumeClaim' when
              referencing the default apiGroup
            - spec: Invalid value: {}: must match dataSourceRef
            - spec.volumeAttributesClassName: Invalid value: "B": <subdomain>
            """,
        ),
        (
            claim(dataSourceRef={"apiGroup": "A", "kind": "K", "name": "n", "namespace": "B"}),
            """
            - spec.dataSourceRef.apiGroup: Invalid value: "A": <subdomain>
            - spec.dataSourceRef.namespace: Invalid value: "B": <label>
            """,
        ),
        (attachment(), ""),
        (
            attachment(source={"inlineVolumeSpec": {"accessModes": ["ReadOnlyMany"], "csi": CSI}}),
            "",
        ),
        (
            attachment(attacher="", source={}, nodeName="A"),
            """
            - spec.attacher: Required value
            - spec.source: Required value: must specify exactly one of inlineVolumeSpec and
              persistentVolumeName
            - spec.nodeName: Invalid value: "A": <subdomain>
            - spec.attacher: Required value
            - spec.attacher: Invalid value: "": <subdomain>
            """,
        ),
        (
            attachment(
                source={
                    "inlineVolumeSpec": {
                        "claimRef": {"name": "c"},
                        "capacity": {"storage": "1"},
                        "persistentVolumeReclaimPolicy": "Delete",
                        "nodeAffinity": {},
                        "hostPath": HOST,
                        "storageClassName": "s",
                        "volumeMode": "Block",
                    }
                }
            ),
            """
            - spec.source.inlineVolumeSpec.claimRef: Forbidden: may not be specified in the context
              of inline volumes
            - spec.source.inlineVolumeSpec.capacity: Forbidden: may not be specified in the context
              of inline volumes
            - spec.source.inlineVolumeSpec.csi: Required value: has to be specified in the context
              of inline volumes
            - spec.source.inlineVolumeSpec.accessModes: Required value
            - spec.source.inlineVolumeSpec.persistentVolumeReclaimPolicy: Forbidden: may only be
              Retain in the context of inline volumes
            - spec.source.inlineVolumeSpec.nodeAffinity: Forbidden: may not be specified in the
              context of inline volumes
            - spec.source.inlineVolumeSpec.storageClassName: Forbidden: may not be specified in the
              context of inline volumes
            - spec.source.inlineVolumeSpec.volumeMode: Forbidden: may not specify volumeMode other
              than Filesystem in the context of inline volumes
            """,
        ),
    ],
)
def test_every_complaint_about_a_new_object(obj: Object, expected: str) -> None:
    """All at once, in upstream's order."""
    assert creation(obj) == told(expected)


IMMUTABLE_CLAIM = (
    "spec: Forbidden: spec is immutable after creation except resources.requests and "
    "volumeAttributesClassName for bound claims\n"
)


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (volume(capacity={"storage": "2Gi"}, storageClassName="s"), volume(), []),
        (
            volume(hostPath={"path": "/other"}, volumeMode="Block"),
            volume(),
            [
                (
                    "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is "
                    'immutable after creation\n- hostPath: {"path":"/data","type":""}\n'
                    '+ hostPath: {"path":"/other","type":""}\n'
                ),
                'volumeMode: Invalid value: "Block": field is immutable',
            ],
        ),
        (
            on("csi", **CSI, controllerExpandSecretRef={"name": "a", "namespace": "b"}),
            on("csi", **CSI),
            [],
        ),
        (
            on("csi", **CSI),
            volume(hostPath=None, csi=CSI, volumeAttributesClassName="c"),
            [
                (
                    "spec.volumeAttributesClassName: Forbidden: update from non-nil value to nil "
                    "is forbidden"
                )
            ],
        ),
        (claim(volumeName="v"), claim(), []),
        (claim(storageClassName="s"), claim(), []),
        (
            claim(storageClassName="t"),
            claim(storageClassName="s"),
            [f'{IMMUTABLE_CLAIM}- storageClassName: "s"\n+ storageClassName: "t"\n'],
        ),
        (
            claim(resources=request("2Gi")),
            claim(),
            [
                (
                    f'{IMMUTABLE_CLAIM}- resources: {{"requests":{{"storage":"1Gi"}}}}\n'
                    '+ resources: {"requests":{"storage":"2Gi"}}\n'
                )
            ],
        ),
        (bound(resources=request("2Gi")), bound(), []),
        (
            bound(resources=request("512Mi")),
            bound(),
            [
                (
                    "spec.resources.requests.storage: Forbidden: field can not be less than "
                    "status.capacity"
                )
            ],
        ),
        (bound(resources=request("2Gi")), bound(resources=request("3Gi")), []),
        (bound(volumeAttributesClassName="b"), bound(volumeAttributesClassName="a"), []),
        (
            bound(volumeAttributesClassName=""),
            bound(volumeAttributesClassName="a"),
            [
                (
                    "spec.volumeAttributesClassName: Forbidden: update from non-nil value to an "
                    "empty string is forbidden"
                )
            ],
        ),
        (
            attachment(nodeName="m"),
            attachment(),
            [
                (
                    'spec: Invalid value: {"attacher":"a.b","nodeName":"m",'
                    '"source":{"persistentVolumeName":"v"}}: field is immutable'
                )
            ],
        ),
    ],
)
def test_every_complaint_about_a_change(new: Object, old: Object, expected: list[str]) -> None:
    """What may not change, in upstream's words."""
    assert update(new, old) == expected


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (
            {
                **claim(),
                "status": {
                    "capacity": {"storage": "-1"},
                    "allocatedResources": {"cpu": "1", "storage": "-2"},
                    "allocatedResourceStatuses": {"storage": "Odd"},
                },
            },
            """
            - status.capacity[storage]: Invalid value: -1: must be a valid resource quantity
            - status.allocatedResourceStatuses: Unsupported value: "storage": supported values:
              "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress",
              "NodeResizeInfeasible", "NodeResizePending"
            - status.allocatedResources: Unsupported value: "cpu": supported values: "storage"
            - status.allocatedResources[storage]: Invalid value: -2: must be a valid resource
              quantity
            """,
        ),
        (
            attachment(
                {
                    "attached": False,
                    "attachmentMetadata": {"a": "b" * 256 * 1024},
                    "attachError": {"message": "x" * 1025, "errorCode": -1},
                }
            ),
            """
            - status.attachmentMetadata: Too long: may not be more than 262144 bytes
            - status.attachError.message: Too long: may not be more than 262144 bytes
            - status.attachError.errorCode: Invalid value: -1: must be between 0 and 2147483647,
              inclusive
            """,
        ),
    ],
)
def test_every_complaint_about_a_status(new: Object, expected: str) -> None:
    """Of claims and attachments."""
    old = {field: value for field, value in new.items() if field != "status"}
    assert update(new, old, "status") == told(expected)


def test_both_fields_for_the_source_of_data_agree() -> None:
    """What one of them says is said by the other; what only the newer can say stays there."""
    source = {"kind": "PersistentVolumeClaim", "name": "a"}
    other = {"apiGroup": "a.b", "kind": "Thing", "name": "a"}
    made = defaulted(claim(dataSource=source))["spec"]
    assert made["dataSourceRef"] == source
    made = defaulted(claim(dataSourceRef=source))["spec"]
    assert made["dataSource"] == source
    made = defaulted(claim(dataSource=other))["spec"]
    assert "dataSource" not in made
    assert "dataSourceRef" not in made
    made = defaulted(claim(dataSourceRef=other))["spec"]
    assert "dataSource" not in made


def test_volumes_and_claims_wait_at_first() -> None:
    """Whatever status they are created with."""
    for obj in (volume(), claim()):
        assert defaulted({**obj, "status": {"phase": "Bound"}})["status"] == {"phase": "Pending"}
    assert defaulted(volume())["spec"]["hostPath"] == {"path": "/data", "type": ""}
