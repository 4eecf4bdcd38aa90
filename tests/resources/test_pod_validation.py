"""Pods with annotations and pods with everything; `test_complaints` has the tables."""

from __future__ import annotations

from typing import Any

from orchestrator.resources.kinds import registry
from orchestrator.resources.strategies import strategy_of

Object = dict[str, Any]

C = "spec.containers[0]"


def pod(container: Object | None = None, /, **spec: Any) -> Object:
    """Build a pod with one container."""
    main = {"name": "main", "image": "nginx:1", **(container or {})}
    return {
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": [main], "serviceAccountName": "default", **spec},
    }


def complaints(obj: Object) -> list[str]:
    """Return what is said about a new pod."""
    rules = strategy_of(registry().by_key("pods"))
    return [str(problem) for problem in rules.validate_create(rules.default(obj))]


def test_annotations_are_checked_where_they_mean_something() -> None:
    """Profiles, deletion cost and the mark of mirror pods."""
    made = pod({"securityContext": {"seccompProfile": {"type": "Unconfined"}}})
    made["metadata"]["annotations"] = {
        "kubernetes.io/config.mirror": "x",
        "controller.kubernetes.io/pod-deletion-cost": "+1",
        "container.seccomp.security.alpha.kubernetes.io/main": "runtime/default",
        "container.apparmor.security.beta.kubernetes.io/other": "strict",
    }
    at = "metadata.annotations"
    assert complaints(made) == [
        (
            f'{at}[kubernetes.io/config.mirror]: Invalid value: "x": must set spec.nodeName if '
            "mirror pod annotation is set"
        ),
        (
            f'{at}[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "+1": must be a '
            "32bit integer"
        ),
        (
            f"{at}[container.apparmor.security.beta.kubernetes.io/other]: Invalid value: "
            '"other": container not found'
        ),
        (
            f"{at}[container.apparmor.security.beta.kubernetes.io/other]: Invalid value: "
            '"strict": invalid AppArmor profile name: "strict"'
        ),
        (
            f"{C}.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation and "
            "field must match"
        ),
    ]


def test_a_rich_pod_is_valid() -> None:
    """Nothing that upstream accepts is refused."""
    everything = pod(
        {
            "ports": [{"containerPort": 80, "name": "http"}],
            "env": [
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {
                    "name": "L",
                    "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app.io/x']"}},
                },
                {"name": "M", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
            ],
            "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "a/b"}],
            "lifecycle": {"preStop": {"sleep": {"seconds": 0}}},
            "livenessProbe": {"grpc": {"port": 1}},
            "restartPolicy": "OnFailure",
            "restartPolicyRules": [
                {"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}
            ],
            "resources": {"limits": {"cpu": "1", "example.com/gpu": 2}},
        },
        volumes=[{"name": "v", "image": {"reference": "x", "pullPolicy": "Always"}}],
        initContainers=[{"name": "s", "image": "i", "restartPolicy": "Always"}],
        terminationGracePeriodSeconds=0,
        tolerations=[{"operator": "Exists"}],
        topologySpreadConstraints=[
            {"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}
        ],
        hostnameOverride="a.b",
        os={"name": "linux"},
    )
    assert complaints(everything) == []


def test_label_keys_of_affinities_are_merged_with_their_selectors() -> None:
    """Keys that the pod has; one that the selector names already is refused then."""
    rules = strategy_of(registry().by_key("pods"))
    term = {
        "topologyKey": "zone",
        "labelSelector": {"matchLabels": {"app": "web"}},
        "matchLabelKeys": ["hash", "absent"],
        "mismatchLabelKeys": ["tenant"],
    }
    wanted = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    made = pod(affinity=wanted)
    made["metadata"]["labels"] = {"hash": "h1", "tenant": "t1"}
    prepared = rules.prepare_create(rules.default(made))
    affinity = prepared["spec"]["affinity"]["podAffinity"]
    (merged,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]
    assert merged["labelSelector"] == {
        "matchLabels": {"app": "web"},
        "matchExpressions": [
            {"key": "hash", "operator": "In", "values": ["h1"]},
            {"key": "tenant", "operator": "NotIn", "values": ["t1"]},
        ],
    }
    assert rules.validate_create(prepared) == []
    term["labelSelector"] = {"matchLabels": {"hash": "h2"}}
    again = rules.validate_create(rules.prepare_create(rules.default(made)))
    assert [str(problem) for problem in again] == [
        (
            "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0][0]: "
            'Invalid value: "hash": exists in both matchLabelKeys and labelSelector'
        )
    ]
