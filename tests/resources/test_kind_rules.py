"""Rules of the other kinds: defaults, complaints, immutability."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.resources.kinds import Kind, registry
from orchestrator.resources.strategies import strategy_of

Object = dict[str, Any]
Examples = dict[str, Object]
KindOf = Callable[[str], Kind]


def merged(base: Object, change: Object) -> Object:
    """Merge a change into an object, dictionaries by key; None removes."""
    result = dict(base)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            result[key] = merged(base[key], value)
        else:
            result[key] = value
    return result


@pytest.mark.parametrize(
    ("resource", "path", "expected"),
    [
        ("deployments.apps", "replicas", 1),
        ("deployments.apps", "revisionHistoryLimit", 10),
        ("deployments.apps", "progressDeadlineSeconds", 600),
        (
            "deployments.apps",
            "strategy",
            {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
            },
        ),
        ("replicasets.apps", "replicas", 1),
        ("replicationcontrollers", "selector", {"a": "b"}),
        ("statefulsets.apps", "podManagementPolicy", "OrderedReady"),
        (
            "statefulsets.apps",
            "updateStrategy",
            {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        ),
        (
            "daemonsets.apps",
            "updateStrategy",
            {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
        ),
        ("jobs.batch", "completions", 1),
        ("jobs.batch", "backoffLimit", 6),
        ("cronjobs.batch", "concurrencyPolicy", "Allow"),
        ("services", "type", "ClusterIP"),
        ("services", "internalTrafficPolicy", "Cluster"),
        ("services", "ports", [{"port": 80, "protocol": "TCP", "targetPort": 80}]),
        ("horizontalpodautoscalers.autoscaling", "minReplicas", 1),
        ("networkpolicies.networking.k8s.io", "policyTypes", ["Ingress", "Egress"]),
        ("persistentvolumeclaims", "volumeMode", "Filesystem"),
    ],
)
def test_specs_are_defaulted(
    resource: str, path: str, expected: Any, examples: Examples, kind_of: KindOf
) -> None:
    """The value upstream fills in."""
    made = strategy_of(kind_of(resource)).default(examples[resource])
    assert made["spec"][path] == expected


def test_what_is_given_is_kept(examples: Examples, kind_of: KindOf) -> None:
    """A default never replaces a value, zero and false included."""
    given = merged(
        examples["deployments.apps"],
        {"spec": {"replicas": 0, "revisionHistoryLimit": 0, "strategy": {"type": "Recreate"}}},
    )
    spec = strategy_of(kind_of("deployments.apps")).default(given)["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"]) == (0, 0)
    assert spec["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize(
    ("resource", "change", "expected"),
    [
        (
            "deployments.apps",
            {"spec": {"selector": {"matchLabels": {"app": "other"}}}},
            [
                (
                    'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` '
                    "does not "
                    "match template `labels`"
                )
            ],
        ),
        (
            "deployments.apps",
            {"spec": {"selector": {"matchLabels": None}}},
            ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"],
        ),
        (
            "deployments.apps",
            {"spec": {"replicas": -1}},
            ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
        ),
        (
            "deployments.apps",
            {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}}},
            [
                (
                    "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy "
                    "`type` is 'Recreate'"
                )
            ],
        ),
        (
            "deployments.apps",
            {"spec": {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}}},
            [
                (
                    "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 "
                    "when "
                    "`maxSurge` is 0"
                )
            ],
        ),
        (
            "deployments.apps",
            {"spec": {"strategy": {"rollingUpdate": {"maxSurge": "x"}}}},
            [
                (
                    'spec.strategy.rollingUpdate.maxSurge: Invalid value: "x": a valid percent '
                    "string "
                    "must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
                    "regex "
                    "used for validation is '[0-9]+%')"
                )
            ],
        ),
        (
            "deployments.apps",
            {"spec": {"minReadySeconds": 600}},
            [
                (
                    "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than "
                    "minReadySeconds"
                )
            ],
        ),
        (
            "deployments.apps",
            {"spec": {"template": {"spec": {"restartPolicy": "Never"}}}},
            [
                (
                    'spec.template.spec.restartPolicy: Unsupported value: "Never": supported '
                    "values: "
                    '"Always"'
                )
            ],
        ),
        (
            "jobs.batch",
            {"spec": {"template": {"spec": {"restartPolicy": "Always"}}}},
            [
                (
                    "spec.template.spec.restartPolicy: Required value: valid values: "
                    '"OnFailure", "Never"'
                )
            ],
        ),
        (
            "priorityclasses.scheduling.k8s.io",
            {"value": 1_000_000_001},
            ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
        ),
        (
            "priorityclasses.scheduling.k8s.io",
            {"metadata": {"name": "system-mine"}},
            [
                (
                    "metadata.name: Forbidden: priority class names with 'system-' prefix are "
                    "reserved for system use only. error: system-mine is not a known system "
                    "priority class"
                )
            ],
        ),
        ("services", {"spec": {"ports": []}}, ["spec.ports: Required value"]),
        (
            "services",
            {"spec": {"ports": [{"port": 80}, {"port": 81}]}},
            [
                "spec.ports[0].name: Required value",
                "spec.ports[1].name: Required value",
            ],
        ),
        (
            "services",
            {"spec": {"ports": [{"port": 0}]}},
            [
                "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
                (
                    "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, "
                    "inclusive"
                ),
            ],
        ),
        (
            "services",
            {"spec": {"type": "Other"}},
            [
                (
                    'spec.type: Unsupported value: "Other": supported values: "ClusterIP", '
                    '"ExternalName", "LoadBalancer", "NodePort"'
                )
            ],
        ),
        (
            "services",
            {"spec": {"ports": [{"port": 80, "nodePort": 30000}]}},
            [
                "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
            ],
        ),
        (
            "services",
            {"spec": {"type": "ExternalName"}},
            ["spec.externalName: Required value"],
        ),
        (
            "services",
            {"metadata": {"name": "1a"}},
            [
                (
                    'metadata.name: Invalid value: "1a": a DNS-1035 label must consist of lower '
                    "case "
                    "alphanumeric characters or '-', start with an alphabetic character, and end "
                    "with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
                    "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
                )
            ],
        ),
        (
            "configmaps",
            {"data": {"a/b": "x"}},
            [
                (
                    'data[a/b]: Invalid value: "a/b": a valid config key must consist of '
                    "alphanumeric "
                    "characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', "
                    "regex used for validation is '[-._a-zA-Z0-9]+')"
                )
            ],
        ),
        (
            "configmaps",
            {"data": {"a": "x" * (1024 * 1024 + 1)}},
            ["[]: Too long: may not be more than 1048576 bytes"],
        ),
        (
            "secrets",
            {"type": "kubernetes.io/tls"},
            ["data[tls.crt]: Required value", "data[tls.key]: Required value"],
        ),
        (
            "leases.coordination.k8s.io",
            {"spec": {"leaseDurationSeconds": 0}},
            ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"],
        ),
        (
            "endpointslices.discovery.k8s.io",
            {"addressType": "IPv9", "endpoints": [{"addresses": []}]},
            [
                'addressType: Unsupported value: "IPv9": supported values: "FQDN", "IPv4", "IPv6"',
                "endpoints[0].addresses: Required value: must contain at least 1 address",
            ],
        ),
        (
            "events",
            {"involvedObject": {"namespace": "other"}},
            ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
        ),
        (
            "nodes",
            {"spec": {"taints": [{"key": "a", "effect": "Never"}]}},
            [
                (
                    'metadata.taints[0].effect: Unsupported value: "Never": supported values: '
                    '"NoSchedule", "PreferNoSchedule", "NoExecute"'
                )
            ],
        ),
    ],
)
def test_complaints_are_upstreams(
    resource: str, change: Object, expected: list[str], examples: Examples, kind_of: KindOf
) -> None:
    """Path, kind of complaint and words."""
    strategy = strategy_of(kind_of(resource))
    obj = strategy.default(merged(examples[resource], change))
    assert [str(problem) for problem in strategy.validate_create(obj)] == expected


@pytest.mark.parametrize(
    ("resource", "change", "expected"),
    [
        (
            "deployments.apps",
            {"spec": {"selector": {"matchLabels": {"tier": "x"}}}},
            (
                'spec.selector: Invalid value: {"matchLabels":{"app":"web","tier":"x"}}: field is '
                "immutable"
            ),
        ),
        ("secrets", {"type": "x"}, 'type: Invalid value: "x": field is immutable'),
        (
            "priorityclasses.scheduling.k8s.io",
            {"value": 7},
            "value: Forbidden: may not be changed in an update.",
        ),
        (
            "statefulsets.apps",
            {"spec": {"serviceName": "x"}},
            (
                "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', "
                "'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', "
                "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
            ),
        ),
        (
            "endpointslices.discovery.k8s.io",
            {"addressType": "IPv6"},
            'addressType: Invalid value: "IPv6": field is immutable',
        ),
    ],
)
def test_what_is_fixed_cannot_change(
    resource: str, change: Object, expected: str, examples: Examples, kind_of: KindOf
) -> None:
    """The complaint is among those about the update."""
    strategy = strategy_of(kind_of(resource))
    old = strategy.prepare_create(strategy.default(examples[resource]))
    new = strategy.default(merged(old, change))
    assert expected in [str(problem) for problem in strategy.validate_update(new, old)]


def test_updates_are_validated_whole(examples: Examples, kind_of: KindOf) -> None:
    """A valid object cannot be made invalid by an update."""
    strategy = strategy_of(kind_of("deployments.apps"))
    old = strategy.default(examples["deployments.apps"])
    new = merged(old, {"spec": {"replicas": -1}})
    assert [p.field for p in strategy.validate_update(new, old)] == ["spec.replicas"]


@pytest.mark.parametrize("resource", ["configmaps", "secrets"])
def test_immutable_data_stays(resource: str, examples: Examples, kind_of: KindOf) -> None:
    """Neither the data nor the mark may change; labels may."""
    strategy = strategy_of(kind_of(resource))
    old = {**strategy.default(examples[resource]), "immutable": True}
    new = {**old, "immutable": False, "data": {"a": "YQ=="}}
    assert [str(p) for p in strategy.validate_update(new, old)] == [
        "immutable: Forbidden: field is immutable when `immutable` is set",
        "data: Forbidden: field is immutable when `immutable` is set",
    ]
    assert strategy.validate_update(merged(old, {"metadata": {"labels": {"a": "b"}}}), old) == []


def test_string_data_becomes_data(kind_of: KindOf, examples: Examples) -> None:
    """Written keys win over encoded ones, and the type is Opaque."""
    secret = {**examples["secrets"], "data": {"a": "eA==", "c": "ZA=="}}
    made = strategy_of(kind_of("secrets")).default(secret)
    assert made["data"] == {"a": "Yg==", "c": "ZA=="}
    assert made["type"] == "Opaque"
    assert "stringData" not in made


def test_a_namespace_is_active_and_labelled(kind_of: KindOf, examples: Examples) -> None:
    """Its finalizer is the namespace controller's."""
    strategy = strategy_of(kind_of("namespaces"))
    made = strategy.prepare_create(strategy.default(examples["namespaces"]))
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "web"}
    assert made["spec"] == {"finalizers": ["kubernetes"]}
    assert made["status"] == {"phase": "Active"}
    emptied = {**made, "spec": {}}
    assert strategy.prepare_update(emptied, made)["spec"] == made["spec"]


def test_allocated_addresses_survive_a_replace(kind_of: KindOf, examples: Examples) -> None:
    """``kubectl replace`` of a manifest without clusterIP and nodePort keeps both."""
    strategy = strategy_of(kind_of("services"))
    made = strategy.default(merged(examples["services"], {"spec": {"type": "NodePort"}}))
    old = merged(
        strategy.prepare_create(made),
        {
            "spec": {
                "clusterIP": "10.0.0.1",
                "clusterIPs": ["10.0.0.1"],
                "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80, "nodePort": 30001}],
            }
        },
    )
    new = strategy.prepare_update(made, old)
    assert new["spec"]["clusterIP"] == "10.0.0.1"
    assert new["spec"]["ports"][0]["nodePort"] == 30001
    assert strategy.validate_update(new, old) == []


def test_session_affinity_gets_its_timeout(kind_of: KindOf, examples: Examples) -> None:
    """Three hours, and nothing without affinity."""
    default = strategy_of(kind_of("services")).default
    sticky = default(merged(examples["services"], {"spec": {"sessionAffinity": "ClientIP"}}))
    assert sticky["spec"]["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    loose = default(merged(sticky, {"spec": {"sessionAffinity": "None"}}))
    assert "sessionAffinityConfig" not in loose["spec"]


def test_a_node_offers_what_it_has(kind_of: KindOf, examples: Examples) -> None:
    """Allocatable is the capacity until somebody says less; status is kept on creation."""
    strategy = strategy_of(kind_of("nodes"))
    made = strategy.prepare_create(strategy.default(examples["nodes"]))
    assert made["status"]["allocatable"] == {"cpu": "4"}
    assert strategy.selectable_fields(made)["spec.unschedulable"] == "false"


def test_required_text_is_missed_in_kinds_without_rules_of_their_own() -> None:
    """The published schema says what is required; absent numbers and lists are zero."""
    kind = registry("1.37").by_key("storageversionmigrations.storagemigration.k8s.io")
    made = {"metadata": {"name": "a"}, "spec": {"resource": {"group": ""}}}
    assert [str(problem) for problem in strategy_of(kind).validate_create(made)] == [
        "spec.resource.resource: Required value"
    ]


def test_an_autoscaler_gets_metrics_and_a_behavior(examples: Examples, kind_of: KindOf) -> None:
    """80 % of CPU; what half a behavior leaves out is upstream's."""
    kind = kind_of("horizontalpodautoscalers.autoscaling")
    given = merged(examples[kind.resource], {"spec": {"behavior": {"scaleUp": {}}}})
    spec = strategy_of(kind).default(given)["spec"]
    assert spec["metrics"] == [
        {
            "type": "Resource",
            "resource": {
                "name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 80},
            },
        }
    ]
    assert spec["behavior"] == {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Pods", "value": 4, "periodSeconds": 15},
                {"type": "Percent", "value": 100, "periodSeconds": 15},
            ],
        },
        "scaleDown": {
            "selectPolicy": "Max",
            "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
        },
    }


def test_an_older_autoscaler_is_held_to_the_newer_ones_rules() -> None:
    """Its one number is a metric of the other."""
    kind = registry().by_kind("autoscaling/v1", "HorizontalPodAutoscaler")
    assert kind is not None
    rules = strategy_of(kind)
    given = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "a", "namespace": "default"},
        "spec": {
            "maxReplicas": 2,
            "scaleTargetRef": {"kind": "Deployment", "name": "web"},
            "targetCPUUtilizationPercentage": 0,
        },
    }
    made = rules.default(given)
    assert made["spec"]["minReplicas"] == 1
    assert [str(problem) for problem in rules.validate_create(made)] == [
        (
            "spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater "
            "than 0"
        )
    ]


def test_limits_follow_the_maximum_and_requests_the_limits(
    examples: Examples, kind_of: KindOf
) -> None:
    """What the minimum asks for counts only where nothing else does."""
    item = {"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "1", "memory": "1Mi"}}
    given = merged(examples["limitranges"], {"spec": {"limits": [item]}})
    (made,) = strategy_of(kind_of("limitranges")).default(given)["spec"]["limits"]
    assert made["default"] == {"cpu": "2"}
    assert made["defaultRequest"] == {"cpu": "2", "memory": "1Mi"}


def test_the_templates_of_daemon_sets_are_counted(examples: Examples, kind_of: KindOf) -> None:
    """In an annotation, whatever an update says of it."""
    rules = strategy_of(kind_of("daemonsets.apps"))
    key = "deprecated.daemonset.template.generation"
    old = rules.prepare_create(rules.default(examples["daemonsets.apps"]))
    assert old["metadata"]["annotations"] == {key: "1"}
    same = merged(old, {"metadata": {"annotations": {key: "9"}}})
    assert rules.prepare_update(same, old)["metadata"]["annotations"] == {key: "1"}
    new = merged(old, {"spec": {"template": {"spec": {"hostname": "x"}}}})
    assert rules.prepare_update(new, old)["metadata"]["annotations"] == {key: "2"}
