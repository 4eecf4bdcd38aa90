"""Rows of the kinds that govern a cluster: access, admission, storage classes, flow control."""

from __future__ import annotations

from typing import Any

from orchestrator.resources.objects import (
    Object,
    annotations_of,
    is_deleting,
    name_of,
    spec_of,
    status_of,
)
from orchestrator.resources.printing.columns import (
    AGE,
    CREATED_AT,
    NAME,
    NONE,
    UNSET,
    Cells,
    Column,
    Printer,
    age,
    boolean,
    created_at,
    integer,
    named,
    wide,
)
from orchestrator.resources.printing.durations import UNKNOWN, human_duration

_DEFAULT_CLASS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)


def _field(name: str, missing: Any = "") -> Cells:
    """Return the cell of a field of ``spec``, in a list for `_row`."""
    return lambda obj, _now: [spec_of(obj).get(name, missing)]


def _top(name: str, missing: Any = "") -> Cells:
    return lambda obj, _now: [obj.get(name, missing)]


def _count(name: str) -> Cells:
    return lambda obj, _now: [len(obj.get(name) or ())]


def _age(obj: Object, now: float) -> list[Any]:
    return [age(obj, now)]


def _row(*parts: Cells) -> Cells:
    return lambda obj, now: [name_of(obj), *(cell for part in parts for cell in part(obj, now))]


def _binding(obj: Object, now: float) -> list[Any]:
    reference = obj.get("roleRef") or {}
    subjects: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in obj.get("subjects") or ():
        name = subject.get("name", "")
        if subject.get("kind") == "ServiceAccount":
            name = f"{subject.get('namespace', '')}/{name}"
        subjects.setdefault(subject.get("kind", ""), []).append(name)
    return [
        name_of(obj),
        f"{reference.get('kind', '')}/{reference.get('name', '')}",
        age(obj, now),
        *(", ".join(subjects[kind]) for kind in ("User", "Group", "ServiceAccount")),
    ]


def _signing(obj: Object, now: float) -> list[Any]:
    spec, status = spec_of(obj), status_of(obj)
    seconds = spec.get("expirationSeconds")
    found = {condition.get("type") for condition in status.get("conditions") or ()}
    words = [next((word for word in ("Denied", "Approved") if word in found), "Pending")]
    if "Failed" in found:
        words.append("Failed")
    if status.get("certificate"):
        words.append("Issued")
    return [
        name_of(obj),
        age(obj, now),
        spec.get("signerName") or NONE,
        spec.get("username", ""),
        NONE if seconds is None else human_duration(seconds),
        ",".join(words),
    ]


def _storage_class(obj: Object, now: float) -> list[Any]:
    name = name_of(obj)
    if any(annotations_of(obj).get(key) == "true" for key in _DEFAULT_CLASS):
        name += " (default)"
    return [
        name,
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy") or "Delete",
        obj.get("volumeBindingMode") or UNSET,
        bool(obj.get("allowVolumeExpansion")),
        age(obj, now),
    ]


def _driver(obj: Object, now: float) -> list[Any]:
    spec = spec_of(obj)
    audiences = ",".join(one.get("audience", "") for one in spec.get("tokenRequests") or ())
    return [
        name_of(obj),
        spec.get("attachRequired", True),
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        audiences or UNSET,
        bool(spec.get("requiresRepublish")),
        ",".join(spec.get("volumeLifecycleModes") or ()) or NONE,
        age(obj, now),
    ]


def _attachment(obj: Object, now: float) -> list[Any]:
    spec = spec_of(obj)
    return [
        name_of(obj),
        spec.get("attacher", ""),
        (spec.get("source") or {}).get("persistentVolumeName", ""),
        spec.get("nodeName", ""),
        bool(status_of(obj).get("attached")),
        age(obj, now),
    ]


def _policy(rules: str) -> Cells:
    def cells(obj: Object, now: float) -> list[Any]:
        spec = spec_of(obj)
        kind = spec.get("paramKind")
        param = f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else UNSET
        return [name_of(obj), len(spec.get(rules) or ()), param, age(obj, now)]

    return cells


def _policy_binding(obj: Object, now: float) -> list[Any]:
    spec = spec_of(obj)
    reference = spec.get("paramRef")
    param = UNSET
    if reference:
        namespace, name = reference.get("namespace"), reference.get("name")
        param = f"{namespace or '*'}/{name}" if name else UNSET
    return [name_of(obj), spec.get("policyName", ""), param, age(obj, now)]


def _api_service(obj: Object, now: float) -> list[Any]:
    service = spec_of(obj).get("service")
    where = f"{service.get('namespace', '')}/{service.get('name', '')}" if service else "Local"
    available = UNKNOWN
    for condition in status_of(obj).get("conditions") or ():
        if condition.get("type") == "Available":
            available = condition.get("status", "")
            if available != "True":
                available = f"{available} ({condition.get('reason', '')})"
    return [name_of(obj), where, available, age(obj, now)]


def _flow_schema(obj: Object, now: float) -> list[Any]:
    spec = spec_of(obj)
    missing = "?"
    for condition in status_of(obj).get("conditions") or ():
        if condition.get("type") == "Dangling":
            missing = condition.get("status", "")
    return [
        name_of(obj),
        (spec.get("priorityLevelConfiguration") or {}).get("name", ""),
        spec.get("matchingPrecedence", 0),
        (spec.get("distinguisherMethod") or {}).get("type") or NONE,
        age(obj, now),
        missing,
    ]


def _priority_level(obj: Object, now: float) -> list[Any]:
    spec = spec_of(obj)
    limited = spec.get("limited") or {}
    queuing = (limited.get("limitResponse") or {}).get("queuing") or {}
    shares = (limited or spec.get("exempt") or {}).get("nominalConcurrencyShares", NONE)
    return [
        name_of(obj),
        spec.get("type", ""),
        shares,
        *(queuing.get(field, NONE) for field in ("queues", "handSize", "queueLengthLimit")),
        age(obj, now),
    ]


def _claim_state(obj: Object, _now: float) -> str:
    status = status_of(obj)
    deleted = is_deleting(obj)
    states = ["deleted"] if deleted else []
    if not status.get("allocation"):
        return ",".join(states or ["pending"])
    states.append("allocated")
    if status.get("reservedFor"):
        states.append("reserved")
    return ",".join(states)


def _slice(obj: Object, now: float) -> list[Any]:
    spec = spec_of(obj)
    return [
        name_of(obj),
        spec.get("nodeName") or UNSET,
        spec.get("driver", ""),
        (spec.get("pool") or {}).get("name", ""),
        age(obj, now),
    ]


def _scale(obj: Object, now: float) -> list[Any]:
    replicas = (spec_of(obj).get("replicas", 0), status_of(obj).get("replicas", 0))
    return [name_of(obj), *replicas, age(obj, now)]


def _binding_columns(text: str) -> tuple[Column, ...]:
    return (
        NAME,
        Column("Role", f"rbac.v1.{text[0].upper()}{text[1:]}/roleRef"),
        AGE,
        wide("Users", f"Users in the {text}"),
        wide("Groups", f"Groups in the {text}"),
        wide("ServiceAccounts", f"ServiceAccounts in the {text}"),
    )


_CREATED = Printer((NAME, CREATED_AT), named(lambda obj, _now: created_at(obj)))
_WEBHOOKS = Printer(
    (
        NAME,
        integer(
            "Webhooks", "Webhooks indicates the number of webhooks registered in this configuration"
        ),
        AGE,
    ),
    _row(_count("webhooks"), _age),
)
_PARAM_KIND = Column(
    "ParamKind", "ParamKind specifies the kind of resources used to parameterize this policy"
)
_POLICY_BINDING = Printer(
    (
        NAME,
        Column(
            "PolicyName",
            "PolicyName indicates the policy definition which the policy binding binded to",
        ),
        Column(
            "ParamRef", "ParamRef indicates the param resource which sets the configration param"
        ),
        AGE,
    ),
    _policy_binding,
)
_SIGNING = "certificates.v1.CertificateSigningRequest"
_CLASS = "storage.v1.StorageClass"
_CSI = "storage.v1.CSIDriverSpec"
_ATTACH = "storage.v1.VolumeAttachment"
_FLOW = "flowcontrol.v1"
_ADMISSION = "admissionregistration.k8s.io"

PRINTERS = {
    "roles.rbac.authorization.k8s.io": _CREATED,
    "clusterroles.rbac.authorization.k8s.io": _CREATED,
    "customresourcedefinitions.apiextensions.k8s.io": _CREATED,
    "rolebindings.rbac.authorization.k8s.io": Printer(_binding_columns("roleBinding"), _binding),
    "clusterrolebindings.rbac.authorization.k8s.io": Printer(
        _binding_columns("clusterRoleBinding"), _binding
    ),
    "certificatesigningrequests.certificates.k8s.io": Printer(
        (
            NAME,
            AGE,
            Column("SignerName", f"{_SIGNING}Spec/signerName"),
            Column("Requestor", f"{_SIGNING}Spec/request"),
            Column("RequestedDuration", f"{_SIGNING}Spec/expirationSeconds"),
            Column("Condition", f"{_SIGNING}Status/conditions"),
        ),
        _signing,
    ),
    "clustertrustbundles.certificates.k8s.io": Printer(
        (NAME, Column("SignerName", "certificates.v1beta1.ClusterTrustBundleSpec/signerName")),
        _row(_field("signerName")),
    ),
    f"mutatingwebhookconfigurations.{_ADMISSION}": _WEBHOOKS,
    f"validatingwebhookconfigurations.{_ADMISSION}": _WEBHOOKS,
    f"validatingadmissionpolicies.{_ADMISSION}": Printer(
        (
            NAME,
            integer(
                "Validations",
                "Validations indicates the number of validation rules defined in this "
                "configuration",
            ),
            _PARAM_KIND,
            AGE,
        ),
        _policy("validations"),
    ),
    f"mutatingadmissionpolicies.{_ADMISSION}": Printer(
        (
            NAME,
            integer(
                "Mutations",
                "Mutation indicates the number of mutations rules defined in this configuration",
            ),
            _PARAM_KIND,
            AGE,
        ),
        _policy("mutations"),
    ),
    f"validatingadmissionpolicybindings.{_ADMISSION}": _POLICY_BINDING,
    f"mutatingadmissionpolicybindings.{_ADMISSION}": _POLICY_BINDING,
    "apiservices.apiregistration.k8s.io": Printer(
        (
            NAME,
            Column("Service", "The reference to the service that hosts this API endpoint."),
            Column("Available", "Whether this service is available."),
            AGE,
        ),
        _api_service,
    ),
    "storageclasses.storage.k8s.io": Printer(
        (
            NAME,
            Column("Provisioner", f"{_CLASS}/provisioner"),
            Column("ReclaimPolicy", f"{_CLASS}/reclaimPolicy"),
            Column("VolumeBindingMode", f"{_CLASS}/volumeBindingMode"),
            Column("AllowVolumeExpansion", f"{_CLASS}/allowVolumeExpansion"),
            AGE,
        ),
        _storage_class,
    ),
    "volumeattributesclasses.storage.k8s.io": Printer(
        (NAME, Column("DriverName", "storage.v1.VolumeAttributesClass/driverName"), AGE),
        _row(_top("driverName"), _age),
    ),
    "csinodes.storage.k8s.io": Printer(
        (
            NAME,
            integer(
                "Drivers", "Drivers indicates the number of CSI drivers registered on the node"
            ),
            AGE,
        ),
        _row(lambda obj, _now: [len(spec_of(obj).get("drivers") or ())], _age),
    ),
    "csidrivers.storage.k8s.io": Printer(
        (
            NAME,
            boolean("AttachRequired", f"{_CSI}/attachRequired"),
            boolean("PodInfoOnMount", f"{_CSI}/podInfoOnMount"),
            boolean("StorageCapacity", f"{_CSI}/storageCapacity"),
            Column("TokenRequests", f"{_CSI}/tokenRequests"),
            boolean("RequiresRepublish", f"{_CSI}/requiresRepublish"),
            Column("Modes", f"{_CSI}/volumeLifecycleModes"),
            AGE,
        ),
        _driver,
    ),
    "csistoragecapacities.storage.k8s.io": Printer(
        (
            NAME,
            Column("StorageClassName", "storage.v1.CSIStorageCapacity/storageClassName"),
            Column("Capacity", "storage.v1.CSIStorageCapacity/capacity"),
        ),
        _row(_top("storageClassName"), _top("capacity", UNSET)),
    ),
    "volumeattachments.storage.k8s.io": Printer(
        (
            NAME,
            Column("Attacher", f"{_ATTACH}Spec/attacher", format="name"),
            Column("PV", f"{_ATTACH}Source/persistentVolumeName"),
            Column("Node", f"{_ATTACH}Spec/nodeName"),
            boolean("Attached", f"{_ATTACH}Status/attached"),
            AGE,
        ),
        _attachment,
    ),
    "flowschemas.flowcontrol.apiserver.k8s.io": Printer(
        (
            NAME,
            Column("PriorityLevel", f"{_FLOW}.PriorityLevelConfigurationReference/name"),
            Column("MatchingPrecedence", f"{_FLOW}.FlowSchemaSpec/matchingPrecedence"),
            Column("DistinguisherMethod", f"{_FLOW}.FlowSchemaSpec/distinguisherMethod"),
            AGE,
            Column("MissingPL", "references a broken or non-existent PriorityLevelConfiguration"),
        ),
        _flow_schema,
    ),
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": Printer(
        (
            NAME,
            Column("Type", f"{_FLOW}.PriorityLevelConfigurationSpec/type"),
            Column(
                "NominalConcurrencyShares",
                f"{_FLOW}.LimitedPriorityLevelConfiguration/nominalConcurrencyShares",
            ),
            Column("Queues", f"{_FLOW}.QueuingConfiguration/queues"),
            Column("HandSize", f"{_FLOW}.QueuingConfiguration/handSize"),
            Column("QueueLengthLimit", f"{_FLOW}.QueuingConfiguration/queueLengthLimit"),
            AGE,
        ),
        _priority_level,
    ),
    "resourceclaims.resource.k8s.io": Printer(
        (
            NAME,
            Column("State", "A summary of the current state (allocated, pending, reserved, etc.)."),
            AGE,
        ),
        named(_claim_state, age),
    ),
    "resourceslices.resource.k8s.io": Printer(
        (
            NAME,
            Column("Node", "resource.v1.ResourceSliceSpec/nodeName"),
            Column("Driver", "resource.v1.ResourceSliceSpec/driver"),
            Column("Pool", "resource.v1.ResourcePool/name"),
            AGE,
        ),
        _slice,
    ),
    "leasecandidates.coordination.k8s.io": Printer(
        (
            NAME,
            Column("LeaseName", "coordination.v1beta1.LeaseCandidateSpec/leaseName"),
            Column("BinaryVersion"),
            Column("EmulationVersion"),
            AGE,
        ),
        _row(_field("leaseName"), _field("binaryVersion"), _field("emulationVersion"), _age),
    ),
}

SCALE = Printer(
    (
        NAME,
        integer("Desired", "autoscaling.v1.ScaleSpec/replicas"),
        integer("Available", "autoscaling.v1.ScaleStatus/replicas"),
        AGE,
    ),
    _scale,
)
"""Of the ``scale`` subresource, which belongs to no resource of its own."""
