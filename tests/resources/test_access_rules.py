"""Rules of roles, bindings, APIServices, RuntimeClasses and Leases."""

from __future__ import annotations

from typing import Any

import pytest

from tests.resources.judging import Object, creation, defaulted, told, update

RBAC = "rbac.authorization.k8s.io"


def role(*rules: Object, **parts: Any) -> Object:
    """Return a Role."""
    metadata = {"name": "web", "namespace": "default"}
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role",
        "metadata": metadata,
        "rules": list(rules),
        **parts,
    }


def cluster_role(*rules: Object, **parts: Any) -> Object:
    """Return a ClusterRole."""
    return {**role(*rules, **parts), "kind": "ClusterRole", "metadata": {"name": "web"}}


def binding(*subjects: Object, **reference: str) -> Object:
    """Return a RoleBinding."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "system:web", "namespace": "default"},
        "roleRef": {"kind": "Role", "name": "web", **reference},
        "subjects": list(subjects),
    }


def cluster_binding(*subjects: Object, **reference: str) -> Object:
    """Return a ClusterRoleBinding."""
    made = binding(*subjects, **{"kind": "ClusterRole", **reference})
    return {**made, "kind": "ClusterRoleBinding", "metadata": {"name": "web"}}


def api_service(name: str = "v1.example.com", **spec: Any) -> Object:
    """Return an APIService."""
    given = {"group": "example.com", "version": "v1", "groupPriorityMinimum": 1}
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": name},
        "spec": {**given, "versionPriority": 1, **spec},
    }


def runtime_class(**parts: Any) -> Object:
    """Return a RuntimeClass."""
    return {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": "web"},
        "handler": "runc",
        **parts,
    }


SERVICE = {"namespace": "default", "name": "web"}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (role({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}), ""),
        (
            role(
                {
                    "verbs": ["get"],
                    "apiGroups": [""],
                    "resources": ["pods", "secrets"],
                    "resourceNames": ["a"],
                }
            ),
            "",
        ),
        (cluster_role({"verbs": ["get"], "nonResourceURLs": ["/healthz"]}), ""),
        (
            role({}, {"verbs": ["get"], "nonResourceURLs": ["/a"], "apiGroups": [""]}),
            """
            - rules[0].verbs: Required value: verbs must contain at least one value
            - rules[0].apiGroups: Required value: resource rules must supply at least one api group
            - rules[0].resources: Required value: resource rules must supply at least one resource
            - rules[1].nonResourceURLs: Invalid value: ["/a"]: namespaced rules cannot apply to
              non-resource URLs
            - rules[1].nonResourceURLs: Invalid value: ["/a"]: rules cannot apply to both regular
              resources and non-resource URLs
            """,
        ),
        (
            cluster_role(aggregationRule={}),
            """
            - aggregationRule.clusterRoleSelectors: Required value: at least one
              clusterRoleSelector required if aggregationRule is non-nil
            """,
        ),
        (
            cluster_role(aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"_": ""}}]}),
            """
            - aggregationRule.clusterRoleSelectors[0].matchLabels: Invalid value: "_": name part
              <qualified>
            """,
        ),
        (
            {**role(), "metadata": {"name": "a%b", "namespace": "default"}},
            """
            - metadata.name: Invalid value: "a%b": may not contain '%'
            """,
        ),
        (
            binding(
                {"kind": "User", "name": "ann"},
                {"kind": "Group", "name": "ops"},
                {"kind": "ServiceAccount", "name": "ci"},
            ),
            "",
        ),
        (
            binding(
                {"kind": "User", "apiGroup": "x"},
                {"kind": "Group", "name": ""},
                {"kind": "ServiceAccount", "name": "A", "apiGroup": "x"},
                {"kind": "Robot", "name": "r"},
                apiGroup="x",
                kind="Rule",
                name="a/b",
            ),
            """
            - roleRef.apiGroup: Unsupported value: "x": supported values:
              "rbac.authorization.k8s.io"
            - roleRef.kind: Unsupported value: "Rule": supported values: "Role", "ClusterRole"
            - roleRef.name: Invalid value: "a/b": may not contain '/'
            - subjects[0].name: Required value
            - subjects[0].name: Invalid value: "": user name cannot be empty
            - subjects[0].apiGroup: Unsupported value: "x": supported values:
              "rbac.authorization.k8s.io"
            - subjects[1].name: Required value
            - subjects[1].name: Invalid value: "": group name cannot be empty
            - subjects[2].name: Invalid value: "A": <subdomain>
            - subjects[2].apiGroup: Unsupported value: "x": supported values: ""
            - subjects[3].kind: Unsupported value: "Robot": supported values: "ServiceAccount",
              "User", "Group"
            """,
        ),
        (
            cluster_binding({"kind": "ServiceAccount", "name": "ci"}, kind="Role", name=""),
            """
            - roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"
            - roleRef.name: Required value
            - subjects[0].namespace: Required value
            """,
        ),
        (api_service(), ""),
        (api_service(service=SERVICE, insecureSkipTLSVerify=True), ""),
        (
            api_service(
                "v2.example.com",
                group="",
                version="V",
                groupPriorityMinimum=0,
                versionPriority=1001,
            ),
            """
            - metadata.name: Invalid value: "v2.example.com": must be
              `spec.version+"."+spec.group`: "V."
            - spec.group: Required value: only v1 may have an empty group and it better be legacy
              kube
            - spec.version: Invalid value: "V": <label-1035>
            - spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000
            - spec.versionPriority: Invalid value: 1001: must be positive and less than 1000
            """,
        ),
        (
            api_service(caBundle="YWJj", insecureSkipTLSVerify=True),
            """
            - spec.caBundle: Invalid value: "3 bytes": local APIServices may not have a caBundle
            - spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have
              insecureSkipTLSVerify
            """,
        ),
        (
            api_service(service={"port": 70000}, caBundle="YWJj", insecureSkipTLSVerify=True),
            """
            - spec.service.namespace: Required value
            - spec.service.name: Required value
            - spec.service.port: Invalid value: 70000: port is not valid: must be between 1 and
              65535, inclusive
            - spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is
              present
            """,
        ),
        (runtime_class(overhead={"podFixed": {"cpu": "1"}}), ""),
        (
            runtime_class(
                handler="A",
                scheduling={
                    "nodeSelector": {"_": "x"},
                    "tolerations": [{"key": "a"}, {"key": "a"}],
                },
            ),
            """
            - handler: Invalid value: "A": <label>
            - scheduling.nodeSelector: Invalid value: "_": name part <qualified>
            - scheduling.tolerations[1]: Duplicate value: {"key":"a"}
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
            binding(name="other"),
            binding(),
            """
            - roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role",
              "Name":"other"}: cannot change roleRef
            """.replace(',\n              "N', ',"N'),
        ),
        (binding({"kind": "User", "name": "ann"}), binding(), ""),
        (
            cluster_binding(name="other"),
            cluster_binding(),
            """
            - roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io",
              "Kind":"ClusterRole","Name":"other"}: cannot change roleRef
            """.replace(',\n              "K', ',"K'),
        ),
        (
            runtime_class(handler="other"),
            runtime_class(),
            '- handler: Invalid value: "other": field is immutable',
        ),
        (api_service(versionPriority=2, service=SERVICE), api_service(), ""),
    ],
)
def test_every_complaint_about_a_change(new: Object, old: Object, expected: str) -> None:
    """What may not change, in upstream's words."""
    assert update(new, old) == told(expected)


def test_subjects_and_roles_belong_to_the_group_of_access_by_default() -> None:
    """A ServiceAccount belongs to the core group, and an unknown kind to none."""
    made = defaulted(
        binding({"kind": "User"}, {"kind": "Group"}, {"kind": "ServiceAccount"}, {"kind": "X"})
    )
    assert made["roleRef"]["apiGroup"] == RBAC
    assert [one.get("apiGroup") for one in made["subjects"]] == [RBAC, RBAC, None, None]


def test_the_servers_own_services_are_available_at_once() -> None:
    """Others wait for whoever looks after them."""
    assert defaulted(api_service(service=SERVICE))["status"] == {}
    [condition] = defaulted(api_service())["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "Available",
        "True",
        "Local",
    )


def test_a_lease_keeps_no_field_of_coordinated_election() -> None:
    """The feature is off by default, and its fields are dropped as upstream drops them."""
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"strategy": "OldestEmulationVersion", "preferredHolder": "a"},
    }
    assert defaulted(lease)["spec"] == {}
    lease["spec"] = {"leaseDurationSeconds": 0, "leaseTransitions": -1}
    assert creation(lease) == told("""
        - spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0
        - spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0
        """)
