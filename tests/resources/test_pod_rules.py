"""Pods and pod templates: defaults, complaints, what updates may change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.resources.kinds import Kind, registry
from orchestrator.resources.pod_quality import quality_of_service
from orchestrator.resources.strategies import Strategy, strategy_of
from orchestrator.resources.strategies._pod_defaults import pull_policy

Object = dict[str, Any]
Examples = dict[str, Object]


@pytest.fixture
def pods(kind_of: Callable[[str], Kind]) -> Strategy:
    """The rules of pods."""
    return strategy_of(kind_of("pods"))


def pod(container: Object | None = None, **spec: Any) -> Object:
    """Build a pod with one container."""
    main = {"name": "main", "image": "nginx:1", **(container or {})}
    return {
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": [main], **spec},
    }


def complaints(obj: Object) -> list[str]:
    """Return what upstream would say about a new pod."""
    rules = strategy_of(registry().by_key("pods"))
    return [str(problem) for problem in rules.validate_create(rules.default(obj))]


def test_a_small_pod_gets_all_defaults(pods: Strategy) -> None:
    """The whole result, as upstream stores it before admission."""
    assert pods.default(pod({"ports": [{"containerPort": 80}]}))["spec"] == {
        "containers": [
            {
                "name": "main",
                "image": "nginx:1",
                "ports": [{"containerPort": 80, "protocol": "TCP"}],
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "imagePullPolicy": "IfNotPresent",
            }
        ],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "enableServiceLinks": True,
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.25", "IfNotPresent"),
        ("reg.io:5000/nginx", "Always"),
        ("reg.io:5000/a/nginx:1", "IfNotPresent"),
        ("nginx@sha256:abc", "IfNotPresent"),
    ],
)
def test_the_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    """A registry's port is no tag."""
    assert pull_policy(image) == policy


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"emptyDir": {}}, {"emptyDir": {}}),
        ({}, {"emptyDir": {}}),
        ({"secret": {"secretName": "s"}}, {"secret": {"secretName": "s", "defaultMode": 420}}),
        ({"hostPath": {"path": "/"}}, {"hostPath": {"path": "/", "type": ""}}),
        (
            {"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            {
                "projected": {
                    "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}],
                    "defaultMode": 420,
                }
            },
        ),
        (
            {"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "b"}}]}},
            {
                "downwardAPI": {
                    "items": [{"path": "a", "fieldRef": {"fieldPath": "b", "apiVersion": "v1"}}],
                    "defaultMode": 420,
                }
            },
        ),
    ],
)
def test_volumes_are_defaulted(given: Object, expected: Object, pods: Strategy) -> None:
    """Sources get their modes; none at all is an emptyDir."""
    made = pods.default(pod(volumes=[{"name": "v", **given}]))
    assert made["spec"]["volumes"] == [{"name": "v", **expected}]


def test_probes_and_hooks_are_defaulted(pods: Strategy) -> None:
    """Zero counts as unset where upstream says so."""
    probe = {"httpGet": {"port": 80}, "periodSeconds": 0, "initialDelaySeconds": 0}
    hook = {"preStop": {"httpGet": {"port": 80}}}
    main = pods.default(pod({"livenessProbe": probe, "lifecycle": hook}))["spec"]["containers"][0]
    assert main["livenessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "initialDelaySeconds": 0,
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert main["lifecycle"]["preStop"]["httpGet"]["path"] == "/"


def test_requests_are_limits_in_pods_and_not_in_templates(
    pods: Strategy, examples: Examples, kind_of: Callable[[str], Kind]
) -> None:
    """A template keeps what its author wrote, as upstream does."""
    limits = {"resources": {"limits": {"cpu": "1"}, "requests": {"memory": "1Gi"}}}
    made = pods.default(pod(limits))["spec"]["containers"][0]
    assert made["resources"]["requests"] == {"memory": "1Gi", "cpu": "1"}
    deployment = examples["deployments.apps"]
    deployment["spec"]["template"]["spec"]["containers"][0].update(limits)
    template = strategy_of(kind_of("deployments.apps")).default(deployment)["spec"]["template"]
    assert template["spec"]["containers"][0]["resources"] == limits["resources"]
    assert "enableServiceLinks" not in template["spec"]


def test_host_ports_are_container_ports_on_the_hosts_network(pods: Strategy) -> None:
    """Only with hostNetwork."""
    made = pods.default(pod({"ports": [{"containerPort": 80}]}, hostNetwork=True))
    assert made["spec"]["containers"][0]["ports"][0]["hostPort"] == 80


def test_the_old_name_of_the_account_counts(pods: Strategy) -> None:
    """``serviceAccount`` and ``serviceAccountName`` end up equal."""
    made = pods.default(pod(serviceAccount="a"))["spec"]
    assert (made["serviceAccountName"], made["serviceAccount"]) == ("a", "a")


@pytest.mark.parametrize(
    ("requests", "limits", "expected"),
    [
        ({}, {}, "BestEffort"),
        ({"ephemeral-storage": "1Gi"}, {}, "BestEffort"),
        ({"cpu": "0"}, {}, "BestEffort"),
        ({"cpu": "1"}, {}, "Burstable"),
        ({"cpu": "1", "memory": "1Gi"}, {"cpu": "1", "memory": "1024Mi"}, "Guaranteed"),
        ({"cpu": "1", "memory": "1Gi"}, {"cpu": "2", "memory": "1Gi"}, "Burstable"),
        ({"cpu": "1"}, {"cpu": "1"}, "Burstable"),
    ],
)
def test_quality_of_service(requests: Object, limits: Object, expected: str) -> None:
    """Out of cpu and memory alone, by value."""
    resources = {"requests": requests, "limits": limits}
    assert quality_of_service({"containers": [{"resources": resources}]}) == expected


def test_a_new_pod_is_pending_whatever_status_was_sent(pods: Strategy) -> None:
    """Gated ones say so in a condition."""
    made = pods.prepare_create({**pods.default(pod()), "status": {"phase": "Running"}})
    assert made["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    gated = pods.prepare_create(pods.default(pod(schedulingGates=[{"name": "x"}])))
    assert gated["status"]["conditions"][0]["reason"] == "SchedulingGated"


@pytest.mark.parametrize(
    ("container", "spec", "expected"),
    [
        ({"name": ""}, {}, ["spec.containers[0].name: Required value"]),
        ({"image": ""}, {}, ["spec.containers[0].image: Required value"]),
        (
            {"image": " nginx"},
            {},
            [
                (
                    'spec.containers[0].image: Invalid value: " nginx": must not have leading or '
                    "trailing whitespace"
                )
            ],
        ),
        (
            {"imagePullPolicy": "Sometimes"},
            {},
            [
                (
                    'spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported '
                    'values: "Always", "IfNotPresent", "Never"'
                )
            ],
        ),
        (
            {"ports": [{"containerPort": 0}, {"containerPort": 70000, "protocol": "ICMP"}]},
            {},
            [
                "spec.containers[0].ports[0].containerPort: Required value",
                (
                    "spec.containers[0].ports[1].containerPort: Invalid value: 70000: must be "
                    "between 1 and 65535, inclusive"
                ),
                (
                    'spec.containers[0].ports[1].protocol: Unsupported value: "ICMP": supported '
                    'values: "SCTP", "TCP", "UDP"'
                ),
            ],
        ),
        (
            {"env": [{"name": "A", "valueFrom": {}}]},
            {},
            [
                (
                    'spec.containers[0].env[0].valueFrom: Invalid value: "": must specify one of: '
                    "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or "
                    "`fileKeyRef`"
                )
            ],
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.foo"}}}]},
            {},
            [
                (
                    "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "
                    '"metadata.foo": error converting fieldPath: field label not supported: '
                    "metadata.foo"
                )
            ],
        ),
        (
            {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}},
            {},
            [
                (
                    'spec.containers[0].resources.requests: Invalid value: "2": must be less '
                    "than or "
                    "equal to cpu limit of 1"
                )
            ],
        ),
        (
            {"resources": {"limits": {"cpu": "-1"}}},
            {},
            [
                (
                    'spec.containers[0].resources.limits[cpu]: Invalid value: "-1": must be '
                    "greater "
                    "than or equal to 0"
                ),
                (
                    'spec.containers[0].resources.requests[cpu]: Invalid value: "-1": must be '
                    "greater than or equal to 0"
                ),
            ],
        ),
        (
            {"resources": {"requests": {"example.com/gpu": "1"}}},
            {},
            [
                (
                    "spec.containers[0].resources.limits: Required value: Limit must be set for "
                    "non "
                    "overcommitable resources"
                )
            ],
        ),
        (
            {"volumeMounts": [{"name": "gone", "mountPath": "/x"}]},
            {},
            ['spec.containers[0].volumeMounts[0].name: Not found: "gone"'],
        ),
        (
            {"livenessProbe": {}},
            {},
            ["spec.containers[0].livenessProbe: Required value: must specify a handler type"],
        ),
        ({}, {"containers": []}, ["spec.containers: Required value"]),
        (
            {},
            {"initContainers": [{"name": "main", "image": "x"}]},
            ['spec.initContainers[0].name: Duplicate value: "main"'],
        ),
        (
            {},
            {"restartPolicy": "Maybe"},
            [
                (
                    'spec.restartPolicy: Unsupported value: "Maybe": supported values: "Always", '
                    '"OnFailure", "Never"'
                )
            ],
        ),
        (
            {},
            {"tolerations": [{"key": "a", "operator": "Exists", "tolerationSeconds": 1}]},
            [
                (
                    "spec.tolerations[0].effect: Invalid value: \"\": effect must be 'NoExecute' "
                    "when "
                    "`tolerationSeconds` is set"
                )
            ],
        ),
        (
            {},
            {"volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}]},
            ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
        ),
        (
            {},
            {"activeDeadlineSeconds": 0},
            [
                (
                    "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and "
                    "2147483647, "
                    "inclusive"
                )
            ],
        ),
        (
            {},
            {
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}
                    }
                }
            },
            [
                (
                    "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
                    ".nodeSelectorTerms: Required value: must have at least one node selector term"
                )
            ],
        ),
    ],
)
def test_complaints_are_upstreams(container: Object, spec: Object, expected: list[str]) -> None:
    """Path, kind of complaint and words."""
    assert complaints(pod(container, **spec)) == expected


def test_all_complaints_come_at_once() -> None:
    """A user fixes a manifest in one go."""
    broken = pod({"name": "", "image": "", "ports": [{"containerPort": 0}]}, dnsPolicy="x")
    assert len(complaints(broken)) == 4


def test_an_image_may_change_and_little_else(pods: Strategy) -> None:
    """Upstream's sentence lists what may."""
    old = pods.default(pod())
    container = old["spec"]["containers"][0]
    image = {**old, "spec": {**old["spec"], "containers": [{**container, "image": "x:2"}]}}
    assert pods.validate_update(image, old) == []
    named = {**old, "spec": {**old["spec"], "nodeName": "n1"}}
    problem = pods.validate_update(named, old)[0]
    assert str(problem).startswith(
        "spec: Forbidden: pod updates may not change fields other than "
        "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
        "`spec.tolerations` (only additions to existing tolerations),"
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
        "negative)\n"
    )
    second = {**container, "name": "second"}
    two = {**old, "spec": {**old["spec"], "containers": [container, second]}}
    assert str(pods.validate_update(two, old)[0]) == (
        "spec.containers: Forbidden: pod updates may not add or remove containers"
    )


def test_tolerations_are_only_added(pods: Strategy) -> None:
    """Removing one is refused."""
    toleration = {"key": "a", "operator": "Exists", "effect": "NoSchedule"}
    old = pods.default(pod(tolerations=[toleration]))
    more = {**old, "spec": {**old["spec"], "tolerations": [toleration, {"operator": "Exists"}]}}
    assert pods.validate_update(more, old) == []
    none = {**old, "spec": {**old["spec"], "tolerations": []}}
    assert str(pods.validate_update(none, old)[0]) == (
        "spec.tolerations: Forbidden: existing toleration can not be modified except its "
        "tolerationSeconds"
    )


def test_grace_comes_from_the_pod(pods: Strategy) -> None:
    """30 seconds unless the pod says otherwise."""
    assert pods.grace_period(pod()) == 30
    assert pods.grace_period(pod(terminationGracePeriodSeconds=5)) == 5
    assert pods.grace_period(pod(terminationGracePeriodSeconds=0)) == 0
