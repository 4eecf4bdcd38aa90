"""Upstream's default roles and bindings as a table of facts.

Source: k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy. A rule is (groups,
resources, verbs) or (groups, resources, verbs, names), each a text of words; ``core`` is the core
group. A rule of two texts is (paths, verbs).
"""

from __future__ import annotations

from typing import Final

Row = tuple[str, ...]

_READ: Final = "get list watch"
_WRITE: Final = "create delete deletecollection patch update"
_ALL: Final = "create delete deletecollection get list patch update watch"
_EVENTS: Final = ("core events.k8s.io", "events", "create patch update")
_RBAC: Final = "rbac.authorization.k8s.io"
_AUTHORIZATION: Final = "authorization.k8s.io"
_AUTHENTICATION: Final = "authentication.k8s.io"
_CERTIFICATES: Final = "certificates.k8s.io"
_STORAGE: Final = "storage.k8s.io"
_LEASES: Final = "coordination.k8s.io"
_RESOURCE: Final = "resource.k8s.io"
_NETWORKING: Final = "networking.k8s.io"
_SIGNERS: Final = "kubernetes.io/kube-apiserver-client"
_WORKLOADS: Final = (
    "daemonsets deployments deployments/rollback deployments/scale replicasets "
    "replicasets/scale statefulsets statefulsets/scale"
)
_DELEGATED: Final = (
    (_AUTHENTICATION, "tokenreviews", "create"),
    (_AUTHORIZATION, "subjectaccessreviews", "create"),
)


def _approver(signer: str) -> tuple[Row, ...]:
    return ((_CERTIFICATES, "signers", "approve", f"kubernetes.io/{signer}"),)


CLUSTER_ROLES: Final[dict[str, tuple[Row, ...]]] = {
    "cluster-admin": (("*", "*", "*"), ("*", "*")),
    "system:aggregate-to-admin": (
        (_AUTHORIZATION, "localsubjectaccessreviews", "create"),
        (_RBAC, "rolebindings roles", _ALL),
    ),
    "system:aggregate-to-edit": (
        (
            "core",
            "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy",
            _READ,
        ),
        ("core", "serviceaccounts", "impersonate"),
        ("core", "pods pods/attach pods/exec pods/portforward pods/proxy", _WRITE),
        ("core", "pods/eviction", "create"),
        (
            "core",
            (
                "configmaps events persistentvolumeclaims replicationcontrollers "
                "replicationcontrollers/scale secrets serviceaccounts services services/proxy"
            ),
            _WRITE,
        ),
        ("core", "serviceaccounts/token", "create"),
        ("apps", _WORKLOADS, _WRITE),
        ("autoscaling", "horizontalpodautoscalers", _WRITE),
        ("batch", "cronjobs jobs", _WRITE),
        (
            "extensions",
            (
                "daemonsets deployments deployments/rollback deployments/scale ingresses "
                "networkpolicies replicasets replicasets/scale replicationcontrollers/scale"
            ),
            _WRITE,
        ),
        ("policy", "poddisruptionbudgets", _WRITE),
        (_NETWORKING, "ingresses networkpolicies", _WRITE),
        (_LEASES, "leases", _ALL),
    ),
    "system:aggregate-to-view": (
        (
            "core",
            (
                "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods "
                "replicationcontrollers replicationcontrollers/scale serviceaccounts services "
                "services/status"
            ),
            _READ,
        ),
        (
            "core",
            (
                "bindings events limitranges namespaces/status pods/log pods/status "
                "replicationcontrollers/status resourcequotas resourcequotas/status"
            ),
            _READ,
        ),
        ("core", "namespaces", _READ),
        ("discovery.k8s.io", "endpointslices", _READ),
        (
            "apps",
            (
                "controllerrevisions daemonsets daemonsets/status deployments deployments/scale "
                "deployments/status replicasets replicasets/scale replicasets/status statefulsets "
                "statefulsets/scale statefulsets/status"
            ),
            _READ,
        ),
        ("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", _READ),
        ("batch", "cronjobs cronjobs/status jobs jobs/status", _READ),
        (
            "extensions",
            (
                "daemonsets daemonsets/status deployments deployments/scale deployments/status "
                "ingresses ingresses/status networkpolicies replicasets replicasets/scale "
                "replicasets/status replicationcontrollers/scale"
            ),
            _READ,
        ),
        ("policy", "poddisruptionbudgets poddisruptionbudgets/status", _READ),
        (_NETWORKING, "ingresses ingresses/status networkpolicies", _READ),
    ),
    "system:auth-delegator": _DELEGATED,
    "system:basic-user": (
        (_AUTHORIZATION, "selfsubjectaccessreviews selfsubjectrulesreviews", "create"),
        (_AUTHENTICATION, "selfsubjectreviews", "create"),
    ),
    "system:certificates.k8s.io:certificatesigningrequests:nodeclient": (
        (_CERTIFICATES, "certificatesigningrequests/nodeclient", "create"),
    ),
    "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient": (
        (_CERTIFICATES, "certificatesigningrequests/selfnodeclient", "create"),
    ),
    "system:certificates.k8s.io:kube-apiserver-client-approver": _approver("kube-apiserver-client"),
    "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver": _approver(
        "kube-apiserver-client-kubelet"
    ),
    "system:certificates.k8s.io:kubelet-serving-approver": _approver("kubelet-serving"),
    "system:certificates.k8s.io:legacy-unknown-approver": _approver("legacy-unknown"),
    "system:discovery": (
        (
            (
                "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version "
                "/version/"
            ),
            "get",
        ),
    ),
    "system:heapster": (
        ("core", "events namespaces nodes pods", _READ),
        ("extensions", "deployments", _READ),
    ),
    "system:kube-aggregator": (("core", "endpoints services", _READ),),
    "system:kube-controller-manager": (
        _EVENTS,
        (_LEASES, "leases", "create"),
        (_LEASES, "leases", "get update", "kube-controller-manager"),
        ("core", "secrets serviceaccounts", "create"),
        ("core", "secrets", "delete"),
        ("core", "configmaps namespaces secrets serviceaccounts", "get"),
        ("core", "secrets serviceaccounts", "update"),
        *_DELEGATED,
        ("*", "*", "list watch"),
        ("core", "serviceaccounts/token", "create"),
    ),
    "system:kube-dns": (("core", "endpoints services", "list watch"),),
    "system:kube-scheduler": (
        _EVENTS,
        (_LEASES, "leases", "create"),
        (_LEASES, "leases", "get update", "kube-scheduler"),
        ("core", "nodes", _READ),
        ("core", "pods", "delete get list watch"),
        ("core", "bindings pods/binding", "create"),
        ("core", "pods/status", "patch update"),
        ("core", "replicationcontrollers services", _READ),
        ("apps extensions", "replicasets", _READ),
        ("apps", "statefulsets", _READ),
        ("policy", "poddisruptionbudgets", _READ),
        ("core", "persistentvolumeclaims persistentvolumes", _READ),
        *_DELEGATED,
        (_STORAGE, "csinodes", _READ),
        ("core", "namespaces", _READ),
        (_STORAGE, "csidrivers", _READ),
        (_STORAGE, "csistoragecapacities", _READ),
        (_RESOURCE, "deviceclasses resourceslices", _READ),
        (_RESOURCE, "resourceclaims", "get list patch update watch"),
        (_RESOURCE, "resourceclaims/status", "get list patch update watch"),
        ("core", "pods/finalizers", "get list patch update watch"),
    ),
    "system:kubelet-api-admin": (
        ("core", "nodes", _READ),
        ("core", "nodes", "proxy"),
        ("core", "nodes/log nodes/metrics nodes/proxy nodes/stats", "*"),
    ),
    "system:monitoring": (
        (
            "/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*",
            "get",
        ),
    ),
    "system:node": (
        (_AUTHENTICATION, "tokenreviews", "create"),
        (_AUTHORIZATION, "localsubjectaccessreviews subjectaccessreviews", "create"),
        ("core", "services", _READ),
        ("core", "nodes", "create get list watch"),
        ("core", "nodes/status", "patch update"),
        ("core", "nodes", "patch update"),
        ("core", "events", "create patch update"),
        ("core", "pods", _READ),
        ("core", "pods", "create delete"),
        ("core", "pods/status", "patch update"),
        ("core", "pods/eviction", "create"),
        ("core", "configmaps secrets", _READ),
        ("core", "persistentvolumeclaims persistentvolumes", "get"),
        ("core", "endpoints", "get"),
        (_CERTIFICATES, "certificatesigningrequests", "create get list watch"),
        (_LEASES, "leases", "create delete get patch update"),
        (_STORAGE, "volumeattachments", "get"),
        ("core", "serviceaccounts/token", "create"),
        ("core", "persistentvolumeclaims/status", "get patch update"),
        (_STORAGE, "csidrivers", _READ),
        (_STORAGE, "csinodes", "create delete get patch update"),
        ("node.k8s.io", "runtimeclasses", _READ),
        (_RESOURCE, "resourceclaims", "get"),
        (_RESOURCE, "resourceslices", _ALL),
    ),
    "system:node-bootstrapper": (
        (_CERTIFICATES, "certificatesigningrequests", "create get list watch"),
    ),
    "system:node-problem-detector": (
        ("core", "nodes", "get"),
        ("core", "nodes/status", "patch"),
        _EVENTS,
    ),
    "system:node-proxier": (
        ("core", "endpoints services", "list watch"),
        ("core", "nodes", _READ),
        _EVENTS,
        ("discovery.k8s.io", "endpointslices", "list watch"),
        (_NETWORKING, "servicecidrs", "list watch"),
    ),
    "system:persistent-volume-provisioner": (
        ("core", "persistentvolumes", "create delete get list watch"),
        ("core", "persistentvolumeclaims", "get list update watch"),
        (_STORAGE, "storageclasses", _READ),
        ("core", "events", "watch"),
        _EVENTS,
    ),
    "system:public-info-viewer": (("/healthz /livez /readyz /version /version/", "get"),),
    "system:service-account-issuer-discovery": (
        ("/.well-known/openid-configuration /openid/v1/jwks", "get"),
    ),
    "system:volume-scheduler": (
        ("core", "persistentvolumes", "get list patch update watch"),
        (_STORAGE, "storageclasses", _READ),
        ("core", "persistentvolumeclaims", "get list patch update watch"),
    ),
}

AGGREGATED: Final = ("admin", "edit", "view")
"""Put together out of the roles labelled ``aggregate-to-NAME``."""

AGGREGATES_TO: Final = {
    "edit": "admin",
    "view": "edit",
    "system:aggregate-to-admin": "admin",
    "system:aggregate-to-edit": "edit",
    "system:aggregate-to-view": "view",
}

_PODS: Final = ("core", "pods", "create delete list patch watch")

CONTROLLER_ROLES: Final[dict[str, tuple[Row, ...]]] = {
    "attachdetach-controller": (
        ("core", "persistentvolumeclaims persistentvolumes", "list watch"),
        ("core", "nodes", _READ),
        ("core", "nodes/status", "patch update"),
        ("core", "pods", "list watch"),
        _EVENTS,
        (_STORAGE, "volumeattachments", "create delete get list watch"),
        (_STORAGE, "csidrivers", _READ),
        (_STORAGE, "csinodes", _READ),
    ),
    "certificate-controller": (
        (_CERTIFICATES, "certificatesigningrequests", "delete get list watch"),
        (
            _CERTIFICATES,
            "certificatesigningrequests/approval certificatesigningrequests/status",
            "update",
        ),
        (_CERTIFICATES, "signers", "approve", f"{_SIGNERS}-kubelet"),
        (
            _CERTIFICATES,
            "signers",
            "sign",
            (
                f"{_SIGNERS} {_SIGNERS}-kubelet kubernetes.io/kubelet-serving "
                "kubernetes.io/legacy-unknown"
            ),
        ),
        (_AUTHORIZATION, "subjectaccessreviews", "create"),
        _EVENTS,
    ),
    "clusterrole-aggregation-controller": (
        (_RBAC, "clusterroles", "escalate get list patch update watch"),
    ),
    "cronjob-controller": (
        ("batch", "cronjobs", "get list update watch"),
        ("batch", "jobs", "create delete get list patch update watch"),
        ("batch", "cronjobs/status", "update"),
        ("batch", "cronjobs/finalizers", "update"),
        ("core", "pods", "delete list watch"),
        _EVENTS,
    ),
    "daemon-set-controller": (
        ("apps extensions", "daemonsets", _READ),
        ("apps extensions", "daemonsets/status", "update"),
        ("apps extensions", "daemonsets/finalizers", "update"),
        ("core", "nodes", "list watch"),
        _PODS,
        ("core", "pods/binding", "create"),
        ("apps", "controllerrevisions", "create delete get list patch update watch"),
        _EVENTS,
    ),
    "deployment-controller": (
        ("apps extensions", "deployments", "get list update watch"),
        ("apps extensions", "deployments/status", "update"),
        ("apps extensions", "deployments/finalizers", "update"),
        ("apps extensions", "replicasets", "create delete get list patch update watch"),
        ("core", "pods", "get list update watch"),
        _EVENTS,
    ),
    "device-taint-eviction-controller": (
        ("core", "pods", "delete get list watch"),
        ("core", "pods/status", "patch update"),
        (_RESOURCE, "resourceclaims", _READ),
        (_RESOURCE, "resourceslices", _READ),
        (_RESOURCE, "deviceclasses", _READ),
        _EVENTS,
    ),
    "disruption-controller": (
        ("apps extensions", "deployments", _READ),
        ("apps extensions", "replicasets", _READ),
        ("core", "replicationcontrollers", _READ),
        ("policy", "poddisruptionbudgets", _READ),
        ("apps", "statefulsets", _READ),
        ("policy", "poddisruptionbudgets/status", "update"),
        ("core", "pods/status", "patch update"),
        ("*", "*/scale", "get"),
        _EVENTS,
    ),
    "endpoint-controller": (
        ("core", "pods services", _READ),
        ("core", "endpoints", "create delete get list update watch"),
        ("core", "endpoints/restricted", "create"),
        _EVENTS,
    ),
    "endpointslice-controller": (
        ("core", "nodes pods services", _READ),
        ("core", "services/finalizers", "update"),
        ("discovery.k8s.io", "endpointslices", "create delete get list update watch"),
        _EVENTS,
    ),
    "endpointslicemirroring-controller": (
        ("core", "endpoints services", _READ),
        ("core", "services/finalizers", "update"),
        ("core", "endpoints/finalizers", "update"),
        ("discovery.k8s.io", "endpointslices", "create delete get list update watch"),
        _EVENTS,
    ),
    "ephemeral-volume-controller": (
        ("core", "pods", _READ),
        ("core", "pods/finalizers", "update"),
        ("core", "persistentvolumeclaims", "create get list watch"),
        _EVENTS,
    ),
    "expand-controller": (
        ("core", "persistentvolumes", "get list patch update watch"),
        ("core", "persistentvolumeclaims/status", "patch update"),
        ("core", "persistentvolumeclaims", _READ),
        _EVENTS,
    ),
    "generic-garbage-collector": (
        ("*", "*", "delete get list patch update watch"),
        _EVENTS,
    ),
    "horizontal-pod-autoscaler": (
        ("autoscaling", "horizontalpodautoscalers", _READ),
        ("autoscaling", "horizontalpodautoscalers/status", "update"),
        ("*", "*/scale", "get update"),
        ("core", "pods", "list watch"),
        ("metrics.k8s.io", "pods", "list watch"),
        ("custom.metrics.k8s.io", "*", _READ),
        ("external.metrics.k8s.io", "*", _READ),
        _EVENTS,
    ),
    "job-controller": (
        ("batch", "jobs", "get list patch update watch"),
        ("batch", "jobs/status", "update"),
        ("batch", "jobs/finalizers", "update"),
        _PODS,
        _EVENTS,
    ),
    "legacy-service-account-token-cleaner": (
        ("core", "configmaps", "get", "kube-apiserver-legacy-service-account-token-tracking"),
        ("core", "secrets", "delete patch"),
    ),
    "namespace-controller": (
        ("core", "namespaces", "delete get list watch"),
        ("core", "namespaces/finalize namespaces/status", "update"),
        ("*", "*", "delete deletecollection get list watch"),
    ),
    "node-controller": (
        ("core", "nodes", "delete get list patch update watch"),
        ("core", "nodes/status", "patch update"),
        ("core", "pods/status", "patch update"),
        ("core", "pods", "delete get list watch"),
        _EVENTS,
    ),
    "persistent-volume-binder": (
        ("core", "persistentvolumes", "create delete get list update watch"),
        ("core", "persistentvolumes/status", "update"),
        ("core", "persistentvolumeclaims", "get list update watch"),
        ("core", "persistentvolumeclaims/status", "update"),
        ("core", "pods", "create delete get list watch"),
        (_STORAGE, "storageclasses", _READ),
        ("core", "nodes", "list watch"),
        _EVENTS,
        ("core", "events", "watch"),
    ),
    "pod-garbage-collector": (
        ("core", "pods", "delete list watch"),
        ("core", "nodes", _READ),
        ("core", "pods/status", "patch"),
    ),
    "pv-protection-controller": (
        ("core", "persistentvolumes", "get list update watch"),
        _EVENTS,
    ),
    "pvc-protection-controller": (
        ("core", "persistentvolumeclaims", "get list update watch"),
        ("core", "persistentvolumeclaims/status", "update"),
        ("core", "pods", _READ),
        _EVENTS,
    ),
    "replicaset-controller": (
        ("apps extensions", "replicasets", "get list update watch"),
        ("apps extensions", "replicasets/status", "update"),
        ("apps extensions", "replicasets/finalizers", "update"),
        _PODS,
        _EVENTS,
    ),
    "replication-controller": (
        ("core", "replicationcontrollers", "get list update watch"),
        ("core", "replicationcontrollers/status", "update"),
        ("core", "replicationcontrollers/finalizers", "update"),
        _PODS,
        _EVENTS,
    ),
    "resource-claim-controller": (
        ("core", "pods", _READ),
        ("core", "pods/finalizers", "update"),
        (_RESOURCE, "resourceclaims", "create delete get list watch"),
        (_RESOURCE, "resourceclaims resourceclaims/status", "patch update"),
        ("core", "pods/status", "patch update"),
        _EVENTS,
    ),
    "resourcequota-controller": (
        ("*", "*", "list watch"),
        ("core", "resourcequotas/status", "update"),
        _EVENTS,
    ),
    "root-ca-cert-publisher": (("core", "configmaps", "create update"), _EVENTS),
    "route-controller": (
        ("core", "nodes", "list watch"),
        ("core", "nodes/status", "patch"),
        _EVENTS,
    ),
    "selinux-warning-controller": (
        _EVENTS,
        ("core", "persistentvolumes", _READ),
        ("core", "persistentvolumeclaims", _READ),
        ("core", "pods", _READ),
        (_STORAGE, "csidrivers", _READ),
    ),
    "service-account-controller": (("core", "serviceaccounts", "create"), _EVENTS),
    "service-cidrs-controller": (
        (_NETWORKING, "servicecidrs", "get list patch update watch"),
        (_NETWORKING, "servicecidrs/finalizers", "patch update"),
        (_NETWORKING, "servicecidrs/status", "patch update"),
        (_NETWORKING, "ipaddresses", _READ),
        _EVENTS,
    ),
    "service-controller": (
        ("core", "services", _READ),
        ("core", "services/status", "patch update"),
        ("core", "nodes", "list watch"),
        _EVENTS,
    ),
    "statefulset-controller": (
        ("core", "pods", "list watch"),
        ("apps", "statefulsets", _READ),
        ("apps", "statefulsets/status", "update"),
        ("apps", "statefulsets/finalizers", "update"),
        ("core", "pods", "create delete get patch update"),
        ("apps", "controllerrevisions", "create delete get list patch update watch"),
        ("core", "persistentvolumeclaims", "create get list watch"),
        ("core", "persistentvolumeclaims", "delete update"),
        ("core", "pods/finalizers", "update"),
        _EVENTS,
    ),
    "ttl-after-finished-controller": (("batch", "jobs", "delete get list watch"), _EVENTS),
    "ttl-controller": (("core", "nodes", "list patch update watch"), _EVENTS),
    "validatingadmissionpolicy-status-controller": (
        ("admissionregistration.k8s.io", "validatingadmissionpolicies", _READ),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies/status", "get patch update"),
        _EVENTS,
    ),
    "volumeattributesclass-protection-controller": (
        ("core", "persistentvolumeclaims", _READ),
        ("core", "persistentvolumes", _READ),
        (_STORAGE, "volumeattributesclasses", "get list update watch"),
        _EVENTS,
    ),
}
"""Name of a controller's ServiceAccount in ``kube-system`` → rules of ``system:controller:NAME``,
which is bound to it."""

CLUSTER_BINDINGS: Final[dict[str, tuple[str, ...]]] = {
    "cluster-admin": ("Group system:masters",),
    "system:monitoring": ("Group system:monitoring",),
    "system:discovery": ("Group system:authenticated",),
    "system:basic-user": ("Group system:authenticated",),
    "system:public-info-viewer": ("Group system:authenticated", "Group system:unauthenticated"),
    "system:node-proxier": ("User system:kube-proxy",),
    "system:kube-controller-manager": ("User system:kube-controller-manager",),
    "system:kube-dns": ("ServiceAccount kube-dns",),
    "system:kube-scheduler": ("User system:kube-scheduler",),
    "system:volume-scheduler": ("User system:kube-scheduler",),
    "system:node": (),
    "system:service-account-issuer-discovery": ("Group system:serviceaccounts",),
}
"""ClusterRole → whom the binding of the same name gives it to."""

_LOCKING: Final = (
    (_LEASES, "leases", "create get list update watch"),
    (_LEASES, "leasecandidates", "create get list update watch"),
)

ROLES: Final[dict[tuple[str, str], tuple[Row, ...]]] = {
    ("kube-public", "system:controller:bootstrap-signer"): (
        ("core", "configmaps", _READ),
        ("core", "configmaps", "update", "cluster-info"),
        _EVENTS,
    ),
    ("kube-system", "extension-apiserver-authentication-reader"): (
        ("core", "configmaps", _READ, "extension-apiserver-authentication"),
    ),
    ("kube-system", "system::leader-locking-kube-controller-manager"): _LOCKING,
    ("kube-system", "system::leader-locking-kube-scheduler"): _LOCKING,
    ("kube-system", "system:controller:bootstrap-signer"): (("core", "secrets", _READ),),
    ("kube-system", "system:controller:cloud-provider"): (
        ("core", "configmaps", "create get list watch"),
    ),
    ("kube-system", "system:controller:token-cleaner"): (
        ("core", "secrets", "delete get list watch"),
        _EVENTS,
    ),
}

BINDINGS: Final[dict[tuple[str, str], tuple[str, tuple[str, ...]]]] = {
    ("kube-public", "system:controller:bootstrap-signer"): (
        "system:controller:bootstrap-signer",
        ("ServiceAccount bootstrap-signer",),
    ),
    ("kube-system", "system::extension-apiserver-authentication-reader"): (
        "extension-apiserver-authentication-reader",
        ("User system:kube-controller-manager", "User system:kube-scheduler"),
    ),
    ("kube-system", "system::leader-locking-kube-controller-manager"): (
        "system::leader-locking-kube-controller-manager",
        (
            "User system:kube-controller-manager",
            "ServiceAccount kube-controller-manager",
            "ServiceAccount leader-election-controller",
        ),
    ),
    ("kube-system", "system::leader-locking-kube-scheduler"): (
        "system::leader-locking-kube-scheduler",
        ("User system:kube-scheduler", "ServiceAccount kube-scheduler"),
    ),
    ("kube-system", "system:controller:bootstrap-signer"): (
        "system:controller:bootstrap-signer",
        ("ServiceAccount bootstrap-signer",),
    ),
    ("kube-system", "system:controller:cloud-provider"): (
        "system:controller:cloud-provider",
        ("ServiceAccount cloud-provider",),
    ),
    ("kube-system", "system:controller:token-cleaner"): (
        "system:controller:token-cleaner",
        ("ServiceAccount token-cleaner",),
    ),
}
"""(namespace, name) of a RoleBinding → its Role, and whom it gives it to."""
