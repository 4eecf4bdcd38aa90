"""What upstream's discovery says about built-in kinds and the definitions do not.

One row per group, version and kind: scope, plural, short names, categories, subresources. A row is
served only where the version's definitions have the type. Alpha and beta versions are off by
default upstream (since 1.24) and are not listed, but for the one that was there before and was
served until 1.31.
"""

from __future__ import annotations

from typing import Final

ALL_VERBS: Final = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)
CREATE_ONLY: Final = ("create",)

STORED_AS: Final = {("events.k8s.io", "Event"): "events"}
"""Kinds that are another resource's objects under another name."""

Row = tuple[str, str, bool, str, str, str]
"""kind, plural, namespaced, short names, categories, subresources (space-separated)."""

TABLE: Final[dict[tuple[str, str], tuple[Row, ...]]] = {
    ("", "v1"): (
        ("Binding", "bindings", True, "", "", ""),
        ("ComponentStatus", "componentstatuses", False, "cs", "", ""),
        ("ConfigMap", "configmaps", True, "cm", "", ""),
        ("Endpoints", "endpoints", True, "ep", "", ""),
        ("Event", "events", True, "ev", "", ""),
        ("LimitRange", "limitranges", True, "limits", "", ""),
        ("Namespace", "namespaces", False, "ns", "", "finalize status"),
        ("Node", "nodes", False, "no", "", "proxy status"),
        ("PersistentVolumeClaim", "persistentvolumeclaims", True, "pvc", "", "status"),
        ("PersistentVolume", "persistentvolumes", False, "pv", "", "status"),
        (
            "Pod",
            "pods",
            True,
            "po",
            "all",
            "attach binding ephemeralcontainers eviction exec log portforward proxy resize status",
        ),
        ("PodTemplate", "podtemplates", True, "", "", ""),
        ("ReplicationController", "replicationcontrollers", True, "rc", "all", "scale status"),
        ("ResourceQuota", "resourcequotas", True, "quota", "", "status"),
        ("Secret", "secrets", True, "", "", ""),
        ("ServiceAccount", "serviceaccounts", True, "sa", "", "token"),
        ("Service", "services", True, "svc", "all", "proxy status"),
    ),
    ("apiregistration.k8s.io", "v1"): (
        ("APIService", "apiservices", False, "", "api-extensions", "status"),
    ),
    ("apps", "v1"): (
        ("ControllerRevision", "controllerrevisions", True, "", "", ""),
        ("DaemonSet", "daemonsets", True, "ds", "all", "status"),
        ("Deployment", "deployments", True, "deploy", "all", "scale status"),
        ("ReplicaSet", "replicasets", True, "rs", "all", "scale status"),
        ("StatefulSet", "statefulsets", True, "sts", "all", "scale status"),
    ),
    ("events.k8s.io", "v1"): (("Event", "events", True, "ev", "", ""),),
    ("authentication.k8s.io", "v1"): (
        ("SelfSubjectReview", "selfsubjectreviews", False, "", "", ""),
        ("TokenReview", "tokenreviews", False, "", "", ""),
    ),
    ("authorization.k8s.io", "v1"): (
        ("LocalSubjectAccessReview", "localsubjectaccessreviews", True, "", "", ""),
        ("SelfSubjectAccessReview", "selfsubjectaccessreviews", False, "", "", ""),
        ("SelfSubjectRulesReview", "selfsubjectrulesreviews", False, "", "", ""),
        ("SubjectAccessReview", "subjectaccessreviews", False, "", "", ""),
    ),
    ("autoscaling", "v2"): (
        ("HorizontalPodAutoscaler", "horizontalpodautoscalers", True, "hpa", "all", "status"),
    ),
    ("autoscaling", "v1"): (
        ("HorizontalPodAutoscaler", "horizontalpodautoscalers", True, "hpa", "all", "status"),
    ),
    ("batch", "v1"): (
        ("CronJob", "cronjobs", True, "cj", "all", "status"),
        ("Job", "jobs", True, "", "all", "status"),
    ),
    ("certificates.k8s.io", "v1"): (
        (
            "CertificateSigningRequest",
            "certificatesigningrequests",
            False,
            "csr",
            "",
            "approval status",
        ),
        ("ClusterTrustBundle", "clustertrustbundles", False, "", "", ""),
        ("PodCertificateRequest", "podcertificaterequests", True, "", "", "status"),
    ),
    ("networking.k8s.io", "v1"): (
        ("IngressClass", "ingressclasses", False, "", "", ""),
        ("Ingress", "ingresses", True, "ing", "", "status"),
        ("IPAddress", "ipaddresses", False, "ip", "", ""),
        ("NetworkPolicy", "networkpolicies", True, "netpol", "", ""),
        ("ServiceCIDR", "servicecidrs", False, "", "", "status"),
    ),
    ("policy", "v1"): (("PodDisruptionBudget", "poddisruptionbudgets", True, "pdb", "", "status"),),
    ("rbac.authorization.k8s.io", "v1"): (
        ("ClusterRoleBinding", "clusterrolebindings", False, "", "", ""),
        ("ClusterRole", "clusterroles", False, "", "", ""),
        ("RoleBinding", "rolebindings", True, "", "", ""),
        ("Role", "roles", True, "", "", ""),
    ),
    ("storage.k8s.io", "v1"): (
        ("CSIDriver", "csidrivers", False, "", "", ""),
        ("CSINode", "csinodes", False, "", "", ""),
        ("CSIStorageCapacity", "csistoragecapacities", True, "", "", ""),
        ("StorageClass", "storageclasses", False, "sc", "", ""),
        ("VolumeAttachment", "volumeattachments", False, "", "", "status"),
        ("VolumeAttributesClass", "volumeattributesclasses", False, "vac", "", ""),
    ),
    ("admissionregistration.k8s.io", "v1"): (
        ("MutatingAdmissionPolicy", "mutatingadmissionpolicies", False, "", "api-extensions", ""),
        (
            "MutatingAdmissionPolicyBinding",
            "mutatingadmissionpolicybindings",
            False,
            "",
            "api-extensions",
            "",
        ),
        (
            "MutatingWebhookConfiguration",
            "mutatingwebhookconfigurations",
            False,
            "",
            "api-extensions",
            "",
        ),
        (
            "ValidatingAdmissionPolicy",
            "validatingadmissionpolicies",
            False,
            "",
            "api-extensions",
            "status",
        ),
        (
            "ValidatingAdmissionPolicyBinding",
            "validatingadmissionpolicybindings",
            False,
            "",
            "api-extensions",
            "",
        ),
        (
            "ValidatingWebhookConfiguration",
            "validatingwebhookconfigurations",
            False,
            "",
            "api-extensions",
            "",
        ),
    ),
    ("apiextensions.k8s.io", "v1"): (
        (
            "CustomResourceDefinition",
            "customresourcedefinitions",
            False,
            "crd crds",
            "api-extensions",
            "status",
        ),
    ),
    ("scheduling.k8s.io", "v1"): (("PriorityClass", "priorityclasses", False, "pc", "", ""),),
    ("coordination.k8s.io", "v1"): (("Lease", "leases", True, "", "", ""),),
    ("node.k8s.io", "v1"): (("RuntimeClass", "runtimeclasses", False, "", "", ""),),
    ("discovery.k8s.io", "v1"): (("EndpointSlice", "endpointslices", True, "", "", ""),),
    ("flowcontrol.apiserver.k8s.io", "v1"): (
        ("FlowSchema", "flowschemas", False, "", "", "status"),
        ("PriorityLevelConfiguration", "prioritylevelconfigurations", False, "", "", "status"),
    ),
    ("flowcontrol.apiserver.k8s.io", "v1beta3"): (
        ("FlowSchema", "flowschemas", False, "", "", "status"),
        ("PriorityLevelConfiguration", "prioritylevelconfigurations", False, "", "", "status"),
    ),
    ("resource.k8s.io", "v1"): (
        ("DeviceClass", "deviceclasses", False, "", "", ""),
        ("DeviceTaintRule", "devicetaintrules", False, "", "", "status"),
        ("ResourceClaim", "resourceclaims", True, "", "", "status"),
        ("ResourceClaimTemplate", "resourceclaimtemplates", True, "", "", ""),
        ("ResourceSlice", "resourceslices", False, "", "", ""),
    ),
    ("storagemigration.k8s.io", "v1"): (
        ("StorageVersionMigration", "storageversionmigrations", False, "", "", "status"),
    ),
}
"""Groups in the order in which upstream's aggregator lists them by priority."""

VERBS: Final[dict[str, tuple[str, ...]]] = {
    "Binding": CREATE_ONLY,
    "ComponentStatus": ("get", "list"),
    "Namespace": ("create", "delete", "get", "list", "patch", "update", "watch"),
    "SelfSubjectReview": CREATE_ONLY,
    "TokenReview": CREATE_ONLY,
    "LocalSubjectAccessReview": CREATE_ONLY,
    "SelfSubjectAccessReview": CREATE_ONLY,
    "SelfSubjectRulesReview": CREATE_ONLY,
    "SubjectAccessReview": CREATE_ONLY,
}
"""Kinds that do not have all verbs."""

READ_WRITE: Final = ("get", "patch", "update")
_CONNECT: Final = ("create", "get")
_PROXY: Final = ("create", "delete", "get", "patch", "update")

SUBRESOURCES: Final[dict[str, tuple[str, str, str, tuple[str, ...]]]] = {
    "status": ("", "", "", READ_WRITE),
    "scale": ("Scale", "autoscaling", "v1", READ_WRITE),
    "log": ("", "", "", ("get",)),
    "exec": ("PodExecOptions", "", "v1", _CONNECT),
    "attach": ("PodAttachOptions", "", "v1", _CONNECT),
    "portforward": ("PodPortForwardOptions", "", "v1", _CONNECT),
    "eviction": ("Eviction", "policy", "v1", CREATE_ONLY),
    "binding": ("Binding", "", "v1", CREATE_ONLY),
    "ephemeralcontainers": ("", "", "", READ_WRITE),
    "resize": ("", "", "", READ_WRITE),
    "token": ("TokenRequest", "authentication.k8s.io", "v1", CREATE_ONLY),
    "approval": ("", "", "", READ_WRITE),
    "finalize": ("", "", "", ("update",)),
    "proxy": ("ProxyOptions", "", "v1", _PROXY),
}
"""Subresource to kind, group, version (empty kind: the parent's own) and verbs."""

SINCE: Final[dict[str, tuple[int, int]]] = {"resize": (1, 32)}
"""Subresources that came after the oldest version served."""
