"""Warnings about objects that are accepted all the same."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from orchestrator.resources.kinds import registry
from orchestrator.resources.strategies import strategy_of

Object = dict[str, Any]


def warned(resource: str, new: Object, old: Object | None = None) -> list[str]:
    """Return what a client is warned of."""
    warnings = strategy_of(registry().by_key(resource)).warnings
    assert warnings is not None
    return warnings(new, old)


def pod(container: Object | None = None, **spec: Any) -> Object:
    """Build a pod with one container."""
    main = {"name": "c", "image": "i", **(container or {})}
    return {"metadata": {"name": "p"}, "spec": {"containers": [main], **spec}}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (pod(), []),
        (
            pod(nodeSelector={"beta.kubernetes.io/os": "linux"}),
            [
                (
                    "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "
                    '"kubernetes.io/os" instead'
                )
            ],
        ),
        (
            pod(topologySpreadConstraints=[{"topologyKey": "zone"}]),
            [
                (
                    "spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results "
                    "in matching no pod"
                )
            ],
        ),
        (
            pod(volumes=[{"name": "a", "gitRepo": {}}, {"name": "b", "rbd": {}}]),
            [
                "spec.volumes[0].gitRepo: deprecated in v1.11",
                "spec.volumes[1].rbd: deprecated in v1.28, non-functional in v1.31+",
            ],
        ),
        (
            pod({"resources": {"limits": {"memory": "1.5"}, "requests": {"memory": "100m"}}}),
            [
                (
                    'spec.containers[0].resources.limits[memory]: fractional byte value "1500m" is '
                    "invalid, must be an integer"
                ),
                (
                    'spec.containers[0].resources.requests[memory]: fractional byte value "100m" '
                    "is invalid, must be an integer"
                ),
            ],
        ),
        (
            pod(
                {
                    "env": [
                        {"name": "A", "value": "1"},
                        {"name": "A", "value": "$(A)2"},
                        {"name": "A", "value": "3"},
                    ]
                }
            ),
            [
                (
                    'spec.containers[0].env[2]: hides previous definition of "A", which may be '
                    "dropped when using apply"
                )
            ],
        ),
        (
            pod(
                {
                    "ports": [
                        {"containerPort": 80, "protocol": "TCP"},
                        {"containerPort": 80, "protocol": "TCP"},
                        {"containerPort": 80, "protocol": "TCP", "hostPort": 80},
                        {"containerPort": 81, "protocol": "TCP", "hostIP": "1.2.3.4"},
                    ]
                }
            ),
            [
                (
                    "spec.containers[0].ports[1]: duplicate port definition with "
                    "spec.containers[0].ports[0]"
                ),
                (
                    "spec.containers[0].ports[2]: overlapping port definition with "
                    "spec.containers[0].ports[0]"
                ),
                (
                    "spec.containers[0].ports[2]: overlapping port definition with "
                    "spec.containers[0].ports[1]"
                ),
                (
                    "spec.containers[0].ports[3]: hostIP set without hostPort: {Name: HostPort:0 "
                    "ContainerPort:81 Protocol:TCP HostIP:1.2.3.4}"
                ),
            ],
        ),
        (
            pod(
                imagePullSecrets=[{"name": "a"}, {"name": "a"}, {}],
                terminationGracePeriodSeconds=-1,
            ),
            [
                'spec.imagePullSecrets[1].name: duplicate name "a"',
                'spec.imagePullSecrets[2].name: invalid empty name ""',
                (
                    "spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid "
                    "and will be treated as 1"
                ),
            ],
        ),
    ],
)
def test_pods_are_warned_of_in_upstreams_words(obj: Object, expected: list[str]) -> None:
    """In upstream's order."""
    assert warned("pods", obj) == expected


def test_annotations_that_do_nothing_any_more_are_named() -> None:
    """With the field that took their place."""
    obj = pod()
    obj["metadata"]["annotations"] = {
        "scheduler.alpha.kubernetes.io/critical-pod": "",
        "seccomp.security.alpha.kubernetes.io/pod": "unconfined",
    }
    assert warned("pods", obj) == [
        (
            "metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in "
            'v1.16+; use the "priorityClassName" field instead'
        ),
        (
            "metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: non-functional in "
            r"v1.27+; use the \"seccompProfile\" field instead"
        ),
    ]


def test_templates_are_warned_of_when_they_change(examples: dict[str, Object]) -> None:
    """Not when an update leaves them alone, and never for pods that exist."""
    new = copy.deepcopy(examples["deployments.apps"])
    new["spec"]["template"]["spec"]["nodeSelector"] = {"beta.kubernetes.io/arch": "arm"}
    said = [
        (
            "spec.template.spec.nodeSelector[beta.kubernetes.io/arch]: deprecated since v1.14; use "
            '"kubernetes.io/arch" instead'
        )
    ]
    assert warned("deployments.apps", new) == said
    assert warned("deployments.apps", new, examples["deployments.apps"]) == said
    assert warned("deployments.apps", new, copy.deepcopy(new)) == []
    assert warned("pods", pod(nodeSelector={"beta.kubernetes.io/os": "x"}), pod()) == []


def test_a_name_that_is_no_label_is_warned_of(examples: dict[str, Object]) -> None:
    """Pods and their hosts are called after it."""
    named = {**examples["jobs.batch"], "metadata": {"name": "a.b", "namespace": "default"}}
    (only,) = warned("jobs.batch", named)
    assert only.startswith(
        "metadata.name: this is used in Pod names and hostnames, which can result in surprising "
        "behavior; a DNS label is recommended: [a lowercase RFC 1123 label must consist of"
    )
